"""Our disk under the SCSI tests of libiscsi, through Linux's usb-storage and through its uas.

README.md has the table of those that do not pass, and why.
"""
import fnmatch
import os
import re

import guest
import shell

README = os.path.join(guest.ROOT, "tests", "system", "README.md")
ROW = re.compile(r"^\| `(SCSI\.\S+)` \| (both|usb-storage|uas) \| (\w+) \| \S.* \|$",
                 re.MULTILINE)

# Suites that want a disk of their own kind.
SPECIAL = {"PreventAllow": "&removable=1", "StartStopUnit": "&removable=1",
           "NoMedia": "&removable=1", "ReadOnly": "&ro=1"}

# The longest command is what the 32 segments of the virtual host controller hold, 128 KiB in pages;
# a test of what lies beyond the end sends twice what it believes to be the most. A disk of another
# kind is asked through its sg node: sd would keep a removable medium inside, and write nothing to
# a disk that is read-only. MALLOC_PERTURB_, which Meson sets, would have each test touch the 32 MiB
# that it allocates and does not use.
SUITE = shell.ATTACH + """
unset MALLOC_PERTURB_
suite() {  # DRIVER NODE TEST...: on $disk, of the device $device
  test $(driver) = $1
  block=/sys/block/${disk##*/}
  test $2 = sd || disk=/dev/$(ls $block/device/scsi_generic)
  shift 2
  cd /tmp
  for test in "$@"; do
    sg_turs $disk || true  # no unit attention is left of the test before
    iscsi-test-cu --dataloss --allow-sanitize --test=$test $disk >$WORK/$test 2>&1 &&
      code=0 || code=$?
    echo "$test $code"
  done
  # Once the driver itself is removed it refuses the flush of its disks.
  echo 1 >$block/device/delete
}
run() {  # DEVICE DRIVER NODE TEST...
  attach "$1"
  disk
  shift
  test $1 = uas || echo 256 >/sys/block/${disk##*/}/device/max_sectors
  echo 64 >/sys/block/${disk##*/}/queue/max_sectors_kb
  suite "$@"
  good_end
}
run_gadget() {  # DEVICE DRIVER NODE TEST...
  "$USBTWIN" gadget "$1" --udc dummy_udc.0 >/tmp/told 2>/tmp/said &
  gadget=$!
  device=1-1
  disk
  shift
  test $1 = uas || echo 2048 >/sys/block/${disk##*/}/device/max_sectors
  suite "$@"
  kill -TERM $gadget
  wait $gadget
  until_is 'test ! -e $disk'
}
"""


def end_of(code, text):
    """How a test ended, by its exit status and its output."""
    if code > 1:
        return "crashed"
    if "FAILED" in text:
        return "failed"
    if "[SKIPPED]" in text:
        return "skipped"
    return "passed" if code == 0 and "passed" in text else "strange"


class Libiscsi(guest.Case):
    def excused(self, driver):
        """The README's patterns for this driver, and how what they match ends."""
        with open(README, encoding="utf-8") as file:
            rows = ROW.findall(file.read())
        self.assertGreater(len(rows), 5, "the README's table is not understood")
        return {pattern: end for pattern, drivers, end in rows if drivers in ("both", driver)}

    def run_suite(self, options, driver):
        self.need("iscsi-test-cu", "sg_turs")
        listed = self.host("iscsi-test-cu", "--list").decode().split()
        tests = [name for name in listed if re.fullmatch(r"SCSI\.[^.]+\.[^.]+", name)]
        self.assertGreater(len(tests), 200)
        disks = {}
        for test in tests:
            kind = SPECIAL.get(test.split(".")[1], "")
            disks.setdefault(kind, []).append(test)
        ends = self.ends("".join(
            f"run 'emu:{options}{kind}' {driver} {'sg' if kind else 'sd'} {' '.join(names)}\n"
            for kind, names in disks.items()))
        self.assertEqual(sorted(ends), sorted(tests))
        self.compare(ends, self.excused(driver))

    def ends(self, script):
        """How each test of a script ended. The kernel must not have lost its patience."""
        done = self.shell(SUITE + script)
        ends = {}
        for test, code in re.findall(r"^(SCSI\S+) (\d+)$", done.text, re.MULTILINE):
            text = self.read(os.path.join(self.work, test)).decode(errors="replace")
            ends[test] = end_of(int(code), text)
        resets = [line for line in self.messages() if re.search(r"reset|abort", line, re.I)
                  and "Power-on or device reset occurred" not in line]
        self.assertEqual(resets, [], str(done))
        return ends

    def compare(self, ends, excused):
        wrong = []
        for test, end in ends.items():
            matching = [pattern for pattern in excused if fnmatch.fnmatchcase(test, pattern)]
            wanted = excused[matching[0]] if matching else "passed"
            if end != wanted:
                text = self.read(os.path.join(self.work, test)).decode(errors="replace")
                wrong.append(f"{test} {end}, and not {wanted}:\n{text[:4000]}")
        for pattern in excused:
            if not fnmatch.filter(ends, pattern):
                wrong.append(f"the README has {pattern}, which is the name of no test")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_all_that_applies_passes_through_usb_storage(self):
        self.run_suite("?size=24M", "usb-storage")

    def test_all_that_applies_passes_through_uas(self):
        self.run_suite("uas?size=24M", "uas")

    def test_what_is_too_long_for_the_virtual_controller_passes_on_a_gadget(self):
        self.need("iscsi-test-cu", "sg_turs")
        test = "SCSI.GetLBAStatus.UnmapSingle"
        for options, driver in (("?size=24M", "usb-storage"), ("uas?size=24M", "uas")):
            ends = self.ends(f"run_gadget 'emu:{options}' {driver} sd {test}\n")
            self.compare(ends, {})
            self.assertEqual(ends, {test: "passed"})


if __name__ == "__main__":
    guest.main()
