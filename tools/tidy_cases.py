"""Small trees that prove each rule of tidy.py: what is changed in a good tree, what must fire."""

ESSAY = "// What it is.\n#pragma once\n\n"
LONG_FUNCTION = "int F() {\n" + "  G();\n" * 110 + "  return 0;\n}\n"

GOOD_TREE = {
    "meson.build": "subdir('src/base')\nsubdir('src/wire')\nsubdir('src/usb')\nsubdir('emulator')\n"
                   "subdir('src/async')\nsubdir('host')\nsubdir('src/os')\n",
    "src/base/meson.build": "lib = static_library('base', 'bytes.cc')\n",
    "src/base/bytes.h": ESSAY + "#include <string>\n#include <absl/container/btree_map.h>\n",
    "src/base/bytes.cc": '#include "base/bytes.h"\n\n#include <vector>\n\n'
                         "// sleep(1) in a comment, throw in another\n"
                         'const char* kText = "reinterpret_cast<int>(steady_clock)";\n'
                         "constexpr int kMillion = 1'000'000;\n",
    "src/wire/endian.h": ESSAY + '#include "base/bytes.h"\n'
                         "inline auto* F(void* p) { return reinterpret_cast<char*>(p); }\n",
    "src/usb/link.h": ESSAY + '#include "wire/endian.h"\n',
    "emulator/meson.build": "lib = static_library('emulator', 'device.cc')\n",
    "emulator/device.h": ESSAY + '#include "usb/link.h"\n',
    "emulator/device.cc": '#include "emulator/device.h"\n',
    "src/async/task.h": ESSAY + '#include "usb/link.h"\n',
    "host/meson.build": "lib = static_library('host', 'session.cc')\n",
    "host/session.h": ESSAY + '#include "async/task.h"\n',
    "host/session.cc":
        '#include "host/session.h"\n\nTask<int> F(int a) {\n'
        "  co_await G(a);\n"
        "  auto r = co_await G(std::move(a));\n"
        "  const Result<int> s = co_await host_.Execute(r, 5);\n"
        "  outcome_ = co_await Perform(link_, transfer);\n"
        "  for (int i = 0; i < 2; ++i) co_await G(i);\n"
        "  if (a > 1 && r) co_await G(a);\n"
        "  else co_return co_await G(2);\n"
        "  co_return co_await G(r);\n}\n",
    "src/os/meson.build": "lib = static_library('os', 'loop.cc')\n",
    "src/os/loop.cc": "#include <sys/epoll.h>\n#include <unistd.h>\n#include <thread>\n\n"
                      '#include "emulator/device.h"\n#include "host/session.h"\n'
                      "std::thread thread;\n",
    "tests/base/meson.build": "test('base', executable('test-base', 'bytes_test.cc'))\n",
    "tests/base/bytes_test.cc": '#include "base/bytes.h"\n\n#include <boost/test/unit_test.hpp>\n'
                                "using namespace usbtwin;\n" + LONG_FUNCTION,
    "tests/fuzz/meson.build": "fuzz_targets = {\n  'hex': base_dep,\n}\n",
    "tests/fuzz/hex_fuzz.cc": '#include "base/bytes.h"\n',
    "fixtures/corpus/hex/one.bin": "",
}


HOST = "host/session.cc"
TEST = "tests/base/bytes_test.cc"


def plus(path, line):
    """One more line at the end of a file of the good tree."""
    return {path: GOOD_TREE[path] + line + "\n"}


def in_coroutine(statement):
    return plus(HOST, "Task<int> H() {\n  " + statement + "\n}")


def included(path, text):
    """A further header that somebody includes."""
    return {path: text, **plus("src/os/loop.cc", f'#include "{path.removeprefix("src/")}"')}


