// Whether what the host was told is allowed.
#include "sim/disk_run.h"

#include <algorithm>

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

void DiskRun::NotePlayed(Ending ending) {
  NoteConnections();
  if (usbip_) reports_.HandleReset();  // by the server, between two connections
  reports_.HandlePlayed(Injections());
  Account(ending);
  serial_before_ = player_.serial();
}

void DiskRun::Judge(const Request& request, const Result<host::ScsiResult>& answer) {
  RunReport& report = result_.report;
  const bool good = answer && answer->status == Status::kGood;
  if (!answer || answer->recoveries != 0) {
    ++report.rungs[static_cast<size_t>(transport_->last_rung())];
  }
  if (good && request.cdb.bytes[0] == kRequestSense) JudgeSense(request, *answer);
  JudgeReport(request, answer);
  if (request.kind == Request::Kind::kWrite) {
    JudgeWrite(request, answer);
  } else if (good) {
    JudgeData(request, *answer);
  }
  if (request.kind == Request::Kind::kSynchronize && good) {
    models_[request.lun].HandleSynchronised();
  }
  if (Injected(Kind::kPowerLoss)) {
    for (ModelDisk& model : models_) model.HandlePowerLoss();
  }
  if (!player_.injections().empty()) Account(EndingOf(request, answer));
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
    if (Injections().empty()) {
      Fail("a write of " + std::to_string(request.length) + " bytes moved " +
           std::to_string(answer->length_actual) + " with residue " +
           std::to_string(answer->residue) + " though nothing was made to go wrong");
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
  if (!refused || !plain) maybe();
}

SentCommand DiskRun::SentOf(const Request& request) const {
  const bool question = request.kind == Request::Kind::kOther && request.length != 0;
  return {.lun = request.lun,
          .opcode = request.cdb.bytes[0],
          .needs_medium = !question,
          .writes = request.kind == Request::Kind::kWrite,
          .lba = request.lba,
          .blocks = request.blocks,
          .length = request.length,
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
  if (trouble) return;
  if (!answer) return JudgeNeedless(answer.error());
  for (const Injection& injection : Injections()) {
    const bool lied = injection.kind == Kind::kResidueLie && injection.observed;
    if (lied && answer->status == Status::kGood && answer->recoveries == 0 &&
        answer->residue == 0) {
      Fail("the host lost the residue that the device told");
    }
  }
}

// Errors that the host need not have had.
void DiskRun::JudgeNeedless(const Error& error) {
  if (error.kind == ErrorKind::kTimedOut && world_.Now() - start_ < timeout_) {
    return Fail("timed out after " + std::to_string((world_.Now() - start_).count()) +
                " ns, before its deadline");
  }
  if (calm_commands_ == 0 || error.kind == ErrorKind::kCancelled) return;
  const auto injections = Injections();
  if (injections.size() != 1 || !injections[0].observed) return;
  switch (injections[0].kind) {
    case Kind::kStallStatus:
    case Kind::kStallData:
    case Kind::kZeroPacket:
    case Kind::kDelayRequest:
    case Kind::kDelayCompletion:
    case Kind::kReorder:
    case Kind::kSuspend:
      Fail(std::string(fault::Info(injections[0].kind).name) +
           " alone must be recovered from, and led to: " + error.Describe());
      break;
    default: break;
  }
}

DiskRun::Ending DiskRun::EndingOf(const Request& request, const Result<host::ScsiResult>& answer) {
  if (!answer && answer.error().kind == ErrorKind::kCancelled) return Ending::kCancelled;
  if (!answer || answer->status != Status::kGood) return Ending::kTold;
  // Questions are asked with more room than their answers take.
  const bool whole = request.kind == Request::Kind::kOther ||
                     (answer->length_actual == request.length && answer->residue == 0);
  return whole ? Ending::kWell : Ending::kWellAndShort;
}

// Of a good answer only what the last sending of the command met is left: what was met before was
// recovered from by sending it again.
bool DiskRun::PassedOn(const Injection& injection, Ending ending) const {
  if (ending != Ending::kWell && ending != Ending::kWellAndShort) return false;
  if (injection.serial <= serial_before_ || injection.command != player_.commands()) return false;
  switch (injection.kind) {
    case Kind::kShortIn:
    case Kind::kCorruptIn:
    case Kind::kCorruptOut:
    case Kind::kResidueLie:
    case Kind::kStatusForData:
    case Kind::kShortData:
    case Kind::kLyingCapacity: return true;
    case Kind::kStallData: return ending == Ending::kWellAndShort;
    default: return false;
  }
}

void DiskRun::Account(Ending ending) {
  for (const Injection& injection : player_.injections()) {
    if (!injection.observed) continue;
    FaultCount& count = result_.report.faults[static_cast<size_t>(injection.kind)];
    if (PassedOn(injection, ending)) {
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
  uint64_t& history = result_.report.history;
  const auto mix = [&history](uint64_t value) {
    history = (history ^ value) * 0x9e3779b97f4a7c15;
    history ^= history >> 29;
  };
  mix(uint64_t{request.cdb.bytes[0]} << 40 | uint64_t{request.lun} << 32 | request.length);
  mix(request.lba);
  mix(static_cast<uint64_t>(world_.Now().ns));
  if (!answer) return mix(static_cast<uint64_t>(answer.error().kind) + 1);
  mix(uint64_t{answer->length_actual} << 32 | answer->residue);
  mix(static_cast<uint64_t>(answer->status) << 8 | answer->recoveries);
}

}  // namespace usbtwin::sim
