"""Devices of USB/IP servers on a Linux kernel: usbtwin attach usbip://... gives the kernel the
connection, as the usbip tool does."""
import json
import os

import guest
import shell

# In the guest, after shell.ATTACH: `serve` starts a server; `import` attaches a device of it, which
# leaves no process behind.
TOOLS = r"""
serve() {  # OPTION...
  "$USBTWIN" serve "$@" --no-control 2>/tmp/serve &
  server=$!
  until grep -q 'listens at' /tmp/serve; do
    kill -0 $server || { cat /tmp/serve >&2; return 1; }
    sleep 0.01
  done
}
import() {  # DEVICE [OPTION...]
  "$USBTWIN" attach "$@" >/tmp/told
  port=$(sed -n 's/.* is in port \([0-9]*\),.*/\1/p' /tmp/told)
  device=$(sed -n 's/.*, device \([-0-9.]*\) of.*/\1/p' /tmp/told)
}
round_trip() {
  yes $device | head -c 4M >/tmp/data
  dd if=/tmp/data of=$disk bs=64k oflag=direct status=none
  echo 3 >/proc/sys/vm/drop_caches
  cmp -n 4M /tmp/data $disk
}
given_back() {  # the server says so
  until grep -q "gave $1 back" /tmp/serve; do sleep 0.01; done
}
"""

# Answers an import with success, and then says what nobody has asked for.
EARLY = r"""
import socket, struct
listener = socket.create_server(("127.0.0.1", 3240))
print("listens", flush=True)
peer, _ = listener.accept()
request = b""
while len(request) < 40:
    request += peer.recv(40 - len(request))
device = (b"/sys/far".ljust(256, b"\0") + b"1-1".ljust(32, b"\0") +
          struct.pack(">IIIHHHBBBBBB", 1, 2, 3, 0x1209, 1, 0x100, 0, 0, 0, 0, 1, 1))
peer.sendall(struct.pack(">HHI", 0x111, 3, 0) + device + b"and more")
peer.recv(1)
"""


