// The engines of USB/IP once a device is imported, for both ends: what a message means, what
// follows it in the stream, which replies a transfer gets, and which transfer a reply belongs to.
// They see the 48-byte headers and the isochronous descriptors; data only passes by, counted.
//
// A message is a header, then data (OUT in a submit, IN in its reply), then one descriptor for each
// isochronous packet. What breaks these rules is an Error of kind kProtocol: there is no way back
// into step, so the connection ends.
//
// The rules of unlinking, which peers get wrong: a transfer that was really cancelled is answered
// by RET_UNLINK -104 alone; one that ended before by RET_SUBMIT, then RET_UNLINK 0.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "usb/transfer.h"
#include "wire/usbip.h"

namespace usbtwin::usbip {

inline constexpr uint32_t kLengthMax = INT32_MAX;  // bytes of one transfer: the field is signed

// Status numbers, as two's complement. Peers of other systems send Linux's too. What a transfer may
// end with comes back as it was; a number nobody knows is a fault.
uint32_t StatusOf(usb::Outcome outcome);
usb::Outcome OutcomeOf(uint32_t status);
inline constexpr uint32_t kStatusNoMemory = static_cast<uint32_t>(-12);  // ENOMEM: over a limit
inline constexpr uint32_t kStatusInvalid = static_cast<uint32_t>(-22);   // EINVAL

// Where in the stream of messages a reader is.
class Framing {
 public:
  enum class Part : uint8_t { kHeader, kData, kPackets };
  Part part() const { return part_; }
  // Bytes of this part that are still to come; a header comes whole.
  uint32_t left() const { return left_; }
  // A header was read, after which these follow; of packets at most kPacketsMax.
  void HandleHeader(uint32_t data_length, uint32_t packets_count);
  // Bytes of the data or of the descriptors were read; at most left().
  void HandleMoved(uint32_t length);

 private:
  void Enter(Part part);
  Part part_ = Part::kHeader;
  uint32_t left_ = wire::usbip::kHeaderLength;
  uint32_t data_length_ = 0;
  uint32_t packets_length_ = 0;
};

// --- the end that has the device ---

struct Submit {
  uint32_t sequence = 0;
  usb::EndpointAddress endpoint;  // 0 for control transfers, whatever the direction
  bool in = false;                // as the header says: whether data follows it
  usb::TransferFlags flags;
  uint32_t length = 0;         // bytes of data asked for or sent
  uint32_t start_frame = 0;    // isochronous
  uint32_t packets_count = 0;  // as written: means nothing where the endpoint is not isochronous
  usb::SetupPacket setup{};    // endpoint 0
};
struct Unlink {
  uint32_t sequence = 0;
  uint32_t victim = 0;
};
using Command = std::variant<Submit, Unlink>;

// `header` is kHeaderLength bytes.
Result<Command> ParseCommand(Bytes header, uint32_t device_id);
// Whether the fields of a control transfer agree with one another; one where they do not is
// answered kStatusInvalid, and never reaches the device.
bool IsSound(const Submit& control);

// A short IN transfer with short_not_ok is answered EREMOTEIO, whether the link ended it as a fault
// or, not told of the flag, as ok. One that was cancelled and nobody unlinked is answered
// ESHUTDOWN, as Linux ends those of an endpoint that is taken down: its device goes, or is
// configured anew.
wire::usbip::SubmitReply MakeReply(uint32_t sequence, const usb::Transfer& transfer);
wire::usbip::SubmitReply MakeRefusal(uint32_t sequence, uint32_t status);
wire::usbip::UnlinkReply MakeUnlinkReply(uint32_t sequence, uint32_t status);

// The replies to a transfer that was asked to end while it was under way.
struct Ending {
  bool submit_reply = true;    // first
  uint32_t unlink_status = 0;  // then
};
Ending EndingOf(usb::Outcome outcome);

// --- both: isochronous packets ---

// `raw` holds a descriptor for each packet. Every packet must lie within `length` bytes, and all of
// them together fit there: they do not overlap much.
Result<void> ParsePackets(Bytes raw, uint32_t length, std::span<usb::IsoPacket> packets);
// `raw` has room for a descriptor for each packet.
void EmitPackets(std::span<const usb::IsoPacket> packets, MutableBytes raw);
// Takes the outcomes from a reply's descriptors, and spreads its data, which is what the packets
// hold without the gaps, over the transfer's buffer. `data` is that buffer: the packets as asked
// for lie in it, and what came is at its start. Empty for OUT transfers. No packet remains pending.
Result<void> ParseReplyPackets(Bytes raw, uint32_t length_actual, MutableBytes data,
                               std::span<usb::IsoPacket> packets);

// --- the end that wants the device ---

// Its table of transfers under way. A slot is the caller's name for one of them.
//
// Linux's vhci takes the replies to one endpoint in any order. A host of ours is promised the order
// in which it submitted (usb/link.h), and would take the second piece of a file for the first: a
// server that answers a transfer before an earlier one of its endpoint, isochronous ones and
// endpoint 0 included, breaks the protocol. Between the replies of one that was asked to end and of
// those behind it there is no order, since Linux's server sends RET_UNLINK late; but when it is
// answered with RET_SUBMIT all the same, it had ended before them, and must come before them.
class ClientSession {
 public:
  static constexpr size_t kSlotsMax = 1024;
  using Slot = uint16_t;

