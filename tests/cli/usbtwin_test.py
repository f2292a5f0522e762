"""usbtwin as its users run it."""
import glob
import os
import subprocess
import unittest

import program
from program import BLOCK


class UsbTwin(program.Case):
    program = "USBTWIN"


class Disk(UsbTwin):
    def test_read_copies_the_disk(self):
        run = self.run_program("disk", "read", "-d", self.device, "-o", "copy", code=0)
        self.assertEqual(self.read("copy"), self.data)
        self.assertEqual(run.out, b"")
        self.assertIn("64 KiB", run.complaint)
        self.assertNotIn("\r", run.complaint)  # no progress: no terminal

    def test_read_to_a_pipe(self):
        run = self.run_program("disk", "read", "-d", self.device, "-o", "-", "-q", code=0)
        self.assertEqual(run.out, self.data)
        self.assertEqual(run.err, b"")

    def test_read_a_part(self):
        self.run_program("disk", "read", "-d", self.device, "-o", "part", "--lba", 3, "--count",
                         "0x10", code=0)
        self.assertEqual(self.read("part"), self.data[3 * BLOCK:19 * BLOCK])
        self.run_program("disk", "read", "-d", self.device, "-o", "rest", "--lba", 120, code=0)
        self.assertEqual(self.read("rest"), self.data[120 * BLOCK:])

    def test_the_end_is_no_block(self):
        for verb in (["read", "-o", "f"], ["write", "-i", "d.img"], ["verify", "-i", "d.img"]):
            run = self.run_program("disk", *verb, "-d", self.device, "--lba", 128, code=4)
            self.assertIn("--lba 128 is beyond the end: the disk has 128 blocks", run.complaint)

    def test_ranges_beyond_the_end(self):
        for arguments in (["--lba", 129], ["--count", 129], ["--count", 29, "--lba", 100],
                          ["--lba", "x"], ["--count=-1"]):
            run = self.run_program("disk", "read", "-d", self.device, "-o", "f", *arguments, code=4)
            self.assertIn(arguments[0].split("=")[0], run.complaint)
            self.assertFalse(self.exists("f"))

    def test_large_disks_with_large_blocks(self):
        data = program.pattern(9 * 1024 * 1024 + 4096, seed=3)
        self.write("d.img", data)
        self.run_program("disk", "read", "-d", self.device + "?block=4096", "-o", "copy", code=0)
        self.assertTrue(self.read("copy") == data)

    def test_write_then_verify(self):
        new = program.pattern(64 * 1024, seed=5)
        self.write("new", new)
        self.run_program("disk", "write", "-d", self.device, "-i", "new", code=0)
        self.assertEqual(self.read("d.img"), new)
        self.run_program("disk", "verify", "-d", self.device, "-i", "new", code=0)
        self.assertEqual(self.read("d.img"), new)

    def test_write_a_part(self):
        new = program.pattern(4 * BLOCK, seed=6)
        self.write("new", new)
        self.run_program("disk", "write", "-d", self.device, "-i", "new", "--lba", 7, code=0)
        expected = self.data[:7 * BLOCK] + new + self.data[11 * BLOCK:]
        self.assertEqual(self.read("d.img"), expected)
        self.run_program("disk", "write", "-d", self.device, "-i", "new", "--count", 1, code=0)
        self.assertEqual(self.read("d.img"), new[:BLOCK] + expected[BLOCK:])

    def test_write_from_a_pipe(self):
        new = program.pattern(64 * 1024, seed=8)
        self.run_program("disk", "write", "-d", self.device, "-i", "-", stdin=new, code=0)
        self.assertEqual(self.read("d.img"), new)

    def test_input_that_does_not_fit_is_refused_before_writing(self):
        self.write("long", b"x" * (65 * 1024))
        run = self.run_program("disk", "write", "-d", self.device, "-i", "long", code=4)
        self.assertIn("65 KiB", run.complaint)
        self.write("odd", b"x" * 1000)
        run = self.run_program("disk", "write", "-d", self.device, "-i", "odd", code=4)
        self.assertIn("truncate -s %512", run.complaint)
        self.run_program("disk", "write", "-d", self.device, "-i", "odd", "--count", 2, code=4)
        self.run_program("disk", "write", "-d", self.device, "-i", "missing", code=4)
        self.assertEqual(self.read("d.img"), self.data)

    def test_an_empty_input_is_refused(self):
        self.write("empty", b"")
        for verb in ["write", "verify"]:
            for name, shown in [("empty", "empty is empty"), ("-", "standard input is empty"),
                                ("/dev/null", "/dev/null is empty")]:
                run = self.run_program("disk", verb, "-d", self.device, "-i", name, code=4)
                self.assertIn(shown, run.complaint)
        self.assertEqual(self.read("d.img"), self.data)

    def test_pipes_that_do_not_fit_fail(self):
        run = self.run_program("disk", "write", "-d", self.device, "-i", "-",
                               stdin=b"x" * (64 * 1024 + 1), code=5)
        self.assertIn("goes on", run.complaint)
        run = self.run_program("disk", "write", "-d", self.device, "-i", "-", stdin=b"x" * 513,
                               code=5)
        self.assertIn("within a block", run.complaint)
        run = self.run_program("disk", "write", "-d", self.device, "-i", "-", "--count", 4,
                               stdin=b"x" * 1024, code=5)
        self.assertIn("ended after 2 of 4 blocks", run.complaint)

    def test_verify_names_the_first_difference(self):
        other = bytearray(self.data)
        other[77 * BLOCK + 5] ^= 1
        other[90 * BLOCK] ^= 1
        self.write("other", bytes(other))
        run = self.run_program("disk", "verify", "-d", self.device, "-i", "other", code=1)
        self.assertIn(f"LBA 77 (byte {77 * BLOCK + 5} of", run.complaint)
        run = self.run_program("disk", "verify", "-d", self.device, "-i", "other", "--json", code=1)
        document = self.json(run)
        self.assertFalse(document["same"])
        self.assertEqual((document["exit_status"], document["error"]["kind"]), (1, "difference"))
        self.assertEqual(document["difference_offset"], 77 * BLOCK + 5)
        self.assertEqual(document["difference_lba"], 77)
        self.run_program("disk", "verify", "-d", self.device, "-i", "-", "--lba", 1,
                         stdin=self.data[BLOCK:], code=0)

    def test_a_write_protected_disk(self):
        self.write("new", self.data)
        run = self.run_program("disk", "write", "-d", self.device + "?ro=1", "-i", "new", code=2)
        self.assertIn("Data Protect, Write protected (07/27/00)", run.complaint)
        run = self.run_program("disk", "write", "-d", self.device + "?ro=1", "-i", "new", "--json",
                               code=2)
        document = self.json(run)
        self.assertEqual((document["exit_status"], document["error"]["kind"]), (2, "refused"))
        sense = document["sense"]
        self.assertEqual((sense["key"], sense["asc"], sense["ascq"]), (7, 0x27, 0))
        self.assertEqual(sense["text"], "Data Protect, Write protected (07/27/00)")

    def test_a_disk_that_is_not_there(self):
        run = self.run_program("disk", "read", "-d", "emu:/nonexistent", "-o", "f", code=3)
        self.assertIn("/nonexistent", run.complaint)
        self.assertFalse(self.exists("f"))

    def test_no_output_is_an_input(self):
        self.write("p.toml", b'[[unit]]\nimage = "d.img"\n')
        self.write("in.img", self.data[:BLOCK])
        os.symlink("in.img", self.path("link.img"))
        os.link(self.path("in.img"), self.path("hard.img"))
        before = {name: self.read(name) for name in os.listdir(self.directory)}
        write, read = ["disk", "write", "-d"], ["disk", "read", "-d"]
        for arguments in ([*write, "emu:?size=8M", "-i", "in.img", "--record", "in.img"],
                          [*write, "emu:?size=8M", "-i", "in.img", "--record", "link.img"],
                          [*write, "emu:?size=8M", "-i", "hard.img", "--record", "./in.img"],
                          [*read, "emu:p.toml", "-o", "p.toml"],
                          [*read, "emu:p.toml", "-o", "d.img"],
                          [*read, "emu:d.img?ro=1", "-o", "d.img"],
                          [*read, "emu:d.img", "-o", "in.img", "--record", "in.img"],
                          [*read, "emu:d.img", "-o", "new", "--record", "new"],
                          ["info", "-d", "emu:p.toml", "--record", "p.toml"],
                          ["info", "-d", "emu:p.toml", "--record", "d.img"],
                          ["info", "-d", "emu:p.toml", "--record", "-"]):
            run = self.run_program(*arguments, code=4)
            self.assertIn("name ", run.complaint)
            now = {name: self.read(name) for name in os.listdir(self.directory)}
            self.assertEqual(now, before, str(run))

    def test_json(self):
        run = self.run_program("disk", "read", "-d", self.device, "-o", "f", "--json", code=0)
        document = self.json(run)
        self.assertEqual(document["bytes"], 64 * 1024)
        self.assertNotIn("length", document)
        self.assertGreater(document["elapsed_us"], 0)
        self.assertGreater(document["mb_per_second"], 0)
        self.assertNotIn("same", document)  # nothing was compared
        run = self.run_program("disk", "read", "-d", self.device, "-o", "-", "--json", code=4)
        self.assertEqual(self.json(run)["error"]["kind"], "usage")
        run = self.run_program("disk", "read", "-d", "emu:gone", "-o", "f", "--json", code=3)
        self.assertEqual(self.json(run)["error"]["kind"], "cannot open")
        self.assertIn("gone", self.json(run)["error"]["text"])

    def test_a_reader_that_leaves(self):
        self.write("d.img", program.pattern(4 * 1024 * 1024))
        run = self.run_shell('"$PROGRAM" disk read -q -d "$DEVICE" -o - | head -c 1 >/dev/null;'
                             " echo ${PIPESTATUS[0]}", code=0)
        self.assertEqual(run.text.strip(), "5")

    def test_closed_streams(self):
        self.run_shell('"$PROGRAM" disk read -d "$DEVICE" -o f <&- >&- 2>&-', code=0)
        self.assertEqual(self.read("f"), self.data)
        self.assertEqual(self.read("d.img"), self.data)

    def test_record(self):
        self.run_program("disk", "read", "-d", self.device, "-o", "f", "--record", "r.pcapng",
                         "--audit", code=0)
        self.assertEqual(self.read("f"), self.data)
        self.assertIn("Read(10)", self.tshark("r.pcapng", "-Y", "usbms"))


    def test_a_slow_link(self):
        run = self.run_program("disk", "read", "-d", self.device, "-o", "f", "--throttle",
                               "latency=1us,rate=100MB", code=0)
        self.assertEqual(self.read("f"), self.data)
        run = self.run_program("info", "-d", self.device, "--throttle", "latency=1min", code=4)
        self.assertIn('--throttle: "latency=1min": a whole number of ns, us, ms or s',
                      run.complaint)


