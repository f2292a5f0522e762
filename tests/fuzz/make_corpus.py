#!/usr/bin/env python3
"""Writes the samples of fixtures/corpus that are made, not found: each file is named for what it
holds, and comes out the same every time. What fuzzers found lies beside them and is left alone.

  make_corpus.py          writes into fixtures/corpus
  make_corpus.py --check  exits 1 where a file there is another than it would write
"""
import os
import struct
import sys

from uas_samples import UAS_DEVICE, UAS_HOST

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def data(text):
    return bytes.fromhex(text)


# --- descriptors: the bytes are all of these at once, whatever they were meant to be ---

DEVICE = data("12 01 0002 00 00 00 40 0912 0100 0001 01 02 03 01")
INTERFACE = "09 04 00 00 02 08 06 50 00"
BULK = "07 05 81 02 0002 00 07 05 02 02 0002 00"


def configuration(rest, interfaces=1):
    rest = data(rest)
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(rest), interfaces, 1, 0, 0x80, 50) + rest


def bos(rest, count):
    rest = data(rest)
    return struct.pack("<BBHB", 5, 15, 5 + len(rest), count) + rest


def string(text):
    units = text.encode("utf-16-le", "surrogatepass")
    return bytes([2 + len(units), 3]) + units


DESCRIPTORS = {
    "device_high_speed": DEVICE,
    "configuration_bulk_only": configuration(INTERFACE + BULK),
    "configuration_super_speed_with_streams": configuration(
        INTERFACE + "07 05 81 02 0004 00 06 30 0f 00 0000 07 05 02 02 0004 00 06 30 03 00 0000"
        "09 04 00 01 02 08 06 62 00 07 05 81 02 0004 00 06 30 0f 05 0000 04 24 03 00"
        "07 05 02 02 0004 00 06 30 0f 10 0000 04 24 04 00"),
    "configuration_with_association": configuration(
        "03 ff 01 08 0b 00 02 02 02 01 05 09 04 00 00 01 02 02 01 05 05 24 00 10 01"
        "07 05 81 03 0800 10 09 04 01 00 00 0a 00 00 00", 2),
    "configuration_whose_associations_overlap": configuration(
        "08 0b 01 02 02 02 01 05 08 0b 00 02 02 02 01 06 09 04 00 00 00 02 02 01 00"
        "09 04 01 00 00 0a 00 00 00 09 04 02 00 00 0a 00 00 00", 3),
    "configuration_with_an_interface_twice": configuration(INTERFACE + INTERFACE + BULK),
    "configuration_of_a_descriptor_without_length": configuration(INTERFACE + "00 05 81"),
    "configuration_that_ends_in_one_byte": configuration(INTERFACE + "07"),
    "configuration_total_length_too_long": b"\x09\x02\xff\xff" + configuration(INTERFACE)[4:],
    "isochronous_endpoint_of_no_bytes": configuration(INTERFACE + "07 05 83 01 0000 01"),
    "bos_of_a_super_speed_plus_device": bos(
        "07 10 02 06000000 0a 10 03 00 0e00 01 0a ff07"
        "14 10 0a 00 01000000 0111 0000 30400500 b0400500", 3),
    "bos_with_container_and_platform": bos(
        "14 10 04 00 000102030405060708090a0b0c0d0e0f 05 10 05 00 01", 2),
    "bos_sublinks_cut_short": bos("0c 10 0a 00 1f000000 0111 0000", 1),
    "string_latin": string("usbtwin \u00e9"),
    "string_surrogate_pair": string("\U0001f50c"),
    "string_surrogate_alone": string("\ud83d"),
    "string_longest": string("x" * 126),
    "string_length_beyond_its_end": b"\xff\x03a\0b\0",
    "text_of_broken_utf8": b"\xc3\x28 \xe2\x82 \xf0\x9f\x94\x8c \xed\xa0\x80",
}

# --- scsi: a command block, and sense data ---

