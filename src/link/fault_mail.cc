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

// Its IU went elsewhere: it waits for another, unless the host has asked it back.
void FaultInjector::Starve(Flight& flight) {
  flight.transfer->length_actual = 0;
  flight.transfer->lease.Clear();
  if (flight.cancelled) return EndCancelled(flight);
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

// Data moves in the order of the ready IUs as the device sent them. One that overtook another would
// bring the data of one command to another, and no host could tell: behind one that is late they
// wait, and behind one that was lost they are lost, until all their commands are taken back.
bool FaultInjector::HoldReady(Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  if (!mail_ || transfer.outcome != Outcome::kOk) return false;
  const UasWatch::Iu iu(transfer);
  const std::optional<size_t> way = UasWatch::WayOf(iu.bytes());
  if (!way) return false;
  const bool late = std::any_of(parcels_.begin(), parcels_.end(), [way](const auto& parcel) {
    return UasWatch::WayOf(parcel->iu.bytes()) == way;
  });
  std::vector<uint16_t>& tags = ready_lost_[*way];
  std::erase_if(tags, [this](uint16_t tag) { return uas_.Find(tag) == nullptr; });
  const bool lost = !tags.empty();
  if (lost) tags.push_back(UasWatch::TagOf(iu.bytes()));
  if (late && !lost) Stow(transfer);
  if (late || lost) Starve(flight);
  return late || lost;
}

// The link below is done with a read of a shared status pipe. True: the first that is starved gets
// what came of it.
bool FaultInjector::PassOn(Flight& flight) {
  const Outcome outcome = flight.transfer->outcome;
  if (!mail_ || outcome == Outcome::kCancelled) return false;
  Flight* first = nullptr;
  for (Flight* other = &live_.front(); other != &flight; other = live_.next(*other)) {
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
  if (first == nullptr || outcome == Outcome::kDisconnected) return false;
  // What stands behind an error moves nothing until it is cancelled.
  Decide(*first, outcome);
  Starve(flight);
  flight.starved = false;
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
    std::array<bool, 2> waits{};  // for a ready IU that is late
    const auto due = std::find_if(parcels_.begin(), parcels_.end(), [&](const auto& parcel) {
      const std::optional<size_t> way = UasWatch::WayOf(parcel->iu.bytes());
      if (!way) return parcel->due;
      waits[*way] = waits[*way] || !parcel->due;
      return !waits[*way];
    });
    if (due == parcels_.end()) break;
    // The first that was not answered; another's IU would overtake those that come to this one.
    Flight* const read = next([&](const Flight& flight) {
      const bool answered = flight.state == State::kDue || flight.state == State::kReady ||
                            flight.state == State::kPosted;
      return !answered && !flight.cancelled;
    });
    if (read == nullptr || !(hungry(*read) || sent(*read))) return;
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
  for (std::vector<uint16_t>& tags : ready_lost_) tags.clear();
}

}  // namespace usbtwin::link
