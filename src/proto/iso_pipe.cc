#include "proto/iso_pipe.h"

#include <algorithm>

namespace usbtwin::proto {

using usb::InRequest;
using usb::IsoPacket;
using usb::Outcome;
using usb::OutRequest;
using usb::Transfer;
using namespace std::chrono_literals;

namespace {

constexpr uint8_t kExponentMax = 16;  // bInterval of an isochronous endpoint. USB 2.0, table 9-13
constexpr Duration kAheadMax = 1024ms;

uint32_t LengthOf(const Transfer& transfer, bool in) {
  return static_cast<uint32_t>(in ? transfer.in.size() : transfer.out.size());
}

}  // namespace

void IsoPipe::Configure(usb::Speed speed, const usb::EndpointConfig& endpoint) {
  CHECK(!waiting());
  CHECK(in_requests_.empty());
  CHECK(out_requests_.empty());
  in_ = endpoint.address.is_in();
  frame_ = speed <= usb::Speed::kFull ? Duration(1ms) : Duration(125us);
  const int exponent = std::clamp<int>(endpoint.interval, 1, kExponentMax);
  frames_per_interval_ = uint32_t{1} << (exponent - 1);
  length_max_ = usb::IntervalLengthMax(endpoint);
  interval_free_ = 0;
}

// ---- Transfers --------------------------------------------------------------------------------

void IsoPipe::Submit(Transfer& transfer) {
  const bool first = transfers_.empty();
  transfers_.PushBack(transfer);
  if (first) StartFirst(std::max(interval_free_, NextInterval()));
}

void IsoPipe::Cancel(Transfer& transfer) {
  if (transfer.outcome != Outcome::kPending) return;
  const bool first = &transfers_.front() == &transfer;
  Finish(transfer, Outcome::kCancelled);
  if (first) StartFirst(std::max(interval_free_, NextInterval()));
}

void IsoPipe::EndTransfers(Outcome outcome) {
  while (!transfers_.empty()) Finish(transfers_.front(), outcome);
  clock_.Disarm(*this);
}

void IsoPipe::Finish(Transfer& transfer, Outcome outcome) {
  transfer.outcome = outcome;
  transfer.error_count = static_cast<uint32_t>(
      std::count_if(transfer.packets.begin(), transfer.packets.end(),
                    [](const IsoPacket& packet) { return packet.outcome != Outcome::kOk; }));
  transfer.Unlink();
  clock_.Post(transfer);
}

// Whether it can be begun at all. The sum keeps length_actual within what was asked for.
bool IsoPipe::IsSound(const Transfer& transfer) const {
  if (transfer.packets.empty() || transfer.packets.size() > kPacketsMax) return false;
  if (in_ && transfer.in.size() != transfer.in_length_max) return false;
  uint64_t sum = 0;
  for (const IsoPacket& packet : transfer.packets) sum += packet.length;
  return sum <= LengthOf(transfer, in_);
}

// ---- Requests ---------------------------------------------------------------------------------

void IsoPipe::Queue(InRequest& request) {
  CHECK(in_);
  CHECK(!request.queued);
  request.queued = true;
  request.length_actual = 0;
  in_requests_.PushBack(request);
}

void IsoPipe::Queue(OutRequest& request) {
  CHECK(!in_);
  CHECK(!request.queued);
  CHECK_NE(request.length_max, 0u);
  CHECK_EQ(request.room.size(), request.length_max);
  request.queued = true;
  request.length_actual = 0;
  request.lent = {};
  out_requests_.PushBack(request);
}

template <class Request>
void IsoPipe::FinishRequest(Request& request, Outcome outcome) {
  request.outcome = outcome;
  request.ended_short = request.length_actual < length_max_;
  request.Unlink();
  clock_.Post(request);
}

void IsoPipe::EndRequests(Outcome outcome) {
  while (!in_requests_.empty()) {
    in_requests_.front().data.Reset();
    FinishRequest(in_requests_.front(), outcome);
  }
  while (!out_requests_.empty()) FinishRequest(out_requests_.front(), outcome);
}

// ---- Time -------------------------------------------------------------------------------------

// The first one that is still whole.
int64_t IsoPipe::NextInterval() const {
  const int64_t length = interval().count();
  return (clock_.Now().ns + length - 1) / length;
}

void IsoPipe::StartFirst(int64_t earliest) {
  packet_index_ = 0;
  interval_index_ = earliest;
  while (!transfers_.empty() && !IsSound(transfers_.front())) {
    Finish(transfers_.front(), Outcome::kFault);
  }
  if (transfers_.empty()) return clock_.Disarm(*this);
  Transfer& transfer = transfers_.front();
  if (!transfer.flags.iso_asap) {
    const auto now = static_cast<uint32_t>(earliest * frames_per_interval_);
    const uint32_t ahead = transfer.start_frame - now;  // modulo 2^32
    if (ahead <= kAheadMax / frame_) {
      interval_index_ += (ahead + frames_per_interval_ - 1) / frames_per_interval_;
    }
  }
  transfer.start_frame = static_cast<uint32_t>(interval_index_ * frames_per_interval_);
  Schedule();
}

void IsoPipe::Schedule() {
  if (suspended_) return;
  // Never at once, however late it is: what is posted comes first.
  clock_.Arm(*this, std::max(End(interval_index_), clock_.Now() + 1ns));
}

void IsoPipe::SetSuspended(bool suspended) {
  if (suspended_ == suspended) return;
  suspended_ = suspended;
  if (suspended) return clock_.Disarm(*this);
  if (transfers_.empty()) return;
  interval_index_ = std::max(interval_index_, NextInterval());
  Schedule();
}

void IsoPipe::MovePacket() {
  Transfer& transfer = transfers_.front();
  IsoPacket& packet = transfer.packets[packet_index_];
  const uint32_t length = LengthOf(transfer, in_);
  if (packet.length > length_max_ || packet.offset > length ||
      packet.length > length - packet.offset) {
    packet.outcome = Outcome::kFault;
  } else if (in_) {
    MoveIn(transfer, packet);
  } else {
    MoveOut(transfer, packet);
  }
  transfer.length_actual += packet.length_actual;
  ++packet_index_;
  interval_free_ = ++interval_index_;
  if (packet_index_ != transfer.packets.size()) return Schedule();
  Finish(transfer, Outcome::kOk);
  StartFirst(interval_free_);
}

void IsoPipe::MoveIn(Transfer& transfer, IsoPacket& packet) {
  packet.outcome = Outcome::kOk;
  if (in_requests_.empty()) return;
  InRequest& request = in_requests_.front();
  const uint32_t length = request.data.length();
  if (length > packet.length) {
    packet.outcome = Outcome::kOverflow;
  } else {
    if (length != 0) request.data.CopyTo(transfer.in.subspan(packet.offset, length));
    packet.length_actual = request.length_actual = length;
  }
  request.data.Reset();
  FinishRequest(request, packet.outcome);
}

void IsoPipe::MoveOut(Transfer& transfer, IsoPacket& packet) {
  packet.outcome = Outcome::kOk;
  packet.length_actual = packet.length;
  if (out_requests_.empty()) return;
  OutRequest& request = out_requests_.front();
  const Bytes data = transfer.out.subspan(packet.offset, packet.length);
  request.length_actual = static_cast<uint32_t>(CopyBytes(request.room, data));
  FinishRequest(request, data.size() > request.room.size() ? Outcome::kOverflow : Outcome::kOk);
}

}  // namespace usbtwin::proto
