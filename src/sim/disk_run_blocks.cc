// A run whose host has a unit as blocks (host/block_device.h): that sends commands again where it
// may, so its caller sees much less of what was played, and may expect more.
#include <algorithm>

#include "sim/disk_run.h"

namespace usbtwin::sim {

using fault::Kind;
using host::BlockError;
using host::BlockResult;

namespace {

constexpr uint8_t kSynchronizeCache10 = 0x35;

// How long errors may go on after the last fault: two deadlines for an endpoint that is silent, a
// device that comes back, and the pauses between calls.
constexpr Duration kErrorsMax = std::chrono::seconds(15);

constexpr Duration kLastingMax = std::chrono::milliseconds(300);

// That what was written before may be lost: once, by a flush. One that finds no device tries again.
bool TellsLoss(const BlockError& error) {
  return error.opcode == kSynchronizeCache10 && error.kind == BlockError::Kind::kTransport &&
         error.error.kind == ErrorKind::kDisconnected && error.attempts_count == 1;
}

// What a block device must do its work in spite of, where it is all that happens.
bool IsMended(Kind kind) {
  switch (kind) {
    case Kind::kSilent:
    case Kind::kClaimFails:
    case Kind::kConfigureFails:
    case Kind::kOpenFails:
    case Kind::kResetFails:
    case Kind::kDisconnect:
    case Kind::kPowerLoss:
    case Kind::kCorruptIn:
    case Kind::kCorruptOut:
    case Kind::kRecoveredError:
    case Kind::kIllegalRequest:
    case Kind::kDataProtect:
    case Kind::kBlankCheck:
    case Kind::kVendorSpecific:
    case Kind::kCopyAborted:
    case Kind::kVolumeOverflow:
    case Kind::kMiscompare:
    case Kind::kMediumRemoved:
    case Kind::kLyingCapacity:
    case Kind::kNoSpace: return false;
    default: return true;
  }
}

}  // namespace

bool DiskRun::FinishBlocks(async::Task<BlockResult> task, const char* what) {
  NotePlayed();
  start_ = world_.Now();
  blocks_job_ = std::make_unique<async::Job<BlockResult>>(world_, std::move(task));
  return Finish(*blocks_job_, what);
}

bool DiskRun::OpenBlocks() {
  at_risk_ = risk_taken_ = unflushed_ = false;  // a new one knows of no writes
  blocks_ = std::make_unique<host::BlockDevice>(
      *transport_, host::BlockDeviceOptions{.command_length_max = 1 << 20,
                                            .command_timeout = swarm_.command_timeout,
                                            .flush_timeout = swarm_.command_timeout});
  if (!FinishBlocks(blocks_->Open(), "opening a block device")) return false;
  const BlockResult opened = blocks_job_->result();
  const ModelDisk& model = models_[0];
  const host::BlockFacts& facts = blocks_->facts();
  const bool right =
      facts.block_size == model.block_size() && facts.blocks_count == model.blocks_count();
  if (opened && !right && !Injected(Kind::kLyingCapacity) && !Injected(Kind::kCorruptIn)) {
    Fail(Law::kData, "the block device has " + std::to_string(facts.blocks_count) + " blocks of " +
                         std::to_string(facts.block_size) + " bytes; the unit has " +
                         std::to_string(model.blocks_count()) + " of " +
                         std::to_string(model.block_size()));
  }
  JudgeBlocks({}, opened);
  if (!opened || !right) Close();
  return !failed();
}

async::Task<BlockResult> DiskRun::Ask(const Request& request, MutableBytes room) {
  const scsi::Caching caching{.force_unit_access = request.force_unit_access};
  switch (request.kind) {
    case Request::Kind::kRead: return blocks_->Read(request.lba, room, caching);
    case Request::Kind::kWrite: return blocks_->Write(request.lba, room, caching);
    case Request::Kind::kVerify: return blocks_->Verify(request.lba, request.blocks);
    default: return blocks_->Flush();
  }
}

bool DiskRun::ExecuteBlocks() {
  if (blocks_ == nullptr && !OpenBlocks()) return false;
  if (blocks_ == nullptr) return Sleep(DrawWait());
  Request request;
  const uint64_t what = chooser_.Choose(100, "which call");
  request.kind = what < swarm_.reads_percent ? Request::Kind::kRead
                 : what < swarm_.reads_percent + swarm_.writes_percent
                     ? Request::Kind::kWrite
                     : (what % 2 == 0 ? Request::Kind::kSynchronize : Request::Kind::kVerify);
  const MutableBytes all = room_;
  if (request.kind != Request::Kind::kSynchronize) mix_.DrawRange(request);
  const MutableBytes room = all.first(request.length);
  if (request.kind == Request::Kind::kRead) std::fill(room.begin(), room.end(), uint8_t{0xa5});
  if (request.kind == Request::Kind::kWrite) {
    request.version = models_[0].FillNew(request.lba, room);
  }
  request.force_unit_access = request.length != 0 && chooser_.Choose(16, "whether forced") == 15;
  bytes_read_before_ = system_.stores()[0]->bytes_read();
  if (!FinishBlocks(Ask(request, room), "a call of a block device")) return false;
  const BlockResult answer = blocks_job_->result();
  JudgeBlocks(request, answer);
  if (answer || failed()) return !failed();
  if (chooser_.Choose(4, "whether the host opens the device anew") == 3) Close();
  return !failed() && Sleep(DrawWait());
}

void DiskRun::JudgeBlocks(const Request& request, const BlockResult& answer) {
  const bool trouble = NoteConnections();
  reports_.HandlePlayed(Injections());
  reports_.HandleReset();
  if (trouble || !Injections().empty()) last_played_ = world_.Now();
  ModelDisk& model = models_[0];
  if (request.kind == Request::Kind::kWrite) {
    unflushed_ = true;
    model.HandleMaybeWritten(request.lba, request.blocks, request.version);
  }
  if (Injected(Kind::kPowerLoss)) {
    ++result_.report.power_losses;
    for (ModelDisk& any : models_) any.HandlePowerLoss();
    risk_taken_ = risk_taken_ || at_risk_;
  }
  if (request.kind == Request::Kind::kWrite && Injected(Kind::kCorruptOut)) {
    model.HandleSpoilt(request.lba, 1);
  }
  if (answer) JudgeBlocksGood(request);
  if (request.kind == Request::Kind::kSynchronize) NoteFlushed(answer);
  if (!answer && !trouble) JudgeBlocksError(answer.error());
  result_.report.good += answer.has_value();
  calm_commands_ = answer && !trouble && Injections().empty() ? calm_commands_ + 1 : 0;
  if (!player_.injections().empty()) Account(answer ? Ending::kWell : Ending::kTold);
  serial_before_ = player_.serial();
  Mix(uint64_t{static_cast<uint8_t>(request.kind)} << 32 | request.length);
  Mix(request.lba);
  Mix(static_cast<uint64_t>(world_.Now().ns));
  Mix(answer ? 0 : 1 + answer.error().attempts_count);
}

void DiskRun::JudgeBlocksGood(const Request& request) {
  ModelDisk& model = models_[0];
  RunReport& report = result_.report;
  if (request.kind == Request::Kind::kVerify) return JudgeVerify(request);
  if (request.kind == Request::Kind::kWrite) {
    ++report.writes;
    report.blocks_moved += request.blocks;
    const bool through = request.force_unit_access || !swarm_.profile.units[0].disk.write_cache;
    model.HandleWritten(request.lba, request.blocks, request.version, through);
    if (Injected(Kind::kCorruptOut)) model.HandleSpoilt(request.lba, 1);
    at_risk_ = at_risk_ || !request.force_unit_access;
  }
  if (request.kind != Request::Kind::kRead) return;
  ++report.reads;
  report.blocks_moved += request.blocks;
  if (const auto wrong = CheckRead(request)) Fail(Law::kData, "block device: " + *wrong);
  if (request.force_unit_access) model.HandleSynchronised(request.lba, request.blocks);
}

// The data is that of the last sending of the command, and whether that is the one whose bit was
// flipped, or one of those before, is not known here: either will do. The swarm flips bits of the
// first block alone.
std::optional<std::string> DiskRun::CheckRead(const Request& request) {
  ModelDisk& model = models_[0];
  const uint32_t block_size = model.block_size();
  const Bytes bytes = Bytes(room_).first(request.length);
  if (!Injected(Kind::kCorruptIn)) return model.Check(request.lba, bytes);
  if (auto wrong = model.Check(request.lba + 1, bytes.subspan(block_size))) return wrong;
  auto wrong = model.Check(request.lba, bytes.first(block_size));
  for (const fault::Injection& injection : Injections()) {
    if (!wrong) return wrong;
    if (injection.kind != Kind::kCorruptIn) continue;
    std::vector<uint8_t> block(bytes.begin(), bytes.begin() + block_size);
    Unflip(injection, block);
    wrong = model.Check(request.lba, block);
  }
  return wrong;
}

// A flush that ends well says that all that was written is there.
void DiskRun::NoteFlushed(const BlockResult& answer) {
  if (answer && risk_taken_) {
    return Fail(Law::kNotice,
                "a flush ended well after a power loss may have taken what was written before it");
  }
  if (answer) models_[0].HandleSynchronised();
  const bool told = !answer && TellsLoss(answer.error());
  if (told && !unflushed_) {
    return Fail(Law::kCause, "a flush told of a loss, and there was nothing to lose");
  }
  if (answer || told) at_risk_ = risk_taken_ = unflushed_ = false;
}

void DiskRun::JudgeBlocksError(const BlockError& error) {
  if (TellsLoss(error)) return;
  const auto injections = Injections();
  // Data protect is a condition of writes for a while, whatever reads have done meanwhile.
  const bool lasts = error.kind == BlockError::Kind::kSense &&
                     error.sense.key == scsi::SenseKey::kDataProtect &&
                     start_ - last_played_ <= kLastingMax;
  if (injections.empty() && calm_commands_ != 0 && !lasts) {
    return Fail(Law::kCause, "block device: " + error.Describe() + "; nothing was played");
  }
  if (world_.Now() - last_played_ > kErrorsMax) {
    return Fail(Law::kLife, "block device: " + error.Describe() + ", long after the last fault");
  }
  const bool lone =
      calm_commands_ != 0 && injections.size() == 1 && injections[0].observed && !lasts;
  if (!lone || !IsMended(injections[0].kind)) return;
  Fail(Law::kThrift, std::string("block device: ") + fault::Info(injections[0].kind).name +
                         " alone must be mended, and led to: " + error.Describe());
}

}  // namespace usbtwin::sim
