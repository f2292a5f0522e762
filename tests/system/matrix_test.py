"""The test matrix of usb_sgraw: mounted disks, large transfers, short data-in and illegal requests,
on each way to a device. However far away the twin is: the same commands have the same output, the
same messages and the same exit status as with `-d emu:` in one process, and leave the same image.
"""
import os
import random

import guest
import shell

IMAGE_LENGTH = 16 << 20
BLOCKS = IMAGE_LENGTH // 512


def block(opcode, lba, count):
    return f"{opcode:02x} 00 {lba:08x} 00 {count:04x} 00"


def sense(*arguments):
    """A command that is refused: its exit status is 2."""
    return 2, *arguments


def good(*arguments):
    return 0, *arguments


# Each command's exit status and arguments. /tmp/given is 8 MiB long.
ROWS = {
    "large": (
        good("--cdb", block(0x28, 0, 16384), "--din", "8M"),
        good("--cdb", block(0x28, BLOCKS - 8191, 8191), "--din", str(8191 * 512)),
        good("--cdb", block(0x2a, 1024, 16384), "--dout", "/tmp/given"),
        good("--cdb", block(0x2a, 7, 2049), "--dout", "/tmp/given", "--send", str(2049 * 512)),
        good("--cdb", block(0x28, 0, 20000), "--din", str(20000 * 512)),
        good("--cdb", "35 00 00000000 00 0000 00"),
    ),
    "short-data-in": (
        good("--cdb", "12 00 00 00 24 00", "--din", "36", "--hex"),
        good("--cdb", "12 00 00 00 24 00", "--din", "512", "--hex"),
        good("--cdb", "12 00 00 02 00 00", "--din", "512", "--hex"),
        good("--cdb", "12 00 00 00 05 00", "--din", "5", "--hex"),
        good("--cdb", "12 01 00 00 ff 00", "--din", "255", "--hex"),
        good("--cdb", "1a 00 3f 00 c0 00", "--din", "192", "--hex"),
        good("--cdb", "25 00 00000000 00 00 00 00", "--din", "4096", "--hex"),
        good("--cdb", "9e 10 0000000000000000 00000020 00 00", "--din", "64", "--hex"),
        good("--cdb", block(0x28, 3, 2), "--din", "65536"),
        good("--cdb", block(0x28, 3, 0), "--din", "512"),
    ),
    "illegal-request": (
        sense("--cdb", block(0x28, BLOCKS, 1), "--din", "512"),
        sense("--cdb", block(0x28, BLOCKS - 1, 2), "--din", "1024"),
        sense("--cdb", block(0x28, 0xffffffff, 128), "--din", "65536"),
        sense("--cdb", block(0x2a, BLOCKS, 128), "--dout", "/tmp/given", "--send", "65536"),
        sense("--cdb", "ff 00 00 00 00 00"),
        sense("--cdb", "ff 00 00 00 00 00", "--din", "512"),
        sense("--cdb", "ff 00 00 00 00 00", "--dout", "/tmp/given", "--send", "4096"),
        sense("--cdb", "12 01 ee 00 ff 00", "--din", "255"),
        sense("--cdb", "12 00 80 00 24 00", "--din", "36"),
        sense("--cdb", block(0x2f, BLOCKS - 1, 2)),
        # The next commands find nothing of that.
        good("--cdb", "00 00 00 00 00 00"),
        good("--cdb", block(0x28, BLOCKS - 1, 1), "--din", "512"),
    ),
}

COMMANDS = {f"{row}.{number}": command for row, commands in ROWS.items()
            for number, command in enumerate(commands)}

# table WHERE OPTION...: all commands, on the device that the options name. What each wrote, what it
# said and how it ended becomes a file in WHERE.
TABLE = shell.SERVE + r"""
sgraw() { "$USB_SGRAW" --audit "$@"; }
run() {
  file=$where/$1
  shift
  sgraw "$@" >$file.out 2>$file.err && status=0 || status=$?
  echo $status >$file.status
}
table() {
  where=$1
  shift
  mkdir $where
""" + "".join(f'  run {name} "$@" ' + " ".join(f"'{word}'" for word in words) + "\n"
              for name, (_, *words) in COMMANDS.items()) + "}\n"

