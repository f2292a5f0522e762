"""tools/kernel/run itself: what goes in, what comes out, how it ends and what is there."""
import os
import signal
import subprocess
import sys
import tempfile
import time

import guest

SHORT_S = 60  # what must not have to wait for a time limit ends sooner, on busy machines too


class Rig(guest.Case):
    def left_behind(self):
        """Processes of guests of this test: their command lines name the folder they share."""
        found = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = self.read(f"/proc/{process}/cmdline")
            except OSError:
                continue
            if f"rig={self.temporary()}".encode() in line:
                found.append(line)
        return found

    def temporary(self):
        folder = self.path("tmp")
        os.makedirs(folder, exist_ok=True)
        return folder

    def start(self, *command, options=()):
        """A guest that is not waited for, with temporary files of its own."""
        runner = subprocess.Popen(
            [guest.RUN, "--cached", *options, "--", *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory,
            env=dict(os.environ, TMPDIR=self.temporary()))
        self.addCleanup(runner.communicate)
        self.addCleanup(runner.kill)
        return runner

    def wait_until(self, fact):
        limit = time.monotonic() + SHORT_S
        while not fact():
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.02)

    def test_the_exit_status_is_the_commands_own(self):
        self.guest("true", code=0)
        self.guest("sh", "-c", "exit 7", code=7)
        self.guest("sh", "-c", "kill -9 $$", code=137)
        done = self.guest("/no/such/program", code=127)
        self.assertIn("/no/such/program", done.complaint)

    def test_a_time_limit_ends_the_guest(self):
        begin = time.monotonic()
        done = self.guest("sleep", "1000", options=["--timeout", "2"], code=124)
        self.assertLess(time.monotonic() - begin, SHORT_S)
        self.assertIn("the time limit of 2 s was reached", done.complaint)

    def test_dmesg_is_delivered(self):
        self.shell("echo '<3>a message of this test' >/dev/kmsg")
        log = self.read(self.dmesg).decode()
        self.assertIn("Linux version 6.", log)
        self.assertIn("a message of this test", log)
        self.assertNotIn("\r", log)

    def test_a_panic_is_told_with_its_messages(self):
        done = self.guest("sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100", code=None,
                          options=["--dmesg", "-"])
        self.assertEqual(done.code, 125, str(done))
        self.assertIn("the guest ended before the command did", done.complaint)
        self.assertIn("Kernel panic", done.complaint)

    def test_the_root_is_read_only(self):
        name = os.path.join(guest.ROOT, "made-by-a-guest")
        self.addCleanup(lambda: os.path.exists(name) and os.remove(name))
        done = self.guest("touch", name, code=1, env=dict(os.environ, LC_ALL="C"))
        self.assertIn("Read-only file system", done.complaint)
        self.assertFalse(os.path.exists(name))

    def test_the_work_folder_is_written_through(self):
        with open(os.path.join(self.work, "given"), "wb") as file:
            file.write(b"given")
        self.shell("cat $WORK/given >$WORK/taken; mkdir $WORK/more; echo 2 >$WORK/more/2")
        self.assertEqual(self.read(os.path.join(self.work, "taken")), b"given")
        self.assertEqual(self.read(os.path.join(self.work, "more", "2")), b"2\n")

    def test_places_for_passing_files_are_new_and_empty(self):
        with tempfile.NamedTemporaryFile(dir="/tmp") as file:
            self.shell(f"""test ! -e {file.name}
                           for folder in /tmp /var/tmp /run /run/lock /dev/shm; do
                             echo >$folder/new
                           done""")

    def test_outputs_are_exact_and_apart(self):
        script = """for i in range(256): sys.stdout.buffer.write(bytes([i]) * 4096)
sys.stderr.write("apart\\n\\r\\n")"""
        done = self.guest("python3", "-c", "import sys\n" + script)
        self.assertEqual(done.out, b"".join(bytes([i]) * 4096 for i in range(256)))
        self.assertEqual(done.err, b"apart\n\r\n")

    def test_output_comes_while_the_command_runs(self):
        runner = self.start("sh", "-c", "echo first; sleep 1000")
        self.assertEqual(runner.stdout.readline(), b"first\n")
        self.assertIsNone(runner.poll())

    def test_arguments_folder_and_environment_arrive(self):
        words = ["two words", "'", '"$HOME"', "", "*", "line\nbreak", "\u00e4"]
        done = self.guest("python3", "-c", "import os, sys\n"
                          "print((sys.argv[1:], os.getcwd(), os.environ['GIVEN']))", *words,
                          env=dict(os.environ, GIVEN="a 'b'\n", PYTHONUTF8="1"))
        self.assertEqual(done.text.strip(), repr((words, self.directory, "a 'b'\n")))

    def test_nothing_stays_after_a_good_end(self):
        runner = self.start("sh", "-c", "sleep 1000 & sleep 1000 </dev/null >/dev/null & exit 3")
        runner.communicate(timeout=SHORT_S)
        self.assertEqual(runner.returncode, 3)
        self.assertEqual(self.left_behind(), [])
        self.assertEqual(os.listdir(self.temporary()), [])

    def test_nothing_stays_after_a_time_limit(self):
        runner = self.start("sleep", "1000", options=["--timeout", "1.5"])
        runner.communicate(timeout=SHORT_S)
        self.assertEqual(runner.returncode, 124)
        self.assertEqual(self.left_behind(), [])
        self.assertEqual(os.listdir(self.temporary()), [])

    def test_nothing_stays_after_an_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            runner = self.start("sh", "-c", "echo here; sleep 1000")
            runner.stdout.readline()
            self.assertNotEqual(self.left_behind(), [])
            runner.send_signal(number)
            runner.communicate(timeout=SHORT_S)
            self.assertEqual(runner.returncode, 128 + number)
            self.assertEqual(self.left_behind(), [])
            self.assertEqual(os.listdir(self.temporary()), [])

    def test_nothing_survives_a_killed_runner(self):
        runner = self.start("sh", "-c", "echo here; sleep 1000")
        runner.stdout.readline()
        runner.kill()
        self.wait_until(lambda: not self.left_behind() and not os.listdir(self.temporary()))

    def test_a_kernel_that_cannot_be_had_is_told(self):
        done = self.guest("true", code=125, env=dict(os.environ, XDG_CACHE_HOME=self.directory))
        self.assertIn("the kernel cannot be had", done.complaint)
        self.assertIn("run tools/kernel/build", done.complaint)

    def test_arguments_that_make_no_sense_are_refused(self):
        for options in (["--timeout", "soon"], ["--memory", "1T"], ["--memory", "1M"],
                        ["--work", "/"], ["--work", "/tmp"], ["--colour"]):
            self.guest("true", options=options, code=125)

    def test_waiting_is_free_in_time_travel(self):
        begin = time.monotonic()
        self.guest("sleep", "3600", options=["--time-travel"])
        self.assertLess(time.monotonic() - begin, SHORT_S)

    def test_usb_is_there(self):
        done = self.shell("cat /sys/devices/platform/vhci_hcd.0/status; ls /sys/class/udc")
        self.assertEqual(done.text.count("\nhs "), 8, str(done))
        self.assertEqual(done.text.count("\nss "), 8, str(done))
        for name in ("dummy_udc.0", "dummy_udc.1", "usbip-vudc.0"):
            self.assertIn(name, done.text)
        self.shell("""test -c /dev/raw-gadget
                      test -c /dev/bus/usb/001/001
                      test -d /sys/kernel/debug/usb/usbmon
                      test -d /sys/kernel/config/usb_gadget
                      test -d /sys/kernel/config/target/core
                      for name in usb-storage uas usbfs usbip-host; do
                        test -d /sys/bus/usb/drivers/$name
                      done""")

    def test_lsusb_finds_the_root_hubs(self):
        self.need("lsusb")
        done = self.guest("lsusb")
        self.assertIn("1d6b:0002", done.text)
        self.assertIn("1d6b:0003", done.text)

    def test_file_systems_can_be_mounted(self):
        self.need("mkfs.ext4", "mkfs.vfat")
        self.shell("""PATH=$PATH:/usr/sbin:/sbin
                      cd /tmp
                      mkdir mounted
                      for kind in ext4 vfat; do
                        truncate -s 16M image
                        mkfs.$kind image >/dev/null
                        mount -o loop image mounted
                        echo 1 >mounted/file
                        umount mounted
                        rm image
                      done""")

    def test_the_loopback_interface_is_up(self):
        self.guest("python3", "-c", """import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()[:2], 10).close()
server = socket.create_server(("::1", 0), family=socket.AF_INET6)
socket.create_connection(server.getsockname()[:2], 10).close()""")

    def test_a_case_without_its_program_is_skipped_and_says_why(self):
        name = self.path("lacking_test.py")
        with open(name, "w", encoding="ascii") as file:
            file.write("import guest\n"
                       "class Lacking(guest.Case):\n"
                       "    def test_it(self):\n"
                       "        self.need('sh', 'no-such-program')\n"
                       "guest.main()\n")
        done = subprocess.run([sys.executable, name, "it"], capture_output=True, text=True,
                              check=False, env=dict(os.environ, PYTHONPATH=os.path.dirname(
                                  os.path.realpath(guest.__file__))))
        self.assertEqual(done.returncode, guest.NOT_RUN_HERE, done.stderr)
        self.assertEqual(done.stdout, "no no-such-program here\n")

    def test_our_own_programs_run(self):
        done = self.guest(os.environ["USB_SGRAW"], "-d", "emu:?size=1M", "--cdb",
                          "12 00 00 00 24 00", "--din", "36", "--hex")
        self.assertIn("USBTWIN", done.text)


if __name__ == "__main__":
    guest.main()
