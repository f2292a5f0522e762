"""The merged table of tools/campaign, and what it keeps of each run that failed."""
import collections
import json
import os
import shlex
import signal
import tarfile

FAILED = 1  # the exit status of a run that the simulation itself judged as failed
HISTORY_PRIME = 0x100000001b3
SUMS = ("runs", "commands", "reads", "writes", "bytes_compared", "good", "cancelled", "openings",
        "block_runs", "power_losses", "rolled_back", "virtual_ns")
COUNTS = ("injected", "observed", "recovered", "reported", "passed_on", "cancelled", "outside")
USBIP = ("runs", "connections", "broken", "silenced")
UASP = ("runs", "stream_runs", "commands")
WIDTHS = (10, 10, 11, 10, 11, 11, 9)


def count(number, noun, nouns=None):
    return f"{number} " + (noun if number == 1 else nouns or noun + "s")


class Table:
    """The sums of many runs, in the form of one `usbtwin sim`."""

    def __init__(self, options):
        self.seeds = options.seeds
        self.sums = collections.Counter()
        self.blocks = 0
        self.faults = {}  # name: Counter
        self.rungs = {}
        self.uasp = collections.Counter()
        self.at_once = 0
        self.uasp_rungs = {}
        self.usbip = collections.Counter()
        self.history = 0
        self.version = None

    def add(self, run):
        """Adds a run's JSON. KeyError, TypeError or ValueError: it is none, nothing was added."""
        sums = {key: int(run[key]) for key in SUMS}
        blocks = round(run["mean_blocks"] * (sums["reads"] + sums["writes"]))
        faults = {name: {key: int(row[key]) for key in COUNTS}
                  for name, row in run["faults"].items()}
        usbip = {key: int(run["usbip"][key]) for key in USBIP}
        uasp = {key: int(run["uasp"][key]) for key in UASP}
        at_once = round(run["uasp"]["mean_at_once"] * uasp["commands"])
        rungs = {name: int(times) for name, times in run["rungs"].items()}
        uasp_rungs = {name: int(times) for name, times in run["uasp_rungs"].items()}
        history = int(run["history"], 16)
        self.version = run["version"]
        self.sums.update(sums)
        self.blocks += blocks
        self.usbip.update(usbip)
        self.uasp.update(uasp)
        self.at_once += at_once
        for name, row in faults.items():
            self.faults.setdefault(name, collections.Counter()).update(row)
        for name, times in rungs.items():
            self.rungs[name] = self.rungs.get(name, 0) + times
        for name, times in uasp_rungs.items():
            self.uasp_rungs[name] = self.uasp_rungs.get(name, 0) + times
        self.history = self.history * HISTORY_PRIME % 2**64 ^ history

    def mean_blocks(self):
        moves = self.sums["reads"] + self.sums["writes"]
        return self.blocks / moves if moves else 0.0

    def mean_at_once(self):
        return self.at_once / self.uasp["commands"] if self.uasp["commands"] else 0.0

    def document(self, failures):
        sums = {key: self.sums[key] for key in SUMS}
        failed = {"kind": "failed", "text": f"{len(failures)} runs failed"} if failures else None
        return {"schema": 2, "program": "tools/campaign", "version": self.version,
                "exit_status": 1 if failures else 0, "error": failed,
                "seed": self.seeds[0], **sums, "mean_blocks": self.mean_blocks(),
                "history": f"{self.history:016x}",
                "usbip": {key: self.usbip[key] for key in USBIP},
                "faults": {name: {key: row[key] for key in COUNTS}
                           for name, row in self.faults.items()},
                "rungs": self.rungs,
                "uasp": {**{key: self.uasp[key] for key in UASP},
                         "mean_at_once": self.mean_at_once()},
                "uasp_rungs": self.uasp_rungs,
                "failures": [failure.document() for failure in failures]}

    def text(self):
        sums, seconds = self.sums, self.sums["virtual_ns"] // 10**9
        lines = [f"seeds {self.seeds[0]} to {self.seeds[1]}: {sums['runs']} runs, "
                 f"{sums['commands']} commands, {sums['openings']} openings, {seconds // 3600} h "
                 f"{seconds // 60 % 60:02} min {seconds % 60:02} s of virtual time",
                 f"{sums['reads']} reads and {sums['writes']} writes of {self.mean_blocks():.1f} "
                 f"blocks on average; {sums['bytes_compared'] // 10**6} MB compared",
                 f"{count(sums['good'], 'command')} ended well, "
                 f"{sums['cancelled']} were cancelled; "
                 f"{count(sums['block_runs'], 'run')} went through a block device",
                 f"{count(self.usbip['runs'], 'run')} over USB/IP: "
                 f"{count(self.usbip['connections'], 'connection')}, of which "
                 f"{self.usbip['broken']} broke and {self.usbip['silenced']} went silent",
                 f"{count(self.uasp['runs'], 'run')} over UASP, {self.uasp['stream_runs']} with "
                 f"streams: {count(self.uasp['commands'], 'command')}, "
                 f"{self.mean_at_once():.1f} at once on average",
                 f"{count(sums['power_losses'], 'power loss', 'power losses')} took "
                 f"{count(sums['rolled_back'], 'block')} back to what they held before", ""]
        total = sum(self.faults.values(), collections.Counter())
        head = {key: key.replace("_", " ") for key in COUNTS}
        rows = [("fault", head), *self.faults.items(), ("all", total)]
        for name, row in rows:
            cells = (f"{row[key]:>{width}}" for key, width in zip(COUNTS, WIDTHS))
            lines.append(f"{name:<24}" + "".join(cells))
        unseen = [name for name, row in self.faults.items() if row["observed"] == 0]
        if unseen and total["injected"]:
            lines.append("never observed: " + ", ".join(unseen))
        rungs = ", ".join(f"{name} {times}" for name, times in self.rungs.items())
        uasp_rungs = ", ".join(f"{name} {times}"
                               for name, times in self.uasp_rungs.items())
        lines += ["", f"commands by the highest rung of recovery: {rungs}",
                  f"and over UASP: {uasp_rungs}",
                  f"history {self.history:016x}"]
        return "\n".join(lines) + "\n"


