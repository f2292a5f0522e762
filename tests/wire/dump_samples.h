// One of each kind of bytes that can be shown.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace usbtwin::tests {

inline constexpr auto kDevice = "12 01 0002 00 00 00 40 3412 7856 0001 01 02 03 01"_hex;
inline constexpr auto kConfiguration =
    "09 02 2000 01 01 00 80 32"
    "09 04 00 00 02 08 06 50 00"
    "07 05 81 02 0002 00"
    "07 05 02 02 0002 00"_hex;
inline constexpr auto kUasAlternate =
    "09 04 00 01 01 08 06 62 00"
    "07 05 83 02 0004 00"
    "06 30 0f 05 0000"
    "04 24 02 00"_hex;
inline constexpr auto kBos =
    "05 0f 2a00 03"
    "07 10 02 02000000"
    "0a 10 03 00 0e00 01 0a ff07"
    "14 10 04 00 000102030405060708090a0b0c0d0e0f"_hex;
inline constexpr auto kInquiry =
    "55534243 01000000 24000000 80 00 06 120000002400 00000000000000000000"_hex;
inline constexpr auto kPassed = "55534253 01000000 00000000 00"_hex;
inline constexpr auto kFixed = "f0 00 05 00000010 0a 00000000 24 00 00 cb 0002"_hex;
inline constexpr auto kDescriptor =
    "72 03 11 00 000000 14 00 0a 80 00 0000000000000123 02 06 0000 00 0000 00"_hex;
inline constexpr auto kSubmitInquiry =
    "0700000000000000 53 03 02 05 0100 2d 00 0c00000000000000 59010000 8dffffff"
    "1f000000 1f000000 0000000000000000 00000000 00000000 00000000 00000000"
    "55534243 01000000 24000000 80 00 06 120000002400 00000000000000000000"_hex;
inline constexpr auto kIsoComplete =
    "0800000000000000 43 00 81 05 0100 2d 00 0000000000000000 00000000 00000000"
    "04000000 24000000 0100000002000000 08000000 10000000 00020000 02000000"
    "00000000 00000000 04000000 00000000"
    "b9ffffff c0000000 00000000 00000000"
    "a1a2a3a4"_hex;

inline std::vector<uint8_t> Joined(std::initializer_list<Bytes> parts) {
  std::vector<uint8_t> all;
  for (Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// One interface, link type 220, and one packet with a comment, as a pcapng file.
inline std::vector<uint8_t> Pcapng() {
  constexpr auto kHead =
      "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"
      "01000000 20000000 dc00 0000 00000000 0900 0100 09000000 0000 0000 20000000"
      "06000000 90000000 00000000 00000000 01000000 5f000000 5f000000"_hex;
  constexpr auto kTail = "00 0100 0800 73747265616d2033 0000 0000 90000000"_hex;  // "stream 3"
  return Joined({kHead, kSubmitInquiry, kTail});
}

}  // namespace usbtwin::tests
