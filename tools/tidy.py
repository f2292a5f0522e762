#!/usr/bin/env python3
"""The house rules that no compiler checks: floors, banned words, lone awaits, sizes, dead files.

  tidy.py              checks the project; prints "file:line: rule: what" and exits 1 on an error
  tidy.py --self-test  proves on small trees that each rule fires (tools/tidy_cases.py)

The tables at the top are the rules; ARCHITECTURE.md and CONTRIBUTING.md say why.
"""
import os
import re
import shutil
import subprocess
import sys

from tidy_text import CODE, LONE_AWAIT, File, function_bodies, statement_after, statement_before

# --- The floor table. Includes go downward: a folder sees itself and what its row names. ---
ENGINES = ["src/base", "src/wire", "src/usb", "src/proto", "src/link"]
FLOORS = {  # in the order of meson.build
    "src/base": [],
    "src/wire": ["src/base/bytes.h"],
    "src/usb": ENGINES[:2],
    "src/proto": ENGINES[:3],
    "src/link": ENGINES[:4],
    "emulator": ENGINES,
    "src/async": ENGINES,
    "host": ENGINES + ["src/async"],
    "src/conform": ENGINES + ["src/async", "host"],
    "src/app": ENGINES + ["emulator", "src/async", "host"],
    "src/os": ENGINES + ["emulator", "src/async", "host", "src/app"],
    "src/sim": ENGINES + ["emulator", "src/async", "host", "src/app"],
    "src/shim": ENGINES + ["emulator", "src/async", "src/app"],
}
TOP = ["tools", "tests"]  # may include everything
RIM = ["src/os", "src/shim"]  # where the operating system is
REAL = RIM + ["tools", "tests/os", "tests/shim", "tests/system"]  # where time and threads are real
FROM_APP = ["src/app", "src/os", "src/sim", "tools", "tests"]
FROM_ASYNC = ["src/async", "host", "src/conform"] + FROM_APP

# Foreign headers, and the only places that may include them.
FOREIGN = [
    (r"(sys|linux|net|netinet|arpa|asm)/|scsi/(?!sg_lib)", RIM + ["tests"], "an OS header"),
    (r"scsi/sg_lib", ["src/app", "src/os", "tests"], "sg3_utils"),
    (r"(unistd|fcntl|poll|pthread|signal|termios|dirent|dlfcn|netdb|ifaddrs|sched|semaphore|spawn"
     r"|syslog|pwd|grp|aio|windows)\.h$", RIM + ["tests"], "an OS header"),
    (r"(libusb.*|libudev|liburing)\.h$|libusb-1\.0/", RIM + ["tests"], "an OS library"),
    (r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier)$",
     REAL, "threads"),
    (r"boost/", ["tests"], "Boost"),
    (r"benchmark/", ["tests"], "Google Benchmark"),
    (r"toml\+\+/|nlohmann/", ["src/app", "tools", "tests"], "a file format library"),
    (r"(fmt|spdlog)/", FROM_APP, "a formatting library"),
    (r"CLI/", ["tools", "tests"], "a command line library"),
    (r"absl/(?!functional/(any_invocable|function_ref)\.h$|container/btree_(map|set)\.h$)",
     ["host"] + FROM_APP, "this part of Abseil"),
    (r"(format|expected|ranges|print)$", [], "what g++ 12 or clang 14 lacks"),
]

