"""Real devices through libusb: gadgets of the guest's kernel, driven by our programs there."""
import json
import os
import random
import re

import guest
import shell

LENGTH = 8 << 20  # bytes of the disk
IDS = "1d6b:0104"

FUNCTIONS = shell.GADGET + """
driver() { basename "$(readlink /sys/bus/usb/devices/1-1/1-1:1.0/driver)"; }
# The disk's name, which may be another one each time a driver takes it.
block() { ls /sys/bus/usb/devices/1-1/1-1:1.0/host*/target*/*/block 2>/dev/null || echo none; }
disk() {
  cp $WORK/image /tmp/image
  gadget disk mass_storage.0 dummy_udc.0 /tmp/image
  until_is 'test -b /dev/sda'
}
"""

INQUIRY = ["--cdb", "12 00 00 00 24 00", "--din", "36"]


# The kernel's own SCSI target as a gadget, at SuperSpeed: UAS with streams on three pipes.
SUPER_SPEED = ["--kernel-command-line", "dummy_hcd.is_super_speed=1"]
TARGET = shell.TARGET + f"""
cp $WORK/image /tmp/image
target dummy_udc.0 /tmp/image {LENGTH}
until_is 'test -e /sys/bus/usb/devices/2-1/2-1:1.0/driver'
"""

def command(*words):
    return " ".join(f"'{word}'" for word in words)


