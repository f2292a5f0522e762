"""A usbtwin serve in the background: it ends with its test, and with its test's process."""
import ctypes
import os
import re
import select
import signal
import socket
import subprocess
import time

import program

PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """Runs until stop(). `lines` is what it said so far."""

    def __init__(self, case, *arguments, control=True, cwd=None, activated=None):
        self.case = case
        self.control = "unix:" + case.path("control")
        command = [os.environ["USBTWIN"], "serve", *map(str, arguments)]
        command += ["--control", self.control] if control else ["--no-control"]
        kept = ()
        if activated is not None:  # a listening socket, given over as systemd does
            kept = (activated.fileno(),)
            command = ["/bin/bash", "-c", f"exec 3<&{kept[0]}; export LISTEN_FDS=1 LISTEN_PID=$$; "
                       'exec "$0" "$@"', *command]
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            cwd=cwd or case.directory, pass_fds=kept, preexec_fn=die_with_parent)
        self.lines = []
        self.rest = b""
        case.addCleanup(self.kill)
        self.wait_for("takes requests at" if control else "takes no requests|listens at")

    def wait_for(self, pattern, seconds=30):
        """The first line that matches, seen or to come."""
        end = time.monotonic() + seconds
        seen = 0
        while True:
            for line in self.lines[seen:]:
                found = re.search(pattern, line)
                if found:
                    return found
            seen = len(self.lines)
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, left))
            piece = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            if not piece:
                self.case.fail(f"no line {pattern!r} in {self.lines}")
            *lines, self.rest = (self.rest + piece).split(b"\n")
            self.lines += [line.decode(errors="replace") for line in lines]

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, and returns how it ended."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=30)
        *lines, _ = (self.rest + rest).split(b"\n")
        self.lines += [line.decode(errors="replace") for line in lines]
        self.rest = b""
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def ask(self, text, whole=True):
        """What the control socket answers to this; b"" where it closes without an answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            connection.connect(self.control[len("unix:"):])
            connection.sendall(text)
            if whole:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while not answer.endswith(b"\n"):
                try:
                    piece = connection.recv(65536)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                answer += piece
            return answer


class Served(program.Case):
    program = "USBTWIN"

    def serve(self, *arguments, **options):
        self.socket = "unix:" + self.path("socket")
        return Server(self, *(arguments or (self.device,)), "--listen", self.socket, **options)

    def far(self, bus_id="1-1"):
        return f"usbip+{self.socket}#{bus_id}"

    def sgraw(self, *arguments, **options):
        kept, self.program = self.program, "USB_SGRAW"
        try:
            return self.run_program(*arguments, **options)
        finally:
            self.program = kept

    def request(self, server, verb, *arguments, **options):
        return self.run_program(verb, "--control", server.control, *arguments, **options)
