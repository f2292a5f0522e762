"""usbtwin conform: twins keep to their standards, and a defect fails the cases about it."""
import html.parser
import unittest

import program
from server import Served

PLAN = b"""[[fault]]
kind = "%s"
probability = 1.0
"""
QUIRK = b"""[[unit]]
size = "4M"
[[function]]
kind = "bot"
quirks = ["%s"]
"""
WRITERS = ["write6", "write10", "write12", "write16", "write-forced", "write-verify",
           "compare-equal", "compare-other", "or-write", "write-same", "unmap", "write-same-unmap"]
WITH_RESIDUE = ["case-01", "case-04", "case-05", "case-06", "case-09", "case-11", "case-12"]


class Conform(program.Case):
    program = "USBTWIN"

    def failed(self, suite, device, *arguments):
        """The names of the cases that failed, in order."""
        run = self.run_program("conform", suite, "-d", device, "--destructive", "--json",
                               *arguments)
        document = self.json(run)
        names = [result["case"] for result in document["results"] if result["verdict"] == "fail"]
        self.assertEqual(document["failed"], len(names))
        self.assertEqual(run.code, 1 if names else 0, str(run))
        return names


class Twins(Conform):
    def test_a_twin_passes_at_each_speed(self):
        for speed in ["full", "high", "super"]:
            self.write("p.toml", b'speed = "%s"\n[[unit]]\nsize = "4M"\n' % speed.encode())
            run = self.run_program("conform", "all", "-d", "emu:p.toml", "--destructive", code=0)
            self.assertIn("102 passed, 0 failed, 1 skipped", run.text)

    def test_a_uasp_twin_passes_with_and_without_streams(self):
        for speed, summary in [("high", "49 passed, 0 failed, 1 skipped"),
                               ("super", "48 passed, 0 failed, 2 skipped")]:
            device = f"emu:uas?size=4M&speed={speed}"
            run = self.run_program("conform", "uasp", "-d", device, "--destructive", code=0)
            self.assertIn(summary, run.text)
        self.run_program("conform", "scsi", "-d", "emu:uas?size=4M", "--destructive", code=0)
        self.run_program("conform", "bot", "-d", "emu:uas?size=4M", "--destructive", code=0)
        self.run_program("conform", "uasp", "-d", self.device, code=3)

    def test_the_image_is_as_it_was(self):
        self.run_program("conform", "all", "-d", self.device, "--destructive", code=0)
        self.assertEqual(self.read("d.img"), self.data)

    def test_nothing_is_written_unless_it_may_be(self):
        run = self.run_program("conform", "all", "-d", self.device, "--record", "t.pcapng", code=0)
        self.assertIn("it writes: --destructive allows that", run.text)
        wrappers = self.read("t.pcapng").split(b"USBC")[1:]
        opcodes = {wrapper[11] for wrapper in wrappers}
        self.assertIn(0x28, opcodes)  # READ(10)
        self.assertFalse(opcodes & {0x0a, 0x2a, 0xaa, 0x8a})  # each WRITE

    def test_a_disk_of_large_blocks_without_write_permission(self):
        self.write("p.toml", b'[[unit]]\nsize = "4M"\nblock_size = 4096\nread_only = true\n')
        run = self.run_program("conform", "all", "-d", "emu:p.toml", "--destructive", code=0)
        self.assertIn("the medium is write-protected", run.text)


class Defects(Conform):
    def test_each_quirk_fails_its_cases(self):
        for quirk, names in [("wrong_tag", ["tags"]), ("odd_signature", ["status-signature"]),
                             ("wrong_residue", WITH_RESIDUE), ("max_lun_stall", [])]:
            self.write("p.toml", QUIRK % quirk.encode())
            self.assertEqual(self.failed("bot", "emu:p.toml"), names, quirk)

    def test_each_fault_fails_its_cases(self):
        for kind, suite, names in [
                ("bot.residue-lie", "bot", ["case-05", "case-06", "case-11", "case-12"]),
                ("bot.stall-data", "bot", []),
                ("scsi.lying-capacity", "scsi", ["read-across"]),
                ("store.write-error", "scsi", WRITERS)]:
            self.write("plan.toml", PLAN % kind.encode())
            self.assertEqual(
                self.failed(suite, "emu:?size=4M", "--faults", "plan.toml", "--timeout-ms", "500"),
                names, kind)

    def test_a_device_that_is_not_ready_fails_and_says_so(self):
        self.write("plan.toml", PLAN % b"bot.no-status")
        run = self.run_program("conform", "bot", "--only", "tags", "-d", "emu:?size=4M", "--faults",
                               "plan.toml", "--timeout-ms", "50", code=1)
        self.assertIn("before the case: TEST UNIT READY: the status phase ended", run.text)


class Report(Conform):
    def test_the_list_needs_no_device(self):
        run = self.run_program("conform", "all", "--list", code=0)
        self.assertEqual(run.complaint, "")
        self.assertIn("case-13", run.text)
        self.assertIn("(writes)", run.text)

    def test_one_case_alone(self):
        run = self.run_program("conform", "bot", "-d", self.device, "--only", "tags", "--only",
                               "case-05", code=0)
        self.assertIn("2 passed, 0 failed, 0 skipped", run.text)
        run = self.run_program("conform", "bot", "-d", self.device, "--only", "case-14", code=4)
        self.assertIn('no case of this suite is called "case-14"', run.complaint)

    def test_html(self):
        self.write("p.toml", b'[device]\nproduct = "<b>&"\n' + QUIRK % b"wrong_tag")
        self.run_program("conform", "bot", "-d", "emu:p.toml", "--html", "r.html", code=1)
        page = self.read("r.html").decode()
        self.assertIn("&lt;b&gt;&amp;", page)
        self.assertNotIn("<b>", page)
        self.assertNotIn("http", page)  # it needs nothing but itself
        rows = []
        parser = html.parser.HTMLParser()
        parser.handle_starttag = lambda tag, attributes: rows.append(tag)
        parser.feed(page)
        self.assertEqual(rows.count("tr"), 1 + 37)

    def test_usage(self):
        self.run_program("conform", "-d", self.device, code=4)
        self.run_program("conform", "usb", "-d", self.device, code=4)
        run = self.run_program("conform", "bot", code=4)
        self.assertIn("no device", run.complaint)
        self.run_program("conform", "bot", "-d", "emu:/nonexistent", code=3)


class Far(Served):
    def test_a_device_of_a_server_passes(self):
        self.serve()
        run = self.run_program("conform", "all", "-d", self.far(), "--destructive", code=0)
        self.assertIn("101 passed, 0 failed, 2 skipped", run.text)


if __name__ == "__main__":
    program.main()
