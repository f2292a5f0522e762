#include "proto/usbip_session.h"

#include <cstring>

#include "wire/usbmon.h"

namespace usbtwin::usbip {

using usb::Outcome;
using wire::usbip::BasicHeader;
using wire::usbip::IsoDescriptor;
using wire::usbip::kDirectionIn;
using wire::usbip::kDirectionOut;
using wire::usbip::kHeaderLength;
namespace usbmon = wire::usbmon;

namespace {

Error Broken(const char* text, uint64_t first = 0, uint64_t second = 0, uint64_t third = 0) {
  return {.kind = ErrorKind::kProtocol, .text = text, .values = {first, second, third}};
}

constexpr uint32_t Code(wire::usbip::Command command) {
  return static_cast<uint32_t>(command);
}

}  // namespace

uint32_t StatusOf(Outcome outcome) {
  int32_t status = usbmon::kStatusProtocol;
  switch (outcome) {
    case Outcome::kPending: status = usbmon::kStatusInProgress; break;
    case Outcome::kOk: status = usbmon::kStatusOk; break;
    case Outcome::kStall: status = usbmon::kStatusStall; break;
    case Outcome::kCancelled: status = usbmon::kStatusReset; break;
    case Outcome::kTimedOut: status = usbmon::kStatusTimedOut; break;
    case Outcome::kOverflow: status = usbmon::kStatusOverflow; break;
    case Outcome::kDisconnected: status = usbmon::kStatusShutdown; break;
    case Outcome::kBusy: status = usbmon::kStatusBusy; break;
    case Outcome::kDenied: status = usbmon::kStatusDenied; break;
    case Outcome::kNotFound:  // of an interface: what a device says with a stall
    case Outcome::kUnsupported: status = usbmon::kStatusStall; break;
    case Outcome::kFault: break;
  }
  return static_cast<uint32_t>(status);
}

Outcome OutcomeOf(uint32_t status) {
  constexpr int32_t kStatusTimer = -62;  // ETIME: the device does not answer
  switch (static_cast<int32_t>(status)) {
    case usbmon::kStatusOk: return Outcome::kOk;
    case usbmon::kStatusUnlinked:
    case usbmon::kStatusReset: return Outcome::kCancelled;
    case usbmon::kStatusStall: return Outcome::kStall;
    case usbmon::kStatusOverflow: return Outcome::kOverflow;
    case usbmon::kStatusNoDevice:
    case usbmon::kStatusShutdown: return Outcome::kDisconnected;
    case kStatusTimer:
    case usbmon::kStatusTimedOut: return Outcome::kTimedOut;
    default: return Outcome::kFault;
  }
}

// --- framing ---

void Framing::HandleHeader(uint32_t data_length, uint32_t packets_count) {
  CHECK(part_ == Part::kHeader);
  CHECK_LE(packets_count, wire::usbip::kPacketsMax);
  data_length_ = data_length;
  packets_length_ = packets_count * static_cast<uint32_t>(sizeof(IsoDescriptor));
  Enter(Part::kData);
}

void Framing::HandleMoved(uint32_t length) {
  CHECK(part_ != Part::kHeader);
  CHECK_LE(length, left_);
  left_ -= length;
  if (left_ == 0) Enter(part_ == Part::kData ? Part::kPackets : Part::kHeader);
}

// Skips the parts that are empty.
void Framing::Enter(Part part) {
  if (part == Part::kData && data_length_ == 0) part = Part::kPackets;
  if (part == Part::kPackets && packets_length_ == 0) part = Part::kHeader;
  part_ = part;
  switch (part) {
    case Part::kHeader: left_ = kHeaderLength; break;
    case Part::kData: left_ = data_length_; break;
    case Part::kPackets: left_ = packets_length_; break;
  }
}

// --- the end that has the device ---

Result<Command> ParseCommand(Bytes header, uint32_t device_id) {
  CHECK_EQ(header.size(), kHeaderLength);
  const auto& basic = *wire::View<BasicHeader>(header);
  if (basic.device_id != device_id) {
    return Broken("a command for device id {:x}, and the imported one is {:x}", basic.device_id,
                  device_id);
  }
  if (basic.command == Code(wire::usbip::Command::kUnlink)) {
    const auto& unlink = *wire::View<wire::usbip::Unlink>(header);
    return Command(Unlink{.sequence = basic.sequence, .victim = unlink.victim});
  }
  if (basic.command != Code(wire::usbip::Command::kSubmit)) {
    return Broken("command {}, where a submit (1) or an unlink (2) belongs", basic.command);
  }
  if (basic.direction != kDirectionOut && basic.direction != kDirectionIn) {
    return Broken("direction {} of a submit: 0 is out, 1 is in", basic.direction);
  }
  if (basic.endpoint > 15) return Broken("endpoint {}: the last one is 15", basic.endpoint);
  const auto& wire = *wire::View<wire::usbip::Submit>(header);
  if (wire.length > kLengthMax) {
    return Broken("a transfer of {} bytes: at most {} can be asked for", wire.length, kLengthMax);
  }
  const uint32_t flags = wire.transfer_flags;
  const bool in = basic.direction == kDirectionIn;
  const auto number = static_cast<uint8_t>(basic.endpoint);
  Submit submit{
      .sequence = basic.sequence,
      .endpoint = {},
      .in = in,
      .flags = {.zero_packet = (flags & usbmon::kFlagZeroPacket) != 0,
                .short_not_ok = (flags & usbmon::kFlagShortNotOk) != 0,
                .iso_asap = (flags & usbmon::kFlagIsoAsap) != 0},
      .length = wire.length,
      .start_frame = wire.start_frame,
      .packets_count = wire.packets_count,
  };
  submit.setup = *wire::View<usb::SetupPacket>(wire.setup);
  if (number != 0) {
    submit.endpoint = in ? usb::EndpointAddress::In(number) : usb::EndpointAddress::Out(number);
  }
  return Command(submit);
}

bool IsSound(const Submit& control) {
  const bool setup_in = (control.setup.request_type & wire::usb::kDirectionIn) != 0;
  if (control.length != control.setup.length) return false;
  // A transfer without data goes whichever way its sender likes.
  return control.length == 0 || setup_in == control.in;
}

wire::usbip::SubmitReply MakeRefusal(uint32_t sequence, uint32_t status) {
  wire::usbip::SubmitReply reply{};
  reply.basic.command = Code(wire::usbip::Command::kSubmitReply);
  reply.basic.sequence = sequence;
  reply.status = status;
  return reply;
}

wire::usbip::SubmitReply MakeReply(uint32_t sequence, const usb::Transfer& transfer) {
  wire::usbip::SubmitReply reply = MakeRefusal(sequence, StatusOf(transfer.outcome));
  const bool is_short = transfer.is_in() && transfer.length_actual < transfer.in_length_max;
  if (transfer.outcome == Outcome::kOk && transfer.flags.short_not_ok && is_short &&
      transfer.packets.empty()) {
    reply.status = static_cast<uint32_t>(usbmon::kStatusShort);
  }
  reply.length_actual = transfer.length_actual;
  reply.start_frame = transfer.start_frame;
  reply.packets_count = static_cast<uint32_t>(transfer.packets.size());
  reply.error_count = transfer.error_count;
  return reply;
}

wire::usbip::UnlinkReply MakeUnlinkReply(uint32_t sequence, uint32_t status) {
  wire::usbip::UnlinkReply reply{};
  reply.basic.command = Code(wire::usbip::Command::kUnlinkReply);
  reply.basic.sequence = sequence;
  reply.status = status;
  return reply;
}

Ending EndingOf(Outcome outcome) {
  if (outcome == Outcome::kCancelled) {
    return {.submit_reply = false, .unlink_status = StatusOf(outcome)};
  }
  return {.submit_reply = true, .unlink_status = 0};
}

// --- isochronous packets ---

Result<void> ParsePackets(Bytes raw, uint32_t length, std::span<usb::IsoPacket> packets) {
  CHECK_EQ(raw.size(), packets.size() * sizeof(IsoDescriptor));
  for (usb::IsoPacket& packet : packets) {
    const auto& wire = *wire::View<IsoDescriptor>(raw);
    raw = Drop(raw, sizeof wire);
    if (wire.offset > length || wire.length > length - wire.offset) {
      return Broken("an isochronous packet of {} bytes at offset {} of {}", wire.length,
                    wire.offset, length);
    }
    packet = {.offset = wire.offset, .length = wire.length};
  }
  return {};
}

void EmitPackets(std::span<const usb::IsoPacket> packets, MutableBytes raw) {
  CHECK_EQ(raw.size(), packets.size() * sizeof(IsoDescriptor));
  for (const usb::IsoPacket& packet : packets) {
    // Linux's own host controllers leave a packet that has not moved at EXDEV.
    const bool pending = packet.outcome == Outcome::kPending;
    raw = wire::Emit(raw, IsoDescriptor{.offset = packet.offset,
                                        .length = packet.length,
                                        .length_actual = packet.length_actual,
                                        .status = pending ? 0 : StatusOf(packet.outcome)});
  }
}

Result<void> ParseReplyPackets(Bytes raw, uint32_t length_actual, MutableBytes data,
                               std::span<usb::IsoPacket> packets) {
  CHECK_EQ(raw.size(), packets.size() * sizeof(IsoDescriptor));
  uint64_t sum = 0;
  for (usb::IsoPacket& packet : packets) {
    const auto& wire = *wire::View<IsoDescriptor>(raw);
    raw = Drop(raw, sizeof wire);
    if (wire.length_actual > packet.length) {
      return Broken("an isochronous packet of {} bytes came with {}", packet.length,
                    wire.length_actual);
    }
    packet.length_actual = wire.length_actual;
    packet.outcome = OutcomeOf(wire.status);
    sum += packet.length_actual;
  }
  if (data.empty()) return {};
  if (sum != length_actual) {
    return Broken("isochronous packets of {} bytes in a reply of {}", sum, length_actual);
  }
  // From the last one, because where a packet belongs is never before where its data came, as long
  // as they do not overlap; those that do were asked for like that, and hold what came last.
  uint64_t source = sum;
  for (size_t index = packets.size(); index-- > 0;) {
    const usb::IsoPacket& packet = packets[index];
    source -= packet.length_actual;
    if (packet.length_actual == 0) continue;
    std::memmove(data.data() + packet.offset, data.data() + source, packet.length_actual);
  }
  return {};
}

// --- the end that wants the device ---

namespace {

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
  return slot;
}

uint32_t ClientSession::SequenceOf(Slot slot, bool unlink) const {
  return entries_[slot].generation << kGenerationShift | (unlink ? kUnlinkBit : 0) | slot;
}

wire::usbip::Submit ClientSession::MakeSubmit(Slot slot, const usb::Transfer& transfer,
                                              uint8_t interval) const {
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
  submit.interval = uint32_t{interval};
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
  if (slot >= entries_.size() || entries_[slot].state == State::kFree ||
      entries_[slot].state == State::kEnded) {
    return nullptr;
  }
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
  // Only isochronous transfers have packets; what others say is the peer's own business.
  if (request.packets_count != 0 && reply.packets_count != request.packets_count) {
    return Broken("a reply with {} packets to submit {:x} of {}", reply.packets_count, sequence,
                  request.packets_count);
  }
  const auto slot = static_cast<Slot>(sequence & kSlotMask);
  const bool unlinking = entry->state == State::kUnlinking;
  entry->state = unlinking ? State::kAnswered : State::kEnded;
  return Reply{.slot = slot,
               .ends = true,
               .last = !unlinking,
               .outcome = OutcomeOf(reply.status),
               .length_actual = reply.length_actual,
               .data_length = request.in ? uint32_t{reply.length_actual} : 0,
               .packets_count = request.packets_count,
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
  entry->state = State::kEnded;
  return Reply{.slot = slot, .ends = ends, .last = true, .outcome = Outcome::kCancelled};
}

void ClientSession::Free(Slot slot) {
  CHECK(entries_[slot].state == State::kEnded);
  entries_[slot].state = State::kFree;
  free_.push_back(slot);
}

}  // namespace usbtwin::usbip
