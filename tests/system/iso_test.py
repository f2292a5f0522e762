"""The isochronous loopback through vhci_hcd: its packets as usbfs gives them to a program."""
import os
import re

import guest
import shell

PROFILE = os.path.join(guest.ROOT, "fixtures", "profiles", "iso-loopback.toml")
ENVIRONMENT = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.realpath(__file__)),
                   PYTHONDONTWRITEBYTECODE="1")

# What the programs share. A host's packet is a header (src/wire/iso_loopback.h) and bytes that
# follow from its number.
HOST = r"""
import errno, struct, sys, time, usbfs
OWN, HOST = b"iscd", b"isch"  # what the device's packets begin with, and a host's
IN, OUT = 0x81, 0x01
device = usbfs.open_device("1209:0006")
device.claim(0)
device.set_interface(0, 1)

def numbered(number, length):
    body = bytes((3 * number + at) & 0xff for at in range(length))
    return (HOST + struct.pack("<II", number, 0))[:length] + body[12:]

def send(*packets):
    urb = usbfs.IsoUrb(OUT, [len(packet) for packet in packets], b"".join(packets))
    urb.submit(device)
    urb.reap(device)
    return urb

def receive(lengths):
    urb = usbfs.IsoUrb(IN, lengths)
    urb.submit(device)
    return urb.reap(device)

def number(packet, length=512):
    "Of a packet of the device's own, all of whose bytes must be right."
    sequence, = struct.unpack_from("<I", packet, 4)
    assert packet.startswith(OWN) and len(packet) == length, packet
    assert packet[12:] == bytes((sequence + at) & 0xff for at in range(12, length)), sequence
    return sequence

NAMES = ("out_packets", "out_lost", "out_late", "out_overflows", "echoes_dropped", "in_echoes",
         "in_made", "in_overflows")
def counters():
    return dict(zip(NAMES, struct.unpack("<8I", device.control(0xc1, 1, 0, 0, 32))))
def only(**wanted):
    found = counters()
    assert {name: count for name, count in found.items() if count} == wanted, found
"""