# Words of code (comments and strings do not count), and where they are allowed.
WORDS = [
    (r"\b(steady_timer|system_clock|steady_clock|random_device)\b", REAL,
     "time is Clock&, chance is Chooser&"),
    (r"\bstd::(jthread|thread|mutex|shared_mutex|condition_variable|async)\b", REAL,
     "threads live in src/os"),
    (r"\b(u|nano)?sleep(_for|_until)?\s*\(|\bs?rand\s*\(", REAL,
     "advance the Clock, ask the Chooser"),
    (r"\b(hto[bl]e|[bl]etoh)(16|32|64)\b|\b[bl]e(16|32|64)toh\b", [], "use wire/endian.h"),
    (r"\b(hton|ntoh)[sl]\b", RIM, "use wire/endian.h"),
    (r"\breinterpret_cast\b", ["src/wire/endian.h"] + RIM, "use wire::View or wire::AsBytes"),
    (r"\bco_(await|return|yield)\b", FROM_ASYNC, "coroutines begin at src/async"),
    (r"\bthrow\b", ["src/shim", "tests"], "return a Result"),
    (r"\bstd::(views|format|expected|print)\b", [], "g++ 12 or clang 14 lacks it"),
    (r"\busing\s+namespace\b(?!.*literals\s*;)", ["tests"], "name what you use"),
]

# Words of any text. Written in two halves, so that this file passes.
LEFTOVERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
PLACES = re.compile(r"(?<![\w.~}])/(wor" r"k|hom" r"e|roo" r"t|User" r"s)/\w")

COLUMNS_MAX = 100
FILE_LINES = (400, 600)  # warning above, error above
FUNCTION_LINES = (70, 100)
ESSAY_LINES_MAX = 25
TEXT = CODE + (".py", ".sh", ".md", ".build", ".txt", ".toml", ".yml", ".map", ".wrap")
CLANG_FORMAT_VERSION = "14"


