// Any text: whatever ParseHex takes, Hex writes back in a form that reads as the same bytes.
#include "base/bytes.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(data, data + size);
  const auto bytes = usbtwin::ParseHex(text);
  if (!bytes) return 0;
  for (char separator : {' ', '\0'}) {
    const auto again = usbtwin::ParseHex(usbtwin::Hex(*bytes, separator));
    CHECK(again.has_value());
    CHECK(*again == *bytes);
  }
  return 0;
}
