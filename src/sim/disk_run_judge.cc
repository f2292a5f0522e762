// Whether what the host was told is allowed.
#include "sim/disk_run.h"

#include <algorithm>

#include "sim/lone_fault.h"

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;
using scsi::SenseKey;
using scsi::Status;

namespace {

constexpr uint8_t kRequestSense = 0x03;

}  // namespace

std::span<const Injection> DiskRun::Injections() const {
  const std::vector<Injection>& all = player_.injections();
  const auto first = std::upper_bound(
      all.begin(), all.end(), serial_before_,
      [](uint64_t serial, const Injection& injection) { return serial < injection.serial; });
  return {first, all.end()};
}

bool DiskRun::Injected(Kind kind) const {
  const auto injections = Injections();
  return std::any_of(injections.begin(), injections.end(),
                     [kind](const Injection& injection) { return injection.kind == kind; });
}

void DiskRun::NotePlayed() {
  NoteConnections();
  reports_.HandlePlayed(Injections());
  serial_before_ = player_.serial();
}

void DiskRun::NotePlayedOutside() {
  NoteConnections();
  if (usbip_) reports_.HandleReset();  // by the server, between two connections
  reports_.HandlePlayed(Injections());
  Account(Ending::kOutside);
  serial_before_ = player_.serial();
}

void DiskRun::Judge(const Request& request, const Result<host::ScsiResult>& answer) {
  RunReport& report = result_.report;
  const bool good = answer && answer->status == Status::kGood;
  if (!answer || answer->recoveries != 0) {
    ++report.rungs[static_cast<size_t>(transport_->last_rung())];
  }
  if (good && !request.lent) Unflip(MutableBytes(room_).first(request.length));
  if (good && request.cdb.bytes[0] == kRequestSense) JudgeSense(request, *answer);
  JudgeReport(request, answer);
  if (answer) JudgeLengths(request, *answer);
  if (request.kind == Request::Kind::kWrite) {
    JudgeWrite(request, answer);
  } else if (good) {
    JudgeData(request, *answer);
  }
  if (request.kind == Request::Kind::kSynchronize && good) {
    ModelDisk& model = models_[request.lun];
    request.blocks == 0 ? model.HandleSynchronised()
                        : model.HandleSynchronised(request.lba, request.blocks);
  }
  if (request.kind == Request::Kind::kRead && good && request.force_unit_access) {
    models_[request.lun].HandleSynchronised(request.lba, request.blocks);
  }
  if (Injected(Kind::kPowerLoss)) {
    ++report.power_losses;
    for (ModelDisk& model : models_) model.HandlePowerLoss();
  }
  const bool counts = command_ != 0 && !reading_back_;
  report.good += counts && good;
  const Ending ending = EndingOf(request, answer);
  report.cancelled += counts && ending == Ending::kCancelled;
  report.interrupted += counts && (cancelled_ || hurried_);
  if (!player_.injections().empty()) Account(ending);
}

void DiskRun::JudgeWrite(const Request& request, const Result<host::ScsiResult>& answer) {
  ModelDisk& model = models_[request.lun];
  const bool writes_through = !swarm_.profile.units[request.lun].disk.write_cache;
  const auto maybe = [&] {
    model.HandleMaybeWritten(request.lba, request.blocks, request.version);
    if (Injected(Kind::kCorruptOut)) model.HandleSpoilt(request.lba, 1);
  };
  if (!answer) return maybe();
  if (answer->status == Status::kGood) {
    if (answer->length_actual == request.length && answer->residue == 0) {
      ++result_.report.writes;
      result_.report.blocks_moved += request.blocks;
      model.HandleWritten(request.lba, request.blocks, request.version,
                          request.force_unit_access || writes_through);
      // The swarm flips bits among the first 32 of a transfer: those of the first block.
      if (Injected(Kind::kCorruptOut)) model.HandleSpoilt(request.lba, 1);
      return;
    }
    return maybe();
  }
  // These answers say that nothing was done, unless something else may have spoken for the unit.
  const SenseKey key = answer->sense.key;
  const bool refused =
      answer->sense_valid && (key == SenseKey::kIllegalRequest || key == SenseKey::kDataProtect ||
                              key == SenseKey::kNotReady);
  const auto injections = Injections();
  const bool plain = std::all_of(injections.begin(), injections.end(), [](const Injection& one) {
    return one.kind >= Kind::kNoSense && one.kind <= Kind::kLyingCapacity;
  });
  if (refused && plain) return;
  // A store that fails carries out nothing of what it was asked then, nor is it asked for more.
  const bool stopped =
      injections.size() == 1 && injections[0].moment == fault::Moment::kStoreWrite &&
      (injections[0].kind == Kind::kWriteError || injections[0].kind == Kind::kNoSpace) &&
      injections[0].blocks.first - request.lba < request.blocks;
  if (!stopped) return maybe();
  model.HandleMaybeWritten(request.lba, injections[0].blocks.first - request.lba, request.version);
}

