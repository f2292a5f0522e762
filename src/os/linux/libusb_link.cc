#include "os/linux/libusb_link.h"

#include <algorithm>

namespace usbtwin::os {

using usb::Outcome;
using usb::Transfer;

namespace {

constexpr uint16_t kStreamsMax = 65533;  // stream ids of SuperSpeed: USB 3.2, 8.12.1.4.2
constexpr size_t kPacketsMax = 1024;  // isochronous packets in one transfer; more and usbfs refuses

Outcome OutcomeOf(libusb_transfer_status status) {
  switch (status) {
    case LIBUSB_TRANSFER_COMPLETED: return Outcome::kOk;
    case LIBUSB_TRANSFER_ERROR: return Outcome::kFault;
    case LIBUSB_TRANSFER_TIMED_OUT: return Outcome::kTimedOut;
    case LIBUSB_TRANSFER_CANCELLED: return Outcome::kCancelled;
    case LIBUSB_TRANSFER_STALL: return Outcome::kStall;
    case LIBUSB_TRANSFER_NO_DEVICE: return Outcome::kDisconnected;
    case LIBUSB_TRANSFER_OVERFLOW: return Outcome::kOverflow;
  }
  return Outcome::kFault;
}

bool IsSamePipe(const Transfer& left, const Transfer& right) {
  return left.endpoint == right.endpoint && left.stream_id == right.stream_id;
}

uint32_t LengthAsked(const Transfer& transfer) {
  return transfer.is_in() ? transfer.in_length_max : static_cast<uint32_t>(transfer.out.size());
}

bool IsSound(const Transfer& transfer) {
  if (transfer.is_in() && transfer.in.size() != transfer.in_length_max) return false;
  if (transfer.packets.size() > kPacketsMax) return false;
  return !transfer.setup || LengthAsked(transfer) == transfer.setup->length;
}

// Where the bytes did not all move although libusb saw no error. It takes a transfer that the
// kernel ended for reasons of its own, such as a reset by another program, for one that succeeded.
Outcome OutcomeOfShort(const Transfer& transfer) {
  if (!transfer.is_in()) return Outcome::kCancelled;
  return transfer.flags.short_not_ok ? Outcome::kFault : Outcome::kOk;
}

void TakePackets(Transfer& transfer, const libusb_transfer& raw) {
  uint32_t length = 0;
  for (size_t index = 0; index < transfer.packets.size(); ++index) {
    usb::IsoPacket& packet = transfer.packets[index];
    packet.length_actual = std::min(raw.iso_packet_desc[index].actual_length, packet.length);
    packet.outcome = OutcomeOf(raw.iso_packet_desc[index].status);
    if (packet.outcome != Outcome::kOk) ++transfer.error_count;
    length += packet.length_actual;
  }
  transfer.length_actual = length;
}

}  // namespace

std::unique_ptr<LibusbLink> LibusbLink::Make(LibusbContext& context,
                                             std::unique_ptr<LibusbDevice> device) {
  const int fd = device->fd();
  std::unique_ptr<LibusbLink> link(new LibusbLink(context, std::move(device)));
  if (!context.Add(*link, fd)) return nullptr;
  return link;
}

LibusbLink::LibusbLink(LibusbContext& context, std::unique_ptr<LibusbDevice> device)
    : context_(context), device_(std::move(device)), speed_(device_->speed()) {}

LibusbLink::~LibusbLink() {
  CHECK(in_flight_.empty());
  CHECK(held_.empty());
  CHECK(ops_.empty());
  context_.Remove(*this);
  context_.Close(std::move(device_));
}

usb::LinkCaps LibusbLink::caps() const {
  return {.speed = speed_, .streams_max = speed_ >= usb::Speed::kSuper ? kStreamsMax : uint16_t{0}};
}

// --- transfers ---

void LibusbLink::Submit(Transfer& transfer) {
  CHECK(transfer.outcome == Outcome::kPending);
  if (!ops_.empty() && !gone_) return held_.PushBack(transfer);
  Start(transfer);
}

void LibusbLink::Start(Transfer& transfer) {
  Flight* flight = TakeFlight(transfer.packets.size());
  flight->transfer = &transfer;
  flight->cancel_wanted = flight->cancel_asked = false;
  in_flight_.PushBack(*flight);
  context_.BeginTransfer();
  if (gone_) return Settle(*flight, Outcome::kDisconnected);
  if (flight->raw == nullptr || !IsSound(transfer) || !Fill(*flight)) {
    return Settle(*flight, Outcome::kFault);
  }
  const int result = libusb_submit_transfer(flight->raw);
  if (result == LIBUSB_SUCCESS) return;
  if (result == LIBUSB_ERROR_NO_MEM) context_.NoteMemoryLimit();
  // No port request waits for this one: it would have waited itself.
  Settle(*flight, result == LIBUSB_ERROR_NO_DEVICE ? Outcome::kDisconnected : Outcome::kFault);
}

LibusbLink::Flight* LibusbLink::TakeFlight(size_t packets_count) {
  const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [packets_count](Flight* flight) {
    return flight->packets_max >= packets_count;
  });
  if (found != idle_.rend()) {
    Flight* flight = *found;
    idle_.erase(std::next(found).base());
    return flight;
  }
  flights_.push_back(std::make_unique<Flight>());
  Flight& flight = *flights_.back();
  flight.link = this;
  flight.packets_max = std::min(packets_count, kPacketsMax);
  flight.raw = libusb_alloc_transfer(static_cast<int>(flight.packets_max));
  return &flight;
}

