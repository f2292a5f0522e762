#!/usr/bin/env python3
"""Runs .clusterfuzzlite/build.sh as its image does, as far as that goes without the image: with the
clang that is here. Every target must come out with its seed corpus, and run over it."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FLAGS = "-O1 -gline-tables-only -fsanitize=address -fsanitize=fuzzer-no-link"


def skip(reason):
    print(f"SKIP: clusterfuzzlite: {reason}")
    sys.exit(77)


def why_not():
    if shutil.which("clang++") is None:
        return "there is no clang++"
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "try.cc")
        with open(source, "w", encoding="ascii") as file:
            file.write('extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) '
                       "{ return 0; }\n")
        tried = subprocess.run(["clang++", "-fsanitize=fuzzer,address", source, "-o",
                                os.path.join(folder, "try")], capture_output=True, check=False)
    return None if tried.returncode == 0 else "this clang++ has no libFuzzer"


def check_target(out, name):
    fuzzer = os.path.join(out, name + "_fuzzer")
    assert os.access(fuzzer, os.X_OK), f"{name}: no fuzzer"
    corpus = os.path.join(ROOT, "fixtures", "corpus", name)
    with zipfile.ZipFile(fuzzer + "_seed_corpus.zip") as seeds:
        assert sorted(seeds.namelist()) == sorted(os.listdir(corpus)), f"{name}: other seeds"
        unpacked = os.path.join(out, name)
        seeds.extractall(unpacked)
    for kind in ("options", "dict"):
        wanted = os.path.exists(os.path.join(ROOT, "tests", "fuzz", f"{name}.{kind}"))
        assert os.path.exists(f"{fuzzer}.{kind}") == wanted, f"{name}.{kind}"
    ran = subprocess.run([fuzzer, "-runs=0", unpacked], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{name}: {ran.stderr[-2000:]}"


def main():
    reason = why_not()
    if reason is not None:
        skip(reason)
    names = sorted(os.path.basename(path).removesuffix("_fuzz.cc")
                   for path in glob.glob(os.path.join(ROOT, "tests", "fuzz", "*_fuzz.cc")))
    with tempfile.TemporaryDirectory() as folder:
        places = {place: os.path.join(folder, place) for place in ("src", "work", "out")}
        for place in places.values():
            os.mkdir(place)
        os.symlink(ROOT, os.path.join(places["src"], "usbtwin"))
        environment = {**os.environ, "CC": "clang", "CXX": "clang++", "CFLAGS": FLAGS,
                       "CXXFLAGS": FLAGS, "LIB_FUZZING_ENGINE": "-fsanitize=fuzzer",
                       "SRC": places["src"], "WORK": places["work"], "OUT": places["out"]}
        for variable in ("LDFLAGS", "CPPFLAGS"):
            environment.pop(variable, None)
        script = os.path.join(ROOT, ".clusterfuzzlite", "build.sh")
        built = subprocess.run([script], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, check=False)
        assert built.returncode == 0, built.stdout[-4000:]
        for name in names:
            check_target(places["out"], name)
    print(f"{len(names)} fuzzers with their seeds")


main()
