#include "base/bytes.h"

namespace usbtwin {

Bytes TextBytes(std::string_view text) {
  const void* data = text.data();
  return {static_cast<const uint8_t*>(data), text.size()};
}

std::string Hex(Bytes bytes, char separator) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 3);
  for (uint8_t byte : bytes) {
    if (separator != 0 && !text.empty()) text += separator;
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<std::vector<uint8_t>> ParseHex(std::string_view text) {
  constexpr std::string_view kSeparators = " \t\r\n,:";
  std::vector<uint8_t> bytes;
  while (true) {
    const size_t start = text.find_first_not_of(kSeparators);
    if (start == std::string_view::npos) return bytes;
    text.remove_prefix(start);
    std::string_view word = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(word.size());
    if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
      word.remove_prefix(2);
    }
    if (word.size() != 1 && word.size() % 2 != 0) return std::nullopt;
    uint8_t value = 0;
    for (size_t index = 0; index < word.size(); ++index) {
      const uint8_t digit = internal::HexDigit(word[index]);
      if (digit == 0xff) return std::nullopt;
      value = static_cast<uint8_t>(value << 4 | digit);
      if (index % 2 == 1 || word.size() == 1) bytes.push_back(value);
    }
  }
}

}  // namespace usbtwin
