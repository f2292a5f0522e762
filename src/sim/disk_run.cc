#include "sim/disk_run.h"

#include <algorithm>

#include "link/throttle.h"

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;
using scsi::SenseKey;
using scsi::Status;

void RunReport::Add(const RunReport& other) {
  runs += other.runs;
  commands += other.commands;
  reads += other.reads;
  writes += other.writes;
  blocks_moved += other.blocks_moved;
  bytes_compared += other.bytes_compared;
  opened += other.opened;
  virtual_time += other.virtual_time;
  for (size_t index = 0; index < faults.size(); ++index) {
    faults[index].injected += other.faults[index].injected;
    faults[index].observed += other.faults[index].observed;
    faults[index].recovered += other.faults[index].recovered;
    faults[index].reported += other.faults[index].reported;
  }
  for (size_t index = 0; index < rungs.size(); ++index) rungs[index] += other.rungs[index];
  history = history * 0x100000001b3 ^ other.history;
}

bool DiskRun::WorldSystem::RunUntil(const std::function<bool()>& done) {
  return world_.RunUntil(done, kStepsMax).has_value();
}
Result<std::unique_ptr<emulator::BlockStore>, app::Failure> DiskRun::WorldSystem::OpenImage(
    const std::string& path, const app::ImageOptions&) {
  return app::Failure{app::Failure::Kind::kCannotOpen, path + ": a world has no files"};
}
Result<std::vector<uint8_t>, app::Failure> DiskRun::WorldSystem::ReadFile(const std::string& path) {
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
      system_(world_),
      swarm_(DrawSwarm(chooser, options.swarm)),
      player_(world_, chooser, swarm_.plan) {
  auto twin = app::Twin::Make(system_, swarm_.profile, &player_);
  CHECK(twin.has_value());
  twin_ = std::move(*twin);
  usb::Bus* bus = &twin_->bus();
  if (swarm_.script) {
    slow_bus_ = std::make_unique<SlowBus>(world_, *bus, swarm_.script->latency);
    bus = slow_bus_.get();
  }
  fault_bus_ = std::make_unique<link::FaultBus>(world_, *bus, player_);
  if (options_.record != nullptr)
    writer_ = std::make_unique<link::PcapWriter>(*options_.record, link::PcapFormat::kPcapng);
  bus_ = std::make_unique<app::DecoratedBus>(
      world_, *fault_bus_,
      app::Decorations{.writer = writer_.get(), .audit = true, .breaches = this});
  session_ = std::make_unique<host::Session>(world_, *bus_, twin_->id());
  uint32_t block_size_max = 0;
  for (const emulator::UnitProfile& unit : swarm_.profile.units) {
    block_size_max = std::max(block_size_max, unit.disk.block_size);
    models_.emplace_back(static_cast<uint8_t>(models_.size()), unit.size / unit.disk.block_size,
                         unit.disk.block_size, swarm_.power_may_fail);
  }
  room_.resize(size_t{block_size_max} << 8);
  world_.AddWitness("the host", [this] { return doing_; });
  Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels");
  Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens");
  Due(pause_next_, swarm_.pause_one_in, "when time passes");
}

DiskRun::~DiskRun() {
  world_.Disarm(alarm_);
}

void DiskRun::OnBreach(const link::Breach& breach) {
  Fail("breach of the contract of links: " + breach.Describe());
}

void DiskRun::Fail(std::string text) {
  if (failed()) return;
  result_.failure = std::move(text);
  result_.failed_command = command_;
}

void DiskRun::FailStuck(World::Trouble trouble, const char* what) {
  stuck_ = true;
  Fail(std::string(trouble == World::Trouble::kStuck ? "stuck: " : "endless: ") + what +
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
  for (int tries = 0; tries < kTries && !failed(); ++tries) {
    doing_ = "opens the device";
    async::Job<Result<void>> open(world_, session_->Open());
    if (!Finish(open, "opening the device")) return false;
    Result<void> opened = open.result();
    if (opened) {
      async::Job<Result<host::ScsiTransport*>> storage(world_, session_->OpenStorage({}));
      if (!Finish(storage, "setting up the storage")) return false;
      const Result<host::ScsiTransport*> transport = storage.result();
      if (transport) {
        Account(tries != 0);
        transport_ = dynamic_cast<host::BotTransport*>(*transport);
        CHECK(transport_ != nullptr);
        ++result_.report.opened;
        return true;
      }
      opened = transport.error();
    }
    if (player_.plan().rules.empty()) Fail("cannot open: " + opened.error().Describe());
    Close();
    if (failed() || !Sleep(std::chrono::milliseconds(200))) return false;
  }
  Fail("the device could not be opened in " + std::to_string(kTries) + " tries");
  return false;
}

void DiskRun::Close() {
  transport_ = nullptr;
  if (!session_->is_open()) return;
  doing_ = "closes the device";
  async::Job<Result<void>> close(world_, session_->Close());
  if (Finish(close, "closing the device")) (void)close.result();
}

bool DiskRun::Reopen() {
  Close();
  return !failed() && Open();
}

RunResult DiskRun::Run() {
  RunReport& report = result_.report;
  report.runs = 1;
  const uint64_t commands = swarm_.script ? swarm_.script->writes.size() : options_.commands;
  if (Open()) {
    for (command_ = 1; command_ <= commands && !failed(); ++command_) {
      if (Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens") && !Reopen()) break;
      if (transport_ == nullptr && !Reopen()) break;
      if (!Execute(Next())) break;
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
  for (const ModelDisk& model : models_) report.bytes_compared += model.bytes_compared();
  for (size_t index = 0; index < report.faults.size(); ++index) {
    const fault::Player::Count& count = player_.count(static_cast<Kind>(index));
    report.faults[index].injected = count.injected;
    report.faults[index].observed = count.observed;
  }
  report.virtual_time = world_.Now() - TimePoint{};
  return std::move(result_);
}

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
    request.version = models_[0].FillNew(request.lba, MutableBytes(room_).first(request.length));
  }
  return request;
}

std::optional<Duration> DiskRun::DrawCancel() {
  if (!swarm_.script) {
    if (!Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels")) return std::nullopt;
    return std::chrono::microseconds(chooser_.Choose(1000, "how soon it is cancelled"));
  }
  if (command_ != 1 || swarm_.script->interruptions_max == 0) return std::nullopt;
  const uint64_t choice =
      chooser_.Choose(swarm_.script->interruptions_max + 2, "when it is cancelled");
  if (choice == 0) return std::nullopt;
  return swarm_.script->latency * (choice - 1);
}

Duration DiskRun::DrawWait() {
  if (swarm_.script) return 100 * swarm_.script->latency;
  return std::chrono::microseconds(chooser_.Choose(200'000, "how long to wait"));
}

Duration DiskRun::DrawTimeout() {
  if (!swarm_.script || command_ != 1) return swarm_.command_timeout;
  const auto choice =
      static_cast<int64_t>(chooser_.Choose(swarm_.script->interruptions_max + 1, "its deadline"));
  return choice == 0 ? swarm_.command_timeout : swarm_.script->latency * choice;
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
    static constexpr std::array<Request::Kind, 8> kRest{
        Request::Kind::kSynchronize, Request::Kind::kSynchronize, Request::Kind::kVerify,
        Request::Kind::kCapacity,    Request::Kind::kOther,       Request::Kind::kOther,
        Request::Kind::kOther,       Request::Kind::kOther};
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
      const uint64_t form = chooser_.Choose(8, "which form");
      request.lent = form % 2 == 1;
      request.cdb = form == 0   ? scsi::Read16(request.lba, request.blocks)
                    : form == 2 ? scsi::Read12(request.lba, request.blocks)
                    : form == 4 ? scsi::Read6(request.lba, request.blocks)
                                : scsi::Read10(request.lba, request.blocks);
      return;
    }
    case Request::Kind::kWrite: {
      DrawRange(request);
      const uint64_t form = chooser_.Choose(8, "which form");
      request.force_unit_access = form == 1;
      const scsi::Caching caching{.force_unit_access = form == 1};
      request.cdb = form == 0   ? scsi::Write16(request.lba, request.blocks)
                    : form == 2 ? scsi::Write12(request.lba, request.blocks)
                    : form == 4 ? scsi::Write6(request.lba, request.blocks)
                                : scsi::Write10(request.lba, request.blocks, caching);
      request.version =
          models_[request.lun].FillNew(request.lba, MutableBytes(room_).first(request.length));
      return;
    }
    case Request::Kind::kSynchronize: request.cdb = scsi::SynchronizeCache10(0, 0); return;
    case Request::Kind::kVerify:
      DrawRange(request);
      request.length = 0;
      request.cdb = scsi::Verify10(request.lba, request.blocks, false);
      return;
    case Request::Kind::kCapacity:
      request.cdb = scsi::ReadCapacity10();
      request.length = 8;
      return;
    case Request::Kind::kOther: break;
  }
  switch (chooser_.Choose(5, "which question")) {
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
      request.cdb = scsi::RequestSense(false, 18);
      request.length = 18;
      return;
    default:
      request.cdb = scsi::ReportLuns(0, 64);
      request.length = 64;
      return;
  }
}

bool DiskRun::Execute(const Request& request) {
  timeout_ = DrawTimeout();
  host::ScsiRequest sent{.lun = request.lun, .cdb = request.cdb.view(), .timeout = timeout_};
  const MutableBytes room = MutableBytes(room_).first(request.length);
  if (request.kind == Request::Kind::kWrite) {
    sent.out = room;
  } else {
    sent.in_length = request.length;
    request.lent ? void(sent.lent = &lent_) : void(sent.in = room);
  }
  injected_before_ = player_.injected();
  start_ = world_.Now();
  doing_ = "waits for operation code";
  async::Job<Result<host::ScsiResult>> job(world_, transport_->Execute(sent));
  const std::optional<Duration> cancelled = DrawCancel();
  if (cancelled) {
    alarm_.cancelled = &job;
    world_.Arm(alarm_, world_.Now() + *cancelled);
  }
  if (!Finish(job, "a command")) return false;
  if (cancelled) {
    alarm_.cancelled = nullptr;
    world_.Disarm(alarm_);
  }
  const Result<host::ScsiResult> answer = job.result();
  Digest(request, answer);
  const bool good = answer && answer->status == Status::kGood;
  Judge(request, answer);
  if (!good) {
    calm_commands_ = 0;
    trouble_ = world_.Now();
    // What the ladder's last rung did not mend is for the caller: close and open.
    if (!answer && transport_->last_rung() == bot::Rung::kReopen) transport_ = nullptr;
    if (!Sleep(DrawWait())) return false;
  } else if (cancelled || player_.injected() != injected_before_) {
    calm_commands_ = 0;
    trouble_ = world_.Now();
  } else {
    ++calm_commands_;
  }
  return !failed();
}

std::span<const Injection> DiskRun::Injections() const {
  const std::vector<Injection>& all = player_.injections();
  const uint64_t count = std::min<uint64_t>(player_.injected() - injected_before_, all.size());
  return std::span(all).last(count);
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
    ++report.writes;
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
  if (!player_.injections().empty()) Account(!good);
}

void DiskRun::JudgeWrite(const Request& request, const Result<host::ScsiResult>& answer) {
  ModelDisk& model = models_[request.lun];
  result_.report.blocks_moved += request.blocks;
  if (Injected(Kind::kCorruptOut)) return model.HandleSpoilt(request.lba, request.blocks);
  if (!answer) return model.HandleMaybeWritten(request.lba, request.blocks, request.version);
  if (answer->status == Status::kGood) {
    if (answer->length_actual == request.length && answer->residue == 0) {
      return model.HandleWritten(request.lba, request.blocks, request.version,
                                 request.force_unit_access);
    }
    if (Injections().empty()) {
      Fail("a write of " + std::to_string(request.length) + " bytes moved " +
           std::to_string(answer->length_actual) + " with residue " +
           std::to_string(answer->residue) + " though nothing was made to go wrong");
    }
    return model.HandleMaybeWritten(request.lba, request.blocks, request.version);
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
  model.HandleMaybeWritten(request.lba, request.blocks, request.version);
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
  ++result_.report.reads;
  ModelDisk& model = models_[request.lun];
  const uint32_t blocks = valid / model.block_size();
  result_.report.blocks_moved += blocks;
  std::optional<std::string> wrong;
  if (!request.lent) {
    wrong = model.Check(request.lba, Bytes(room_).first(size_t{blocks} * model.block_size()));
  } else {
    uint64_t lba = request.lba;
    uint32_t left = blocks * model.block_size();
    lent_.ForEach([&](Bytes piece) {
      // The units' stores lend whole blocks; only a cut transfer ends within one.
      const Bytes whole = Take(piece, left - left % model.block_size());
      const Bytes part = whole.first(whole.size() - whole.size() % model.block_size());
      if (!wrong) wrong = model.Check(lba, part);
      lba += part.size() / model.block_size();
      left -= static_cast<uint32_t>(part.size());
    });
    KeepLoan();
  }
  if (wrong && !Injected(Kind::kCorruptIn)) Fail("READ: " + *wrong);
}

void DiskRun::JudgeFailure(const Request& request, const Result<host::ScsiResult>& answer) {
  if (!answer) JudgeNeedless(answer.error());
  if (calm_commands_ < kCalm || !Injections().empty()) return;
  if (world_.Now() - trouble_ < kCalmTime) return;
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

void DiskRun::Account(bool reported) {
  for (const Injection& injection : player_.injections()) {
    if (!injection.observed) continue;
    FaultCount& count = result_.report.faults[static_cast<size_t>(injection.kind)];
    ++(reported ? count.reported : count.recovered);
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

void DiskRun::ReadAllBack() {
  constexpr uint32_t kBlocks = 128;
  player_.Stop();
  swarm_.cancel_one_in = 0;
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
        return Fail("LUN " + std::to_string(read.lun) + " block " + std::to_string(lba) +
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
