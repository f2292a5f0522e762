"""usb_sgraw as its users run it: over images, in pipes, from udev, with sg_raw's arguments."""
import json
import os

import program
from program import BLOCK, INQUIRY, READY, SgRaw, read10, write10


class DataIn(SgRaw):
    def test_inquiry_as_hex(self):
        run = self.sgraw("--cdb", INQUIRY, "--din", 36, "--hex", code=0)
        lines = run.text.splitlines()
        self.assertEqual(len(lines), 3, str(run))
        self.assertTrue(lines[0].startswith("00000000  00 "), str(run))
        self.assertTrue(lines[2].startswith("00000020  "), str(run))
        self.assertIn("USBTWIN |", run.text)
        self.assertIn("SCSI Status: Good", run.complaint)
        self.assertIn("Received 36 bytes", run.complaint)

    def test_data_is_binary_in_a_pipe(self):
        run = self.sgraw("--cdb", read10(3, 2), "--din", 2 * BLOCK, code=0)
        self.assertEqual(run.out, self.data[3 * BLOCK:5 * BLOCK])

    def test_data_is_a_hex_dump_on_a_terminal(self):
        run = self.run_terminal("-d", self.device, "--cdb", INQUIRY, "--din", 36)
        self.assertTrue(run.text.startswith("00000000  "), str(run))

    def test_binary_holds_on_a_terminal_too(self):
        run = self.run_terminal("-d", self.device, "--cdb", read10(0, 1), "--din", BLOCK, "-b")
        self.assertNotIn("00000000  ", run.text)
        self.assertIn("block 00000000", run.text)

    def test_data_goes_to_a_file(self):
        for index, name in enumerate(["-o", "--outfile", "--dout-file", "--din-file"]):
            run = self.sgraw("--cdb", read10(index, 1), "--din", BLOCK, name, "b.bin", code=0)
            self.assertEqual(run.out, b"", str(run))
            self.assertEqual(self.read("b.bin"), self.data[index * BLOCK:(index + 1) * BLOCK])

    def test_a_shorter_result_leaves_nothing_of_the_old_file(self):
        self.write("b.bin", b"x" * 4096)
        self.sgraw("--cdb", read10(0, 1), "--din", BLOCK, "-o", "b.bin", code=0)
        self.assertEqual(self.read("b.bin"), self.data[:BLOCK])

    def test_a_failed_command_leaves_the_old_file_and_makes_no_new_one(self):
        self.write("old.bin", b"precious")
        bad = read10(0xffffffff, 1)
        self.sgraw("--cdb", bad, "--din", BLOCK, "-o", "old.bin", code=2)
        self.assertEqual(self.read("old.bin"), b"precious")
        self.sgraw("--cdb", bad, "--din", BLOCK, "-o", "new.bin", code=2)
        self.assertFalse(self.exists("new.bin"))

    def test_dash_is_binary_standard_output(self):
        run = self.sgraw("--cdb", read10(0, 1), "--din", BLOCK, "-o", "-", code=0)
        self.assertEqual(run.out, self.data[:BLOCK])

    def test_hex_with_a_file_does_both(self):
        run = self.sgraw("--cdb", read10(0, 1), "--din", BLOCK, "-o", "b", "--hex", code=0)
        self.assertEqual(self.read("b"), self.data[:BLOCK])
        self.assertEqual(len(run.text.splitlines()), BLOCK // 16)

    def test_a_short_answer_is_told(self):
        run = self.sgraw("--cdb", "12 00 00 00 ff 00", "--din", 255, code=0)
        self.assertLess(len(run.out), 255)
        self.assertGreaterEqual(len(run.out), 36)
        self.assertIn(f"Received {len(run.out)} of 255 bytes", run.complaint)

    def test_sizes_have_suffixes(self):
        for size in ["1k", "0x400", "400h", "2b", "1K"]:
            run = self.sgraw("--cdb", read10(0, 2), "--din", size, code=0)
            self.assertEqual(run.out, self.data[:1024], size)

    def test_no_data_at_all(self):
        run = self.sgraw("--cdb", READY, code=0)
        self.assertEqual(run.out, b"")
        self.assertIn("SCSI Status: Good", run.complaint)

    def test_megabytes_in_one_command(self):
        data = program.pattern(4 * 1024 * 1024, seed=7)
        self.write("d.img", data)
        run = self.sgraw("--cdb", read10(0, 8192), "--din", "4M", code=0)
        self.assertEqual(run.out, data)


class DataOut(SgRaw):
    def block(self, seed=9):
        return program.pattern(BLOCK, seed)

    def test_a_file_is_written_whole(self):
        self.write("new", self.block())
        run = self.sgraw("--cdb", write10(5, 1), "--dout", "new", code=0)
        self.assertEqual(run.out, b"")
        self.data = self.data[:5 * BLOCK] + self.block() + self.data[6 * BLOCK:]
        self.assertEqual(self.read("d.img"), self.data)

    def test_standard_input_is_sent(self):
        for index, arguments in enumerate([["--dout", "-"], ["-s", BLOCK], ["--send", "512"],
                                           ["-s", BLOCK, "-i", "-"], ["-i", "-"]]):
            self.sgraw("--cdb", write10(index, 1), *arguments, stdin=self.block(index), code=0)
            self.assertEqual(self.read("d.img")[index * BLOCK:(index + 1) * BLOCK],
                             self.block(index), arguments)

    def test_a_part_of_a_file_is_sent(self):
        self.write("long", b"h" * 100 + self.block() + b"t" * 100)
        self.sgraw("-s", BLOCK, "-i", "long", "-k", 100, *write10(1, 1).split(), code=0)
        self.assertEqual(self.read("d.img")[BLOCK:2 * BLOCK], self.block())

    def test_a_part_of_a_pipe_is_sent(self):
        run = self.run_shell("(head -c 100 /dev/zero; cat new; cat new) |"
                             f' "$PROGRAM" -d "$DEVICE" -s 512 --skip 100 {write10(1, 1)}'
                             if self.write("new", self.block()) else "", code=0)
        self.assertEqual(self.read("d.img")[BLOCK:2 * BLOCK], self.block(), str(run))

    def test_a_pipe_that_ends_early_sends_nothing(self):
        run = self.sgraw("--cdb", write10(1, 1), "-s", BLOCK, stdin=b"short", code=5)
        self.assertIn("ended after 5 of 512 bytes", run.complaint)
        self.assertEqual(self.read("d.img"), self.data)
        self.sgraw("--cdb", write10(1, 1), "-s", BLOCK, "--exit-status=sg3", stdin=b"s", code=15)

    def test_an_empty_file_is_refused(self):
        self.write("empty", b"")
        run = self.sgraw("--cdb", write10(1, 1), "--dout", "empty", code=4)
        self.assertIn("holds no data", run.complaint)

    def test_a_missing_file_is_refused(self):
        run = self.sgraw("--cdb", write10(1, 1), "--dout", "nowhere", code=4)
        self.assertIn("nowhere: No such file", run.complaint)
        self.sgraw("--cdb", write10(1, 1), "--dout", "x", "--exit-status=sg3", code=15)

    def test_a_write_protected_disk_says_so(self):
        self.device += "?ro=1"
        self.write("new", self.block())
        run = self.sgraw("--cdb", write10(5, 1), "--dout", "new", code=2)
        self.assertIn("(07/27/00)", run.complaint)
        self.assertIn("Data Protect", run.complaint)
        self.sgraw("--cdb", write10(5, 1), "--dout", "new", "--exit-status=sg3", code=7)
        self.assertEqual(self.read("d.img"), self.data)


class Commands(SgRaw):
    def test_trailing_bytes_as_sg_raw_has_them(self):
        for arguments in (["-r", 36, *INQUIRY.split()],
                          [*INQUIRY.split(), "-r", 36],
                          ["--request=36", "0x12", "0", "0x0", "0", "24", "0"]):
            run = self.sgraw(*arguments, code=0)
            self.assertEqual(len(run.out), 36, arguments)

    def test_the_first_argument_may_be_the_device(self):
        run = self.run_program(self.device, "-r", 36, *INQUIRY.split(), code=0)
        self.assertEqual(len(run.out), 36)

    def test_a_hex_file_has_comments(self):
        self.write("inquiry.txt", b"# standard INQUIRY\n12 00 00\n00 24 00  # 36 bytes\n")
        for name in ["-c", "--cmdfile"]:
            self.assertEqual(len(self.sgraw(name, "inquiry.txt", "-r", 36, code=0).out), 36)
        run = self.sgraw("-c", "-", "-r", 36, stdin=INQUIRY.encode(), code=0)
        self.assertEqual(len(run.out), 36)

    def test_a_binary_file(self):
        self.write("inquiry.bin", bytes.fromhex(INQUIRY))
        for name in ["-w", "--raw"]:
            self.assertEqual(len(self.sgraw(name, "inquiry.bin", "-r", 36, code=0).out), 36)

    def test_bad_command_files(self):
        self.write("empty", b"")
        self.write("bad", b"12 zz")
        self.assertIn("holds no command", self.sgraw("-c", "empty", code=4).complaint)
        self.assertIn("holds no command", self.sgraw("-c", "bad", code=4).complaint)
        self.assertIn("is empty", self.sgraw("-w", "empty", code=4).complaint)
        self.assertIn("No such file", self.sgraw("-c", "nowhere", code=4).complaint)

    def test_bad_hex(self):
        self.assertIn("zz", self.sgraw("--cdb", "zz", code=4).complaint)

    def test_seventeen_bytes_do_not_fit(self):
        run = self.sgraw("--cdb", "00 " * 17, code=4)
        self.assertIn("17", run.complaint)
        self.assertIn("16", run.complaint)

    def test_seven_bytes_fit(self):
        run = self.sgraw("--cdb", "ea 00 00 00 00 00 01", code=2)
        self.assertIn("(05/20/00)", run.complaint)

    def test_enumerate_sends_nothing(self):
        run = self.run_program("-e", *read10(8, 2).split(), code=0)
        self.assertIn("Read(10)", run.text)
        self.assertRegex(run.text, r"lba +8\n")
        self.assertRegex(run.text, r"blocks +2\n")
        self.run_program("--enumerate", "-d", "emu:/nonexistent", "--cdb", INQUIRY, code=0)
        document = self.json(self.run_program("-e", "--json", "--cdb", "zz ff"[3:], code=0))
        self.assertFalse(document["known"])

    def test_both_directions_are_refused(self):
        run = self.sgraw("--cdb", INQUIRY, "--din", 36, "--dout", "d.img", code=4)
        self.assertIn("one way only", run.complaint)

    def test_transports(self):
        for arguments in (["--bot"], ["--auto"], ["--transport", "bot"], ["--transport=auto"]):
            self.sgraw("--cdb", READY, *arguments, code=0)
        for arguments in (["--uasp"], ["--transport", "uasp"]):
            self.sgraw("--cdb", READY, *arguments, code=3)

    def test_uasp_and_bot_give_the_same_answers(self):
        for speed in ("high", "super"):
            device = f"emu:uas?size=1M&speed={speed}"
            for cdb, length in ((INQUIRY, 36), ("25" + " 00" * 9, 8),
                                (read10(3, 2), 1024),
                                (read10(0xffffffff, 1), 512), ("fe" + " 00" * 15, 16)):
                runs = [self.run_program("-d", device, "--cdb", cdb, "--din", length, way)
                        for way in ("--bot", "--uasp", "--auto")]
                self.assertEqual([(run.code, run.out, run.complaint) for run in runs],
                                 [(runs[0].code, runs[0].out, runs[0].complaint)] * 3)

    def test_interfaces(self):
        self.sgraw("--cdb", READY, "--ifnum", 0, code=0)
        run = self.sgraw("--cdb", READY, "--ifnum", 5, code=3)
        self.assertIn("5", run.complaint)

    def test_harmless_flags(self):
        self.sgraw("-R", "--no-detach", "--audit", "-t", 5, "--cdb", READY, code=0)
        self.sgraw("--detach-kernel", "--timeout-ms", 5000, "--cdb", READY, code=0)
        self.sgraw("--ignore-residue", "--tmo", 5, "--lun", 0, "--cdb", READY, code=0)


class Failures(SgRaw):
    def test_out_of_range_is_named(self):
        run = self.sgraw("--cdb", "28 00 ff ff ff ff 00 00 01 00", "--din", 512, code=2)
        self.assertIn("SCSI Status: Check Condition", run.complaint)
        self.assertIn("Illegal Request", run.complaint)
        self.assertIn("(05/21/00)", run.complaint)
        self.assertRegex(run.complaint, r"Sense bytes: [f7]0 00 05 ")
        self.assertEqual(run.out, b"")
        self.sgraw("--cdb", read10(0xffffffff, 1), "--din", 512, "--exit-status=sg3", code=22)

    def test_a_missing_image_is_exit_3(self):
        run = self.run_program("-d", "emu:/nonexistent", "--cdb", INQUIRY, "--din", 36, code=3)
        self.assertIn("/nonexistent", run.complaint)
        self.run_program("-d", "emu:/nonexistent", "--exit-status=sg3", "--cdb", READY, code=15)

    def test_what_this_build_cannot_open(self):
        for device in ["replay:t.pcapng", "sg:/dev/sdz"]:
            run = self.run_program("-d", device, "--cdb", READY)
            self.assertEqual(run.code, 3, str(run))
            self.assertIn("emu:", run.complaint, device)

    def test_bad_arguments_are_exit_4(self):
        for arguments in ([], ["--cdb", "00"], ["-d", "nonsense", "--cdb", "00"], ["--frobnicate"],
                          ["-d", self.device], ["-d", self.device, "--din", "x", "00"]):
            run = self.run_program(*arguments, code=4)
            self.assertIn("usb_sgraw", run.complaint)
            self.assertEqual(run.out, b"")
        self.run_program("--exit-status=sg3", "-d", "nonsense", "00", code=1)
        self.sgraw("--exit-status=sg3", "--cdb", "00", "--hex", "-b", code=31)

        self.sgraw("--exit-status=sg3", "--cdb", INQUIRY, "-o", "a", "-o", "b", code=31)

    def test_an_option_that_ends_where_its_value_begins_takes_no_other_word(self):
        for option in ["--dout-file=", "--record=", "--exit-status=", "--cdb=", "--device="]:
            run = self.sgraw(option, "--quiet", "--cdb", INQUIRY, "--din", 36, code=4)
            self.assertIn(option[:-1] + " is empty", run.complaint)
            self.assertFalse(self.exists("--quiet"))

    def test_a_switch_takes_no_value(self):
        for option in ["--quiet=false", "--hex=no", "--json=0"]:
            run = self.sgraw(option, "--cdb", READY, code=4)
            self.assertIn(option.split("=")[0] + " takes no value", run.complaint)

    def test_too_little_memory_is_told_in_json_too(self):
        if os.environ.get("SANITIZED"):
            self.skip("sanitizers need more address space than the case leaves")
        run = self.run_shell('ulimit -v 400000; "$PROGRAM" -d "emu:?size=1G" --json --din 256M '
                             '--cdb "a8 00 00 00 00 00 00 08 00 00 00 00"', code=5)
        self.assertIn("not enough memory", run.complaint)
        self.assertIn("not enough memory", json.loads(run.text)["error"]["text"])

    def test_an_output_that_cannot_be_made_sends_nothing(self):
        run = self.sgraw("--cdb", INQUIRY, "--din", 36, "-o", "no/such/file", code=4)
        self.assertIn("cannot create", run.complaint)

    def test_a_full_disk_is_exit_5(self):
        if not os.path.exists("/dev/full"):
            self.skip("no /dev/full")
        run = self.sgraw("--cdb", INQUIRY, "--din", 36, "-o", "/dev/full", code=5)
        self.assertIn("No space left", run.complaint)
        self.run_shell(f'"$PROGRAM" -d "$DEVICE" --cdb "{INQUIRY}" --din 36 >/dev/full', code=5)

    def test_an_attention_from_before_is_passed_over_or_reported(self):
        run = self.sgraw("--cdb", READY, "-v", code=0)
        self.assertIn("1 unit attention from before", run.complaint)
        run = self.sgraw("--cdb", READY, "--attention", code=2)
        self.assertIn("(06/29/", run.complaint)
        self.sgraw("--cdb", READY, "--attention", "--exit-status=sg3", code=6)

    def test_a_refused_request_sense_is_explained_by_another(self):
        run = self.sgraw("--cdb", "03 00 00 00 12 04", "--din", 18, code=2)
        self.assertIn("(05/24/00)", run.complaint)

    def test_a_surplus_in_the_last_packet_leaves_the_sense_within_reach(self):
        self.write("more", b"\xff" * 512)
        run = self.sgraw("--cdb", "15 10 00 00 04 00", "--dout", "more", "-v", code=2)
        self.assertIn("Illegal Request", run.complaint)
        self.assertIn(", 0 recoveries, ", run.complaint)

    def test_an_absent_unit(self):
        run = self.sgraw("--lun", 3, "--cdb", READY, code=2)
        self.assertIn("(05/25/00)", run.complaint)
        self.sgraw("--lun", 16, "--cdb", READY, code=4)


class Messages(SgRaw):
    def test_quiet_is_silent_where_all_is_well(self):
        run = self.sgraw("--cdb", READY, "--quiet", code=0)
        self.assertEqual((run.out, run.err), (b"", b""))

    def test_quiet_tells_of_a_failure_all_the_same(self):
        run = self.sgraw("--cdb", read10(0xffffffff, 1), "--din", 512, "-q", code=2)
        self.assertEqual(run.out, b"")
        self.assertRegex(run.complaint, r"\Ausb_sgraw: Check Condition: .*\(05/21/00\).*\n\Z")
        run = self.sgraw("--cdb", read10(0xffffffff, 1), "--din", 512, "-q", "-n", code=2)
        self.assertEqual(run.complaint, "usb_sgraw: Check Condition\n")

    def test_sense_speaks_through_quiet(self):
        run = self.sgraw("--cdb", read10(0xffffffff, 1), "--din", 512, "-q", "--sense", code=2)
        self.assertIn("(05/21/00)", run.complaint)
        self.assertNotIn("SCSI Status", run.complaint)

    def test_nosense_hides_it(self):
        for name in ["-n", "--nosense"]:
            run = self.sgraw("--cdb", read10(0xffffffff, 1), "--din", 512, name, code=2)
            self.assertIn("SCSI Status: Check Condition", run.complaint)
            self.assertNotIn("21/00", run.complaint)

    def test_verbose_counts(self):
        run = self.sgraw("--cdb", INQUIRY, "--din", 36, "-v", code=0)
        self.assertIn("36 bytes on the wire, residue 0, 0 recoveries", run.complaint)
        self.sgraw("--cdb", INQUIRY, "--din", 36, "-vv", code=0)

    def test_help_and_version(self):
        for name in ["-h", "--help"]:
            run = self.run_program(name, code=0)
            self.assertIn("Exit status:", run.text)
            self.assertIn("Examples:", run.text)
            self.assertEqual(run.err, b"")
        run = self.run_program("-V", code=0)
        self.assertRegex(run.text, r"\Ausb_sgraw \d+\.\d+\.\d+\n\Z")

    def test_json(self):
        document = self.json(self.sgraw("--json", "--cdb", INQUIRY, "--din", 36, code=0))
        self.assertEqual(document["exit_status"], 0)
        self.assertEqual(document["outcome"], "completed")
        self.assertEqual(document["scsi_status"], 0)
        self.assertEqual(document["data_in"]["length"], 36)
        self.assertEqual(len(bytes.fromhex(document["data_in"]["hex"])), 36)
        self.assertIsNone(document["sense"])
        self.assertIsNone(document["error"])

    def test_json_of_a_check_condition(self):
        run = self.sgraw("--json", "--cdb", read10(0xffffffff, 1), "--din", 512, code=2)
        document = self.json(run)
        self.assertEqual((document["scsi_status"], document["exit_status"]), (2, 2))
        sense = document["sense"]
        self.assertEqual((sense["key"], sense["asc"], sense["ascq"]), (5, 0x21, 0))
        self.assertEqual(sense["key_text"], "Illegal Request")
        self.assertEqual(document["data_in"]["length"], 0)
        self.assertEqual(run.err, b"")

    def test_json_of_failures(self):
        run = self.run_program("-d", "emu:/nonexistent", "--json", "--cdb", READY, code=3)
        self.assertEqual(self.json(run)["outcome"], "cannot open")
        self.assertIn("/nonexistent", self.json(run)["error"]["text"])
        run = self.sgraw("--json", "--cdb", "2a 00", "--dout", "nowhere", code=4)
        self.assertEqual(self.json(run)["exit_status"], 4)

    def test_json_of_a_transport_that_broke_claims_no_counts(self):
        self.write("p.toml", b'[[unit]]\nsize = "1M"\n[[function]]\nquirks = ["odd_signature"]\n')
        run = self.run_program("-d", "emu:p.toml", "--json", "--cdb", INQUIRY, "--din", 36, code=3)
        document = self.json(run)
        for key in ["length_wire", "residue", "recoveries", "scsi_status"]:
            self.assertIsNone(document[key], key)
        self.assertEqual(document["error"]["kind"], "protocol error")
        self.assertIn("CSW signature 55425355h, expected 53425355h", document["error"]["text"])

    def test_json_of_bad_arguments(self):
        for arguments in (["--frobnicate"], ["--cdb", "zz"], ["--cdb", READY, "--din", ""], []):
            run = self.sgraw("--json", *arguments, code=4)
            document = self.json(run)
            self.assertEqual(document["error"]["kind"], "usage")
            self.assertIn(document["error"]["text"], run.complaint)
            self.assertEqual(document["exit_status"], 4)

    def test_json_with_a_file_names_it(self):
        run = self.sgraw("--json", "--cdb", read10(0, 1), "--din", 512, "-o", "b", code=0)
        self.assertEqual(self.json(run)["data_in"]["file"], "b")
        self.assertEqual(self.read("b"), self.data[:512])


if __name__ == "__main__":
    program.main()
