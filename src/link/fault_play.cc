// What the faults do to a transfer: in place of sending it, and when it was answered.
#include <algorithm>

#include "link/fault_injector.h"
#include "link/transfer_data.h"

namespace usbtwin::link {

using fault::Kind;
using fault::Moment;
using usb::Outcome;
using usb::Transfer;

const FaultInjector::Handler& FaultInjector::HandlerOf(Kind kind) {
  using F = FaultInjector;
  static constexpr std::array kHandlers{
      Handler{Kind::kStall, &F::PlayStall, nullptr},
      Handler{Kind::kStallLate, nullptr, &F::EndStalled},
      Handler{Kind::kLostRequest, &F::PlayHold, nullptr},
      Handler{Kind::kLostCompletion, nullptr, &F::EndHeld},
      Handler{Kind::kDelayRequest, &F::PlayDelay, nullptr},
      Handler{Kind::kDelayCompletion, nullptr, &F::EndDelayed},
      Handler{Kind::kReorder, nullptr, &F::EndDelayed},
      Handler{Kind::kShortIn, &F::SwapIn, &F::EndCut},
      Handler{Kind::kShortOut, &F::SwapOutCut, &F::EndFaulty},
      Handler{Kind::kOverflow, nullptr, &F::EndOverflowing},
      Handler{Kind::kCorruptIn, nullptr, &F::EndFlipped},
      Handler{Kind::kCorruptOut, &F::SwapOutFlipped, &F::EndSpoilt},
      Handler{Kind::kFault, &F::PlayFault, nullptr},
      Handler{Kind::kFaultLate, nullptr, &F::EndFaulty},
      Handler{Kind::kSilent, &F::PlaySilent, nullptr},
      Handler{Kind::kCancelLate, nullptr, nullptr},
      Handler{Kind::kDisconnect, &F::PlayPort, nullptr},
      Handler{Kind::kResetByOther, &F::PlayPort, nullptr},
      Handler{Kind::kSuspend, &F::PlayPort, nullptr},
      Handler{Kind::kClearHaltFails, nullptr, nullptr},
      Handler{Kind::kResetFails, nullptr, nullptr},
      Handler{Kind::kClaimFails, nullptr, nullptr},
      Handler{Kind::kConfigureFails, nullptr, nullptr},
      Handler{Kind::kPortSlow, nullptr, nullptr},
      Handler{Kind::kOpenFails, nullptr, nullptr},
      Handler{Kind::kStallCommand, &F::PlayStall, nullptr},
      Handler{Kind::kStallData, &F::PlayStallData, &F::EndStallData},
      Handler{Kind::kStallStatus, &F::PlayStall, nullptr},
      Handler{Kind::kStallStatusTwice, &F::PlayStallTwice, nullptr},
      Handler{Kind::kWrongTag, nullptr, &F::EndWrongStatus},
      Handler{Kind::kWrongSignature, nullptr, &F::EndWrongStatus},
      Handler{Kind::kShortStatus, nullptr, &F::EndShortStatus},
      Handler{Kind::kLongStatus, nullptr, &F::EndOverflowing},
      Handler{Kind::kReservedStatus, nullptr, &F::EndWrongStatus},
      Handler{Kind::kPhaseError, nullptr, &F::EndWrongStatus},
      Handler{Kind::kResidueLie, nullptr, &F::EndWrongStatus},
      Handler{Kind::kStaleStatus, nullptr, &F::EndStaleStatus},
      Handler{Kind::kStatusForData, &F::PlayStatusForData, nullptr},
      Handler{Kind::kNoStatus, &F::PlayHold, nullptr},
      Handler{Kind::kZeroPacket, &F::PlayEmpty, nullptr},
      Handler{Kind::kFailedNoSense, nullptr, &F::EndWrongStatus},
      Handler{Kind::kLostStatusIu, nullptr, &F::EndLostIu},
      Handler{Kind::kLateStatusIu, nullptr, &F::EndLateIu},
      Handler{Kind::kRepeatedStatusIu, nullptr, &F::EndRepeatedIu},
      Handler{Kind::kForgedStatusIu, nullptr, &F::EndForgedIu},
      Handler{Kind::kWrongIuTag, nullptr, &F::EndWrongIu},
      Handler{Kind::kWrongStream, nullptr, &F::EndWrongIu},
      Handler{Kind::kGarbageIu, nullptr, &F::EndWrongIu},
      Handler{Kind::kShortStatusIu, nullptr, &F::EndCut},
      Handler{Kind::kStatusBeforeData, nullptr, &F::EndDelayed},
      Handler{Kind::kDataAborted, nullptr, &F::EndAbortedLeg},
      Handler{Kind::kLostCommandIu, &F::PlayLostIu, nullptr},
      Handler{Kind::kStreamRefused, nullptr, nullptr},
  };
  const auto place = static_cast<size_t>(kind);
  CHECK_LT(place, kHandlers.size());
  CHECK(kHandlers[place].kind == kind);
  return kHandlers[place];
}

void FaultInjector::PlayStall(Flight& flight) {
  flight.observed = true;
  Decide(flight, Outcome::kStall);
}

void FaultInjector::PlayStallTwice(Flight& flight) {
  stall_status_again_ = true;
  PlayStall(flight);
}

void FaultInjector::PlayHold(Flight& flight) {
  flight.observed = true;
  flight.state = State::kHeld;
}

void FaultInjector::PlaySilent(Flight& flight) {
  silent_.set(flight.transfer->endpoint.index());
  PlayHold(flight);
}

void FaultInjector::PlayDelay(Flight& flight) {
  DelayUntil(flight, State::kLate);
}

void FaultInjector::PlayFault(Flight& flight) {
  flight.observed = true;
  Decide(flight, Outcome::kFault);
}

void FaultInjector::PlayEmpty(Flight& flight) {
  flight.observed = true;
  Decide(flight, flight.transfer->flags.short_not_ok ? Outcome::kFault : Outcome::kOk);
}

// The device's bytes come into a room of our own; Restore gives the host those it may see. A loan
// is cut instead.
void FaultInjector::SwapIn(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  if (!transfer.in.empty()) {
    flight.room.assign(transfer.in.begin(), transfer.in.end());
    flight.swapped = true;
    flight.in = transfer.in;
    transfer.in = flight.room;
  }
  Send(flight);
}

void FaultInjector::SwapOutCut(Flight& flight) {
  const uint32_t length = flight.rule->length_or_default();
  if (length == 0) return PlayFault(flight);
  Transfer& transfer = *flight.transfer;
  flight.swapped = true;
  flight.out = transfer.out;
  transfer.out = transfer.out.first(length);
  Send(flight);
}

void FaultInjector::SwapOutFlipped(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  const uint32_t bit = flight.rule->value_or_default();
  flight.room.assign(transfer.out.begin(), transfer.out.end());
  flight.room[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  flight.swapped = true;
  flight.out = transfer.out;
  transfer.out = flight.room;
  Send(flight);
}

void FaultInjector::Restore(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  flight.swapped = false;
  if (!transfer.is_in()) {
    transfer.out = flight.out;
    return;
  }
  transfer.in = flight.in;
  uint32_t length = transfer.length_actual;
  if (transfer.outcome == Outcome::kOk) {
    length = std::min(length, flight.rule->length_or_default());
  }
  CopyBytes(transfer.in, Take(Bytes(flight.room), length));
}

void FaultInjector::EndStalled(Flight& flight) {
  flight.observed = true;
  flight.transfer->outcome = Outcome::kStall;
}

void FaultInjector::EndHeld(Flight& flight) {
  // Asked already: then there is nobody who would ask again.
  if (flight.cancelled) return;
  PlayHold(flight);
}

void FaultInjector::EndDelayed(Flight& flight) {
  if (flight.cancelled) return;
  DelayUntil(flight, State::kDue);
}

void FaultInjector::EndCut(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  const uint32_t length = flight.rule->length_or_default();
  if (transfer.length_actual <= length) return;
  flight.observed = true;
  CutData(transfer, length);
  if (transfer.flags.short_not_ok) transfer.outcome = Outcome::kFault;
}

void FaultInjector::EndFaulty(Flight& flight) {
  flight.observed = true;
  flight.transfer->outcome = Outcome::kFault;
}

void FaultInjector::EndOverflowing(Flight& flight) {
  flight.observed = true;
  flight.transfer->outcome = Outcome::kOverflow;
}

void FaultInjector::EndFlipped(Flight& flight) {
  flight.observed = FlipData(*flight.transfer, flight.rule->value_or_default());
}

// Whether that comes to anything is for the device to say; see NoteSpoilt.
void FaultInjector::EndSpoilt(Flight& flight) {
  spoilt_serial_ = flight.serial;
  spoilt_tag_ = flight.tag;
  spoilt_wrapper_ = flight.moment == Moment::kCommand;
}

}  // namespace usbtwin::link
