// Text that came from outside (files, devices, command lines), made fit to be shown: what could
// steer a terminal, turn its writing around or break a line is shown as a question mark, and so is
// every byte that is no UTF-8. Whoever puts a name, a path or a value into a message quotes it with
// this, and the console does so again for whatever it prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace usbtwin {

inline constexpr char32_t kReplacementCharacter = 0xfffd;

// Takes one character off the front of UTF-8 text that is not empty. A byte that begins no
// character is taken alone, and so are the bytes of a character cut short: as U+FFFD.
char32_t TakeCharacter(std::string_view& text);

// No control characters (C0, C1, DEL), no line or paragraph separators, no bidirectional controls.
std::string Printable(std::string_view text);
// The same for messages of several lines: newlines stay.
std::string PrintableLines(std::string_view text);
// In quotation marks. Of a long text the beginning, and its length: "aaaa…" (100000 bytes).
inline constexpr size_t kQuoteMax = 200;  // characters
std::string Quote(std::string_view text);

// A vendor's or product's id as people write it: "1d6b".
std::string HexId(uint16_t id);

// "1 block", "2 blocks"; `many` where an "s" does not do it.
std::string Count(uint64_t count, std::string_view one, std::string_view many = "");

}  // namespace usbtwin
