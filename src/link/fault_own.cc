// What the injector itself asks of the link below: resets, suspensions, and reading what the host
// must not see. Each belongs to a transfer of the host, which ends after it.
#include <algorithm>

#include "link/fault_injector.h"
#include "link/transfer_data.h"

namespace usbtwin::link {

using fault::Kind;
using usb::Outcome;
using usb::Transfer;
using wire::bot::CommandStatusWrapper;

namespace {

constexpr uint32_t kPieceLength = 1 << 16;  // whole packets at every speed
constexpr uint8_t kClearsMax = 2;

}  // namespace

void FaultInjector::PlayPort(Flight& flight) {
  own_flight_ = &flight;
  flight.observed = true;
  flight.state = State::kOwn;
  if (flight.rule->kind == Kind::kSuspend) {
    errand_ = Errand::kSuspending;
    return SendOwn(usb::Suspend{});
  }
  // A device that is plugged in again has forgotten everything, and so has one that was reset.
  const bool unplug = flight.rule->kind == Kind::kDisconnect;
  errand_ = unplug ? Errand::kUnplug : Errand::kReset;
  for (Flight* other = &live_.front(); other != nullptr; other = live_.next(*other)) {
    if (other->state == State::kPosted) continue;
    other->doomed = true;
    other->cancel_late = false;
    other->cancel_rule = nullptr;
    clock_.Disarm(*other);
    if (other->state != State::kSent) other->state = State::kOwn;
  }
  SendOwn(usb::ResetPort{});
}

void FaultInjector::SendOwn(const usb::PortRequest& request) {
  own_op_.request = request;
  own_op_.outcome = Outcome::kPending;
  own_op_.Push(*this, kOwnWord);
  inner_.Request(own_op_);
}

void FaultInjector::HandleOwnDone(usb::PortOp& op) {
  if (op.outcome == Outcome::kDisconnected) disconnected_ = true;
  if (drain_ != Drain::kNone) {
    if (op.outcome != Outcome::kOk) return EndDrain(op.outcome);
    drain_ = Drain::kStatus;
    return DrainMore();
  }
  switch (errand_) {
    case Errand::kReset: return EndErrand(Outcome::kFault);
    case Errand::kUnplug: return EndErrand(Outcome::kDisconnected);
    case Errand::kSuspending: {
      errand_ = Errand::kSuspended;
      const Duration delay = own_flight_->rule->delay_or_default();
      return clock_.Arm(*this, clock_.Now() + (own_flight_->cancelled ? Duration(0) : delay));
    }
    case Errand::kResuming: return EndSuspend();
    case Errand::kNone:
    case Errand::kSuspended: CHECK(errand_ == Errand::kReset); return;
  }
}

void FaultInjector::EndErrand(Outcome outcome) {
  if (errand_ == Errand::kUnplug) {
    disconnected_ = true;
    const Duration delay = own_flight_->rule->delay_or_default();
    if (port_ != nullptr) {
      port_->absent_until = delay == Duration(0) ? kNever : clock_.Now() + delay;
    }
  }
  errand_ = Errand::kNone;
  own_flight_ = nullptr;
  doom_ = outcome;
  silent_.reset();
  ForgetConversation();
  for (Flight* flight = &live_.front(); flight != nullptr; flight = live_.next(*flight)) {
    if (!flight->doomed || flight->state != State::kOwn) continue;
    flight->transfer->outcome = outcome;
    Settle(*flight);
  }
  Pump();
}

void FaultInjector::HandleTimer() {
  CHECK(errand_ == Errand::kSuspended);
  errand_ = Errand::kResuming;
  SendOwn(usb::Resume{});
}

void FaultInjector::EndSuspend() {
  errand_ = Errand::kNone;
  Flight& flight = *std::exchange(own_flight_, nullptr);
  if (disconnected_) {
    Decide(flight, Outcome::kDisconnected);
  } else if (flight.cancelled) {
    EndCancelled(flight);
  } else {
    Send(flight);
  }
  Pump();
}

// `length`: bytes of data that the device has yet to send.
void FaultInjector::BeginDrain(Flight& flight, Drain drain, uint32_t length) {
  own_flight_ = &flight;
  flight.state = State::kOwn;
  drain_ = drain;
  drain_left_ = length;
  clears_count_ = 0;
  own_room_.resize(std::max<size_t>(std::min(length, kPieceLength), sizeof(CommandStatusWrapper)));
  DrainMore();
}

void FaultInjector::DrainMore() {
  if (own_flight_->cancelled && drain_ != Drain::kRest) return EndDrain(Outcome::kCancelled);
  if (drain_left_ == 0 && drain_ == Drain::kRest) return EndDrain(std::nullopt);
  if (drain_left_ == 0 && drain_ == Drain::kData) drain_ = Drain::kStatus;
  const uint32_t length_max = std::min(kPieceLength, inner_.caps().transfer_length_max);
  ReadOwn(drain_ == Drain::kStatus ? static_cast<uint32_t>(sizeof(CommandStatusWrapper))
                                   : std::min(drain_left_, length_max));
}

void FaultInjector::ReadOwn(uint32_t length) {
  own_transfer_.Rearm();
  own_transfer_.endpoint = own_flight_->transfer->endpoint;
  own_transfer_.stream_id = own_flight_->transfer->stream_id;
  own_transfer_.in = MutableBytes(own_room_).first(length);
  own_transfer_.in_length_max = length;
  own_transfer_.Push(*this, kOwnWord);
  inner_.Submit(own_transfer_);
}

void FaultInjector::HandleOwnDone(Transfer& transfer) {
  if (transfer.outcome == Outcome::kStall) {
    if (drain_ == Drain::kRest) return EndDrain(std::nullopt);
    if (++clears_count_ > kClearsMax) return EndDrain(Outcome::kStall);
    drain_ = Drain::kClear;
    return SendOwn(usb::ClearHalt{transfer.endpoint});
  }
  if (transfer.outcome != Outcome::kOk) return EndDrain(transfer.outcome);
  if (drain_ == Drain::kStatus) {
    auto status = BotWatch::StatusIn(transfer);
    if (!status) return EndDrain(Outcome::kFault);
    last_status_ = *status;
    status->residue = watch_.announced();
    ReplaceData(*own_flight_->transfer, wire::AsBytes(*status));
    own_flight_->observed = true;
    return EndDrain(own_flight_->transfer->flags.short_not_ok ? Outcome::kFault : Outcome::kOk);
  }
  const bool ended = transfer.length_actual < transfer.in_length_max;
  drain_left_ = ended ? 0 : drain_left_ - transfer.length_actual;
  DrainMore();
}

// Without an outcome, what the transfer had already been given stands.
void FaultInjector::EndDrain(std::optional<Outcome> outcome) {
  const bool rest = drain_ == Drain::kRest;
  drain_ = Drain::kNone;
  Flight& flight = *std::exchange(own_flight_, nullptr);
  const bool keeps = rest && outcome != Outcome::kDisconnected && outcome != Outcome::kCancelled;
  if (outcome && !keeps) flight.transfer->outcome = *outcome;
  Settle(flight);
}

void FaultInjector::CancelOwn() {
  if (errand_ == Errand::kSuspended) return clock_.Arm(*this, clock_.Now());
  if (drain_ == Drain::kNone || drain_ == Drain::kClear) return;
  if (own_transfer_.depth() != 0) inner_.Cancel(own_transfer_);
}

}  // namespace usbtwin::link