bool LibusbLink::Fill(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  libusb_transfer& raw = *flight.raw;
  // libusb writes to the buffers of IN transfers alone.
  uint8_t* bytes =
      transfer.is_in() ? transfer.in.data() : const_cast<uint8_t*>(transfer.out.data());
  raw.dev_handle = device_->handle();
  raw.flags = 0;
  raw.endpoint = transfer.endpoint.value;
  raw.timeout = 0;
  raw.callback = HandleRawDone;
  raw.user_data = &flight;
  raw.buffer = bytes;
  raw.length = static_cast<int>(LengthAsked(transfer));
  raw.num_iso_packets = 0;
  if (transfer.setup) {
    const Bytes setup = wire::AsBytes(*transfer.setup);
    flight.control.assign(setup.begin(), setup.end());
    flight.control.resize(setup.size() + LengthAsked(transfer));
    if (!transfer.is_in()) CopyBytes(MutableBytes(flight.control).subspan(8), transfer.out);
    raw.type = LIBUSB_TRANSFER_TYPE_CONTROL;
    raw.buffer = flight.control.data();
    raw.length = static_cast<int>(flight.control.size());
    return true;
  }
  if (!transfer.packets.empty()) return FillPackets(flight);
  if (!transfer.is_in() && transfer.flags.zero_packet) {
    raw.flags |= LIBUSB_TRANSFER_ADD_ZERO_PACKET;
  }
  // The kernel looks at the endpoint itself, so this serves interrupt endpoints as well.
  raw.type = LIBUSB_TRANSFER_TYPE_BULK;
  if (transfer.stream_id != 0) {
    raw.type = LIBUSB_TRANSFER_TYPE_BULK_STREAM;
    libusb_transfer_set_stream_id(&raw, transfer.stream_id);
  }
  return true;
}

bool LibusbLink::FillPackets(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  libusb_transfer& raw = *flight.raw;
  raw.type = LIBUSB_TRANSFER_TYPE_ISOCHRONOUS;
  raw.num_iso_packets = static_cast<int>(transfer.packets.size());
  uint32_t offset = 0;
  for (size_t index = 0; index < transfer.packets.size(); ++index) {
    usb::IsoPacket& packet = transfer.packets[index];
    // libusb has them one behind the other.
    if (packet.offset != offset) return false;
    raw.iso_packet_desc[index] = {};
    raw.iso_packet_desc[index].length = packet.length;
    packet.length_actual = 0;
    packet.outcome = Outcome::kPending;
    offset += packet.length;
  }
  raw.length = static_cast<int>(offset);
  return offset <= LengthAsked(transfer);
}

void LIBUSB_CALL LibusbLink::HandleRawDone(libusb_transfer* raw) {
  Flight& flight = *static_cast<Flight*>(raw->user_data);
  flight.link->HandleDone(flight);
}

void LibusbLink::HandleDone(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  const libusb_transfer& raw = *flight.raw;
  Outcome outcome = OutcomeOf(raw.status);
  if (!transfer.packets.empty()) {
    TakePackets(transfer, raw);
  } else {
    const auto length = static_cast<uint32_t>(std::max(raw.actual_length, 0));
    transfer.length_actual = std::min(length, LengthAsked(transfer));
    if (transfer.setup && transfer.is_in()) {
      CopyBytes(transfer.in, Take(Bytes(flight.control).subspan(sizeof(usb::SetupPacket)),
                                  transfer.length_actual));
    }
    const bool whole = transfer.length_actual == LengthAsked(transfer);
    if (outcome == Outcome::kOk && !whole) outcome = OutcomeOfShort(transfer);
  }
  Settle(flight, outcome);
  Step();
}

