#!/bin/bash -eu
# Builds every target of tests/fuzz into $OUT, with its seed corpus, options and dictionary, as
# ClusterFuzzLite and OSS-Fuzz expect it: compiler, flags, sanitizer and engine come in CC, CXX,
# CFLAGS, CXXFLAGS and LIB_FUZZING_ENGINE. tests/fuzz/clusterfuzzlite_test.py runs it without them.
cd "$SRC/usbtwin"
build=$WORK/usbtwin
rm -rf "$build"
# Plain: the flags are given. A warning of another clang is none of this build's business.
meson setup --wrap-mode=nofallback "$build" -Dbuildtype=plain -Dwerror=false -Db_lundef=false \
  -Dfuzzers=true -Dfuzz_engine="$LIB_FUZZING_ENGINE"
ninja -C "$build" fuzzers
for fuzzer in "$build"/tests/fuzz/*-fuzzer; do
  name=$(basename "$fuzzer" -fuzzer)
  target=$OUT/${name}_fuzzer  # ClusterFuzz knows fuzzers by this ending
  cp "$fuzzer" "$target"
  rm -f "${target}_seed_corpus.zip"
  python3 -m zipfile -c "${target}_seed_corpus.zip" "fixtures/corpus/$name"/*
  for kind in options dict; do
    [ ! -f "tests/fuzz/$name.$kind" ] || cp "tests/fuzz/$name.$kind" "$target.$kind"
  done
done
