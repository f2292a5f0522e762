#include "sim/report_judge.h"

#include <algorithm>
#include <array>

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;
using scsi::SenseKey;

namespace {

constexpr ExpectedSense kAttention{SenseKey::kUnitAttention, 0x29, 0x00};
constexpr ExpectedSense kNothing{SenseKey::kNoSense, 0x00, 0x00};

constexpr uint8_t kRequestSense = 0x03;
constexpr uint8_t kInquiry = 0x12;
constexpr uint8_t kReportLuns = 0xa0;

// SAM-5, 5.14: carried out whatever attention waits.
bool IgnoresAttention(uint8_t opcode) {
  return opcode == kRequestSense || opcode == kInquiry || opcode == kReportLuns;
}

// Data protect is a condition of writes; the others are those of a unit that is not ready.
bool Concerns(Kind kind, const SentCommand& sent) {
  return kind == Kind::kDataProtect ? sent.writes : sent.needs_medium;
}

std::string Codes(SenseKey key, uint8_t asc, uint8_t ascq) {
  const std::array<uint8_t, 3> codes{static_cast<uint8_t>(key), asc, ascq};
  return Hex(codes, '/');
}

std::string Describe(const scsi::Sense& sense) {
  std::string text = Codes(sense.key, sense.asc, sense.ascq);
  if (sense.information_valid) text += " with block " + std::to_string(sense.information);
  if (sense.deferred) text += ", deferred";
  if (sense.field_valid) text += ", which points at a field";
  return text;
}

}  // namespace

ReportJudge::ReportJudge(const fault::Plan& plan, size_t units_count)
    : plan_(plan), units_count_(units_count), units_(kLunsMax) {
  CHECK_LE(units_count, kLunsMax);
  for (size_t lun = units_count; lun < kLunsMax; ++lun) units_[lun].attention = false;
}

ReportJudge::Causes ReportJudge::CausesIn(std::span<const Injection> played) {
  Causes causes;
  for (const Injection& injection : played) causes.set(static_cast<size_t>(injection.kind));
  return causes;
}

Duration ReportJudge::DelayOf(Kind kind) const {
  Duration delay{};
  for (const fault::Rule& rule : plan_.rules) {
    if (rule.kind == kind) delay = std::max(delay, rule.delay_or_default());
  }
  return delay;
}

void ReportJudge::HandleReset() {
  for (size_t lun = 0; lun < units_count_; ++lun) units_[lun].attention = true;
}

void ReportJudge::HandlePlayed(std::span<const Injection> played) {
  streak_ |= CausesIn(played);
  if (!played.empty()) {
    undisturbed_ = false;
    errors_ = 0;
  }
  for (const Injection& injection : played) {
    if (ExpectedOf(injection.kind).resets) HandleReset();
  }
}

void ReportJudge::HandleConnections(bool trouble) {
  trouble_ = trouble;
  if (!trouble) return;
  connection_lost_ = true;
  undisturbed_ = false;
  errors_ = 0;
  HandleReset();
}

void ReportJudge::Enter(const SentCommand& sent, std::span<const Injection> played) {
  if (played.empty()) return;
  HandlePlayed(played);
  Unit& unit = units_[sent.lun];
  for (const Injection& injection : played) {
    const Kind kind = injection.kind;
    if (kind != Kind::kNotReady && kind != Kind::kDataProtect && kind != Kind::kMediumRemoved) {
      continue;
    }
    std::erase_if(unit.lasting, [kind](const Lasting& lasting) { return lasting.kind == kind; });
    unit.lasting.push_back({kind, injection.when + DelayOf(kind)});
  }
}

void ReportJudge::Leave(const SentCommand& sent, std::span<const Injection> played,
                        const Result<host::ScsiResult>& answer) {
  Unit& unit = units_[sent.lun];
  const bool good = answer && answer->status == scsi::Status::kGood;
  undisturbed_ = good && played.empty() && answer->recoveries == 0 && !trouble_;
  if (good) left_behind_ = false;
  maybe_lost_ = false;
  if (good && played.empty()) streak_.reset();
  if (good && !trouble_) connection_lost_ = false;
  if (good && !IgnoresAttention(sent.opcode)) unit.attention = false;
  if (good || (answer && answer->sense_valid)) {
    unit.kept.clear();
  } else {
    const Causes causes = CausesIn(played);
    for (const Told& told : Refusals(sent, causes)) unit.kept.push_back(told);
  }
  if (!answer || !answer->sense_valid || answer->sense.key != SenseKey::kUnitAttention) return;
  const auto resets = [](const Injection& injection) {
    return ExpectedOf(injection.kind).resets || injection.kind == Kind::kUnitAttention;
  };
  if (std::none_of(played.begin(), played.end(), resets)) unit.attention = false;
}