def inside(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def folder_of(path):
    """The floor a file lives on, or its top folder."""
    for folder in list(FLOORS) + TOP:
        if inside(path, [folder]):
            return folder
    return None


class Tidy:
    def __init__(self, texts):
        self.files = {path: File(path, text) for path, text in sorted(texts.items())}
        self.errors = []
        self.warnings = []
        self.notes = []

    def report(self, path, line, rule, what):
        self.errors.append((path, line, rule, what))

    def warn(self, path, line, rule, what):
        self.warnings.append((path, line, rule, what))

    def check(self):
        for file in self.files.values():
            self.check_text(file)
            if file.path.endswith(CODE):
                self.check_includes(file)
                self.check_words(file)
                self.check_awaits(file)
                self.check_functions(file)
                self.check_first_include(file)
            if file.path.endswith(".h"):
                self.check_header(file)
        self.check_dead_files()
        self.check_build_order()

    # --- one file ---

    def check_text(self, file):
        is_code = file.path.endswith(CODE + (".py", ".build")) or file.text.startswith("#!")
        for number, line in enumerate(file.lines, 1):
            if is_code and len(line) > COLUMNS_MAX:
                self.report(file.path, number, "columns", f"{len(line)}, at most {COLUMNS_MAX}")
            if line != line.rstrip():
                self.report(file.path, number, "space", "white space at the end of the line")
            leftover = LEFTOVERS.search(line)
            if leftover:
                self.report(file.path, number, "leftover", f"{leftover.group()} never lands")
            if PLACES.search(line):
                self.report(file.path, number, "place", "an absolute path of one machine")
        if is_code:
            self.check_size(file.path, 1, "file-length", len(file.lines), FILE_LINES)

    def check_size(self, path, line, rule, count, limits):
        what = f"{count} lines, at most {limits[0]}"
        if count > limits[1]:
            self.report(path, line, rule, what)
        elif count > limits[0]:
            self.warn(path, line, rule, what)

    def resolve(self, file, header):
        """The project file an include names, or None."""
        beside = os.path.normpath(os.path.join(os.path.dirname(file.path), header))
        for path in (header, "src/" + header, beside):
            if path in self.files:
                return path
        return None

    def check_includes(self, file):
        folder = folder_of(file.path)
        for number, header, quoted in file.includes:
            target = self.resolve(file, header)
            if quoted and target is None:
                self.report(file.path, number, "include", f'"{header}" is not in the project')
            if not quoted and target is not None:
                self.report(file.path, number, "include", f"<{header}> is ours: use quotes")
            if target is not None:
                if folder in FLOORS and not inside(target, FLOORS[folder] + [folder]):
                    self.report(file.path, number, "floor", f"{folder} may not include {header}")
                continue
            for pattern, places, what in FOREIGN:
                if re.match(pattern, header) and folder and not inside(file.path, places):
                    self.report(file.path, number, "foreign", f"{what} has no place here: {header}")

    def check_words(self, file):
        folder = folder_of(file.path)
        if folder is None:
            return
        for pattern, places, what in WORDS:
            if inside(file.path, places):
                continue
            for found in re.finditer(pattern, file.code):
                self.report(file.path, file.line_at(found.start()), "word",
                            f"{found.group().strip()}: {what}")

    def check_awaits(self, file):
        """g++ 12 miscompiles a co_await that shares its statement with more than these forms."""
        for found in re.finditer(r"\bco_await\b", file.body):
            before = statement_before(file.body, found.start())
            after = statement_after(file.body, found.end())
            if before is not None and before.rstrip().endswith("operator"):
                continue
            line = file.line_at(found.start())
            if before is None:
                self.report(file.path, line, "await", "inside parentheses; give it a statement")
            elif not LONE_AWAIT.fullmatch(before):
                self.report(file.path, line, "await", f"after \"{' '.join(before.split())}\"")
            elif re.search(r"[{}\[?]|&&|\|\||\bco_await\b", after):
                self.report(file.path, line, "await", "with { [ ?: && || or another co_await")

    def check_functions(self, file):
        if inside(file.path, ["tests"]):
            return
        for first, final in function_bodies(file.body):
            line = file.line_at(first)
            count = file.line_at(final) - line + 1
            self.check_size(file.path, line, "function-length", count, FUNCTION_LINES)

    def check_header(self, file):
        essay = 0
        while essay < len(file.lines) and file.lines[essay].startswith("//"):
            essay += 1
        if not 1 <= essay <= ESSAY_LINES_MAX:
            self.report(file.path, 1, "essay",
                        f"{essay} lines of comment at the top, 1 to {ESSAY_LINES_MAX} wanted")
        if file.lines[essay:essay + 1] != ["#pragma once"]:
            self.report(file.path, essay + 1, "essay", "#pragma once follows the comment")

    def check_first_include(self, file):
        """Each .cc, and each test, includes its own header first: a header stands alone."""
        own = re.sub(r"\.cc$", ".h", file.path)
        if inside(file.path, ["tests"]):  # tests/proto/x_test.cc tests src/proto/x.h
            own = re.sub(r"^tests/(.*)_test\.cc$", r"src/\1.h", file.path)
            own = own if own in self.files else own.removeprefix("src/")
        if own not in self.files or own == file.path:
            return
        if not file.includes or self.resolve(file, file.includes[0][1]) != own:
            line = file.includes[0][0] if file.includes else 1
            self.report(file.path, line, "own-header", f"{own} comes first")

    # --- the tree ---

    def check_dead_files(self):
        included = {self.resolve(file, header) for file in self.files.values()
                    for _, header, _ in file.includes}
        texts = {path: file.text for path, file in self.files.items()
                 if not inside(path, ["fixtures"])}
        fuzz = texts.get("tests/fuzz/meson.build", "")
        for path in self.files:
            folder, name = os.path.split(path)
            if path.endswith(".h") and path not in included:
                self.report(path, 1, "dead", "nobody includes it")
            elif path.endswith((".cc", ".c")):
                target = re.sub(r"_fuzz\.cc$", "", name)
                is_target = folder == "tests/fuzz" and f"'{target}'" in fuzz
                if not is_target and not self.is_built(path):
                    self.report(path, 1, "dead", f"{folder}/meson.build does not name it")
            elif inside(path, ["fixtures/corpus"]):
                if f"'{path.split('/')[2]}'" not in fuzz:
                    self.report(path, 1, "dead", "no fuzz target has this corpus")
            elif inside(path, ["fixtures"]) and name != "README.md":
                if not any(name in text for text in texts.values()):
                    self.report(path, 1, "dead", "nobody mentions it")

    def is_built(self, path):
        """Whether a meson.build beside or above a source names it."""
        folder = os.path.dirname(path)
        while folder:
            build = self.files.get(folder + "/meson.build")
            if build and f"'{os.path.relpath(path, folder)}'" in build.text:
                return True
            folder = os.path.dirname(folder)
        return False

    def check_build_order(self):
        build = self.files.get("meson.build")
        if build is None:
            return
        named = [(build.line_at(found.start()), found.group(1))
                 for found in re.finditer(r"^\s*subdir\('([^']+)'\)", build.text, re.MULTILINE)]
        order = [folder for folder in FLOORS if folder in [name for _, name in named]]
        floors = [(line, name) for line, name in named if name in FLOORS]
        for (line, name), wanted in zip(floors, order):
            if name != wanted:
                self.report("meson.build", line, "build-order", f"{wanted} comes before {name}")
                break
        for folder in FLOORS:
            if folder not in order and any(inside(path, [folder]) for path in self.files):
                self.report("meson.build", 1, "build-order", f"no subdir('{folder}')")

    def check_format(self, root):
        tool = shutil.which("clang-format")
        version = tool and output(tool, "--version").stdout
        if not version or f"version {CLANG_FORMAT_VERSION}." not in version:
            self.notes.append(f"format skipped: no clang-format {CLANG_FORMAT_VERSION} here")
            return
        sources = [path for path in self.files if path.endswith(CODE)]
        done = output(tool, "--dry-run", *sources, cwd=root)
        places = {}  # path: lines
        for path, line in re.findall(r"^(\S+?):(\d+):\d+: \w+: code should be", done.stderr,
                                     re.MULTILINE):
            places.setdefault(path, set()).add(int(line))
        for path, lines in places.items():
            what = f"clang-format -i changes {len(lines)} lines from here on"
            self.report(path, min(lines), "format", what)


def output(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def read_tree(root):
    texts = {}
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = [name for name in folders if name != "__pycache__"
                      and (relative != "." or not name.startswith((".", "build"))
                           or name in (".ci", ".clusterfuzzlite"))
                      and not (relative == "subprojects")]
        for name in names:
            path = os.path.normpath(os.path.join(relative, name))
            full = os.path.join(folder, name)
            if inside(path, ["fixtures"]) and not name.endswith(TEXT):
                texts[path] = ""
            elif name.endswith(TEXT) or os.access(full, os.X_OK):
                with open(full, encoding="utf-8", errors="replace") as file:
                    texts[path] = file.read()
    return texts


def self_test():
    from tidy_cases import CASES, GOOD_TREE
    failures = 0
    for name, changes, wanted in [("the good tree", {}, [])] + CASES:
        tidy = Tidy({**GOOD_TREE, **changes})
        tidy.check()
        fired = sorted({rule for _, _, rule, _ in tidy.errors})
        if fired != sorted(wanted):
            failures += 1
            print(f"{name}: fired {fired}, expected {wanted}")
            print("".join(f"  {path}:{line}: {rule}: {what}\n"
                          for path, line, rule, what in tidy.errors))
    print(f"{len(CASES) + 1} trees, {failures} failures")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    tidy = Tidy(read_tree(root))
    tidy.check()
    tidy.check_format(root)
    for path, line, rule, what in sorted(tidy.warnings):
        print(f"{path}:{line}: {rule} (warning): {what}")
    for path, line, rule, what in sorted(tidy.errors):
        print(f"{path}:{line}: {rule}: {what}")
    for note in tidy.notes:
        print(note)
    counts = f"{len(tidy.errors)} errors, {len(tidy.warnings)} warnings"
    print(f"tidy: {len(tidy.files)} files, {counts}")
    return 1 if tidy.errors else 0


if __name__ == "__main__":
    sys.exit(main())
