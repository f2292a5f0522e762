#include "app/hex_dump.h"

namespace usbtwin::app {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
constexpr size_t kLineLength = 16;

void AppendOffset(std::string& text, uint64_t offset, int digits) {
  for (int digit = digits - 1; digit >= 0; --digit) {
    text += kDigits[offset >> (digit * 4) & 15];
  }
}

void AppendLine(std::string& text, Bytes line) {
  for (size_t index = 0; index < kLineLength; ++index) {
    text += index % 8 == 0 ? "  " : " ";
    if (index < line.size()) {
      text += kDigits[line[index] >> 4];
      text += kDigits[line[index] & 15];
    } else {
      text += "  ";
    }
  }
  text += "  |";
  for (uint8_t byte : line) text += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
  text += "|\n";
}

}  // namespace

std::string HexDump(Bytes bytes, uint64_t offset) {
  std::string text;
  text.reserve((bytes.size() / kLineLength + 1) * 80);
  const uint64_t last = offset + bytes.size();
  int digits = 8;
  while (digits < 16 && last >> (digits * 4) != 0) ++digits;
  for (size_t start = 0; start < bytes.size(); start += kLineLength) {
    AppendOffset(text, offset + start, digits);
    AppendLine(text, Take(Drop(bytes, start), kLineLength));
  }
  return text;
}

}  // namespace usbtwin::app
