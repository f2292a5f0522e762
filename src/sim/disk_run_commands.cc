// What the host of a run does, command by command.
#include "sim/disk_run.h"

#include <algorithm>
#include <array>

namespace usbtwin::sim {

using scsi::Status;

namespace {

constexpr uint64_t kInterruptionsMax = 24;

}  // namespace

DiskRun::Request DiskRun::Next() {
  if (!swarm_.script) return Draw();
  Request request;
  request.kind = swarm_.script->writes[command_ - 1] ? Request::Kind::kWrite : Request::Kind::kRead;
  request.lba = 1;
  request.blocks = 1;
  request.length = models_[0].block_size();
  request.cdb = scsi::Read10(request.lba, request.blocks);
  if (request.kind == Request::Kind::kWrite) {
    request.cdb = scsi::Write10(request.lba, request.blocks);
    request.out = request.writes = true;
    request.version = models_[0].FillNew(request.lba, MutableBytes(room_).first(request.length));
  }
  return request;
}

std::optional<DiskRun::Interruption> DiskRun::DrawCancel() {
  if (!swarm_.script) {
    if (!Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels")) return std::nullopt;
    // A command is a few transfers and a few operations of a store; in eighths of the longest.
    Duration longest = std::max(swarm_.link_latency, swarm_.store_latency);
    if (usbip_) longest = std::max(longest, swarm_.usbip->delay_max);
    const uint64_t choice = chooser_.Choose(kInterruptionsMax, "how soon it is cancelled");
    if (longest == Duration(0)) return Interruption{.steps = choice};
    return Interruption{.after = longest * choice / 8};
  }
  if (command_ != 1 || swarm_.script->interruptions_max == 0) return std::nullopt;
  const uint64_t choice =
      chooser_.Choose(swarm_.script->interruptions_max + 2, "when it is cancelled");
  if (choice == 0) return std::nullopt;
  return Interruption{.after = swarm_.link_latency * (choice - 1)};
}

Duration DiskRun::DrawWait() {
  if (swarm_.script) return 100 * swarm_.link_latency;
  return std::chrono::microseconds(chooser_.Choose(200'000, "how long to wait"));
}

Duration DiskRun::DrawTimeout() {
  if (!swarm_.script || command_ != 1) return swarm_.command_timeout;
  const auto choice =
      static_cast<int64_t>(chooser_.Choose(swarm_.script->interruptions_max + 1, "its deadline"));
  return choice == 0 ? swarm_.command_timeout : swarm_.link_latency * choice;
}

DiskRun::Request DiskRun::Draw() {
  Request request;
  request.lun = static_cast<uint8_t>(chooser_.Choose(models_.size(), "which unit"));
  const uint64_t what = chooser_.Choose(100, "which command");
  if (what < swarm_.reads_percent) {
    request.kind = Request::Kind::kRead;
  } else if (what < swarm_.reads_percent + swarm_.writes_percent) {
    request.kind = Request::Kind::kWrite;
  } else {
    static constexpr std::array<Request::Kind, 9> kRest{
        Request::Kind::kSynchronize, Request::Kind::kSynchronize, Request::Kind::kVerify,
        Request::Kind::kCapacity,    Request::Kind::kOther,       Request::Kind::kOther,
        Request::Kind::kOther,       Request::Kind::kOther,       Request::Kind::kOdd};
    request.kind = kRest[chooser_.Choose(kRest.size(), "which other command")];
  }
  Build(request);
  return request;
}

void DiskRun::DrawRange(Request& request) {
  const ModelDisk& model = models_[request.lun];
  const uint64_t exponent = chooser_.Choose(swarm_.blocks_exponent_max + 1, "how long");
  const uint64_t blocks_max = std::min(uint64_t{1} << exponent, model.blocks_count());
  request.blocks = static_cast<uint32_t>(chooser_.Between(1, blocks_max, "how many blocks"));
  request.lba = chooser_.Choose(model.blocks_count() - request.blocks + 1, "which block");
  request.length = request.blocks * model.block_size();
}

void DiskRun::Build(Request& request) {
  switch (request.kind) {
    case Request::Kind::kRead: {
      DrawRange(request);
      const uint64_t form = chooser_.Choose(16, "which form");
      request.lent = form % 2 == 1 && !usbip_;  // USB/IP lends nothing
      request.force_unit_access = form >= 13;
      const scsi::Caching caching{.force_unit_access = request.force_unit_access};
      request.cdb = form % 8 == 0             ? scsi::Read16(request.lba, request.blocks)
                    : form == 2 || form == 14 ? scsi::Read12(request.lba, request.blocks, caching)
                    : form % 8 == 4           ? scsi::Read6(request.lba, request.blocks)
                    : form == 13              ? scsi::Read16(request.lba, request.blocks, caching)
                                              : scsi::Read10(request.lba, request.blocks, caching);
      return;
    }
    case Request::Kind::kWrite: return BuildWrite(request);
    case Request::Kind::kSynchronize:
      request.cdb = scsi::SynchronizeCache10(0, 0);
      if (chooser_.Choose(4, "which form") != 0) return;
      DrawRange(request);
      request.length = 0;
      request.cdb = scsi::SynchronizeCache16(request.lba, request.blocks);
      return;
    case Request::Kind::kVerify:
      DrawRange(request);
      request.length = 0;
      request.cdb = scsi::Verify10(request.lba, request.blocks, false);
      return;
    case Request::Kind::kCapacity:
      request.cdb = scsi::ReadCapacity10();
      request.length = 8;
      if (chooser_.Choose(4, "which form") != 0) return;
      request.cdb = scsi::ReadCapacity16(32);
      request.length = 32;
      return;
    case Request::Kind::kOther: return BuildQuestion(request);
    case Request::Kind::kOdd: return BuildOdd(request);
  }
}

void DiskRun::BuildWrite(Request& request) {
  DrawRange(request);
  const uint64_t form = chooser_.Choose(16, "which form");
  request.force_unit_access = form >= 13 || form == 1;
  request.out = request.writes = true;
  const scsi::Caching caching{.force_unit_access = request.force_unit_access};
  request.cdb = form % 8 == 0             ? scsi::Write16(request.lba, request.blocks)
                : form == 2 || form == 14 ? scsi::Write12(request.lba, request.blocks, caching)
                : form % 8 == 4           ? scsi::Write6(request.lba, request.blocks)
                : form == 13              ? scsi::Write16(request.lba, request.blocks, caching)
                                          : scsi::Write10(request.lba, request.blocks, caching);
  request.version =
      models_[request.lun].FillNew(request.lba, MutableBytes(room_).first(request.length));
}

// What a sane host seldom says: ranges that end nowhere or hold nothing, and what nobody knows.
void DiskRun::BuildOdd(Request& request) {
  const uint64_t blocks_count = models_[request.lun].blocks_count();
  const uint64_t past = blocks_count + chooser_.Choose(8, "how far past the end");
  const auto blocks = static_cast<uint32_t>(chooser_.Between(1, 256, "how many blocks"));
  const ExpectedSense out_of_range{scsi::SenseKey::kIllegalRequest, 0x21, 0x00, Place::kFirst};
  switch (chooser_.Choose(10, "which odd command")) {
    case 0: request.cdb = scsi::Read10(0, 0); return;
    case 1: request.cdb = scsi::Verify10(blocks_count - 1, 0, false); return;
    case 2:
      request.cdb = scsi::Write10(blocks_count, 0);
      request.writes = true;
      return;
    case 3:
      request.needs_medium = false;
      request.cdb = scsi::StartStopUnit({.start = true});
      return;
    case 4:
      request.needs_medium = false;
      request.cdb = scsi::TestUnitReady();
      request.cdb.bytes[0] = 0xc1;  // vendor specific
      request.refusal =
          ExpectedSense{scsi::SenseKey::kIllegalRequest, 0x20, 0x00, Place::kNone, true};
      return;
    case 5:
      request.needs_medium = false;
      request.lun = static_cast<uint8_t>(chooser_.Between(models_.size(), 15, "which absent unit"));
      request.refusal = ExpectedSense{scsi::SenseKey::kIllegalRequest, 0x25, 0x00};
      request.cdb = scsi::TestUnitReady();
      return;
    case 6: request.cdb = scsi::Verify10(past, blocks, false); break;
    case 7: request.cdb = scsi::SynchronizeCache10(past, blocks); break;
    case 8:
      request.cdb = scsi::Read10(past, blocks);
      request.length = blocks * models_[request.lun].block_size();
      break;
    default:
      request.cdb = scsi::Write10(past, blocks);
      request.length = blocks * models_[request.lun].block_size();
      request.out = request.writes = true;
      break;
  }
  request.refusal = out_of_range;
  request.lba = past;
  request.blocks = blocks;
  request.refusal_block = past;
}

void DiskRun::BuildQuestion(Request& request) {
  const uint64_t question = chooser_.Choose(6, "which question");
  request.needs_medium = question == 0;
  switch (question) {
    case 0: request.cdb = scsi::TestUnitReady(); return;
    case 1:
      request.cdb = scsi::Inquiry(false, 0, 36);
      request.length = 36;
      return;
    case 2:
      request.cdb = scsi::ModeSense6({.page = 0x3f, .allocation_length = 192});
      request.length = 192;
      return;
    case 3:
      request.cdb = scsi::Inquiry(true, 0x80, 64);  // the serial number
      request.length = 64;
      return;
    case 4:
      request.cdb = scsi::RequestSense(false, 18);
      request.length = 18;
      return;
    default:
      request.cdb = scsi::ReportLuns(0, 64);
      request.length = 64;
      return;
  }
}

void DiskRun::Interrupt(const Interruption& interruption) {
  alarm_.cancelled = &*command_job_;
  if (interruption.steps == 0) {
    return world_.Arm(alarm_, world_.Now() + interruption.after);
  }
  for (uint64_t step = 0; step < interruption.steps && !command_job_->done(); ++step) {
    if (!world_.Step()) break;
  }
  if (!command_job_->done()) alarm_.Cancel();
}

bool DiskRun::Execute(const Request& request) {
  timeout_ = DrawTimeout();
  host::ScsiRequest sent{.lun = request.lun, .cdb = request.cdb.view(), .timeout = timeout_};
  const MutableBytes room = MutableBytes(room_).first(request.length);
  if (request.out) {
    sent.out = room;
  } else {
    sent.in_length = request.length;
    request.lent ? void(sent.lent = &lent_) : void(sent.in = room);
    // What a short answer leaves is not what was there before.
    if (!request.lent) std::fill(room.begin(), room.end(), uint8_t{0xa5});
  }
  NotePlayed();
  start_ = world_.Now();
  bytes_read_before_ =
      request.kind == Request::Kind::kVerify ? system_.stores()[request.lun]->bytes_read() : 0;
  doing_ = &request;
  auto& job = command_job_.emplace(world_, transport_->Execute(sent));
  const std::optional<Interruption> cancelled = DrawCancel();
  cancelled_ = cancelled.has_value();
  hurried_ = timeout_ != swarm_.command_timeout;
  alarm_.when_cancelled = kNever;
  if (cancelled) Interrupt(*cancelled);
  if (!Finish(job, "a command")) return false;
  doing_ = nullptr;
  if (cancelled) {
    alarm_.cancelled = nullptr;
    world_.Disarm(alarm_);
  }
  const Result<host::ScsiResult> answer = job.result();
  command_job_.reset();
  Digest(request, answer);
  const bool good = answer && answer->status == Status::kGood;
  Judge(request, answer);
  const bool played = player_.serial() != serial_before_;
  serial_before_ = player_.serial();
  if (!good) {
    calm_commands_ = 0;
    // What the ladder's last rung did not mend is for the caller: close and open.
    if (!answer && transport_->last_rung() == bot::Rung::kReopen) transport_ = nullptr;
    if (!Sleep(DrawWait())) return false;
  } else if (cancelled || played) {
    calm_commands_ = 0;
  } else {
    ++calm_commands_;
  }
  return !failed();
}

}  // namespace usbtwin::sim
