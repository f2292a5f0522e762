"""tools/campaign on this machine: its table is that of one `usbtwin sim`, and no failure is lost.

Meson gives the program's path in the environment (USBTWIN). Other machines are ssh programs of our
own that start what they are told in another folder.
"""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
CAMPAIGN = os.path.join(ROOT, "tools", "campaign")
COMMANDS = 300
NOT_RUN_HERE = 77

# Fails as a simulation does at seed 2, breaks at seed 5; what is in `ran` was run.
FAKE = """#!/bin/sh
seed=$3
echo "$seed" >>"{folder}/ran"
[ -e "{folder}/broken" ] && exit 127
if [ "$seed" = 5 ]; then
  echo "CHECK failed: residue <= length" >&2
  kill -ABRT $$
fi
output=$("{usbtwin}" "$@" 2>/dev/null)
if [ "$seed" = 2 ]; then
  for argument; do folder=$argument; [ "$last" = --output-folder ] && break; last=$argument; done
  echo choices >"$folder/sim-2.choices"
  echo capture >"$folder/sim-2.pcapng"
  echo "$output" |
    sed 's/"failure": null/"failure": {{"seed": 2, "command": 17, "text": "lost a write"}}/'
  exit 1
fi
echo "$output"
"""

FAKE_SSH = """#!/bin/sh
while [ "$1" != faraway ]; do
  [ $# -gt 0 ] || exit 255
  shift
done
shift
[ "$1" = -- ] && shift
cd "{home}" && HOME={home} SHELL=/bin/sh exec sh -c "$*"
"""


class Campaign(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="usbtwin-campaign-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.output = self.path("out")
        self.usbtwin = os.environ["USBTWIN"]

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, *names):
        with open(os.path.join(self.output, *names), encoding="utf-8") as file:
            return file.read()

    def script(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, stat.S_IRWXU)
        return file.name

    def fake(self):
        return self.script("fake", FAKE.format(folder=self.directory, usbtwin=self.usbtwin))

    def run_campaign(self, *more, code, seeds="1..6", binary=None, env=None):
        command = [sys.executable, CAMPAIGN, "--seeds", seeds, "--chunk", "2",
                   "--commands-per-run", str(COMMANDS), "--binary", binary or self.usbtwin,
                   "--output", self.output, *more]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              cwd=self.directory, env=dict(os.environ, **(env or {})), check=False)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}\n{done.stderr}")
        return done

    def run_sim(self, *more):
        done = subprocess.run([self.usbtwin, "sim", "--seed", "1", "--runs", "6", "--jobs", "1",
                               "--commands-per-run", str(COMMANDS), *more], capture_output=True,
                              text=True, cwd=self.directory, check=True)
        return done.stdout

    def ran(self):
        with open(self.path("ran"), encoding="utf-8") as file:
            return sorted(int(line) for line in file)

    def test_the_table_is_that_of_one_simulation(self):
        done = self.run_campaign(code=0)
        self.assertEqual(done.stdout, self.run_sim())
        self.assertEqual(done.stderr, "")  # no progress: no terminal
        self.assertEqual(self.read("table.txt"), done.stdout)

    def test_the_json_is_that_of_one_simulation(self):
        merged = json.loads(self.run_campaign("--json", code=0).stdout)
        wanted = json.loads(self.run_sim("--json"))
        self.assertEqual(merged.pop("failures"), [])
        self.assertEqual(merged.pop("program"), "tools/campaign")
        self.assertIsNone(wanted.pop("failure"))
        self.assertEqual(wanted.pop("program"), "usbtwin sim")
        self.assertEqual(merged, wanted)

    def test_failures_and_crashes_are_kept_and_told(self):
        done = self.run_campaign("--json", binary=self.fake(), code=1)
        table = json.loads(done.stdout)
        self.assertEqual(table["runs"], 5)  # a crash leaves no table, its neighbours do
        failed, crashed = table["failures"]
        self.assertEqual((failed["seed"], failed["command"], failed["text"]),
                         (2, 17, "lost a write"))
        self.assertEqual((crashed["seed"], crashed["exit_status"]), (5, 134))
        self.assertIn("SIGABRT", crashed["text"])
        self.assertIn("CHECK failed: residue <= length", self.read("failures", "5", "stderr.txt"))
        self.assertEqual(self.read("failures", "2", "sim-2.choices"), "choices\n")
        self.assertEqual(self.read("failures", "2", "sim-2.pcapng"), "capture\n")
        self.assertIn("2 runs failed", done.stderr)
        self.assertIn("seed 2, command 17: lost a write\n", done.stderr)
        self.assertIn(f"sim --seed 5 --runs 1 --commands-per-run {COMMANDS}\n", done.stderr)
        self.assertIn("1 run left no table", done.stderr)
        again = subprocess.run(["sh", "-c", crashed["reproduce"]], capture_output=True, check=False)
        self.assertIn(b"CHECK failed", again.stderr)

    def test_what_is_done_is_not_run_again(self):
        fake = self.fake()
        first = self.run_campaign(binary=fake, code=1)
        self.assertEqual(self.ran(), [1, 2, 3, 4, 5, 6])
        work = next(name for name in os.listdir(self.output) if name.startswith("usbtwin-campaign"))
        os.remove(os.path.join(self.output, work, "3-4.tar.gz"))
        second = self.run_campaign(binary=fake, code=1)
        self.assertEqual(self.ran(), [1, 2, 3, 3, 4, 4, 5, 6])
        self.assertEqual((first.stdout, first.stderr), (second.stdout, second.stderr))
        self.run_campaign(binary=fake, code=1)
        self.assertEqual(len(self.ran()), 8)

    def test_a_binary_that_does_not_start_is_no_failed_run(self):
        fake = self.fake()
        broken = self.script("broken", "")
        done = self.run_campaign(binary=fake, code=3)
        self.assertIn("exit status 127", done.stderr)
        self.assertIn("the same command goes on from here", done.stderr)
        os.remove(broken)
        self.run_campaign(binary=fake, code=1)

    def test_a_folder_holds_one_campaign(self):
        self.run_campaign(code=0)
        done = self.run_campaign(seeds="1..8", code=4)
        self.assertIn("other seeds", done.stderr)

    def test_arguments_that_make_no_sense(self):
        for arguments in (["--seeds", "9..1"], ["--seeds", "x"], ["--chunk", "0"], ["--bogus"]):
            done = self.run_campaign(*arguments, code=4)
            self.assertIn(arguments[0], done.stderr)
            self.assertIn("--help", done.stderr)
        self.assertIn("--binary", self.run_campaign("--binary", "none", code=3).stderr)

    def test_another_machine_is_sent_the_binary_and_sends_back_its_archives(self):
        if shutil.which("rsync") is None or shutil.which("ssh") is None:
            print(f"SKIP: {self.id()}: no rsync or no ssh", flush=True)
            self.skipTest("no rsync or no ssh")
        home = self.path("home")
        os.mkdir(home)
        ssh = self.script("fake-ssh", FAKE_SSH.format(home=home))
        done = self.run_campaign("--sshlogin", "1/faraway", env={"PARALLEL_SSH": ssh}, code=0)
        self.assertEqual(done.stdout, self.run_sim())
        with open(os.path.join(self.output, "joblog"), encoding="utf-8") as file:
            self.assertEqual({row.split("\t")[1] for row in file.readlines()[1:]}, {"faraway"})


if __name__ == "__main__":
    if shutil.which("parallel") is None:
        print("no GNU parallel (Debian package parallel)")
        sys.exit(NOT_RUN_HERE)
    unittest.main(verbosity=2)