std::vector<ReportJudge::Told> ReportJudge::Refusals(const SentCommand& sent, Causes causes) const {
  std::vector<Told> refusals;
  const auto add = [&](const ExpectedSense& sense) {
    refusals.push_back({sense, sent.lba, sent.blocks});
  };
  for (const fault::KindInfo& info : fault::Kinds()) {
    const ExpectedReport& expected = ExpectedOf(info.kind);
    if (expected.sense && causes.test(static_cast<size_t>(info.kind))) add(*expected.sense);
  }
  // What was being written when the power failed may not have been.
  if (causes.test(static_cast<size_t>(Kind::kPowerLoss))) {
    add(*ExpectedOf(Kind::kReadError).sense);
    add(*ExpectedOf(Kind::kWriteError).sense);
  }
  const Unit& unit = units_[sent.lun];
  for (const Lasting& lasting : unit.lasting) {
    if (lasting.until > sent.start && Concerns(lasting.kind, sent)) {
      add(*ExpectedOf(lasting.kind).sense);
    }
  }
  if (unit.attention && !IgnoresAttention(sent.opcode)) add(kAttention);
  if (sent.refusal) refusals.push_back({*sent.refusal, sent.refusal_block, 1});
  return refusals;
}

std::vector<ReportJudge::Told> ReportJudge::Polled(const SentCommand& sent) const {
  const Unit& unit = units_[sent.lun];
  std::vector<Told> polled = unit.kept;
  polled.push_back({kNothing, 0, 0});
  if (unit.attention) polled.push_back({kAttention, 0, 0});
  for (const Lasting& lasting : unit.lasting) {
    if (lasting.until <= sent.start || lasting.kind == Kind::kDataProtect) continue;
    polled.push_back({*ExpectedOf(lasting.kind).sense, 0, 0});
  }
  return polled;
}

bool ReportJudge::Explains(const std::vector<Told>& allowed, const scsi::Sense& sense) {
  return std::any_of(allowed.begin(), allowed.end(), [&sense](const Told& told) {
    const ExpectedSense& expected = told.sense;
    if (sense.key != expected.key || sense.asc != expected.asc || sense.ascq != expected.ascq ||
        sense.deferred || sense.field_valid != expected.points) {
      return false;
    }
    const bool within = sense.information_valid && sense.information >= told.lba &&
                        sense.information - told.lba < told.blocks;
    switch (expected.place) {
      case Place::kNone: return !sense.information_valid;
      case Place::kFirst:
        return told.blocks == 0 ? !sense.information_valid
                                : within && sense.information == told.lba;
      case Place::kWithin: return !sense.information_valid || within;
    }
    return false;
  });
}

std::string ReportJudge::Expectation(const std::vector<Told>& allowed) {
  std::string text = "; allowed: ";
  if (allowed.empty()) return text + "none";
  for (const Told& told : allowed) {
    if (&told != &allowed.front()) text += " or ";
    text += Codes(told.sense.key, told.sense.asc, told.sense.ascq);
    if (told.blocks != 0 && told.sense.place != Place::kNone) {
      text += " with block " + std::to_string(told.lba);
    }
  }
  return text;
}

// ---- Judging ----------------------------------------------------------------------------------

std::optional<Wrong> ReportJudge::Judge(const SentCommand& sent, std::span<const Injection> played,
                                        const Result<host::ScsiResult>& answer) {
  Enter(sent, played);
  CountErrors(sent, played, answer);
  std::optional<Wrong> wrong;
  if (!answer) {
    wrong = JudgeError(sent, answer.error());
  } else if (answer->status == scsi::Status::kGood) {
    wrong = JudgeGood(sent, played, *answer);
  } else {
    wrong = JudgeRefusal(sent, played, *answer);
  }
  Leave(sent, played, answer);
  return wrong;
}

// A command that was taken back, or had too little time, says nothing about the ones to come; but
// the fault it met is the next one's to recover from.
void ReportJudge::CountErrors(const SentCommand& sent, std::span<const Injection> played,
                              const Result<host::ScsiResult>& answer) {
  const bool cut_off = sent.cancelled || sent.hurried;
  if (cut_off && !played.empty()) inherited_ = true;
  if (cut_off || trouble_) return;
  if (answer) {
    errors_ = 0;
    inherited_ = false;
  }
  if (!answer && played.empty()) ++errors_;
}

std::optional<Wrong> ReportJudge::JudgeGood(const SentCommand& sent,
                                            std::span<const Injection> played,
                                            const host::ScsiResult& answer) const {
  const std::string command = "operation code " + Hex({&sent.opcode, 1});
  if (sent.refusal) {
    return Wrong{Law::kNotice, command + " to LUN " + std::to_string(sent.lun) +
                                   " was carried out, and cannot be"};
  }
  uint32_t recoveries = 0;  // that were needed
  for (const Injection& injection : played) {
    const ExpectedReport& expected = ExpectedOf(injection.kind);
    if (expected.passing == Passing::kMay) continue;
    if (!injection.observed) continue;  // it did not reach the host
    if (expected.passing == Passing::kRecovered && ++recoveries <= answer.recoveries) continue;
    return Wrong{Law::kNotice, std::string(fault::Info(injection.kind).name) +
                                   " happened, and the host took no notice"};
  }
  const bool whole = answer.length_actual == sent.length;
  if (answer.recoveries != 0 && undisturbed_ && played.empty() && whole && !sent.cancelled) {
    return Wrong{Law::kThrift,
                 "the host recovered the device, though nothing was made to go wrong"};
  }
  return std::nullopt;
}

