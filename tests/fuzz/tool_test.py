#!/usr/bin/env python3
"""tools/fuzz as its user meets it, without fuzzing: help, the list of targets, wrong arguments."""
import glob
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def run(*arguments):
    return subprocess.run([os.path.join(ROOT, "tools", "fuzz"), *arguments], capture_output=True,
                          text=True, check=False)


def main():
    asked = run("--help")
    assert asked.returncode == 0 and asked.stdout.startswith("usage: tools/fuzz")
    listed = run("--list")
    assert listed.returncode == 0
    rows = {line.split()[0]: int(line.split()[1]) for line in listed.stdout.splitlines()}
    targets = [os.path.basename(path).removesuffix("_fuzz.cc")
               for path in glob.glob(os.path.join(ROOT, "tests", "fuzz", "*_fuzz.cc"))]
    assert sorted(rows) == sorted(targets), rows
    assert all(rows.values()), rows
    for arguments, text in [
            ((), "which target?"),
            (("nothing",), 'there is no target "nothing"; there are bot_device'),
            (("dump", "soon"), '"soon" is no number of seconds'),
            (("dump", "1", "2"), "too many arguments"),
            (("--jobs", "0", "dump"), "--jobs needs a number"),
            (("--merge",), "--merge needs one target"),
            (("--merge", "nothing"), 'there is no target "nothing"'),
            (("--fast",), "no such option: --fast"),
    ]:
        refused = run(*arguments)
        assert refused.returncode == 2, arguments
        assert text in refused.stderr and "usage:" in refused.stderr, refused.stderr
    print(f"{len(rows)} targets")


main()
