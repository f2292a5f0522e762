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
  switch (static_cast<int32_t>(status)) {
    case usbmon::kStatusOk: return Outcome::kOk;
    case usbmon::kStatusUnlinked:
    case usbmon::kStatusReset: return Outcome::kCancelled;
    case usbmon::kStatusStall: return Outcome::kStall;
    case usbmon::kStatusOverflow: return Outcome::kOverflow;
    case usbmon::kStatusNoDevice:
    case usbmon::kStatusShutdown: return Outcome::kDisconnected;
    case usbmon::kStatusTimer:
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
  const bool taken_back = transfer.outcome == Outcome::kCancelled;
  const Outcome outcome = taken_back ? Outcome::kDisconnected : transfer.outcome;
  wire::usbip::SubmitReply reply = MakeRefusal(sequence, StatusOf(outcome));
  const bool is_short = transfer.is_in() && transfer.length_actual < transfer.in_length_max;
  // A link that was told of short_not_ok ends such a transfer as a fault, one that was not as ok.
  const bool ended = transfer.outcome == Outcome::kOk || transfer.outcome == Outcome::kFault;
  if (ended && transfer.flags.short_not_ok && is_short && transfer.packets.empty()) {
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
  uint64_t sum = 0;
  for (usb::IsoPacket& packet : packets) {
    const auto& wire = *wire::View<IsoDescriptor>(raw);
    raw = Drop(raw, sizeof wire);
    if (wire.offset > length || wire.length > length - wire.offset) {
      return Broken("an isochronous packet of {} bytes at offset {} of {}", wire.length,
                    wire.offset, length);
    }
    packet = {.offset = wire.offset, .length = wire.length};
    sum += packet.length;
  }
  // Packets that overlap would be answered with more bytes than the transfer has.
  if (sum > length) return Broken("isochronous packets of {} bytes in {}", sum, length);
  return {};
}

void EmitPackets(std::span<const usb::IsoPacket> packets, MutableBytes raw) {
  CHECK_EQ(raw.size(), packets.size() * sizeof(IsoDescriptor));
  for (const usb::IsoPacket& packet : packets) {
    // Linux marks a packet that has not moved with EXDEV, in submits too.
    const uint32_t status = packet.outcome == Outcome::kPending
                                ? static_cast<uint32_t>(usbmon::kStatusTransfer)
                                : StatusOf(packet.outcome);
    raw = wire::Emit(raw, IsoDescriptor{.offset = packet.offset,
                                        .length = packet.length,
                                        .length_actual = packet.length_actual,
                                        .status = status});
  }
}

namespace {

// Moves each packet's data from where it came to where it belongs, from the last one, because with
// offsets that ascend no packet belongs before where its data came.
void SpreadAscending(MutableBytes data, uint64_t source, std::span<const usb::IsoPacket> packets) {
  for (size_t index = packets.size(); index-- > 0;) {
    const usb::IsoPacket& packet = packets[index];
    source -= packet.length_actual;
    if (packet.length_actual == 0 || packet.offset == source) continue;
    std::memmove(data.data() + packet.offset, data.data() + source, packet.length_actual);
  }
}

// Of packets that overlap the later one remains.
void SpreadAnyhow(MutableBytes data, uint64_t length, std::span<const usb::IsoPacket> packets) {
  const std::vector<uint8_t> came(data.begin(), data.begin() + static_cast<ptrdiff_t>(length));
  Bytes source = came;
  for (const usb::IsoPacket& packet : packets) {
    CopyBytes(data.subspan(packet.offset), Take(source, packet.length_actual));
    source = Drop(source, packet.length_actual);
  }
}

}  // namespace

Result<void> ParseReplyPackets(Bytes raw, uint32_t length_actual, MutableBytes data,
                               std::span<usb::IsoPacket> packets) {
  CHECK_EQ(raw.size(), packets.size() * sizeof(IsoDescriptor));
  uint64_t sum = 0;
  uint64_t end = 0;
  bool ascending = true;
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
    ascending = ascending && packet.offset >= end;
    end = uint64_t{packet.offset} + packet.length;
    CHECK(data.empty() || end <= data.size());
  }
  if (data.empty()) return {};
  if (sum != length_actual) {
    return Broken("isochronous packets of {} bytes in a reply of {}", sum, length_actual);
  }
  CHECK_LE(sum, data.size());
  if (ascending) {
    SpreadAscending(data, sum, packets);
  } else {
    SpreadAnyhow(data, sum, packets);
  }
  return {};
}

}  // namespace usbtwin::usbip