class Bench(UsbTwin):
    def test_it_measures(self):
        document = self.json(self.run_program("bench", "-d", "emu:?size=4M", "--seconds", "0.2",
                                              "--json", code=0))
        self.assertEqual([result["length"] for result in document["results"]],
                         [4096, 65536, 1048576])
        for result in document["results"]:
            self.assertGreater(result["commands_per_second"], 0)
            self.assertGreater(result["memcpy_mb_per_second"], 0)
            self.assertGreater(result["ratio"], 0)
            self.assertGreaterEqual(result["rounds_count"], 5)

    def test_it_leaves_an_image_alone(self):
        run = self.run_program("bench", "-d", self.device, "--seconds", "0.1", code=0)
        self.assertIn("random 4 KiB", run.text)
        self.assertIn("sequential 64 KiB", run.text)
        self.assertNotIn("1 MiB", run.text)  # the disk is smaller than one read
        self.assertEqual(self.read("d.img"), self.data)

    def test_a_disk_in_memory_is_filled_first(self):
        self.write("p.toml", b'[[unit]]\nsize = "2M"\n')
        for device in ["emu:?size=2M", "emu:p.toml"]:
            run = self.run_program("bench", "-d", device, "--seconds", "0.05", code=0)
            self.assertIn("filled the first 2 MiB", run.complaint)
        run = self.run_program("bench", "-d", "emu:?size=2M&ro=1", "--seconds", "0.05", code=0)
        self.assertIn("one page of zeros", run.complaint)
        run = self.run_program("bench", "-d", self.device, "--seconds", "0.05", code=0)
        self.assertEqual(run.complaint, "")

    def test_what_queueing_brings(self):
        run = self.run_program("bench", "-d", "emu:uas?size=2M", "--seconds", "0.2", "--json",
                               code=0)
        queue = self.json(run)["queue"]
        self.assertEqual((queue["length"], queue["depth"]), (4096, 32))
        self.assertGreater(queue["ratio"], 0)
        run = self.run_program("bench", "-d", "emu:uas?size=2M&speed=super", "--seconds", "0.1",
                               code=0)
        self.assertIn("UASP, 30 random reads of 4 KiB at once", run.text)
        run = self.run_program("bench", "-d", "emu:?size=2M", "--seconds", "0.1", "--json", code=0)
        self.assertNotIn("queue", self.json(run))

    def test_a_disk_too_small(self):
        self.run_program("bench", "-d", "emu:?size=512", code=4)