# On each way: `plug DEVICE` has it there, where the options $way name it; `unplug` ends that; `use`
# gives it to this kernel, as $device, and `leave` takes it away from it.
IN_THE_KERNEL = """
way='-d 1209:0001 --detach-kernel'
use() { :; }
leave() { :; }
"""
FAR = """
use() { attach ${way#-d } --audit; }
leave() { good_end; }
"""
GADGET = """
plug() {
  "$USBTWIN" gadget "$1" --udc dummy_udc.0 >/tmp/told 2>/tmp/said &
  gadget=$!
  disk 1-1
  share
}
unplug() { unshare; kill -TERM $gadget; wait $gadget; }
"""
WAYS = {
    "usbip": FAR + """
way='-d usbip://127.0.0.1/1-1'
plug() { serve "$1"; }
unplug() { stop_server; }
""",
    "usbip_on_a_unix_socket": FAR + """
way='-d usbip+unix:/tmp/twin.sock#1-1'
plug() { serve "$1" --listen unix:/tmp/twin.sock; }
unplug() { stop_server; }
""",
    "vhci": IN_THE_KERNEL + """
plug() { attach "$1" --audit; disk; }
unplug() { good_end; }
""",
    "the_stock_tool": IN_THE_KERNEL + """
plug() { serve "$1"; stock_attach 1-1 0; disk; }
unplug() { usbip detach -p 0; until_is 'is_free 0'; stop_server; }
""",
    "a_gadget": GADGET + IN_THE_KERNEL + """
device=1-1
share() { :; }
unshare() { :; }
""",
    # From our device controller to Linux's host, and from there to our USB/IP client.
    "a_gadget_behind_usbip_host": GADGET + FAR + """
way='-d usbip://127.0.0.1/1-1'
share() {
  usbip bind -b 1-1 2>/dev/null
  usbipd >/tmp/usbipd 2>&1 &
  usbipd=$!
  until_is 'grep -q "listening on" /tmp/usbipd'
}
unshare() { kill $usbipd; wait $usbipd; }
""",
}


# How a mounted disk is refused: its mounts are named where they can be known.
IMPORTED = ("the server says that somebody has imported the device",)
NAMED = ("belongs to the kernel's driver usb-storage.", "is mounted on /tmp/a b.",
         "unmount it first.")


class Matrix(guest.Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(self.work, "image"), "wb") as file:
            file.write(random.Random(1).randbytes(IMAGE_LENGTH))

    def script(self, way, script):
        self.need(*[tool for tool in ("usbip", "usbipd") if f"{tool} " in WAYS[way]])
        return self.shell(TABLE + WAYS[way] + script)

    def is_the_same(self, way):
        done = self.script(way, """
            tac -s '' $WORK/image | head -c 8M >/tmp/given
            cp $WORK/image /tmp/near.image
            cp $WORK/image /tmp/far.image
            table /tmp/near -d emu:/tmp/near.image
            plug emu:/tmp/far.image
            table /tmp/far $way
            unplug
            diff -r /tmp/near /tmp/far
            cmp /tmp/near.image /tmp/far.image
            cd /tmp/far
            grep . *.status
            ! cmp -s /tmp/far.image $WORK/image""")
        wanted = [f"{name}.status:{status}" for name, (status, *_) in COMMANDS.items()]
        self.assertEqual(sorted(done.text.split()), sorted(wanted))

    def is_refused_while_mounted(self, way, words):
        self.need("mkfs.ext4")
        done = self.script(way, """
            inquiry() { sgraw "$@" --cdb '12 00 00 00 24 00' --din 36; }
            truncate -s 8M /tmp/image
            mkfs.ext4 -q /tmp/image
            plug emu:/tmp/image
            use
            disk
            mkdir '/tmp/a b'
            mount $disk '/tmp/a b'
            expect 3 inquiry $way
            # The twin's image is its own.
            expect 3 inquiry -d emu:/tmp/image
            echo 1 >'/tmp/a b/file'
            umount '/tmp/a b'
            leave
            # Whoever unmounts has it back.
            inquiry $way >$WORK/inquiry
            unplug""")
        for text in (*words, "cannot open image '/tmp/image': it is in use by another process"):
            self.assertIn(text, done.complaint)
        self.assertIn(b"USBTWIN", self.read(os.path.join(self.work, "inquiry")))

    def test_all_is_the_same_over_usbip(self):
        self.is_the_same("usbip")

    def test_all_is_the_same_over_usbip_on_a_unix_socket(self):
        self.is_the_same("usbip_on_a_unix_socket")

    def test_all_is_the_same_over_vhci(self):
        self.is_the_same("vhci")

    def test_all_is_the_same_over_the_stock_tool(self):
        self.is_the_same("the_stock_tool")

    def test_all_is_the_same_over_a_gadget(self):
        self.is_the_same("a_gadget")

    def test_all_is_the_same_over_a_gadget_behind_usbip_host(self):
        self.is_the_same("a_gadget_behind_usbip_host")

    def test_a_mounted_disk_is_refused_over_usbip(self):
        self.is_refused_while_mounted("usbip", IMPORTED)

    def test_a_mounted_disk_is_refused_over_usbip_on_a_unix_socket(self):
        self.is_refused_while_mounted("usbip_on_a_unix_socket", IMPORTED)

    def test_a_mounted_disk_is_refused_over_vhci(self):
        self.is_refused_while_mounted("vhci", NAMED)

    def test_a_mounted_disk_is_refused_over_the_stock_tool(self):
        self.is_refused_while_mounted("the_stock_tool", NAMED)

    def test_a_mounted_disk_is_refused_over_a_gadget(self):
        self.is_refused_while_mounted("a_gadget", NAMED)

    def test_a_mounted_disk_is_refused_over_a_gadget_behind_usbip_host(self):
        self.is_refused_while_mounted("a_gadget_behind_usbip_host", IMPORTED)


if __name__ == "__main__":
    guest.main()
