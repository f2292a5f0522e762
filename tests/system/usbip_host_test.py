"""Our host stack as USB/IP client of Linux: its own f_mass_storage on dummy_hcd, exported by
usbip-host, and on usbip-vudc, the kernel's device controller that is one end of USB/IP itself. The
stock usbipd serves both."""
import json
import os
import random
import re

import guest
import shell

LENGTH = 8 << 20  # bytes of the disk
BLOCKS = LENGTH // 512

# `export` has the disk exported as $far and plugged in; its bytes are those of /tmp/image. What
# usbipd says is in /tmp/usbipd.
WAYS = {
    "dummy": """
bus_id=1-1
export_disk() {
  gadget disk mass_storage.0 dummy_udc.0 /tmp/image
  until_is 'test -b /dev/sda'
  usbip bind -b $bus_id 2>/dev/null
  usbipd >/tmp/usbipd 2>&1 &
}
""",
    "vudc": """
bus_id=usbip-vudc.0
export_disk() {
  gadget disk mass_storage.0 usbip-vudc.0 /tmp/image
  usbipd --device >/tmp/usbipd 2>&1 &
}
"""}
COMMON = shell.GADGET + """
export_() {
  cp $WORK/image /tmp/image
  export_disk
  usbipd=$!
  until_is 'grep -q "listening on" /tmp/usbipd'
  far=usbip://127.0.0.1/$bus_id
}
# Nobody waits for a device that hangs.
end() {
  if test -n "$(cat /sys/kernel/config/usb_gadget/disk/UDC)"; then unplug disk; fi
  kill $usbipd
  wait $usbipd
}
sgraw() { "$USB_SGRAW" -d $far --audit "$@"; }
"""


def read10(lba, count):
    return f"'28 00 {lba:08x} 00 {count:04x} 00'"


def write10(lba, count):
    return f"'2a 00 {lba:08x} 00 {count:04x} 00'"