std::optional<Wrong> ReportJudge::JudgeError(const SentCommand& sent, const Error& error) const {
  if (error.kind == ErrorKind::kCancelled && sent.cancelled) return std::nullopt;
  if (error.kind == ErrorKind::kTimedOut && sent.hurried) return std::nullopt;
  const std::string failed = "operation code " + Hex({&sent.opcode, 1}) + " failed: ";
  if (const auto wrong = JudgeBreak(error)) return Wrong{Law::kCause, failed + *wrong};
  if (errors_ <= kErrorsMax + left_behind_ + inherited_) return std::nullopt;
  return Wrong{Law::kLife, failed + error.Describe() + "; so did " + std::to_string(errors_ - 1) +
                               " before it, and nothing more was played"};
}

std::optional<std::string> ReportJudge::JudgeOpening(const Error& error) const {
  if (far_ && error.kind == ErrorKind::kBusy) return std::nullopt;
  return JudgeBreak(error);
}

std::optional<std::string> ReportJudge::JudgeBreak(const Error& error) const {
  const bool behind = error.kind == ErrorKind::kTimedOut || error.kind == ErrorKind::kStalled ||
                      error.kind == ErrorKind::kProtocol || error.kind == ErrorKind::kOverflow;
  if (left_behind_ && behind) return std::nullopt;
  if (maybe_lost_ && error.kind == ErrorKind::kDisconnected) return std::nullopt;
  const bool lost = error.kind == ErrorKind::kDisconnected || error.kind == ErrorKind::kTimedOut;
  if (connection_lost_ && lost) return std::nullopt;
  std::string names;
  for (const fault::KindInfo& info : fault::Kinds()) {
    if (!streak_.test(static_cast<size_t>(info.kind))) continue;
    if (ExpectedOf(info.kind).allows(error.kind)) return std::nullopt;
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return error.Describe() +
         (names.empty() ? "; nothing was made to go wrong" : "; all that was played: " + names);
}

std::vector<scsi::Sense> ReportJudge::Readings(std::span<const Injection> played,
                                               const host::ScsiResult& answer) const {
  std::vector<scsi::Sense> readings{answer.sense};
  std::array<uint8_t, 32> bytes = answer.sense_bytes;
  for (const Injection& injection : played) {
    if (injection.kind != Kind::kCorruptIn || injection.moment != fault::Moment::kDataIn) continue;
    const uint32_t bit = plan_.rules[injection.rule].value_or_default();
    if (bit / 8 >= answer.sense_length) continue;
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    const auto sense = scsi::ParseSense(Bytes(bytes).first(answer.sense_length));
    if (sense) readings.push_back(*sense);
  }
  return readings;
}

std::optional<Wrong> ReportJudge::JudgeRefusal(const SentCommand& sent,
                                               std::span<const Injection> played,
                                               const host::ScsiResult& answer) const {
  const Causes causes = CausesIn(played);
  const auto any = [](const Causes& of, const auto& what) {
    return std::any_of(fault::Kinds().begin(), fault::Kinds().end(), [&](const auto& info) {
      return of.test(static_cast<size_t>(info.kind)) && what(ExpectedOf(info.kind));
    });
  };
  const bool mute =
      any(causes, [](const ExpectedReport& expected) { return expected.fails_mutely; });
  const bool hidden =
      sent.cancelled || sent.hurried || connection_lost_ ||
      any(streak_, [](const ExpectedReport& expected) { return expected.hides_sense; });
  std::vector<Told> allowed = Refusals(sent, causes);
  if (!answer.sense_valid) {
    const bool explained = hidden && (mute || !allowed.empty());
    if (explained) return std::nullopt;
  } else {
    if (mute) {
      const std::vector<Told> polled = Polled(sent);
      allowed.insert(allowed.end(), polled.begin(), polled.end());
    }
    for (const scsi::Sense& sense : Readings(played, answer)) {
      if (Explains(allowed, sense)) return std::nullopt;
    }
  }
  return Wrong{Law::kCause,
               "operation code " + Hex({&sent.opcode, 1}) + " to LUN " + std::to_string(sent.lun) +
                   " was refused with " +
                   (answer.sense_valid ? "sense " + Describe(answer.sense) : "no sense") +
                   Expectation(allowed)};
}

std::optional<Wrong> ReportJudge::JudgeSenseData(const SentCommand& sent,
                                                 const std::optional<scsi::Sense>& sense) {
  const std::vector<Told> allowed = Polled(sent);
  if (!sense || !Explains(allowed, *sense)) {
    return Wrong{Law::kCause, "REQUEST SENSE of LUN " + std::to_string(sent.lun) + " brought " +
                                  (sense ? "sense " + Describe(*sense) : "no sense") +
                                  Expectation(allowed)};
  }
  // One that was kept says nothing of the one that waits.
  Unit& unit = units_[sent.lun];
  const bool waited = unit.kept.empty();
  if (waited && sense->key == SenseKey::kUnitAttention) unit.attention = false;
  return std::nullopt;
}

}  // namespace usbtwin::sim
