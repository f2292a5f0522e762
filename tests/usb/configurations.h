// Configurations as devices send them, and what makes new ones.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace usbtwin::tests {

// A SuperSpeed disk that offers BOT and, as alternate setting 1, UAS with its four pipes.
inline constexpr auto kDisk =
    "09 02 7900 01 01 00 c0 70"   // one interface, self-powered, 896 mA
    "09 04 00 00 02 08 06 50 00"  // alternate setting 0: BOT
    "07 05 81 02 0004 00"         // bulk in, 1024 bytes
    "06 30 0f 00 0000"            // bursts of 16
    "07 05 02 02 0004 00"         // bulk out
    "06 30 03 00 0000"
    "09 04 00 01 04 08 06 62 00"  // alternate setting 1: UAS
    "07 05 81 02 0004 00"
    "06 30 0f 05 0000"  // 32 streams
    "04 24 03 00"       // data-in
    "07 05 02 02 0004 00"
    "06 30 0f 05 0000"
    "04 24 04 00"  // data-out
    "07 05 83 02 0004 00"
    "06 30 00 05 0000"
    "04 24 02 00"  // status
    "07 05 04 02 0004 00"
    "06 30 00 00 0000"
    "04 24 01 00"_hex;  // command

// Two interfaces joined by an association, a class-specific descriptor in each place one can be.
inline constexpr auto kModem =
    "09 02 4400 02 03 04 a0 32"
    "03 ff 01"                    // unknown, before any interface
    "08 0b 00 02 02 02 01 05"     // association: interfaces 0 and 1
    "09 04 00 00 01 02 02 01 05"  // communications
    "05 24 00 10 01"              // class-specific: header
    "07 05 81 03 0800 10"         // interrupt in, 8 bytes
    "04 25 80 90"                 // class-specific, behind an endpoint
    "09 04 01 00 02 0a 00 00 00"  // data
    "07 05 82 02 0002 00"
    "07 05 01 02 0002 00"_hex;

inline std::vector<uint8_t> Bytes1(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// A configuration of the descriptors given, its lengths right.
inline std::vector<uint8_t> Chain(Bytes descriptors, uint8_t interfaces_count) {
  constexpr auto kHead = "09 02 0000 00 01 00 80 32"_hex;
  std::vector<uint8_t> chain(kHead.size() + descriptors.size());
  CopyBytes(Drop(MutableBytes(chain), CopyBytes(chain, kHead)), descriptors);
  chain[2] = static_cast<uint8_t>(chain.size());
  chain[3] = static_cast<uint8_t>(chain.size() >> 8);
  chain[4] = interfaces_count;
  return chain;
}

}  // namespace usbtwin::tests
