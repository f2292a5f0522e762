#include "usb/string_descriptor.h"

#include "base/text.h"

namespace usbtwin::usb {
namespace {

using wire::usb::DescriptorHeader;
using wire::usb::DescriptorType;

bool IsSurrogate(char32_t value) {
  return value >= 0xd800 && value <= 0xdfff;
}

void AppendUtf8(std::string& text, char32_t value) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (value >> shift & 0x3f)); };
  if (value < 0x80) {
    text += static_cast<char>(value);
  } else if (value < 0x800) {
    text += static_cast<char>(0xc0 | value >> 6);
    tail(0);
  } else if (value < 0x10000) {
    text += static_cast<char>(0xe0 | value >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0 | value >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

void AppendUnit(std::vector<uint8_t>& bytes, uint32_t unit) {
  bytes.push_back(static_cast<uint8_t>(unit));
  bytes.push_back(static_cast<uint8_t>(unit >> 8));
}

// The payload of a string descriptor as UTF-16 units.
Result<std::vector<uint16_t>> Units(Bytes descriptor) {
  const auto* header = wire::View<DescriptorHeader>(descriptor);
  if (header == nullptr || header->length < sizeof(DescriptorHeader) ||
      header->type != static_cast<uint8_t>(DescriptorType::kString)) {
    return Error{.kind = ErrorKind::kProtocol,
                 .text = "{} bytes of type {} and bLength {} are no string descriptor",
                 .values = {descriptor.size(), header == nullptr ? 0u : header->type,
                            header == nullptr ? 0u : header->length}};
  }
  Bytes payload = Drop(Take(descriptor, header->length), sizeof(DescriptorHeader));
  std::vector<uint16_t> units;
  for (; payload.size() >= 2; payload = Drop(payload, 2)) {
    units.push_back(*wire::View<wire::Le16>(payload));
  }
  return units;
}

}  // namespace

Result<std::vector<uint8_t>> MakeStringDescriptor(std::string_view text) {
  std::vector<uint8_t> bytes{0, static_cast<uint8_t>(DescriptorType::kString)};
  while (!text.empty()) {
    const char32_t value = TakeCharacter(text);
    if (value >= 0x10000) {
      AppendUnit(bytes, 0xd800 + ((value - 0x10000) >> 10));
      AppendUnit(bytes, 0xdc00 + ((value - 0x10000) & 0x3ff));
    } else {
      AppendUnit(bytes, value);
    }
  }
  const size_t units_count = bytes.size() / 2 - 1;
  if (units_count > wire::usb::kStringUnitsMax) {
    return Error{.kind = ErrorKind::kInvalid,
                 .text = "a string of {} UTF-16 units, at most {} fit into a descriptor",
                 .values = {units_count, wire::usb::kStringUnitsMax}};
  }
  bytes[0] = static_cast<uint8_t>(bytes.size());
  return bytes;
}

Result<std::string> ParseString(Bytes descriptor) {
  const Result<std::vector<uint16_t>> units = Units(descriptor);
  if (!units) return units.error();
  std::string text;
  for (size_t index = 0; index < units->size(); ++index) {
    char32_t value = (*units)[index];
    const bool paired = value >= 0xd800 && value <= 0xdbff && index + 1 < units->size() &&
                        (*units)[index + 1] >= 0xdc00 && (*units)[index + 1] <= 0xdfff;
    if (paired) {
      value = 0x10000 + ((value - 0xd800) << 10) + ((*units)[++index] - 0xdc00u);
    } else if (IsSurrogate(value)) {
      value = kReplacementCharacter;
    }
    AppendUtf8(text, value);
  }
  return text;
}

std::vector<uint8_t> MakeLanguageTable(uint16_t language) {
  std::vector<uint8_t> bytes{4, static_cast<uint8_t>(DescriptorType::kString)};
  AppendUnit(bytes, language);
  return bytes;
}

Result<std::vector<uint16_t>> ParseLanguages(Bytes descriptor) {
  return Units(descriptor);
}

}  // namespace usbtwin::usb
