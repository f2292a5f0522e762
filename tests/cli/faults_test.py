"""Plans of faults behind both programs, and the list of what they can hold."""
import json
import os

import program
from program import BLOCK, INQUIRY, read10

PLANS = os.environ["FAULT_PLANS"]


class Faults(program.Case):
    program = "USBTWIN"

    def plan(self, name):
        return os.path.join(PLANS, name)

    def write_plan(self, text):
        return self.write("plan.toml", text.encode())

    def sgraw(self, plan, *arguments, **options):
        kept, self.program = self.program, "USB_SGRAW"
        try:
            return self.run_program("-d", self.device, "--faults", plan, *arguments, **options)
        finally:
            self.program = kept

    def faults(self, document):
        return {one["kind"]: (one["injected"], one["observed"]) for one in document["faults"]}

    def large(self):
        """A disk of several commands, and the bytes for it."""
        self.write("d.img", program.pattern(8 << 20, seed=2))
        return program.pattern(8 << 20, seed=3)


class SgRaw(Faults):
    def test_a_stall_in_the_data_is_recovered_and_said(self):
        run = self.sgraw(self.plan("stall-data-once.toml"), "--cdb", INQUIRY, "--din", 36, "--hex",
                         "--verbose", code=0)
        self.assertIn("USBTWIN |", run.text)
        self.assertIn("fault bot.stall-data: played 1, observed 1\n", run.complaint)
        self.assertIn("\nrecovered by: clear halt\n", run.complaint)

    def test_only_verbose_tells_and_json_always(self):
        plan = self.plan("stall-data-once.toml")
        run = self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertNotIn("fault", run.complaint)
        document = self.json(self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "--json", code=0))
        self.assertEqual(document["highest_rung"], "clear halt")
        self.assertEqual(document["faults"], [{"kind": "bot.stall-data", "injected": 1,
                                               "observed": 1, "never_happened": [],
                                               "never_observed": []}])

    def test_what_never_happened_is_a_warning(self):
        plan = self.write_plan('[[fault]]\nkind = "bot.wrong-tag"\nopcode = 0x2a\n')
        warning = f"usb_sgraw: warning: {plan}:1: this bot.wrong-tag never happened\n"
        run = self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertIn(warning, run.complaint)
        run = self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "--quiet", code=0)
        self.assertEqual(run.complaint, "")
        document = self.json(self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "--json", code=0))
        self.assertEqual(document["faults"][0]["never_happened"], [plan + ":1"])
        self.assertIsNone(document["highest_rung"])

    def test_what_the_host_never_noticed_is_a_warning(self):
        # A bit behind the command block, which means nothing.
        plan = self.write_plan('[[fault]]\nkind = "usb.corrupt-out"\nopcode = 18\nvalue = 240\n')
        warning = f"{plan}:1: the host noticed nothing of this usb.corrupt-out\n"
        run = self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "-v", code=0)
        self.assertIn("usb_sgraw: warning: " + warning, run.complaint)
        self.assertIn("fault usb.corrupt-out: played 1, observed 0\n", run.complaint)
        document = self.json(self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "--json", code=0))
        self.assertEqual(document["faults"][0]["never_observed"], [plan + ":1"])
        self.program = "USBTWIN"
        run = self.run_program("info", "-d", self.device, "--faults", plan, code=0)
        self.assertIn("usbtwin: warning: " + warning, run.complaint)

    def test_a_lie_waits_for_an_answer(self):
        # The first command after power on is refused, so there was nothing to lie about.
        plan = self.write_plan('[[fault]]\nkind = "scsi.lying-capacity"\n')
        run = self.sgraw(plan, "--cdb", "25" + " 00" * 9, "--din", 8, "--json", code=0)
        self.assertEqual(self.faults(self.json(run)), {"scsi.lying-capacity": (1, 1)})
        last = int(self.json(run)["data_in"]["hex"].replace(" ", "")[:8], 16)
        self.assertEqual(last + 1, 2 * len(self.data) // BLOCK)

    def test_a_fault_that_nothing_mends_is_told_with_the_error(self):
        plan = self.write_plan('[[fault]]\nkind = "usb.fault"\nopcode = 0x12\none_in = 1\n')
        run = self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "-v", code=3)
        self.assertRegex(run.complaint, r"fault usb.fault: played \d+, observed \d+\n")
        self.assertRegex(run.complaint, "recovery went as far as: bulk-only reset\n")
        document = self.json(self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "--json", code=3))
        self.assertGreater(self.faults(document)["usb.fault"][1], 0)

    def test_an_opening_that_fails_is_told_too(self):
        plan = self.write_plan('[[fault]]\nkind = "port.open-fails"\n')
        run = self.sgraw(plan, "--cdb", INQUIRY, "--din", 36, "-v", code=3)
        self.assertIn("the device cannot be opened", run.complaint)
        self.assertIn("fault port.open-fails: played 1, observed 1\n", run.complaint)

    def test_a_disk_that_dies(self):
        plan = self.plan("dying-disk.toml")
        run = self.sgraw(plan, "--cdb", read10(101, 1), "--din", BLOCK, "-v", code=2)
        self.assertIn("Medium Error, Unrecovered read error (03/11/00), information 101",
                      run.complaint)
        run = self.sgraw(plan, "--cdb", read10(99, 1), "--din", BLOCK, code=0)
        self.assertEqual(run.out, self.data[99 * BLOCK:100 * BLOCK])

    def test_plans_that_cannot_be_read(self):
        for text, complaint in (('[[fault]]\nkind = "bot.x"\n', ":2: key 'fault.kind'"),
                                ("", "0 tables [[fault]]")):
            run = self.sgraw(self.write_plan(text), "--cdb", INQUIRY, "--din", 36, code=4)
            self.assertIn(complaint, run.complaint)
            self.assertEqual(run.out, b"")
        self.sgraw(self.path("none.toml"), "--cdb", INQUIRY, "--din", 36, code=4)
        run = self.sgraw("", "--cdb", INQUIRY, "--din", 36, code=4)
        self.assertIn("--faults", run.complaint)

    def test_what_begins_inside_a_twin_needs_one(self):
        self.device = "1234:5678"
        run = self.sgraw(self.plan("dying-disk.toml"), "--cdb", INQUIRY, "--din", 36, code=4)
        self.assertIn("scsi.medium-error begins inside an emulated device, and 1234:5678 is none",
                      run.complaint)
        run = self.sgraw(self.plan("stall-data-once.toml"), "--cdb", INQUIRY, "--din", 36, code=3)
        self.assertIn("there is no USB device 1234:5678", run.complaint)

    def test_a_capture_shows_what_the_host_saw(self):
        self.sgraw(self.plan("stall-data-once.toml"), "--cdb", INQUIRY, "--din", 36, "--record",
                   "t.pcapng", "--audit", code=0)
        shown = self.tshark("t.pcapng", "-Y", "usb.urb_status == -32")
        self.assertEqual(len(shown.splitlines()), 1, shown)


