// Requests to the port, and the faults that are played on them.
#include "link/fault_injector.h"

namespace usbtwin::link {

using fault::Kind;
using fault::Moment;
using usb::Outcome;
using usb::PortOp;

namespace {

// What a link below would say.
Outcome OutcomeOf(Kind kind) {
  if (kind == Kind::kClaimFails) return Outcome::kBusy;
  const bool refused = kind == Kind::kClearHaltFails || kind == Kind::kConfigureFails ||
                       kind == Kind::kStreamRefused;
  return refused ? Outcome::kStall : Outcome::kFault;
}

}  // namespace

FaultInjector::PortFlight& FaultInjector::TakePort(PortOp& op) {
  for (PortFlight& flight : port_flights_) {
    if (flight.op != nullptr) continue;
    flight.op = &op;
    flight.rule = nullptr;
    return flight;
  }
  PortFlight& flight =
      port_flights_.emplace_back(*this, static_cast<uint32_t>(port_flights_.size()));
  flight.op = &op;
  return flight;
}

void FaultInjector::Request(PortOp& op) {
  if (!engaged()) return inner_.Request(op);
  PortFlight& flight = TakePort(op);
  ++in_flight_count_;
  op.Push(*this, flight.index);
  flight.queued = errand_ != Errand::kNone;
  if (!flight.queued) BeginPort(flight);
}

void FaultInjector::BeginPort(PortFlight& flight) {
  flight.queued = false;
  PortOp& op = *flight.op;
  if (disconnected_) {
    op.outcome = Outcome::kDisconnected;
    return clock_.Post(op);
  }
  if (player_.watches(Moment::kPortRequest)) {
    const auto* clear = std::get_if<usb::ClearHalt>(&op.request);
    fault::Occasion occasion{
        .moment = Moment::kPortRequest, .command = watch_.command(), .request = &op.request};
    if (clear != nullptr) occasion.endpoint = clear->endpoint.value;
    flight.rule = player_.Draw(occasion);
    flight.serial = player_.serial();
  }
  if (flight.rule == nullptr) return ForwardPort(flight);
  if (flight.rule->kind == Kind::kPortSlow) {
    return clock_.Arm(flight, clock_.Now() + flight.rule->delay_or_default());
  }
  op.outcome = OutcomeOf(flight.rule->kind);
  clock_.Post(op);
}

void FaultPortFlight::HandleTimer() {
  injector.ForwardPort(*this);
}

void FaultInjector::ForwardPort(PortFlight& flight) {
  if (std::holds_alternative<usb::ResetPort>(flight.op->request)) CancelHeld();
  inner_.Request(*flight.op);
}

// A reset ends what was queued: here too, when it begins and, because the link below may have
// answered something just before, when it is done.
void FaultInjector::CancelHeld() {
  if (live_.empty()) return;
  for (Flight* flight = &live_.front(); flight != nullptr; flight = live_.next(*flight)) {
    switch (flight->state) {
      case State::kQueued:
      case State::kLate:
      case State::kHeld:
      case State::kDue:
      case State::kReady: EndCancelled(*flight); break;
      case State::kPosted: flight->transfer->outcome = Outcome::kCancelled; break;
      case State::kSent:
      case State::kOwn: break;  // the link below ends these
    }
  }
}

void FaultInjector::OnDone(PortOp& op, uint64_t word) {
  if (word == kOwnWord) return HandleOwnDone(op);
  PortFlight& flight = port_flights_[word];
  if (op.outcome == Outcome::kDisconnected) player_.HandleGone();
  if (disconnected_) op.outcome = Outcome::kDisconnected;
  if (op.outcome == Outcome::kDisconnected) disconnected_ = true;
  if (op.outcome == Outcome::kOk) HandlePortDone(op.request);
  const bool slow = flight.rule != nullptr && flight.rule->kind == Kind::kPortSlow;
  const bool told = slow || op.outcome != Outcome::kDisconnected;
  if (flight.rule != nullptr && told) player_.Observe(flight.serial);
  flight.op = nullptr;
  --in_flight_count_;
  op.Complete();
}

void FaultInjector::HandlePortDone(const usb::PortRequest& request) {
  if (const auto* clear = std::get_if<usb::ClearHalt>(&request)) {
    halted_.reset(clear->endpoint.index());
    return;
  }
  const bool reset = std::holds_alternative<usb::ResetPort>(request);
  const auto* configuration = std::get_if<usb::SetConfiguration>(&request);
  const auto* setting = std::get_if<usb::SetAlternate>(&request);
  if (!reset && configuration == nullptr && setting == nullptr) return;
  if (configuration != nullptr) uas_.HandleConfigured(configuration->value);
  if (setting != nullptr) uas_.HandleAlternate(setting->interface, setting->alternate_setting);
  halted_.reset();
  if (reset) {
    CancelHeld();
    silent_.reset();
  }
  ForgetConversation();
  residue_.reset();
}

}  // namespace usbtwin::link
