// How commands fail, and the ladder that takes them back from the device.
#include <bit>
#include <utility>

#include "proto/uas_host.h"

namespace usbtwin::uas {

using usb::Outcome;
using wire::uas::TaskFunction;

// ---- Failing ----------------------------------------------------------------------------------

void HostEngine::Fail(uint16_t tag, const Problem& problem) {
  Task& task = At(tag);
  if (task.state == State::kRunning) {
    if (task.data_leg == Leg::kOpen && SharesPipe(tag)) {
      return ResetFor(tag, problem, Rung::kResetPort);
    }
    SetProblem(task, problem);
    CancelLegs(tag);
  }
  EndIfClosed(tag);
}

void HostEngine::SetProblem(Task& task, const Problem& problem) {
  task.state = State::kEnding;
  ++ending_count_;
  task.result.error = Error{
      .kind = problem.kind, .phase = problem.phase, .text = problem.text, .values = problem.values};
}

void HostEngine::FailOutcome(uint16_t tag, Outcome outcome, Phase phase) {
  const Problem problem{.kind = usb::KindOf(outcome), .phase = phase};
  const bool only_this = outcome == Outcome::kCancelled || outcome == Outcome::kTimedOut ||
                         outcome == Outcome::kOverflow;
  const bool shared = phase != Phase::kCommand && SharesPipe(tag);
  if (only_this && !shared) return Fail(tag, problem);
  ResetFor(tag, problem, RungFor(outcome));
}

void HostEngine::FailAll(const Problem& problem, Rung rung) {
  ResetFor(0, problem, rung);
}

Rung HostEngine::RungFor(Outcome outcome) {
  return outcome == Outcome::kDisconnected ? Rung::kReopen : Rung::kResetPort;
}

void HostEngine::HandleTimeout(uint16_t tag) {
  Stop(tag, ErrorKind::kTimedOut);
}

void HostEngine::HandleCancel(uint16_t tag) {
  Stop(tag, ErrorKind::kCancelled);
}

void HostEngine::Stop(uint16_t tag, ErrorKind kind) {
  const Task& task = At(tag);
  if (task.state != State::kRunning) return;
  const bool has_data = task.data_leg == Leg::kOpen;
  if (draining(tag) && !(has_data && SharesPipe(tag))) {
    // The device is done: what has not ended by now does not end.
    if (has_data) cancel_data_due_ |= Bit(tag);
    if (task.iu_leg == Leg::kOpen) cancel_iu_due_ |= Bit(tag);
    return;
  }
  Problem problem = Lateness(tag);
  problem.kind = kind;
  Fail(tag, problem);
}

// Which leg is late.
HostEngine::Problem HostEngine::Lateness(uint16_t tag) const {
  const Task& task = At(tag);
  const Phase data_phase = DataPhase(task);
  if (task.iu_leg != Leg::kClosed) return {.phase = Phase::kCommand};
  if (task.has_status) {
    return {.phase = data_phase,
            .text = "the SENSE IU of tag {} came, but its data ended after {} of {} bytes",
            .values = {tag, task.moved, task.length}};
  }
  const bool waits_for_ready = !streams() && task.length != 0 && !task.granted;
  if (waits_for_ready) {
    return {.phase = data_phase,
            .text = task.in ? "neither READ READY nor SENSE IU came for tag {}"
                            : "neither WRITE READY nor SENSE IU came for tag {}",
            .values = {tag}};
  }
  if (task.data_leg == Leg::kOpen || task.data_leg == Leg::kDue) {
    return {.phase = data_phase,
            .text = "{} of {} bytes moved for tag {}",
            .values = {task.moved, task.length, tag}};
  }
  return {.phase = Phase::kStatus, .text = "no SENSE IU came for tag {}", .values = {tag}};
}

// Nothing on a shared pipe says whose data it is.
bool HostEngine::SharesPipe(uint16_t tag) const {
  const Task& task = At(tag);
  if (streams()) return false;
  const auto shares = [&](const Task& other) {
    return &other != &task && other.data_leg == Leg::kOpen && other.in == task.in;
  };
  return std::any_of(tasks_.begin(), tasks_.end(), shares);
}

void HostEngine::CancelLegs(uint16_t tag) {
  Task& task = At(tag);
  if (task.iu_leg == Leg::kDue) {
    task.iu_leg = Leg::kClosed;
    iu_due_ &= ~Bit(tag);
    task.device_done = true;
    UpdateExpected(task);
  }
  if (task.status_leg == Leg::kDue) {
    task.status_leg = Leg::kClosed;
    status_due_ &= ~Bit(tag);
  }
  if (task.data_leg == Leg::kDue) CloseData(tag);
  LeaveGrants(tag);
  if (task.iu_leg == Leg::kOpen) cancel_iu_due_ |= Bit(tag);
  if (task.status_leg == Leg::kOpen) cancel_status_due_ |= Bit(tag);
  if (task.data_leg == Leg::kOpen) cancel_data_due_ |= Bit(tag);
}

void HostEngine::Note(uint16_t tag, Rung rung) {
  HostResult& result = At(tag).result;
  result.rung = std::max(result.rung, rung);
  ++result.recoveries;
}

// A late command that an endpoint which never answers would go on to cost one after the other.
bool HostEngine::IsHopeless(uint16_t tag) {
  const Error& error = *At(tag).result.error;
  if (error.kind != ErrorKind::kTimedOut) return false;
  if ((unproven_ & At(tag).doubtful & Bit(error.phase)) != 0) return true;
  unproven_ |= Bit(error.phase);
  return false;
}

// ---- Task management --------------------------------------------------------------------------

void HostEngine::Manage() {
  if (managing() || recovery_ != Recovery::kNone || abort_wanted_ == 0) return;
  const auto tag = static_cast<uint16_t>(std::countr_zero(abort_wanted_) + 1);
  if (manages_ && (spent_ & Bit(abort_tag())) == 0) {
    return BeginManagement(tag, TaskFunction::kAbortTask);
  }
  Climb(tag);
}

// ABORT TASK did not help.
void HostEngine::Climb(uint16_t tag) {
  if (manages_ && (spent_ & Bit(reset_tag())) == 0) {
    return BeginManagement(tag, TaskFunction::kLogicalUnitReset);
  }
  ResetFor(tag, {}, Rung::kResetPort);
}

void HostEngine::BeginManagement(uint16_t tag, TaskFunction function) {
  const bool aborts = function == TaskFunction::kAbortTask;
  management_ = Management{};
  management_.function = function;
  management_.task = tag;
  management_.tag = aborts ? abort_tag() : reset_tag();
  management_.iu_leg = Leg::kDue;
  management_.iu = {.header = {.id = static_cast<uint8_t>(wire::uas::IuId::kTaskManagement),
                               .reserved1 = 0,
                               .tag = management_.tag},
                    .function = static_cast<uint8_t>(function),
                    .reserved5 = 0,
                    .task_tag = aborts ? tag : uint16_t{0},
                    .lun = wire::uas::EncodeLun(At(tag).lun)};
  Note(tag, aborts ? Rung::kAbortTask : Rung::kUnitReset);
  if (streams()) {
    management_.status_leg = Leg::kDue;
  } else {
    ++expected_;
  }
}

void HostEngine::HandleManagementSent(Outcome outcome, uint32_t length) {
  CHECK(management_.iu_leg == Leg::kOpen);
  management_.iu_leg = Leg::kClosed;
  management_.unseen = outcome == Outcome::kCancelled && length == 0;
  const bool sent = outcome == Outcome::kOk && length == sizeof(management_.iu);
  if (!sent && outcome != Outcome::kCancelled) {
    return FailAll({.kind = usb::KindOf(outcome == Outcome::kOk ? Outcome::kFault : outcome),
                    .phase = Phase::kCommand,
                    .text = "a TASK MANAGEMENT IU could not be sent"},
                   RungFor(outcome));
  }
  if (!sent) GiveUpManagement();
  EndManagementIfClosed();
}

void HostEngine::HandleRecoveryTimeout() {
  if (!managing() || recovery_ != Recovery::kNone) return;
  // Where the answer is there, it is the IU itself that has no end.
  GiveUpManagement();
  EndManagementIfClosed();
}

void HostEngine::GiveUpManagement() {
  const uint64_t bit = Bit(management_.tag);
  management_.given_up = true;
  if (management_.iu_leg == Leg::kDue) {
    management_.iu_leg = Leg::kClosed;
    management_.unseen = true;
  }
  if (management_.status_leg == Leg::kDue) management_.status_leg = Leg::kClosed;
  if (management_.iu_leg == Leg::kOpen) cancel_iu_due_ |= bit;
  if (management_.status_leg == Leg::kOpen) cancel_status_due_ |= bit;
}

void HostEngine::EndManagementIfClosed() {
  if (management_.iu_leg == Leg::kOpen || management_.status_leg == Leg::kOpen) return;
  if (recovery_ != Recovery::kNone) return AdvanceRecovery();
  if (!management_.answered && !management_.given_up) return;
  const Management done = std::exchange(management_, Management{});
  if (!done.answered) {
    if (!streams()) --expected_;
    if (!done.unseen) spent_ |= Bit(done.tag);
  }
  const bool aborts = done.function == TaskFunction::kAbortTask;
  if (done.worked && aborts) {
    Finish(done.task);
  } else if (done.worked) {
    ConcludeUnitReset(done.task);
  } else if (aborts) {
    return Climb(done.task);
  } else {
    return ResetFor(done.task, {}, Rung::kResetPort);
  }
  Manage();
}

// Every command of the unit that the device had is gone.
void HostEngine::ConcludeUnitReset(uint16_t culprit) {
  const uint64_t lun = At(culprit).lun;
  Finish(culprit);
  for (uint16_t tag = 1; tag <= tags_count_; ++tag) {
    Task& task = At(tag);
    const bool live = task.state == State::kRunning || task.state == State::kEnding;
    if (!live || task.lun != lun || task.iu_leg == Leg::kDue || task.device_done) continue;
    task.device_done = true;
    UpdateExpected(task);
    if (task.state == State::kRunning) Note(tag, Rung::kUnitReset);
    Fail(tag, {.kind = ErrorKind::kFault,
               .phase = Phase::kReset,
               .text = "aborted by the logical unit reset that the command with tag {} needed",
               .values = {culprit}});
  }
}

// ---- The port ---------------------------------------------------------------------------------

// Every command that the device may have ends: `culprit` (0: all of them) because of the problem,
// the others because the port is reset.
void HostEngine::ResetFor(uint16_t culprit, const Problem& problem, Rung rung) {
  if (recovery_ != Recovery::kNone) {
    if (recovery_ == Recovery::kDrain) port_rung_ = std::max(port_rung_, rung);
    return AdvanceRecovery();
  }
  if (tasks_count_ == 0) {  // nobody is harmed; what is wrong, the next command will find
    ++late_count_;
    return;
  }
  recovery_ = Recovery::kDrain;
  port_rung_ = rung == last_rung_ ? Rung::kReopen : rung;  // once more would help no better
  abort_wanted_ = 0;
  const bool gone = problem.kind == ErrorKind::kDisconnected;
  const Problem for_others{
      .kind = gone ? problem.kind : ErrorKind::kFault,
      .phase = Phase::kReset,
      .text = gone ? "" : "aborted by the port reset that another command needed"};
  for (uint16_t tag = 1; tag <= tags_count_; ++tag) {
    Task& task = At(tag);
    if (task.state != State::kRunning && task.state != State::kEnding) continue;
    const bool untouched =
        task.iu_leg == Leg::kDue && task.status_leg != Leg::kOpen && task.data_leg != Leg::kOpen;
    if (untouched && tag != culprit) continue;  // it is sent when the port is there again
    if (task.state == State::kRunning) {
      SetProblem(task, culprit == 0 || tag == culprit ? problem : for_others);
    }
    CancelLegs(tag);
  }
  if (managing()) GiveUpManagement();
  if (reads_out_ != 0 && !std::exchange(reads_cancelled_, true)) reads_cancel_due_ = true;
  AdvanceRecovery();
}

bool HostEngine::AnyLegOpen() const {
  const auto open = [](const auto& legs) {
    return legs.iu_leg == Leg::kOpen || legs.status_leg == Leg::kOpen;
  };
  return reads_out_ != 0 || open(management_) ||
         std::any_of(tasks_.begin(), tasks_.end(),
                     [&](const Task& task) { return open(task) || task.data_leg == Leg::kOpen; });
}

void HostEngine::AdvanceRecovery() {
  if (recovery_ != Recovery::kDrain || AnyLegOpen()) return;
  recovery_ = port_rung_ == Rung::kReopen ? Recovery::kReopen : Recovery::kResetPort;
  port_action_due_ = true;
}

void HostEngine::HandleRecovered(Outcome outcome) {
  const bool reopened = recovery_ == Recovery::kReopen;
  CHECK(reopened || recovery_ == Recovery::kResetPort);
  const bool ok = outcome == Outcome::kOk;
  const Rung rung = reopened ? Rung::kReopen : Rung::kResetPort;
  for (uint16_t tag = 1; tag <= tags_count_; ++tag) {
    if (At(tag).state == State::kEnding) Note(tag, rung);
  }
  if (!ok && !reopened) {
    recovery_ = Recovery::kReopen;
    port_action_due_ = true;
    return;
  }
  recovery_ = Recovery::kNone;
  management_ = Management{};
  unproven_ = 0;
  spent_ = 0;
  reads_cancelled_ = false;
  for (uint16_t tag = 1; tag <= tags_count_; ++tag) {
    Task& task = At(tag);
    if (task.state == State::kEnding) {
      task.result.broken = !ok;
      Finish(tag);
    }
  }
  expected_ = 0;
  for (const Task& task : tasks_) expected_ = static_cast<uint16_t>(expected_ + task.expected);
  last_rung_ = rung;
}

}  // namespace usbtwin::uas