  explicit ClientSession(uint32_t device_id) : device_id_(device_id) {}

  struct Request {
    usb::EndpointAddress endpoint;
    bool in = false;
    bool short_not_ok = false;
    uint32_t length = 0;
    uint32_t packets_count = 0;  // 0: not isochronous
  };
  // Nullopt while all slots are taken.
  std::optional<Slot> Begin(const Request& request);
  // The message for a slot that has begun, and for the transfer it was begun for.
  wire::usbip::Submit MakeSubmit(Slot slot, const usb::Transfer& transfer, uint32_t interval) const;
  // Asks for the transfer's end: once, while it is under way.
  wire::usbip::Unlink MakeUnlink(Slot slot);

  struct Reply {
    Slot slot = 0;
    bool ends = false;  // the transfer is answered, after the data that follows
    bool last = false;  // so is all that was said of it: nothing more comes for this slot
    usb::Outcome outcome = usb::Outcome::kPending;
    uint32_t length_actual = 0;  // bytes moved
    uint32_t data_length = 0;    // of them in the stream after the header
    uint32_t packets_count = 0;  // likewise; none where an isochronous transfer was refused
    uint32_t error_count = 0;
    uint32_t start_frame = 0;
  };
  // `header` is kHeaderLength bytes.
  Result<Reply> HandleReply(Bytes header);
  // The caller is done with a slot after its last reply: another Begin may return it.
  void Free(Slot slot);

  size_t under_way_count() const { return under_way_; }  // unlinks not yet answered included
  size_t slots_taken() const { return entries_.size() - free_.size(); }

 private:
  enum class State : uint8_t {
    kFree,
    kSubmitted,
    kUnlinking,  // asked to end
    kAnswered,   // but not yet the unlink
    kEnded,      // and not yet freed
  };
  struct Entry {
    Request request;
    State state = State::kFree;
    uint32_t generation = 0;
    uint32_t overtaken_by = 0;  // number of one behind it on its endpoint that was answered, or 0
    // The neighbours in the order of its endpoint, while it is not answered.
    Slot previous = kNoSlot;
    Slot next = kNoSlot;
  };
  static constexpr Slot kNoSlot = UINT16_MAX;
  struct Order {
    Slot first = kNoSlot;
    Slot last = kNoSlot;
  };
  void Enter(Slot slot);
  void Leave(Slot slot);
  Result<void> CheckOrder(Slot slot);
  Order& OrderOf(const Entry& entry) { return orders_[entry.request.endpoint.index()]; }
  uint32_t SequenceOf(Slot slot, bool unlink) const;
  Result<Reply> HandleSubmitReply(const wire::usbip::SubmitReply& reply);
  Result<Reply> HandleUnlinkReply(const wire::usbip::UnlinkReply& reply);
  Entry* Find(uint32_t sequence, bool unlink);
  void End(Slot slot);

  const uint32_t device_id_;
  std::vector<Entry> entries_;
  std::vector<Slot> free_;
  std::array<Order, usb::kEndpointIndexCount> orders_{};
  size_t under_way_ = 0;
};

}  // namespace usbtwin::usbip
