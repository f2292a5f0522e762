// Byte counts as people write them on a command line or in a device string: "512", "0x200", "200h",
// "64k", "8M", "1GiB", "2kB". One reader for all of usbtwin, so that a size means the same
// everywhere. Nothing is rounded, and what does not fit into 64 bits is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace usbtwin::app {

// Decimal, hexadecimal with 0x or a trailing h, or decimal with one of the suffixes
//   b 512   k K KiB 2^10   m M MiB 2^20   g G GiB 2^30   t T TiB 2^40   p P PiB 2^50
//   kB KB MB GB TB PB powers of ten
// nullopt for anything else.
std::optional<uint64_t> ParseSize(std::string_view text);

// The same without suffixes: for numbers that count something else than bytes.
std::optional<uint64_t> ParseNumber(std::string_view text);

// "64 MiB", "1.5 KiB", "36 bytes": for people, so rounded to a tenth.
std::string DescribeSize(uint64_t length);

}  // namespace usbtwin::app