SentCommand DiskRun::SentOf(const Request& request) const {
  return {.lun = request.lun,
          .opcode = request.cdb.bytes[0],
          .needs_medium = request.needs_medium,
          .writes = request.writes,
          .lba = request.lba,
          .blocks = request.blocks,
          .length = request.length,
          .length_whole = WholeLength(request),
          .refusal = request.refusal,
          .refusal_block = request.refusal_block,
          .cancelled = cancelled_,
          .hurried = hurried_,
          .start = start_};
}

void DiskRun::JudgeReport(const Request& request, const Result<host::ScsiResult>& answer) {
  const SentCommand sent = SentOf(request);
  const bool recovered = !answer || answer->recoveries != 0;
  const bool trouble = NoteConnections();
  if (recovered && transport_->last_rung() == bot::Rung::kResetPort) reports_.HandleReset();
  if (const auto wrong = reports_.Judge(sent, Injections(), answer)) Fail(*wrong);
  if (recovered && transport_->last_rung() == bot::Rung::kReopen) {
    reports_.HandleLeftBehind();
    if (answer) reports_.HandleMaybeLost();
    if (usbip_) reports_.HandleReset();
  }
  if (!trouble) JudgeLone(sent, answer);
}

void DiskRun::JudgeLone(const SentCommand& sent, const Result<host::ScsiResult>& answer) {
  const auto injections = Injections();
  const bool lone = injections.empty() || (injections.size() == 1 && injections[0].observed);
  if (calm_commands_ == 0 || !lone) return;
  const bool recovered = !answer || answer->recoveries != 0;
  Course course{.rung = recovered ? transport_->last_rung() : bot::Rung::kNone,
                .timeout = timeout_,
                .took = world_.Now() - start_,
                .latency = swarm_.link_latency + swarm_.store_latency,
                .far = usbip_.has_value(),
                .ahead = swarm_.submits_ahead};
  if (usbip_) course.latency = course.latency + swarm_.command_timeout / 4;
  if (cancelled_ && alarm_.when_cancelled != kNever) {
    course.since_cancelled = world_.Now() - alarm_.when_cancelled;
    course.steps_since_cancelled = world_.steps() - alarm_.step_cancelled;
  }
  if (!injections.empty()) {
    course.met = &injections[0];
    course.rule = &RuleOf(injections[0]);
  }
  if (const auto wrong = sim::JudgeLone(sent, course, answer)) Fail(*wrong);
}

uint32_t DiskRun::WholeLength(const Request& request) const {
  const Bytes expected = expected_data_.Find(request.lun, request.cdb.view());
  if (expected.empty()) return request.length;
  return std::min(request.length, static_cast<uint32_t>(expected.size()));
}

DiskRun::Ending DiskRun::EndingOf(const Request& request,
                                  const Result<host::ScsiResult>& answer) const {
  if (!answer && answer.error().kind == ErrorKind::kCancelled) return Ending::kCancelled;
  if (!answer || answer->status != Status::kGood) return Ending::kTold;
  const uint32_t length = WholeLength(request);
  const bool whole = answer->length_actual == length && answer->residue == request.length - length;
  return whole ? Ending::kWell : Ending::kWellAndShort;
}

// Of a good answer only what the last sending of the command met is left: what was met before was
// recovered from by sending it again.
bool DiskRun::PassedOn(const Injection& injection, Ending ending) const {
  if (ending != Ending::kWell && ending != Ending::kWellAndShort) return false;
  if (injection.serial <= serial_before_ || injection.command != player_.commands()) return false;
  if (ending == Ending::kWellAndShort) return true;
  switch (injection.kind) {
    case Kind::kShortIn:
    case Kind::kCorruptIn:
    case Kind::kCorruptOut:
    case Kind::kResidueLie:
    case Kind::kStatusForData:
    case Kind::kShortData:
    case Kind::kLyingCapacity: return true;
    default: return false;
  }
}

void DiskRun::Account(Ending ending) {
  for (const Injection& injection : player_.injections()) {
    if (!injection.observed) continue;
    FaultCount& count = result_.report.faults[static_cast<size_t>(injection.kind)];
    if (ending == Ending::kOutside) {
      ++count.outside;
    } else if (PassedOn(injection, ending)) {
      ++count.passed_on;
    } else if (ending == Ending::kCancelled) {
      ++count.cancelled;
    } else {
      ++(ending == Ending::kTold ? count.reported : count.recovered);
    }
  }
  player_.ForgetObserved();
}

void DiskRun::Digest(const Request& request, const Result<host::ScsiResult>& answer) {
  Mix(uint64_t{request.cdb.bytes[0]} << 40 | uint64_t{request.lun} << 32 | request.length);
  Mix(request.lba);
  Mix(static_cast<uint64_t>(world_.Now().ns));
  if (!answer) return Mix(static_cast<uint64_t>(answer.error().kind) + 1);
  Mix(uint64_t{answer->length_actual} << 32 | answer->residue);
  Mix(static_cast<uint64_t>(answer->status) << 8 | answer->recoveries);
}

}  // namespace usbtwin::sim