class Verbs(Faults):
    def test_a_bad_cable_costs_time_and_no_byte(self):
        new = self.large()
        self.write("new", new)
        run = self.run_program("disk", "write", "-d", self.device, "-i", "new", "--faults",
                               self.plan("flaky-cable.toml"), "--json", code=0)
        faults = self.faults(self.json(run))
        self.assertGreater(faults["usb.fault"][1] + faults["usb.fault-late"][1], 0)
        self.assertGreater(self.json(run)["recoveries"]["bulk-only reset"], 0)
        self.assertTrue(self.read("d.img") == new)

    def test_the_same_seed_is_the_same_run(self):
        arguments = ["disk", "read", "-d", self.device, "-o", "copy", "--faults",
                     self.plan("flaky-cable.toml")]
        first = self.run_program(*arguments, code=0)
        self.assertEqual(first.complaint, self.run_program(*arguments, code=0).complaint)
        self.assertEqual(self.read("copy"), self.data)

    def test_a_copy_of_a_dying_disk_names_the_block(self):
        run = self.run_program("disk", "read", "-d", self.device, "-o", "copy", "--faults",
                               self.plan("dying-disk.toml"), code=2)
        self.assertIn("Unrecovered read error (03/11/00)", run.complaint)
        self.assertRegex(run.complaint, r"fault scsi.medium-error: played \d, observed \d\n")
        run = self.run_program("disk", "read", "-d", self.device, "-o", "copy", "--count", 100,
                               "--faults", self.plan("dying-disk.toml"), code=0)
        self.assertEqual(self.read("copy"), self.data[:100 * BLOCK])
        self.assertIn("fault scsi.slow: played 1, observed 1\n", run.complaint)

    def test_a_write_survives_unplugging_and_its_flush_says_what_may_be_lost(self):
        new = self.large()
        self.write("new", new)
        run = self.run_program("disk", "write", "-d", self.device, "-i", "new", "--faults",
                               self.plan("unplug-while-writing.toml"), code=3)
        self.assertIn("what was written before may be lost", run.complaint)
        self.assertIn("fault port.disconnect: played 1, observed 1\n", run.complaint)
        self.assertIn("reopen 1", run.complaint)
        self.assertTrue(self.read("d.img") == new)  # this one had lost nothing

    def test_no_success_is_told_after_power_was_lost(self):
        new = self.large()
        old = self.read("d.img")
        self.write("new", new)
        run = self.run_program("disk", "write", "-d", self.device, "-i", "new", "--faults",
                               self.plan("power-loss.toml"), code=3)
        self.assertIn("what was written before may be lost", run.complaint)
        self.assertIn("fault store.power-loss: played 1, observed 1\n", run.complaint)
        found = self.read("d.img")
        lost = 0
        for place in range(0, len(found), BLOCK):
            block = found[place:place + BLOCK]
            self.assertIn(block, (old[place:place + BLOCK], new[place:place + BLOCK]))
            lost += block == old[place:place + BLOCK]
        self.assertGreater(lost, 0)

    def test_a_failure_tells_of_its_faults(self):
        plan = self.write_plan('[[fault]]\nkind = "scsi.illegal-request"\nopcode = 0x28\n')
        for arguments in (["disk", "read", "-o", "copy"], ["bench", "--seconds", "0.1"]):
            run = self.run_program(*arguments, "-d", self.device, "--faults", plan, "--json",
                                   code=2)
            document = self.json(run)
            self.assertIn("Illegal Request", document["error"]["text"])
            self.assertGreater(self.faults(document)["scsi.illegal-request"][1], 0)
            self.assertIn("recoveries", document)

    def test_faults_of_closing_are_counted(self):
        # The third request to the port gives the interface back.
        plan = self.write_plan('[[fault]]\nkind = "port.slow"\nnth = 3\ndelay_ms = 10\n')
        run = self.run_program("info", "-d", self.device, "--faults", plan, "--json", code=0)
        self.assertIn("fault port.slow: played 1, observed 1\n", run.complaint)
        self.assertEqual(self.faults(self.json(run)), {"port.slow": (1, 1)})

    def test_info_and_bench_take_a_plan(self):
        plan = self.plan("stall-data-once.toml")
        for arguments in (["info"], ["bench", "--seconds", "0.1"]):
            run = self.run_program(*arguments, "-d", "emu:?size=4M", "--faults", plan, "--json",
                                   code=0)
            self.assertEqual(self.faults(self.json(run)), {"bot.stall-data": (1, 1)})
            self.assertIn("fault bot.stall-data: played 1, observed 1\n", run.complaint)


