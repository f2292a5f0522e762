// What the faults do to a Bulk-Only conversation.
#include <algorithm>

#include "link/fault_injector.h"
#include "link/transfer_data.h"

namespace usbtwin::link {

using fault::Kind;
using fault::Moment;
using usb::Outcome;
using usb::Transfer;
using wire::bot::CommandStatusWrapper;
using wire::bot::Status;

void FaultInjector::PlayStallData(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  const uint32_t length = flight.rule->length_or_default();
  if (forged_) return ForgeData(flight, length - std::min(length, watch_.moved()));
  if (transfer.is_in() && length < transfer.in_length_max) return SwapIn(flight);
  Send(flight);
}

void FaultInjector::EndStallData(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  flight.observed = true;
  transfer.outcome = Outcome::kStall;
  const uint32_t length = flight.rule->length_or_default();
  const uint32_t came = transfer.length_actual;
  const uint32_t announced = watch_.announced();
  if (!transfer.is_in()) return;
  // The device goes on sending; the status comes behind all of it.
  const uint64_t sent = uint64_t{watch_.moved()} + came;
  const bool more = came == transfer.in_length_max && sent < announced;
  if (came > length) CutData(transfer, length);
  if (came > length || more) {
    residue_ = announced - std::min(announced, watch_.moved() + transfer.length_actual);
  }
  if (more) BeginDrain(flight, Drain::kRest, static_cast<uint32_t>(announced - sent));
}

void FaultInjector::PlayStatusForData(Flight& flight) {
  BeginDrain(flight, Drain::kData, watch_.announced());
}

// What the device says of the command under way; made honest where the injector took some away.
void FaultInjector::NoteStatus(Flight& flight) {
  auto status = BotWatch::StatusIn(*flight.transfer);
  if (!status || watch_.command() == nullptr || status->tag != watch_.wrapper().tag) return;
  if (residue_) {
    status->residue = *std::exchange(residue_, std::nullopt);
    ReplaceData(*flight.transfer, wire::AsBytes(*status));
  }
  if (flight.rule == nullptr || flight.rule->kind != Kind::kStaleStatus) last_status_ = status;
}

void FaultInjector::EndWrongStatus(Flight& flight) {
  auto status = BotWatch::StatusIn(*flight.transfer);
  if (!status) return;
  const CommandStatusWrapper before = *status;
  const Kind kind = flight.rule->kind;
  const uint32_t value = flight.rule->value_or_default();
  if (kind == Kind::kWrongTag) status->tag = status->tag ^ 0x80000000u;
  if (kind == Kind::kWrongSignature) status->signature = ~status->signature;
  if (kind == Kind::kReservedStatus) status->status = static_cast<uint8_t>(value);
  if (kind == Kind::kPhaseError) status->status = static_cast<uint8_t>(Status::kPhaseError);
  if (kind == Kind::kFailedNoSense) status->status = static_cast<uint8_t>(Status::kFailed);
  if (kind == Kind::kResidueLie) {
    status->residue = value == UINT32_MAX ? watch_.announced() : value;
  }
  flight.observed = !SameBytes(wire::AsBytes(before), wire::AsBytes(*status));
  ReplaceData(*flight.transfer, wire::AsBytes(*status));
}

void FaultInjector::EndShortStatus(Flight& flight) {
  EndCut(flight);
}

void FaultInjector::EndStaleStatus(Flight& flight) {
  if (!BotWatch::StatusIn(*flight.transfer)) return;
  flight.observed = true;
  ReplaceData(*flight.transfer, wire::AsBytes(*last_status_));
}

// The same for a device that does not know of the command. `length`: what it still takes, in bytes.
void FaultInjector::ForgeData(Flight& flight, uint32_t length) {
  const auto size = static_cast<uint32_t>(flight.transfer->out.size());
  if (length >= size) {
    drawn_early_ = std::exchange(flight.rule, nullptr);
    drawn_early_serial_ = flight.serial;
    return Decide(flight, Outcome::kOk, size);
  }
  flight.observed = true;
  residue_ = watch_.announced() - watch_.moved() - length;
  Decide(flight, Outcome::kStall, length);
}

// What such a device answers beside that.
void FaultInjector::Forge(Flight& flight) {
  Transfer& transfer = *flight.transfer;
  if (flight.moment == Moment::kStatus) {
    const CommandStatusWrapper status{.signature = wire::bot::kStatusSignature,
                                      .tag = watch_.wrapper().tag,
                                      .residue = residue_.value_or(watch_.announced()),
                                      .status = static_cast<uint8_t>(Status::kFailed)};
    ReplaceData(transfer, wire::AsBytes(status));
    transfer.outcome = Outcome::kOk;
    if (transfer.in_length_max < sizeof(status)) transfer.outcome = Outcome::kOverflow;
  } else {
    transfer.outcome = Outcome::kStall;  // the data pipe takes no more
  }
  clock_.Post(transfer);
}

}  // namespace usbtwin::link
