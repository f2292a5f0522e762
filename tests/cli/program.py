"""What the command line tests share: a directory of their own, images, and runs of a program.

Meson gives the programs' paths in the environment (USB_SGRAW, USBTWIN). A case that cannot run here
prints "SKIP: <case>: <reason>".
"""
import json
import os
import pty
import shutil
import subprocess
import tempfile
import unittest

BLOCK = 512


def pattern(length, seed=1):
    """Bytes in which every block is another one."""
    blocks = []
    for index in range(length // BLOCK):
        blocks.append(b"block %08d seed %04d " % (index, seed) * 19 + b"\xa5" * 13)
    data = b"".join(block[:BLOCK].ljust(BLOCK, b"\xa5") for block in blocks)
    assert len(data) == length // BLOCK * BLOCK
    return data


def be(number, length):
    return " ".join(f"{byte:02x}" for byte in number.to_bytes(length, "big"))


INQUIRY = "12 00 00 00 24 00"
READY = "00 00 00 00 00 00"


def read10(lba, count):
    return f"28 00 {be(lba, 4)} 00 {be(count, 2)} 00"


def write10(lba, count):
    return f"2a 00 {be(lba, 4)} 00 {be(count, 2)} 00"


class Run:
    """How a run ended."""

    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err
        self.text = out.decode(errors="replace")
        self.complaint = err.decode(errors="replace")

    def __str__(self):
        return f"{self.arguments}: exit {self.code}\nout: {self.text}\nerr: {self.complaint}"


class Case(unittest.TestCase):
    program = ""  # the name of the environment variable
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="usbtwin-cli-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.image = self.path("d.img")
        self.data = pattern(64 * 1024)
        self.write("d.img", self.data)
        self.device = "emu:" + self.image

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def exists(self, name):
        return os.path.exists(self.path(name))

    def run_program(self, *arguments, stdin=b"", code=None, **options):
        """Runs the program with pipes; `code` is the exit status that must come."""
        command = [os.environ[self.program], *map(str, arguments)]
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=self.directory, timeout=60,
                              check=False, **options)
        run = Run(arguments, done.returncode, done.stdout, done.stderr)
        if code is not None:
            self.assertEqual(run.code, code, str(run))
        return run

    def run_shell(self, script, code=None, env=None):
        """`script` sees the program as $PROGRAM and the device as $DEVICE; output is discarded."""
        env = dict(os.environ if env is None else env)
        env.update(PROGRAM=os.environ[self.program], DEVICE=self.device)
        done = subprocess.run(["/bin/bash", "-c", script], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              cwd=self.directory, check=False)
        run = Run(script, done.returncode, done.stdout, done.stderr)
        if code is not None:
            self.assertEqual(run.code, code, str(run))
        return run

    def run_terminal(self, *arguments, code=0):
        """Runs the program with a terminal as its standard output."""
        leader, follower = pty.openpty()
        command = [os.environ[self.program], *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=follower,
                              stderr=subprocess.PIPE, cwd=self.directory, timeout=60, check=False)
        os.close(follower)
        out = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # EIO: everything was read
                break
            if not piece:
                break
            out += piece
        os.close(leader)
        run = Run(arguments, done.returncode, out.replace(b"\r\n", b"\n"), done.stderr)
        self.assertEqual(run.code, code, str(run))
        return run

    def json(self, run):
        document = json.loads(run.out)
        self.assertEqual(document["schema"], 2)
        self.assertEqual(document["exit_status"], run.code, str(run))
        self.assertEqual(document["error"] is None, run.code == 0, str(run))
        return document

    def skip(self, reason):
        print(f"SKIP: {self.id()}: {reason}", flush=True)
        self.skipTest(reason)

    def tshark(self, capture, *arguments):
        """What tshark says about a capture."""
        if shutil.which("tshark") is None:
            self.skip("no tshark")
        done = subprocess.run(["tshark", "-r", self.path(capture), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()


class SgRaw(Case):
    program = "USB_SGRAW"

    def sgraw(self, *arguments, **options):
        return self.run_program("-d", self.device, *arguments, **options)


def main():
    unittest.main(verbosity=2)
