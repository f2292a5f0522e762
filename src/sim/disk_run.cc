#include "sim/disk_run.h"

#include <algorithm>

#include "link/throttle.h"

namespace usbtwin::sim {

using fault::Kind;

void FaultCount::Add(const FaultCount& other) {
  injected += other.injected;
  observed += other.observed;
  recovered += other.recovered;
  reported += other.reported;
  passed_on += other.passed_on;
  cancelled += other.cancelled;
  outside += other.outside;
}

void UsbIpCount::Add(const UsbIpCount& other) {
  runs += other.runs;
  connections += other.connections;
  broken += other.broken;
  silenced += other.silenced;
}

void RunReport::Add(const RunReport& other) {
  runs += other.runs;
  commands += other.commands;
  reads += other.reads;
  writes += other.writes;
  blocks_moved += other.blocks_moved;
  bytes_compared += other.bytes_compared;
  good += other.good;
  cancelled += other.cancelled;
  interrupted += other.interrupted;
  opened += other.opened;
  block_runs += other.block_runs;
  power_losses += other.power_losses;
  rolled_back += other.rolled_back;
  virtual_time += other.virtual_time;
  for (size_t index = 0; index < faults.size(); ++index) {
    faults[index].Add(other.faults[index]);
  }
  usbip.Add(other.usbip);
  for (size_t index = 0; index < rungs.size(); ++index) rungs[index] += other.rungs[index];
  history = history * 0x100000001b3 ^ other.history;
}

bool DiskRun::WorldSystem::RunUntil(const std::function<bool()>& done) {
  return world_.RunUntil(done, kStepsMax).has_value();
}
Result<app::RealBus*, app::Failure> DiskRun::WorldSystem::real_bus() {
  return app::Failure{app::Failure::Kind::kCannotOpen, "a world has no real devices"};
}
// The units of a run name themselves where others name a file.
Result<std::unique_ptr<emulator::BlockStore>, app::Failure> DiskRun::WorldSystem::OpenImage(
    const std::string& path, const app::ImageOptions&) {
  for (const emulator::UnitProfile& unit : swarm_.profile.units) {
    if (unit.image_path != path) continue;
    auto store = std::make_unique<WorldStore>(world_, unit.size, swarm_.store_latency);
    stores_.push_back(store.get());
    return std::unique_ptr<emulator::BlockStore>(std::move(store));
  }
  return app::Failure{app::Failure::Kind::kCannotOpen, path + ": a world has no files"};
}
Result<std::vector<uint8_t>, app::Failure> DiskRun::WorldSystem::ReadFile(const std::string& path,
                                                                          size_t) {
  return app::Failure{app::Failure::Kind::kFile, path + ": a world has no files"};
}
Result<std::unique_ptr<ByteSink>, app::Failure> DiskRun::WorldSystem::CreateFile(
    const std::string& path) {
  return app::Failure{app::Failure::Kind::kFile, path + ": a world has no files"};
}

void DiskRun::SlowBus::Open(usb::OpenOp& op) {
  op.Push(*this);
  inner_.Open(op);
}
void DiskRun::SlowBus::OnDone(usb::OpenOp& op, uint64_t) {
  if (op.result) {
    usb::LinkStack& stack = *op.result;
    stack.owned.push_back(std::make_unique<link::Throttle>(
        clock_, *stack.top, link::ThrottleOptions{.latency = latency_}));
    stack.top = stack.owned.back().get();
  }
  op.Complete();
}

DiskRun::DiskRun(Chooser& chooser, const RunOptions& options)
    : chooser_(chooser),
      options_(options),
      world_(chooser),
      swarm_(DrawSwarm(chooser, options.swarm)),
      system_(world_, swarm_),
      player_(world_, chooser, swarm_.plan),
      reports_(player_.plan(), swarm_.profile.units.size()),
      expected_data_(swarm_.profile) {
  auto twin = app::Twin::Make(system_, swarm_.profile, &player_);
  CHECK(twin.has_value());
  twin_ = std::move(*twin);
  usb::Bus* bus = &twin_->bus();
  if (swarm_.usbip) {
    usbip_.emplace(world_, *bus, twin_->id(), UsbIpPathOptions{.pipes = *swarm_.usbip});
    bus = &usbip_->bus();
  }
  if (swarm_.link_latency != Duration(0)) {
    slow_bus_ = std::make_unique<SlowBus>(world_, *bus, swarm_.link_latency);
    bus = slow_bus_.get();
  }
  fault_bus_ = std::make_unique<link::FaultBus>(world_, *bus, player_);
  if (options_.record != nullptr)
    writer_ = std::make_unique<link::PcapWriter>(*options_.record, link::PcapFormat::kPcapng);
  bus_ = std::make_unique<app::DecoratedBus>(
      world_, *fault_bus_,
      app::Decorations{.writer = writer_.get(), .audit = true, .breaches = this});
  session_ = std::make_unique<host::Session>(world_, *bus_, usbip_ ? usbip_->id() : twin_->id());
  uint32_t block_size_max = 0;
  for (const emulator::UnitProfile& unit : swarm_.profile.units) {
    block_size_max = std::max(block_size_max, unit.disk.block_size);
    models_.emplace_back(static_cast<uint8_t>(models_.size()), unit.size / unit.disk.block_size,
                         unit.disk.block_size, swarm_.power_may_fail);
  }
  room_.resize(size_t{block_size_max} << 8);
  AddWitnesses();
  Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels");
  Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens");
  Due(pause_next_, swarm_.pause_one_in, "when time passes");
}

void DiskRun::AddWitnesses() {
  world_.AddWitness("the host", [this]() -> std::string {
    if (doing_ == nullptr) return "waits to open or to close the device";
    return "waits for operation code " + Hex({doing_->cdb.bytes.data(), 1}) + " to LUN " +
           std::to_string(doing_->lun) + ", block " + std::to_string(doing_->lba) + ", for " +
           std::to_string((world_.Now() - start_).count()) + " ns, deadline " +
           std::to_string(timeout_.count()) + " ns";
  });
  world_.AddWitness("the twin", [this]() -> std::string {
    return twin_->controller().idle() ? "" : "has transfers or requests that have not ended";
  });
  if (usbip_) world_.AddWitness("USB/IP", [this] { return usbip_->Describe(); });
  world_.AddWitness("the faults", [this]() -> std::string {
    if (player_.injections().empty()) return "";
    const fault::Injection& last = player_.injections().back();
    return std::string("the last was ") + fault::Info(last.kind).name + " at " +
           std::to_string(last.when.ns) + " ns" + (last.observed ? "" : ", not observed yet");
  });
}

DiskRun::~DiskRun() {
  world_.Disarm(alarm_);
}

void DiskRun::OnBreach(const link::Breach& breach) {
  Fail(Law::kContract, "breach of the contract of links: " + breach.Describe());
}

void DiskRun::Fail(Law law, std::string text) {
  if (failed()) return;
  result_.law = law;
  result_.failure = std::move(text);
  result_.failed_command = command_;
}

void DiskRun::FailStuck(World::Trouble trouble, const char* what) {
  stuck_ = true;
  Fail(Law::kEnd, std::string(trouble == World::Trouble::kStuck ? "stuck: " : "endless: ") + what +
                      " does not end\n" + world_.Waiting());
}

bool DiskRun::Sleep(Duration length) {
  alarm_.rang = false;
  world_.Arm(alarm_, world_.Now() + length);
  const auto slept = world_.RunUntil([this] { return alarm_.rang; }, kStepsMax);
  if (!slept) FailStuck(slept.error(), "a pause");
  return slept.has_value();
}

// True each one_in-th time on average; never for 0.
bool DiskRun::Due(uint64_t& next, uint64_t one_in, std::string_view what) {
  if (one_in == 0 || command_ < next) return false;
  next = command_ + 1 + chooser_.Choose(2 * one_in - 1, what);
  return true;
}

bool DiskRun::Open() {
  constexpr int kTries = 100;
  // A connection that went silent keeps the device from the next one for a while.
  constexpr int kTriesSoon = 20;
  NotePlayed();
  Error last;
  for (int tries = 0; tries < kTries && !failed(); ++tries) {
    session_job_ = std::make_unique<async::Job<Result<void>>>(world_, session_->Open());
    if (!Finish(*session_job_, "opening the device")) return false;
    Result<void> opened = session_job_->result();
    if (opened) {
      storage_job_ = std::make_unique<async::Job<Result<host::ScsiTransport*>>>(
          world_, session_->OpenStorage({}));
      if (!Finish(*storage_job_, "setting up the storage")) return false;
      const Result<host::ScsiTransport*> transport = storage_job_->result();
      if (transport) {
        NotePlayedOutside();
        transport_ = dynamic_cast<host::BotTransport*>(*transport);
        CHECK(transport_ != nullptr);
        transport_->set_submits_ahead(swarm_.submits_ahead);
        ++result_.report.opened;
        return true;
      }
      opened = transport.error();
    }
    last = opened.error();
    NotePlayedOutside();
    if (const auto wrong = reports_.JudgeOpening(last))
      Fail(Law::kOpening, "cannot open: " + *wrong);
    Close();
    const bool soon = !usbip_ || tries < kTriesSoon;
    if (failed() || !Sleep(std::chrono::milliseconds(soon ? 200 : 5000))) return false;
  }
  Fail(Law::kOpening, "the device could not be opened in " + std::to_string(kTries) +
                          " tries, the last time: " + last.Describe() +
                          (usbip_ ? "; USB/IP " + usbip_->Describe() : ""));
  return false;
}

bool DiskRun::StartUsbIp() {
  if (!usbip_) return true;
  reports_.HandleFar();
  if (!usbip_->Start(kStepsMax))
    Fail(Law::kOpening, "the device cannot be exported: " + usbip_->error());
  return !failed();
}

void DiskRun::StopUsbIp() {
  if (!usbip_) return;
  const PipesCounts& counts = usbip_->pipes().counts();
  result_.report.usbip = {1, counts.connections, counts.broken, counts.silenced};
  if (stuck_) return;
  usbip_->Stop();
  const auto stopped = world_.RunUntil([this] { return usbip_->idle(); }, kStepsMax);
  if (!stopped) FailStuck(stopped.error(), "stopping the USB/IP server");
}

bool DiskRun::NoteConnections() {
  if (!usbip_) return false;
  const PipesCounts& now = usbip_->pipes().counts();
  const PipesCounts before = std::exchange(connections_before_, now);
  const bool trouble =
      now.broken != before.broken || now.silenced != before.silenced || !usbip_->pipes().sound();
  reports_.HandleConnections(trouble);
  return trouble;
}

void DiskRun::Close() {
  blocks_.reset();
  transport_ = nullptr;
  if (!session_->is_open()) return;
  session_job_ = std::make_unique<async::Job<Result<void>>>(world_, session_->Close());
  if (!Finish(*session_job_, "closing the device")) return;
  NotePlayedOutside();
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
  for (const ModelDisk& model : models_) {
    report.bytes_compared += model.bytes_compared();
    report.rolled_back += model.rolled_back();
  }
  for (size_t index = 0; index < report.faults.size(); ++index) {
    const fault::Player::Count& count = player_.count(static_cast<Kind>(index));
    report.faults[index].injected = count.injected;
    report.faults[index].observed = count.observed;
  }
  report.virtual_time = world_.Now() - TimePoint{};
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

RunResult RunDisk(Chooser& chooser, const RunOptions& options) {
  auto run = std::make_unique<DiskRun>(chooser, options);
  RunResult result = run->Run();
  result.stuck = run->stuck();
  if (result.stuck) (void)run.release();
  return result;
}

}  // namespace usbtwin::sim