class Libusb(guest.Case):
    def setUp(self):
        super().setUp()
        self.image = random.Random(1).randbytes(LENGTH)
        with open(os.path.join(self.work, "image"), "wb") as file:
            file.write(self.image)
        self.sgraw = os.environ["USB_SGRAW"]
        self.usbtwin = os.environ["USBTWIN"]

    def taken(self, name):
        return self.read(os.path.join(self.work, name))

    def run_disk(self, script, **more):
        """With the disk plugged in. It is unplugged in the end, which the guest's end waits for."""
        return self.shell(FUNCTIONS + "disk\n" + script + "\nunplug disk\n", **more)

    def test_a_kernel_driver_is_named_and_not_detached_unasked(self):
        for options in ((), ("--no-detach",)):
            done = self.run_disk(f"""
                expect 3 {command(self.sgraw, "-d", IDS, *options, *INQUIRY)}
                driver""")
            self.assertIn("Interface 0 belongs to the kernel's driver usb-storage.",
                          done.complaint)
            self.assertEqual(done.text, "usb-storage\n")

    def test_a_disk_is_driven_and_given_back(self):
        sgraw = command(self.sgraw, "--audit", "--detach-kernel")
        done = self.run_disk(f"""
            {sgraw} -d {IDS} {command(*INQUIRY)} -o $WORK/inquiry
            driver
            {sgraw} -d 1:2 --cdb '28 00 00 00 00 10 00 01 00 00' --din 131072 \\
              -o $WORK/read
            head -c 65536 $WORK/image | tac -s '' >/tmp/turned
            {sgraw} -d /dev/bus/usb/001/002 --cdb '2a 00 00 00 00 20 00 00 80 00' \\
              --dout /tmp/turned
            {sgraw} -d {IDS} --cdb '28 00 00 00 00 20 00 00 80 00' --din 65536 \\
              -o $WORK/again
            cmp /tmp/turned $WORK/again
            until_is 'test -b "/dev/$(block)"'
            dd if=/dev/$(block) bs=512 skip=32 count=128 iflag=direct 2>/dev/null >/tmp/there
            cmp /tmp/there /tmp/turned
            driver""")
        self.assertIn(b"File-Stor Gadget", self.taken("inquiry"))
        self.assertEqual(self.taken("read"), self.image[16 * 512:][:131072])
        self.assertEqual(done.text, "usb-storage\nusb-storage\n")

    def test_a_real_disk_is_served(self):
        serve = command(self.usbtwin, "serve", IDS, "--detach-kernel", "--audit", "--no-control",
                        "--listen", "unix:/tmp/real")
        far = command(self.sgraw, "-d", "usbip+unix:/tmp/real#1-1")
        done = self.run_disk(f"""
            {serve} 2>/tmp/told &
            server=$!
            until_is 'test -S /tmp/real'
            driver
            for round in 1 2; do
              {far} {command(*INQUIRY)} -o $WORK/inquiry
              {far} --cdb '28 00 00 00 00 10 00 01 00 00' --din 131072 -o $WORK/read
            done
            kill $server
            wait $server
            until_is 'test -b "/dev/$(block)"'
            driver""")
        self.assertIn(b"File-Stor Gadget", self.taken("inquiry"))
        self.assertEqual(self.taken("read"), self.image[16 * 512:][:131072])
        self.assertEqual(done.text.splitlines()[-1], "usb-storage")

    def test_refused_commands_leave_the_device_usable(self):
        sgraw = command(self.sgraw, "--audit", "--detach-kernel", "-d", IDS)
        done = self.run_disk(f"""
            for round in 1 2 3; do
              expect 2 {sgraw} --cdb '28 00 ff 00 00 00 00 00 80 00' --din 65536
              expect 2 {sgraw} --cdb 'ff 00 00 00 00 00'
              {sgraw} --cdb '28 00 00 00 00 00 00 00 01 00' --din 512 >$WORK/$round
            done""")
        self.assertEqual(done.complaint.count("(05/21/00)"), 3, str(done))
        self.assertEqual(done.complaint.count("(05/20/00)"), 3, str(done))
        for name in "123":
            self.assertEqual(self.taken(name), self.image[:512])

    def test_a_disk_that_is_mounted_stays_with_its_users(self):
        self.need("mkfs.ext4")
        done = self.run_disk(f"""
            PATH=$PATH:/usr/sbin:/sbin
            mkfs.ext4 -q /dev/sda
            mkdir '/tmp/a b'
            mount /dev/sda '/tmp/a b'
            expect 3 {command(self.sgraw, "-d", IDS, "--detach-kernel", *INQUIRY)} >/dev/null
            umount '/tmp/a b'
            {command(self.sgraw, "-d", IDS, "--detach-kernel", *INQUIRY)} >/dev/null""")
        self.assertIn("sda is mounted on /tmp/a b.", done.complaint)
        self.assertIn("unmount it first", done.complaint)

    def test_info_agrees_with_lsusb(self):
        self.need("lsusb")
        done = self.run_disk(f"""
            lsusb -v -d {IDS} 2>/dev/null >$WORK/lsusb
            {command(self.usbtwin, "info", "--json", "--audit", "-d", IDS, "--detach-kernel")}""")
        ours = json.loads(done.text)
        theirs = self.taken("lsusb").decode()

        def number(name, base=0):
            return int(re.search(rf"\b{name} +(\S+)", theirs)[1], base)
        self.assertEqual(int(ours["vendor_id"], 16), number("idVendor"))
        self.assertEqual(int(ours["product_id"], 16), number("idProduct"))
        self.assertEqual(ours["packet_size_max0"], number("bMaxPacketSize0"))
        self.assertEqual(ours["serial"], "serial-disk")
        configuration = ours["configurations"][0]
        self.assertEqual(configuration["value"], number("bConfigurationValue"))
        alternate = configuration["interfaces"][0]["alternates"][0]
        self.assertEqual(alternate["class"], number("bInterfaceClass"))
        self.assertEqual(alternate["protocol"], number("bInterfaceProtocol"))
        self.assertEqual(
            [endpoint["address"] for endpoint in alternate["endpoints"]],
            [int(address, 16) for address in re.findall(r"bEndpointAddress +(\S+)", theirs)])
        self.assertEqual(ours["storage"]["units"][0]["blocks_count"], LENGTH // 512)

    def test_a_disk_is_copied_and_measured(self):
        usbtwin = command(self.usbtwin)
        device = command("-d", "1:2", "--detach-kernel", "--audit")
        done = self.run_disk(f"""
            {usbtwin} disk read {device} --outfile $WORK/copy
            {usbtwin} disk verify {device} --infile $WORK/image
            {usbtwin} bench {device} --seconds 1 --json >$WORK/bench""")
        self.assertEqual(self.taken("copy"), self.image, str(done))
        self.assertIsNone(json.loads(self.taken("bench")).get("error"))

    def test_ids_of_two_devices_are_refused_with_their_list(self):
        done = self.run_disk(f"""
            cp /tmp/image /tmp/second
            gadget second mass_storage.0 dummy_udc.1 /tmp/second
            until_is 'test -b /dev/sdb'
            expect 3 {command(self.sgraw, "-d", IDS, "--detach-kernel", *INQUIRY)}
            {command(self.sgraw, "-d", "2:2", "--detach-kernel", *INQUIRY)} >/dev/null
            unplug second""")
        self.assertIn("2 devices have the ids 1d6b:0104", done.complaint)
        self.assertIn("1:2  1d6b:0104  at port 1-1", done.complaint)
        self.assertIn("2:2  1d6b:0104  at port 2-1", done.complaint)

    def test_a_node_that_may_not_be_opened_is_named_with_a_rule(self):
        self.need("setpriv")
        done = self.run_disk(f"""
            chmod 755 /dev/bus /dev/bus/usb /dev/bus/usb/001
            expect 3 setpriv --reuid=65534 {command(self.sgraw, "-d", IDS, *INQUIRY)}""")
        self.assertIn("/dev/bus/usb/001/002", done.complaint)
        self.assertIn('ATTR{idVendor}=="1d6b", ATTR{idProduct}=="0104"', done.complaint)

    def test_unplugging_in_mid_transfer_ends_in_an_error(self):
        bench = command(self.usbtwin, "bench", "-d", IDS, "--detach-kernel", "--audit",
                        "--seconds", "100")
        done = self.shell(FUNCTIONS + f"""
            disk
            (expect 3 {bench}) &
            until_is 'test "$(driver 2>/dev/null)" = usbfs'
            sleep 0.5
            unplug disk
            wait $!""")
        self.assertIn("disconnected", done.complaint)

    def test_the_link_keeps_its_contract(self):
        done = self.shell(FUNCTIONS + f"""
            gadget loop Loopback.0 dummy_udc.0
            until_is 'test -c /dev/bus/usb/001/002'
            until_is 'test -d /sys/bus/usb/devices/1-1/1-1:1.0'
            export PORT=1-1 UDC_FILE=/sys/kernel/config/usb_gadget/loop/UDC
            {command(os.environ["LIBUSB_LINK_TEST"], "--run_test=libusb_link")}""")
        self.assertIn("No errors detected", done.text + done.complaint)

    def test_streams_carry_transfers(self):
        done = self.shell(TARGET + f"""
            export PORT=2-1
            {command(os.environ["LIBUSB_LINK_TEST"], "--run_test=libusb_streams")}""",
            options=SUPER_SPEED)
        self.assertIn("No errors detected", done.text + done.complaint)

    # The target's Bulk-Only half answers nonsense, so nothing falls back.
    def test_uas_with_streams(self):
        usbtwin, device = command(self.usbtwin), f"-d {IDS} --detach-kernel"
        self.shell(TARGET + f"""
            {usbtwin} info {device} --json >$WORK/info
            {usbtwin} disk read {device} --outfile $WORK/copy
            cmp $WORK/copy $WORK/image
            tac -s '' $WORK/image | head -c 1048576 >/tmp/turned
            {usbtwin} disk write {device} --infile /tmp/turned
            {usbtwin} disk verify {device} --infile /tmp/turned
            sync
            cmp -n 1048576 /tmp/turned /tmp/image""", options=SUPER_SPEED)
        storage = json.loads(self.read(os.path.join(self.work, "info")))["storage"]
        self.assertEqual(storage["transport"], "uasp")
        self.assertEqual(storage["units"][0]["blocks_count"], LENGTH // 512)


if __name__ == "__main__":
    guest.main()
