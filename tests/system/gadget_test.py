"""Twins as real devices: usbtwin gadget on dummy_hcd, the kernel's own drivers as their host."""
import json
import os

import guest

USBTWIN = os.environ.get("USBTWIN", "usbtwin")
HERE = os.path.dirname(os.path.realpath(__file__))
TWO_DOORS = os.path.join(guest.ROOT, "fixtures", "profiles", "vendor-scsi.toml")

# What the scripts share. A device is there when the kernel has made a disk of it, and gone when
# that is no more; a kernel is healthy when nothing in it hangs or complains.
COMMON = """
PATH=$PATH:/usr/sbin:/sbin
start() {
  "$USBTWIN" gadget "$@" --udc dummy_udc.0 --json >$WORK/ready 2>$WORK/said & twin=$!
}
there() {
  for i in $(seq 300); do
    test -b /dev/sda && return
    kill -0 $twin 2>/dev/null || break
    sleep 0.1
  done
  echo "no disk came"; cat $WORK/said; return 1
}
gone() {
  for i in $(seq 300); do test -e /dev/sda || return 0; sleep 0.1; done
  echo "the disk stays"; return 1
}
stop() {
  kill -TERM $twin; wait $twin; gone
}
dry() { sync; echo 3 >/proc/sys/vm/drop_caches; }
healthy() {
  dmesg | grep -E 'hung task|blocked for more|WARNING|BUG:|Oops|lockup' && return 1
  return 0
}
no_reset() { dmesg | grep 'usb 1-1: reset' && return 1; return 0; }
"""


