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

    def skip(self, reason):
        print(reason, flush=True)
        sys.exit(NOT_RUN_HERE)

    def need(self, *programs):
        """Skips where this machine lacks a program, and so the guest does."""
        path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        for program in programs:
            if shutil.which(program, path=path) is None:
                self.skip(f"no {program} here")


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
    sys.exit(0 if result.wasSuccessful() else 1)
