// Whether what the host was told is allowed.
#include "sim/disk_run.h"

#include <algorithm>

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;
using scsi::SenseKey;
using scsi::Status;

std::span<const Injection> DiskRun::Injections() const {
  const std::vector<Injection>& all = player_.injections();
  const auto first = std::find_if(all.begin(), all.end(), [this](const Injection& injection) {
    return injection.serial > serial_before_;
  });
  return {first, all.end()};
}

bool DiskRun::Injected(Kind kind) const {
  const auto injections = Injections();
  return std::any_of(injections.begin(), injections.end(),
                     [kind](const Injection& injection) { return injection.kind == kind; });
}

void DiskRun::Judge(const Request& request, const Result<host::ScsiResult>& answer) {
  RunReport& report = result_.report;
  const bool good = answer && answer->status == Status::kGood;
  if (!answer || answer->recoveries != 0) {
    ++report.rungs[static_cast<size_t>(transport_->last_rung())];
  }
  if (good) JudgeUnnoticed(*answer);
  if (!good) JudgeFailure(request, answer);
  if (request.kind == Request::Kind::kWrite) {
    JudgeWrite(request, answer);
  } else if (good) {
    JudgeData(request, *answer);
  }
  if (request.kind == Request::Kind::kSynchronize && good) {
    models_[request.lun].HandleSynchronised();
  }
  if (player_.injected() != injected_before_) {
    if (Injected(Kind::kPowerLoss)) {
      for (ModelDisk& model : models_) model.HandlePowerLoss();
    }
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

void DiskRun::JudgeData(const Request& request, const host::ScsiResult& answer) {
  const uint32_t residue = std::min(answer.residue, request.length);
  const uint32_t valid = std::min(answer.length_actual, request.length - residue);
  const bool exact =
      request.kind == Request::Kind::kRead || request.kind == Request::Kind::kCapacity;
  if (exact && valid != request.length && Injections().empty()) {
    return Fail("operation code " + Hex({&request.cdb.bytes[0], 1}) + " brought " +
                std::to_string(valid) + " of " + std::to_string(request.length) +
                " bytes though nothing was made to go wrong");
  }
  if (request.kind == Request::Kind::kCapacity) {
    ModelDisk& model = models_[request.lun];
    if (valid != 8 || Injected(Kind::kLyingCapacity) || Injected(Kind::kCorruptIn)) return;
    const auto be = [this](size_t at) {
      return uint32_t{room_[at]} << 24 | uint32_t{room_[at + 1]} << 16 |
             uint32_t{room_[at + 2]} << 8 | room_[at + 3];
    };
    if (be(0) == model.blocks_count() - 1 && be(4) == model.block_size()) return;
    return Fail("LUN " + std::to_string(request.lun) + " says that its last block is " +
                std::to_string(be(0)) + " of " + std::to_string(be(4)) + " bytes");
  }
  if (request.kind != Request::Kind::kRead) return;
  ModelDisk& model = models_[request.lun];
  const uint32_t blocks = valid / model.block_size();
  if (!reading_back_) {
    ++result_.report.reads;
    result_.report.blocks_moved += blocks;
  }
  // A bit that the swarm flipped is among the first 64 of a transfer: in the first block.
  const bool spoilt = Injected(Kind::kCorruptIn);
  std::optional<std::string> wrong;
  const auto judge = [&](uint64_t lba, Bytes bytes) {
    if (spoilt && lba == request.lba && !bytes.empty()) {
      ++lba;
      bytes = bytes.subspan(model.block_size());
    }
    if (!wrong) wrong = model.Check(lba, bytes);
  };
  if (!request.lent) {
    judge(request.lba, Bytes(room_).first(size_t{blocks} * model.block_size()));
  } else {
    uint64_t lba = request.lba;
    uint32_t left = blocks * model.block_size();
    lent_.ForEach([&](Bytes piece) {
      // The units' stores lend whole blocks; only a cut transfer ends within one.
      const Bytes whole = Take(piece, left - left % model.block_size());
      const Bytes part = whole.first(whole.size() - whole.size() % model.block_size());
      judge(lba, part);
      lba += part.size() / model.block_size();
      left -= static_cast<uint32_t>(part.size());
    });
    KeepLoan();
  }
  if (wrong) Fail("READ: " + *wrong);
}

void DiskRun::JudgeFailure(const Request& request, const Result<host::ScsiResult>& answer) {
  if (!answer) JudgeNeedless(answer.error());
  // An interruption may also hit the sense of what failed before it.
  if (interrupted_ || !Injections().empty()) return;
  const bool calm = calm_commands_ >= kCalm && world_.Now() - trouble_ >= kCalmTime;
  if (!calm && !player_.plan().rules.empty()) return;
  if (!answer && answer.error().kind == ErrorKind::kCancelled) return;
  if (answer && answer->sense_valid && answer->sense.key == SenseKey::kUnitAttention) return;
  std::string what =
      answer ? "status " + std::string(scsi::Name(answer->status)) : answer.error().Describe();
  if (answer && answer->sense_valid) {
    what += ", sense " + Hex(Bytes(answer->sense_bytes).first(answer->sense_length));
  }
  Fail("operation code " + Hex({&request.cdb.bytes[0], 1}) + " failed (" + what +
       ") though nothing was made to go wrong for " + std::to_string(calm_commands_) + " commands");
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

// Faults after which a good answer without any recovery means that the host believed nonsense.
void DiskRun::JudgeUnnoticed(const host::ScsiResult& answer) {
  if (answer.recoveries != 0 || player_.injected() == injected_before_) return;
  for (const Injection& injection : Injections()) {
    if (!injection.observed) continue;
    switch (injection.kind) {
      case Kind::kStallCommand:
      case Kind::kStallData:
      case Kind::kStallStatus:
      case Kind::kStallStatusTwice:
      case Kind::kWrongTag:
      case Kind::kWrongSignature:
      case Kind::kShortStatus:
      case Kind::kLongStatus:
      case Kind::kReservedStatus:
      case Kind::kPhaseError:
      case Kind::kStaleStatus:
      case Kind::kNoStatus:
      case Kind::kZeroPacket:
      case Kind::kFailedNoSense:
      case Kind::kOverflow:
      case Kind::kSilent:
        return Fail(std::string(fault::Info(injection.kind).name) +
                    " happened, and the host took no notice");
      case Kind::kResidueLie:
        if (answer.residue == 0) return Fail("the host lost the residue that the device told");
        break;
      default: break;
    }
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

void DiskRun::KeepLoan() {
  // Rarely: the copy is dearer than the command.
  if (command_ % 64 != 0) return;
  CheckLoan();
  loan_.leases.TakeFrom(lent_);
  loan_.bytes.resize(loan_.leases.length());
  loan_.leases.CopyTo(loan_.bytes);
}

void DiskRun::CheckLoan() {
  size_t offset = 0;
  loan_.leases.ForEach([&](Bytes piece) {
    if (!std::equal(piece.begin(), piece.end(), loan_.bytes.begin() + offset)) {
      Fail("bytes that were lent to a READ changed with a later write");
    }
    offset += piece.size();
  });
  loan_.leases.Clear();
}

}  // namespace usbtwin::sim
