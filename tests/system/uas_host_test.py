"""Our UAS host at high speed, where there are no streams, on the kernel's own SCSI target: through
libusb, and as USB/IP client of usbip-vudc."""
import json
import os
import random

import guest
import shell

LENGTH = 8 << 20  # bytes of the disk

# Each way plugs the target in, as $far.
WAYS = {
    "dummy_hcd": """
target dummy_udc.0 /tmp/image LENGTH
until_is 'test -e /sys/bus/usb/devices/1-1/1-1:1.0/driver'
far='1d6b:0104 --detach-kernel'
""",
    "vudc": """
target usbip-vudc.0 /tmp/image LENGTH
usbipd --device >/tmp/usbipd 2>&1 &
until_is 'grep -q "listening on" /tmp/usbipd'
far=usbip://127.0.0.1/usbip-vudc.0
""",
}
# One end of USB/IP in the kernel is the other's device.
WAYS["vhci"] = WAYS["vudc"] + """
usbip attach -r 127.0.0.1 -b usbip-vudc.0
until_is 'test -e /sys/bus/usb/devices/3-1/3-1:1.0/driver'
far='1d6b:0104 --detach-kernel'
"""


class UasHost(guest.Case):
    def drives_it(self, way):
        self.need("usbip", "usbipd")
        with open(os.path.join(self.work, "image"), "wb") as file:
            file.write(random.Random(1).randbytes(LENGTH))
        self.shell(shell.TARGET + "cp $WORK/image /tmp/image\n"
                   + WAYS[way].replace("LENGTH", str(LENGTH)) + """
            "$USBTWIN" info -d $far --json >$WORK/info
            "$USBTWIN" disk read -d $far --audit --outfile /tmp/copy
            cmp /tmp/copy $WORK/image
            tac -s '' $WORK/image | head -c 1M >/tmp/turned
            "$USBTWIN" disk write -d $far --audit --infile /tmp/turned
            "$USBTWIN" disk verify -d $far --audit --infile /tmp/turned
            sync
            cmp -n 1M /tmp/turned /tmp/image
            # It is as usable after what it refuses.
            expect 2 "$USB_SGRAW" -d $far --cdb '28 00 ff 00 00 00 00 00 80 00' --din 65536
            expect 2 "$USB_SGRAW" -d $far --cdb 'ff 00 00 00 00 00'
            "$USBTWIN" disk verify -d $far --infile /tmp/turned""")
        with open(os.path.join(self.work, "info"), encoding="utf-8") as file:
            told = json.load(file)
        self.assertEqual(told["speed"], "high")
        self.assertEqual(told["storage"]["transport"], "uasp")
        self.assertEqual(told["storage"]["units"][0]["blocks_count"], LENGTH // 512)

    def test_dummy_hcd_through_libusb(self):
        self.drives_it("dummy_hcd")

    def test_vudc_as_usbip_client(self):
        self.drives_it("vudc")

    def test_vudc_on_vhci_through_libusb(self):
        self.drives_it("vhci")


if __name__ == "__main__":
    guest.main()