class Gadget(guest.Case):
    def run_script(self, script, options=(), **more):
        self.need("sg_inq", "sg_raw", "mkfs.ext4", "fsck.ext4", "lsusb")
        environment = dict(os.environ, USBTWIN=USBTWIN, LC_ALL="C", PYTHONPATH=HERE,
                           TWO_DOORS=TWO_DOORS, PYTHONDONTWRITEBYTECODE="1", **more)
        return self.shell(COMMON + script + "\nhealthy\n", env=environment, options=options)

    def random_file(self, name, length):
        with open(os.path.join(self.work, name), "wb") as file:
            file.write(os.urandom(length))

    def make_image(self, length=64 << 20):
        with open(os.path.join(self.work, "disk.img"), "wb") as file:
            file.truncate(length)

    def round_trip(self, speed, expected_speed):
        self.make_image(32 << 20)
        self.random_file("given", 3_000_001)
        done = self.run_script(f"""
start "emu:$WORK/disk.img?speed={speed}"; there
sg_inq /dev/sg0
cat /sys/bus/usb/devices/1-1/speed
mkfs.ext4 -q /dev/sda
mkdir /tmp/mounted
mount /dev/sda /tmp/mounted
cp $WORK/given /tmp/mounted/
umount /tmp/mounted
dry
mount -o ro /dev/sda /tmp/mounted
cmp $WORK/given /tmp/mounted/given
umount /tmp/mounted
fsck.ext4 -fn /dev/sda
dry
dd if=/dev/sda of=/tmp/copy bs=1M iflag=direct 2>/dev/null
stop
cmp /tmp/copy $WORK/disk.img
fsck.ext4 -fn $WORK/disk.img
no_reset""")
        self.assertIn("Vendor identification: USBTWIN", done.text)
        self.assertIn(f"\n{expected_speed}\n", done.text)
        ready = json.loads(self.read(os.path.join(self.work, "ready")))
        self.assertEqual((ready["ready"], ready["udc"], ready["speed"], ready["exit_status"]),
                         (True, "dummy_udc.0", speed, 0))

    def test_a_disk_works_at_high_speed(self):
        self.round_trip("high", 480)

    def test_a_disk_works_at_full_speed(self):
        self.round_trip("full", 12)

    def test_what_was_written_is_in_the_image(self):
        self.make_image()
        self.random_file("given", 48 << 20)
        self.run_script("""
start emu:$WORK/disk.img; there
dd if=$WORK/given of=/dev/sda bs=1M seek=8 oflag=direct 2>/dev/null
dry
dd if=/dev/sda bs=1M skip=8 count=48 iflag=direct 2>/dev/null | cmp - $WORK/given
for size in 512 1536 65024 1048064; do
  dd if=$WORK/given of=/dev/sda bs=$size count=3 oflag=direct 2>/dev/null
  dd if=/dev/sda bs=$size count=3 iflag=direct 2>/dev/null | cmp -n $((3 * size)) - $WORK/given
done
stop
dd if=$WORK/disk.img bs=1M skip=8 2>/dev/null | cmp -n $((48 << 20)) - $WORK/given
no_reset""")

    def test_the_kernel_recovers_from_stalls(self):
        """Commands that are refused although the host announced data, in both directions."""
        self.make_image()
        done = self.run_script("""
start emu:$WORK/disk.img; there
refused() { sg_raw "$@" >>/tmp/said 2>&1 && return 1; grep -q 'Illegal Request' /tmp/said; }
for i in 1 2 3; do
  refused -r 4096 /dev/sg0 28 00 7f ff ff ff 00 00 08 00
  head -c 4096 /dev/zero | refused -s 4096 /dev/sg0 2a 00 7f ff ff ff 00 00 08 00
  refused -r 64 /dev/sg0 ff 00 00 00 00 00
  refused -r 512 /dev/sg0 12 01 ee 02 00 00
  refused /dev/sg0 ff 00 00 00 00 00
  sg_raw -r 64 /dev/sg0 12 00 00 00 24 00 >/dev/null 2>&1
  sg_raw -r 512 /dev/sg0 12 00 00 02 00 00 >/dev/null 2>&1
  sg_inq /dev/sg0 | grep -c USBTWIN
done
dd if=/dev/sda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null
stop
# 64 bytes are a whole packet at full speed, and dummy_hcd says that they are sent when they are
# not: the halt that ends them has to wait.
start "emu:$WORK/disk.img?speed=full"; there
for i in 1 2 3; do
  sg_raw -r 255 /dev/sg0 12 01 b0 00 ff 00 2>&1 | grep 'Received 64 bytes'
done
stop
no_reset""")
        self.assertEqual(done.text, "1\n" * 3 + "Received 64 bytes of data:\n" * 3)

    def test_the_other_door_has_no_driver_and_works_beside_it(self):
        done = self.run_script("""
start emu:$TWO_DOORS; there
test "$(cat /sys/bus/usb/devices/1-1/bNumInterfaces)" -eq 2
readlink /sys/bus/usb/devices/1-1:1.0/driver | grep -o 'usb-storage'
test ! -e /sys/bus/usb/devices/1-1:1.1/driver
cat /sys/bus/usb/devices/1-1:1.1/interface
python3 -c '
import usbfs
device = usbfs.open_device("1209:0002")
bot = usbfs.Bot(device, 1, 0x82, 0x02)
assert device.control(0xa1, 0xfe, 0, 1, 1) == bytes([0])
data, status = bot.read(bytes.fromhex("120000002400"), 36)
print(data[8:32].decode(), status)
# The first command of this initiator has something to be told: unit attention.
bot.send_command(bytes(6), 0)
print(bot.status())
data, status = bot.read(bytes.fromhex("030000001200"), 18)
print(data[2] & 15, status)
data, status = bot.read(bytes.fromhex("28000000000000000800"), 4096)
print(len(data), status)
'
dd if=/dev/sda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null
stop
no_reset""")
        self.assertEqual(done.text.splitlines()[:2], ["usb-storage", "SCSI tool"])
        self.assertIn("USBTWIN Two-door disk    (0, 0)", done.text)
        self.assertIn("\n6 (0, 0)\n4096 (0, 0)\n", done.text)

    def test_a_wedge_lasts_until_reset_recovery(self):
        done = self.run_script("""
start emu:$TWO_DOORS; there
python3 -c '
import errno, usbfs
device = usbfs.open_device("1209:0002")
bot = usbfs.Bot(device, 1, 0x82, 0x02)
inquiry = bytes.fromhex("120000002400")
for turn in range(5):
    assert bot.read(inquiry, 36)[1] == (0, 0)
    # A wrapper that is none halts both pipes, and clearing that does not help. BOT 1.0, 6.6.1.
    device.bulk(0x02, b"USBX" + bytes(27))
    for attempt in range(3):
        assert usbfs.errno_of(device.bulk, 0x82, 13) == errno.EPIPE
        assert usbfs.errno_of(device.bulk, 0x02, bytes(31)) == errno.EPIPE
        bot.clear_halts()
    bot.reset()
    # The reset alone lifts nothing.
    assert usbfs.errno_of(device.bulk, 0x82, 13) == errno.EPIPE
    bot.clear_halts()
    assert bot.read(inquiry, 36)[1] == (0, 0)
print("good")
'
dd if=/dev/sda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null
stop
no_reset""")
        self.assertEqual(done.text, "good\n")

    def test_a_command_is_abandoned_by_reset_recovery(self):
        """At every step of a command; what was on its way is not taken for the next answer."""
        done = self.run_script("""
start emu:$TWO_DOORS; there
python3 -c '
import usbfs
device = usbfs.open_device("1209:0002")
bot = usbfs.Bot(device, 1, 0x82, 0x02)
inquiry = bytes.fromhex("120000002400")
read = bytes.fromhex("28000000000000010000")
write = bytes.fromhex("2a000000000000010000")
def nothing(): pass
def some_in(): device.bulk(0x82, 4096)
def all_in(): device.bulk(0x82, 131072)
def some_out(): device.bulk(0x02, bytes(4096))
def all_out(): device.bulk(0x02, bytes(131072))
for block, is_in, steps in ((read, True, (nothing, some_in, all_in)),
                            (write, False, (nothing, some_out, all_out))):
    for step in steps * 3:
        bot.send_command(block, 131072, is_in)
        step()
        bot.reset()
        bot.clear_halts()
        data, status = bot.read(inquiry, 36)
        assert (len(data), status) == (36, (0, 0)), (step, data, status)
bot.send_command(inquiry, 36)
device.reset()
print("good")
'
there
dd if=/dev/sda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null
stop""")
        self.assertEqual(done.text, "good\n")

    def test_port_resets_under_load_lose_nothing(self):
        self.make_image()
        self.random_file("given", 16 << 20)
        self.run_script("""
start emu:$WORK/disk.img; there
dd if=$WORK/given of=/dev/sda bs=256k oflag=direct 2>/tmp/dd & writer=$!
python3 -c '
import time, usbfs
device = usbfs.open_device("1209:0001")
for turn in range(5):
    device.reset()
    time.sleep(0.05)
'
wait $writer
dry
dd if=/dev/sda bs=1M count=16 iflag=direct 2>/dev/null | cmp - $WORK/given
stop
cmp -n $((16 << 20)) $WORK/given $WORK/disk.img""")

    def test_the_configuration_can_be_taken_away_and_given_back(self):
        self.make_image()
        self.run_script("""
start emu:$WORK/disk.img; there
for i in 1 2 3; do
  echo 0 >/sys/bus/usb/devices/1-1/bConfigurationValue; gone
  echo 1 >/sys/bus/usb/devices/1-1/bConfigurationValue; there
  dd if=/dev/sda of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null
done
stop""")

    def test_a_sleeping_port_wakes(self):
        """This kernel has no power management, so the hub is told by hand. USB 2.0, 11.24.2."""
        self.make_image()
        self.run_script("""
start emu:$WORK/disk.img; there
python3 -c '
import os, time, usbfs
hub = usbfs.Device(os.open("/dev/bus/usb/001/001", os.O_RDWR))
def port(): return int.from_bytes(hub.control(0xa3, 0, 0, 1, 4)[:2], "little")
for turn in range(3):
    hub.control(0x23, 3, 2, 1, b"")
    assert port() & 4, "sleeps"
    time.sleep(0.1)
    hub.control(0x23, 1, 2, 1, b"")
    while port() & 4: time.sleep(0.01)
'
dd if=/dev/sda of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null
stop
no_reset""")

    def test_power_fails_and_returns(self):
        """The device is unplugged and plugged in again, and what was flushed is there."""
        with open(os.path.join(self.work, "plan.toml"), "w") as file:
            file.write('[[fault]]\nkind = "store.power-loss"\nblocks = [2048, 2048]\n'
                       'delay_ms = 1000\n')
        self.make_image()
        self.random_file("given", 1 << 20)
        done = self.run_script("""
start emu:$WORK/disk.img --faults $WORK/plan.toml; there
dd if=$WORK/given of=/dev/sda bs=256k oflag=direct conv=fsync 2>/dev/null
dd if=$WORK/given of=/dev/sda bs=4k seek=256 count=1 oflag=direct 2>/dev/null || true
gone; there
dd if=/dev/sda bs=256k count=4 iflag=direct 2>/dev/null | cmp - $WORK/given
stop
cat $WORK/said""")
        self.assertIn("fault store.power-loss: played 1", done.text)

    def test_it_comes_and_goes(self):
        self.make_image()
        self.run_script("""
for i in $(seq 10); do
  start emu:$WORK/disk.img; there
  dd if=/dev/sda of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null
  stop
done""")

    def test_it_may_end_while_it_is_used(self):
        """SIGTERM, SIGKILL and SIGHUP in the middle of reads and writes, and as early as can be."""
        self.make_image()
        self.run_script("""
for signal in TERM KILL HUP; do
  for source in /dev/sda /dev/zero; do
    start emu:$WORK/disk.img; there
    target=/dev/null; test $source = /dev/sda || target=/dev/sda
    dd if=$source of=$target bs=256k count=400 >/dev/null 2>&1 & user=$!
    sleep 0.1
    kill -$signal $twin
    wait $twin && code=0 || code=$?
    test $signal = KILL && test $code -eq 137 || test $code -eq 0
    wait $user || true
    gone
  done
  for delay in 0 0.01 0.05 0.1; do
    start emu:$WORK/disk.img
    sleep $delay
    kill -$signal $twin
    wait $twin || true
  done
done
gone
start emu:$WORK/disk.img; there
dd if=/dev/sda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null
stop""")

    def test_faults_of_units_are_played(self):
        with open(os.path.join(self.work, "plan.toml"), "w") as file:
            file.write('[[fault]]\nkind = "scsi.medium-error"\nblocks = [4096, 4096]\n'
                       'one_in = 1\n[[fault]]\nkind = "scsi.not-ready"\nopcode = 0xff\n')
        with open(os.path.join(self.work, "link.toml"), "w") as file:
            file.write('[[fault]]\nkind = "bot.wrong-tag"\n')
        self.make_image()
        done = self.run_script("""
start emu:$WORK/disk.img --faults $WORK/plan.toml; there
dd if=/dev/sda of=/dev/null bs=4096 skip=511 count=1 iflag=direct 2>/dev/null
dd if=/dev/sda of=/dev/null bs=4096 skip=512 count=1 iflag=direct && exit 1
dd if=/dev/sda of=/dev/null bs=4096 skip=513 count=1 iflag=direct 2>/dev/null
stop
cat $WORK/said
"$USBTWIN" gadget emu:$WORK/disk.img --udc dummy_udc.0 --faults $WORK/link.toml && exit 1
true""")
        self.assertRegex(done.text, "fault scsi.medium-error: played [1-9]")
        self.assertIn("plan.toml:5: this scsi.not-ready never happened", done.text)
        self.assertIn("error reading '/dev/sda': No data available", done.complaint)
        self.assertIn("link.toml:1: bot.wrong-tag is played between", done.complaint)

    def test_what_cannot_be_is_refused(self):
        done = self.run_script("""
try() { code=0; "$@" 2>&1 || code=$?; echo "= $code"; }
try "$USBTWIN" gadget 'emu:?size=1M'
try "$USBTWIN" gadget 'emu:?size=1M' --udc dummy_udc.7
try "$USBTWIN" gadget 'emu:?size=1M' --udc dummy_udc.0 --driver other
try "$USBTWIN" gadget 'emu:?size=1M&speed=super' --udc dummy_udc.0
try "$USBTWIN" gadget 1234:5678 --udc dummy_udc.0
try "$USBTWIN" gadget emu:/no/such.img --udc dummy_udc.0
start 'emu:?size=1M'; there
try "$USBTWIN" gadget 'emu:?size=1M' --udc dummy_udc.0
stop
try setpriv --reuid=65534 "$USBTWIN" gadget 'emu:?size=1M' --udc dummy_udc.0
rm /dev/raw-gadget
try "$USBTWIN" gadget 'emu:?size=1M' --udc dummy_udc.0""")
        answers = [answer.strip() for answer in done.text.split("=")]
        text = done.text
        for words in ("name one with --udc: there are dummy_udc.0, dummy_udc.1, usbip-vudc.0\n= 4",
                      'no USB device controller is called "dummy_udc.7"; there are dummy_udc.0, ',
                      "is called dummy_udc by its driver, and not other (--driver)\n= 3",
                      "a device at super speed cannot be presented: raw-gadget knows full and high",
                      "only emulated devices (emu:disk.img, emu:profile.toml) can be presented",
                      "/no/such.img",
                      "the USB device controller dummy_udc.0 is in use, as \"USB Raw Gadget\": it",
                      "/dev/raw-gadget may be opened by root alone",
                      "/dev/raw-gadget is not there: the kernel's module is not loaded"):
            self.assertIn(words, text)
        self.assertEqual([answer.split()[0] for answer in answers[1:]],
                         ["4", "3", "3", "3", "4", "3", "3", "3", "3"])

    def test_a_controller_that_is_too_slow_is_told(self):
        done = self.run_script("""
"$USBTWIN" gadget 'emu:?size=1M' --udc dummy_udc.0 2>&1 && exit 1
start 'emu:?size=1M&speed=full'; there
cat /sys/bus/usb/devices/1-1/speed
stop""", options=["--kernel-command-line", "dummy_hcd.is_high_speed=0"])
        self.assertIn("dummy_udc.0 knows full-speed at most: give the device that speed", done.text)
        self.assertIn("\n12\n", done.text)

    def test_a_controller_with_too_few_endpoints_is_told(self):
        """Found only when the host configures the device: the program ends and says so."""
        with open(os.path.join(self.work, "many.toml"), "w") as file:
            file.write('speed = "high"\n[[unit]]\nsize = "1M"\n' +
                       '[[function]]\nkind = "bot"\nclass = "vendor"\nunits = [0]\n' * 15)
        done = self.run_script("""
start emu:$WORK/many.toml
wait $twin && code=0 || code=$?
echo $code
cat $WORK/said""")
        self.assertTrue(done.text.startswith("3\n"), str(done))
        self.assertIn("the USB device controller dummy_udc.0 has no endpoint in 9 like", done.text)


if __name__ == "__main__":
    guest.main()
