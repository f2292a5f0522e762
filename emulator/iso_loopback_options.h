// What one isochronous loopback function looks like to its host; a plain struct that profiles fill.
#pragma once

#include <cstdint>
#include <string>

namespace usbtwin::emulator {

struct IsoLoopbackOptions {
  uint16_t packet_size = 512;  // bytes in one packet, 16 to 1024; at full speed at most 1023
  // Packets in one interval, 1 to 3; 1 at full speed. A high-speed endpoint with 2 has packets of
  // more than 512 bytes, and with 3 of more than 682. USB 2.0, table 9-14.
  uint8_t transactions = 1;
  // An interval is 2^(interval-1) microframes: bInterval, 1 to 16. At full speed it is at least a
  // frame.
  uint8_t interval = 4;
  std::string name;  // iInterface; none where empty
};

inline constexpr uint16_t kIsoPacketSizeMin = 16;
inline constexpr uint16_t kIsoPacketSizeMax = 1024;
inline constexpr uint16_t kIsoPacketSizeMaxFullSpeed = 1023;  // USB 2.0, 5.6.3
inline constexpr uint8_t kIsoTransactionsMax = 3;
// The least packet size with 1, 2 and 3 packets in an interval. USB 2.0, table 9-14.
constexpr uint16_t IsoPacketSizeMin(uint8_t transactions) {
  return transactions == 1 ? kIsoPacketSizeMin : transactions == 2 ? 513 : 683;
}

}  // namespace usbtwin::emulator
