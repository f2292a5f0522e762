// Which fault a transfer gets, and whether it can be played on it.
#include "link/fault_injector.h"

namespace usbtwin::link {

using fault::Kind;
using fault::Moment;
using fault::Rule;
using usb::Outcome;

void FaultInjector::Draw(Flight& flight) {
  if (!flight.moment) return;
  const Rule* rule = nullptr;
  const bool uas = flight.pipe != UasPipe::kNone;
  if (flight.moment == Moment::kDataOut && drawn_early_ && !uas) {
    rule = *std::exchange(drawn_early_, std::nullopt);
    flight.serial = drawn_early_serial_;
    if (rule == nullptr || Playable(flight, *rule)) {
      flight.rule = rule;
    } else if (rule->kind == Kind::kStallData) {
      drawn_early_ = rule;  // at the last of the data, then
    }
    return;
  }
  if (!player_.watches(*flight.moment)) return DrawForIu(flight);
  rule = player_.Draw({.moment = *flight.moment,
                       .endpoint = flight.transfer->endpoint.value,
                       .command = uas ? uas_.Find(flight.tag) : watch_.command()});
  if (rule == nullptr) return DrawForIu(flight);
  if (!Playable(flight, *rule)) return player_.Retract();
  flight.rule = rule;
  flight.serial = player_.serial();
}

// A device that halts its data pipe early must have seen the command as one that fails. So whether
// the first data-out of a command is cut is decided before the wrapper goes: if it is, the device
// never gets the wrapper, and the injector plays the device for this command.
void FaultInjector::DrawForCommand(Flight& flight) {
  if (watch_.is_in() || watch_.announced() == 0 || !player_.watches(Moment::kDataOut)) return;
  const Rule* rule = player_.Draw({.moment = Moment::kDataOut,
                                   .endpoint = flight.transfer->endpoint.value,
                                   .command = watch_.command()});
  drawn_early_ = rule;
  drawn_early_serial_ = player_.serial();
  if (rule == nullptr || rule->kind != Kind::kStallData) return;
  if (rule->length_or_default() >= watch_.announced()) return;
  forged_ = true;
  Decide(flight, Outcome::kOk, static_cast<uint32_t>(flight.transfer->out.size()));
}

bool FaultInjector::Playable(const Flight& flight, const Rule& rule) const {
  const usb::Transfer& transfer = *flight.transfer;
  const bool in = transfer.is_in();
  const uint64_t asked = in ? transfer.in_length_max : transfer.out.size();
  const bool command = watch_.command() != nullptr;
  if (rule.kind == Kind::kShortIn || rule.kind == Kind::kShortOut ||
      rule.kind == Kind::kShortStatus) {
    return rule.length_or_default() < asked;
  }
  if (rule.kind == Kind::kCorruptIn || rule.kind == Kind::kCorruptOut) {
    return rule.value_or_default() / 8 < asked;
  }
  if (rule.kind == Kind::kDisconnect || rule.kind == Kind::kResetByOther ||
      rule.kind == Kind::kSuspend) {
    return !own_busy();
  }
  if (rule.kind == Kind::kStallData) {
    if (!command) return false;
    if (in) return !own_busy();
    const bool last = watch_.moved() + asked >= watch_.announced();
    return forged_ || (last && rule.length_or_default() >= asked);
  }
  if (rule.kind == Kind::kStatusForData) {
    return command && watch_.moved() == 0 && asked > sizeof(wire::bot::CommandStatusWrapper) &&
           !own_busy();
  }
  if (rule.kind == Kind::kStaleStatus) return last_status_.has_value();
  if (rule.kind == Kind::kResidueLie) {
    return rule.value_or_default() != UINT32_MAX || watch_.announced() != 0;
  }
  return true;
}

}  // namespace usbtwin::link
