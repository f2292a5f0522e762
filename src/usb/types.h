// The words both sides of the bus share: speeds, endpoint addresses, outcomes, pipes.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "wire/usb.h"

namespace usbtwin::usb {

using wire::usb::SetupPacket;

enum class Speed : uint8_t { kLow, kFull, kHigh, kSuper, kSuperPlus };
const char* Name(Speed speed);  // "high"

enum class TransferType : uint8_t { kControl = 0, kIsochronous = 1, kBulk = 2, kInterrupt = 3 };
const char* Name(TransferType type);  // "bulk"

// bEndpointAddress. USB 2.0, table 9-13: bits 3..0 the number, bit 7 set for IN.
struct EndpointAddress {
  uint8_t value = 0;
  constexpr bool is_in() const { return (value & 0x80) != 0; }
  constexpr uint8_t number() const { return value & 0x0f; }
  // 0 to 31: out endpoints first, in endpoints from 16. For tables.
  constexpr uint8_t index() const { return static_cast<uint8_t>(number() | (is_in() ? 16 : 0)); }
  static constexpr EndpointAddress In(uint8_t number) {
    return {static_cast<uint8_t>(0x80 | number)};
  }
  static constexpr EndpointAddress Out(uint8_t number) { return {number}; }
  friend constexpr auto operator<=>(EndpointAddress, EndpointAddress) = default;
};
inline constexpr uint8_t kEndpointIndexCount = 32;

// What a bus can do to one transfer or port request. Not an error: a stall is an answer.
enum class Outcome : uint8_t {
  kPending,       // not completed
  kOk,            // moved all that was asked for, or ended by a short packet
  kStall,         // the endpoint is halted, or the control request was refused
  kCancelled,     // by Cancel, or because its endpoint was disabled
  kTimedOut,      // only where the link itself keeps time
  kOverflow,      // the device sent more than there was room for
  kDisconnected,  // the device is gone
  kFault,         // the bus failed, or the link does not know the endpoint
  // Port requests only: why the system in between did not carry one out.
  kBusy,         // somebody else has the interface
  kDenied,       // no permission
  kNotFound,     // there is no such interface, endpoint or setting
  kUnsupported,  // this link cannot do that
};
const char* Name(Outcome outcome);  // "stall"
// What an outcome other than kOk is to whoever needed kOk.
ErrorKind KindOf(Outcome outcome);
// True for those that only a port request may end with.
constexpr bool IsRefusal(Outcome outcome) {
  return outcome >= Outcome::kBusy;
}

// One endpoint of a configured interface: what both ends need to move data on it.
struct EndpointConfig {
  EndpointAddress address;
  TransferType type = TransferType::kBulk;
  uint16_t packet_size_max = 0;     // bytes in one packet (wMaxPacketSize bits 10..0)
  uint8_t interval = 0;             // bInterval as written
  uint8_t burst_max = 0;            // SuperSpeed companion's bMaxBurst
  uint16_t streams_max = 0;         // SuperSpeed companion, bulk: 0 for none
  uint8_t pipe_usage = 0;           // UAS pipe id 1..4; 0 where the descriptor is absent
  uint8_t transactions_extra = 0;   // wMaxPacketSize bits 12..11: more packets in a microframe
  uint16_t bytes_per_interval = 0;  // SuperSpeed companion, periodic: wBytesPerInterval
  bool operator==(const EndpointConfig&) const = default;
};

// Bytes that a periodic endpoint moves in one service interval at most. USB 2.0, 9.6.6: there can
// be two extra transactions, and 3 is reserved; USB 3.2, 9.6.7.
constexpr uint32_t IntervalLengthMax(const EndpointConfig& endpoint) {
  if (endpoint.bytes_per_interval != 0) return endpoint.bytes_per_interval;
  const uint32_t extra = endpoint.transactions_extra < 3 ? endpoint.transactions_extra : 2;
  return endpoint.packet_size_max * (1 + extra);
}

}  // namespace usbtwin::usb
