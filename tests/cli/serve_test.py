"""usbtwin serve, and the programs at the other end: the same disk, farther away."""
import json
import os
import re
import signal
import socket
import threading

import program
from program import BLOCK, INQUIRY, READY, read10, write10
from server import Served, Server


class SameDisk(Served):
    """Each command gives the same output and the same exit status here and there."""

    def check(self, *arguments, code, stdin=b"", names=()):
        near = self.sgraw("-d", self.device, *arguments, stdin=stdin, code=code)
        files = [self.read(name) for name in names]
        self.write("d.img", self.data)
        server = self.serve()
        far = self.sgraw("-d", self.far(), *arguments, stdin=stdin, code=code)
        self.assertEqual(far.out, near.out, str(far))
        self.assertEqual(far.complaint.replace(self.far(), "DEVICE"),
                         near.complaint.replace(self.device, "DEVICE"))
        self.assertEqual([self.read(name) for name in names], files)
        self.assertEqual(server.stop(), 0)
        self.assertEqual([name for name in os.listdir(self.directory)
                          if name in ("socket", "control")], [])

    def test_inquiry(self):
        self.check("--cdb", INQUIRY, "--din", 36, "--hex", code=0)

    def test_vital_product_data(self):
        self.check("--cdb", "12 01 00 00 ff 00", "--din", 255, "--hex", code=0)

    def test_capacity(self):
        self.check("--cdb", "25 00 00 00 00 00 00 00 00 00", "--din", 8, code=0)

    def test_read(self):
        self.check("--cdb", read10(8, 64), "--din", 64 * BLOCK, "--outfile", "out",
                   code=0, names=["out"])

    def test_read_to_standard_output(self):
        self.check("--cdb", read10(0, 1), "--din", BLOCK, "--outfile", "-", code=0)

    def test_write(self):
        self.write("in", program.pattern(16 * BLOCK, seed=5))
        self.check("--cdb", write10(4, 16), "--dout", "in", code=0,
                   names=["d.img"])

    def test_write_from_standard_input(self):
        self.check("--cdb", write10(4, 1), "--dout", "-",
                   stdin=program.pattern(BLOCK, seed=6), code=0, names=["d.img"])

    def test_illegal_opcode(self):
        self.check("--cdb", "ff 00 00 00 00 00", code=2)

    def test_out_of_range(self):
        self.check("--cdb", read10(0xfffffff0, 1), "--din", BLOCK, code=2)

    def test_no_data(self):
        self.check("--cdb", READY, code=0)

    def test_less_than_asked_for(self):
        self.check("--cdb", "12 00 00 00 05 00", "--din", 36, "--hex", code=0)

    def test_more_than_asked_for(self):
        self.check("--cdb", "12 00 00 00 24 00", "--din", 5, "--hex", code=3)

    def test_verbose(self):
        self.check("--cdb", INQUIRY, "--din", 36, "--quiet", code=0)

    def test_unknown_unit(self):
        self.check("--cdb", INQUIRY, "--din", 36, "--lun", 3, code=0)


class Options(program.Case):
    program = "USBTWIN"

    def test_a_device_may_follow_any_option(self):
        for option in (["--listen", "unix:q"], ["--allow", "10.0.0.0/8"]):
            run = self.run_program("serve", *option, "emu:/nonexistent", code=3)
            self.assertIn("/nonexistent", run.complaint)

    def test_an_address_needs_no_port_but_brackets(self):
        run = self.run_program("serve", "--listen", "10.1.1.1", self.device, code=4)
        self.assertIn("10.1.1.1:3240 can be reached from elsewhere", run.complaint)
        run = self.run_program("serve", "--listen", "::1", self.device, code=4)
        self.assertIn("an IPv6 address is written in brackets: [::1] or [::1]:3240", run.complaint)

    def test_what_is_wrong_with_a_server_s_address_is_said_in_one_way(self):
        for address, what in (("33300", "a number alone is no host: a port follows one, as in "
                                        "127.0.0.1:33300"),
                              ("127.0.0.1:99999", 'port "99999" is not 1 to 65535'),
                              ("127.0.0.1:", "no port behind the colon"),
                              (":3240", "no host"),
                              ("::1", "an IPv6 address is written in brackets: [::1]")):
            for arguments in (("list", "-r", address), ("info", "-d", f"usbip://{address}/1-1"),
                              ("serve", "--no-control", "--listen", address)):
                run = self.run_program(*arguments, code=4)
                wanted = what.replace("1 to", "0 to") if arguments[0] == "serve" else what
                self.assertIn(wanted, run.complaint, str(run))


