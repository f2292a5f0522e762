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


CONTROL = code(3, 0, ctypes.sizeof(Control))
BULK = code(3, 2, ctypes.sizeof(Bulk))
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
