#include "proto/bot_host.h"

#include <algorithm>
#include <utility>

#include "base/canary.h"

namespace usbtwin::bot {

using usb::Outcome;
using wire::bot::CommandStatusWrapper;
using wire::bot::Status;

const char* Name(Rung rung) {
  switch (rung) {
    case Rung::kNone: return "none";
    case Rung::kClearHalt: return "clear halt";
    case Rung::kStatusRetry: return "second status read";
    case Rung::kMassStorageReset: return "bulk-only reset";
    case Rung::kResetPort: return "port reset";
    case Rung::kReopen: return "reopen";
  }
  return "?";
}

namespace {

// REQUEST SENSE, fixed format. SPC-4, 6.39.
constexpr std::array<uint8_t, 6> kRequestSense{0x03, 0, 0, 0, HostEngine::kSenseLength, 0};

}  // namespace

void HostEngine::Start(const HostCommand& command, bool sense_on_failure) {
  CHECK(state_ == State::kIdle || state_ == State::kFinished);
  result_ = {};
  sense_ = false;
  want_sense_ = sense_on_failure;
  Begin(command);
}

void HostEngine::Begin(const HostCommand& command) {
  CHECK_LE(1u, command.command_block.size());
  CHECK_LE(command.command_block.size(), wire::bot::kCommandBlockLengthMax);
  CHECK_LE(command.lun, wire::bot::kLunMax);
  if (++tag_ == 0) ++tag_;  // a new tag for each command, never 0: a late status matches nothing
  wrapper_ = {.signature = wire::bot::kCommandSignature,
              .tag = tag_,
              .data_length = command.length,
              .flags = static_cast<uint8_t>(
                  command.length != 0 && command.in ? wire::bot::kDirectionIn : 0),
              .lun = command.lun,
              .command_length = static_cast<uint8_t>(command.command_block.size()),
              .command_block = {}};
  std::copy(command.command_block.begin(), command.command_block.end(),
            wrapper_.command_block.begin());
  in_ = command.in;
  length_ = command.length;
  moved_ = 0;
  status_retried_ = false;
  state_ = State::kCommand;
  action_due_ = true;
  if (canary::Planted(canary::Canary::kDeadAfterFault) && last_rung_ != Rung::kNone) {
    result_.error = Error{.kind = ErrorKind::kFault, .phase = Phase::kCommand};
    EndRecovery(true);
  }
}

HostAction HostEngine::Poll() {
  using Kind = HostAction::Kind;
  if (!std::exchange(action_due_, false)) return {};
  switch (state_) {
    case State::kIdle: return {};
    case State::kCommand: return {.kind = Kind::kSendCommand};
    case State::kData:
      return {.kind = Kind::kMoveData,
              .in = in_,
              .sense = sense_,
              .offset = moved_,
              .length = std::min(length_ - moved_, transfer_length_max_)};
    case State::kClearData: return {.kind = Kind::kClearHalt, .in = in_};
    case State::kStatus: return {.kind = Kind::kReadStatus};
    case State::kClearStatus: return {.kind = Kind::kClearHalt, .in = true};
    case State::kReset: return {.kind = Kind::kMassStorageReset};
    case State::kClearIn: return {.kind = Kind::kClearHalt, .in = true};
    case State::kClearOut: return {.kind = Kind::kClearHalt, .in = false};
    case State::kResetPort: return {.kind = Kind::kResetPort};
    case State::kReopen: return {.kind = Kind::kReopen};
    case State::kFinished: return {.kind = Kind::kFinished};
  }
  return {};
}

void HostEngine::HandleCommandSent(Outcome outcome, uint32_t length) {
  CHECK(state_ == State::kCommand);
  if (outcome == Outcome::kCancelled && length == 0) {
    // The device never saw it, so there is nothing to recover from.
    if (sense_) {
      result_.sense_failure = {.kind = ErrorKind::kCancelled, .phase = Phase::kCommand};
    } else {
      result_.error = Error{.kind = ErrorKind::kCancelled, .phase = Phase::kCommand};
    }
    return EndRecovery(true);
  }
  if (outcome != Outcome::kOk) return FailOutcome(outcome, Phase::kCommand, length);
  if (length != sizeof(wrapper_)) {
    return Fail(ErrorKind::kFault, Phase::kCommand, length, "{} of {} bytes of the CBW were sent",
                {length, sizeof(wrapper_), 0});
  }
  state_ = length_ != 0 ? State::kData : State::kStatus;
  action_due_ = true;
}

void HostEngine::HandleData(Outcome outcome, uint32_t length, Bytes head) {
  CHECK(state_ == State::kData);
  const uint32_t asked = std::min(length_ - moved_, transfer_length_max_);
  CHECK_LE(length, asked);
  if (outcome == Outcome::kStall) {
    moved_ += length;
    ++result_.recoveries;
    result_.rung = std::max(result_.rung, Rung::kClearHalt);
    state_ = State::kClearData;
    action_due_ = true;
    return;
  }
  if (outcome != Outcome::kOk) {
    moved_ += length;
    return FailOutcome(outcome, data_phase(), moved_);
  }
  if (in_ && moved_ == 0 && length == sizeof(CommandStatusWrapper) && length < asked &&
      IsStatus(head)) {
    // The device skipped the data phase without a stall and sent its status.
    return Accept(*wire::View<CommandStatusWrapper>(head));
  }
  moved_ += length;
  if (length == asked && moved_ < length_) {
    action_due_ = true;  // the next piece
    return;
  }
  EndData();
}

void HostEngine::EndData() {
  state_ = State::kStatus;
  action_due_ = true;
}

bool HostEngine::IsStatus(Bytes packet) const {
  const auto* status = wire::View<CommandStatusWrapper>(packet);
  return status != nullptr && status->signature == wire::bot::kStatusSignature &&
         status->tag == wrapper_.tag;
}

void HostEngine::HandleStatus(Outcome outcome, Bytes packet) {
  CHECK(state_ == State::kStatus);
  if (outcome == Outcome::kStall && !status_retried_) {
    state_ = State::kClearStatus;
    result_.rung = std::max(result_.rung, Rung::kClearHalt);
    action_due_ = true;
    ++result_.recoveries;
    return;
  }
  if (outcome != Outcome::kOk) {
    return FailOutcome(outcome, Phase::kStatus, static_cast<uint32_t>(packet.size()));
  }
  if (packet.empty() && !status_retried_) {
    // A zero-length packet that ended the data, not a status.
    ++result_.recoveries;
    return RetryStatus();
  }
  const auto* status = wire::View<CommandStatusWrapper>(packet);
  if (packet.size() != sizeof(CommandStatusWrapper) || status == nullptr) {
    return Fail(ErrorKind::kProtocol, Phase::kStatus, static_cast<uint32_t>(packet.size()),
                "CSW of {} bytes, expected {}", {packet.size(), sizeof(CommandStatusWrapper), 0});
  }
  if (status->signature != wire::bot::kStatusSignature &&
      !canary::Planted(canary::Canary::kSignatureIgnored)) {
    return Fail(ErrorKind::kProtocol, Phase::kStatus, 0, "CSW signature {:x}, expected {:x}",
                {status->signature, wire::bot::kStatusSignature, 0});
  }
  if (status->tag != wrapper_.tag && !canary::Planted(canary::Canary::kStaleStatus)) {
    return Fail(ErrorKind::kProtocol, Phase::kStatus, 0, "CSW tag {}, expected {}",
                {status->tag, wrapper_.tag, 0});
  }
  Accept(*status);
}

void HostEngine::RetryStatus() {
  status_retried_ = true;
  result_.rung = std::max(result_.rung, Rung::kStatusRetry);
  state_ = State::kStatus;
  action_due_ = true;
}

// A status wrapper whose signature and tag are right.
void HostEngine::Accept(const CommandStatusWrapper& status) {
  if (status.status > static_cast<uint8_t>(Status::kPhaseError)) {
    return Fail(ErrorKind::kProtocol, Phase::kStatus, 0, "CSW status {} is reserved",
                {status.status, 0, 0});
  }
  auto code = static_cast<Status>(status.status);
  if (canary::Planted(canary::Canary::kPhaseErrorPasses) && code == Status::kPhaseError) {
    code = Status::kPassed;
  }
  if (code == Status::kPhaseError) {
    return Fail(ErrorKind::kProtocol, Phase::kStatus, 0,
                "phase error: {} of {} bytes moved, residue {}", {moved_, length_, status.residue});
  }
  last_rung_ = Rung::kNone;
  state_ = State::kFinished;
  action_due_ = true;
  if (sense_) {
    // Its own failure asks for nothing more.
    if (code == Status::kPassed) {
      result_.sense_length = moved_;
    } else {
      result_.sense_failure = scsi::SenseFailure{.refused = true};
    }
    return;
  }
  result_.status = code;
  result_.length_actual = moved_;
  result_.residue = status.residue;
  if (code != Status::kFailed || !want_sense_) return;
  sense_ = true;
  Begin({.lun = wrapper_.lun, .command_block = kRequestSense, .in = true, .length = kSenseLength});
}

void HostEngine::FailOutcome(Outcome outcome, Phase phase, uint32_t length) {
  Fail(usb::KindOf(outcome), phase, length, "");
}

void HostEngine::Fail(ErrorKind kind, Phase phase, uint32_t length, const char* text,
                      std::array<uint64_t, 3> values) {
  if (canary::Planted(canary::Canary::kWrongPhase)) phase = Phase::kStatus;
  // Where only the sense could not be had, the command's own result stands, without sense.
  if (sense_) {
    if (!result_.sense_failure) {
      result_.sense_failure = scsi::SenseFailure{.kind = kind, .phase = phase};
    }
  } else {
    result_.length_actual = moved_;
    result_.error = Error{
        .kind = kind, .phase = phase, .length_actual = length, .text = text, .values = values};
  }
  Recover(kind);
}

void HostEngine::Recover(ErrorKind kind) {
  if (kind == ErrorKind::kDisconnected) return Climb(Rung::kReopen);
  if (last_rung_ == Rung::kResetPort) return Climb(Rung::kReopen);
  if (last_rung_ == Rung::kMassStorageReset) return Climb(Rung::kResetPort);
  if (canary::Planted(canary::Canary::kPortResetFirst)) return Climb(Rung::kResetPort);
  // Above the last rung is the first: a device that was opened anew was not reset by that.
  Climb(Rung::kMassStorageReset);
}

void HostEngine::Climb(Rung rung) {
  ++result_.recoveries;
  result_.rung = std::max(result_.rung, rung);
  last_rung_ = rung;
  state_ = rung == Rung::kMassStorageReset ? State::kReset
           : rung == Rung::kResetPort      ? State::kResetPort
                                           : State::kReopen;
  action_due_ = true;
}

void HostEngine::HandleRecovered(Outcome outcome) {
  const bool ok = outcome == Outcome::kOk;
  action_due_ = true;
  switch (state_) {
    case State::kClearData:
      if (!ok) return FailOutcome(outcome, data_phase(), moved_);
      return EndData();
    case State::kClearStatus:
      if (!ok) return FailOutcome(outcome, Phase::kStatus, 0);
      return RetryStatus();
    case State::kReset:
      if (ok) {
        state_ = State::kClearIn;
        return;
      }
      break;
    case State::kClearIn:
      if (ok) {
        state_ = State::kClearOut;
        return;
      }
      break;
    case State::kClearOut:
      if (ok) return EndRecovery(true);
      break;
    case State::kResetPort:
      if (ok) return EndRecovery(true);
      return Climb(Rung::kReopen);
    case State::kReopen: return EndRecovery(ok);
    case State::kIdle:
    case State::kCommand:
    case State::kData:
    case State::kStatus:
    case State::kFinished: CHECK(state_ == State::kReset); return;
  }
  // The bulk-only reset did not work.
  if (outcome == Outcome::kDisconnected) return Climb(Rung::kReopen);
  Climb(Rung::kResetPort);
}

void HostEngine::EndRecovery(bool recovered) {
  result_.broken = !recovered;
  state_ = State::kFinished;
  action_due_ = true;
}

}  // namespace usbtwin::bot