SCSI = {
    "read_10": data("28 08 00000008 00 0010 00"),
    "read_6_of_256_blocks": data("08 1f ffff 00 00"),
    "write_16_beyond_32_bits": data("8a 00 0000000100000000 00000008 00 00"),
    "verify_10_with_reserved_byte_check": data("2f 04 00000000 00 0001 00"),
    "mode_sense_10_all_pages": data("5a 10 3f ff 00 00 00 00ff 00"),
    "read_capacity_16": data("9e 10 0000000000000000 00000020 00 00"),
    "read_capacity_10_with_a_stray_address": data("25 00 00000001 0000 00 00"),
    "start_stop_eject": data("1b 01 00 00 02 00"),
    "naca_is_refused": data("12 00 00 00 24 04"),
    "cdb_cut_short": data("28 00 00"),
    "sense_fixed_with_information": data("f0 00 05 00008000 0a 00000000 21 00 00 c00002"),
    "sense_descriptors": data(
        "72 05 24 00 000000 14 00 0a 80 00 0000000100000000 02 06 0000 cf0001 00"),
    "sense_two_information_descriptors": data(
        "72 03 11 00 000000 18 00 0a 80 00 0000000000000007 00 0a 00 00 0000000000000009"),
    "sense_deferred": data("71 00 03 00000000 0a 00000000 0c 02 00 000000"),
}

# --- bot_host: see tests/fuzz/bot_host_fuzz.cc for what each byte decides ---

START_IN = "28 03 00"  # opcode; data-in, sense on failure is bit 4; as much as 512 bytes
START_OUT = "2a 02 00"
SENT = "00 00"
DATA = "00 00 00"
STATUS = "00 00 00"

BOT_HOST = {
    "read_that_passes": data(START_IN + SENT + DATA + STATUS) * 2,
    "write_that_passes": data(START_OUT + SENT + DATA + STATUS) * 2,
    "data_stalls": data(START_IN + SENT + "f9 00 00 00" + STATUS),
    "status_stalls_then_comes": data(START_IN + SENT + DATA + "f9 00 00 00" + STATUS),
    "status_stalls_twice": data(START_IN + SENT + DATA + "f9 00 00 00 f9 00 00 00 00 00"),
    "failed_with_sense": data("28 13 00" + SENT + DATA + "00 00 01 01" + SENT + DATA + STATUS),
    "status_of_another_tag": data(START_IN + SENT + DATA + "00 00 04 01" + "00 00 00") * 2,
    "status_of_another_signature": data(START_IN + SENT + DATA + "00 00 08 05" + "00 00 00"),
    "status_is_reserved": data(START_IN + SENT + DATA + "00 00 01 07" + "00 00 00"),
    "phase_error": data(START_IN + SENT + DATA + "00 00 01 02" + "00 00 00"),
    "status_in_place_of_data": data(START_IN + SENT + "00 02 00"),
    "status_cut_short": data(START_IN + SENT + DATA + "00 01 00 05" + "00 00 00"),
    "everything_times_out": data(START_IN + "fb" * 40),
    "disconnected_in_data": data(START_IN + SENT + "fd 00 00" + "00"),
    "resets_that_fail_climb_the_ladder": data(START_IN + "fb 00 fb fb fb") * 4,
    "cancelled_before_it_was_sent": data(START_IN + "fa 00" + START_IN + SENT + DATA + STATUS),
}

# --- device: see tests/fuzz/device_fuzz.cc ---

HIGH, FULL, SUPER = "00", "01", "02"
CONFIGURE = "00"
RUN = "00"
IN_STATUS = "08"


def command(opcode_index, blocks, lba, lun=0):
    """A sound wrapper: an index into the target's opcodes."""
    lba_text = f"{lba:02x}" if 6 <= opcode_index <= 12 else ""
    return f"02 {lun:02x} {opcode_index:02x} {blocks:02x} {lba_text} 01"


def bulk_in(length):
    return "06" + struct.pack("<H", length).hex()


def zeros(length):
    return "05" + struct.pack("<H", length).hex()


def setup(request):
    return "09" + request.replace(" ", "")


# The first command after power-on is refused.
READY = (command(0, 0, 0) + IN_STATUS + RUN) * 2
INQUIRY = command(2, 32, 0) + bulk_in(32) + IN_STATUS + RUN
READ = command(7, 8, 4) + bulk_in(4096) + IN_STATUS + RUN
WRITE = command(8, 8, 4) + zeros(4096) + IN_STATUS + RUN

# Four packets of 600 bytes, and setting 1 of the second interface, which has such endpoints.
ISO_SETTING = "0b 04 03"
ISO_IN = "8e 34 6009 4b4b4b4b 0000"
ISO_OUT = "8e 24 6009 4b4b4b4b 0000"

