#include "base/text.h"

#include <array>

namespace usbtwin {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};
constexpr std::array<Range, 7> kUnprintable{{
    {0x00, 0x1f},      // C0
    {0x7f, 0x9f},      // DEL and C1
    {0x61c, 0x61c},    // Arabic letter mark
    {0x200e, 0x200f},  // marks of direction
    {0x2028, 0x202e},  // separators of lines; embeddings and overrides
    {0x2066, 0x2069},  // isolates
    {0xfffd, 0xfffd},  // what stands for no character
}};

bool IsPrintable(char32_t character) {
  for (const Range& range : kUnprintable) {
    if (character >= range.first && character <= range.last) return false;
  }
  return true;
}

std::string Clean(std::string_view text, bool keeps_lines) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    std::string_view rest = text;
    const char32_t character = TakeCharacter(rest);
    const bool kept = IsPrintable(character) || (keeps_lines && character == '\n');
    clean += kept ? text.substr(0, text.size() - rest.size()) : std::string_view("?");
    text = rest;
  }
  return clean;
}

}  // namespace

char32_t TakeCharacter(std::string_view& text) {
  const auto byte = [&text](size_t index) { return static_cast<uint8_t>(text[index]); };
  const uint8_t first = byte(0);
  size_t length = 1;
  char32_t value = first;
  char32_t value_min = 0;
  if (first >= 0xf0 && first <= 0xf4) {
    length = 4, value = first & 0x07, value_min = 0x10000;
  } else if (first >= 0xe0 && first < 0xf0) {
    length = 3, value = first & 0x0f, value_min = 0x800;
  } else if (first >= 0xc2 && first < 0xe0) {
    length = 2, value = first & 0x1f, value_min = 0x80;
  } else if (first >= 0x80) {
    text.remove_prefix(1);
    return kReplacementCharacter;
  }
  size_t taken = 1;
  while (taken < length && taken < text.size() && (byte(taken) & 0xc0) == 0x80) {
    value = value << 6 | (byte(taken) & 0x3f);
    ++taken;
  }
  text.remove_prefix(taken);
  // Overlong forms, surrogates and what lies beyond Unicode are no characters either.
  const bool valid = taken == length && value >= value_min && value <= 0x10ffff &&
                     (value < 0xd800 || value > 0xdfff);
  return valid ? value : kReplacementCharacter;
}

std::string Printable(std::string_view text) {
  return Clean(text, false);
}

std::string PrintableLines(std::string_view text) {
  return Clean(text, true);
}

std::string Quote(std::string_view text) {
  std::string_view rest = text;
  for (size_t count = 0; count < kQuoteMax && !rest.empty(); ++count) TakeCharacter(rest);
  if (rest.empty()) return "\"" + Printable(text) + "\"";
  const std::string_view shown = text.substr(0, text.size() - rest.size());
  return "\"" + Printable(shown) + "…\" (" + Count(text.size(), "byte") + ")";
}

std::string HexId(uint16_t id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) text.push_back(kDigits[id >> shift & 0xf]);
  return text;
}

std::string Count(uint64_t count, std::string_view one, std::string_view many) {
  std::string text = std::to_string(count);
  text.append(" ").append(count == 1 || many.empty() ? one : many);
  if (count != 1 && many.empty()) text += 's';
  return text;
}

}  // namespace usbtwin
