"""What a network may do to us, in one of our own: its only link is taken down, its resolver is
silent.
"""
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time

import program
from server import Served, Server

OWN_NETWORK = "USBTWIN_TEST_OWN_NETWORK"
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
IMPORT = bytes.fromhex("0111800300000000") + b"1-1".ljust(32, b"\0")


def enter_network():
    """Runs this file again where there is nobody else; returns there, or why that cannot be."""
    if os.environ.get(OWN_NETWORK):
        return ""
    unshare = shutil.which("unshare")
    if unshare is None:
        return "no unshare"
    tried = subprocess.run([unshare, "-rnm", "true"], stderr=subprocess.PIPE, check=False)
    if tried.returncode != 0:
        return tried.stderr.decode().strip()
    os.environ[OWN_NETWORK] = "1"
    return os.execv(unshare, [unshare, "-rnm", sys.executable, *sys.argv])


def set_link(flags):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags))


class OwnNetwork(Served):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skip(WHY_NOT)
        set_link(IFF_UP)


class Vanished(OwnNetwork):
    """A peer without power: no FIN, no RST, no answer any more."""

    def test_its_device_is_free_when_the_time_has_passed(self):
        server = Server(self, self.device, "--listen", "127.0.0.1:0", "--keep-alive", 5)
        port = int(server.wait_for(r"listens at 127.0.0.1:(\d+)").group(1))
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.settimeout(30)
            peer.sendall(IMPORT)
            self.assertEqual(len(peer.recv(320, socket.MSG_WAITALL)), 320)
            server.wait_for("imported 1-1")
            start = time.monotonic()
            set_link(0)
            line = server.wait_for(r"gave 1-1 back: (.*)").group(1)
            self.assertGreater(time.monotonic() - start, 1)
            self.assertRegex(line, "the connection ended: ")
            set_link(IFF_UP)
        run = self.run_program("status", "--control", server.control, code=0)
        self.assertIn(" free ", run.text)
        self.assertEqual(server.stop(), 0)


class SilentResolver(OwnNetwork):
    def set_file(self, name, text):
        self.write("set", text)
        done = subprocess.run(["mount", "--bind", self.path("set"), name], stderr=subprocess.PIPE,
                              check=False)
        if done.returncode != 0:
            self.skip(done.stderr.decode().strip())
        os.unlink(self.path("set"))

    def test_nobody_waits_for_it_longer_than_he_wants(self):
        self.set_file("/etc/nsswitch.conf", b"hosts: dns\n")
        self.set_file("/etc/resolv.conf", b"nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
            resolver.bind(("127.0.0.1", 53))
            for arguments in (("list", "-r", "slow.test"), ("info", "-d", "usbip://slow.test/1-1")):
                start = time.monotonic()
                run = self.run_program(*arguments, "--timeout-ms", 300, code=3)
                self.assertIn("the server's name was not looked up in 300 ms", run.complaint)
                self.assertLess(time.monotonic() - start, 20)
            self.assertGreater(len(resolver.recv(1000)), 0)  # it was asked


WHY_NOT = enter_network()
if __name__ == "__main__":
    program.main()
