#include "sim/wave_judge.h"

#include <algorithm>
#include <array>

#include "host/uas_transport.h"

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;
using scsi::SenseKey;
using scsi::Status;

namespace {

using std::chrono::seconds;

// Two answers to task management that do not come, a port that is slow, a device that must come
// back: what recovery may take beside the delays that are played.
constexpr Duration kRecoveryMax = seconds(30);

constexpr Duration kDrainTime = host::UasTransportOptions{}.drain_timeout;

bool IsLasting(Kind kind) {
  return kind == Kind::kNotReady || kind == Kind::kDataProtect || kind == Kind::kMediumRemoved;
}

// SPC-4, 4.5.6: ABORTED COMMAND, DATA PHASE ERROR, where the host moved fewer bytes than it should.
bool IsDataPhaseError(const scsi::Sense& sense) {
  return sense.key == SenseKey::kAbortedCommand && sense.asc == 0x4b;
}

// INQUIRY, REPORT LUNS and REQUEST SENSE are carried out whatever attention waits. SAM-5, 5.14.
bool IgnoresAttention(const Request& request) {
  const uint8_t opcode = request.cdb.bytes[0];
  return opcode == 0x12 || opcode == 0xa0 || opcode == 0x03;
}

std::string Codes(const scsi::Sense& sense) {
  const std::array<uint8_t, 3> codes{static_cast<uint8_t>(sense.key), sense.asc, sense.ascq};
  return Hex(codes, '/');
}

std::string NameOf(const SentInWave& sent) {
  return "operation code " + Hex({&sent.request.cdb.bytes[0], 1}) + " to LUN " +
         std::to_string(sent.request.lun);
}

// Where only refusals of units and slow stores are played, no conversation breaks.
bool Breaks(Kind kind) {
  const ExpectedReport& expected = ExpectedOf(kind);
  return expected.errors != 0 || expected.resets || expected.hides_sense;
}

}  // namespace

WaveJudge::WaveJudge(const fault::Plan& plan, size_t units_count, Duration timeout)
    : plan_(plan), timeout_(timeout), attention_(units_count, true) {}

void WaveJudge::HandleOpened() {
  std::fill(attention_.begin(), attention_.end(), true);
  calm_ = false;
}

void WaveJudge::HandleConnections(bool trouble) {
  trouble_now_ = trouble;
  trouble_ = trouble_ || trouble;
  if (trouble) HandleOpened();
}

void WaveJudge::HandlePlayed(std::span<const Injection> played) {
  Enter(played);
}

Duration WaveJudge::DelayOf(Kind kind) const {
  Duration delay{};
  for (const fault::Rule& rule : plan_.rules) {
    if (rule.kind == kind) delay = std::max(delay, rule.delay_or_default());
  }
  return delay;
}

void WaveJudge::Enter(std::span<const Injection> played) {
  for (const Injection& injection : played) {
    streak_.set(static_cast<size_t>(injection.kind));
    calm_ = false;
    if (ExpectedOf(injection.kind).resets) HandleOpened();
    silent_ = silent_ || injection.kind == Kind::kSilent;
    const bool strays =
        injection.kind == Kind::kLateStatusIu || injection.kind == Kind::kRepeatedStatusIu;
    if (strays) {
      strays_until_ =
          std::max(strays_until_, injection.when + DelayOf(injection.kind) + seconds(1));
    }
    if (!IsLasting(injection.kind)) continue;
    lasting_.set(static_cast<size_t>(injection.kind));
    lasting_until_ = std::max(lasting_until_, injection.when + DelayOf(injection.kind));
  }
}

// A command that is given up may cost others theirs, and leaves units with a unit attention.
bool WaveJudge::Disturbed() const {
  if (taken_back_ || trouble_) return true;
  return std::any_of(fault::Kinds().begin(), fault::Kinds().end(), [this](const auto& info) {
    return streak_.test(static_cast<size_t>(info.kind)) && Breaks(info.kind);
  });
}

std::optional<Wrong> WaveJudge::Judge(std::span<const SentInWave> sent,
                                      std::span<const Injection> played) {
  Enter(played);
  for (const SentInWave& one : sent) {
    taken_back_ = taken_back_ || one.cancelled;
    const bool late = !one.answer && one.answer.error().kind == ErrorKind::kTimedOut;
    if (silent_ && late) streak_.set(static_cast<size_t>(Kind::kSilent));
  }
  if (Disturbed()) std::fill(attention_.begin(), attention_.end(), true);
  for (const SentInWave& one : sent) {
    if (auto wrong = JudgeOne(one)) return wrong;
    if (auto wrong = JudgeTime(one)) return wrong;
  }
  if (auto wrong = JudgeNotice(sent, played)) return wrong;
  if (auto wrong = CountFailures(sent, !played.empty())) return wrong;
  Leave(sent, !played.empty());
  return std::nullopt;
}