class Dump(UsbTwin):
    CBW = "55534243 01000000 24000000 80 00 06 12000000240000000000000000000000"

    def test_hex_from_a_pipe(self):
        run = self.run_program("dump", "--hex-input", stdin=self.CBW.encode(), code=0)
        self.assertRegex(run.text, "(?i)inquiry")
        run = self.run_program("dump", "--hex-input", "--as", "cdb", stdin=b"12 0 0 0 24 0 # it",
                               code=0)
        self.assertRegex(run.text, "(?i)inquiry")

    def test_binary_from_a_file(self):
        self.write("cbw", bytes.fromhex(self.CBW))
        for arguments in (["cbw"], ["cbw", "--as", "cbw"]):
            self.assertRegex(self.run_program("dump", *arguments, code=0).text, "(?i)inquiry")

    def test_a_capture_of_ours(self):
        self.run_program("disk", "read", "-d", self.device, "-o", "f", "--record", "r.pcap", code=0)
        text = self.run_program("dump", "r.pcap", code=0).text
        self.assertRegex(text, r"(?i)read\(10\)")

    def test_any_bytes(self):
        for length in [0, 1, 7, 512, 100000]:
            self.run_program("dump", stdin=b"\xa5" * length, code=0)
        for kind in ["setup", "descriptors", "cbw", "csw", "cdb", "sense", "inquiry", "usbmon",
                     "capture", "usbip"]:
            self.run_program("dump", "--as", kind, stdin=b"\xff" * 100, code=0)

    def test_bad_input(self):
        self.run_program("dump", "missing", code=4)
        self.run_program("dump", "--hex-input", stdin=b"zz", code=4)
        self.run_program("dump", "--as", "poem", code=4)

    def test_help_says_what_as_takes(self):
        text = " ".join(self.run_program("dump", "--help", code=0).text.split())
        for kind in ["auto,", "setup,", "cdb,", "sense,", "inquiry,", "capture,", "usbip;"]:
            self.assertIn(kind, text)


