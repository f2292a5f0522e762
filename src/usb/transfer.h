// A transfer: what a host asks of one endpoint, and what came of it. Pinned while in flight, owned
// by whoever submits it, reused after it completed. The bytes are borrowed until OnDone.
#pragma once

#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/lease.h"
#include "usb/operation.h"
#include "usb/types.h"

namespace usbtwin::usb {

struct TransferFlags {
  bool zero_packet = false;   // OUT: end a whole number of packets with one of no bytes
  bool short_not_ok = false;  // IN: a short packet is a fault
  bool iso_asap = false;      // isochronous: ignore start_frame
  bool operator==(const TransferFlags&) const = default;
};

// One packet of an isochronous transfer; offset and lengths in bytes of the transfer's buffer. What
// it says of an earlier flight is overwritten when its transfer is submitted; one that has not
// moved when the transfer ends is kPending.
struct IsoPacket {
  uint32_t offset = 0;
  uint32_t length = 0;
  uint32_t length_actual = 0;
  Outcome outcome = Outcome::kPending;
};

class Transfer final : public Operation<Transfer> {
 public:
  // What is asked.
  EndpointAddress endpoint;  // control: address 0, whatever the direction
  uint16_t stream_id = 0;    // 0 where caps().streams_max is 0
  TransferFlags flags;
  std::optional<SetupPacket> setup;  // control transfers only, and always there
  Bytes out;                         // borrowed until OnDone
  MutableBytes in;                   // borrowed until OnDone; empty: lend me the data (bulk only)
  uint32_t in_length_max = 0;        // how much an IN transfer asks for, even where `in` is empty
  std::span<IsoPacket> packets;      // isochronous only
  uint32_t start_frame = 0;

  // What came of it.
  Outcome outcome = Outcome::kPending;
  uint32_t length_actual = 0;  // true for every outcome: a failed transfer may have moved bytes
  uint32_t error_count = 0;    // isochronous: packets whose outcome is not kOk
  LeaseList lease;             // IN data in its owner's memory, where `in` was empty

  bool is_in() const {
    return setup ? (setup->request_type & wire::usb::kDirectionIn) != 0 : endpoint.is_in();
  }
  // Makes it ready to be submitted again; what is asked stays.
  void Rearm() {
    outcome = Outcome::kPending;
    length_actual = 0;
    error_count = 0;
    lease.Clear();
  }
  // What a Link does with them when the transfer is submitted.
  void ResetPackets() {
    for (IsoPacket& packet : packets) {
      packet.length_actual = 0;
      packet.outcome = Outcome::kPending;
    }
  }
};
using TransferSink = Sink<Transfer>;

}  // namespace usbtwin::usb
