"""The samples of the targets uas_device and uas_host: what each byte decides is in the targets."""


def data(text):
    return bytes.fromhex(text)

#-- - uas_device : streams or not, then steps -- -

STREAMS, SHARED = "00", "01"
NONE, IN, OUT = "0a", "06", "02"  # what the unit makes of a command
READY, MOVED, SENT, GONE = "02", "0a", "0a", "0a"  # what ends
FAILED, BROKEN = "06", "0e"
REPLY = "01 00"  # the first answer was taken


def command(tag, lun=0, attribute=0):
    return f"00 02 {tag - 1:02x} {lun:02x} {attribute:02x}"


def function(tag, code, task, lun=0):
    codes = (1, 2, 4, 8, 0x10, 0x40, 0x80, 0x81, 0x82)
    return f"00 03 {tag - 1:02x} {lun:02x} {codes.index(code):02x} {task - 1:02x}"


def steps(*parts):
    return data(" ".join(parts))


def go(what, task=0):
    return f"{what} {task:02x}"


UAS_DEVICE = {
    "command_without_data": steps(SHARED, command(1), go(NONE), go(SENT)),
    "read_behind_its_ready_iu":
        steps(SHARED, command(1), go(IN), go(READY), go(MOVED), go(SENT)),
    "write_behind_its_ready_iu":
        steps(SHARED, command(1), go(OUT), go(READY), go(MOVED), go(SENT)),
    "read_on_a_stream": steps(STREAMS, command(1), go(IN), go(MOVED), go(SENT)),
    "two_reads_take_turns": steps(
        SHARED, command(1), command(2), go(IN, 1), go(IN, 0), go(READY, 0), go(READY, 1),
        go(MOVED, 1), go(MOVED, 0), go(SENT, 0), go(SENT, 1)),
    "data_that_breaks_off": steps(
        SHARED, command(1), go(IN), go(READY), go(FAILED), go(MOVED), go(SENT)),
    "data_that_the_host_breaks_off": steps(
        SHARED, command(1), go(OUT), go(READY), go(FAILED), go(GONE), go(SENT)),
    "abort_task": steps(SHARED, command(1), function(9, 1, 1), go(GONE), REPLY),
    "abort_of_a_turn": steps(
        SHARED, command(1), command(2), go(IN, 0), go(IN, 1), function(9, 1, 1), go(READY, 0),
        go(GONE, 0), REPLY, go(READY, 1), go(MOVED, 1), go(SENT, 1)),
    "unit_reset": steps(STREAMS, command(1), command(2), function(9, 8, 1), go(GONE, 0),
                        go(GONE, 1), REPLY),
    "query_task": steps(STREAMS, command(1), function(9, 0x80, 1), REPLY),
    "not_supported": steps(STREAMS, function(9, 0x10, 1), REPLY, function(9, 0x82, 1)),
    "overlapped_tag": steps(SHARED, command(1), command(1), go(GONE), REPLY),
    "ordered_waits": steps(SHARED, command(1), command(2, attribute=5), command(3), go(NONE, 0),
                           go(SENT, 0), go(NONE, 1), go(SENT, 1), go(NONE, 2), go(SENT, 2)),
    "more_commands_than_places": steps(SHARED, *[command(tag) for tag in range(1, 9)]),
    "iu_cut_short": steps(SHARED, "00 00 02 01 00", REPLY),
    "tag_without_a_stream": steps(STREAMS, "00 11 ff ff 00 00"),
    "another_setting_in_mid_command": steps(SHARED, command(1), go(IN), "ff 00", command(1)),
}

#-- - uas_host : how many streams, then steps -- -

TWO_STREAMS, SIX_STREAMS, NO_STREAMS = "03", "02", "00"
OK = "00"
SENSE, READ_READY, WRITE_READY = "00 00", "00 80", "00 c0"  # outcome, then the IU


def start(length=0, out=False):
    shape = (0 if length == 0 else 1) | (0 if out else 0x10)
    return f"00 {shape:02x}" + ("" if length == 0 else f" {length // 100:02x}")


def leg(which, tag, rest):
    """`which`: 0 the IU, 1 data, 2 a status, 3 the time is over, 7 it is cancelled."""
    choice = 3 | which << 3
    return f"{choice:02x} {tag - 1:02x} {rest}"


UAS_HOST = {
    "command_without_data": steps(NO_STREAMS, start(), leg(0, 1, OK), leg(2, 1, SENSE)),
    "read_behind_its_ready_iu": steps(
        NO_STREAMS, start(500), leg(0, 1, OK), leg(2, 1, READ_READY), leg(1, 1, OK),
        leg(2, 1, SENSE)),
    "write_behind_its_ready_iu": steps(
        NO_STREAMS, start(500, True), leg(0, 1, OK), leg(2, 1, WRITE_READY), leg(1, 1, OK),
        leg(2, 1, SENSE)),
    "read_on_a_stream": steps(
        SIX_STREAMS, start(500), leg(0, 1, OK), leg(1, 1, OK), leg(2, 1, SENSE)),
    "status_before_data": steps(
        SIX_STREAMS, start(500), leg(2, 1, SENSE), leg(1, 1, OK), leg(0, 1, OK)),
    "check_condition": steps(
        SIX_STREAMS, start(500), leg(0, 1, OK), leg(2, 1, "00 18 02"), leg(1, 1, "00")),
    "status_of_another_tag": steps(
        SIX_STREAMS, start(), start(), leg(0, 1, OK), leg(2, 1, "00 1d 02 00")),
    "status_cut_short": steps(NO_STREAMS, start(), leg(0, 1, OK), leg(2, 1, "00 1c 07")),
    "iu_of_no_kind": steps(NO_STREAMS, start(), leg(0, 1, OK), leg(2, 1, "00 1e 55")),
    "a_stall": steps(NO_STREAMS, start(500), leg(0, 1, "e0"), "0a 00"),
    "time_is_over": steps(SIX_STREAMS, start(500), leg(0, 1, OK), leg(3, 1, ""), leg(1, 1, OK)),
    "cancelled": steps(NO_STREAMS, start(), leg(0, 1, OK), leg(7, 1, "")),
    "too_few_streams_to_manage": steps(TWO_STREAMS, start(), leg(0, 1, OK), leg(3, 1, "")),
    "everything_is_late": steps(
        NO_STREAMS, start(), start(500), leg(3, 1, ""), leg(3, 2, ""), "01", "01", "0a"),
}
