#include "link/fault_injector.h"

namespace usbtwin::link {

using fault::Kind;
using fault::Moment;
using fault::Rule;
using usb::Outcome;
using usb::Transfer;

namespace {

constexpr size_t kFlightsFirst = 16;

// Those at which something is played here, or inside the twin, whose answers are watched then.
constexpr std::array kMoments{Moment::kCommand,    Moment::kDataIn,     Moment::kDataOut,
                              Moment::kStatus,     Moment::kCommandIu,  Moment::kStatusIu,
                              Moment::kDataLeg,    Moment::kControl,    Moment::kCancel,
                              Moment::kExecute,    Moment::kStoreRead,  Moment::kStoreWrite,
                              Moment::kStoreFlush, Moment::kPortRequest};

}  // namespace

FaultInjector::FaultInjector(Clock& clock, usb::Link& inner, fault::Player& player,
                             fault::PortState* port)
    : clock_(clock), inner_(inner), player_(player), port_(port) {
  player_.CarryAnswers();
  for (const Moment moment : kMoments) watching_ = watching_ || player_.watches(moment);
  for (const Rule& rule : player_.plan().rules) {
    stalls_out_ = stalls_out_ || (rule.kind == Kind::kStallData && rule.length.has_value());
  }
  if (!watching_) return;
  while (flights_.size() < kFlightsFirst) {
    free_.PushBack(flights_.emplace_back(*this, static_cast<uint32_t>(flights_.size())));
  }
}

FaultInjector::~FaultInjector() {
  CHECK_EQ(in_flight_count_, 0u);
  CHECK(!own_busy());
  while (!free_.empty()) free_.PopFront();
}

bool FaultInjector::engaged() const {
  return (watching_ && !player_.stopped()) || in_flight_count_ != 0 || disconnected_ ||
         halted_.any() || silent_.any() || forged_ || stall_status_again_ || residue_;
}

FaultInjector::Flight& FaultInjector::TakeFlight(Transfer& transfer) {
  if (free_.empty()) {
    free_.PushBack(flights_.emplace_back(*this, static_cast<uint32_t>(flights_.size())));
  }
  Flight& flight = free_.PopFront();
  flight.transfer = &transfer;
  flight.state = State::kQueued;
  flight.moment.reset();
  flight.rule = flight.cancel_rule = nullptr;
  flight.drawn = flight.observed = flight.cancelled = flight.cancel_late = false;
  flight.doomed = flight.swapped = flight.unheeded = false;
  flight.starved = flight.recalled = false;
  flight.pipe = UasPipe::kNone;
  flight.tag = 0;
  live_.PushBack(flight);
  ++in_flight_count_;
  return flight;
}

bool FaultInjector::SamePipe(const Flight& left, const Flight& right) const {
  return left.transfer->endpoint == right.transfer->endpoint &&
         left.transfer->stream_id == right.transfer->stream_id;
}

// Nothing before it on its pipe may still come to halt the pipe or to be late.
bool FaultInjector::MayBegin(const Flight& flight) {
  if (errand_ != Errand::kNone) return false;
  for (Flight* earlier = &live_.front(); earlier != &flight; earlier = live_.next(*earlier)) {
    const bool plain = earlier->state == State::kSent && earlier->rule == nullptr;
    if (!plain && SamePipe(*earlier, flight)) return false;
    // A status that is made up says what became of the data.
    const bool forges = forged_ && flight.moment == Moment::kStatus;
    if (forges && earlier->moment == Moment::kDataOut) return false;
  }
  return true;
}

bool FaultInjector::HasEarlier(const Flight& flight) {
  for (Flight* earlier = &live_.front(); earlier != &flight; earlier = live_.next(*earlier)) {
    if (SamePipe(*earlier, flight)) return true;
  }
  return false;
}

void FaultInjector::Submit(Transfer& transfer) {
  if (!engaged()) return inner_.Submit(transfer);
  Flight& flight = TakeFlight(transfer);
  transfer.Push(*this, flight.index);
  if (!transfer.setup) flight.pipe = uas_.PipeOf(transfer.endpoint);
  if (flight.pipe != UasPipe::kNone) {
    HandleSubmitUas(flight);
  } else if (transfer.packets.empty()) {
    flight.moment = watch_.HandleSubmit(transfer);
  }
  if (flight.moment == Moment::kCommand) {
    drawn_early_.reset();
    residue_.reset();
    forged_ = stall_status_again_ = false;
    spoilt_serial_ = 0;
    player_.HandleCommand();
  }
  if (MayBegin(flight)) Begin(flight);
  Deliver();
}

void FaultInjector::Begin(Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  const uint8_t pipe = transfer.endpoint.index();
  if (disconnected_) return Decide(flight, Outcome::kDisconnected);
  if (!transfer.setup && halted_[pipe]) {
    if (!HasEarlier(flight)) return Decide(flight, Outcome::kStall);
    flight.state = State::kHeld;
    return;
  }
  if (!transfer.setup && silent_[pipe]) {
    flight.state = State::kHeld;
    return;
  }
  if (flight.moment == Moment::kStatus && std::exchange(stall_status_again_, false)) {
    return Decide(flight, Outcome::kStall);
  }
  if (!std::exchange(flight.drawn, true) && !flight.unheeded) Draw(flight);
  if (flight.rule == nullptr) {
    if (flight.moment == Moment::kCommand && stalls_out_) DrawForCommand(flight);
    if (flight.state == State::kQueued) Send(flight);
    return;
  }
  const Before before = HandlerOf(flight.rule->kind).before;
  if (before == nullptr) return Send(flight);
  (this->*before)(flight);
}

void FaultInjector::Send(Flight& flight) {
  flight.state = State::kSent;
  if (forged_ && (flight.moment == Moment::kDataOut || flight.moment == Moment::kStatus)) {
    return Forge(flight);
  }
  inner_.Submit(*flight.transfer);
}

void FaultInjector::OnDone(Transfer& transfer, uint64_t word) {
  if (word == kOwnWord) return HandleOwnDone(transfer);
  Flight& flight = flights_[word];
  clock_.Disarm(flight);
  const bool below = flight.state == State::kSent;
  if (below && transfer.outcome == Outcome::kDisconnected) player_.HandleGone();
  if (flight.state == State::kSent) {
    Answered(flight);
    // One before it may still wait here for the end of a reset: it comes first all the same.
    const bool gone = flight.state == State::kSent && transfer.outcome == Outcome::kDisconnected;
    if (gone && HasEarlier(flight)) flight.state = State::kReady;
    if (flight.state != State::kSent) {
      Keep(flight);
      return Deliver();
    }
  }
  Finish(flight);
}

// The link below is done with it. Unless its state changes, so are we.
void FaultInjector::Answered(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  if (flight.swapped) Restore(flight);
  // A halt must be told, or the host would not clear it.
  if (flight.doomed && transfer.outcome == Outcome::kStall && !transfer.setup) {
    flight.doomed = false;
    if (HasEarlier(flight)) flight.state = State::kReady;
    return;
  }
  // A suspension that began after that reset ends nothing.
  const bool resets = errand_ == Errand::kReset || errand_ == Errand::kUnplug;
  if (flight.doomed && resets) {
    flight.state = State::kOwn;  // it ends when the port was reset
    return;
  }
  if (flight.doomed && transfer.outcome != Outcome::kDisconnected) transfer.outcome = doom_;
  if (flight.pipe != UasPipe::kNone && !flight.doomed) AnsweredUas(flight);
  if (flight.state != State::kSent) return;
  const bool ok = transfer.outcome == Outcome::kOk;
  if (flight.moment == Moment::kStatus && ok) NoteStatus(flight);
  const Before after = flight.rule == nullptr ? nullptr : HandlerOf(flight.rule->kind).after;
  if (ok && !flight.doomed && after != nullptr) (this->*after)(flight);
  const bool may_wait = flight.pipe != UasPipe::kNone && flight.state == State::kSent;
  if (!may_wait || flight.doomed || transfer.outcome == Outcome::kCancelled) return;
  // One before it was answered, and is late or about to end.
  for (Flight* other = &live_.front(); other != &flight; other = live_.next(*other)) {
    const bool ends = other->state == State::kDue || other->state == State::kReady ||
                      other->state == State::kPosted;
    if (ends && SamePipe(*other, flight)) flight.state = State::kReady;
  }
}

// It was answered, but not for those above: to them it is still under way.
void FaultInjector::Keep(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  transfer.Push(*this, flight.index);
  if (flight.state == State::kReady || flight.state == State::kPosted) return;
  flight.outcome = std::exchange(transfer.outcome, Outcome::kPending);
}

void FaultInjector::Decide(Flight& flight, Outcome outcome, uint32_t length) {
  flight.transfer->outcome = outcome;
  flight.transfer->length_actual = length;
  Settle(flight);
}

// Lets a transfer whose outcome is known complete, in its turn.
void FaultInjector::Settle(Flight& flight) {
  usb::Outcome& outcome = flight.transfer->outcome;
  if (outcome == Outcome::kPending) outcome = flight.outcome;
  clock_.Disarm(flight);
  flight.state = State::kReady;
  if (HasEarlier(flight)) return;
  flight.state = State::kPosted;
  clock_.Post(*flight.transfer);
}

void FaultInjector::EndCancelled(Flight& flight) {
  clock_.Disarm(flight);
  flight.transfer->outcome = Outcome::kCancelled;
  flight.state = State::kPosted;
  clock_.Post(*flight.transfer);
}

void FaultInjector::Cancel(Transfer& transfer) {
  Flight* flight = live_.empty() ? nullptr : &live_.front();
  while (flight != nullptr && flight->transfer != &transfer) flight = live_.next(*flight);
  if (flight == nullptr) return inner_.Cancel(transfer);
  if (std::exchange(flight->cancelled, true)) return;
  const bool may_be_late = flight->state == State::kQueued || flight->state == State::kLate ||
                           flight->state == State::kSent || flight->state == State::kHeld;
  if (may_be_late && !flight->doomed && player_.watches(Moment::kCancel)) {
    flight->cancel_rule = player_.Draw({.moment = Moment::kCancel,
                                        .endpoint = transfer.endpoint.value,
                                        .command = watch_.command()});
    if (flight->cancel_rule != nullptr) {
      flight->cancel_serial = player_.serial();
      flight->cancel_late = true;
      return clock_.Arm(*flight, clock_.Now() + flight->cancel_rule->delay_or_default());
    }
  }
  ApplyCancel(*flight);
}

void FaultInjector::ApplyCancel(Flight& flight) {
  switch (flight.state) {
    case State::kSent: return inner_.Cancel(*flight.transfer);
    case State::kQueued:
    case State::kLate:
    case State::kHeld:
    case State::kReady: return EndCancelled(flight);
    case State::kDue: return Settle(flight);  // what was decided stands
    case State::kOwn: return CancelOwn();
    case State::kPosted: return;
  }
}

void FaultFlight::HandleTimer() {
  injector.HandleFlightTimer(*this);
}

void FaultInjector::HandleFlightTimer(Flight& flight) {
  if (std::exchange(flight.cancel_late, false)) return ApplyCancel(flight);
  if (flight.state == State::kDue) return Settle(flight);
  CHECK(flight.state == State::kLate);
  flight.state = State::kQueued;
  // While the port is reset, suspended or unplugged nothing is sent: it is late once more then.
  if (errand_ == Errand::kNone) Send(flight);
}

void FaultInjector::DelayUntil(Flight& flight, State state) {
  flight.state = state;
  flight.observed = true;
  clock_.Arm(flight, clock_.Now() + flight.rule->delay_or_default());
}

// Gives a transfer back to whoever is above. Called from the clock's loop alone.
void FaultInjector::Finish(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  if (disconnected_) transfer.outcome = Outcome::kDisconnected;
  if (transfer.outcome == Outcome::kDisconnected) disconnected_ = true;
  if (transfer.outcome == Outcome::kStall && !transfer.setup) {
    halted_.set(transfer.endpoint.index());
  }
  const bool fails =
      transfer.outcome == Outcome::kFault && flight.rule != nullptr && !flight.doomed;
  if (!transfer.setup && (fails || transfer.outcome == Outcome::kStall)) HoldBehind(flight);
  Note(flight);
  if (flight.pipe != UasPipe::kNone || transfer.setup) FinishUas(flight);
  if (flight.moment && !flight.unheeded) {
    const bool talks = watch_.command() != nullptr;
    watch_.HandleDone(transfer, *flight.moment);
    if (talks) GiveUpBehind(flight);
  }
  for (Flight* other = &live_.front(); other != nullptr; other = live_.next(*other)) {
    const bool overtaken = other->state == State::kDue && other->rule->kind == Kind::kReorder;
    if (overtaken && other->transfer->endpoint != transfer.endpoint) Settle(*other);
  }
  flight.Unlink();
  free_.PushBack(flight);
  --in_flight_count_;
  Pump();
  transfer.Complete();
}

// What was queued behind a transfer that was stalled, or met a bus error, stays so, as xHCI has it
// (4.8.3: a halted endpoint's ring stops) and as the pipes of a twin do: it moves nothing, whatever
// was decided for it in advance, until the host cancels it.
void FaultInjector::HoldBehind(Flight& halting) {
  for (Flight* other = live_.next(halting); other != nullptr; other = live_.next(*other)) {
    const bool decided = other->state == State::kReady || other->state == State::kDue;
    const bool waits = other->state == State::kQueued || other->state == State::kLate;
    if (!SamePipe(*other, halting) || !(decided || waits)) continue;
    if (!other->cancel_late) clock_.Disarm(*other);  // it will be cancelled all the same
    other->transfer->outcome = Outcome::kPending;
    other->transfer->length_actual = 0;
    other->state = State::kHeld;
    if (other->cancelled && !other->cancel_late) EndCancelled(*other);  // nobody asks again
  }
}

// A host that has queued a whole command does not look at what is behind the transfer with which
// the command was over, or where it went wrong; but it does at the status behind data-out that was
// stalled, which is on the other pipe.
void FaultInjector::GiveUpBehind(Flight& last) {
  const Outcome outcome = last.transfer->outcome;
  const bool kept =
      outcome == Outcome::kOk || (outcome == Outcome::kStall && last.moment == Moment::kDataOut);
  if (kept && watch_.command() != nullptr) return;
  for (Flight* other = live_.next(last); other != nullptr; other = live_.next(*other)) {
    other->unheeded = other->moment != Moment::kControl;
  }
}

// What the host now notices.
void FaultInjector::Note(const Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  // A reset or a disconnection hides what else was to be seen.
  const bool gone = transfer.outcome == Outcome::kDisconnected;
  const bool ends_all =
      flight.rule != nullptr && (flight.rule->kind == Kind::kDisconnect ||
                                 (flight.rule->kind == Kind::kResetByOther && !gone));
  const bool hidden = (flight.unheeded || flight.doomed || gone) && !ends_all;
  if (flight.rule != nullptr && flight.observed && !hidden) player_.Observe(flight.serial);
  if (flight.cancel_rule != nullptr && !flight.cancel_late && !hidden) {
    player_.Observe(flight.cancel_serial);
  }
  const bool answer = flight.moment == Moment::kDataIn || flight.moment == Moment::kDataOut ||
                      flight.moment == Moment::kStatus;
  if (answer && !hidden) NoteCame(flight);
}

namespace {

bool IsDelay(Kind kind) {
  return kind == Kind::kDelayRequest || kind == Kind::kDelayCompletion || kind == Kind::kReorder ||
         kind == Kind::kSuspend;
}

}  // namespace

// What came through of what the twin answered. What the injector changed is its own answer.
void FaultInjector::NoteCame(const Flight& flight) {
  if (flight.pipe != UasPipe::kNone) return NoteUas(flight);
  const Outcome outcome = flight.transfer->outcome;
  const bool changed = flight.rule != nullptr && flight.observed && !IsDelay(flight.rule->kind);
  if (changed) {
    if (flight.moment == Moment::kDataIn) player_.HandleLostData();
    return;
  }
  if (flight.moment == Moment::kStatus && outcome == Outcome::kOk) player_.HandleStatus();
  if (flight.cancelled && outcome == Outcome::kCancelled) player_.HandleGivenUp();
  if (spoilt_serial_ != 0) NoteSpoilt(flight);
}

// A device that was sent spoilt bytes shows it, if at all, in refusing the command or in failing
// it. Data that it takes for good, and bits that mean nothing to it, nobody notices. Only a spoilt
// wrapper can keep it from answering.
void FaultInjector::NoteSpoilt(const Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  bool shows = transfer.outcome != Outcome::kOk &&
               (transfer.outcome != Outcome::kCancelled || spoilt_wrapper_);
  if (flight.moment == Moment::kStatus && transfer.outcome == Outcome::kOk) {
    const auto status = BotWatch::StatusIn(transfer);
    shows = !status || status->tag != watch_.wrapper().tag || status->status != 0;
  }
  if (shows) player_.Observe(std::exchange(spoilt_serial_, 0));
}

// Goes on with what had to wait.
void FaultInjector::Pump() {
  Flight* flight = live_.empty() ? nullptr : &live_.front();
  for (; flight != nullptr; flight = live_.next(*flight)) {
    if (flight->state == State::kReady) Settle(*flight);
    if (flight->state == State::kQueued && !flight->cancel_late && MayBegin(*flight)) {
      Begin(*flight);
    }
  }
  Deliver();
  for (PortFlight& port_flight : port_flights_) {
    if (errand_ == Errand::kNone && port_flight.queued) BeginPort(port_flight);
  }
}

}  // namespace usbtwin::link
