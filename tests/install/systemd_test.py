"""The systemd units, as systemd itself judges them. Arguments: the folder of the sources, the
service as it was configured, and the program. Skipped where there is no systemd-analyze."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

EXPOSURE_MAX = 2.0  # of 10, as systemd-analyze security counts it


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


def main(sources, service, program):
    with open(service, encoding="utf-8") as file:
        text = file.read()
    command = re.search(r"^ExecStart=(\S+) (.*)$", text, re.M)
    assert command and command[1].endswith("/bin/usbtwin"), text
    assert "--listen activated:0" in command[2], text
    if shutil.which("systemd-analyze") is None:
        print("SKIP: systemd: no systemd-analyze")
        return 77
    with tempfile.TemporaryDirectory(prefix="usbtwin-systemd-") as folder:
        place = os.path.join(folder, "usbtwin.service")
        with open(place, "w", encoding="utf-8") as file:
            file.write(text.replace(command[1], os.path.abspath(program)))  # one that is there
        shutil.copy(os.path.join(sources, "usbtwin.socket"), folder)
        os.environ["SYSTEMD_UNIT_PATH"] = folder + ":"
        for name in ("usbtwin.service", "usbtwin.socket"):
            code, said = analyze("verify", "--man=no", os.path.join(folder, name))
            ours = [line for line in said.splitlines() if "usbtwin" in line]
            assert code == 0 and not ours, said
        code, said = analyze("security", "--offline=true", "--no-pager", place)
        found = re.search(r"exposure level for usbtwin.service: ([\d.]+)", said)
        if found is None:
            print("SKIP: systemd: this systemd-analyze does not judge a file:", said[:200])
            return 77
        assert float(found[1]) <= EXPOSURE_MAX, said
        print(found[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
