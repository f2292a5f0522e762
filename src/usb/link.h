// Link: one attached device as its host sees it. This is THE seam: libusb, a USB/IP client, a
// recorded trace and the emulated device are Links, and so are Recorder, Auditor and every other
// decorator. The host never knows.
//
// The contract, checked by link::Auditor:
//  1. each submitted transfer completes exactly once;
//  2. never from inside Submit, Cancel or Request;
//  3. in order for each endpoint and stream; only a cancelled transfer may overtake;
//  4. once a transfer or port operation has completed kDisconnected, everything does;
//  5. Cancel asks: the transfer still completes, kCancelled with the bytes already moved, or with
//     the outcome that was already decided;
//  6. after kStall nothing moves on that endpoint or stream until ClearHalt; the host cancels what
//     is still queued there first. ClearHalt and SetAlternate with transfers in flight on the
//     endpoints they touch are a breach, and so is SetConfiguration with any;
//  7. SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE(ENDPOINT_HALT) and SET_FEATURE(PORT_RESET)
//     never travel as control transfers: AsPortRequest() turns them into port requests;
//  8. ResetPort ends with the device as it was configured before: the Link applies the
//     configuration and the alternate settings again, and claims stay. Transfers that were queued
//     complete, kCancelled.
#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "usb/transfer.h"

namespace usbtwin::usb {

// Constant for the life of a Link. A decorator lowers what it cannot honour.
struct LinkCaps {
  Speed speed = Speed::kHigh;
  uint16_t streams_max = 0;                // 0: no bulk streams
  uint32_t transfer_length_max = 1 << 20;  // bytes in one bulk transfer
  bool lends_data = false;                 // an IN transfer may leave `in` empty
  // Each wait for a transfer costs a round trip: whoever knows which transfers follow submits them
  // at once.
  bool far = false;
};

enum class KernelDriverPolicy : uint8_t { kRefuse, kDetach };

struct ClaimInterface {
  uint8_t interface = 0;
  KernelDriverPolicy policy = KernelDriverPolicy::kRefuse;
};
struct ReleaseInterface {
  uint8_t interface = 0;
};
struct ClearHalt {
  EndpointAddress endpoint;
};
struct SetConfiguration {
  uint8_t value = 0;  // bConfigurationValue; 0 leaves the device unconfigured
};
struct SetAlternate {
  uint8_t interface = 0;
  uint8_t alternate_setting = 0;
};
struct AllocateStreams {
  uint16_t count = 0;  // a port reset and another setting take them away again
  std::span<const EndpointAddress> endpoints;  // borrowed until OnDone
};
struct FreeStreams {
  std::span<const EndpointAddress> endpoints;  // borrowed until OnDone
};
struct Suspend {};
struct Resume {};
struct ResetPort {};

using PortRequest =
    std::variant<ClaimInterface, ReleaseInterface, ClearHalt, SetConfiguration, SetAlternate,
                 AllocateStreams, FreeStreams, Suspend, Resume, ResetPort>;

// The port request a control transfer stands for (rule 7), or nullopt for every other one.
std::optional<PortRequest> AsPortRequest(const SetupPacket& setup);
// The reverse, for whoever must show or send it; nullopt for what has no control transfer.
std::optional<SetupPacket> AsSetupPacket(const PortRequest& request);
const char* Name(const PortRequest& request);  // "clear halt"

// A port request in flight. It cannot be cancelled; a Link ends it within a bounded time.
class PortOp final : public Operation<PortOp> {
 public:
  PortRequest request;
  Outcome outcome = Outcome::kPending;  // never kCancelled
  uint32_t granted = 0;                 // AllocateStreams: how many streams each endpoint has now
};
using PortSink = Sink<PortOp>;

class Link {
 public:
  virtual ~Link() = default;
  virtual LinkCaps caps() const = 0;
  // The transfer is kPending, has moved nothing and has at least one sink.
  virtual void Submit(Transfer& transfer) = 0;
  virtual void Cancel(Transfer& transfer) = 0;
  virtual void Request(PortOp& op) = 0;
};

}  // namespace usbtwin::usb