class List(Faults):
    def kinds(self):
        return self.json(self.run_program("faults", "--json", code=0))["kinds"]

    def test_each_kind_has_a_line(self):
        run = self.run_program("faults", code=0)
        kinds = self.kinds()
        self.assertGreaterEqual(len(kinds), 40)
        self.assertEqual({kind["group"] for kind in kinds},
                         {"usb", "port", "bot", "uas", "scsi", "store"})
        lines = [line for line in run.text.splitlines() if line.startswith("  ")]
        self.assertEqual([line.split()[0] for line in lines], [kind["kind"] for kind in kinds])
        for line, kind in zip(lines, kinds):
            self.assertTrue(line.endswith(kind["text"]), line)

    def test_each_sample_is_a_plan(self):
        for kind in self.kinds():
            with self.subTest(kind["kind"]):
                plan = self.write_plan(kind["sample"])
                # The second time never comes: one command of another kind.
                run = self.sgraw(plan, "--cdb", "12 01 80 00 ff 00", "--din", 255, "--json")
                self.assertNotEqual(run.code, 4, str(run))
                self.assertEqual(list(self.faults(self.json(run))), [kind["kind"]])

    def test_one_is_explained(self):
        run = self.run_program("faults", "bot.stall-data", code=0)
        for text in ("clears the halt", "data-in, data-out", "endpoint, opcode, lun, blocks, tag",
                     "length = all", '[[fault]]\nkind = "bot.stall-data"\n'):
            self.assertIn(text, run.text)
        run = self.run_program("faults", "bot.stall-data", "--json", code=0)
        self.assertEqual([kind["kind"] for kind in self.json(run)["kinds"]], ["bot.stall-data"])

    def test_one_that_is_none(self):
        run = self.run_program("faults", "bot.stal", "--json", code=4)
        self.assertIn("known are bot.stall-command, ", self.json(run)["error"]["text"])

    def test_help_shows_a_plan_that_works(self):
        text = self.run_program("faults", "--help", code=0).text
        plan = [line for line in text.split("like this:\n")[1].splitlines()
                if line.startswith("  ")]
        run = self.sgraw(self.write_plan("\n".join(plan)), "--cdb", INQUIRY, "--din", 36, "--json",
                         code=0)
        self.assertEqual(list(self.faults(json.loads(run.out))),
                         ["bot.stall-data", "usb.corrupt-in"])


if __name__ == "__main__":
    program.main()
