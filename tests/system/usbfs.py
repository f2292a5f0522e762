"""A host without a driver: one interface of a USB device through the kernel's usbfs, for tests that
do what no driver does. Run in the guest, from a test's own script:

  device = usbfs.open_device("1209:0002")
  bot = usbfs.Bot(device, interface=1, pipe_in=0x82, pipe_out=0x02)
"""
import ctypes
import fcntl
import glob
import os
import struct

TIMEOUT_MS = 20000
LIBC = ctypes.CDLL(None, use_errno=True)


class Control(ctypes.Structure):
    _fields_ = [("request_type", ctypes.c_uint8), ("request", ctypes.c_uint8),
                ("value", ctypes.c_uint16), ("index", ctypes.c_uint16),
                ("length", ctypes.c_uint16), ("timeout", ctypes.c_uint32),
                ("data", ctypes.c_void_p)]


class Bulk(ctypes.Structure):
    _fields_ = [("endpoint", ctypes.c_uint), ("length", ctypes.c_uint),
                ("timeout", ctypes.c_uint), ("data", ctypes.c_void_p)]


def code(direction, number, size):
    """Of an ioctl of usbfs. direction: 0 none, 1 write, 2 read, 3 both."""
    return direction << 30 | size << 16 | ord("U") << 8 | number


class IsoPacket(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint), ("moved", ctypes.c_uint), ("status", ctypes.c_uint)]


class UrbHead(ctypes.Structure):
    _fields_ = [("type", ctypes.c_ubyte), ("endpoint", ctypes.c_ubyte), ("status", ctypes.c_int),
                ("flags", ctypes.c_uint), ("data", ctypes.c_void_p), ("length", ctypes.c_int),
                ("moved", ctypes.c_int), ("start_frame", ctypes.c_int),
                ("packets_count", ctypes.c_int), ("error_count", ctypes.c_int),
                ("signal", ctypes.c_uint), ("context", ctypes.c_void_p)]


CONTROL = code(3, 0, ctypes.sizeof(Control))
BULK = code(3, 2, ctypes.sizeof(Bulk))
SET_INTERFACE = code(2, 4, 8)
SUBMIT = code(2, 10, ctypes.sizeof(UrbHead))
DISCARD = code(0, 11, 0)
REAP = code(1, 12, ctypes.sizeof(ctypes.c_void_p))
CLAIM = code(2, 15, 4)
RESET = code(0, 20, 0)
CLEAR_HALT = code(2, 21, 4)


def path_of(ids):
    """The sysfs folder of the device with these ids."""
    for folder in glob.glob("/sys/bus/usb/devices/*"):
        try:
            found = ":".join(open(f"{folder}/{name}").read().strip()
                             for name in ("idVendor", "idProduct"))
        except OSError:
            continue
        if found == ids:
            return folder
    raise LookupError(f"no device {ids}")


def open_device(ids):
    folder = path_of(ids)
    bus, number = (int(open(f"{folder}/{name}").read()) for name in ("busnum", "devnum"))
    return Device(os.open(f"/dev/bus/usb/{bus:03}/{number:03}", os.O_RDWR))


class Device:
    def __init__(self, fd):
        self.fd = fd

    def claim(self, interface):
        fcntl.ioctl(self.fd, CLAIM, struct.pack("I", interface))

    def reset(self):
        fcntl.ioctl(self.fd, RESET)

    def set_interface(self, interface, setting):
        fcntl.ioctl(self.fd, SET_INTERFACE, struct.pack("II", interface, setting))

    def clear_halt(self, endpoint):
        fcntl.ioctl(self.fd, CLEAR_HALT, struct.pack("I", endpoint))

    def control(self, request_type, request, value, index, data):
        """Bytes for an OUT request, how many for an IN request. An OSError has the errno."""
        is_in = bool(request_type & 0x80)
        length = data if is_in else len(data)
        room = ctypes.create_string_buffer(max(1, length))
        if not is_in:
            room[:length] = data
        moved = fcntl.ioctl(self.fd, CONTROL, Control(
            request_type, request, value, index, length, TIMEOUT_MS, ctypes.addressof(room)))
        return room.raw[:moved]

    def bulk(self, endpoint, data, timeout_ms=TIMEOUT_MS):
        is_in = bool(endpoint & 0x80)
        length = data if is_in else len(data)
        room = ctypes.create_string_buffer(max(1, length))
        if not is_in:
            room[:length] = data
        moved = fcntl.ioctl(self.fd, BULK, Bulk(endpoint, length, timeout_ms,
                                                ctypes.addressof(room)))
        return room.raw[:moved]