def how_it_ended(status):
    if status > 128:
        try:
            return f"crashed: {signal.Signals(status - 128).name}"
        except ValueError:
            pass
    return f"ended with exit status {status}"


class Failure:
    def __init__(self, options, folder, seed, status, run, err):
        found = run.get("failure") if isinstance(run, dict) else None
        if not isinstance(found, dict):
            found = {}
        self.seed, self.status = seed, status
        self.command = found.get("command")  # which one of the run, where it is known
        self.err = err
        self.text = str(found.get("text", ""))
        if not self.text or status != FAILED:
            told = err.decode(errors="replace").strip().splitlines()[-3:]
            also = f"; {self.text}" if self.text else ""
            self.text = how_it_ended(status) + also + "".join("\n    " + line for line in told)
        self.folder = os.path.join(folder.path, "failures", str(seed))
        self.choices = None
        self.reproduce = (f"{shlex.quote(folder.binary)} sim --seed {seed} --runs 1 "
                          f"--commands-per-run {options.commands_per_run}")

    def keep(self, files):
        """`files`: name, bytes of what the run itself kept."""
        os.makedirs(self.folder, exist_ok=True)
        for name, data in files.items():
            path = os.path.join(self.folder, name)
            with open(path, "wb") as file:
                file.write(data)
            if name.endswith(".choices"):
                self.choices = path
        with open(os.path.join(self.folder, "stderr.txt"), "wb") as file:
            file.write(self.err)
        with open(os.path.join(self.folder, "how.txt"), "w", encoding="utf-8") as file:
            file.write(self.told())

    def told(self):
        where = "" if self.command is None else f", command {self.command}"
        text = f"seed {self.seed}{where}: {self.text}\n  reproduce: {self.reproduce}\n"
        if self.choices:
            binary = self.reproduce.split(" sim ", maxsplit=1)[0]
            text += f"  replay: {binary} sim --replay {shlex.quote(self.choices)}\n"
        return text + f"  kept: {self.folder}\n"

    def document(self):
        return {"seed": self.seed, "command": self.command, "text": self.text,
                "exit_status": self.status, "reproduce": self.reproduce, "folder": self.folder}


def merge_chunk(options, folder, chunk, table):
    """Adds a chunk's runs; yields those that failed."""
    with tarfile.open(folder.archive(chunk)) as archive:  # in one pass: it is compressed
        files = {os.path.basename(member.name): archive.extractfile(member).read()
                 for member in archive if member.isfile()}
    for seed in range(chunk[0], chunk[1] + 1):
        if f"{seed}.json" not in files:
            raise tarfile.ReadError(f"no seed {seed}")
        status = int(files.get(f"{seed}.status", 0))
        run = None
        try:
            run = json.loads(files[f"{seed}.json"])
            table.add(run)
        except (ValueError, KeyError, TypeError, AttributeError):
            run = None
        if status == 0 and run is not None:
            continue
        failure = Failure(options, folder, seed, status, run, files.get(f"{seed}.err", b""))
        if status == 0:
            failure.text = "ended well and printed no table"
        failure.keep({name: data for name, data in files.items()
                      if name.startswith(f"sim-{seed}.")})
        yield failure