class Bench(Served):
    """usbtwin bench beside bare sockets."""

    def test_it_leaves_the_disk_as_it_was(self):
        self.serve()
        run = self.run_program("bench", "-d", self.far(), "--seconds", "0.2", "--writes", code=0)
        for name in ["READ of 4 KiB, one by one", "READ of 4 KiB, together", "READ of 64 KiB",
                     "WRITE of 64 KiB", "GET_STATUS, 32 in flight"]:
            self.assertIn(name, run.text)
        self.assertNotIn("READ of 1 MiB", run.text)  # the disk is smaller
        self.assertEqual(self.read("d.img"), self.data)
        run = self.run_program("bench", "-d", self.far(), "--seconds", "0.2", code=0)
        self.assertNotIn("WRITE", run.text)


class Uas(Served):
    """USB/IP carries no streams, so UAS is offered at high speed only."""

    def answers(self, speed, *way, code):
        server = self.serve(f"emu:uas?size=1M&speed={speed}")
        runs = [self.sgraw("-d", self.far(), *way, *command, code=code) for command in (
            ("--cdb", read10(3, 8), "--din", 8 * BLOCK),
            ("--cdb", "12 01 83 00 ff 00", "--din", 255))]
        self.assertEqual(server.stop(), 0)
        return [run.out for run in runs]

    def test_high_speed(self):
        bot = self.answers("high", "--bot", code=0)
        self.assertEqual(self.answers("high", "--uasp", code=0), bot)
        self.assertEqual(self.answers("high", "--auto", code=0), bot)

    def test_super_speed(self):
        bot = self.answers("super", "--auto", code=0)
        self.assertEqual(self.answers("super", "--bot", code=0), bot)
        self.answers("super", "--uasp", code=3)


