#include "sim/lone_fault.h"

#include <algorithm>

namespace usbtwin::sim {

using fault::Kind;
using fault::Moment;

namespace {

using bot::Rung;
using std::chrono::seconds;

// A cancelled command that ends well had ended before: only its last transfer was to be told.
constexpr uint64_t kStepsToTell = 4;

bool IsSilence(Kind kind) {
  return kind == Kind::kLostRequest || kind == Kind::kLostCompletion || kind == Kind::kSilent ||
         kind == Kind::kNoStatus || kind == Kind::kNever;
}

// How high recovery may climb. A unit that refuses data halts its pipe; where a rung fails, the
// next one is needed.
Rung RungOf(const fault::Injection& met) {
  const Kind kind = met.kind;
  const bool in_recovery = met.moment == Moment::kControl || met.moment == Moment::kPortRequest;
  switch (kind) {
    case Kind::kResetFails: return Rung::kReopen;
    case Kind::kPortSlow:
    case Kind::kCancelLate: return Rung::kMassStorageReset;
    case Kind::kDelayRequest:
    case Kind::kDelayCompletion:
    case Kind::kReorder:
    case Kind::kSuspend:
    case Kind::kResidueLie: return Rung::kClearHalt;
    case Kind::kStallStatus:
    case Kind::kZeroPacket: return Rung::kStatusRetry;
    case Kind::kDisconnect:
    case Kind::kPowerLoss: return Rung::kReopen;
    case Kind::kSlow:
    case Kind::kNever:
    case Kind::kSlowStore: return Rung::kMassStorageReset;
    default: break;
  }
  if (in_recovery) return Rung::kResetPort;
  return kind == Kind::kStallData || kind >= Kind::kNoSense ? Rung::kClearHalt
                                                            : Rung::kMassStorageReset;
}

// The phase in which a host cannot but notice; none where that depends.
Phase PhaseOf(const fault::Injection& met) {
  switch (met.kind) {
    case Kind::kStall:
    case Kind::kStallLate:
    case Kind::kStallData:
    case Kind::kStallStatus:
    case Kind::kZeroPacket:
    case Kind::kDelayRequest:
    case Kind::kDelayCompletion:
    case Kind::kReorder:
    case Kind::kSuspend:
    case Kind::kShortIn:
    case Kind::kCorruptIn:
    case Kind::kCorruptOut: return Phase::kNone;
    default: break;
  }
  switch (met.moment) {
    case Moment::kCommand: return Phase::kCommand;
    case Moment::kDataIn: return Phase::kDataIn;
    case Moment::kDataOut: return Phase::kDataOut;
    case Moment::kStatus: return Phase::kStatus;
    default: return Phase::kNone;
  }
}

// What must be recovered from without an error.
bool IsHarmless(Kind kind) {
  switch (kind) {
    case Kind::kStallStatus:
    case Kind::kStallData:
    case Kind::kZeroPacket:
    case Kind::kDelayRequest:
    case Kind::kDelayCompletion:
    case Kind::kReorder:
    case Kind::kSuspend: return true;
    default: return false;
  }
}

std::string NameOf(const Course& course) {
  return course.met == nullptr ? "nothing" : fault::Info(course.met->kind).name;
}

// How long it may take from the deadline, or from being cancelled, to its end: recovery is quick
// but for the delays that are played, and for a device that must come back to its port.
Duration SlackOf(const Course& course) {
  Duration slack = seconds(1) + 20 * course.latency;
  if (course.rule != nullptr &&
      fault::Info(course.rule->kind).parameter == fault::Parameter::kDelay)
    slack += course.rule->delay_or_default();
  if (course.met != nullptr && RungOf(*course.met) == Rung::kReopen) slack += seconds(4);
  // A transfer of recovery that does not end has a deadline of its own.
  if (course.met != nullptr && course.met->moment == Moment::kControl) slack += seconds(5);
  return slack;
}

std::optional<Wrong> JudgeTime(const SentCommand& sent, const Course& course,
                               const Result<host::ScsiResult>& answer) {
  const Duration slack = SlackOf(course);
  const auto wrong = [&](const std::string& what) {
    return Wrong{Law::kTime, what + " after " + NameOf(course) + " was played"};
  };
  const bool timed_out = !answer && answer.error().kind == ErrorKind::kTimedOut;
  if (timed_out && course.took < course.timeout) {
    return wrong("timed out after " + std::to_string(course.took.count()) + " ns of " +
                 std::to_string(course.timeout.count()));
  }
  if (course.took > course.timeout + slack) {
    return wrong("took " + std::to_string(course.took.count()) + " ns, with a deadline of " +
                 std::to_string(course.timeout.count()));
  }
  if (!sent.cancelled) return std::nullopt;
  if (course.since_cancelled > slack) {
    return wrong("ended " + std::to_string(course.since_cancelled.count()) +
                 " ns after it was cancelled");
  }
  const bool told_late = answer && answer->status == scsi::Status::kGood && !course.far &&
                         course.met == nullptr && course.steps_since_cancelled > kStepsToTell;
  if (!told_late) return std::nullopt;
  return wrong("was carried out, in " + std::to_string(course.steps_since_cancelled) +
               " steps after it was cancelled");
}

std::optional<Wrong> JudgePlace(const SentCommand& sent, const Course& course, const Error& error) {
  const fault::Injection& met = *course.met;
  const fault::Rule& rule = *course.rule;
  const Phase phase = PhaseOf(met);
  if (phase == Phase::kNone) return std::nullopt;
  // What ends all transfers at once shows at the first of those that are out.
  if (course.ahead && (met.kind == Kind::kDisconnect || met.kind == Kind::kResetByOther)) {
    return std::nullopt;
  }
  const std::string after = std::string(fault::Info(met.kind).name) + " led to: ";
  if (error.phase != phase) {
    return Wrong{Law::kPlace, after + error.Describe() + ", expected in " + Name(phase)};
  }
  std::optional<uint64_t> moved;
  if (met.kind == Kind::kFault || met.kind == Kind::kLostRequest || met.kind == Kind::kSilent ||
      met.kind == Kind::kStallCommand || met.kind == Kind::kNoStatus) {
    moved = 0;
  }
  if (met.kind == Kind::kShortOut) moved = rule.length_or_default();
  if (phase == Phase::kDataIn || phase == Phase::kDataOut) {
    if (met.kind == Kind::kFaultLate) moved = sent.length_whole;
  }
  if (!moved || error.length_actual == *moved) return std::nullopt;
  return Wrong{Law::kPlace,
               after + error.Describe() + ", expected after " + std::to_string(*moved) + " bytes"};
}

}  // namespace

std::optional<Wrong> JudgeLone(const SentCommand& sent, const Course& course,
                               const Result<host::ScsiResult>& answer) {
  Rung rung_max = course.met == nullptr ? Rung::kClearHalt : RungOf(*course.met);
  // Whatever a cancellation or a deadline leaves behind is reset.
  if (sent.cancelled || sent.hurried) rung_max = std::max(rung_max, Rung::kMassStorageReset);
  if (course.rung > rung_max) {
    return Wrong{Law::kThrift, std::string("recovery climbed to the ") + bot::Name(course.rung) +
                                   " where " + NameOf(course) +
                                   " was played, and needed at most the " + bot::Name(rung_max)};
  }
  if (auto wrong = JudgeTime(sent, course, answer)) return wrong;
  if (answer || course.met == nullptr || answer.error().kind == ErrorKind::kCancelled) {
    return std::nullopt;
  }
  const Error& error = answer.error();
  if (sent.hurried && error.kind == ErrorKind::kTimedOut && !IsSilence(course.met->kind)) {
    return std::nullopt;
  }
  if (IsHarmless(course.met->kind)) {
    return Wrong{Law::kThrift,
                 NameOf(course) + " alone must be recovered from, and led to: " + error.Describe()};
  }
  // What was cancelled or hurried may have ended before the fault did.
  if (sent.cancelled || sent.hurried) return std::nullopt;
  return JudgePlace(sent, course, error);
}

}  // namespace usbtwin::sim
