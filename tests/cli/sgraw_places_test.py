"""usb_sgraw in the places udev and shells put it, with captures, and over all kinds of twins."""
import os
import subprocess

import program
from program import INQUIRY, READY, SgRaw, read10, write10


class BadPlaces(SgRaw):
    """Where udev and shells put a program."""

    def test_an_empty_environment(self):
        run = self.sgraw("--cdb", INQUIRY, "--din", 36, env={}, code=0)
        self.assertEqual(len(run.out), 36)

    def test_closed_streams(self):
        before = self.read("d.img")
        call = f'"$PROGRAM" -d "$DEVICE" --cdb "{READY}"'
        self.run_shell(f"{call} <&- >&- 2>&-", code=0)
        call = f'"$PROGRAM" -d "$DEVICE" --cdb "{INQUIRY}" --din 36'
        self.run_shell(f"{call} >&-", code=5)
        self.run_shell(f"{call} 2>&-", code=0)
        self.run_shell(f"{call} -o f <&- >&- 2>&-", code=0)
        self.assertEqual(len(self.read("f")), 36)
        self.run_shell(f'"$PROGRAM" -d "$DEVICE" -s 512 {write10(0, 1)} <&-', code=5)
        self.run_shell('"$PROGRAM" --help >&-', code=5)
        self.assertEqual(self.read("d.img"), before)

    def test_a_reader_that_leaves(self):
        script = (f'"$PROGRAM" -q -d "$DEVICE" --cdb "{read10(0, 128)}" --din 64k |'
                  " head -c 1 >/dev/null; echo ${PIPESTATUS[0]}")
        run = self.run_shell(script, code=0)
        self.assertIn(run.text.strip(), ["0", "5"], str(run))  # 0: the pipe held it all
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([os.environ[self.program], "-d", self.device, "--cdb", INQUIRY,
                               "--din", "36"], stdout=writer, stderr=subprocess.PIPE, check=False,
                              timeout=60)
        os.close(writer)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(b"Broken pipe", done.stderr)

    def test_no_home_no_terminal_as_from_udev(self):
        self.run_shell(f'exec setsid env -i "$PROGRAM" "$DEVICE" {READY} <&- >&- 2>&-', code=0)

    def test_two_programs_never_share_an_image(self):
        self.sgraw("--cdb", READY, code=0)
        self.sgraw("--cdb", READY, code=0)  # the first one's lock is gone


class Records(SgRaw):
    def check_capture(self, name):
        self.sgraw("--record", name, "--cdb", INQUIRY, "--din", 36, code=0)
        text = self.tshark(name, "-Y", "usbms")
        self.assertIn("Inquiry", text)
        for line in self.tshark(name).splitlines():
            self.assertNotIn("Malformed", line)

    def test_pcapng(self):
        self.check_capture("t.pcapng")
        self.assertEqual(self.read("t.pcapng")[:4], bytes.fromhex("0a0d0d0a"))

    def test_pcap(self):
        self.check_capture("t.pcap")
        self.assertNotEqual(self.read("t.pcap")[:4], bytes.fromhex("0a0d0d0a"))

    def test_a_record_that_cannot_be_made(self):
        run = self.sgraw("--record", "no/such/t.pcapng", "--cdb", READY, code=4)
        self.assertIn("no/such/t.pcapng", run.complaint)
        self.sgraw("--record", "no/such/t.pcapng", "--cdb", READY, "--exit-status=sg3", code=15)

    def test_a_record_on_a_full_disk_does_not_lose_the_answer(self):
        if not os.path.exists("/dev/full"):
            self.skip("no /dev/full")
        run = self.sgraw("--record", "/dev/full", "--cdb", INQUIRY, "--din", 36, code=5)
        self.assertEqual(len(run.out), 36)
        self.assertIn("/dev/full", run.complaint)


