"""What the system tests share: commands run on a kernel of their own, by tools/kernel/run.

A test file ends with guest.main(). Each of its cases is a Meson test of its own: `--list` names
them, and a name runs one. Where the kernel cannot be had the test is skipped and says why; nothing
here builds it, tools/test does that before it starts the tests.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(ROOT, "tools", "kernel", "build")
RUN = os.path.join(ROOT, "tools", "kernel", "run")
TIMEOUT_S = 120  # a busy machine is several times slower
NOT_RUN_HERE = 77
# What the kernel says where a device or its server did something it should not have.
WRONG = re.compile(r"reset (low|full|high|Super)|error|can't|cannot|fail|not responding|unable|"
                   r"timed? ?out|invalid|overflow|urb->|unknown|WARNING|BUG:|vhci_hcd: (conn|recv)",
                   re.IGNORECASE)


class Done:
    """How a command ended."""

    def __init__(self, command, done):
        self.command, self.code = command, done.returncode
        self.out, self.err = done.stdout, done.stderr
        self.text = self.out.decode(errors="replace")
        self.complaint = self.err.decode(errors="replace")

    def __str__(self):
        return f"{self.command}: exit {self.code}\nout: {self.text}\nerr: {self.complaint}"


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="usbtwin-system-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.work = self.path("work")  # the same path here and in the guest
        self.dmesg = self.path("dmesg")
        os.mkdir(self.work)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def guest(self, *command, options=(), code=0, **more):
        """Runs a command in a guest whose work folder is self.work; `code` must be its status."""
        runner = [RUN, "--cached", "--timeout", str(TIMEOUT_S), "--work", self.work,
                  "--dmesg", self.dmesg, *options, "--", *command]
        more = {"stdin": subprocess.DEVNULL, "cwd": self.directory, **more}
        done = Done(command, subprocess.run(runner, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, check=False, **more))
        if code is not None and done.code != code:
            log = self.read(self.dmesg).decode(errors="replace").splitlines()[-40:]
            self.fail("\n".join([str(done), "the end of its dmesg:", *log]))
        return done

    def shell(self, script, **more):
        """A script for the guest's shell; it ends at the first command that fails."""
        return self.guest("sh", "-euc", script, **more)

    def messages(self):
        """What the kernel said since its boot."""
        log = self.read(self.dmesg).decode(errors="replace")
        return re.split(r"as init process\n", log, maxsplit=1)[-1].replace(
            "epollctl add err", "").splitlines()

    def complaints(self):
        return [line for line in self.messages() if WRONG.search(line)]

    def host(self, *command):
        """Output of a program of this machine."""
        path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        done = subprocess.run(command, capture_output=True, check=False,
                              env=dict(os.environ, PATH=path))
        self.assertEqual(done.returncode, 0, (command, done.stdout, done.stderr))
        return done.stdout

    def image(self, name, size):
        path = os.path.join(self.work, name)
        with open(path, "wb") as file:
            file.truncate(size)
        return path

    def tree(self):
        """Files of all lengths, from fixed bytes."""
        top = os.path.join(self.work, "tree")
        for index, length in enumerate((0, 1, 511, 4096, 65537, 3 << 20)):
            folder = os.path.join(top, f"folder {index % 3}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"file{index}"), "wb") as file:
                file.write(bytes((index + byte * 7 + byte // 251) & 0xff
                                 for byte in range(min(length, 65537))) * (length // 65537 or 1))
        return top

    def need(self, *programs):
        """Skips where this machine lacks a program, and so the guest does."""
        path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        for program in programs:
            if shutil.which(program, path=path) is None:
                self.skipTest(f"no {program} here")


def why_no_kernel():
    """None where there is one."""
    done = subprocess.run([BUILD, "--cached"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return os.environ.get("USBTWIN_NO_KERNEL") or done.stdout.strip()


def why_no_start():
    """None where a kernel starts; a machine may forbid it ptrace, which it lives by."""
    done = subprocess.run([RUN, "--cached", "--timeout", str(TIMEOUT_S), "--", "true"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search("this machine does not let the kernel start.*", done.stderr)
    return found and found[0]


def main():
    module = sys.modules["__main__"]
    cases = {case.id().split("test_")[-1]: case
             for group in unittest.defaultTestLoader.loadTestsFromModule(module) for case in group}
    if sys.argv[1:] == ["--list"]:
        print("\n".join(cases))
        return
    unknown = [name for name in sys.argv[1:] if name not in cases]
    if unknown:
        sys.exit(f"no case is called {unknown[0]}; --list names them")
    reason = why_no_kernel()
    if reason:
        print(reason)
        sys.exit(NOT_RUN_HERE)
    chosen = unittest.TestSuite(cases[name] for name in sys.argv[1:] or cases)
    result = unittest.TextTestRunner(verbosity=2).run(chosen)
    reason = None if result.wasSuccessful() else why_no_start()
    if reason:
        print(reason)
        sys.exit(NOT_RUN_HERE)
    for _, reason in result.skipped:
        print(reason)
    if result.wasSuccessful() and len(result.skipped) == result.testsRun:
        sys.exit(NOT_RUN_HERE)
    sys.exit(0 if result.wasSuccessful() else 1)