void WaveJudge::Leave(std::span<const SentInWave> sent, bool played) {
  bool well = true;
  for (const SentInWave& one : sent) {
    const bool refused = one.answer && one.request.refusal.has_value();
    const bool attention =
        one.answer && one.answer->sense_valid && one.answer->sense.key == SenseKey::kUnitAttention;
    const bool tells = attention || (one.good() && !IgnoresAttention(one.request));
    if (tells && one.request.lun < attention_.size() && !played && !Disturbed())
      attention_[one.request.lun] = false;
    well = well && (one.good() || refused || attention);
    well = well && !one.cancelled && (!one.answer || one.answer->recoveries == 0);
  }
  calm_ = well && !played && !trouble_;
  if (well && !trouble_now_) trouble_ = false;
  if (!calm_) return;
  const bool strays = std::any_of(sent.begin(), sent.end(), [this](const SentInWave& one) {
    return one.start + one.took <= strays_until_;
  });
  const Causes before = std::exchange(streak_, Causes());
  for (const Kind kind : {Kind::kLateStatusIu, Kind::kRepeatedStatusIu}) {
    const auto place = static_cast<size_t>(kind);
    if (strays && before.test(place)) streak_.set(place);
  }
  taken_back_ = reopened_ = false;
}

std::optional<Wrong> WaveJudge::JudgeOne(const SentInWave& sent) const {
  if (!sent.answer) return JudgeError(sent, sent.answer.error());
  if (!sent.good()) return JudgeRefusal(sent);
  if (sent.request.refusal) {
    return Wrong{Law::kNotice, NameOf(sent) + " was carried out, and cannot be"};
  }
  if (sent.answer->recoveries == 0 || Disturbed()) return std::nullopt;
  return Wrong{Law::kThrift, NameOf(sent) +
                                 ": the host recovered the device, though nothing was "
                                 "made to go wrong"};
}