class Outputs(SgRaw):
    def test_no_output_is_an_input(self):
        self.write("p.toml", b'[[unit]]\nimage = "d.img"\n')
        self.write("new", self.data[:512])
        self.write("cdb", INQUIRY.encode())
        os.link(self.path("cdb"), self.path("hard"))
        before = {name: self.read(name) for name in os.listdir(self.directory)}
        inquiry = ["--cdb", INQUIRY, "--din", 36]
        for arguments in (["--cdb", write10(0, 1), "--dout", "new", "--record", "new"],
                          ["-c", "cdb", "-r", 36, "-o", "hard"],
                          ["-c", "cdb", "-r", 36, "--record", "cdb"],
                          [*inquiry, "--dout-file", "p.toml"], [*inquiry, "--record", "p.toml"],
                          [*inquiry, "-o", "d.img"], [*inquiry, "--record", "d.img"],
                          [*inquiry, "-o", "t", "--record", "t"], [*inquiry, "--record", "-"]):
            run = self.run_program("-d", "emu:p.toml", *arguments, code=4)
            self.assertIn("name ", run.complaint)
            now = {name: self.read(name) for name in os.listdir(self.directory)}
            self.assertEqual(now, before, str(run))
        with open(self.path("new"), "rb") as stream:
            run = subprocess.run([os.environ[self.program], "-d", "emu:p.toml", "-s", "512",
                                  "--record", "new", *write10(0, 1).split()], stdin=stream,
                                 stderr=subprocess.PIPE, cwd=self.directory, check=False)
        self.assertEqual(run.returncode, 4, run.stderr)
        self.assertEqual(self.read("new"), self.data[:512])


    def test_json_keeps_the_answer_where_a_file_breaks(self):
        if not os.path.exists("/dev/full"):
            self.skip("no /dev/full")
        for option in ["--dout-file", "--record"]:
            run = self.sgraw("--json", "--cdb", INQUIRY, "--din", 36, option, "/dev/full", code=5)
            document = self.json(run)
            self.assertEqual(document["error"]["kind"], "file")
            self.assertIn("No space left", document["error"]["text"])
            self.assertIn("No space left", run.complaint)
            self.assertEqual([document[key] for key in ["scsi_status", "length_wire", "residue"]],
                             [0, 36, 0])


class Twins(SgRaw):
    def test_memory_disks(self):
        capacity = "25 00 00 00 00 00 00 00 00 00"
        for device, blocks, length in [("emu:?", 131072, 512), ("emu:?size=8M", 16384, 512),
                                       ("emu:bot?size=8M&block=4096", 2048, 4096)]:
            run = self.run_program("-d", device, "--cdb", capacity, "--din", 8, code=0)
            expected = (blocks - 1).to_bytes(4, "big") + length.to_bytes(4, "big")
            self.assertEqual(run.out, expected, device)

    def test_several_units(self):
        report = "a0 00 00 00 00 00 00 00 01 00 00 00"
        run = self.run_program("-d", "emu:?size=1M&luns=3", "--cdb", report, "--din", 256, code=0)
        self.assertEqual(int.from_bytes(run.out[:4], "big"), 3 * 8)
        self.run_program("-d", "emu:?size=1M&luns=3", "--lun", 2, "--cdb", READY, code=0)

    def test_speeds_and_removable(self):
        for speed in ["full", "high", "super"]:
            self.run_program("-d", f"{self.device}?speed={speed}", "--cdb", READY, code=0)
        run = self.run_program("-d", self.device + "?removable=1", "--cdb", INQUIRY, "--din", 36,
                               code=0)
        self.assertEqual(run.out[1] & 0x80, 0x80)

    def test_an_image_of_4096_byte_blocks(self):
        run = self.run_program("-d", self.device + "?block=4096", "--cdb", read10(1, 1), "--din",
                               4096, code=0)
        self.assertEqual(run.out, self.data[4096:8192])

    def test_images_and_profiles_that_cannot_be_used_are_exit_3(self):
        self.write("odd.img", b"x" * 1000)
        run = self.run_program("-d", "emu:odd.img", "--cdb", READY, code=3)
        self.assertIn("512", run.complaint)
        self.write("empty.img", b"")
        self.write("bad.toml", b'speed = "warp"\n')
        for device in ["emu:empty.img", "emu:" + self.directory, "emu:bad.toml"]:
            self.run_program("-d", device, "--cdb", READY, code=3)


if __name__ == "__main__":
    program.main()
