// The transfers of a UsbIpConnection: from a command to its reply, and the memory they need.
#include <algorithm>

#include "async/usbip_connection.h"

namespace usbtwin::async {

using usb::Outcome;
using usbip::Framing;

namespace {

std::vector<uint8_t> ToVector(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// What an IN transfer's packets hold: the bytes that follow its reply.
uint32_t SumOf(const std::vector<usb::IsoPacket>& packets) {
  uint32_t sum = 0;
  for (const usb::IsoPacket& packet : packets) sum += packet.length_actual;
  return sum;
}

}  // namespace

void UsbIpConnection::HandleSubmit(const usbip::Submit& submit) {
  UsbIpDeviceStatus& status = entry_->status;
  ++status.urbs;
  const bool control = submit.endpoint.number() == 0;
  const bool isochronous = !control && gate_->IsIsochronous(submit.endpoint);
  const uint32_t packets_count = isochronous ? submit.packets_count : 0;
  if (packets_count > wire::usbip::kPacketsMax) {
    return Break({.kind = ErrorKind::kProtocol,
                  .endpoint = submit.endpoint.value,
                  .text = "a transfer of {} isochronous packets: at most {}",
                  .values = {packets_count, wire::usbip::kPacketsMax}});
  }
  framing_.HandleHeader(submit.in ? 0 : submit.length, packets_count);
  const UsbIpLimits& limits = server_.limits_;
  const bool lent = submit.in && caps_.lends_data && gate_->IsBulk(submit.endpoint);
  const uint32_t slab_length = lent ? 0 : submit.length;
  const size_t bytes_length =
      slab_length +
      size_t{packets_count} * (sizeof(wire::usbip::IsoDescriptor) + sizeof(usb::IsoPacket));
  uint32_t refusal = 0;
  if (control && !IsSound(submit)) {
    refusal = usbip::kStatusInvalid;
  } else if (submit.length > std::min(limits.urb_length_max, caps_.transfer_length_max) ||
             under_way_count_ >= limits.urbs_max ||
             bytes_length > limits.urb_bytes_max - std::min(limits.urb_bytes_max, bytes_held_)) {
    refusal = usbip::kStatusNoMemory;
  }
  if (refusal != 0) {
    ++status.refused;
    QueueNote(ToVector(wire::AsBytes(usbip::MakeRefusal(submit.sequence, refusal))));
    return;
  }
  Urb& urb = TakeUrb();
  urb.submit = submit;
  urb.unlink_sequence.reset();
  urb.slab_length = slab_length;
  urb.bytes_length = bytes_length;
  bytes_held_ += bytes_length;
  if (urb.slab.size() < slab_length) urb.slab.resize(slab_length);
  urb.packets.assign(packets_count, {});
  urb.packets_raw.resize(packets_count * sizeof(wire::usbip::IsoDescriptor));
  if (!submit.in) status.bytes_out += submit.length;
  if (framing_.part() == Framing::Part::kHeader) return SubmitUrb(urb);
  incoming_ = &urb;
}

void UsbIpConnection::SubmitUrb(Urb& urb) {
  const usbip::Submit& submit = urb.submit;
  usb::Transfer& transfer = urb.transfer;
  transfer.endpoint = submit.endpoint;
  transfer.flags = submit.flags;
  transfer.setup.reset();
  if (submit.endpoint.number() == 0) transfer.setup = submit.setup;
  transfer.packets = urb.packets;
  transfer.start_frame = submit.start_frame;
  const MutableBytes data = Take(MutableBytes(urb.slab), urb.slab_length);
  const bool in = transfer.is_in();
  transfer.out = in ? Bytes() : Bytes(data);
  transfer.in = in ? data : MutableBytes();
  transfer.in_length_max = in ? submit.length : 0;
  transfer.Rearm();
  ++under_way_count_;
  unlinkable_.Add(submit.sequence, urb, urb.place);
  transfer.Push(*this, urb.index);
  gate_->Submit(transfer);
}

void UsbIpConnection::HandleUnlink(const usbip::Unlink& unlink) {
  ++entry_->status.unlinks;
  Urb* const victim = unlinkable_.Find(unlink.victim);
  if (victim == nullptr) {
    return QueueNote(ToVector(wire::AsBytes(usbip::MakeUnlinkReply(unlink.sequence, 0))));
  }
  unlinkable_.Remove(victim->place);
  victim->unlink_sequence = unlink.sequence;
  gate_->Cancel(victim->transfer);
}

void UsbIpConnection::OnDone(usb::Transfer& transfer, uint64_t word) {
  Urb& urb = *urbs_[word];
  unlinkable_.Remove(urb.place);
  --under_way_count_;
  const bool gone = transfer.outcome == Outcome::kDisconnected;
  if (phase_ == Phase::kEnding) {
    Free(urb);
    return MaybeDone();
  }
  Answer(urb);
  if (gone) EndSoon("the device is gone");
  MaybeDone();
}

void UsbIpConnection::Answer(Urb& urb) {
  const usb::Transfer& transfer = urb.transfer;
  usbip::Ending ending;
  if (urb.unlink_sequence) ending = usbip::EndingOf(transfer.outcome);
  const std::optional<uint32_t> unlink_sequence = urb.unlink_sequence;
  if (ending.submit_reply) {
    urb.reply = usbip::MakeReply(urb.submit.sequence, transfer);
    if (!urb.packets.empty()) usbip::EmitPackets(urb.packets, urb.packets_raw);
    size_t data_length = 0;
    if (transfer.is_in()) {
      if (!urb.packets.empty()) urb.reply.length_actual = SumOf(urb.packets);
      data_length = urb.reply.length_actual;
      entry_->status.bytes_in += data_length;
    }
    ++replies_count_;
    writer_.Queue(urb, sizeof urb.reply + data_length + urb.packets_raw.size());
  } else {
    Free(urb);
  }
  if (!unlink_sequence) return;
  QueueNote(
      ToVector(wire::AsBytes(usbip::MakeUnlinkReply(*unlink_sequence, ending.unlink_status))));
}

void UsbIpConnection::Urb::AppendPieces(std::vector<Bytes>& pieces) const {
  pieces.push_back(wire::AsBytes(reply));
  if (transfer.is_in()) {
    if (!packets.empty()) {
      for (const usb::IsoPacket& packet : packets) {
        if (packet.length_actual == 0) continue;
        pieces.push_back(Bytes(slab).subspan(packet.offset, packet.length_actual));
      }
    } else if (!transfer.lease.empty()) {
      transfer.lease.ForEach([&](Bytes piece) { pieces.push_back(piece); });
    } else if (transfer.length_actual != 0) {
      pieces.push_back(Take(Bytes(slab), transfer.length_actual));
    }
  }
  if (!packets_raw.empty()) pieces.push_back(packets_raw);
}

// --- memory ---

UsbIpConnection::Urb& UsbIpConnection::TakeUrb() {
  if (!free_urbs_.empty()) {
    Urb& urb = static_cast<Urb&>(free_urbs_.PopFront());
    bytes_spare_ -= urb.memory_length();
    return urb;
  }
  urbs_.push_back(std::make_unique<Urb>(*this));
  urbs_.back()->index = urbs_.size() - 1;
  return *urbs_.back();
}

void UsbIpConnection::Free(Urb& urb) {
  urb.transfer.lease.Clear();
  bytes_held_ -= urb.bytes_length;
  urb.bytes_length = 0;
  if (urb.memory_length() > kSpareBytesMax - bytes_spare_) {
    // Not = {}, which keeps the memory.
    urb.slab = std::vector<uint8_t>();
    urb.packets = std::vector<usb::IsoPacket>();
    urb.packets_raw = std::vector<uint8_t>();
  }
  bytes_spare_ += urb.memory_length();
  free_urbs_.PushFront(urb);
}

void UsbIpConnection::HandleReplySent(Urb& urb) {
  --replies_count_;
  Free(urb);
}

void UsbIpConnection::QueueNote(std::vector<uint8_t> bytes) {
  if (notes_.empty()) {
    all_notes_.push_back(std::make_unique<Note>(*this));
    notes_.PushBack(*all_notes_.back());
  }
  auto& note = static_cast<Note&>(notes_.PopFront());
  note.bytes = std::move(bytes);
  ++replies_count_;
  writer_.Queue(note, note.bytes.size());
}

}  // namespace usbtwin::async
