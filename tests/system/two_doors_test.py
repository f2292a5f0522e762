"""The profile vendor-scsi on a kernel: its disk is mounted by way of interface 0, and our programs
reach the same disk by way of interface 1, through libusb and without detaching anything."""
import os
import re

import guest
import shell

PROFILE = os.path.join(guest.ROOT, "fixtures", "profiles", "vendor-scsi.toml")

# A file system is on the disk, and in use. $at is where the device is.
MOUNTED = shell.ATTACH + f"""
plug_vhci() {{
  attach emu:{PROFILE} --audit
  at=$device
}}
plug_gadget() {{
  "$USBTWIN" gadget emu:{PROFILE} --udc dummy_udc.0 >/tmp/told 2>/tmp/said &
  pid=$!
  until_is 'test -d /sys/bus/usb/devices/1-1:1.1'
  at=1-1
}}
plug() {{
  plug_$1
  disk $at
  mkfs.ext4 -q $disk
  mkdir '/tmp/a b'
  mount $disk '/tmp/a b'
}}
unplug() {{  # checked, and in good order
  umount '/tmp/a b'
  fsck.ext4 -fn $disk >/dev/null
  kill -TERM $pid
  wait $pid
}}
driver() {{ basename "$(readlink /sys/bus/usb/devices/$at:1.$1/driver)"; }}
still_there() {{
  test "$(driver 0)" = usb-storage
  test ! -e /sys/bus/usb/devices/$at:1.1/driver
  grep -q "^$disk /tmp/a.040b ext4 rw" /proc/mounts
}}
sgraw() {{ "$USB_SGRAW" -d 1209:0002 --audit "$@"; }}
"""


class TwoDoors(guest.Case):
    def plugged(self, way, script):
        self.need("mkfs.ext4", "fsck.ext4")
        done = self.shell(MOUNTED + f"plug {way}\n" + script + "\nunplug\n")
        self.assertEqual([line for line in self.messages() if re.search(r"reset \w+-speed", line)],
                         [])
        return done

    def other_door_reads(self, way):
        """Beside a mounted disk that is being written, again and again, and what was written."""
        done = self.plugged(way, """
            still_there
            head -c 1M /dev/urandom >'/tmp/a b/given'
            sync
            cp '/tmp/a b/given' /tmp/given
            (while test ! -e /tmp/stop; do
              dd if=/dev/urandom of='/tmp/a b/busy' bs=64k count=16 conv=fsync status=none
            done) &
            writer=$!
            # The magic number of ext4's superblock, with and without saying which door.
            for round in 1 2 3 4 5; do
              sgraw --ifnum 1 --cdb '28 00 00000002 00 0001 00' --din 512 -q |
                od -An -tx1 -j56 -N2
              sgraw --cdb '28 00 00000002 00 0001 00' --din 512 -q | od -An -tx1 -j56 -N2
            done
            "$USBTWIN" info -d 1209:0002 --audit
            "$USBTWIN" disk read -d 1209:0002 --audit --ifnum 1 -q --outfile /tmp/copy
            : >/tmp/stop
            wait $writer
            still_there
            # What the kernel wrote is what the other door showed, wherever it lies.
            python3 -c '
def blocks(name):
    data = open(name, "rb").read()
    return {data[at:at + 1024] for at in range(0, len(data), 1024)}
assert blocks("/tmp/given") <= blocks("/tmp/copy")'
            cmp /tmp/given '/tmp/a b/given'""")
        self.assertEqual(done.text.count(" 53 ef\n"), 10, str(done))
        self.assertIn("storage: bot on interface 1\n", done.text)

    def first_door_is_refused(self, way):
        done = self.plugged(way, """
            inquiry() { expect $1 sgraw --ifnum 0 ${2:-} --cdb '12 00 00 00 24 00' --din 36; }
            inquiry 3
            still_there
            inquiry 3 --no-detach
            still_there
            inquiry 3 --detach-kernel >/dev/null
            still_there
            umount '/tmp/a b'
            inquiry 0 --detach-kernel >/tmp/inquiry
            test "$(driver 0)" = usb-storage
            until_is 'ls /sys/bus/usb/devices/$at:1.0/host*/target*/*/block'
            disk $at
            mount $disk '/tmp/a b'""")
        for words in ("Interface 0 belongs to the kernel's driver usb-storage.\n",
                      "sda is mounted on /tmp/a b.\n", "unmount it first.\n"):
            self.assertEqual(done.complaint.count(words), 3, done.complaint)

    def test_a_mounted_disk_is_read_by_the_other_door(self):
        self.other_door_reads("vhci")

    def test_a_mounted_disk_is_read_by_the_other_door_of_a_gadget(self):
        self.other_door_reads("gadget")

    def test_the_first_door_is_refused(self):
        self.first_door_is_refused("vhci")

    def test_the_first_door_of_a_gadget_is_refused(self):
        self.first_door_is_refused("gadget")


if __name__ == "__main__":
    guest.main()