class Ports(UsbTwin):
    """On a system without virtual ports; tests/system has the others."""

    def setUp(self):
        super().setUp()
        if glob.glob("/sys/devices/platform/vhci_hcd*"):
            self.skip("this kernel has virtual ports")

    def test_a_kernel_without_virtual_ports_is_told_what_to_do(self):
        for arguments in (["attach", self.device], ["attach", "-d", self.device], ["ports"],
                          ["detach", 0], ["detach", "--all"]):
            run = self.run_program(*arguments, code=3)
            self.assertIn(f"usbtwin {arguments[0]}: this kernel has no virtual USB ports: load "
                          'them with "modprobe vhci_hcd" as root', run.complaint)
            self.assertEqual(run.out, b"")
        for verb in (["attach", self.device], ["ports"]):
            self.json(self.run_program(*verb, "--json", code=3))

    def test_a_fault_plan_is_accounted_for_all_the_same(self):
        self.write("plan.toml", b'[[fault]]\nkind = "bot.stall-data"\n')
        run = self.run_program("attach", self.device, "--faults", "plan.toml", code=3)
        self.assertIn("plan.toml:1: this bot.stall-data never happened", run.complaint)


class PortsUsage(UsbTwin):
    def test_arguments_that_make_no_sense(self):
        for arguments, complaint in (
                (["attach"], "no device"), (["attach", "emu:disk.img?speed=9"], "speed must be"),
                (["attach", self.device, "--record", self.image], "would overwrite"),
                (["detach"], "name the ports to detach, or write --all"),
                (["detach", "--all", 1], "name the ports to detach, or write --all"),
                (["detach", "x"], 'PORT must be 0 to 1000000, and not "x"')):
            run = self.run_program(*arguments, code=4)
            self.assertIn(complaint, run.complaint)

    def test_help_teaches(self):
        for verb, words in (("attach", "sudo modprobe vhci_hcd"), ("detach", "unmount it before"),
                            ("ports", "/sys/bus/usb/devices")):
            run = self.run_program(verb, "--help", code=0)
            self.assertIn(words, run.text)
            self.assertTrue(all(len(line) <= 100 for line in run.text.splitlines()), run.text)


