"""A USB/IP server that says nothing, or nothing any more: nobody waits for it longer than he wants.

The limits are for a loaded machine; without what is tested here each takes 10 s at least.
"""
import os
import signal
import socket
import subprocess
import threading
import time

import program
from server import Served, die_with_parent

SECONDS_MAX = 6
# OP_REP_IMPORT of device 1-1: a high-speed disk, 1209:0001.
GRANTED = (bytes.fromhex("0111000300000000") + b"/sys/x".ljust(256, b"\0") + b"1-1".ljust(32, b"\0")
           + bytes.fromhex("00000001 00000002 00000003 1209 0001 0001 00 00 00 01 01 01"))


class Silent:
    """Takes every connection at a socket file; says `words` to each and nothing else."""

    def __init__(self, case, words=b""):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path = case.path("silent")
        self.listener.bind(self.path)
        self.listener.listen()
        self.words = words
        self.peers = []
        self.asked = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
                self.peers.append(peer)
                peer.recv(40, socket.MSG_WAITALL)
                peer.sendall(self.words)
                if self.words:
                    peer.recv(48, socket.MSG_WAITALL)
                self.asked.set()
            except OSError:
                return

    def __exit__(self, *_):
        os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            peer.close()
        self.thread.join()


class SilentCase(Served):
    def setUp(self):
        super().setUp()
        self.far_device = f"usbip+unix:{self.path('silent')}#1-1"

    def start(self, *arguments):
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [os.environ["USBTWIN"], *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=self.directory, preexec_fn=die_with_parent)
        self.addCleanup(process.kill)
        return process

    def ends(self, process, number=signal.SIGTERM):
        start = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - start, SECONDS_MAX, err.decode())
        return process.returncode, (out or b"").decode(), err.decode()


class Stops(SilentCase):
    def test_serve_at_its_start(self):
        for words in (b"", GRANTED):
            with Silent(self, words) as silent:
                process = self.start("serve", self.far_device, "--listen", "unix:" + self.path("s"),
                                     "--control", "unix:" + self.path("control"))
                self.assertTrue(silent.asked.wait(30))
                # Somebody who asks meanwhile is answered.
                run = self.run_program("status", "--control", "unix:" + self.path("control"),
                                       code=0)
                self.assertEqual(run.text, "no device is exported\n")
                code, _, err = self.ends(process)
                self.assertEqual((code, err), (0, ""))
                self.assertFalse(self.exists("s") or self.exists("control"))

    def test_serve_during_a_plug(self):
        for words in (b"", GRANTED):
            with Silent(self, words) as silent:
                server = self.serve(self.device)
                plug = self.start("plug", "--control", server.control, self.far_device)
                self.assertTrue(silent.asked.wait(30))
                run = self.request(server, "status", code=0)
                self.assertEqual(run.text.count("\n"), 1)
                code, _, err = self.ends(server.process, signal.SIGINT)
                self.assertEqual(code, 0, err)
                _, err = plug.communicate(timeout=30)
                self.assertEqual(plug.returncode, 3)
                self.assertIn(b"closed the connection without an answer", err)

    def test_attach(self):
        for words, more in ((b"", []), (b"", ["--audit"]), (GRANTED, ["--audit"])):
            with Silent(self, words) as silent:
                process = self.start("attach", self.far_device, *more)
                self.assertTrue(silent.asked.wait(30))
                self.assertEqual(self.ends(process), (0, "", ""))


class Timeouts(SilentCase):
    """--timeout-ms is the time of each step of opening; the error names the step and the time."""

    def far_fails(self, words, what, *arguments, program_name="USBTWIN"):
        self.program = program_name
        with Silent(self, words):
            start = time.monotonic()
            run = self.run_program(*arguments, "-d", self.far_device, "--timeout-ms", 300, code=3)
            self.assertLess(time.monotonic() - start, SECONDS_MAX, str(run))
            for text in (self.far_device, "300 ms", *what):
                self.assertIn(text, run.complaint, str(run))

    def test_a_server_that_never_answers(self):
        what = ["connected, but the import was not answered in 300 ms"]
        self.far_fails(b"", what, "info")
        self.far_fails(b"", what, "bench")
        self.far_fails(b"", what, "--cdb", program.READY, program_name="USB_SGRAW")

    def test_a_server_that_falls_silent_after_the_import(self):
        what = ["the device descriptor was asked for", self.path("silent") + ": ",
                "a transfer was cancelled, and the server did not answer that within 300 ms"]
        self.far_fails(GRANTED, what, "info")
        self.far_fails(GRANTED, what, "bench")
        self.far_fails(GRANTED, what, "--cdb", program.READY, program_name="USB_SGRAW")

    def test_a_server_that_takes_no_connection(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self.path("silent"))
            listener.listen(0)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
                first.connect(self.path("silent"))  # the only place
                run = self.run_program("info", "-d", self.far_device, "--timeout-ms", 300, code=3)
        self.assertIn(f"{self.far_device}: timed out in open: no connection in 300 ms\n",
                      run.complaint)

    def test_list(self):
        with Silent(self):
            run = self.run_program("list", "-r", "unix:" + self.path("silent"), "--timeout-ms", 300,
                                   code=3)
            self.assertIn("silent: timed out in open: connected, but the list was not answered "
                          "in 300 ms", run.complaint)

    def test_help_tells(self):
        for name, arguments in (("USBTWIN", ["info"]), ("USB_SGRAW", [])):
            self.program = name
            text = " ".join(self.run_program(*arguments, "--help", code=0).text.split())
            self.assertIn("for each of 3 steps of opening", text)


if __name__ == "__main__":
    program.main()
