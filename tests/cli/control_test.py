"""Requests to a usbtwin serve that runs, and what comes over its sockets from nobody it knows."""
import json
import os
import select
import socket
import struct
import threading
import time

import program
from program import BLOCK, INQUIRY, read10
from server import Served, Server


class Requests(Served):
    def devices(self, server):
        return self.json(self.request(server, "status", "--json"))["devices"]

    def test_plug_and_unplug(self):
        server = self.serve(self.device)
        self.assertEqual(self.request(server, "plug", "emu:?size=1M", code=0).text, "1-2\n")
        document = self.json(self.request(server, "plug", "emu:?size=2M", "--json", code=0))
        self.assertEqual(document["bus_id"], "1-3")
        self.sgraw("-d", self.far("1-3"), "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertEqual([one["bus_id"] for one in self.devices(server)], ["1-1", "1-2", "1-3"])
        self.assertEqual(self.request(server, "unplug", "1-2", code=0).out, b"")
        self.assertEqual([one["bus_id"] for one in self.devices(server)], ["1-1", "1-3"])
        run = self.sgraw("-d", self.far("1-2"), "--cdb", INQUIRY, "--din", 36)
        self.assertEqual(run.code, 3, str(run))
        self.assertIn("no such device", run.complaint)
        # Its number is not given out again, and its image is free.
        self.assertEqual(self.request(server, "unplug", "1-1", code=0).out, b"")
        self.assertEqual(self.request(server, "plug", self.device, code=0).text, "1-4\n")
        self.assertEqual(server.stop(), 0)

    def test_status(self):
        server = self.serve(self.device)
        [device] = self.devices(server)
        self.assertEqual(device["device"], self.device)
        self.assertEqual((device["vendor_id"], device["product_id"]), ("1209", "0001"))
        self.assertEqual((device["imports"], device["urbs"], device["imported_by"]), (0, 0, None))
        self.sgraw("-d", self.far(), "--cdb", read10(0, 8), "--din", 4096, "--quiet",
                   code=0)
        server.wait_for("gave 1-1 back")
        [device] = self.devices(server)
        self.assertEqual((device["imports"], device["refused"], device["urbs_under_way"]),
                         (1, 0, 0))
        self.assertGreater(device["bytes_in"], 4096)
        self.assertIsNone(device["imported_by"])
        text = self.request(server, "status", code=0).text
        self.assertRegex(text, r"^1-1 +1209:0001 high +free +\d+ urbs, ")
        self.assertIn(self.device, text)

    def test_status_tells_the_limits_and_what_is_held(self):
        server = self.serve(self.device, "--urbs-max", 8, "--urb-bytes-max", "64K",
                            "--urb-length-max", "4K", "--connections-max", 3,
                            "--handshakes-max", 2, "--handshake-ms", 12345,
                            "--reply-bytes-max", "1M", "--stop-ms", 999)
        status = self.json(self.request(server, "status", "--json"))
        self.assertEqual(status["limits"], {
            "connections_max": 3, "handshakes_max": 2, "handshake_ms": 12345, "urbs_max": 8,
            "urb_length_max": 4096, "urb_bytes_max": 65536, "reply_bytes_max": 1 << 20,
            "stop_ms": 999})
        self.assertEqual([status[key] for key in ("connections", "handshakes", "peers")],
                         [0, 0, []])
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(30)
            peer.connect(self.path("socket"))
            peer.sendall(bytes.fromhex("0111800300000000") + b"1-1".ljust(32, b"\0"))
            self.assertEqual(len(peer.recv(320, socket.MSG_WAITALL)), 320)
            # SET_CONFIGURATION, and three reads of 4 KiB of Bulk-In, which has nothing to say.
            peer.sendall(struct.pack(">12I", 1, 1, 0x10002, *[0] * 7, 0x00090100, 0))
            self.assertEqual(len(peer.recv(48, socket.MSG_WAITALL)), 48)
            for number in (2, 3, 4):
                peer.sendall(struct.pack(">12I", 1, number, 0x10002, 1, 1, 0x200, 4096, *[0] * 5))
            for _ in range(100):
                status = self.json(self.request(server, "status", "--json"))
                [device] = status["devices"]
                if device["urbs_under_way"] == 3:
                    break
                time.sleep(0.05)
            [held] = status["peers"]
            self.assertEqual((held["bus_id"], held["urbs_under_way"], held["reply_bytes"]),
                             ("1-1", 3, 0))
            self.assertEqual(device["bytes_held"], held["bytes_held"])
            text = self.request(server, "status", code=0).text
            self.assertIn("now 3 of 8 urbs, ", text)
            self.assertIn("bytes of 64 KiB held\n1 of 3 connections\n", text)
        server.wait_for("gave 1-1 back")
        status = self.json(self.request(server, "status", "--json"))
        self.assertEqual((status["devices"][0]["bytes_held"], status["peers"]), (0, []))

    def test_ids_have_one_form_everywhere(self):
        server = self.serve(self.device)
        documents = [self.devices(server)[0],
                     self.json(self.run_program("list", "-r", self.socket, "--json"))["devices"][0],
                     self.json(self.run_program("info", "-d", self.far(), "--json"))]
        for document in documents:
            self.assertEqual((document["vendor_id"], document["product_id"]), ("1209", "0001"))

    def test_list(self):
        server = self.serve(self.device)
        listed = self.json(self.run_program("list", "-r", self.socket, "--json", code=0))
        [device] = listed["devices"]
        self.assertEqual((device["bus_id"], device["speed"], device["interfaces"]),
                         ("1-1", "high", ["08/06/50"]))
        self.assertEqual(device["path"], "/sys/devices/platform/usbtwin/usb1/1-1")
        text = self.run_program("list", "-r", self.socket, code=0).text
        self.assertRegex(text, r"^1-1 +1209:0001 high +08/06/50 +/sys/devices/")
        self.request(server, "unplug", "1-1", code=0)
        text = self.run_program("list", "-r", self.socket, code=0).text
        self.assertEqual(text, "the server exports no device\n")
        self.assertEqual(self.request(server, "status", code=0).text, "no device is exported\n")

    def test_a_relative_path_is_the_plugger_s(self):
        os.mkdir(self.path("elsewhere"))
        server = Server(self, "emu:?size=1M", "--listen", "unix:" + self.path("socket"),
                        cwd=self.path("elsewhere"))
        self.request(server, "plug", "emu:d.img", code=0)
        self.assertEqual(self.devices(server)[1]["device"], self.device)
        run = self.request(server, "plug", "usbip+unix:none.sock#1-1", code=3)
        self.assertIn(self.path("none.sock"), run.complaint)

    def test_a_server_without_devices(self):
        self.socket = "unix:" + self.path("socket")
        server = Server(self, "--listen", self.socket)
        self.assertEqual(self.devices(server), [])
        self.request(server, "plug", self.device, code=0)
        self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertEqual(server.stop(), 0)

    def test_a_device_that_cannot_be_plugged_harms_nothing(self):
        server = self.serve(self.device)
        for device, code, what in (("emu:" + self.path("none.img"), 3, "none.img"),
                                   (self.device, 3, "d.img"),
                                   ("nonsense", 4, "emu:"),
                                   ("", 4, "empty"),
                                   ("usbip+unix:" + self.path("no") + "#1-1", 3, "no")):
            run = self.request(server, "plug", device)
            self.assertEqual(run.code, code, str(run))
            self.assertIn(what, run.complaint, str(run))
            document = self.json(self.request(server, "plug", device, "--json"))
            self.assertEqual(document["exit_status"], code)
        run = self.request(server, "plug", "emu:/\udcff\x1b[2J.img")
        self.assertEqual(run.code, 3, str(run))
        self.assertNotIn("\x1b", run.complaint)
        self.assertEqual(len(self.devices(server)), 1)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("\x1b", "".join(server.lines))

    def test_a_name_cannot_write_lines_of_the_log(self):
        name = self.path("a\nusbtwin serve: exports 9-9: b.img")
        with open(name, "wb") as file:
            file.write(self.data)
        server = self.serve(self.device)
        self.request(server, "plug", "emu:" + name, code=0)
        self.assertEqual(self.request(server, "status", code=0).text.count("\n"), 2)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("usbtwin serve: exports 9-9: b.img", server.lines)

    def test_a_device_of_another_server(self):
        server = self.serve(self.device)
        self.request(server, "plug", "emu:?size=1M", code=0)
        middle = "unix:" + self.path("middle")
        second = Server(self, self.far("1-1"), "--listen", middle, control=False)
        run = self.sgraw("-d", f"usbip+{middle}#1-1", "--cdb", read10(3, 2), "--din",
                         2 * BLOCK, "--outfile", "-", code=0)
        self.assertEqual(run.out, self.data[3 * BLOCK:5 * BLOCK])
        self.assertEqual(second.stop(), 0)
        self.assertEqual(server.stop(), 0)

    def test_a_record_that_cannot_be_made_fails_the_plug(self):
        self.socket = "unix:" + self.path("socket")
        server = Server(self, "--listen", self.socket, "--record", self.path("none/trace.pcapng"))
        for _ in range(3):
            run = self.request(server, "plug", "emu:?size=1M")
            self.assertNotEqual(run.code, 0, str(run))
        self.assertEqual(server.stop(), 0)

    def test_unplug_while_it_is_imported(self):
        server = self.serve(self.device)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(30)
            peer.connect(self.path("socket"))
            peer.sendall(bytes.fromhex("0111800300000000") + b"1-1".ljust(32, b"\0"))
            self.assertEqual(len(peer.recv(320, socket.MSG_WAITALL)), 320)
            run = self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36)
            self.assertEqual(run.code, 3, str(run))
            self.assertIn("somebody has imported", run.complaint)
            self.assertTrue(self.devices(server)[0]["imported_by"].startswith("unix:"))
            self.request(server, "unplug", "1-1", code=0)
            self.assertEqual(peer.recv(1), b"")
        self.request(server, "plug", self.device, code=0)
        self.assertEqual(server.stop(), 0)

    def test_unknown_bus_ids(self):
        server = self.serve(self.device)
        for bus_id in ("9-9", "x" * 10_000, "1-1 ", "../1-1"):
            run = self.request(server, "unplug", bus_id)
            self.assertEqual(run.code, 4, str(run))
            self.assertIn("is exported here", run.complaint)
        self.assertEqual(len(self.devices(server)), 1)
        run = self.sgraw("-d", self.far("9-9"), "--cdb", INQUIRY, "--din", 36)
        self.assertEqual(run.code, 3, str(run))