def call(device, request, thing):
    """An ioctl that gets the address of `thing` itself: fcntl.ioctl copies what is small."""
    if LIBC.ioctl(device.fd, ctypes.c_ulong(request), ctypes.byref(thing)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class IsoUrb:
    """An isochronous transfer; its packets lie one behind the other, each with room for its length.
    The kernel writes into this object until it is reaped."""
    URB_TYPE, ASAP = 0, 2

    def __init__(self, endpoint, lengths, data=None):
        """lengths in bytes, one for each packet; `data` for an OUT transfer."""
        self.lengths = lengths
        self.room = ctypes.create_string_buffer(b"\xa5" * max(1, sum(lengths)))
        if data is not None:
            assert len(data) == sum(lengths)
            self.room[:len(data)] = data
        urb_type = type("Urb", (ctypes.Structure,), {
            "_fields_": [("head", UrbHead), ("packets", IsoPacket * len(lengths))]})
        self.urb = urb_type()
        self.urb.head = UrbHead(type=self.URB_TYPE, endpoint=endpoint, flags=self.ASAP,
                                data=ctypes.addressof(self.room), length=sum(lengths),
                                packets_count=len(lengths))
        for packet, length in zip(self.urb.packets, lengths):
            packet.length = length

    def submit(self, device):
        call(device, SUBMIT, self.urb)

    def discard(self, device):
        call(device, DISCARD, self.urb)

    def reap(self, device):
        """Waits for the next transfer of the device to end: it must be this one."""
        found = ctypes.c_void_p()
        call(device, REAP, found)
        assert found.value == ctypes.addressof(self.urb), "another transfer ended before this one"
        return self

    @property
    def status(self):
        return -self.urb.head.status

    def told(self):
        """(errno, bytes) of each packet."""
        return [(-ctypes.c_int(packet.status).value, packet.moved) for packet in self.urb.packets]

    def data(self):
        """The bytes of each packet."""
        offset, found = 0, []
        for packet, length in zip(self.urb.packets, self.lengths):
            found.append(self.room.raw[offset:offset + packet.moved])
            offset += length
        return found


class Bot:
    """Bulk-Only Transport, step by step."""

    def __init__(self, device, interface, pipe_in, pipe_out):
        self.device, self.interface = device, interface
        self.pipe_in, self.pipe_out = pipe_in, pipe_out
        self.tag = 0
        device.claim(interface)

    def send_command(self, block, length=0, is_in=True):
        self.tag += 1
        self.device.bulk(self.pipe_out, struct.pack(
            "<4sIIBBB16s", b"USBC", self.tag, length, 0x80 if is_in else 0, 0, len(block), block))

    def status(self):
        """(status, residue) of the command that was sent last."""
        signature, tag, residue, status = struct.unpack("<4sIIB",
                                                        self.device.bulk(self.pipe_in, 13))
        assert (signature, tag) == (b"USBS", self.tag), (signature, tag)
        return status, residue

    def read(self, block, length):
        self.send_command(block, length)
        data = self.device.bulk(self.pipe_in, length)
        return data, self.status()

    def reset(self):
        self.device.control(0x21, 0xff, 0, self.interface, b"")

    def clear_halts(self):
        self.device.clear_halt(self.pipe_in)
        self.device.clear_halt(self.pipe_out)


def errno_of(call, *arguments):
    """0 where it went well."""
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return 0
