// IUs of the device that reach another read of the status pipe than the one they were sent to,
// because one of them was lost, is late or comes twice. Reads of a shared pipe end in the order in
// which they were submitted, so what moves from one to another is the bytes.
#include <algorithm>

#include "link/fault_injector.h"
#include "link/transfer_data.h"

namespace usbtwin::link {

using usb::Outcome;
using usb::Transfer;

bool FaultInjector::SharesStatus(const Flight& flight) const {
  return flight.pipe == UasPipe::kStatus && flight.transfer->stream_id == 0;
}

void FaultParcel::HandleTimer() {
  due = true;
  injector.Deliver();
}

// Its IU went elsewhere: it waits for another.
void FaultInjector::Starve(Flight& flight) {
  flight.transfer->length_actual = 0;
  flight.transfer->lease.Clear();
  flight.rule = nullptr;
  flight.observed = false;
  flight.starved = true;
  flight.state = State::kHeld;
  mail_ = true;
}

FaultInjector::Parcel& FaultInjector::Stow(const Transfer& transfer) {
  mail_ = true;
  return *parcels_.emplace_back(std::make_unique<Parcel>(*this, clock_, transfer));
}

// The link below is done with a read of a shared status pipe. True: the first that is starved gets
// what came of it.
bool FaultInjector::PassOn(Flight& flight) {
  const Outcome outcome = flight.transfer->outcome;
  if (!mail_ || outcome == Outcome::kCancelled) return false;
  Flight* first = nullptr;
  bool overtakes = false;  // one that has got its IU, and is about to end
  for (Flight* other = &live_.front(); other != &flight; other = live_.next(*other)) {
    const bool ends = other->state == State::kPosted || other->state == State::kReady;
    overtakes = overtakes || (ends && SamePipe(*other, flight));
    const bool waits = other->state == State::kHeld && other->starved;
    if (!(waits || other->recalled) || !SamePipe(*other, flight)) continue;
    if (outcome == Outcome::kOk) {
      Stow(*flight.transfer);
      Starve(flight);
      return true;
    }
    if (!waits) {  // it comes back first
      flight.state = State::kReady;
      return true;
    }
    other->starved = false;
    if (first == nullptr) first = other;
    if (outcome == Outcome::kDisconnected) Decide(*other, outcome);
  }
  if (first == nullptr || outcome == Outcome::kDisconnected) {
    if (overtakes) flight.state = State::kReady;
    return overtakes;
  }
  // What stands behind an error moves nothing until it is cancelled.
  Decide(*first, outcome);
  flight.rule = nullptr;
  flight.state = State::kHeld;
  return true;
}

bool FaultInjector::Resetting() const {
  return own_busy() ||
         std::any_of(port_flights_.begin(), port_flights_.end(), [](const PortFlight& flight) {
           return flight.op != nullptr &&
                  std::holds_alternative<usb::ResetPort>(flight.op->request);
         });
}

// Gives IUs that wait to the reads that wait, each to the first there is: one that the device has
// is asked back for it. Where nothing else is with the device, those that are starved go there.
void FaultInjector::Deliver() {
  if (!mail_ || disconnected_ || Resetting()) return;
  const auto next = [this](auto holds) {
    Flight* flight = live_.empty() ? nullptr : &live_.front();
    while (flight != nullptr && !(SharesStatus(*flight) && holds(*flight))) {
      flight = live_.next(*flight);
    }
    return flight;
  };
  const auto hungry = [](const Flight& flight) {
    return flight.state == State::kHeld && flight.starved;
  };
  const auto sent = [](const Flight& flight) { return flight.state == State::kSent; };
  while (true) {
    const auto due = std::find_if(parcels_.begin(), parcels_.end(),
                                  [](const auto& parcel) { return parcel->due; });
    if (due == parcels_.end()) break;
    Flight* const read = next([&](const Flight& flight) {
      return hungry(flight) || (sent(flight) && !flight.cancelled && flight.rule == nullptr);
    });
    if (read == nullptr) return;
    if (!read->starved) {
      if (!std::exchange(read->recalled, true)) inner_.Cancel(*read->transfer);
      return;
    }
    read->starved = false;
    read->rule = (*due)->rule;
    read->serial = (*due)->serial;
    read->observed = read->rule != nullptr;
    ReplaceData(*read->transfer, (*due)->iu.bytes());
    read->transfer->outcome = Outcome::kOk;
    parcels_.erase(due);
    Settle(*read);
  }
  if (next(sent) != nullptr) return;
  for (Flight* read = next(hungry); read != nullptr; read = next(hungry)) {
    const uint8_t pipe = read->transfer->endpoint.index();
    if (halted_[pipe] || silent_[pipe]) return;
    read->starved = false;
    read->state = State::kSent;
    inner_.Submit(*read->transfer);
  }
}

// The device has forgotten what was under way.
void FaultInjector::ForgetConversation() {
  watch_.HandleReset();
  forged_ = stall_status_again_ = false;
  if (!uas_.commands().empty()) player_.HandleForgotten();
  uas_.HandleReset();
  parcels_.clear();
  mail_ = false;
}

}  // namespace usbtwin::link
