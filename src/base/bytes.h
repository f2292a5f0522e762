// Spans of bytes and the few operations everything else is written with. A span owns nothing:
// whoever takes one says until when it is borrowed. Lengths are bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace usbtwin {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

// The first `length` bytes, or all of them where there are fewer.
constexpr Bytes Take(Bytes bytes, size_t length) {
  return bytes.first(std::min(length, bytes.size()));
}
constexpr MutableBytes Take(MutableBytes bytes, size_t length) {
  return bytes.first(std::min(length, bytes.size()));
}

// What follows the first `length` bytes; empty where there are no more.
constexpr Bytes Drop(Bytes bytes, size_t length) {
  return bytes.subspan(std::min(length, bytes.size()));
}
constexpr MutableBytes Drop(MutableBytes bytes, size_t length) {
  return bytes.subspan(std::min(length, bytes.size()));
}

// Copies as much of `source` as `target` holds and returns how much that was.
inline size_t CopyBytes(MutableBytes target, Bytes source) {
  const size_t length = std::min(target.size(), source.size());
  if (length != 0) std::memcpy(target.data(), source.data(), length);
  return length;
}

inline bool SameBytes(Bytes left, Bytes right) {
  return left.size() == right.size() &&
         (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

// Text seen as bytes, for literals and file contents.
Bytes TextBytes(std::string_view text);

// "12 00 ff": lower case, two digits a byte, one space between; no space where `separator` is 0.
std::string Hex(Bytes bytes, char separator = ' ');

// Reads hex digits; spaces, tabs, commas, colons and 0x prefixes between bytes are skipped, and a
// byte written apart may have one digit ("1 0 ff"). Nothing but whole bytes is accepted: nullopt
// for another character, or for an odd run of more than one digit.
std::optional<std::vector<uint8_t>> ParseHex(std::string_view text);

namespace internal {
constexpr uint8_t HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<uint8_t>(digit - 'A' + 10);
  return 0xff;
}

template <size_t kLength>
struct HexText {
  char text[kLength]{};
  // NOLINTNEXTLINE(google-explicit-constructor): a literal operator's argument converts.
  consteval HexText(const char (&literal)[kLength]) { std::copy_n(literal, kLength, text); }
  constexpr size_t digits() const {
    size_t count = 0;
    for (char letter : text) count += HexDigit(letter) != 0xff ? 1 : 0;
    return count;
  }
};
}  // namespace internal

inline namespace literals {
// "55534243 01000000"_hex is a std::array of the bytes; anything but digits only separates.
template <internal::HexText kText>
consteval auto operator""_hex() {
  static_assert(kText.digits() % 2 == 0, "an odd number of hex digits");
  std::array<uint8_t, kText.digits() / 2> bytes{};
  size_t digit = 0;
  for (char letter : kText.text) {
    const uint8_t value = internal::HexDigit(letter);
    if (value == 0xff) continue;
    bytes[digit / 2] = static_cast<uint8_t>(bytes[digit / 2] << 4 | value);
    ++digit;
  }
  return bytes;
}
}  // namespace literals
}  // namespace usbtwin
