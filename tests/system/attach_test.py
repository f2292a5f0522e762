"""Twins on a Linux kernel: usbtwin attach, and what vhci_hcd, usb-storage and sd make of them."""
import json
import os
import re

import guest
import shell

class Attach(guest.Case):
    def attached(self, script, good=True, **more):
        """A script. Where it is a good run the kernel has nothing to complain about."""
        done = self.shell(shell.ATTACH + script, **more)
        if good:
            self.assertEqual(self.complaints(), [], "\n".join(self.messages()))
        return done

    def test_a_disk_is_found_and_taken_away(self):
        done = self.attached("""
            attach 'emu:?size=64M'
            disk
            cat /tmp/told
            lsblk -bno NAME,SIZE,RO,RM $disk
            readlink /sys/bus/usb/devices/$device:1.0/driver || \
              readlink /sys/bus/usb/devices/$device/$device:1.0/driver
            "$USBTWIN" ports
            good_end
            test ! -e $disk
            "$USBTWIN" ports
            cat /tmp/said >&2""")
        self.assertEqual(done.text.splitlines(), [
            "emu:?size=64M is in port 0, device 3-1 of this kernel: 1209:0001, high speed",
            'Ctrl-C or "usbtwin detach 0" takes it out.',
            "sda  67108864  0  0",
            "../../../../../../bus/usb/drivers/usb-storage",
            "port  hub  state      speed       exported   device    id",
            "   0  hs   used       high        1:1        3-1       1209:0001  usbtwin Twin",
            "7 of 8 hs ports are free, 8 of 8 ss ports are free",
            "8 of 8 hs ports are free, 8 of 8 ss ports are free"], str(done))
        self.assertEqual(done.complaint, "")

    def test_the_driver_for_uas_takes_what_speaks_it(self):
        done = self.attached("""
            attach 'emu:uas?size=64M'
            disk
            driver
            cat /sys/block/${disk#/dev/}/device/queue_depth
            dd if=/dev/urandom of=/tmp/written bs=1M count=32 status=none
            writers=
            for part in 0 1 2 3; do  # at once, so that commands queue
              dd if=/tmp/written of=$disk bs=32k count=256 skip=$((part * 256)) \
                seek=$((part * 256)) oflag=direct status=none &
              writers="$writers $!"
            done
            wait $writers
            dd if=$disk of=/tmp/read bs=128k count=256 iflag=direct status=none
            cmp /tmp/written /tmp/read
            # Once the driver itself is removed it refuses the flush of its disks.
            echo 1 >/sys/block/${disk#/dev/}/device/delete
            good_end""")
        self.assertEqual(done.text.splitlines(), ["uas", "30"], str(done))

    def test_sg3_utils_find_what_is_emulated(self):
        self.need("sg_inq", "sg_readcap", "sg_modes", "sg_vpd", "sg_luns", "sg_verify", "sg_turs")
        done = self.attached("""
            attach 'emu:?size=64M&luns=2'
            disk
            for command in sg_inq sg_readcap 'sg_readcap --long' 'sg_modes -a' 'sg_vpd -p sv' \
                'sg_vpd -p sn' 'sg_vpd -p di' 'sg_vpd -p bl' 'sg_vpd -p bdc' 'sg_vpd -p lbpv' \
                sg_luns 'sg_verify --lba=100 --count=64' 'sg_turs -v' sg_requests 'sg_sync'; do
              echo "== $command"
              $command $disk 2>&1 || echo "exit $?"
            done
            echo '== beyond'
            sg_verify --lba=131072 --count=1 $disk 2>&1 || echo "exit $?"
            good_end""")
        said = dict(re.findall(r"^== (.*)\n((?:(?!== ).*\n)*)", done.text, re.MULTILINE))
        for command, words in self.SG3:
            for word in words:
                self.assertIn(word, said[command], f"{command}\n{done.text}")
        self.assertEqual([command for command in said if "exit" in said[command]], ["beyond"],
                         done.text)

    # What the twin says, in the words of sg3_utils 1.46.
    SG3 = [
        ("sg_inq", ["PQual=0  PDT=0  RMB=0", "version=0x06  [SPC-4]", "Resp_data_format=2",
                    "Vendor identification: USBTWIN", "Product identification: Disk",
                    "Product revision level: 0001", "Unit serial number: 0123456789AB-0"]),
        ("sg_readcap", ["Last LBA=131071 (0x1ffff), Number of logical blocks=131072",
                        "Logical block length=512 bytes", "Device size: 67108864 bytes"]),
        ("sg_readcap --long", ["prot_en=0", "Last LBA=131071 (0x1ffff)", "lbpme=1",
                               "Logical block length=512 bytes"]),
        ("sg_modes -a", ["DpoFua=1", "Caching", "Control", "Informational exceptions control"]),
        ("sg_vpd -p sv", ["[sv]", "[sn]", "[di]", "[bl]", "[bdc]", "[lbpv]"]),
        ("sg_vpd -p sn", ["Unit serial number: 0123456789AB-0"]),
        ("sg_vpd -p di", ["designator type: NAA,  code set: Binary", "vendor id: USBTWIN",
                          "vendor specific: Disk            0123456789AB-0"]),
        ("sg_vpd -p bl", ["Optimal transfer length granularity: 8 blocks"]),
        ("sg_vpd -p bdc", ["Non-rotating medium"]),
        ("sg_vpd -p lbpv", ["Unmap command supported (LBPU): 1"]),
        ("sg_luns", ["0000000000000000\n    0001000000000000\n"]),
        ("sg_requests", ["Sense key: No Sense"]),
        ("beyond", ["LBA out of range", "lba=131072 [0x20000]", "exit 22"]),
    ]

    def test_file_systems_on_an_image(self):
        self.need("mkfs.ext4", "mkfs.vfat", "fsck.ext4", "fsck.vfat", "debugfs", "mcopy")
        tree = self.tree()
        for kind, mkfs, fsck in (("ext4", "mkfs.ext4 -q", "fsck.ext4 -fn"),
                                 ("vfat", "mkfs.vfat", "fsck.vfat -n")):
            self.image(kind, 64 << 20)
            self.attached(f"""
                attach emu:$WORK/{kind}
                disk
                {mkfs} $disk >/dev/null
                mkdir /tmp/mounted
                mount $disk /tmp/mounted
                cp -r {tree} /tmp/mounted
                sync
                echo 3 >/proc/sys/vm/drop_caches
                diff -r {tree} /tmp/mounted/tree
                umount /tmp/mounted
                {fsck} $disk
                good_end""")
        read = self.host("debugfs", "-R", 'cat "tree/folder 1/file4"',
                         os.path.join(self.work, "ext4"))
        with open(os.path.join(tree, "folder 1", "file4"), "rb") as file:
            data = file.read()
        self.assertEqual(read, data)
        self.host("fsck.ext4", "-fn", os.path.join(self.work, "ext4"))
        read = self.host("mcopy", "-i", os.path.join(self.work, "vfat"), "::tree/folder 1/file4",
                         "-")
        self.assertEqual(read, data)

    def test_four_devices_at_once(self):
        done = self.attached("""
            pids= disks= writers=
            for speed in high super full super; do
              attach "emu:?size=8M&speed=$speed"
              disk
              pids="$pids $pid"
              disks="$disks $disk"
              echo $port $device $disk
            done
            for disk in $disks; do
              { yes $disk | head -c 4M | dd of=$disk bs=64k iflag=fullblock oflag=direct \
                  status=none &&
                yes $disk | head -c 4M | cmp -n 4M - $disk && echo $disk is good; } &
              writers="$writers $!"
            done
            for writer in $writers; do wait $writer; done
            "$USBTWIN" ports --json
            "$USBTWIN" detach --all
            for pid in $pids; do wait $pid; done
            "$USBTWIN" ports""")
        self.assertEqual(done.text.splitlines()[:4], ["0 3-1 /dev/sda", "8 4-1 /dev/sdb",
                                                      "1 3-2 /dev/sdc", "9 4-2 /dev/sdd"])
        self.assertEqual(done.text.count(" is good\n"), 4, str(done))
        ports = json.loads(done.text[done.text.index("{"):done.text.rindex("}") + 1])["ports"]
        used = [(port["port"], port["hub"], port["speed"], port["name"], port["vendor_id"],
                 port["product"]) for port in ports if port["state"] == "used"]
        self.assertEqual(used, [(0, "hs", "high", "3-1", "1209", "Twin"),
                                (1, "hs", "full", "3-2", "1209", "Twin"),
                                (8, "ss", "super", "4-1", "1209", "Twin"),
                                (9, "ss", "super", "4-2", "1209", "Twin")])
        self.assertTrue(done.text.endswith("8 of 8 hs ports are free, 8 of 8 ss ports are free\n"))

    def test_super_speed(self):
        self.need("mkfs.ext4", "fsck.ext4")
        tree = self.tree()
        for speed in ("super", "super-plus"):
            self.attached(f"""
                attach 'emu:?size=64M&speed={speed}'
                test $port = 8
                disk
                echo 1024 >/sys/block/${{disk##*/}}/queue/max_sectors_kb
                mkfs.ext4 -q $disk
                mkdir /tmp/mounted
                mount $disk /tmp/mounted
                cp -r {tree} /tmp/mounted
                sync
                echo 3 >/proc/sys/vm/drop_caches
                diff -r {tree} /tmp/mounted/tree
                umount /tmp/mounted
                fsck.ext4 -fn $disk
                good_end""")

    def test_a_killed_server_is_a_pulled_plug(self):
        self.attached("""
            attach 'emu:?size=64M'
            disk
            dd if=/dev/zero of=$disk bs=1M count=4 oflag=direct status=none
            keep_writing &
            writer=$!
            sleep 0.1
            kill -KILL $pid
            wait $writer
            refused || { cat /tmp/dd; false; }
            until is_free $port; do sleep 0.01; done
            attach 'emu:?size=64M'
            disk
            good_end""", good=False)

    def test_a_detach_while_it_writes(self):
        self.attached("""
            attach 'emu:?size=64M'
            disk
            keep_writing &
            writer=$!
            sleep 0.1
            "$USBTWIN" detach $port
            wait $writer
            refused || { cat /tmp/dd; false; }
            is_free $port
            wait $pid""", good=False)

    def test_a_device_that_goes_ends_it(self):
        self.plan('kind = "port.disconnect"\nopcode = 0x2a\ntimes = 1\n')
        done = self.attached("""
            attach 'emu:?size=64M' --faults $WORK/plan.toml
            disk
            keep_writing
            refused
            wait $pid || echo "exit $?"
            cat /tmp/said
            until is_free $port; do sleep 0.01; done""", good=False)
        self.assertEqual(done.text, "exit 3\nfault port.disconnect: played 1, observed 1\n"
                         "usbtwin attach: the device is gone\n")

    def test_every_signal_detaches(self):
        self.attached("""
            for signal in INT TERM HUP; do
              attach 'emu:?size=1M'
              disk
              kill -$signal $pid
              wait $pid
              is_free $port
            done""")

    def test_lsusb_reads_all_descriptors(self):
        self.need("lsusb")
        for speed, words in (
                ("full", ["bcdUSB               2.00", "0x0040  1x 64 bytes"]),
                ("high", ["bcdUSB               2.00", "0x0200  1x 512 bytes",
                          "Device Qualifier (for other device speed):"]),
                ("super", ["bcdUSB               3.", "0x0400  1x 1024 bytes", "bMaxBurst",
                           "Binary Object Store Descriptor:", "SuperSpeed USB Device Capability"])):
            done = self.attached(f"""
                attach 'emu:?size=1M&speed={speed}'
                disk
                lsusb -v -d 1209:0001 2>&1
                good_end""")
            self.assertNotIn("can't get", done.text)
            self.assertNotIn("Warning", done.text.title())
            for word in ["bInterfaceProtocol     80", "iProduct                2 Twin", *words]:
                self.assertIn(word, done.text)

    def plan(self, text, name="plan.toml"):
        with open(os.path.join(self.work, name), "w", encoding="ascii") as file:
            file.write("[[fault]]\n" + text)

    def test_a_silent_device_is_reset_and_goes_on(self):
        # The kernel gives a command 30 seconds, which take no time here.
        self.plan('kind = "usb.silent"\nendpoint = 0x81\nopcode = 0x2a\ntimes = 1\n')
        done = self.attached("""
            attach 'emu:?size=64M' --faults $WORK/plan.toml
            disk
            yes | head -c 256k >/tmp/data
            dd if=/tmp/data of=$disk bs=64k oflag=direct status=none
            cmp -n 256k /tmp/data $disk
            good_end
            cat /tmp/said""", good=False, options=["--time-travel"])
        self.assertEqual(done.text, "fault usb.silent: played 1, observed 1\n")
        resets = [line for line in self.messages() if "reset high-speed USB device" in line]
        self.assertEqual(len(resets), 1, "\n".join(self.messages()))

    def test_faults_of_the_transport_are_recovered(self):
        kinds = {"bot.stall-data": "", "bot.stall-status": "", "bot.stall-command": "",
                 "bot.phase-error": "", "bot.wrong-tag": "", "bot.short-status": "",
                 "usb.stall": "endpoint = 0x81\n", "usb.short-in": "endpoint = 0x81\n",
                 "scsi.unit-attention": "", "scsi.aborted-command": ""}
        for kind, more in kinds.items():
            self.plan(f'kind = "{kind}"\nopcode = 0x28\nnth = 3\ntimes = 2\n{more}', kind)
        done = self.attached(f"""
            yes | head -c 2M >/tmp/image
            for kind in {" ".join(kinds)}; do
              attach emu:/tmp/image --faults $WORK/$kind
              disk
              dd if=$disk bs=64k iflag=direct status=none | cmp - /tmp/image
              good_end
              cat /tmp/said
            done""", good=False, options=["--time-travel"])
        self.assertEqual(done.text.splitlines(),
                         [f"fault {kind}: played 2, observed 2" for kind in kinds])

    def test_what_is_recorded_is_what_the_kernel_did(self):
        self.need("tshark")
        self.attached("""
            attach 'emu:?size=64M' --record $WORK/record.pcapng
            disk
            dd if=$disk of=/dev/null bs=64k count=1 skip=3 iflag=direct status=none
            good_end""")
        text = self.host("tshark", "-r", os.path.join(self.work, "record.pcapng")).decode()
        self.assertIn("SET CONFIGURATION Request", text)
        self.assertIn("SCSI: Read(10) LUN: 0x00 (LBA: 0x00000180, Len: 128)", text)
        self.assertIn("SCSI: Synchronize Cache(10)", text)

    def test_what_goes_wrong_is_told(self):
        done = self.attached("""
            chmod 755 /tmp
            status() { "$@" 2>&1 || echo "exit $?"; }
            status setpriv --reuid 65534 "$USBTWIN" attach 'emu:?size=1M'
            status "$USBTWIN" detach 3
            status "$USBTWIN" detach 99
            status "$USBTWIN" detach
            for port in 0 1 2 3 4 5 6 7; do attach 'emu:?size=1M'; done
            status "$USBTWIN" attach 'emu:?size=1M' --json
            "$USBTWIN" detach --all
            wait""", options=["--time-travel"])
        text = done.text
        self.assertIn("usbtwin attach: cannot write /sys/devices/platform/vhci_hcd.0/attach: "
                      "Permission denied; run this as root\nexit 3\n", text)
        self.assertIn("usbtwin detach: port 3 is free: nothing is there\nexit 3\n", text)
        self.assertIn("usbtwin detach: there is no port 99", text)
        self.assertIn("or write --all; usbtwin ports lists them\nexit 4\n", text)
        self.assertIn("usbtwin attach: all 8 virtual ports for high speed are taken", text)
        self.assertEqual(json.loads(text[text.index("{"):text.rindex("}") + 1])["exit_status"], 3)


if __name__ == "__main__":
    guest.main()
