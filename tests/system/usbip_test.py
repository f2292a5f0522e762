"""usbtwin serve as the stock tool sees it: usbip list, attach, port and detach over loopback."""
import os
import re

import guest
import shell

TWO_DOORS = os.path.join(guest.ROOT, "fixtures", "profiles", "vendor-scsi.toml")

# Writes to a file, one piece after the other, until that fails; says how.
WRITE = """
import errno, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(file, bytes(65536))
        os.fsync(file)
except OSError as error:
    print(errno.errorcode[error.errno])
"""


class UsbIp(guest.Case):
    def setUp(self):
        super().setUp()
        self.need("usbip")

    def served(self, script, good=True, **more):
        """A script. Where it is a good run the kernel has nothing to complain about, but that a
        disk is gone before it could be flushed: the stock tool pulls the plug."""
        done = self.shell(shell.SERVE + script, **more)
        if good:
            wrong = [line for line in self.complaints() if not re.search(
                r"vhci_hcd: connection closed|Synchronize Cache\(10\) failed", line)]
            self.assertEqual(wrong, [], "\n".join(self.messages()))
        return done

    def test_what_is_served_is_listed(self):
        done = self.served(f"""
            serve 'emu:?size=8M' emu:{TWO_DOORS}
            usbip list -r 127.0.0.1 >$WORK/list 2>&1
            stop_server
            expect 1 usbip list -r 127.0.0.1""")
        text = self.read(os.path.join(self.work, "list")).decode()
        devices = re.findall(r"^ +(\d-\d): .*\((....:....)\)\n((?: +:.*\n)*)", text, re.MULTILINE)
        self.assertEqual([(name, ids) for name, ids, _ in devices],
                         [("1-1", "1209:0001"), ("1-2", "1209:0002")], text)
        classes = [re.findall(r"(\d) - .*\((../../..)\)", rest) for _, _, rest in devices]
        self.assertEqual(classes, [[("0", "08/06/50")], [("0", "08/06/50"), ("1", "ff/06/50")]])
        self.assertIn(": /sys/devices/platform/usbtwin/usb1/1-1\n", text)
        self.assertIn("could not connect to 127.0.0.1:3240", done.complaint)

    def round_trip(self, kind, mkfs, fsck, speed="high", port=0):
        """A file system made, filled, read and checked in the guest."""
        self.need(mkfs.split()[0], fsck.split()[0])
        tree = self.tree()
        self.image(kind, 64 << 20)
        done = self.served(f"""
            serve "emu:$WORK/{kind}?speed={speed}"
            stock_attach 1-1 {port}
            usbip port
            readlink /sys/bus/usb/devices/$device:1.0/driver
            disk
            {mkfs} $disk >/dev/null
            mkdir /tmp/mounted
            mount $disk /tmp/mounted
            cp -r {tree} /tmp/mounted
            sync
            echo 3 >/proc/sys/vm/drop_caches
            diff -r {tree} /tmp/mounted/tree
            umount /tmp/mounted
            {fsck} $disk >/dev/null
            usbip detach -p $port 2>&1
            until_is 'is_free $port && test ! -e $disk'
            usbip port
            stop_server
            cat /tmp/server""")
        for words in (f"Port {port:02}: <Port in Use> at ", "(1209:0001)",
                      "-> usbip://127.0.0.1:3240/1-1", "/usb-storage\n",
                      f"Port {port} is now detached!"):
            self.assertIn(words, done.text)
        self.assertEqual(done.text.count("<Port in Use>"), 1, done.text)
        self.assertRegex(done.text, r": imported 1-1\n.*: gave 1-1 back: the peer closed the conn")
        return tree

    def test_ext4_is_in_the_image(self):
        self.need("debugfs")
        tree = self.round_trip("ext4", "mkfs.ext4 -q", "fsck.ext4 -fn")
        image = os.path.join(self.work, "ext4")
        self.assertEqual(self.host("debugfs", "-R", 'cat "tree/folder 1/file4"', image),
                         self.read(os.path.join(tree, "folder 1", "file4")))
        self.host("fsck.ext4", "-fn", image)

    def test_vfat_is_in_the_image(self):
        self.need("mcopy")
        tree = self.round_trip("vfat", "mkfs.vfat", "fsck.vfat -n")
        image = os.path.join(self.work, "vfat")
        self.assertEqual(self.host("mcopy", "-i", image, "::tree/folder 1/file4", "-"),
                         self.read(os.path.join(tree, "folder 1", "file4")))
        self.host("fsck.vfat", "-n", image)

    def test_a_super_speed_device_gets_such_a_port(self):
        self.round_trip("ext4", "mkfs.ext4 -q", "fsck.ext4 -fn", speed="super", port=8)

    def test_a_server_killed_in_mid_write_is_an_error_and_no_hang(self):
        self.need("mkfs.ext4")
        done = self.served(f"""
            serve 'emu:?size=64M' 'emu:?size=64M'
            stock_attach 1-1 0
            disk
            mkfs.ext4 -q $disk
            mkdir /tmp/mounted
            mount $disk /tmp/mounted
            stock_attach 1-2 1
            disk
            for file in /tmp/mounted/file $disk; do
              python3 -c '{WRITE}' $file >/tmp/end.${{file##*/}} &
              writers="${{writers:-}} $!"
            done
            until_is 'test $(stat -c %s /tmp/mounted/file 2>/dev/null || echo 0) -gt 1000000'
            kill -KILL $server
            for writer in $writers; do wait $writer; done
            umount /tmp/mounted
            cat /tmp/end.file /tmp/end.${{disk##*/}}
            until_is 'is_free 0 && is_free 1 && test ! -e $disk'
            # The next server and the next device find everything in order.
            serve 'emu:?size=8M'
            stock_attach 1-1 0
            disk
            usbip detach -p 0
            until_is 'is_free 0'
            stop_server""", good=False)
        # Linux says ENODEV where it noticed that the disk is gone before the write did.
        self.assertRegex(done.text, r"^((EIO|ENODEV)\n){2}$", str(done))

    def test_a_server_that_stops_takes_its_devices_along(self):
        self.served("""
            serve 'emu:?size=64M'
            stock_attach 1-1 0
            disk
            keep_writing &
            writer=$!
            sleep 0.1
            stop_server
            wait $writer
            refused || { cat /tmp/dd; false; }
            until_is 'is_free 0'""", good=False)

    def test_a_device_has_one_importer(self):
        done = self.served("""
            serve 'emu:?size=8M'
            stock_attach 1-1 0
            disk
            expect 1 usbip attach -r 127.0.0.1 -b 1-1 2>&1
            expect 1 usbip attach -r 127.0.0.1 -b 1-2 2>&1
            dd if=$disk of=/dev/null bs=64k count=16 iflag=direct status=none
            usbip detach -p 0
            until_is 'is_free 0'
            # Given back, it can be had again.
            stock_attach 1-1 0
            disk
            usbip detach -p 0
            until_is 'is_free 0'
            stop_server""")
        self.assertIn("Attach Request for 1-1 failed - Device busy (exported)", done.text)
        self.assertIn("Attach Request for 1-2 failed - ", done.text)

    def test_what_is_read_only_stays_so(self):
        """A server that exports without the right to write, and a kernel that mounts anyway."""
        self.need("mkfs.ext4")
        image = self.image("image", 8 << 20)
        self.host("mkfs.ext4", "-q", image)
        before = self.read(image)
        self.served("""
            serve emu:$WORK/image --read-only
            stock_attach 1-1 0
            disk
            test "$(cat /sys/block/${disk##*/}/ro)" = 1
            mkdir /tmp/mounted
            mount -o ro,noload $disk /tmp/mounted
            test -d /tmp/mounted/lost+found
            umount /tmp/mounted
            expect 1 dd if=/dev/zero of=$disk bs=4k count=1 oflag=direct status=none
            usbip detach -p 0
            until_is 'is_free 0'
            stop_server""", good=False)
        self.assertEqual(self.read(image), before)


if __name__ == "__main__":
    guest.main()