void LibusbLink::Settle(Flight& flight, Outcome outcome) {
  if (outcome == Outcome::kDisconnected) gone_ = true;
  Transfer& transfer = *flight.transfer;
  transfer.outcome = gone_ ? Outcome::kDisconnected : outcome;
  if (transfer.outcome == Outcome::kCancelled) Deliver(flight);
  // Only what was cancelled may overtake. A transfer that libusb did not take waits for those
  // before it.
  for (Flight* next = in_flight_.empty() ? nullptr : &in_flight_.front(); next != nullptr;) {
    Flight& one = *next;
    next = in_flight_.next(one);
    if (!IsSamePipe(*one.transfer, transfer)) continue;
    if (one.transfer->outcome == Outcome::kPending) break;
    Deliver(one);
  }
}

void LibusbLink::Deliver(Flight& flight) {
  flight.Unlink();
  idle_.push_back(&flight);
  context_.EndTransfer();
  context_.loop().Post(*flight.transfer);
}

LibusbLink::Flight* LibusbLink::FindInFlight(const Transfer& transfer) {
  for (Flight* flight = in_flight_.empty() ? nullptr : &in_flight_.front(); flight != nullptr;
       flight = in_flight_.next(*flight)) {
    if (flight->transfer == &transfer) return flight;
  }
  return nullptr;
}

void LibusbLink::Cancel(Transfer& transfer) {
  if (transfer.outcome != Outcome::kPending) return;
  if (held_.Contains(transfer)) {
    transfer.Unlink();
    transfer.outcome = gone_ ? Outcome::kDisconnected : Outcome::kCancelled;
    return context_.loop().Post(transfer);
  }
  Flight* flight = FindInFlight(transfer);
  CHECK(flight != nullptr);
  flight->cancel_wanted = true;
  if (!job_.away()) AskCancel(*flight);
}

// Where libusb says that there is nothing to cancel, the transfer's end is on its way.
void LibusbLink::AskCancel(Flight& flight) {
  if (flight.cancel_asked || flight.transfer->outcome != Outcome::kPending) return;
  flight.cancel_asked = true;
  libusb_cancel_transfer(flight.raw);
}

// --- port requests ---

void LibusbLink::Request(usb::PortOp& op) {
  ops_.push_back(&op);
  if (std::holds_alternative<usb::ResetPort>(op.request)) {
    // What was submitted before a reset ends with it.
    while (!held_.empty()) {
      Transfer& transfer = static_cast<Transfer&>(held_.PopFront());
      transfer.outcome = gone_ ? Outcome::kDisconnected : Outcome::kCancelled;
      context_.loop().Post(transfer);
    }
  }
  Step();
}

void LibusbLink::Step() {
  while (!ops_.empty() && !job_.away()) {
    if (gone_) {
      FinishFront(Outcome::kDisconnected);
      continue;
    }
    if (std::holds_alternative<usb::ResetPort>(ops_.front()->request) && !in_flight_.empty()) {
      for (Flight* flight = &in_flight_.front(); flight != nullptr;
           flight = in_flight_.next(*flight)) {
        AskCancel(*flight);
      }
      return;  // and again when they have ended
    }
    job_.op = ops_.front();
    if (context_.worker().Submit(job_)) return;
    FinishFront(Outcome::kFault);
  }
  while (ops_.empty() && !held_.empty()) Start(static_cast<Transfer&>(held_.PopFront()));
}

void LibusbLink::FinishFront(Outcome outcome) {
  usb::PortOp& op = *ops_.front();
  ops_.pop_front();
  if (outcome == Outcome::kDisconnected) gone_ = true;
  op.outcome = gone_ ? Outcome::kDisconnected : outcome;
  context_.loop().Post(op);
}

void LibusbLink::HandlePortDone(Outcome outcome) {
  FinishFront(outcome);
  for (Flight* flight = in_flight_.empty() ? nullptr : &in_flight_.front(); flight != nullptr;
       flight = in_flight_.next(*flight)) {
    if (flight->cancel_wanted) AskCancel(*flight);
  }
  Step();
}

void LibusbLink::HandleGone() {
  gone_ = true;
  Step();
}

}  // namespace usbtwin::os