CASES = [  # name, files that differ from the good tree, rules that must fire
    ("an include goes upward", plus("src/usb/link.h", '#include "async/task.h"'), ["floor"]),
    ("emulator includes async", plus("emulator/device.cc", '#include "async/task.h"'), ["floor"]),
    ("async includes emulator", plus("src/async/task.h", '#include "emulator/device.h"'),
     ["floor"]),
    ("host includes emulator", plus(HOST, '#include "emulator/device.h"'), ["floor"]),
    ("wire includes more of base than bytes.h",
     {**included("src/base/error.h", ESSAY),
      **plus("src/wire/endian.h", '#include "base/error.h"')},
     ["floor"]),
    ("host includes the rim", {**included("src/os/tcp.h", ESSAY),
                               **plus(HOST, '#include "os/tcp.h"')}, ["floor"]),
    ("a quoted include of nothing", plus("src/usb/link.h", '#include "usb/gone.h"'), ["include"]),
    ("our header in angle brackets", plus("src/usb/link.h", "#include <wire/endian.h>"),
     ["include"]),
    ("an OS header in host", plus(HOST, "#include <unistd.h>"), ["foreign"]),
    ("an OS header folder in base",
     plus("src/base/bytes.h", "#include <sys/types.h>"), ["foreign"]),
    ("an OS header in a tool",
     {"tools/meson.build": "'x.cc'\n", "tools/x.cc": "#include <poll.h>\n"},
     ["foreign"]),
    ("libusb outside the rim", plus(HOST, "#include <libusb-1.0/libusb.h>"),
     ["foreign"]),
    ("Asio outside the rim", plus(HOST, "#include <boost/asio/post.hpp>"), ["foreign"]),
    ("Boost in the library", plus("src/os/loop.cc", "#include <boost/optional.hpp>"), ["foreign"]),
    ("JSON below app", plus(HOST, "#include <nlohmann/json.hpp>"), ["foreign"]),
    ("TOML below app", plus(HOST, "#include <toml++/toml.h>"), ["foreign"]),
    ("fmt below app", plus(HOST, "#include <fmt/format.h>"), ["foreign"]),
    ("Abseil in full in an engine", plus("src/base/bytes.h", "#include <absl/status/status.h>"),
     ["foreign"]),
    ("threads in host", plus(HOST, "#include <mutex>"), ["foreign"]),
    ("views", plus("src/os/loop.cc", "#include <ranges>"), ["foreign"]),
    ("wall time", plus(HOST, "auto t = std::chrono::steady_clock::now();"), ["word"]),
    ("chance", plus(TEST, "std::random_device device;"), ["word"]),
    ("a mutex", plus("emulator/device.cc", "std::mutex mutex;"), ["word"]),
    ("a sleeping test", plus(TEST, "void F() { usleep (10); }"), ["word"]),
    ("htobe32", plus("src/os/loop.cc", "int x = htobe32(1);"), ["word"]),
    ("be16toh", plus("src/wire/endian.h", "int x = be16toh(1);"), ["word"]),
    ("reinterpret_cast", plus(HOST, "auto* p = reinterpret_cast<int*>(q);"), ["word"]),
    ("a coroutine in an engine",
     plus("src/usb/link.h", "Task<int> F() { co_return 1; }"), ["word"]),
    ("an exception", plus(HOST, "void F() { throw 1; }"), ["word"]),
    ("using namespace", plus(HOST, "using namespace std;"), ["word"]),
    ("std::format", plus(HOST, 'auto s = std::format("x");'), ["word"]),
    ("braces beside co_await", in_coroutine("auto r = co_await F(Request{1});"), ["await"]),
    ("a lambda beside co_await", in_coroutine("auto r = co_await F([] {});"), ["await"]),
    ("a condition around co_await", in_coroutine("if (co_await F()) G();"), ["await"]),
    ("an operator beside co_await", in_coroutine("auto r = a && co_await F();"), ["await"]),
    ("an operator after co_await", in_coroutine("auto r = co_await F() || b;"), ["await"]),
    ("?: beside co_await", in_coroutine("auto r = a ? b : co_await F();"), ["await"]),
    ("co_await as an argument", in_coroutine("G(co_await F());"), ["await"]),
    ("co_await in an initializer", in_coroutine("auto r = Agg{co_await F()};"), ["await"]),
    ("co_await of co_await", in_coroutine("auto r = co_await F(co_await G());"), ["await"]),
    ("a sum with co_await", in_coroutine("sum += co_await F();"), ["await"]),
    ("a long line", plus(HOST, "// " + "x" * 98), ["columns"]),
    ("a long line in a script", {"tools/run": "#!/bin/sh\n# " + "x" * 99 + "\n"}, ["columns"]),
    ("a long file", plus(HOST, "int x;\n" * 600), ["file-length"]),
    ("a long function", plus(HOST, LONG_FUNCTION), ["function-length"]),
    ("a long method", plus(HOST, "class A {\n" + LONG_FUNCTION + "};"),
     ["function-length"]),
    ("a leftover", plus(HOST, "// TO" "DO: later"), ["leftover"]),
    ("a leftover in prose", {"README.md": "FIX" "ME\n"}, ["leftover"]),
    ("a path of one machine", {"README.md": "see /hom" "e/me/x\n"}, ["place"]),
    ("space at the end", {"README.md": "text \n"}, ["space"]),
    ("a header without an essay", included("host/x.h", "#pragma once\n"), ["essay"]),
    ("a header without a guard", included("host/x.h", "// What it is.\n\nint x;\n"), ["essay"]),
    ("a header nobody includes", {"host/x.h": ESSAY}, ["dead"]),
    ("a source nobody builds", {"host/x.cc": "int x;\n"}, ["dead"]),
    ("a fuzz target nobody builds", {"tests/fuzz/x_fuzz.cc": "int x;\n"}, ["dead"]),
    ("a corpus without a target", {"fixtures/corpus/x/a.bin": ""}, ["dead"]),
    ("a fixture nobody mentions", {"fixtures/traces/stick.pcap": ""}, ["dead"]),
    ("a test that hides what its header lacks",
     {"tests/base/bytes_test.cc": '#include <string>\n#include "base/bytes.h"\n'}, ["own-header"]),
    ("a source that hides what its header lacks",
     {"host/session.cc": '#include <string>\n#include "host/session.h"\n'}, ["own-header"]),
    ("floors out of order", {"meson.build": GOOD_TREE["meson.build"].replace(
        "subdir('src/usb')\nsubdir('emulator')", "subdir('emulator')\nsubdir('src/usb')")},
     ["build-order"]),
    ("a floor the build forgets", {"meson.build": GOOD_TREE["meson.build"].replace(
        "subdir('src/usb')\n", "")}, ["build-order"]),
]
