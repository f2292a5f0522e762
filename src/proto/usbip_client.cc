// The end that wants the device: its table of transfers under way.
#include "proto/usbip_session.h"
#include "wire/usbmon.h"

namespace usbtwin::usbip {

using usb::Outcome;
using wire::usbip::BasicHeader;
using wire::usbip::kDirectionIn;
using wire::usbip::kDirectionOut;
using wire::usbip::kHeaderLength;
namespace usbmon = wire::usbmon;

namespace {

Error Broken(const char* text, uint64_t first, uint64_t second = 0, uint64_t third = 0) {
  return {.kind = ErrorKind::kProtocol, .text = text, .values = {first, second, third}};
}

constexpr uint32_t Code(wire::usbip::Command command) {
  return static_cast<uint32_t>(command);
}

// A sequence number: the slot, whether it is an unlink's, and the slot's generation, which begins
// at 1, so that none is zero.
constexpr uint32_t kSlotMask = ClientSession::kSlotsMax - 1;
constexpr uint32_t kUnlinkBit = ClientSession::kSlotsMax;
constexpr uint32_t kGenerationShift = 11;
constexpr uint32_t kGenerationMax = UINT32_MAX >> kGenerationShift;
static_assert((kSlotMask & ClientSession::kSlotsMax) == 0, "a power of two");
static_assert(1 << kGenerationShift == 2 * ClientSession::kSlotsMax);

}  // namespace

std::optional<ClientSession::Slot> ClientSession::Begin(const Request& request) {
  CHECK_LE(request.length, kLengthMax);
  CHECK_LE(request.packets_count, wire::usbip::kPacketsMax);
  if (free_.empty()) {
    if (entries_.size() == kSlotsMax) return std::nullopt;
    free_.push_back(static_cast<Slot>(entries_.size()));
    entries_.emplace_back();
  }
  const Slot slot = free_.back();
  free_.pop_back();
  Entry& entry = entries_[slot];
  entry.request = request;
  entry.state = State::kSubmitted;
  entry.generation = entry.generation == kGenerationMax ? 1 : entry.generation + 1;
  ++under_way_;
  Enter(slot);
  return slot;
}

void ClientSession::Enter(Slot slot) {
  Entry& entry = entries_[slot];
  Order& order = OrderOf(entry);
  entry.overtaken_by = 0;
  entry.previous = std::exchange(order.last, slot);
  entry.next = kNoSlot;
  (entry.previous == kNoSlot ? order.first : entries_[entry.previous].next) = slot;
}

void ClientSession::Leave(Slot slot) {
  const Entry& entry = entries_[slot];
  Order& order = OrderOf(entry);
  (entry.previous == kNoSlot ? order.first : entries_[entry.previous].next) = entry.next;
  (entry.next == kNoSlot ? order.last : entries_[entry.next].previous) = entry.previous;
}

// Whether it is this one's turn to be answered with RET_SUBMIT.
Result<void> ClientSession::CheckOrder(Slot slot) {
  const Entry& entry = entries_[slot];
  const auto broken = [&](uint32_t first, uint32_t second) {
    Error error =
        Broken("submit {:x} was answered before submit {:x} of the same endpoint", second, first);
    error.endpoint = entry.request.endpoint.value;
    return error;
  };
  if (entry.overtaken_by != 0) return broken(SequenceOf(slot, false), entry.overtaken_by);
  for (Slot earlier = OrderOf(entry).first; earlier != slot; earlier = entries_[earlier].next) {
    if (entries_[earlier].state == State::kSubmitted) {
      return broken(SequenceOf(earlier, false), SequenceOf(slot, false));
    }
    entries_[earlier].overtaken_by = SequenceOf(slot, false);
  }
  return {};
}

uint32_t ClientSession::SequenceOf(Slot slot, bool unlink) const {
  return entries_[slot].generation << kGenerationShift | (unlink ? kUnlinkBit : 0) | slot;
}

wire::usbip::Submit ClientSession::MakeSubmit(Slot slot, const usb::Transfer& transfer,
                                              uint32_t interval) const {
  const Entry& entry = entries_[slot];
  wire::usbip::Submit submit{};
  submit.basic.command = Code(wire::usbip::Command::kSubmit);
  submit.basic.sequence = SequenceOf(slot, false);
  submit.basic.device_id = device_id_;
  submit.basic.direction = entry.request.in ? kDirectionIn : kDirectionOut;
  submit.basic.endpoint = uint32_t{entry.request.endpoint.number()};
  uint32_t flags = entry.request.in ? usbmon::kFlagDirectionIn : 0;
  if (transfer.flags.zero_packet) flags |= usbmon::kFlagZeroPacket;
  if (transfer.flags.short_not_ok) flags |= usbmon::kFlagShortNotOk;
  if (transfer.flags.iso_asap) flags |= usbmon::kFlagIsoAsap;
  submit.transfer_flags = flags;
  submit.length = entry.request.length;
  submit.start_frame = transfer.start_frame;
  submit.packets_count = entry.request.packets_count;
  submit.interval = interval;
  if (transfer.setup) CopyBytes(submit.setup, wire::AsBytes(*transfer.setup));
  return submit;
}

wire::usbip::Unlink ClientSession::MakeUnlink(Slot slot) {
  CHECK(entries_[slot].state == State::kSubmitted);
  entries_[slot].state = State::kUnlinking;
  const Entry& entry = entries_[slot];
  wire::usbip::Unlink unlink{};
  unlink.basic.command = Code(wire::usbip::Command::kUnlink);
  unlink.basic.sequence = SequenceOf(slot, true);
  unlink.basic.device_id = device_id_;
  unlink.basic.direction = entry.request.in ? kDirectionIn : kDirectionOut;
  unlink.basic.endpoint = uint32_t{entry.request.endpoint.number()};
  unlink.victim = SequenceOf(slot, false);
  return unlink;
}

Result<ClientSession::Reply> ClientSession::HandleReply(Bytes header) {
  CHECK_EQ(header.size(), kHeaderLength);
  const auto& basic = *wire::View<BasicHeader>(header);
  if (basic.command == Code(wire::usbip::Command::kSubmitReply)) {
    return HandleSubmitReply(*wire::View<wire::usbip::SubmitReply>(header));
  }
  if (basic.command == Code(wire::usbip::Command::kUnlinkReply)) {
    return HandleUnlinkReply(*wire::View<wire::usbip::UnlinkReply>(header));
  }
  return Broken("command {}, where a reply to a submit (3) or to an unlink (4) belongs",
                basic.command);
}

ClientSession::Entry* ClientSession::Find(uint32_t sequence, bool unlink) {
  const auto slot = static_cast<Slot>(sequence & kSlotMask);
  if (slot >= entries_.size()) return nullptr;
  const State state = entries_[slot].state;
  if (state == State::kFree || state == State::kEnded) return nullptr;
  return sequence == SequenceOf(slot, unlink) ? &entries_[slot] : nullptr;
}

Result<ClientSession::Reply> ClientSession::HandleSubmitReply(
    const wire::usbip::SubmitReply& reply) {
  const uint32_t sequence = reply.basic.sequence;
  Entry* entry = Find(sequence, false);
  if (entry == nullptr || entry->state == State::kAnswered) {
    return Broken("a reply to submit {:x}, and no such transfer is under way", sequence);
  }
  const Request& request = entry->request;
  if (reply.length_actual > request.length) {
    return Broken("a reply of {} bytes to submit {:x} of {}", reply.length_actual, sequence,
                  request.length);
  }
  // Only isochronous transfers have packets; what others say is the peer's own business. A refusal
  // comes without them.
  const bool bare = reply.packets_count == 0 && reply.length_actual == 0 && reply.status != 0;
  if (request.packets_count != 0 && reply.packets_count != request.packets_count && !bare) {
    return Broken("a reply with {} packets to submit {:x} of {}", reply.packets_count, sequence,
                  request.packets_count);
  }
  const auto slot = static_cast<Slot>(sequence & kSlotMask);
  const Result<void> in_order = CheckOrder(slot);
  if (!in_order) return in_order.error();
  Leave(slot);
  Outcome outcome = OutcomeOf(reply.status);
  // Not every server knows short_not_ok, and an OUT transfer that is ok has moved everything.
  const bool whole = reply.length_actual == request.length || request.packets_count != 0;
  if (outcome == Outcome::kOk && !whole && (!request.in || request.short_not_ok)) {
    outcome = Outcome::kFault;
  }
  const bool unlinking = entry->state == State::kUnlinking;
  if (unlinking) {
    entry->state = State::kAnswered;
  } else {
    End(slot);
  }
  return Reply{.slot = slot,
               .ends = true,
               .last = !unlinking,
               .outcome = outcome,
               .length_actual = reply.length_actual,
               .data_length = request.in ? uint32_t{reply.length_actual} : 0,
               .packets_count = bare ? 0 : request.packets_count,
               .error_count = reply.error_count,
               .start_frame = reply.start_frame};
}

Result<ClientSession::Reply> ClientSession::HandleUnlinkReply(
    const wire::usbip::UnlinkReply& reply) {
  const uint32_t sequence = reply.basic.sequence;
  Entry* entry = Find(sequence, true);
  if (entry == nullptr || entry->state == State::kSubmitted) {
    return Broken("a reply to unlink {:x}, and none of that number was sent", sequence);
  }
  const auto slot = static_cast<Slot>(sequence & kSlotMask);
  // Some servers say 0 without having answered the transfer: it is cancelled all the same.
  const bool ends = entry->state == State::kUnlinking;
  if (ends) Leave(slot);
  End(slot);
  return Reply{.slot = slot, .ends = ends, .last = true, .outcome = Outcome::kCancelled};
}

void ClientSession::End(Slot slot) {
  entries_[slot].state = State::kEnded;
  --under_way_;
}

void ClientSession::Free(Slot slot) {
  CHECK(entries_[slot].state == State::kEnded);
  entries_[slot].state = State::kFree;
  free_.push_back(slot);
}

}  // namespace usbtwin::usbip