DEVICE_INPUTS = {
    "inquiry": data(HIGH + CONFIGURE + INQUIRY * 2),
    "write_then_read": data(HIGH + CONFIGURE + READY + WRITE + READ),
    "full_speed_write_then_read": data(FULL + CONFIGURE + READY + WRITE + READ),
    "super_speed_write_then_read": data(SUPER + CONFIGURE + READY + WRITE + READ),
    "read_of_the_removable_unit_while_it_is_ejected": data(
        HIGH + CONFIGURE + READY + command(0, 0, 0, 1) + IN_STATUS + RUN + command(7, 8, 0, 1)
        + "0c 01" + bulk_in(4096) + RUN),
    "write_cancelled_in_its_middle": data(
        HIGH + CONFIGURE + READY + command(8, 8, 4) + zeros(4096) + "01 0a 00 0a 01" + RUN),
    "reset_in_the_middle_of_a_read": data(
        HIGH + CONFIGURE + READY + command(7, 32, 0) + bulk_in(512) + "01 0b 00 00 01 01" + RUN
        + INQUIRY),
    "wrapper_of_garbage_wedges": data(
        HIGH + CONFIGURE + "04 05 0102030405" + RUN + IN_STATUS + RUN + "0b 01 00 0b 02 00"),
    "mass_storage_reset_while_wedged": data(
        HIGH + CONFIGURE + "04 05 0102030405" + RUN + setup("21 ff 0000 0000 0000") + RUN
        + "0b 01 00 0b 02 00" + INQUIRY),
    "mass_storage_reset_with_data_lent": data(
        HIGH + CONFIGURE + READY + command(8, 8, 4) + zeros(4096) + "01 01"
        + setup("21 ff 0000 0000 0000") + "01 01 01" + RUN),
    "unplugged_in_a_write": data(
        HIGH + CONFIGURE + READY + command(8, 8, 4) + zeros(4096) + "01 01 ff" + RUN),
    "unplugged_with_data_lent_and_more_behind": data(
        HIGH + CONFIGURE + READY + command(8, 8, 4) + zeros(4096) + zeros(512) + "01 ff" + RUN),
    "get_descriptors": data(
        HIGH + "07" + setup("80 06 0001 0000 1200") + setup("80 06 0002 0000 ff00")
        + setup("80 06 0003 0000 ff00") + setup("80 06 0203 0904 ff00") + RUN),
    "suspended_with_a_read_in_flight": data(
        HIGH + CONFIGURE + bulk_in(512) + "0b 05 00 00" + bulk_in(512) + "00 0b 06 00 00"),
    "two_wrappers_at_once": data(HIGH + CONFIGURE + command(0, 0, 0) * 2 + RUN + IN_STATUS * 2),
    "isochronous_both_ways": data(
        HIGH + CONFIGURE + ISO_SETTING + ISO_IN + ISO_OUT + ISO_IN + "01" * 40),
    "isochronous_packets_one_over_another": data(
        SUPER + CONFIGURE + ISO_SETTING + "8e 34 6009 f00000 f80100 ff0000 4b 0000" + "01" * 8
        + "8e 03 0000 00 01 02 ffff" + "01" * 8),
    "isochronous_transfers_cancelled_suspended_and_unplugged": data(
        HIGH + CONFIGURE + ISO_SETTING + ISO_IN + ISO_OUT + "0101 0a00 01 0b0500 0101 0b0600 0101"
        + ISO_SETTING + ISO_IN + "01 0b0402" + ISO_IN + ISO_SETTING + ISO_OUT + "01 ff" + ISO_IN),
    "isochronous_packets_more_than_there_can_be": data(
        FULL + CONFIGURE + ISO_SETTING + "8e fd 4b04 0004" + "00" * 1099 + "0000" + "01" * 4),
    "endpoints_that_are_not_there": data(HIGH + CONFIGURE + "0e 83 10 0e 03 04 01020304" + RUN),
}

# --- profile ---

PROFILES = {
    "smallest": "[[unit]]\nsize = 512\n",
    "everything": """speed = "super"
[device]
vendor_id = 0x1209
version = "1.00"
usb_version = "3.1"
manufacturer = "m\u00e9"
self_powered = true
power_ma = 900
quirks = ["no_language_table"]
[[unit]]
size = "64M"
block_size = 4096
removable = true
[[unit]]
image = "disk.img"
read_only = true
[[function]]
kind = "bot"
class = "vendor"
units = [1, 0]
quirks = ["wrong_residue", "odd_signature"]
[[configuration]]
value = 1
name = "one"
""",
    "table_with_three_brackets": "[[[function]]]\n",
    "key_beyond_ascii": "\u00e9 = 1\n",
    "quotation_mark_in_a_number": "[device]\nproduct_id = 6'\u0425'\n",
    "key_of_many_dots": "a." * 100 + "a = 1\n",
    "arrays_in_arrays": "a = " + "[" * 40 + "]" * 40 + "\n",
    "string_of_several_lines":
        "[device]\nproduct = \"\"\"\na\"\"b\\u00e9\"\"\"\n[[unit]]\nsize = 512\n",
    "size_that_is_no_whole_number_of_blocks": "[[unit]]\nsize = 513\n",
    "backslash_before_a_character_beyond_ascii": "speed = \"\"\"\\\n \u00e9\"\"\"\n",
    "unknown_key": "speed = \"high\"\nspead = 1\n",
    "no_toml": "speed high\n",
}

