#include "sim/run_base.h"

#include <algorithm>

namespace usbtwin::sim {

RunBase::RunBase(Chooser& chooser, const RunOptions& options, Swarm swarm)
    : chooser_(chooser),
      options_(options),
      world_(chooser),
      swarm_(std::move(swarm)),
      system_(world_, swarm_),
      player_(world_, chooser, swarm_.plan),
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
    slow_bus_ = std::make_unique<app::DecoratedBus>(
        world_, *bus,
        app::Decorations{.throttle = link::ThrottleOptions{.latency = swarm_.link_latency}});
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
  room_length_ = size_t{block_size_max} << 8;
  AddWitnesses();
}

void RunBase::AddWitnesses() {
  world_.AddWitness("the host", [this] { return Waiting(); });
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

void RunBase::OnBreach(const link::Breach& breach) {
  Fail(Law::kContract, "breach of the contract of links: " + breach.Describe());
}

void RunBase::Fail(Law law, std::string text) {
  if (failed()) return;
  result_.law = law;
  result_.failure = std::move(text);
  result_.failed_command = command_;
}

void RunBase::FailStuck(World::Trouble trouble, const char* what) {
  stuck_ = true;
  Fail(Law::kEnd, std::string(trouble == World::Trouble::kStuck ? "stuck: " : "endless: ") + what +
                      " does not end\n" + world_.Waiting());
}

// True each one_in-th time on average; never for 0.
bool RunBase::Due(uint64_t& next, uint64_t one_in, std::string_view what) {
  if (one_in == 0 || command_ < next) return false;
  next = command_ + 1 + chooser_.Choose(2 * one_in - 1, what);
  return true;
}

bool RunBase::Sleep(Duration length) {
  pause_.over = false;
  world_.Arm(pause_, world_.Now() + length);
  return RunUntil([this] { return pause_.over; }, "a pause");
}

host::ScsiTransport* RunBase::OpenStorage(const host::StorageOptions& options) {
  constexpr int kTries = 100;
  // A connection that went silent keeps the device from the next one for a while.
  constexpr int kTriesSoon = 20;
  Error last;
  for (int tries = 0; tries < kTries && !failed(); ++tries) {
    session_job_ = std::make_unique<async::Job<Result<void>>>(world_, session_->Open());
    if (!Finish(*session_job_, "opening the device")) return nullptr;
    Result<void> opened = session_job_->result();
    if (opened) {
      storage_job_ = std::make_unique<async::Job<Result<host::ScsiTransport*>>>(
          world_, session_->OpenStorage(options));
      if (!Finish(*storage_job_, "setting up the storage")) return nullptr;
      const Result<host::ScsiTransport*> transport = storage_job_->result();
      if (transport) {
        NotePlayedOutside();
        ++result_.report.opened;
        return *transport;
      }
      opened = transport.error();
    }
    last = opened.error();
    NotePlayedOutside();
    if (const auto wrong = JudgeOpening(last)) Fail(Law::kOpening, "cannot open: " + *wrong);
    CloseSession();
    const bool soon = !usbip_ || tries < kTriesSoon;
    if (failed() || !Sleep(std::chrono::milliseconds(soon ? 200 : 5000))) return nullptr;
  }
  Fail(Law::kOpening, "the device could not be opened in " + std::to_string(kTries) +
                          " tries, the last time: " + last.Describe() +
                          (usbip_ ? "; USB/IP " + usbip_->Describe() : ""));
  return nullptr;
}

void RunBase::CloseSession() {
  if (!session_->is_open()) return;
  session_job_ = std::make_unique<async::Job<Result<void>>>(world_, session_->Close());
  if (!Finish(*session_job_, "closing the device")) return;
  NotePlayedOutside();
}

bool RunBase::StartUsbIp() {
  if (!usbip_) return true;
  if (!usbip_->Start(kStepsMax))
    Fail(Law::kOpening, "the device cannot be exported: " + usbip_->error());
  return !failed();
}

void RunBase::StopUsbIp() {
  if (!usbip_) return;
  const PipesCounts& counts = usbip_->pipes().counts();
  result_.report.usbip = {1, counts.connections, counts.broken, counts.silenced};
  if (stuck_) return;
  usbip_->Stop();
  RunUntil([this] { return usbip_->idle(); }, "stopping the USB/IP server");
}

bool RunBase::ConnectionsFailed() {
  if (!usbip_) return false;
  const PipesCounts& now = usbip_->pipes().counts();
  const PipesCounts before = std::exchange(connections_before_, now);
  return now.broken != before.broken || now.silenced != before.silenced || !usbip_->pipes().sound();
}

void RunBase::Mix(uint64_t value) {
  uint64_t& history = result_.report.history;
  history = (history ^ value) * 0x9e3779b97f4a7c15;
  history ^= history >> 29;
}

void RunBase::CompleteReport() {
  RunReport& report = result_.report;
  for (const ModelDisk& model : models_) {
    report.bytes_compared += model.bytes_compared();
    report.rolled_back += model.rolled_back();
  }
  for (size_t index = 0; index < report.faults.size(); ++index) {
    const fault::Player::Count& count = player_.count(static_cast<fault::Kind>(index));
    report.faults[index].injected = count.injected;
    report.faults[index].observed = count.observed;
  }
  report.virtual_time = world_.Now() - TimePoint{};
}

}  // namespace usbtwin::sim