std::string WaveJudge::Played() const {
  std::string names;
  for (const fault::KindInfo& info : fault::Kinds()) {
    if (!streak_.test(static_cast<size_t>(info.kind))) continue;
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return names.empty() ? "; nothing was made to go wrong" : "; all that was played: " + names;
}

bool WaveJudge::ExplainsError(const Error& error) const {
  // What a reset takes with it, whoever needed it.
  if (error.kind == ErrorKind::kFault && error.phase == Phase::kReset) return Disturbed();
  const bool lost = error.kind == ErrorKind::kDisconnected || error.kind == ErrorKind::kTimedOut ||
                    error.kind == ErrorKind::kNotFound;
  if (trouble_ && lost) return true;
  if (reopened_ && Disturbed() && error.kind == ErrorKind::kDisconnected) return true;
  return std::any_of(fault::Kinds().begin(), fault::Kinds().end(), [&](const auto& info) {
    return streak_.test(static_cast<size_t>(info.kind)) && AllowsOverUas(info.kind, error.kind);
  });
}

std::optional<Wrong> WaveJudge::JudgeError(const SentInWave& sent, const Error& error) const {
  if (error.kind == ErrorKind::kCancelled && sent.cancelled) return std::nullopt;
  if (ExplainsError(error)) return std::nullopt;
  return Wrong{Law::kCause, NameOf(sent) + " failed: " + error.Describe() + Played()};
}

std::optional<std::string> WaveJudge::JudgeOpening(const Error& error) const {
  if (far_ && error.kind == ErrorKind::kBusy) return std::nullopt;
  if (ExplainsError(error)) return std::nullopt;
  return error.Describe() + Played();
}

bool WaveJudge::ExplainsSense(const SentInWave& sent, const scsi::Sense& sense) const {
  const Request& request = sent.request;
  const auto says = [&sense](const ExpectedSense& expected) {
    return sense.key == expected.key && sense.asc == expected.asc && sense.ascq == expected.ascq;
  };
  if (request.refusal && says(*request.refusal)) return true;
  const bool attention = request.lun < attention_.size() && attention_[request.lun];
  if (sense.key == SenseKey::kUnitAttention && sense.asc == 0x29 && attention) return true;
  if (IsDataPhaseError(sense) && Disturbed()) return true;
  const bool lost = streak_.test(static_cast<size_t>(Kind::kPowerLoss));
  return std::any_of(fault::Kinds().begin(), fault::Kinds().end(), [&](const auto& info) {
    const std::optional<ExpectedSense>& expected = ExpectedOf(info.kind).sense;
    if (!expected || !says(*expected)) return false;
    const auto place = static_cast<size_t>(info.kind);
    const bool still = lasting_.test(place) && sent.start < lasting_until_;
    const bool torn = lost && (info.kind == Kind::kReadError || info.kind == Kind::kWriteError);
    if (!streak_.test(place) && !still && !torn) return false;
    // A block that is named is one of the command's.
    if (!sense.information_valid || expected->place == Place::kNone) return true;
    return sense.information >= request.lba && sense.information - request.lba < request.blocks;
  });
}

std::optional<Wrong> WaveJudge::JudgeRefusal(const SentInWave& sent) const {
  const host::ScsiResult& answer = *sent.answer;
  const bool check = answer.status == Status::kCheckCondition;
  if (check && answer.sense_valid && ExplainsSense(sent, answer.sense)) return std::nullopt;
  const bool busy = answer.status == Status::kBusy;
  if (busy && streak_.test(static_cast<size_t>(Kind::kUnitBusy))) return std::nullopt;
  return Wrong{Law::kCause, NameOf(sent) + " was refused with status " + scsi::Name(answer.status) +
                                (answer.sense_valid ? " and sense " + Codes(answer.sense) : "") +
                                Played()};
}

std::optional<Wrong> WaveJudge::JudgeTime(const SentInWave& sent) const {
  Duration slack = Disturbed() ? kRecoveryMax : Duration(0);
  for (const fault::Rule& rule : plan_.rules) {
    const bool played = streak_.test(static_cast<size_t>(rule.kind));
    if (played && fault::Info(rule.kind).parameter == fault::Parameter::kDelay) {
      slack += 4 * rule.delay_or_default();
    }
  }
  if (trouble_ || far_) slack += kRecoveryMax;
  const bool timed_out = !sent.answer && sent.answer.error().kind == ErrorKind::kTimedOut;
  // Data that is late behind its status is waited for that long.
  const Duration least = Disturbed() ? std::min<Duration>(timeout_, kDrainTime) : timeout_;
  if (timed_out && sent.took < least) {
    return Wrong{Law::kTime, NameOf(sent) + " timed out after " +
                                 std::to_string(sent.took.count()) + " ns of " +
                                 std::to_string(timeout_.count())};
  }
  if (sent.took <= timeout_ + slack) return std::nullopt;
  return Wrong{Law::kTime, NameOf(sent) + " took " + std::to_string(sent.took.count()) +
                               " ns, with a deadline of " + std::to_string(timeout_.count()) +
                               Played()};
}

// Whoever met it was told, or recovered the device.
std::optional<Wrong> WaveJudge::JudgeNotice(std::span<const SentInWave> sent,
                                            std::span<const Injection> played) const {
  const bool noticed = std::any_of(sent.begin(), sent.end(), [](const SentInWave& one) {
    return one.cancelled || !one.good() || one.answer->recoveries != 0 || one.answer->residue != 0;
  });
  if (noticed || sent.empty()) return std::nullopt;
  for (const Injection& injection : played) {
    if (!injection.observed || ExpectedOf(injection.kind).passing != Passing::kNever) continue;
    // Data that the host heard of only when it took the transfer back was there all the same.
    if (injection.kind == Kind::kLostCompletion) continue;
    return Wrong{Law::kNotice, std::string(fault::Info(injection.kind).name) +
                                   " happened, and the host took no notice"};
  }
  return std::nullopt;
}

// An endpoint that is silent, or a device that is gone, may cost one more wave.
std::optional<Wrong> WaveJudge::CountFailures(std::span<const SentInWave> sent, bool played) {
  const auto failed = std::find_if(sent.begin(), sent.end(), [](const SentInWave& one) {
    return !one.answer && !one.cancelled;
  });
  const bool cut_off =
      std::any_of(sent.begin(), sent.end(), [](const SentInWave& one) { return one.cancelled; });
  if (failed == sent.end() || played || trouble_ || cut_off) {
    failures_ = 0;
    return std::nullopt;
  }
  if (++failures_ <= kFailuresMax) return std::nullopt;
  return Wrong{Law::kLife, NameOf(*failed) + " failed: " + failed->answer.error().Describe() +
                               "; so did others before it, and nothing more was played"};
}

}  // namespace usbtwin::sim