# --- pcap: a file, and packets for the writer ---


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


RECORD = struct.pack("<QBBBBHBBQIiII8sIIII", 1, ord("S"), 3, 1, 1, 1, ord("-"), 0, 1, 0, -115, 4, 4,
                     b"", 0, 0, 0, 0) + b"USBC"
SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
INTERFACE_BLOCK = block(1, struct.pack("<HHI", 220, 0, 0) + data("0900 0100 09000000 0000 0000"))


def packet(body, captured=None):
    captured = len(body) if captured is None else captured
    body += b"\0" * (-len(body) % 4)
    return block(6, struct.pack("<IIIII", 0, 0, 1, captured, captured) + body)


PCAPS = {
    "pcapng_one_transfer": SECTION + INTERFACE_BLOCK + packet(RECORD),
    "pcapng_packet_longer_than_its_block": SECTION + INTERFACE_BLOCK + packet(RECORD, 0xFFFFFFFF),
    "pcapng_block_of_no_length": SECTION + struct.pack("<II", 6, 0),
    "pcapng_length_beyond_the_file": SECTION + struct.pack("<II", 6, 0xFFFFFFF0),
    "pcapng_big_endian": struct.pack(">IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28),
    "classic_one_transfer": struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 220)
    + struct.pack("<IIII", 1, 2, len(RECORD), len(RECORD)) + RECORD,
    "classic_packet_cut_short": struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 220)
    + struct.pack("<IIII", 1, 2, 1000, 1000) + RECORD,
    "usbpcap_link_type": struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 249)
    + struct.pack("<IIII", 1, 2, 4, 4) + b"abcd",
    "packets_for_the_writer": data("e0 01000000 05 0102030405 02 1f ffffffff 03 616263 00"),
}

# --- usbip: see tests/fuzz/usbip_fuzz.cc; the first byte says which reader the rest is for ---


def op(code, status=0):
    return struct.pack(">HHI", 0x0111, code, status)


def device_record(bus_id=b"1-1", speed=3, interfaces=1):
    return struct.pack(">256s32sIIIHHH6B", b"/twins/disk", bus_id, 1, 2, speed, 0x1209, 1, 0x0100,
                       0, 0, 0, 1, 1, interfaces)


def message(command, sequence, body, direction=0, endpoint=0):
    device_id = 0x10002 if command <= 2 else 0
    return struct.pack(">5I", command, sequence, device_id, direction, endpoint) + body


def submit(sequence, length, direction, endpoint, packets=0, setup=bytes(8), flags=0):
    body = struct.pack(">5I", flags, length, 0, packets, 0) + setup
    return message(1, sequence, body, direction, endpoint)


def reply(sequence, status, length, packets=0):
    return message(3, sequence, struct.pack(">i4I8x", status, length, 0, packets, 0))


def unlink(sequence, victim):
    return message(2, sequence, struct.pack(">I24x", victim))


def unlink_reply(sequence, status):
    return message(4, sequence, struct.pack(">i24x", status))


def iso(*packets):
    return b"".join(struct.pack(">3Ii", *packet) for packet in packets)


GET_DEVICE = data("80 06 0001 0000 1200")
USBIP_CLIENT = (op(0x8003) + struct.pack("32s", b"1-1") + submit(1, 18, 1, 0, setup=GET_DEVICE)
                + submit(2, 31, 0, 2) + b"USBC" + bytes(27) + unlink(3, 1))
USBIP_SERVER = reply(1, 0, 18) + DEVICE + reply(2, 0, 31) + unlink_reply(3, -104)
USBIP_LIST = op(5) + struct.pack(">I", 2) + (device_record() + data("08 06 50 00")) * 2