class FarAttach(guest.Case):
    def far(self, script, good=True, **more):
        """A script. A detach shuts the socket down, and so the kernel says it is closed."""
        done = self.shell(shell.ATTACH + TOOLS + script, **more)
        wrong = [line for line in self.messages() if guest.WRONG.search(line)
                 and not line.endswith("vhci_hcd: connection closed")]
        if good:
            self.assertEqual(wrong, [], "\n".join(self.messages()))
        return done

    def test_the_kernel_gets_the_connection(self):
        done = self.far("""
            serve 'emu:?size=64M'
            import usbip://127.0.0.1/1-1
            cat /tmp/told
            disk
            round_trip
            "$USBTWIN" ports
            "$USBTWIN" ports --json >$WORK/ports
            "$USBTWIN" detach $port
            given_back 1-1
            is_free $port
            "$USBTWIN" list -r 127.0.0.1
            import usbip://127.0.0.1/1-1
            "$USBTWIN" detach $port
            kill $server
            wait $server""")
        lines = done.text.splitlines()
        self.assertEqual(lines[:3] + lines[3:5], [
            "usbip://127.0.0.1/1-1 is in port 0, device 3-1 of this kernel: 1209:0001, high speed",
            '"usbtwin detach 0" takes it out.',
            "port  hub  state      speed       exported   device    id",
            "   0  hs   used       high        1:2        3-1       1209:0001  usbtwin Twin"
            "  (usbip://127.0.0.1:3240/1-1)",
            "7 of 8 hs ports are free, 8 of 8 ss ports are free"], str(done))
        ports = json.loads(self.read(os.path.join(self.work, "ports")))["ports"]
        self.assertEqual([port["origin"] for port in ports if port["state"] == "used"],
                         ["usbip://127.0.0.1:3240/1-1"])
        self.assertEqual(done.complaint, "")

    def test_over_a_socket_file_and_at_super_speed(self):
        self.far("""
            serve 'emu:?size=64M&speed=super' --listen unix:/tmp/twin.sock
            import usbip+unix:/tmp/twin.sock#1-1
            test $port = 8
            disk
            round_trip
            "$USBTWIN" ports | grep -F '(usbip+unix:/tmp/twin.sock#1-1)'
            "$USBTWIN" detach --all
            given_back 1-1""")

    def test_over_ipv6(self):
        self.far("""
            serve 'emu:?size=64M' --listen '[::1]:4000'
            import 'usbip://[::1]:4000/1-1'
            disk
            round_trip
            "$USBTWIN" ports | grep -F '(usbip://[::1]:4000/1-1)'
            "$USBTWIN" detach --all
            given_back 1-1""")

    def test_usbip_and_usbtwin_tell_the_same(self):
        self.need("usbip")
        done = self.far("""
            serve 'emu:?size=64M' 'emu:?size=64M'
            import usbip://127.0.0.1/1-1
            usbip attach -r 127.0.0.1 -b 1-2
            for again in $(seq 1000); do
              "$USBTWIN" ports | grep -q 'usbip://127.0.0.1:3240/1-2' && break
              sleep 0.01
            done
            "$USBTWIN" ports
            usbip port 2>&1
            "$USBTWIN" detach 0
            usbip detach -p 1 2>&1
            given_back 1-1
            given_back 1-2""", good=False)
        for bus_id in ("1-1", "1-2"):
            self.assertIn(f"(usbip://127.0.0.1:3240/{bus_id})", done.text)
            self.assertIn(f"-> usbip://127.0.0.1:3240/{bus_id}\n", done.text)

    def test_a_server_that_is_killed_is_a_pulled_plug(self):
        self.far("""
            serve 'emu:?size=64M'
            import usbip://127.0.0.1/1-1
            disk
            keep_writing &
            writer=$!
            sleep 0.1
            kill -KILL $server
            wait $writer
            refused || { cat /tmp/dd; false; }
            until is_free $port; do sleep 0.01; done""", good=False)

    def test_what_is_to_be_seen_comes_by(self):
        self.need("tshark")
        self.far("""
            serve 'emu:?size=64M'
            attach usbip://127.0.0.1/1-1 --record $WORK/record.pcapng
            disk
            round_trip
            good_end
            given_back 1-1""")
        self.assertGreater(os.path.getsize(os.path.join(self.work, "record.pcapng")), 8 << 20)

    def test_what_goes_wrong_is_told(self):
        script = os.path.join(self.work, "early.py")
        with open(script, "w", encoding="ascii") as file:
            file.write(EARLY)
        done = self.far("""
            status() { "$@" 2>&1 || echo "exit $?"; }
            python3 $WORK/early.py >/tmp/early &
            until test -s /tmp/early; do sleep 0.01; done
            status "$USBTWIN" attach usbip://127.0.0.1/1-1
            wait
            status "$USBTWIN" attach usbip://127.0.0.1/1-1
            serve 'emu:?size=1M'
            status "$USBTWIN" attach usbip://127.0.0.1/1-2
            import usbip://127.0.0.1/1-1
            status "$USBTWIN" attach usbip://127.0.0.1/1-1 --json >$WORK/json
            "$USBTWIN" detach --all""")
        self.assertEqual(done.text.count("exit 3"), 3, str(done))
        self.assertIn("usbtwin attach: usbip://127.0.0.1:3240/1-1: the server spoke before it was "
                      "asked: 8 bytes or more behind its answer to the import", done.text)
        self.assertIn("usbtwin attach: cannot open usbip://127.0.0.1/1-1: not found in open: no "
                      "USB/IP server listens there\ncannot connect to 127.0.0.1:3240", done.text)
        self.assertIn("cannot open usbip://127.0.0.1/1-2: ", done.text)
        text = self.read(os.path.join(self.work, "json")).decode()
        self.assertEqual(json.loads(text[text.index("{"):text.rindex("}") + 1])["exit_status"], 3)


if __name__ == "__main__":
    guest.main()