class Sim(UsbTwin):
    def test_a_list_of_choices_that_was_edited(self):
        self.write("x.choices", b"usbtwin choices 1\ncommands 1\nsmall\n0 # of 9: no such\n")
        run = self.run_program("sim", "--replay", "x.choices", code=4)
        self.assertIn('line 4: the list has a choice "of 9: no such", and the run asks for one "of',
                      run.complaint)
        self.assertIn("nothing failed in this replay", run.complaint)

    def test_a_table_that_cannot_be_written_is_told(self):
        if not os.path.exists("/dev/full"):
            self.skip("no /dev/full")
        command = 'exec "$1" sim --commands 10 >/dev/full'
        run = subprocess.run(["sh", "-c", command, "sh", os.environ["USBTWIN"]], text=True,
                             stderr=subprocess.PIPE, check=False)
        self.assertEqual(run.returncode, 5, run.stderr)
        self.assertIn("No space left on device", run.stderr)

    def test_options_that_would_be_ignored_are_refused(self):
        for others in (["--no-faults"], ["--seed", "2"], ["--jobs", "2"]):
            self.run_program("sim", "--exhaustive", *others, code=4)
        self.run_program("sim", "--jobs", "-3", code=4)
        run = self.run_program("sim", "--foo", "bar", code=4)
        self.assertIn('"--foo" is no option or argument here', run.complaint)