OPS, COMMANDS, REPLIES, TALK = b"\0", b"\1", b"\2", b"\3"
ASK_IN, ASK_OUT, ASK_ISO = "00 02 00", "00 00 00", "00 0d 03"  # flags, then how much
ANSWER = "01 00 00"  # which one; how it ended
UNLINK = "02 00"
USBIP = {
    "list_of_two_devices": OPS + USBIP_LIST,
    "list_of_too_many_devices": OPS + op(5) + b"\0\0\x10\x01",
    "list_request": OPS + op(0x8005),
    "import_request": OPS + op(0x8003) + struct.pack("32s", b"1-1"),
    "import_request_that_does_not_end": OPS + op(0x8003) + b"1" * 32,
    "import_reply": OPS + op(3) + device_record(),
    "import_refused": OPS + op(3, 2),
    "import_of_a_bus_id_that_is_none": OPS + op(3) + device_record(b"\x1b[m"),
    "import_of_an_unknown_speed": OPS + op(3) + device_record(speed=7),
    "version_of_another_age": OPS + op(0x8005)[2:] + op(3),
    "submits_and_an_unlink": COMMANDS + USBIP_CLIENT[40:],
    "isochronous_submit": COMMANDS + submit(1, 64, 1, 3, 2) + iso((0, 32, 0, 0), (32, 32, 0, 0)),
    "isochronous_packet_outside_the_buffer":
        COMMANDS + submit(1, 64, 1, 3, 1) + iso((32, 33, 0, 0)),
    "submit_to_endpoint_16": COMMANDS + submit(1, 64, 1, 16),
    "submit_of_two_gib": COMMANDS + submit(1, 0x80000000, 0, 2),
    "control_that_contradicts_itself": COMMANDS + submit(1, 18, 0, 0, setup=GET_DEVICE) + bytes(18),
    "replies_and_an_unlink_reply": REPLIES + reply(0x800, 0, 18) + DEVICE + reply(0x801, 0, 512)
    + unlink_reply(0xC03, -104),
    "reply_longer_than_asked": REPLIES + reply(0x800, 0, 513),
    "reply_twice": REPLIES + reply(0x800, 0, 0) * 2,
    "isochronous_reply": REPLIES + reply(0x802, 0, 6, 4) + b"abcdef" + iso(
        (0, 16, 1, 0), (16, 16, 2, 0), (32, 16, 0, -71), (48, 16, 3, 0)),
    "isochronous_sum_that_does_not_match": REPLIES + reply(0x802, 0, 6, 4) + b"abcdef" + iso(
        (0, 16, 1, 0), (16, 16, 2, 0), (32, 16, 0, 0), (48, 16, 4, 0)),
    "unlink_reply_to_nothing": REPLIES + unlink_reply(0xC00, -104),
    "talk_in_and_out": TALK + data((ASK_IN + ANSWER + ASK_OUT + ANSWER) * 2),
    "talk_isochronous": TALK + data((ASK_ISO + "01 00 00 03 05 07") * 2),
    "talk_cancelled": TALK + data(ASK_IN + UNLINK + "03 00" + ASK_OUT + UNLINK + ANSWER + "03 00"),
}

DUMPS = {
    "usbip-client": USBIP_CLIENT,
    "usbip-server": USBIP_SERVER,
    "usbip-list": USBIP_LIST,
    "usbip-isochronous": reply(1, 0, 2, 2) + b"ab" + iso((0, 16, 2, 0), (16, 16, 0, -18)),
}

CORPORA = {
    "bot_host": (".bin", BOT_HOST),
    "descriptors": (".bin", DESCRIPTORS),
    "device": (".bin", DEVICE_INPUTS),
    "dump": (".bin", DUMPS),
    "pcap": (".bin", PCAPS),
    "profile": (".toml", {name: text.encode() for name, text in PROFILES.items()}),
    "scsi": (".bin", SCSI),
    "uas_device": (".bin", UAS_DEVICE),
    "uas_host": (".bin", UAS_HOST),
    "usbip": (".bin", USBIP),
}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    different = []
    for target, (suffix, samples) in CORPORA.items():
        folder = os.path.join(ROOT, "fixtures", "corpus", target)
        os.makedirs(folder, exist_ok=True)
        for name, content in samples.items():
            path = os.path.join(folder, name + suffix)
            if check:
                if not os.path.exists(path) or open(path, "rb").read() != content:
                    different.append(path)
            else:
                with open(path, "wb") as file:
                    file.write(content)
    for path in different:
        print(f"{os.path.relpath(path, ROOT)}: run tests/fuzz/make_corpus.py")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
