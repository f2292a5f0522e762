// Any bytes through every dumper: no read beyond the end, no endless output, and no line without a
// sentence for bytes that are there.
#include <algorithm>

#include "base/check.h"
#include "wire/dump.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace usbtwin;        // NOLINT
  using namespace usbtwin::wire;  // NOLINT
  constexpr size_t kTextMax = (kDumpLinesMax + 1) * (kDumpLineLengthMax + 500);
  const Bytes bytes(data, size);
  for (auto* function : {Dump, DumpSetup, DumpDescriptors, DumpCommandWrapper, DumpStatusWrapper,
                         DumpCdb, DumpSense, DumpUsbmon, DumpCapture, DumpUsbip, DumpIu}) {
    const std::string text = function(bytes);
    CHECK(size == 0 || !text.empty());
    CHECK_LE(text.size(), kTextMax);
    CHECK_LE(std::count(text.begin(), text.end(), '\n'), static_cast<ptrdiff_t>(kDumpLinesMax) + 1);
    CHECK(std::all_of(text.begin(), text.end(), [](char letter) {
      return letter == '\n' || (letter >= ' ' && letter < 127);
    }));
  }
  return 0;
}
