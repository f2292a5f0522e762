// What the faults do to a UAS conversation. All but a lost IU of the host are drawn when the device
// has answered: only then is it known to which command a read of the status pipe belongs.
#include <algorithm>

#include "link/fault_injector.h"
#include "link/transfer_data.h"

namespace usbtwin::link {

using fault::CommandContext;
using fault::Kind;
using fault::Moment;
using fault::Rule;
using usb::Outcome;
using usb::Transfer;
using wire::uas::IuId;
using wire::uas::SenseIu;
using wire::uas::TaskManagementIu;

// ---- Which fault ------------------------------------------------------------------------------

void FaultInjector::HandleSubmitUas(Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  flight.tag = uas_.HandleSubmit(transfer);
  flight.moment = transfer.is_in() ? Moment::kDataIn : Moment::kDataOut;
  if (flight.pipe != UasPipe::kCommand) return;
  for (std::vector<uint16_t>& tags : ready_lost_) std::erase(tags, flight.tag);  // another's now
  if (uas_.Find(flight.tag) != nullptr) player_.HandleQueuedCommand();
  const auto* managed = wire::View<TaskManagementIu>(transfer.out);
  const bool manages =
      managed != nullptr && managed->header.id == static_cast<uint8_t>(IuId::kTaskManagement);
  if (!manages) return;
  for (const CommandContext& command : uas_.TakeManaged(*managed)) player_.HandleGivenUp(&command);
}

void FaultInjector::DrawForIu(Flight& flight) {
  if (flight.pipe != UasPipe::kCommand || !player_.watches(Moment::kCommandIu)) return;
  flight.rule = player_.Draw({.moment = Moment::kCommandIu,
                              .endpoint = flight.transfer->endpoint.value,
                              .command = uas_.Find(flight.tag)});
  flight.serial = player_.serial();
}

void FaultInjector::DrawForAnswer(Flight& flight) {
  const bool status = flight.pipe == UasPipe::kStatus;
  const Moment moment = status ? Moment::kStatusIu : Moment::kDataLeg;
  if (flight.pipe == UasPipe::kCommand || !player_.watches(moment)) return;
  const uint16_t tag =
      status ? UasWatch::TagOf(UasWatch::Iu(*flight.transfer).bytes()) : flight.tag;
  const Rule* rule = player_.Draw(
      {.moment = moment, .endpoint = flight.transfer->endpoint.value, .command = uas_.Find(tag)});
  if (rule == nullptr) return;
  if (!PlayableUas(flight, *rule)) return player_.Retract();
  flight.rule = rule;
  flight.serial = player_.serial();
}

bool FaultInjector::PlayableUas(Flight& flight, const Rule& rule) {
  switch (rule.kind) {
    case Kind::kLostStatusIu:
    case Kind::kLateStatusIu: return !flight.cancelled;
    case Kind::kRepeatedStatusIu: return SharesStatus(flight);
    case Kind::kWrongStream: return !SharesStatus(flight);
    case Kind::kStatusBeforeData: return !flight.cancelled && flight.tag != 0;
    case Kind::kShortStatusIu: return rule.length_or_default() < flight.transfer->length_actual;
    case Kind::kDataAborted: break;
    default: return true;
  }
  // Behind an error nothing moves: not what the device has, either.
  for (Flight* other = live_.next(flight); other != nullptr; other = live_.next(*other)) {
    if (other->state == State::kSent && SamePipe(*other, flight)) return false;
  }
  return rule.length_or_default() < flight.transfer->length_actual;
}

// The link below is done with a transfer of one of the pipes.
void FaultInjector::AnsweredUas(Flight& flight) {
  Outcome& outcome = flight.transfer->outcome;
  const bool recalled = std::exchange(flight.recalled, false) && !flight.cancelled;
  if (recalled && outcome == Outcome::kCancelled) {
    // An IU that had moved already came all the same.
    if (flight.transfer->length_actual == 0) return Starve(flight);
    outcome = Outcome::kOk;
  }
  // What goes on to another read is what came of it here.
  const bool cut = flight.rule != nullptr && flight.rule->kind == Kind::kShortIn;
  if (cut && outcome == Outcome::kOk) EndCut(flight);
  if (SharesStatus(flight) && (HoldReady(flight) || PassOn(flight))) return;
  if (outcome == Outcome::kOk && flight.rule == nullptr) DrawForAnswer(flight);
}

// ---- What happens -----------------------------------------------------------------------------

void FaultInjector::PlayLostIu(Flight& flight) {
  flight.observed = true;
  Decide(flight, Outcome::kOk, static_cast<uint32_t>(flight.transfer->out.size()));
}

void FaultInjector::EndLostIu(Flight& flight) {
  if (!SharesStatus(flight)) return PlayHold(flight);
  const UasWatch::Iu iu(*flight.transfer);
  const std::optional<size_t> way = UasWatch::WayOf(iu.bytes());
  if (way) ready_lost_[*way].push_back(UasWatch::TagOf(iu.bytes()));
  player_.Observe(flight.serial);
  Starve(flight);
}

void FaultInjector::EndLateIu(Flight& flight) {
  if (!SharesStatus(flight)) return DelayUntil(flight, State::kDue);
  Parcel& parcel = Stow(*flight.transfer);
  parcel.rule = flight.rule;
  parcel.serial = flight.serial;
  parcel.due = false;
  clock_.Arm(parcel, clock_.Now() + flight.rule->delay_or_default());
  Starve(flight);
}

void FaultInjector::EndRepeatedIu(Flight& flight) {
  Parcel& parcel = Stow(*flight.transfer);
  parcel.rule = std::exchange(flight.rule, nullptr);
  parcel.serial = flight.serial;
}

void FaultInjector::EndForgedIu(Flight& flight) {
  if (SharesStatus(flight)) Stow(*flight.transfer);
  const SenseIu sense{.header = {.id = static_cast<uint8_t>(IuId::kSense),
                                 .reserved1 = 0,
                                 .tag = wire::uas::kTagLast}};
  flight.observed = true;
  ReplaceData(*flight.transfer, wire::AsBytes(sense));
}

void FaultInjector::EndWrongIu(Flight& flight) {
  const UasWatch::Iu iu(*flight.transfer);
  if (iu.bytes().size() < sizeof(wire::uas::Header)) return;
  std::vector<uint8_t> bytes(iu.bytes().begin(), iu.bytes().end());
  const uint16_t tag = UasWatch::TagOf(bytes);
  uint16_t other = tag;
  if (flight.rule->kind == Kind::kWrongIuTag) other = tag ^ 0x8000;
  if (flight.rule->kind == Kind::kWrongStream) {
    other = uas_.OtherThan(tag);
    if (other == 0) other = static_cast<uint16_t>(tag + 1);
  }
  wire::uas::Header header{.id = bytes[0], .reserved1 = bytes[1], .tag = other};
  if (flight.rule->kind == Kind::kGarbageIu) {
    header.id = static_cast<uint8_t>(flight.rule->value_or_default());
  }
  flight.observed = header.id != bytes[0] || other != tag;
  wire::Emit(bytes, header);
  ReplaceData(*flight.transfer, bytes);
}

void FaultInjector::EndAbortedLeg(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  const uint32_t length = flight.rule->length_or_default();
  flight.observed = true;
  transfer.is_in() ? CutData(transfer, length) : void(transfer.length_actual = length);
  transfer.outcome = Outcome::kFault;
}

// ---- What the host notices --------------------------------------------------------------------

namespace {

bool IsDelay(Kind kind) {
  return kind == Kind::kDelayRequest || kind == Kind::kDelayCompletion || kind == Kind::kReorder ||
         kind == Kind::kSuspend || kind == Kind::kLateStatusIu || kind == Kind::kStatusBeforeData;
}

bool IsGood(Bytes iu) {
  const auto* sense = wire::View<SenseIu>(iu);
  return sense != nullptr && sense->header.id == static_cast<uint8_t>(IuId::kSense) &&
         sense->status == 0;
}

}  // namespace

void FaultInjector::NoteUas(const Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  const bool ok = transfer.outcome == Outcome::kOk;
  const bool changed = flight.rule != nullptr && flight.observed && !IsDelay(flight.rule->kind);
  const bool status = flight.pipe == UasPipe::kStatus;
  std::optional<UasWatch::Iu> came;
  if (status && ok) came.emplace(transfer);
  const Bytes iu = came ? came->bytes() : Bytes();
  const uint16_t tag = came ? UasWatch::TagOf(iu) : flight.tag;
  const CommandContext* command = uas_.Find(tag);
  if (came && !changed && command != nullptr && UasWatch::IsLast(iu)) {
    player_.HandleStatus(command);
  }
  if (flight.pipe == UasPipe::kDataIn && changed) player_.HandleLostData(command);
  const bool given_up = flight.cancelled && transfer.outcome == Outcome::kCancelled;
  if (given_up && (command != nullptr || SharesStatus(flight))) player_.HandleGivenUp(command);
  // What is refused, or never answered, shows that it came spoilt.
  const bool shows = !ok || (came && !IsGood(iu));
  if (spoilt_serial_ == 0 || tag != spoilt_tag_ || !shows || changed) return;
  player_.Observe(std::exchange(spoilt_serial_, 0));
}

// It goes back to the host.
void FaultInjector::FinishUas(const Flight& flight) {
  const Transfer& transfer = *flight.transfer;
  if (transfer.setup) return uas_.Observe(transfer);
  if (flight.pipe != UasPipe::kStatus || transfer.outcome != Outcome::kOk) return;
  const UasWatch::Iu iu(transfer);
  uas_.HandleIu(iu.bytes());
  if (!UasWatch::IsLast(iu.bytes())) return;
  for (Flight* other = &live_.front(); other != nullptr; other = live_.next(*other)) {
    const bool awaits = other->state == State::kDue &&
                        other->rule->kind == Kind::kStatusBeforeData &&
                        other->tag == UasWatch::TagOf(iu.bytes());
    if (awaits) Settle(*other);
  }
}

}  // namespace usbtwin::link
