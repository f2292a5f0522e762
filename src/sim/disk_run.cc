#include "sim/disk_run.h"

#include <algorithm>

namespace usbtwin::sim {

using fault::Kind;

DiskRun::DiskRun(Chooser& chooser, const RunOptions& options, Swarm swarm)
    : RunBase(chooser, options, std::move(swarm)),
      mix_(chooser_, swarm_, models_),
      reports_(player_.plan(), swarm_.profile.units.size()) {
  room_.resize(room_length_);
  Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels");
  Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens");
  Due(pause_next_, swarm_.pause_one_in, "when time passes");
}

std::string DiskRun::Waiting() const {
  if (doing_ == nullptr) return "waits to open or to close the device";
  return "waits for operation code " + Hex({doing_->cdb.bytes.data(), 1}) + " to LUN " +
         std::to_string(doing_->lun) + ", block " + std::to_string(doing_->lba) + ", for " +
         std::to_string((world_.Now() - start_).count()) + " ns, deadline " +
         std::to_string(timeout_.count()) + " ns";
}

DiskRun::~DiskRun() {
  world_.Disarm(alarm_);
}

bool DiskRun::Open() {
  NotePlayed();
  host::ScsiTransport* const transport =
      OpenStorage({.protocol = host::StorageProtocol::kBulkOnly});
  transport_ = dynamic_cast<host::BotTransport*>(transport);
  CHECK((transport_ == nullptr) == (transport == nullptr));
  if (transport_ != nullptr) transport_->set_submits_ahead(swarm_.submits_ahead);
  return transport_ != nullptr;
}

std::optional<std::string> DiskRun::JudgeOpening(const Error& error) const {
  return reports_.JudgeOpening(error);
}

bool DiskRun::NoteConnections() {
  if (!usbip_) return false;
  const bool trouble = ConnectionsFailed();
  reports_.HandleConnections(trouble);
  return trouble;
}

void DiskRun::Close() {
  blocks_.reset();
  transport_ = nullptr;
  CloseSession();
}

bool DiskRun::Reopen() {
  Close();
  return !failed() && Open();
}

// Units say first that they were reset, to whatever command comes; the script is about others.
bool DiskRun::BeginScript() {
  if (!swarm_.script) return true;
  Request ready;
  ready.cdb = scsi::TestUnitReady();
  for (int tries = 0; tries < 2 && calm_commands_ == 0; ++tries) {
    if (!Execute(ready)) return false;
  }
  if (calm_commands_ == 0)
    Fail(Law::kCompletion, "the unit is not ready, though nothing was made to go wrong");
  const Duration past = world_.Now() - TimePoint{};
  CHECK(past < swarm_.script->begins);
  return !failed() && Sleep(swarm_.script->begins - past);
}

RunResult DiskRun::Run() {
  RunReport& report = result_.report;
  report.runs = 1;
  report.block_runs = swarm_.block_device;
  const uint64_t commands = swarm_.script ? swarm_.script->writes.size() : options_.commands;
  if (usbip_) reports_.HandleFar();
  if (StartUsbIp() && Open() && BeginScript()) {
    for (command_ = 1; command_ <= commands && !failed(); ++command_) {
      if (Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens") && !Reopen()) break;
      if (transport_ == nullptr && !Reopen()) break;
      if (swarm_.block_device ? !ExecuteBlocks() : !Execute(Next())) break;
      ++report.commands;
      if (Due(pause_next_, swarm_.pause_one_in, "when time passes") &&
          !Sleep(std::chrono::microseconds(chooser_.Choose(20'000, "how long")))) {
        break;
      }
    }
  }
  if (!failed()) ReadAllBack();
  CheckLoan();
  loan_ = {};
  lent_.Clear();
  if (!stuck_) Close();
  StopUsbIp();
  Account(Ending::kTold);  // what came of a run that is stuck
  CompleteReport();
  return std::move(result_);
}

void DiskRun::ReadAllBack() {
  constexpr uint32_t kBlocks = 128;
  player_.Stop();
  if (usbip_) usbip_->pipes().Calm();
  swarm_.cancel_one_in = 0;
  reading_back_ = true;
  if (swarm_.block_device) reports_.HandleLeftBehind();
  if (!Sleep(std::chrono::minutes(2)) || !Reopen()) return;
  for (ModelDisk& model : models_) {
    Request ready;
    ready.lun = static_cast<uint8_t>(&model - models_.data());
    ready.cdb = scsi::TestUnitReady();
    // Whatever was going on ends within a few questions.
    calm_commands_ = 0;
    for (int tries = 0; tries < 20 && calm_commands_ < 2; ++tries) {
      if (transport_ == nullptr && !Reopen()) return;
      if (!Execute(ready)) return;
    }
    for (uint64_t lba = 0; lba < model.blocks_count(); lba += kBlocks) {
      Request read;
      read.kind = Request::Kind::kRead;
      read.lun = ready.lun;
      read.lba = lba;
      read.blocks = static_cast<uint32_t>(std::min<uint64_t>(kBlocks, model.blocks_count() - lba));
      read.length = read.blocks * model.block_size();
      read.cdb = scsi::Read10(lba, read.blocks);
      if (!Execute(read)) return;
      if (calm_commands_ == 0) {
        return Fail(Law::kCompletion, "LUN " + std::to_string(read.lun) + " block " +
                                          std::to_string(lba) +
                                          " cannot be read after all faults have ended");
      }
    }
  }
}

}  // namespace usbtwin::sim
