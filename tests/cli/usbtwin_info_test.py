"""usbtwin info as its users run it."""
import os

import program


class Info(program.Case):
    program = "USBTWIN"

    def test_a_tree(self):
        run = self.run_program("info", "-d", self.device, code=0)
        for part in ["high speed", "08/06/50", "endpoint 81 in", "bulk, 512 bytes",
                     "128 blocks of 512 bytes (64 KiB)", "configuration 1"]:
            self.assertIn(part, run.text)

    def test_text_and_json_agree(self):
        document = self.json(self.run_program("info", "-d", self.device, "--json", code=0))
        text = self.run_program("info", "-d", self.device, code=0).text
        self.assertIn(f"{document['vendor_id']}:{document['product_id']}", text)
        self.assertIn(document["serial"], text)
        unit = document["storage"]["units"][0]
        self.assertEqual((unit["blocks_count"], unit["block_size"]), (128, 512))
        endpoints = document["configurations"][0]["interfaces"][0]["alternates"][0]["endpoints"]
        self.assertEqual(sorted(entry["direction"] for entry in endpoints), ["in", "out"])

    def test_descriptors_alone(self):
        run = self.run_program("info", "-d", self.device, "--no-storage", code=0)
        self.assertNotIn("storage:", run.text)

    def test_a_real_device_that_is_not_there(self):
        for device, name in (("1234:5678", "1234:5678"), ("199:7", "at 199:7"),
                             ("/dev/bus/usb/199/007", "at 199:7")):
            run = self.run_program("info", "-d", device, code=3)
            self.assertIn(f"there is no USB device {name}", run.complaint)

    def test_super_speed(self):
        run = self.run_program("info", "-d", self.device + "?speed=super", code=0)
        self.assertIn("super speed", run.text)
        self.assertIn("1024 bytes", run.text)

    def test_a_profile(self):
        self.write("p.toml", b'[device]\nproduct = "esc\\u001b[31m"\n[[unit]]\nsize = "1M"\n'
                   b'[[unit]]\nsize = "2M"\nblock_size = 4096\n')
        run = self.run_program("info", "-d", "emu:p.toml", code=0)
        self.assertIn("esc?[31m", run.text)  # a device's string cannot steer the terminal
        document = self.json(self.run_program("info", "-d", "emu:p.toml", "--json", code=0))
        self.assertEqual(document["product"], "esc\x1b[31m")
        self.assertIn("unit 1", run.text)
        self.assertIn("512 blocks of 4096 bytes (2 MiB)", run.text)

    def test_isochronous_endpoints(self):
        head = b'[[function]]\nkind = "iso-loopback"\npacket_size = 1024\n'
        for speed, line in {
                "full": "isochronous, 1000 bytes, interval 1\n",
                "high": "isochronous, 1024 bytes, 3 in a microframe, interval 2\n",
                "super": "isochronous, 1024 bytes, bursts of 3, 3072 in an interval, interval 2\n",
        }.items():
            more = b"transactions = 3\n" if speed != "full" else b""
            size = head if speed != "full" else head.replace(b"1024", b"1000")
            self.write("iso.toml", b'speed = "' + speed.encode() + b'"\n' + size + more +
                       b"interval = 2\n")
            text = self.run_program("info", "-d", "emu:iso.toml", code=0).text
            self.assertIn("interface 0 alternate 0: ff/00/00 vendor specific\n"
                          "    interface 0 alternate 1: ff/00/00 vendor specific\n", text)
            self.assertIn("endpoint 81 in  " + line, text)
            self.assertIn("endpoint 01 out " + line, text)

    def test_bad_profiles(self):
        self.write("p.toml", b"speed = \"warp\"\n")
        run = self.run_program("info", "-d", "emu:p.toml", code=3)
        self.assertIn("p.toml", run.complaint)
        self.assertIn("warp", run.complaint)
        self.run_program("info", "-d", "emu:missing.toml", code=3)
        self.write("q.toml", b'[[unit]]\n\nimage = "gone.img"\n')
        run = self.run_program("info", "-d", "emu:q.toml", code=3)
        self.assertIn("q.toml:3: key 'unit.image': cannot open image 'gone.img'", run.complaint)

    def test_profiles_without_bounds(self):
        self.write("deep.toml", b"a." * 30000 + b"a=1")
        run = self.run_program("info", "-d", "emu:deep.toml", code=3)
        self.assertIn("deep.toml:1: nested too deep", run.complaint)
        self.write("long.toml", b"a." * 250000 + b"a=1")
        run = self.run_program("info", "-d", "emu:long.toml", code=3)
        self.assertIn("'long.toml': it has more than 65536 bytes", run.complaint)

    def test_pipes_and_devices_are_no_files(self):
        os.mkfifo(self.path("pipe.toml"))
        run = self.run_program("info", "-d", "emu:pipe.toml", code=3)
        self.assertIn("a pipe or a device", run.complaint)
        for image in ["pipe.toml", "/dev/null"]:
            self.write("p.toml", f'[[unit]]\nimage = "{image}"\n'.encode())
            run = self.run_program("info", "-d", "emu:p.toml", code=3)
            self.assertIn("neither a file nor a block device", run.complaint)

    def test_nothing_steers_the_terminal(self):
        bad = "\x1b[2J\x9b\x85\u202e\u2066"
        controls = {"\x1b", "\x7f", *map(chr, range(0x80, 0xa0)), "\u202e", "\u2066"}
        self.write("bad.img", b"")
        os.rename(self.path("bad.img"), self.path(bad))
        self.write("key.toml", b'[device]\n"\\u001b\\u202e" = 1\n[[unit]]\nsize = 512\n')
        self.write("value.toml", b'speed = "\\u001b\\u009b\\u202e"\n')
        self.write("raw.toml", b'speed = "\xc2\x9b\xe2\x80\xae"\n')
        self.write("bytes.toml", b'speed = "\x9b"\n')
        self.write("name.toml", b'[device]\nproduct = "\\u001b\\u009b\\u202e"\n'
                   b"[[unit]]\nsize = 512\n")
        self.write("image.toml", b'[[unit]]\nimage = "\\u001b\\u009b\\u202e"\n')
        for name in [bad, bad + ".toml", "?" + bad, "key.toml", "value.toml", "raw.toml",
                     "bytes.toml", "name.toml", "image.toml"]:
            for arguments in (["info"], ["info", "--json"], ["info", "--" + bad, "--json"]):
                run = self.run_program(*arguments, "-d", "emu:" + name)
                for stream in (run.out, run.err):
                    shown = set(stream.decode())  # UTF-8 throughout
                    self.assertFalse(shown & controls, str(run))
                if "--json" in arguments:
                    self.json(run)

    def test_a_unit_can_be_named(self):
        for lun in [0, 2]:
            run = self.run_program("info", "-d", "emu:?size=1M&luns=3", "--lun", lun, "--json",
                                   code=0)
            units = self.json(run)["storage"]["units"]
            self.assertEqual([unit["lun"] for unit in units], [lun])
        run = self.run_program("info", "-d", "emu:?size=1M&luns=3", "--lun", 3, code=4)
        self.assertIn("--lun 3: the device has 3 units", run.complaint)
        self.assertIn("configuration 1", run.text)

    def test_the_transport_is_named(self):
        for way, name in (("auto", "uasp"), ("uasp", "uasp"), ("bot", "bot")):
            run = self.run_program("info", "-d", "emu:uas?size=1M&luns=2", "--transport", way,
                                   "--json", code=0)
            storage = self.json(run)["storage"]
            self.assertEqual(storage["transport"], name)
            self.assertEqual(len(storage["units"]), 2)

    def test_a_storage_that_fails_is_a_failure(self):
        self.write("p.toml", b'[[unit]]\nsize = "1M"\n[[function]]\nquirks = ["wrong_tag"]\n')
        run = self.run_program("info", "-d", "emu:p.toml", code=3)
        self.assertIn("configuration 1", run.text)
        self.assertIn("CSW tag", run.complaint)
        run = self.run_program("info", "-d", "emu:p.toml", "--transport", "uasp", "--json", code=3)
        document = self.json(run)
        self.assertIsNotNone(document["storage"]["error"])
        self.assertEqual(document["exit_status"], 3)
        self.assertIn("USB Attached SCSI", document["error"]["text"])
        self.write("p.toml", b'[[unit]]\nsize = "1M"\n[[function]]\nquirks = ["wrong_residue"]\n')
        self.run_program("info", "-d", "emu:p.toml", code=3)
        self.run_program("info", "-d", "emu:p.toml", "--ignore-residue", code=0)

    def test_what_was_worked_around_is_named(self):
        self.write("p.toml", b'[device]\nquirks = ["no_language_table"]\n[[unit]]\nsize = "1M"\n')
        run = self.run_program("info", "-d", "emu:p.toml", code=0)
        self.assertIn("worked around: stalled in control: the table of languages was asked for: "
                      "English is assumed", run.text)

    def test_the_active_configuration(self):
        run = self.run_program("info", "-d", self.device, "--json", code=0)
        self.assertEqual(self.json(run)["active_configuration"], 1)
        self.assertIn("(active)", self.run_program("info", "-d", self.device, code=0).text)
        run = self.run_program("info", "-d", self.device, "--no-storage", "--json", code=0)
        self.assertIsNone(self.json(run)["active_configuration"])

    def test_names(self):
        self.write("p.toml", b"""
[[unit]]
size = "1M"
[[function]]
name = "Tool \\u001b"
[[configuration]]
value = 1
name = "Desk"
""")
        document = self.json(self.run_program("info", "-d", "emu:p.toml", "--json", code=0))
        configuration = document["configurations"][0]
        self.assertEqual(configuration["name"], "Desk")
        self.assertEqual(configuration["functions"], [])
        alternate = configuration["interfaces"][0]["alternates"][0]
        self.assertEqual(alternate["name"], "Tool \x1b")
        self.assertEqual(alternate["endpoints"][0]["transactions_extra"], 0)
        text = self.run_program("info", "-d", "emu:p.toml", code=0).text
        self.assertIn('configuration 1 "Desk" (active)', text)
        self.assertIn('mass storage, Bulk-Only "Tool ?"', text)
        document = self.json(self.run_program("info", "-d", self.device, "--json", code=0))
        self.assertIsNone(document["configurations"][0]["name"])

    def test_the_bos_is_read_on_request_alone(self):
        device = ["-d", self.device + "?speed=super-plus"]
        document = self.json(self.run_program("info", *device, "--json", code=0))
        self.assertIsNone(document["bos"])
        self.assertNotIn("BOS", self.run_program("info", *device, code=0).text)
        bos = self.json(self.run_program("info", *device, "--bos", "--json", code=0))["bos"]
        self.assertTrue(bos["bytes"].startswith("05 0f "))
        self.assertGreater(bos["super_speed"]["speeds"], 0)
        self.assertGreaterEqual(len(bos["super_speed_plus"]["sublinks"]), 1)
        text = self.run_program("info", *device, "--bos", code=0).text
        self.assertIn(f"BOS: {len(bytes.fromhex(bos['bytes']))} bytes", text)
        self.assertIn("SuperSpeedPlus: speed", text)

    def test_a_device_without_bos(self):
        device = ["-d", self.device + "?speed=full", "--bos"]
        self.assertIn("stalled", self.run_program("info", *device, code=0).text)
        document = self.json(self.run_program("info", *device, "--json", code=0))
        self.assertIn("stalled", document["bos"]["error"])
        self.assertIsNone(document["error"])

    def test_a_record_that_breaks_is_in_the_json(self):
        if not os.path.exists("/dev/full"):
            self.skip("no /dev/full")
        for verb in (["info"], ["bench", "--seconds", "0.05"]):
            run = self.run_program(*verb, "-d", self.device, "--record", "/dev/full", "--json",
                                   code=5)
            document = self.json(run)
            self.assertEqual(document["error"]["kind"], "file")
            self.assertIn(document["error"]["text"], run.complaint)
            self.assertTrue(document.get("configurations") or document.get("results"))


if __name__ == "__main__":
    program.main()
