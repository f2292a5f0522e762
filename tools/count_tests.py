#!/usr/bin/env python3
"""Counts what `meson test` ran, Boost.Test case by Boost.Test case. Called by tools/test.

  count_tests.py run DIR COMMAND...    the wrapper `meson test` starts each test with: asks
                                       Boost.Test for a report in DIR, then becomes the command
  count_tests.py report TESTLOG        reads Meson's testlog.json and those reports, prints failures
                                       and skips; the last line is "N passed, N failed"

A Boost executable (its name begins with "test-") counts by its cases, everything else as one. A
case that cannot run here prints "SKIP: <case>: <reason>" and is neither passed nor failed;
elsewhere exit status 77 says the same. An executable that ends badly is a failure even where its
cases passed, and cases a crash kept from running are failures too.
"""
import json
import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

OUTPUT_LINES_MAX = 400  # of one failed test
WRAPPER_WORDS = 4  # in the log each command begins with: python3, this file, run, DIR


MARK = re.compile(r"\A\[report (.*)\]\n")  # first on a test's output: where its report is


def run(directory, command):
    handle, report = tempfile.mkstemp(suffix=".xml", dir=directory)
    os.close(handle)
    print(f"[report {report}]", flush=True)
    os.environ["BOOST_TEST_LOGGER"] = f"HRF,error,stdout:JUNIT,error,{report}"
    os.environ["BOOST_TEST_COLOR_OUTPUT"] = "no"
    os.execvp(command[0], command)


class Result:
    """What one Meson test came to."""

    def __init__(self, name):
        self.name = name.split(" / ")[-1]  # Meson puts the project first
        self.passed = 0
        self.failures = []  # texts
        self.skips = []  # texts


def count_cases(result, report):
    """Adds the cases of a JUnit report."""
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{result.name}: {case.get('classname') or '-'}/{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            result.failures.append(name)
        elif case.find("skipped") is not None:
            reason = re.findall(r"- reason: '(.*)'", case.findtext("system-out") or "")
            if "BOOST_TEST_RUN_FILTERS" in os.environ:
                continue  # not asked for
            if reason and reason[-1]:
                result.skips.append(f"{name}: {reason[-1]}")
            else:  # Boost.Test leaves the rest out once a case has crashed
                result.failures.append(f"{name}: not run")
        else:
            result.passed += 1


def judge(entry):
    result = Result(entry["name"])
    output = entry.get("stdout") or ""
    executable = os.path.basename(entry["command"][WRAPPER_WORDS])
    if executable.startswith("test-"):
        try:
            mark = MARK.match(output)
            count_cases(result, mark.group(1) if mark else "")
        except (OSError, ElementTree.ParseError):
            result.failures.append(f"{result.name}: ended without a report of its cases")
        skips = re.findall(r"^SKIP: (.*)$", output, re.MULTILINE)
        result.passed -= min(len(skips), result.passed)
        result.skips += [f"{result.name}: {skip}" for skip in skips]
    elif entry["result"] in ("OK", "EXPECTEDFAIL"):
        result.passed = 1
    if entry["result"] == "SKIP":
        lines = [line for line in MARK.sub("", output).splitlines() if line.strip()]
        result.skips.append(f"{result.name}: {lines[-1] if lines else 'no reason given'}")
    elif entry["result"] not in ("OK", "EXPECTEDFAIL") and not result.failures:
        result.failures.append(f"{result.name}: {entry['result']}, status {entry['returncode']}")
    return result


def print_output(entry):
    lines = (MARK.sub("", entry.get("stdout") or "") + (entry.get("stderr") or "")).splitlines()
    left_out = max(0, len(lines) - OUTPUT_LINES_MAX)
    print(f"\n--- output of {entry['name']}" + ("" if left_out == 0 else ", its end"))
    print("\n".join(lines[left_out:]))


def report(testlog):
    with open(testlog, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file if line.strip()]
    results = [judge(entry) for entry in entries]
    for entry, result in zip(entries, results):
        if result.failures:
            print_output(entry)
    print()
    for result in results:
        for skip in result.skips:
            print("skipped:", skip)
    for result in results:
        for failure in result.failures:
            print("FAILED:", failure)
    passed = sum(result.passed for result in results)
    failed = sum(len(result.failures) for result in results)
    if not passed and not failed and not any(result.skips for result in results):
        print("no test ran")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    if len(sys.argv) >= 4 and sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3:])
    if len(sys.argv) == 3 and sys.argv[1] == "report":
        return report(sys.argv[2])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
