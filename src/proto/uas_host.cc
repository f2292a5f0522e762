#include "proto/uas_host.h"

#include <bit>
#include <cstddef>
#include <utility>

#include "base/canary.h"

namespace usbtwin::uas {

using usb::Outcome;
using wire::uas::CommandIu;
using Kind = HostAction::Kind;

const char* Name(Rung rung) {
  switch (rung) {
    case Rung::kNone: return "none";
    case Rung::kAbortTask: return "abort task";
    case Rung::kUnitReset: return "logical unit reset";
    case Rung::kResetPort: return "port reset";
    case Rung::kReopen: return "reopen";
  }
  return "?";
}

namespace {

wire::uas::TaskAttribute CodeOf(scsi::TaskAttribute attribute) {
  using Code = wire::uas::TaskAttribute;
  switch (attribute) {
    case scsi::TaskAttribute::kSimple: return Code::kSimple;
    case scsi::TaskAttribute::kOrdered: return Code::kOrdered;
    case scsi::TaskAttribute::kHeadOfQueue: return Code::kHeadOfQueue;
  }
  return Code::kSimple;
}

uint16_t TakeLowest(uint64_t& mask) {
  const auto tag = static_cast<uint16_t>(std::countr_zero(mask) + 1);
  mask &= mask - 1;
  return tag;
}

}  // namespace

HostEngine::HostEngine(const HostOptions& options)
    : options_(options),
      tags_count_(DepthOf(options.streams_count)),
      manages_(options.streams_count == 0 || options.streams_count > kManagementTags) {
  CHECK_LE(1, options_.depth);
  CHECK_LE(options_.depth, tags_count_);
  free_ = (uint64_t{1} << tags_count_) - 1;
}

// Tags take turns, and rest where there are others, so that an IU which comes twice finds nobody.
uint16_t HostEngine::TakeTag() {
  const uint64_t rested = free_ & ~resting_;
  const uint64_t choices = rested != 0 ? rested : free_;
  const uint64_t later = choices & ~((uint64_t{1} << last_tag_) - 1);
  uint64_t choice = later != 0 ? later : choices;
  if (canary::Planted(canary::Canary::kUasTagAgain)) choice = free_;
  last_tag_ = TakeLowest(choice);
  free_ &= ~Bit(last_tag_);
  return last_tag_;
}

uint16_t HostEngine::Start(const HostCommand& command) {
  CHECK(may_start());
  CHECK_LE(1u, command.command_block.size());
  CHECK_LE(command.command_block.size(), kCommandBlockLengthMax);
  CHECK_LE(command.lun, wire::uas::kLunMax);
  const uint16_t tag = TakeTag();
  ++tasks_count_;
  Task& task = At(tag);
  task = Task{};
  task.state = State::kRunning;
  task.in = command.in;
  task.length = command.length;
  task.lun = command.lun;
  task.doubtful = unproven_;

  CommandIu iu{};
  const size_t additional =
      (std::max(command.command_block.size(), iu.command_block.size()) - 16 + 3) & ~size_t{3};
  iu.header = {.id = static_cast<uint8_t>(wire::uas::IuId::kCommand), .reserved1 = 0, .tag = tag};
  iu.attribute = static_cast<uint8_t>(CodeOf(command.attribute));
  iu.additional_length = static_cast<uint8_t>(additional);
  iu.lun = wire::uas::EncodeLun(command.lun);
  wire::Emit(task.iu, iu);
  CopyBytes(MutableBytes(task.iu).subspan(offsetof(CommandIu, command_block)),
            command.command_block);
  task.iu_length = static_cast<uint8_t>(sizeof(iu) + additional);

  task.iu_leg = Leg::kDue;
  iu_due_ |= Bit(tag);
  if (streams()) {
    task.status_leg = Leg::kDue;
    status_due_ |= Bit(tag);
    if (task.length != 0) {
      task.data_leg = Leg::kDue;
      data_due_ |= Bit(tag);
    }
  }
  UpdateExpected(task);
  return tag;
}

Bytes HostEngine::iu(uint16_t tag) const {
  if (IsManagementTag(tag)) return wire::AsBytes(management_.iu);
  return Bytes(At(tag).iu).first(At(tag).iu_length);
}

void HostEngine::Release(uint16_t tag) {
  CHECK(At(tag).state == State::kFinished);
  At(tag).state = State::kFree;
  free_ |= Bit(tag);
  uint16_t& oldest = released_[released_next_++ % released_.size()];
  if (oldest != 0) resting_ &= ~Bit(oldest);
  oldest = tag;
  resting_ |= Bit(tag);
  --tasks_count_;
}

bool HostEngine::draining(uint16_t tag) const {
  const Task& task = At(tag);
  const bool open = task.data_leg == Leg::kOpen || task.iu_leg == Leg::kOpen;
  return task.state == State::kRunning && task.has_status && open;
}

// ---- What to do -------------------------------------------------------------------------------

HostAction HostEngine::Poll() {
  // What ends comes first: what follows may need its place.
  if (cancel_iu_due_ != 0) return {.kind = Kind::kCancelIu, .tag = TakeLowest(cancel_iu_due_)};
  if (cancel_data_due_ != 0) {
    return {.kind = Kind::kCancelData, .tag = TakeLowest(cancel_data_due_)};
  }
  if (cancel_status_due_ != 0) {
    return {.kind = Kind::kCancelStatus, .tag = TakeLowest(cancel_status_due_)};
  }
  if (finished_due_ != 0) return {.kind = Kind::kFinished, .tag = TakeLowest(finished_due_)};
  if (recovery_ != Recovery::kNone) {
    if (std::exchange(reads_cancel_due_, false)) return {.kind = Kind::kCancelStatus};
    if (!std::exchange(port_action_due_, false)) return {};
    return {.kind = recovery_ == Recovery::kReopen ? Kind::kReopen : Kind::kResetPort};
  }
  HostAction action = PollManagement();
  // A command that overtakes the reset of its unit may or may not fall under it.
  const bool held = management_.function == wire::uas::TaskFunction::kLogicalUnitReset;
  if (action.kind == Kind::kNone && !held) action = PollStatus();
  if (action.kind == Kind::kNone && !held) action = PollData();
  if (action.kind == Kind::kNone && !held) action = PollIu();
  return action;
}

HostAction HostEngine::PollManagement() {
  if (!streams()) {
    const HostAction read = PollReads();
    if (read.kind != Kind::kNone) return read;
  }
  if (management_.status_leg == Leg::kDue) {
    management_.status_leg = Leg::kOpen;
    return {.kind = Kind::kReadStatus, .tag = management_.tag};
  }
  if (management_.iu_leg != Leg::kDue) return {};
  management_.iu_leg = Leg::kOpen;
  return {.kind = Kind::kSendIu, .tag = management_.tag};
}

HostAction HostEngine::PollStatus() {
  if (status_due_ == 0) return {};
  const uint16_t tag = TakeLowest(status_due_);
  At(tag).status_leg = Leg::kOpen;
  return {.kind = Kind::kReadStatus, .tag = tag};
}

// Without streams anybody's IU comes to any read.
HostAction HostEngine::PollReads() {
  if (reads_cancelled_) return {};
  if (expected_ == 0 && reads_out_ != 0) {
    // A command ended without the ready IU that was expected, and it was the last one.
    reads_cancelled_ = true;
    return {.kind = Kind::kCancelStatus};
  }
  if (reads_out_ >= expected_ || reads_out_ >= reads_max()) return {};
  ++reads_out_;
  return {.kind = Kind::kReadStatus};
}

HostAction HostEngine::PollData() {
  if (streams()) return data_due_ == 0 ? HostAction{} : MoveData(TakeLowest(data_due_));
  // What the device has begun to send for a task that is being taken back would come to the next.
  if (ending_count_ != 0) return {};
  for (Grants& grants : grants_) {
    if (grants.count == 0 || At(grants.tags[0]).data_leg != Leg::kDue) continue;
    const uint16_t tag = grants.tags[0];
    // Were it queued behind another's, and that one cancelled, it would be written in its place.
    if (!At(tag).in && SharesPipe(tag)) continue;
    const HostAction action = MoveData(tag);
    if (action.offset + action.length == At(tag).length) LeaveGrants(tag);
    return action;
  }
  return {};
}

HostAction HostEngine::MoveData(uint16_t tag) {
  Task& task = At(tag);
  task.data_leg = Leg::kOpen;
  return {.kind = Kind::kMoveData,
          .tag = tag,
          .in = task.in,
          .offset = task.moved,
          .length = std::min(task.length - task.moved, options_.transfer_length_max)};
}

HostAction HostEngine::PollIu() {
  if (iu_due_ == 0) return {};
  // The oldest first, or ordered tasks would not be: tags take turns, so it comes after the last.
  const uint64_t oldest = iu_due_ & ~((uint64_t{1} << last_tag_) - 1);
  uint64_t choice = oldest != 0 ? oldest : iu_due_;
  const uint16_t tag = TakeLowest(choice);
  iu_due_ &= ~Bit(tag);
  At(tag).iu_leg = Leg::kOpen;
  return {.kind = Kind::kSendIu, .tag = tag};
}

// ---- Legs -------------------------------------------------------------------------------------

void HostEngine::HandleIuSent(uint16_t tag, Outcome outcome, uint32_t length) {
  cancel_iu_due_ &= ~Bit(tag);  // it has ended by itself
  if (IsManagementTag(tag)) return HandleManagementSent(outcome, length);
  Task& task = At(tag);
  CHECK(task.iu_leg == Leg::kOpen);
  task.iu_leg = Leg::kClosed;
  if (outcome == Outcome::kCancelled && length == 0) task.device_done = true;  // it never saw it
  UpdateExpected(task);
  if (task.state != State::kRunning) return EndIfClosed(tag);
  // Who answered has seen it, whatever the bus says.
  if (outcome == Outcome::kCancelled && task.has_status) return EndIfClosed(tag);
  if (outcome != Outcome::kOk) return FailOutcome(tag, outcome, Phase::kCommand);
  if (length != task.iu_length) {
    return FailAll({.kind = ErrorKind::kFault,
                    .phase = Phase::kCommand,
                    .text = "{} of {} bytes of the COMMAND IU with tag {} were sent",
                    .values = {length, task.iu_length, tag}});
  }
  EndIfClosed(tag);
}

void HostEngine::HandleData(uint16_t tag, Outcome outcome, uint32_t length) {
  Task& task = At(tag);
  CHECK(task.data_leg == Leg::kOpen);
  cancel_data_due_ &= ~Bit(tag);
  const uint32_t asked = std::min(task.length - task.moved, options_.transfer_length_max);
  CHECK_LE(length, asked);
  const bool lost = canary::Planted(canary::Canary::kUasDataNotAwaited) && task.has_status;
  if (!lost) task.moved += length;
  const bool ended = outcome != Outcome::kOk || length != asked || task.moved == task.length;
  if (!ended && task.state == State::kRunning && !task.has_status) {
    task.data_leg = Leg::kDue;
    if (streams()) data_due_ |= Bit(tag);
    return;
  }
  CloseData(tag);
  const bool asked_to_end = outcome == Outcome::kCancelled && task.has_status;
  if (task.state == State::kRunning && outcome != Outcome::kOk && !asked_to_end) {
    return FailOutcome(tag, outcome, task.in ? Phase::kDataIn : Phase::kDataOut);
  }
  EndIfClosed(tag);
}

void HostEngine::CloseData(uint16_t tag) {
  At(tag).data_leg = Leg::kClosed;
  data_due_ &= ~Bit(tag);
  LeaveGrants(tag);
}

void HostEngine::LeaveGrants(uint16_t tag) {
  for (Grants& grants : grants_) {
    const auto end = grants.tags.begin() + grants.count;
    const auto rest = std::remove(grants.tags.begin(), end, tag);
    grants.count = static_cast<uint8_t>(rest - grants.tags.begin());
  }
}

void HostEngine::EndIfClosed(uint16_t tag) {
  Task& task = At(tag);
  if (task.iu_leg == Leg::kOpen || task.data_leg == Leg::kOpen || task.status_leg == Leg::kOpen) {
    return;
  }
  if (task.state == State::kRunning) {
    const bool closed = task.has_status && task.iu_leg == Leg::kClosed;
    if (closed) Finish(tag);
  } else if (task.state == State::kEnding) {
    if (recovery_ != Recovery::kNone) return AdvanceRecovery();
    if (managing() && management_.task == tag) return;
    if (IsHopeless(tag)) return ResetFor(tag, {}, Rung::kResetPort);
    if (task.device_done) return Finish(tag);
    abort_wanted_ |= Bit(tag);
    Manage();
  }
}

void HostEngine::Finish(uint16_t tag) {
  Task& task = At(tag);
  if (task.state == State::kEnding) --ending_count_;
  task.state = State::kFinished;
  task.device_done = true;
  UpdateExpected(task);
  task.result.length_actual = task.moved;
  if (task.result.error) task.result.error->length_actual = task.moved;
  if (!task.result.error) {
    last_rung_ = Rung::kNone;
    unproven_ &= static_cast<uint8_t>(~(Bit(Phase::kCommand) | Bit(Phase::kStatus)));
    if (task.moved != 0) unproven_ &= static_cast<uint8_t>(~Bit(DataPhase(task)));
  }
  abort_wanted_ &= ~Bit(tag);
  finished_due_ |= Bit(tag);
}

void HostEngine::UpdateExpected(Task& task) {
  if (streams()) return;
  const bool ready = task.length != 0 && !task.granted;
  const auto now = static_cast<uint8_t>(task.device_done ? 0 : ready ? 2 : 1);
  expected_ = static_cast<uint16_t>(expected_ + now - task.expected);
  task.expected = now;
}

}  // namespace usbtwin::uas