class Commands(Served):
    def test_json_says_the_same(self):
        near = self.json(self.sgraw("-d", self.device, "--cdb", INQUIRY, "--din", 36, "--json"))
        self.serve()
        far = self.json(self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, "--json"))
        for document in (near, far):
            del document["elapsed_us"], document["device"]
        self.assertEqual(far, near)

    def test_what_is_written_is_there_and_stays(self):
        server = self.serve()
        data = program.pattern(32 * BLOCK, seed=9)
        self.sgraw("-d", self.far(), "--cdb", write10(0, 32), "--dout", "-", stdin=data, code=0)
        run = self.sgraw("-d", self.far(), "--cdb", read10(0, 32), "--din", len(data),
                         "--outfile", "-", code=0)
        self.assertEqual(run.out, data)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.read("d.img")[:len(data)], data)

    def test_one_after_the_other_never_busy(self):
        self.serve()
        for _ in range(25):
            self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, code=0)

    def test_a_record_at_either_side(self):
        server = self.serve(self.device, "--record", self.path("there.pcapng"))
        self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, "--record", "here.pcapng",
                   code=0)
        self.assertEqual(server.stop(), 0)
        for name in ("here.pcapng", "there.pcapng"):
            self.assertIn(b"USBTWIN", self.read(name))
            self.assertEqual(self.read(name)[:4], b"\x0a\x0d\x0d\x0a")

    def test_faults_at_either_side(self):
        plan = os.path.join(os.environ["FAULT_PLANS"], "stall-data-once.toml")
        inquiry = ("--cdb", INQUIRY, "--din", 36, "--hex", "--verbose")
        self.serve()
        run = self.sgraw("-d", self.far(), "--faults", plan, *inquiry, code=0)
        self.assertIn("fault bot.stall-data: played 1, observed 1\n", run.complaint)
        self.assertIn("recovered by: clear halt\n", run.complaint)

    def test_faults_of_the_server(self):
        plan = os.path.join(os.environ["FAULT_PLANS"], "stall-data-once.toml")
        self.serve(self.device, "--faults", plan, "--audit")
        run = self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, "--hex", "--verbose",
                         code=0)
        self.assertIn("USBTWIN |", run.text)
        self.assertIn("recovered by: clear halt\n", run.complaint)

    def test_read_only(self):
        self.serve(self.device, "--read-only")
        run = self.sgraw("-d", self.far(), "--cdb", write10(0, 1), "--dout", "-",
                         stdin=bytes(BLOCK))
        self.assertEqual(run.code, 2, str(run))
        self.assertIn("Data Protect", run.complaint)
        self.assertEqual(self.read("d.img"), self.data)

    def test_read_only_is_refused_where_it_would_protect_nothing(self):
        server = self.serve(self.device, "--read-only")
        run = self.request(server, "plug", self.far(), code=4)
        self.assertIn("would be written to as before", run.complaint)
        self.assertIn("--read-only at the server that exports it", run.complaint)
        run = self.run_program("serve", self.far(), "--read-only", "--no-control", code=4)
        self.assertIn("--read-only is for emulated devices", run.complaint)
        self.assertEqual(server.stop(), 0)

    def check_over_tcp(self, host):
        server = Server(self, self.device, "--listen", f"{host}:0")
        address = server.wait_for(rf"listens at ({re.escape(host)}:\d+)").group(1)
        self.assertFalse(address.endswith(":0"))
        run = self.sgraw("-d", f"usbip://{address}/1-1", "--cdb", INQUIRY, "--din", 36, "--hex",
                         code=0)
        self.assertIn("USBTWIN |", run.text)
        run = self.sgraw("-d", f"usbip://{address}/1-1", "--cdb", read10(3, 2), "--din", 2 * BLOCK,
                         "--outfile", "-", code=0)
        self.assertEqual(run.out, self.data[3 * BLOCK:5 * BLOCK])
        self.assertIn("1-1", self.run_program("list", "-r", address, code=0).text)
        self.assertEqual(server.stop(), 0)
        self.assertTrue(any(line.startswith(f"usbtwin serve: {host}:") and "imported 1-1" in line
                            for line in server.lines), server.lines)

    def test_over_tcp(self):
        self.check_over_tcp("127.0.0.1")

    def test_over_tcp_of_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            self.skip(f"no ::1 here: {error}")
        self.check_over_tcp("[::1]")

    def test_a_socket_that_systemd_passes(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Server(self, self.device, "--listen", "activated:0", activated=listener)
            port = listener.getsockname()[1]
        for _ in range(2):
            self.sgraw("-d", f"usbip://127.0.0.1:{port}/1-1", "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertEqual(server.stop(), 0)

    def test_two_peers_two_devices(self):
        self.serve(self.device, "emu:?size=1M")
        runs = {}
        self.program = "USB_SGRAW"

        def work(bus_id):
            runs[bus_id] = self.run_program("-d", self.far(bus_id), "--cdb", INQUIRY, "--din", 36)
        threads = [threading.Thread(target=work, args=(bus_id,)) for bus_id in ("1-1", "1-2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([runs[bus_id].code for bus_id in ("1-1", "1-2")], [0, 0])


class Failures(Served):
    def fails(self, code, what, *arguments):
        run = self.run_program("serve", *arguments, code=code)
        self.assertIn(what, run.complaint, str(run))
        return run

    def test_no_server(self):
        missing = "unix:" + self.path("none")
        run = self.sgraw("-d", f"usbip+{missing}#1-1", "--cdb", INQUIRY, "--din", 36)
        self.assertEqual(run.code, 3, str(run))
        for arguments in (("status", "--control", missing), ("plug", "x", "--control", missing),
                          ("unplug", "1-1", "--control", missing), ("list", "-r", missing)):
            run = self.run_program(*arguments, code=3)
            self.assertIn("none", run.complaint)
            self.assertEqual(run.out, b"")
            document = self.json(self.run_program(*arguments, "--json", code=3))
            self.assertEqual(document["error"]["kind"], "cannot open")

    def test_taken_addresses(self):
        self.serve(self.device)
        taken = "unix:" + self.path("socket")
        self.fails(3, "socket", "emu:?size=1M", "--listen", taken, "--no-control")
        self.fails(3, "control", "emu:?size=1M", "--listen", "unix:" + self.path("other"),
                   "--control", "unix:" + self.path("control"))
        self.assertFalse(self.exists("other"))
        self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, code=0)

    def test_bad_options(self):
        for rule in ("10.0.0.1/8", "10.0.0.0/33", "localhost", "", "1-1=", "=10.0.0.1",
                     "1 1=10.0.0.1", "fe80::1%eth0"):
            self.fails(4, "--allow", "emu:?size=1M", "--allow", rule, "--no-control")
        for address in ("0.0.0.0:0", "[::]:0", "10.0.0.1:0"):
            self.fails(4, "--allow 192.168.1.0/24", "emu:?size=1M", "--listen", address,
                       "--no-control")
        for address in ("127.0.0.1:", "127.0.0.1:x", "unix:", "127.0.0.1:99999"):
            self.run_program("serve", "emu:?size=1M", "--listen", address, "--no-control", code=4)
        self.fails(4, "--control", "emu:?size=1M", "--listen", "127.0.0.1:0", "--control",
                   "127.0.0.1:0")
        for option in ("--urb-length-max", "--urb-bytes-max", "--reply-bytes-max"):
            for size in ("0", "x", "-1", "2T", "99999999999999999999"):
                self.fails(4, f"{option} must be a size", "emu:?size=1M", f"{option}={size}")
        for option, high in (("--connections-max", 100_000), ("--handshakes-max", 100_000),
                             ("--handshake-ms", 86_400_000), ("--keep-alive", 32_767),
                             ("--urbs-max", 100_000), ("--stop-ms", 86_400_000)):
            for number in (0, -1, high + 1, "x", 10**30):
                self.fails(4, option, "emu:?size=1M", f"{option}={number}")
        self.fails(4, "--keep-alive must be 5 to 32767", "emu:?size=1M", "--keep-alive=4")
        self.fails(3, "none.img", "emu:none.img", "--no-control")
        self.fails(4, "emu:", "nonsense", "--no-control")

    def test_addresses_and_rules_are_looked_at_before_devices(self):
        self.serve(self.device)
        for code, what, *arguments in (
                (4, "--listen 127.0.0.1:99999", "--listen", "127.0.0.1:99999"),
                (4, "--listen 10.0.0.1:0", "--listen", "127.0.0.1:0", "--listen", "10.0.0.1:0"),
                (4, "none.test", "--listen", "none.test:0", "--allow", "10.0.0.0/8"),
                (3, "in use", "--listen", "unix:" + self.path("socket")),
                (4, "--allow x", "--allow", "x")):
            run = self.fails(code, what, "emu:?size=1M", "emu:none.img", "--record", "a.pcapng",
                             "--no-control", *arguments)
            self.assertNotIn("none.img", run.complaint)
            self.assertFalse(self.exists("a.pcapng"))

    def test_one_image_twice(self):
        run = self.fails(3, "has it open already, as another disk", self.device, self.device,
                         "--listen", "unix:" + self.path("twice"), "--no-control")
        self.assertNotIn("process", run.complaint)
        run = self.request(self.serve(self.device), "plug", self.device, code=3)
        self.assertIn("has it open already, as another disk", run.complaint)

    def test_a_rule_for_others_leaves_us_in(self):
        server = Server(self, self.device, "--listen", "127.0.0.1:0", "--allow", "1-1=192.0.2.1",
                        control=False)
        address = server.wait_for(r"listens at (\S+)").group(1)
        self.sgraw("-d", f"usbip://{address}/1-1", "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertEqual(server.stop(), 0)

    def test_signals_end_it_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.serve(self.device)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.settimeout(30)
                peer.connect(self.path("socket"))
                peer.sendall(bytes.fromhex("0111800300000000") + b"1-1".ljust(32, b"\0"))
                self.assertEqual(len(peer.recv(320, socket.MSG_WAITALL)), 320)
                self.assertEqual(server.stop(number), 0)
                self.assertEqual(peer.recv(1), b"")
            self.assertFalse(self.exists("socket") or self.exists("control"))
            self.assertIn("gave 1-1 back: the server stops", server.lines[-1])

    def test_a_small_limit_is_told_as_no_memory(self):
        server = self.serve(self.device, "--urb-length-max", "512")
        self.sgraw("-d", self.far(), "--cdb", read10(0, 8), "--din", 4096, "--quiet")
        self.assertGreater(json.loads(server.ask(b'{"request": "status"}\n'))["devices"][0][
            "refused"], 0)


if __name__ == "__main__":
    program.main()
