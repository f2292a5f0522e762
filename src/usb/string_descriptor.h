// String descriptors: UTF-16 on the wire, UTF-8 everywhere else. USB 2.0, 9.6.7. Neither side may
// be trusted to be well-formed: what is no character becomes U+FFFD, so that both directions always
// answer, and the result is always valid.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "wire/usb.h"

namespace usbtwin::usb {

// The string descriptor of `text`; an Error where it takes more than 126 units of UTF-16.
Result<std::vector<uint8_t>> MakeStringDescriptor(std::string_view text);

// The text of a string descriptor. Bytes beyond bLength are ignored, and so is an odd last byte; a
// bLength that reaches further than what came counts as far as it came, as many devices answer so.
Result<std::string> ParseString(Bytes descriptor);

// String descriptor 0: the languages the device's strings come in.
std::vector<uint8_t> MakeLanguageTable(uint16_t language);
Result<std::vector<uint16_t>> ParseLanguages(Bytes descriptor);

}  // namespace usbtwin::usb
