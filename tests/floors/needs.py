#!/usr/bin/env python3
"""Checks what a shared library needs and exports: libc and its loader alone, and one symbol."""
import re
import subprocess
import sys

EXPORTS = ["usbtwin_exercise_floors"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    library = sys.argv[1]
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", library))
    foreign = [name for name in needed if not re.match(r"(libc\.so|ld-linux)", name)]
    symbols = output("nm", "-D", "--defined-only", library).splitlines()
    exports = [line.split()[-1] for line in symbols]
    print("needs", *needed)
    print("exports", *exports)
    if not needed or foreign:
        print("needs more than libc:", *foreign)
    if exports != EXPORTS:
        print("should export exactly", *EXPORTS)
    return 1 if not needed or foreign or exports != EXPORTS else 0


if __name__ == "__main__":
    sys.exit(main())
