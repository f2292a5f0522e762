#!/usr/bin/env python3
"""Runs the simulation as its users do.

  run_sim.py many USBTWIN                 1,000,000 commands over 200 seeds; no run may fail
  run_sim.py few USBTWIN                  a twentieth of the commands, for builds that are slow
  run_sim.py exhaustive USBTWIN           every schedule of two commands with at most one fault
  run_sim.py same USBTWIN                 the same seed gives the same table, byte for byte
  run_sim.py canaries SOURCE BUILD        each planted bug is found within a minute, and its
                                          printed command finds it again
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

SECONDS_MAX = 60  # to find a canary and to make its run smaller
CHOICES_MAX = 500  # of a canary's run that was made smaller; or half of what it was
RUNS_MIN = 200  # seeds
COMMANDS_MIN = 1_000_000
MOVING_MIN = 0.7  # of the commands: READs and WRITEs that were carried out
ENDINGS = ("recovered", "reported", "passed_on", "cancelled", "outside")
# Canaries that two commands of one block can meet.
SMALL_CANARIES = (
    "residue-ignored", "stale-status", "signature-ignored", "phase-error-passes",
    "halt-not-cleared", "spurious-timeout", "lost-cancel", "dead-after-fault", "cancel-ignored",
    "late-deadline", "residue-off-by-one", "short-after-recovery", "wrong-phase",
    "port-reset-first")


def run(*arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, check=False, **options)


def check(condition, text):
    if not condition:
        sys.exit(f"failed: {text}")


def simulate(usbtwin, commands):
    result = run(usbtwin, "sim", "--seed", "1", "--commands", str(commands),
                 "--commands-per-run", str(commands // RUNS_MIN), "--json")
    print(result.stderr)
    check(result.returncode == 0, f"status {result.returncode}")
    check("seed 1\n" in result.stderr, "the first seed is not printed")
    table = json.loads(result.stdout)
    print(f"seeds {table['seed']} to {table['seed'] + table['runs'] - 1}, "
          f"{table['commands']} commands")
    check(table["runs"] >= RUNS_MIN, f"only {table['runs']} seeds")
    check(table["commands"] >= commands, f"only {table['commands']} commands")
    moving = table["reads"] + table["writes"]
    print(f"mean {table['mean_blocks']:.1f} blocks, {moving} READs and WRITEs that were judged")
    check(moving >= MOVING_MIN * table["commands"], f"only {moving} READs and WRITEs")
    for name, count in table["faults"].items():
        check(count["injected"] >= count["observed"], f"{name}: {count}")
        check(count["observed"] == sum(count[key] for key in ENDINGS), f"{name}: {count}")
    return table


def few(usbtwin):
    simulate(usbtwin, COMMANDS_MIN // 20)


def many(usbtwin):
    table = simulate(usbtwin, COMMANDS_MIN)
    unseen = [name for name, count in table["faults"].items() if count["observed"] == 0]
    check(not unseen, f"never observed: {unseen}")
    for key, times in table["usbip"].items():
        check(times, f"USB/IP: no {key}")
    check(table["block_runs"], "no host had blocks")
    check(table["cancelled"], "no command was cancelled before it ended")
    check(table["rolled_back"], "no power loss took anything back")
    for ending in ENDINGS:
        check(any(count[ending] for count in table["faults"].values()), f"none was {ending}")


def exhaustive(usbtwin):
    result = run(usbtwin, "sim", "--exhaustive")
    print(result.stdout, result.stderr)
    check(result.returncode == 0, f"status {result.returncode}")
    schedules, plain = (int(number) for number in re.match(
        r"(\d+) schedules.* in (\d+) nothing went wrong, and both ended well",
        result.stdout).groups())
    check(schedules > 100_000, f"only {schedules} schedules")
    check(plain >= 8, f"only {plain} schedules without a fault")
    # Every kind of transfers, ports and Bulk-Only is met while a command is under way.
    rows = re.findall(r"^((?:usb|port|bot)\.\S+)" + r" +(\d+)" * 7, result.stdout, re.M)
    check(len(rows) >= 41, f"only {len(rows)} kinds")
    for name, *counts in rows:
        observed, outside = int(counts[1]), int(counts[6])
        check(observed > outside, f"{name} was not observed by a command")


def same(usbtwin):
    tables = [run(usbtwin, "sim", "--seed", seed, "--commands", "50000", "--jobs", jobs).stdout
              for seed, jobs in (("7", "1"), ("7", "2"), ("8", "1"))]
    check(tables[0] and tables[0] == tables[1], "the same seed gave another table")
    check(tables[0].split("\n")[-2] != tables[2].split("\n")[-2], "another seed, same history")


def canaries(source, build):
    setup = run("meson", "setup", "--wrap-mode=nofallback", build, source, "-Doptimization=1",
                "-Dtests=false", "-Dbenchmarks=disabled", "-Dcanaries=true",
                "-Dwerror=false")
    check(setup.returncode == 0, setup.stdout + setup.stderr)
    ninja = run("ninja", "-C", build, "tools/usbtwin-sim")
    check(ninja.returncode == 0, ninja.stdout[-4000:])
    usbtwin = os.path.abspath(os.path.join(build, "tools", "usbtwin-sim"))
    unknown = run(usbtwin, "sim", "--canary", "?")
    check(unknown.returncode == 4, "an unknown canary is refused")
    names = re.findall(r"^  ([a-z-]+)$", unknown.stderr, re.M)
    check(len(names) >= 10, f"only {len(names)} canaries")
    healthy = run(usbtwin, "sim", "--commands", "100000")
    check(healthy.returncode == 0, "without a canary the build is healthy:\n" + healthy.stderr)
    with tempfile.TemporaryDirectory() as folder, open("/dev/full", "w", encoding="ascii") as full:
        lost = subprocess.run([usbtwin, "sim", "--bot", "--canary", names[0]], stdout=full,
                              stderr=subprocess.PIPE, text=True, cwd=folder, check=False)
        told = all(word in lost.stderr for word in ("No space left", "reproduce:", "replay:"))
        check(lost.returncode == 1 and told, f"a failure was lost with the output: {lost.stderr}")
    for name in SMALL_CANARIES:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = run(usbtwin, "sim", "--exhaustive", "--canary", name, cwd=folder)
        print(f"{name}, exhaustive: {time.monotonic() - start:.1f} s: {found.stderr[:200]}",
              flush=True)
        check(found.returncode == 1, f"{name} passed every schedule of two commands")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            hosts = "--uasp" if name.startswith("uas-") else "--bot"
            found = run(usbtwin, "sim", hosts, "--canary", name, "--minutes", "1",
                        "--shrink-seconds", "30", cwd=folder)
            seconds = time.monotonic() - start
            command = re.search(r"usbtwin (sim --seed.*--canary.*)", found.stderr)
            first = "".join(line for line in found.stderr.split("\n") if ", command " in line)
            print(f"{name}: {seconds:.1f} s: {first}", flush=True)
            check(found.returncode != 0 and command, f"{name} was not found")
            check(seconds < SECONDS_MAX, f"{name} took {seconds:.0f} s")
            again = run(usbtwin, *command[1].split(), cwd=folder)
            check(again.returncode == found.returncode, f"{name}: {command[0]} repeats nothing")
            check(found.returncode == 1, f"{name}: status {found.returncode}")
            smaller = re.search(r"made smaller: from (\d+) choices? to (\d+)", found.stderr)
            check(smaller, f"{name} was not made smaller")
            print(f"  {smaller[0]}", flush=True)
            before, after = int(smaller[1]), int(smaller[2])
            check(after <= max(CHOICES_MAX, before / 2), f"{name}: {smaller[0]}")
            replay = re.search(r"replay: usbtwin (sim --replay.*)", found.stderr)
            check(replay, f"{name}: no list of choices")
            check(any(file.endswith(".pcapng") for file in os.listdir(folder)), "no capture")
            again = run(usbtwin, *replay[1].split(), cwd=folder)
            check(again.returncode == 1, f"{name}: {replay[0]} repeats nothing")


if __name__ == "__main__":
    {"many": many, "few": few, "exhaustive": exhaustive, "same": same,
     "canaries": canaries}[sys.argv[1]](*sys.argv[2:])