class Iso(guest.Case):
    def write_program(self, program, speed="high"):
        """It begins with the loopback's setting 1 chosen."""
        with open(PROFILE, encoding="ascii") as file:
            profile = file.read().replace('speed = "high"', f'speed = "{speed}"')
        with open(os.path.join(self.work, "loop.toml"), "w", encoding="ascii") as file:
            file.write(profile)
        with open(os.path.join(self.work, "host.py"), "w", encoding="utf-8") as file:
            file.write(HOST + program)

    def run_host(self, program, speed="high", expected="(?!)"):
        """The kernel must find nothing wrong, but what is expected."""
        self.write_program(program, speed)
        self.shell(shell.ATTACH + """
            attach emu:$WORK/loop.toml --audit
            python3 $WORK/host.py
            good_end""", env=ENVIRONMENT)
        wrong = [line for line in self.complaints() if not re.search(expected, line)]
        self.assertEqual(wrong, [], "\n".join(self.messages()))

    def test_packets_come_whole_and_in_order(self):
        """At each speed; several transfers are queued, and later ones go on where those ended."""
        for speed in ("full", "high", "super"):
            self.run_host("""
sequence = 0
for turn in range(3):
    urbs = [usbfs.IsoUrb(IN, [512] * count) for count in (1, 8, 31, 128, 16)]
    for urb in urbs: urb.submit(device)
    for urb in urbs:
        urb.reap(device)
        assert urb.status == 0 and urb.urb.head.error_count == 0
        assert urb.told() == [(0, 512)] * len(urb.lengths), urb.told()
        for packet in urb.data():
            assert number(packet) == sequence, (number(packet), sequence)
            sequence += 1
    # While nobody asks nothing is lost: there is no bus without a host.
    time.sleep(0.01)
only(in_made=3 * 184)
""", speed)

    def test_what_is_sent_comes_back(self):
        """Packets of all lengths, in order and byte for byte, among the device's own."""
        self.run_host("""
lengths = [512, 1, 11, 12, 13, 0, 511, 300, 0, 64] * 3
sent = [numbered(at, length) for at, length in enumerate(lengths)]
urb = send(*sent)
assert urb.status == 0 and urb.told() == [(0, length) for length in lengths], urb.told()
back, own = [], 0
while len(back) < 24:
    for packet in receive([512] * 16).data():
        if packet.startswith(OWN):
            assert number(packet) == own
            own += 1
        else:
            back.append(packet)
assert back == [packet for packet in sent if packet], back
found = counters()
# What is queued for the next intervals has not been counted yet.
assert (found["out_packets"], found["in_echoes"]) == (30, 24), found
# Packets too short for a header are not counted, but the numbers they would have had are missed.
assert found["out_lost"] == sum(length < 12 for length in lengths), found
assert not found["out_late"] and not found["echoes_dropped"], found
""")

    def test_gaps_and_late_packets_are_counted(self):
        self.run_host("""
device.control(0x41, 2, 0, 0, b"")
for packets in ((0, 1, 2), (5, 6), (4, 7), (107,)):
    urb = send(*(numbered(at, 20) for at in packets))
    assert urb.told() == [(0, 20)] * len(packets)
only(out_packets=8, out_lost=2 + 99, out_late=1)
device.control(0x41, 2, 0, 0, b"")
only()
# More than wait to be sent back.
send(*(numbered(at, 20) for at in range(108, 108 + 80)))
found = counters()
assert found["out_packets"] == 80 and found["echoes_dropped"] >= 16, found
""")

    def test_each_packet_has_its_own_status(self):
        """Room for less than comes is a packet lost; those beside it are whole, and lie in their
        own places although nothing came between them."""
        self.run_host("""
receive([512] * 8)
urb = receive([512, 100, 512, 0, 511, 512])
assert urb.status == 0
assert urb.urb.head.error_count == 3, urb.urb.head.error_count
assert [status for status, _ in urb.told()] == [
    0, errno.EOVERFLOW, 0, errno.EOVERFLOW, errno.EOVERFLOW, 0], urb.told()
whole = [number(packet) for packet, (status, _) in zip(urb.data(), urb.told()) if not status]
assert whole == [8, 10, 13], whole
only(in_made=8 + 3, in_overflows=3)
assert [number(packet) for packet in receive([512] * 4).data()] == [14, 15, 16, 17]
""")

    def test_short_packets_lie_in_their_own_places(self):
        self.run_host("""
sent = [numbered(at, length) for at, length in enumerate((100, 3, 512, 40) * 8)]
send(*sent)
back = []
while len(back) < len(sent):
    urb = receive([512] * 10)
    assert urb.status == 0 and not any(status for status, _ in urb.told())
    back += [packet for packet in urb.data() if not packet.startswith(OWN)]
assert back == sent
""")

    def test_setting_0_has_no_endpoints(self):
        self.run_host("""
receive([512] * 4)
device.set_interface(0, 0)
urb = usbfs.IsoUrb(IN, [512])
assert usbfs.errno_of(urb.submit, device) == errno.ENOENT
# Numbers begin anew with the setting.
device.set_interface(0, 1)
assert [number(packet) for packet in receive([512] * 4).data()] == [0, 1, 2, 3]
""")

    def test_what_is_discarded_ends(self):
        """Those that were done say so, and nothing is amiss for the next one."""
        self.run_host("""
urbs = [usbfs.IsoUrb(IN, [512] * 8) for count in range(8)]
ends = set()
for turn in range(5):
    for urb in urbs: urb.submit(device)
    urbs[0].reap(device)
    for urb in urbs[1:]:
        usbfs.errno_of(urb.discard, device)  # it may be done already
    for urb in urbs[1:]: urb.reap(device)
    ends.update(urb.status for urb in urbs)
    for urb in urbs:
        if urb.status == 0:
            assert urb.told() == [(0, 512)] * 8, urb.told()
assert ends == {0, errno.ENOENT}, ends
numbers = [number(packet) for packet in receive([512] * 64).data()]
assert numbers == list(range(numbers[0], numbers[0] + 64)), numbers
""", expected=r"vhci_hcd: urb->status -104$")  # so it says of each that was discarded

    def test_the_device_goes_while_packets_flow(self):
        self.write_program("""
receive([512] * 64)
open("/tmp/flows", "w").close()
try:
    while True: receive([512] * 64)
except OSError as error:
    print(errno.errorcode[error.errno])
""")
        done = self.shell(shell.ATTACH + """
            attach emu:$WORK/loop.toml
            python3 $WORK/host.py >/tmp/end &
            host=$!
            until_is '[ -e /tmp/flows ]'
            kill -KILL $pid
            wait $host
            cat /tmp/end
            until_is 'is_free 0'""", env=ENVIRONMENT)
        self.assertTrue(re.fullmatch("ENODEV\n|ESHUTDOWN\n", done.text), str(done))


if __name__ == "__main__":
    guest.main()
