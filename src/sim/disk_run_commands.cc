// What the host of a run does, command by command.
#include "sim/disk_run.h"

#include <algorithm>
#include <array>

namespace usbtwin::sim {

using scsi::Status;

namespace {

constexpr uint64_t kInterruptionsMax = 24;

}  // namespace

Request DiskRun::Next() {
  if (!swarm_.script) return mix_.Draw(room_);
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