class Hostile(Served):
    """What may come over the control socket, and over the other one."""

    def test_garbage_on_the_control_socket(self):
        server = self.serve(self.device)
        for text in (b"\n", b"[]\n", b"null\n", b"{}\n", b"{\n", b"\"x\"\n", b"1e999\n",
                     b"\xff\xfe\n", b"\0\n", b"GET / HTTP/1.1\r\n", b'{"request": 7}\n',
                     b'{"request": ["status"]}\n', b'{"request": "stop"}\n',
                     b'{"request": "plug"}\n', b'{"request": "plug", "device": {}}\n',
                     b'{"request": "unplug", "bus_id": null}\n',
                     b'{"request": "\\ud800"}\n', b'{"request": "\x1b[2J"}\n',
                     b"[" * 60_000 + b"\n", b"[" * 30_000 + b"]" * 30_000 + b"\n",
                     b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"\n"):
            answer = json.loads(server.ask(text))
            self.assertEqual((answer["ok"], answer["error"]["kind"]), (False, "usage"), text[:80])
            self.assertLess(len(answer["error"]["text"]), 2000)
        self.assertEqual(server.ask(b'{"request": "status"'), b"")
        self.assertEqual(server.ask(b"x" * 100_000, whole=False), b"")
        self.assertEqual(server.ask(b""), b"")
        many = server.ask(b'{"request": "status"}\n' * 50)
        self.assertTrue(json.loads(many.splitlines()[0])["ok"])
        self.assertEqual(server.stop(), 0)

    def test_what_is_no_string_is_told_as_what_it_is(self):
        server = self.serve(self.device)
        for text, what in (('{"request": "plug", "device": {}}', '"device" is no string: object'),
                           ('{"request": "plug", "device": 7}', '"device" is no string: 7'),
                           ('{"request": "plug"}', 'the request has no "device"'),
                           ('{"request": "plug", "device": ""}', "it is empty"),
                           ('{"request": "unplug", "bus_id": null}',
                            '"bus_id" is no string: null'),
                           ('{"request": ["status"]}', '"request" is no string: array'),
                           ('{"request": "plug", "device": ' + "[" * 30_000 + "]" * 30_000 + "}",
                            '"device" is no string: array'),
                           ("{}", 'the request has no "request"')):
            answer = json.loads(server.ask(text.encode() + b"\n"))
            self.assertEqual((answer["ok"], answer["error"]["kind"]), (False, "usage"), text)
            self.assertIn(what, answer["error"]["text"])
        self.assertEqual(server.stop(), 0)

    def test_control_connections_have_a_limit_and_free_their_place(self):
        server = self.serve(self.device)
        held = []
        for _ in range(40):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.connect(self.path("control"))
            held.append(one)
        # Those beyond the limit are closed at once.
        refused, _, _ = select.select(held, [], [], 30)
        self.assertGreater(len(refused), 0)
        self.assertEqual(refused[0].recv(1), b"")
        for one in held:
            one.close()
        for _ in range(100):  # the server hears of that one by one
            if self.request(server, "status").code == 0:
                return
        self.fail("no place became free")

    def test_garbage_for_devices(self):
        server = self.serve(self.device)
        for data in (b"", b"x", b"\xff" * 5000, bytes(5000), bytes.fromhex("0111800300000000"),
                     bytes.fromhex("0111800300000000") + b"1-1".ljust(32, b"\0") + b"\xee" * 48):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.connect(self.path("socket"))
                peer.sendall(data)
        self.sgraw("-d", self.far(), "--cdb", INQUIRY, "--din", 36, code=0)
        self.assertEqual(server.stop(), 0)

    def test_what_answers_is_no_usbtwin(self):
        deep = b'{"ok": true, "a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"
        for reply, code in ((b"", 3), (b"hello\n", 3), (b"[]\n", 3), (b'{"ok": 1}\n', 3),
                            (b'{"ok": false, "error": "x"}\n', None),
                            (b'{"ok": false, "error": {"kind": 1, "text": []}}\n', None),
                            (b'{"ok": true}\n', 0), (b'{"ok": true, "devices": [1, {}]}\n', 0),
                            (b'{"ok": true, "devices": {"a": 1}}\n', 0),
                            (b'{"ok": true, "devices": [{"bus_id": "\x1b[2J"}]}\n', None),
                            (deep, 0)):
            path = self.path("fake")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
                listener.listen()

                def answer(listener=listener, reply=reply):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        try:
                            connection.sendall(reply)
                        except OSError:
                            pass
                thread = threading.Thread(target=answer)
                thread.start()
                run = self.run_program("status", "--control", "unix:" + path)
                thread.join()
            os.unlink(path)
            if code is not None:
                self.assertEqual(run.code, code, str(run)[:2000])
            self.assertIn(run.code, (0, 2, 3, 4), str(run)[:2000])
            self.assertNotIn("\x1b", run.text)

    def test_a_server_that_does_not_answer(self):
        path = self.path("silent")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()
            for verb in (["status"], ["unplug", "1-1"], ["plug", "emu:"]):
                run = self.run_program(*verb, "--control", "unix:" + path, "--timeout-ms", "100")
                self.assertEqual(run.code, 3, str(run))
                self.assertIn("no answer in 100 ms", run.complaint)


if __name__ == "__main__":
    program.main()
