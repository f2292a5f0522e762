"""Our disk at high speed under Linux's uas, without streams, asked by stock tools."""
import json
import os
import re

import guest
import shell

MIB = 2048  # blocks of 512 bytes, which is what stat counts as well

# Linux makes one WRITE ATOMIC of the first write, and none of the second.
WRITE_ATOMIC = r"""
import mmap, os, sys
RWF_ATOMIC = 0x40
data = mmap.mmap(-1, 8192)
data.write(b"Z" * 8192)
disk = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
print(os.pwritev(disk, [data], 128 << 10, RWF_ATOMIC))
try:
    os.pwritev(disk, [data], 132 << 10, RWF_ATOMIC)  # not a multiple of its own length
except OSError as error:
    print(error.strerror)
"""

# Every command of the disk as sg_opcodes tells it: operation code, and service actions.
OPCODES = """00 03 04 08 0a 12 15 16 17 1a 1b 1e 25 28 2a 2e 2f 34 35 37 3b 3c 41 42 48:1,2,1f 4d 55
5a 5e:0,1,2,3 5f:0,1,2,3,4,5,6 88 89 8a 8b 8e 8f 90 91 93 9c 9e:10,12 a0 a3:c,d a8 aa ae af b7"""


def opcodes():
    """(operation code, service action or nothing), in hexadecimal."""
    for word in OPCODES.split():
        opcode, _, actions = word.partition(":")
        yield from ((opcode, action) for action in actions.split(","))


def extents(text):
    """What sg_get_lba_status tells: first block, number of blocks, whether they are mapped."""
    return [(int(lba, 16), int(count), "mapped" in state) for lba, count, state in
            re.findall(r"LBA: 0x(\w+)  blocks: +(\d+)  (.*)", text)]