class UsbIpHost(guest.Case):
    def setUp(self):
        super().setUp()
        self.need("usbip", "usbipd")
        self.bytes = random.Random(1).randbytes(LENGTH)
        with open(os.path.join(self.work, "image"), "wb") as file:
            file.write(self.bytes)

    def exported(self, way, script, **more):
        """A script with the disk exported; the kernel must be well afterwards."""
        done = self.shell(COMMON + WAYS[way] + "export_\n" + script + "\nend\n", **more)
        wrong = [line for line in self.messages() if re.search("WARNING|BUG:|Oops|hung", line)]
        self.assertEqual(wrong, [])
        return done

    def taken(self, name):
        return self.read(os.path.join(self.work, name))

    def is_listed_and_described(self, way, bus_id):
        done = self.exported(way, """
            "$USBTWIN" list --remote 127.0.0.1
            "$USBTWIN" list --remote 127.0.0.1 --json >$WORK/list
            usbip list -r 127.0.0.1 >$WORK/stock 2>&1
            "$USBTWIN" info --audit -d $far --json >$WORK/info
            "$USBTWIN" info --audit -d $far >$WORK/text""")
        self.assertRegex(done.text, rf"^{bus_id} +1d6b:0104 high ")
        listed, = json.loads(self.taken("list"))["devices"]
        self.assertEqual((listed["bus_id"], listed["vendor_id"], listed["product_id"],
                          listed["speed"]), (bus_id, "1d6b", "0104", "high"))
        self.assertRegex(self.taken("stock").decode(), rf"{bus_id}: .*\(1d6b:0104\)")
        info = json.loads(self.taken("info"))
        self.assertEqual(info["serial"], "serial-disk")
        # Its other strings are there, and empty.
        self.assertIn(f"{bus_id} 1d6b:0104 - -, serial serial-disk\n", self.taken("text").decode())
        alternate = info["configurations"][0]["interfaces"][0]["alternates"][0]
        self.assertEqual((alternate["class"], alternate["subclass"], alternate["protocol"]),
                         (8, 6, 0x50))
        unit, = info["storage"]["units"]
        self.assertEqual((unit["vendor"], unit["product"], unit["blocks_count"]),
                         ("Linux", "File-Stor Gadget", BLOCKS))

    def reads_and_writes(self, way):
        given = random.Random(2).randbytes(65536)
        with open(os.path.join(self.work, "given"), "wb") as file:
            file.write(given)
        self.exported(way, f"""
            sgraw --cdb '12 00 00 00 24 00' --din 36 -o $WORK/inquiry
            sgraw --cdb {read10(16, 256)} --din 131072 -o $WORK/read
            sgraw --cdb {write10(4096, 128)} --dout $WORK/given
            sgraw --cdb {read10(4096, 128)} --din 65536 -o $WORK/back
            "$USBTWIN" disk write -d $far --audit --lba 64 --infile $WORK/given
            "$USBTWIN" disk read -d $far --audit --outfile $WORK/copy
            cp /tmp/image $WORK/after""")
        self.assertIn(b"Linux   File-Stor Gadget", self.taken("inquiry"))
        self.assertEqual(self.taken("read"), self.bytes[16 * 512:][:131072])
        self.assertEqual(self.taken("back"), given)
        written = bytearray(self.bytes)
        for lba in (64, 4096):
            written[lba * 512:lba * 512 + len(given)] = given
        self.assertEqual(self.taken("copy"), bytes(written))
        self.assertEqual(self.taken("after"), bytes(written))

    def recovers(self, way, stall):
        """From refusals while data are due, which the function ends by a halt of Bulk-In or by too
        little data: a halt is cleared, and the status is read a second time."""
        done = self.exported(way, f"""
            for round in 1 2; do
              expect 2 sgraw -v --cdb {read10(BLOCKS, 128)} --din 65536
              expect 2 sgraw -v --cdb {write10(BLOCKS, 128)} --dout /tmp/image --send 65536
              expect 2 sgraw -v --cdb 'ff 00 00 00 00 00'
              expect 2 sgraw -v --cdb 'ff 00 00 00 00 00' --din 512
              sgraw -v --cdb '12 00 00 00 24 00' --din 512 >$WORK/inquiry
              sgraw --cdb {read10(1, 1)} --din 512 >$WORK/read
            done""", env=dict(os.environ, STALL=str(stall)))
        self.assertEqual(len(self.taken("inquiry")), 36)
        self.assertEqual(self.taken("read"), self.bytes[512:1024])
        said = done.complaint
        self.assertEqual((said.count("(05/21/00)"), said.count("(05/20/00)")), (4, 4), said)
        lines = re.findall(r"^(\d+) bytes on the wire, residue (\d+), (\d) recover", said,
                           re.MULTILINE)
        one_round = [("0", "65536", str(stall)), ("65536", "65536", "0"), ("0", "0", "0"),
                     ("0", "512", str(stall)), ("36", "476", str(stall))]
        self.assertEqual(lines, one_round * 2, said)
        self.assertIn("Received 36 of 512 bytes of data", said)

    def goes_on_after_a_killed_client(self, way, tries):
        self.exported(way, f"""
            for round in 1 2 3; do
              "$USBTWIN" bench -d $far --seconds 100 >/tmp/bench 2>&1 &
              bench=$!
              sleep 0.5
              kill -KILL $bench
              expect 137 wait $bench
              for try in {tries}; do
                sgraw --cdb {read10(1, 1)} --din 512 >$WORK/read && break || test $? = 3
              done
              test -s $WORK/read
            done""")
        self.assertEqual(self.taken("read"), self.bytes[512:1024])

    def ends_when_it_is_unplugged(self, way):
        done = self.exported(way, f"""
            "$USBTWIN" bench -d $far --seconds 100 &
            bench=$!
            sleep 0.5
            unplug disk
            expect 3 wait $bench
            expect 3 sgraw --cdb {read10(1, 1)} --din 512""")
        self.assertRegex(done.complaint, "usbtwin bench: READ.*disconnected")
        self.assertRegex(done.complaint, "usb_sgraw: cannot open usbip://127.0.0.1/")

    def test_dummy_hcd_is_listed_and_described(self):
        self.is_listed_and_described("dummy", "1-1")

    def test_vudc_is_listed_and_described(self):
        self.is_listed_and_described("vudc", "usbip-vudc.0")

    def test_dummy_hcd_reads_and_writes(self):
        self.reads_and_writes("dummy")

    def test_vudc_reads_and_writes(self):
        self.reads_and_writes("vudc")

    def test_dummy_hcd_stalls_are_recovered(self):
        self.recovers("dummy", 1)

    def test_dummy_hcd_short_data_are_recovered(self):
        self.recovers("dummy", 0)

    def test_vudc_stalls_are_recovered(self):
        self.recovers("vudc", 1)

    def test_vudc_short_data_are_recovered(self):
        self.recovers("vudc", 0)

    def test_dummy_hcd_goes_on_after_a_killed_client(self):
        self.goes_on_after_a_killed_client("dummy", "1")

    def test_vudc_goes_on_after_a_killed_client(self):
        # This kernel sends the next client what was still to be sent to the last one. That is an
        # error at once, wherever it meets it.
        self.goes_on_after_a_killed_client("vudc", "1 2 3")

    def test_dummy_hcd_ends_when_it_is_unplugged(self):
        self.ends_when_it_is_unplugged("dummy")

    def test_vudc_ends_when_it_is_unplugged(self):
        self.ends_when_it_is_unplugged("vudc")


if __name__ == "__main__":
    guest.main()