class Usage(UsbTwin):
    def test_help(self):
        run = self.run_program("--help", code=0)
        for part in ["info", "disk", "bench", "dump", "Examples:", "Exit status:", "emu:disk.img"]:
            self.assertIn(part, run.text)
        for verb in (["info"], ["disk"], ["disk", "read"], ["disk", "write"], ["disk", "verify"],
                     ["bench"], ["dump"]):
            self.assertIn("Usage:", self.run_program(*verb, "--help", code=0).text)

    def test_version(self):
        for name in ["-V", "--version"]:
            self.assertRegex(self.run_program(name, code=0).text, r"\Ausbtwin \d+\.\d+\.\d+\n\Z")

    def test_bad_usage(self):
        for arguments in ([], ["fly"], ["disk"], ["disk", "read"], ["info"], ["info", "-d", "x"],
                          ["disk", "read", "-d", self.device], ["bench", "--seconds", "never"],
                          ["info", "-d", self.device, "--lun", "99"]):
            run = self.run_program(*arguments, code=4)
            self.assertTrue(run.complaint.startswith("usbtwin"), str(run))
            self.assertEqual(run.out, b"")

    def test_complaints_name_the_option(self):
        device = ["-d", self.device]
        for arguments, complaint in [
                ([], "usbtwin: no verb"),
                (["fly"], 'usbtwin: no verb is called "fly"'),
                (["disk"], "usbtwin disk: no verb"),
                (["info"], "usbtwin info: no device: name one with -d"),
                (["info", *device, "--lun", "99"], '--lun must be 0 to 15, and not "99"'),
                (["info", *device, "--lun", "1.5"], '--lun does not take the value "1.5"'),
                (["info", *device, "--lun"], "--lun needs a value"),
                (["info", *device, *device], "--device is given more than once"),
                (["info", *device, "--fly"], '"--fly" is no option'),
                (["info", "-d", ""], "--device is empty"),
                (["info", *device, "--detach-kernel", "--no-detach"], "contradict each other"),
                (["disk", "read", *device], "--outfile is missing"),
                (["disk", "read", *device, "-o", "f", "--count", ""], "--count is empty"),
                (["bench", *device, "--seconds", "x"], "--seconds must be 0.05 to 3600"),
                (["dump", "--as", "poem"], "--as must be auto, ")]:
            run = self.run_program(*arguments, code=4)
            self.assertIn(complaint, run.complaint)
            self.assertIn("--help", run.complaint)
            self.assertEqual(run.out, b"")
            if arguments:
                document = self.json(self.run_program(*arguments, "--json", code=4))
                self.assertEqual(document["error"]["kind"], "usage", str(arguments))

    def test_what_no_controller_can_present(self):
        """Refused before a controller is looked for, so on every machine."""
        self.write("link.toml", b'[[fault]]\nkind = "bot.wrong-tag"\n')
        for arguments, code, complaint in [
                (["emu:?size=1M&speed=super"], 3, "a device at super speed cannot be presented"),
                (["1234:5678"], 4, "only emulated devices"),
                (["usbip://127.0.0.1/1-1"], 4, "only emulated devices"),
                (["emu:no-such.toml"], 3, "no-such.toml"),
                ([self.device, "--faults", "link.toml"], 4, "link.toml:1: bot.wrong-tag is played"),
                ([self.device, "--faults", "no-such.toml"], 5, "no-such.toml")]:
            run = self.run_program("gadget", *arguments, "--udc", "none", code=code)
            self.assertIn(complaint, run.complaint)
            self.assertEqual(run.out, b"")
            document = self.json(self.run_program("gadget", *arguments, "--json", code=code))
            self.assertEqual(document["exit_status"], code)

    def test_a_record_that_cannot_be_made(self):
        run = self.run_program("info", "-d", self.device, "--record", "no/such/t.pcap", code=4)
        self.assertIn("no/such/t.pcap", run.complaint)

    @unittest.skipIf(not os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_disk(self):
        for verb in ["info", "bench --seconds 0.05"]:
            self.run_shell(f'"$PROGRAM" {verb} -d "$DEVICE" >/dev/full', code=5)
        self.run_program("disk", "read", "-d", self.device, "-o", "/dev/full", code=5)
        self.run_program("info", "-d", self.device, "--record", "/dev/full", code=5)


if __name__ == "__main__":
    program.main()