class Uas(guest.Case):
    def attached(self, device, script, before=""):
        """A script with a device in a port, which the kernel's uas has taken as $disk; what it
        said after each `echo == NAME`, by that name."""
        done = self.shell(shell.ATTACH + before + f"""
            attach {device}
            disk
            test $(driver) = uas
            block=/sys/block/${{disk##*/}}
            cd /tmp
            {script}
            # Once the driver itself is removed it refuses the flush of its disks.
            echo 1 >$block/device/delete
            good_end""")
        self.assertEqual(self.complaints(), [], "\n".join(self.messages()))
        return dict(re.findall(r"^== (.*)\n((?:(?!== ).*\n)*)", done.text, re.MULTILINE))

    def taken(self, name):
        return self.read(os.path.join(self.work, name))

    def test_ext4_is_in_the_image(self):
        self.need("mkfs.ext4", "fsck.ext4", "debugfs")
        tree = self.tree()
        image = self.image("ext4", 64 << 20)
        self.attached("emu:$WORK/ext4?uas=1", f"""
            mkfs.ext4 -q $disk
            mkdir /tmp/mounted
            mount $disk /tmp/mounted
            cp -r {tree} /tmp/mounted
            sync
            echo 3 >/proc/sys/vm/drop_caches
            diff -r {tree} /tmp/mounted/tree
            umount /tmp/mounted
            fsck.ext4 -fn $disk""")
        self.assertEqual(self.host("debugfs", "-R", 'cat "tree/folder 1/file4"', image),
                         self.read(os.path.join(tree, "folder 1", "file4")))
        self.host("fsck.ext4", "-fn", image)

    def test_fio_verifies_with_32_in_flight(self):
        self.need("fio")
        said = self.attached("'emu:uas?size=64M'", """
            fio --name=verify --filename=$disk --rw=randwrite --bs=4k --size=16M --direct=1 \
              --ioengine=libaio --iodepth=32 --verify=crc32c --verify_fatal=1 --thread \
              --output-format=json --output=$WORK/fio &
            fio=$!
            echo == busy
            while test -d /proc/$fio; do
              cat $block/device/device_busy
              sleep 0.05
            done
            wait $fio
            echo == depth
            cat $block/device/queue_depth""")
        job = json.loads(self.taken("fio"))["jobs"][0]
        self.assertEqual((job["error"], job["read"]["io_bytes"], job["write"]["io_bytes"]),
                         (0, 16 << 20, 16 << 20))
        self.assertGreater(job["iodepth_level"]["32"], 90)
        # The driver lets that many pass, and the disk has had most of them at once.
        self.assertEqual(said["depth"], "30\n")
        self.assertGreaterEqual(max(map(int, said["busy"].split())), 24, said["busy"])

    def test_blkdiscard_and_fstrim_reach_unmap(self):
        self.need("blkdiscard", "fstrim", "mkfs.ext4", "sg_get_lba_status")
        said = self.attached("'emu:/tmp/image?uas=1'", """
            yes | head -c 16M >given
            echo == mode
            cat $block/device/scsi_disk/*/provisioning_mode
            dd if=given of=$disk bs=256k oflag=direct status=none
            echo == written
            stat -c %b image
            blkdiscard -o 4M -l 8M $disk
            echo == discarded
            stat -c %b image
            sg_get_lba_status --maxlen=1024 $disk
            dd if=$disk bs=1M count=4 iflag=direct status=none | cmp -n 4M - given
            dd if=$disk bs=1M skip=4 count=8 iflag=direct status=none | cmp -n 8M - /dev/zero
            dd if=$disk bs=1M skip=12 count=4 iflag=direct status=none | cmp -n 4M - given
            blkdiscard $disk
            mkfs.ext4 -q $disk
            mkdir mounted
            mount $disk mounted
            cp given mounted/file
            sync
            echo == filled
            stat -c %b image
            rm mounted/file
            sync
            echo == trimmed
            fstrim -v mounted
            stat -c %b image
            umount mounted""", before="truncate -s 64M /tmp/image")
        self.assertEqual(said["mode"], "unmap\n")
        self.assertEqual(int(said["written"]), 16 * MIB)
        # The kernel looks at the disk's end anew, and a tmpfs allocates what is only read.
        self.assertLessEqual(int(said["discarded"].split()[0]), 9 * MIB)
        self.assertEqual(extents(said["discarded"])[:3],
                         [(0, 4 * MIB, True), (4 * MIB, 8 * MIB, False), (12 * MIB, 4 * MIB, True)])
        self.assertLessEqual(int(said["trimmed"].split()[-1]), int(said["filled"]) - 15 * MIB)
        self.assertGreater(int(re.search(r"\((\d+) bytes\)", said["trimmed"])[1]), 16 << 20)

    def test_sg3_utils_unmap_fill_and_erase(self):
        self.need("sg_unmap", "sg_write_same", "sg_sanitize", "sg_get_lba_status", "xxd")
        said = self.attached("'emu:/tmp/image?uas=1'", """
            yes | head -c 16M >given
            dd if=given of=$disk bs=256k oflag=direct status=none
            status() { sg_get_lba_status --maxlen=1024 $disk; }
            blocks() { dd if=$disk bs=512 skip=$1 count=$2 iflag=direct status=none; }
            sg_unmap --force --lba=8192 --num=2048 $disk
            echo == unmapped
            status
            stat -c %b image
            head -c 512 /dev/urandom >block
            sg_write_same --lba=100 --num=50 --in=block $disk
            blocks 99 1 | cmp -n 512 - given
            for lba in 100 149; do blocks $lba 1 | cmp - block; done
            blocks 150 1 | cmp -n 512 - given
            sg_write_same --16 --lba=200 --num=50 --ndob $disk
            blocks 200 50 | cmp -n 25600 - /dev/zero
            sg_write_same --10 --lba=16384 --num=1024 --unmap --in=/dev/zero --xferlen=512 $disk
            echo == filled
            status
            printf '\\022\\064\\126' >pattern
            sg_sanitize --overwrite --pattern=pattern --ipl=3 --count=2 --quick --wait $disk
            echo == overwritten
            blocks 131071 1 | xxd -l 6 -p
            sg_sanitize --block --quick --wait $disk >/dev/null
            echo == erased
            status
            stat -c %b image
            echo == refused
            expect 5 sg_sanitize --crypto --quick $disk 2>&1""",
                             before="truncate -s 64M /tmp/image")
        mapped = [(0, 8192, True), (8192, 2048, False), (10240, 22528, True), (32768, 98304, False)]
        self.assertEqual(extents(said["unmapped"]), mapped)
        self.assertEqual(int(said["unmapped"].split()[-1]), 15 * MIB)
        mapped[2:3] = [(10240, 6144, True), (16384, 1024, False), (17408, 15360, True)]
        self.assertEqual(extents(said["filled"]), mapped)
        self.assertEqual(said["overwritten"], "123456123456\n")
        self.assertEqual(extents(said["erased"]), [(0, 64 * MIB, False)])
        self.assertEqual(int(said["erased"].split()[-1]), 0)
        self.assertIn("Illegal request", said["refused"])

    def test_sg3_utils_agree_on_reservations(self):
        self.need("sg_persist")
        said = self.attached("'emu:uas?size=8M'", """
            tell() { sg_persist --in "$@" $disk 2>&1; }
            change() { sg_persist --out "$@" $disk 2>&1; }
            change --register --param-sark=1234 >/dev/null
            change --reserve --param-rk=1234 --prout-type=5 >/dev/null
            echo == held
            tell --read-keys
            tell --read-reservation
            tell --read-full-status
            tell --report-capabilities
            echo == refused
            expect 24 change --register --param-rk=9999 --param-sark=5
            change --release --param-rk=1234 --prout-type=5 >/dev/null
            echo == released
            tell --read-reservation
            change --register --param-rk=1234 --param-sark=0 >/dev/null
            echo == gone
            tell --read-keys""")
        for words in ("1 registered reservation key follows:\n    0x1234\n",
                      "PR generation=0x1, Reservation follows:\n    Key=0x1234\n"
                      "    scope: LU_SCOPE,  type: Write Exclusive, registrants only\n",
                      "<< Reservation holder >>", "Persist Through Power Loss Capable(PTPL_C): 0",
                      "Exclusive Access, all registrants: 1"):
            self.assertIn(words, said["held"])
        self.assertIn("Reservation conflict", said["refused"])
        self.assertIn("there is NO reservation held", said["released"])
        self.assertIn("PR generation=0x2, there are NO registered", said["gone"])

    def test_sg3_utils_agree_on_commands_and_counters(self):
        self.need("sg_opcodes", "sg_logs", "sg_start", "sg_verify")
        said = self.attached("'emu:uas?size=64M'", """
            echo == opcodes
            sg_opcodes $disk
            echo == atomic
            sg_opcodes --opcode=0x9c $disk
            echo == unknown
            sg_opcodes --opcode=0x9a $disk || true
            logs() { for page in 2 3 5 0xe; do sg_logs --page=$page $disk; done; }
            echo == before
            logs
            dd if=/dev/zero of=$disk bs=64k count=16 oflag=direct status=none
            dd if=$disk of=/dev/null bs=64k count=12 iflag=direct status=none
            sg_verify --lba=0 --count=1000 $disk
            sg_start --stop $disk
            sg_start --start $disk
            echo == after
            logs
            echo == pages
            sg_logs --list $disk""")
        listed = re.findall(r"^ (\w\w) {7}(..) +\d+ ", said["opcodes"], re.MULTILINE)
        self.assertEqual([(opcode, action.strip()) for opcode, action in listed], list(opcodes()))
        self.assertIn("Usage data: 9c f8 ff ff ff ff ff ff ff ff ff ff ff ff 00 04", said["atomic"])
        self.assertIn("Command is NOT supported", said["unknown"])
        before, after = ([int(number) for number in re.findall(
            r"(?:bytes processed|start-stop cycles) = (\d+)", said[name])]
                         for name in ("before", "after"))
        self.assertEqual([late - early for early, late in zip(before, after)],
                         [1 << 20, 768 << 10, 1000 * 512, 1])
        self.assertEqual(re.findall(r"^ +(0x\w\w) ", said["pages"], re.MULTILINE),
                         ["0x00", "0x02", "0x03", "0x05", "0x0d", "0x0e", "0x2f"])

    def test_atomic_writes_are_known_and_used(self):
        said = self.attached("'emu:uas?size=8M' --record $WORK/record.pcapng", f"""
            echo == limits
            cat $block/queue/atomic_write_unit_min_bytes $block/queue/atomic_write_max_bytes
            echo == wrote
            python3 -c '{WRITE_ATOMIC}' $disk
            dd if=$disk bs=4k skip=32 count=2 iflag=direct status=none | tr -d Z | wc -c""")
        self.assertEqual(said["limits"].split(), ["4096", "131072"])
        self.assertEqual(said["wrote"], "8192\nInvalid argument\n0\n")
        sent = bytes.fromhex("9c 00 0000000000000100 0000 0010 00 00")  # block 256, 16 blocks
        self.assertEqual(self.taken("record.pcapng").count(sent), 1)

    def test_sequential_reads_are_faster_than_through_usb_storage(self):
        self.need("fio")
        done = self.shell(shell.ATTACH + """
            cd /tmp
            for device in 'emu:uas?size=64M' 'emu:?size=64M'; do
              attach "$device"
              disk
              test $(driver) = uas && uas=$disk || bot=$disk
              dd if=/dev/zero of=$disk bs=1M oflag=direct status=none 2>/dev/null || true
            done
            for round in 1 2 3 4 5; do
              for disk in $uas $bot; do
                fio --name=read --filename=$disk --rw=read --bs=128k --size=64M --direct=1 \
                  --ioengine=libaio --iodepth=32 --time_based --runtime=1 --thread \
                  --output-format=json --output=out
                python3 -c 'import json; print(json.load(open("out"))["jobs"][0]["read"]["bw"])'
              done
            done
            "$USBTWIN" detach --all
            wait""")
        rates = [int(rate) for rate in re.findall(r"^\d+$", done.text, re.MULTILINE)]
        self.assertEqual(len(rates), 10, str(done))
        # Side by side, as a busy machine slows both.
        times = sorted(uas / bot for uas, bot in zip(rates[::2], rates[1::2]))
        print(f"uas {max(rates[::2]) >> 10} MiB/s, usb-storage {max(rates[1::2]) >> 10} MiB/s, "
              f"{times[2]:.1f} times as fast")
        self.assertGreaterEqual(times[2], 1.5, rates)

    # ---- Behind a device controller

    def test_a_gadget_has_both_settings_and_uas_takes_it(self):
        self.need("lsusb")
        done = self.shell(shell.ATTACH + """
            "$USBTWIN" gadget 'emu:uas?size=64M' --udc dummy_udc.0 >/tmp/told 2>/tmp/said &
            gadget=$!
            device=1-1
            disk
            test $(driver) = uas
            lsusb -v -d 1209:0001 2>/dev/null | grep -E 'bAlternateSetting|bInterfaceProtocol'
            head -c 16M /dev/urandom >/tmp/given
            dd if=/tmp/given of=$disk bs=128k oflag=direct status=none
            dd if=$disk bs=128k count=128 iflag=direct status=none | cmp - /tmp/given
            echo 1 >/sys/block/${disk##*/}/device/delete
            kill -TERM $gadget
            wait $gadget""")
        self.assertEqual(re.findall(r"\d+", done.text), ["0", "80", "1", "98"])
        self.assertEqual(self.complaints(), [], "\n".join(self.messages()))


if __name__ == "__main__":
    guest.main()
