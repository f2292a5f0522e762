#include "sim/queue_run.h"

#include <algorithm>
#include <array>

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;
using scsi::Status;
using scsi::TaskAttribute;

namespace {

constexpr uint64_t kCancelStepsMax = 64;
constexpr uint64_t kStaggerMax = 24;  // steps of the world between two beginnings

// Whose effect a good answer bears.
bool PassesOn(Kind kind) {
  switch (kind) {
    case Kind::kShortIn:
    case Kind::kCorruptIn:
    case Kind::kCorruptOut:
    case Kind::kShortData:
    case Kind::kLyingCapacity: return true;
    default: return false;
  }
}

// Which cut data short, or leave it out, where its status comes.
bool Cuts(Kind kind) {
  return kind == Kind::kShortIn || kind == Kind::kShortData || kind == Kind::kLostRequest ||
         kind == Kind::kLostCompletion || kind == Kind::kSilent;
}

}  // namespace

QueueRun::QueueRun(Chooser& chooser, const RunOptions& options, Swarm swarm)
    : RunBase(chooser, options, std::move(swarm)),
      mix_(chooser_, swarm_, models_),
      judge_(player_.plan(), swarm_.profile.units.size(), swarm_.command_timeout) {
  Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels");
  Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens");
  Due(pause_next_, swarm_.pause_one_in, "when time passes");
}

QueueRun::~QueueRun() = default;

std::string QueueRun::Waiting() const {
  std::string text;
  for (const auto& slot : slots_) {
    if (!slot->job || slot->job->done()) continue;
    text += (text.empty() ? "waits for operation code " : ", for ") +
            Hex({&slot->request.cdb.bytes[0], 1}) + " to LUN " + std::to_string(slot->request.lun) +
            " for " + std::to_string((world_.Now() - slot->start).count()) + " ns";
  }
  return text.empty() ? "waits to open or to close the device" : text;
}

std::span<const Injection> QueueRun::Injections() const {
  const std::vector<Injection>& all = player_.injections();
  const auto first = std::upper_bound(
      all.begin(), all.end(), serial_before_,
      [](uint64_t serial, const Injection& injection) { return serial < injection.serial; });
  return {first, all.end()};
}

bool QueueRun::Injected(Kind kind) const {
  const auto injections = Injections();
  return std::any_of(injections.begin(), injections.end(),
                     [kind](const Injection& injection) { return injection.kind == kind; });
}

void QueueRun::NotePlayedOutside() {
  judge_.HandleConnections(ConnectionsFailed());
  judge_.HandlePlayed(Injections());
  if (Injected(Kind::kPowerLoss)) {
    for (ModelDisk& model : models_) model.HandlePowerLoss();
  }
  Account(true);
  serial_before_ = player_.serial();
}

std::optional<std::string> QueueRun::JudgeOpening(const Error& error) const {
  return judge_.JudgeOpening(error);
}

bool QueueRun::Open() {
  judge_.HandleOpened();
  host::ScsiTransport* const transport =
      OpenStorage({.protocol = host::StorageProtocol::kUas, .queue_depth_max = swarm_.queue_depth});
  transport_ = dynamic_cast<host::UasTransport*>(transport);
  CHECK((transport_ == nullptr) == (transport == nullptr));
  reopenings_before_ = 0;
  return transport_ != nullptr;
}

void QueueRun::Close() {
  if (transport_ != nullptr) CountRecoveries();
  transport_ = nullptr;
  CloseSession();
}

void QueueRun::CountRecoveries() {
  for (const host::RecoveryCount& count : transport_->recoveries()) {
    for (size_t rung = 1; rung < result_.report.uas.rungs.size(); ++rung) {
      if (std::string_view(count.rung) == uas::Name(static_cast<uas::Rung>(rung))) {
        result_.report.uas.rungs[rung] += count.commands_count;
      }
    }
  }
}

RunResult QueueRun::Run() {
  RunReport& report = result_.report;
  report.runs = 1;
  report.uas.runs = 1;
  report.uas.stream_runs = swarm_.profile.speed >= usb::Speed::kSuper;
  if (usbip_) judge_.HandleFar();
  if (StartUsbIp() && Open()) {
    while (command_ < options_.commands && !failed()) {
      if (Due(reopen_next_, swarm_.reopen_one_in, "when the host reopens")) Close();
      if (failed() || (transport_ == nullptr && !Open())) break;
      if (!RunWave(options_.commands - command_)) break;
      if (Due(pause_next_, swarm_.pause_one_in, "when time passes") &&
          !Sleep(std::chrono::microseconds(chooser_.Choose(20'000, "how long")))) {
        break;
      }
    }
  }
  report.commands = report.uas.commands = command_;
  if (!failed()) ReadAllBack();
  if (!stuck_) TakeBackAll();
  if (!stuck_) Close();
  StopUsbIp();
  CompleteReport();
  return std::move(result_);
}

// What still runs where a failure ended the run in the middle of a wave.
void QueueRun::TakeBackAll() {
  for (const auto& slot : slots_) {
    if (!slot->job) continue;
    slot->Cancel();
    if (!RunUntil([&slot] { return slot->job->done(); }, "a command that was taken back")) return;
  }
}

// ---- A wave -----------------------------------------------------------------------------------

bool QueueRun::RunWave(uint64_t commands_max) {
  const size_t depth = std::min<size_t>(swarm_.queue_depth, transport_->queue_depth());
  uint64_t left =
      std::min(commands_max, chooser_.Between(1, 3 * depth, "how many commands in a wave"));
  while (left != 0 || running_ != 0) {
    // Which blocks a power loss took back is not known in the middle of it.
    if (wave_.size() != 0 && Injected(Kind::kPowerLoss)) left = 0;
    if (left == 0 && running_ == 0) break;
    if (left != 0 && running_ < depth) {
      Slot& slot = FreeSlot();
      ++command_;
      --left;
      Draw(slot);
      const bool ordered = chooser_.Choose(8, "which task attribute") == 7;
      Begin(slot, ordered ? TaskAttribute::kOrdered : TaskAttribute::kSimple);
      DrawCancel(slot);
      if (left != 0 && running_ < depth && chooser_.Choose(3, "whether the next one waits") == 2 &&
          !RunOn(chooser_.Choose(kStaggerMax, "how long"))) {
        return false;
      }
    } else if (!RunOn(kStepsMax)) {
      return false;
    }
    if (!EndEnded()) return false;
  }
  return JudgeWave();
}

QueueRun::Slot& QueueRun::FreeSlot() {
  for (const auto& slot : slots_) {
    if (!slot->job) return *slot;
  }
  return *slots_.emplace_back(std::make_unique<Slot>(world_));
}

void QueueRun::Draw(Slot& slot) {
  if (slot.room.size() < room_length_) slot.room.resize(room_length_);
  slot.request = mix_.Draw(slot.room);
  // What may not be read back until it ended has its own wave: see FateOf.
  slot.lent.Clear();
}

void QueueRun::Begin(Slot& slot, TaskAttribute attribute) {
  const Request& request = slot.request;
  host::ScsiRequest sent{.lun = request.lun,
                         .cdb = request.cdb.view(),
                         .timeout = swarm_.command_timeout,
                         .attribute = attribute};
  const MutableBytes room = MutableBytes(slot.room).first(request.length);
  if (request.out) {
    sent.out = room;
  } else {
    sent.in_length = request.length;
    request.lent ? void(sent.lent = &slot.lent) : void(sent.in = room);
    // What a short answer leaves is not what was there before.
    if (!request.lent) std::fill(room.begin(), room.end(), uint8_t{0xa5});
  }
  const bool moves = request.kind == Request::Kind::kRead || request.kind == Request::Kind::kWrite;
  const bool through = !request.refusal && moves && request.writes &&
                       !swarm_.profile.units[request.lun].disk.write_cache;
  slot.number = wave_.Begin({.lun = request.lun,
                             .lba = request.lba,
                             .blocks = moves ? request.blocks : 0,
                             .writes = request.writes,
                             .ordered = attribute == TaskAttribute::kOrdered,
                             .synchronises = request.force_unit_access || through,
                             .version = request.version});
  slot.start = world_.Now();
  slot.cancelled = false;
  slot.cancel_step = UINT64_MAX;
  slot.answer.reset();
  ++running_;
  result_.report.uas.at_once += running_;
  slot.job.emplace(world_, Carry(slot, sent));
}

async::Task<bool> QueueRun::Carry(Slot& slot, host::ScsiRequest request) {
  Result<host::ScsiResult> answer = co_await transport_->Execute(request);
  slot.answer = std::move(answer);
  ended_.push_back(&slot);
  co_return true;
}

void QueueRun::DrawCancel(Slot& slot) {
  if (!Due(cancel_next_, swarm_.cancel_one_in, "when the host cancels")) return;
  slot.cancelled = true;
  // A command is a few transfers and a few operations of a store; in eighths of the longest.
  Duration longest = std::max(swarm_.link_latency, swarm_.store_latency);
  if (usbip_) longest = std::max(longest, swarm_.usbip->delay_max);
  const uint64_t choice = chooser_.Choose(kCancelStepsMax, "how soon it is cancelled");
  if (longest != Duration(0)) return world_.Arm(slot, world_.Now() + longest * choice / 8);
  slot.cancel_step = world_.steps() + choice;
}

bool QueueRun::RunOn(uint64_t steps_max) {
  uint64_t cancel_step = UINT64_MAX;
  Slot* due = nullptr;
  for (const auto& slot : slots_) {
    if (!slot->job || slot->cancel_step >= cancel_step) continue;
    cancel_step = slot->cancel_step;
    due = slot.get();
  }
  const uint64_t final = world_.steps() + steps_max;
  const auto over = [&] {
    return !ended_.empty() || world_.steps() >= std::min(final, cancel_step);
  };
  const bool all = steps_max == kStepsMax;  // until something ends: not to do so is a failure
  const Result<void, World::Trouble> done = world_.RunUntil(over, kStepsMax);
  if (!done || (all && ended_.empty() && world_.steps() >= final)) {
    FailStuck(done ? World::Trouble::kEndless : done.error(), "a command");
    return false;
  }
  if (ended_.empty() && due != nullptr && world_.steps() >= cancel_step) {
    due->cancel_step = UINT64_MAX;
    due->Cancel();
  }
  return true;
}

bool QueueRun::EndEnded() {
  while (!ended_.empty()) {
    Slot& slot = *ended_.back();
    ended_.pop_back();
    if (!RunUntil([&slot] { return slot.job->done(); }, "a command")) return false;
    world_.Disarm(slot);
    slot.job.reset();
    --running_;
    End(slot);
  }
  return !failed();
}

void QueueRun::End(Slot& slot) {
  const Request& request = slot.request;
  const Result<host::ScsiResult>& answer = *slot.answer;
  Mix(uint64_t{request.cdb.bytes[0]} << 40 | uint64_t{request.lun} << 32 | request.length);
  Mix(request.lba);
  Mix(static_cast<uint64_t>(world_.Now().ns));
  if (answer) {
    Mix(uint64_t{answer->length_actual} << 32 | answer->residue);
    Mix(static_cast<uint64_t>(answer->status) << 8 | answer->recoveries);
  } else {
    Mix(static_cast<uint64_t>(answer.error().kind) + 1);
  }
  ModelDisk::Versions seen;
  const bool good = answer && answer->status == Status::kGood;
  if (good) {
    JudgeLengths(slot);
    seen = JudgeData(slot);
  }
  wave_.End(slot.number, FateOf(slot), std::move(seen));
  sent_.push_back({.request = request,
                   .cancelled = slot.cancelled,
                   .start = slot.start,
                   .took = world_.Now() - slot.start,
                   .answer = answer});
  RunReport& report = result_.report;
  if (reading_back_) return;
  report.good += good;
  report.interrupted += slot.cancelled;
  report.cancelled += !answer && answer.error().kind == ErrorKind::kCancelled;
  if (!good) return;
  report.reads += request.kind == Request::Kind::kRead;
  report.writes += request.kind == Request::Kind::kWrite;
  const bool moves = request.kind == Request::Kind::kRead || request.kind == Request::Kind::kWrite;
  if (moves) report.blocks_moved += request.blocks;
}

// ---- What came of it --------------------------------------------------------------------------

Wave::Fate QueueRun::FateOf(const Slot& slot) const {
  const Request& request = slot.request;
  const Result<host::ScsiResult>& answer = *slot.answer;
  const bool good = answer && answer->status == Status::kGood;
  const bool whole = good && answer->length_actual == request.length;
  if (!request.writes) return good ? Wave::Fate::kDone : Wave::Fate::kNothing;
  if (whole) return Wave::Fate::kDone;
  // These answers say that nothing was done, unless something else may have spoken for the unit.
  const auto injections = Injections();
  const bool plain =
      std::all_of(injections.begin(), injections.end(), [](const Injection& injection) {
        return injection.kind >= Kind::kNoSense && injection.kind <= Kind::kLyingCapacity;
      });
  using enum scsi::SenseKey;
  const bool refused = answer && answer->sense_valid &&
                       (answer->sense.key == kIllegalRequest || answer->sense.key == kDataProtect ||
                        answer->sense.key == kNotReady || answer->sense.key == kUnitAttention);
  return refused && plain ? Wave::Fate::kNothing : Wave::Fate::kMaybe;
}

uint32_t QueueRun::WholeLength(const Request& request) const {
  const Bytes expected = expected_data_.Find(request.lun, request.cdb.view());
  if (expected.empty()) return request.length;
  return std::min(request.length, static_cast<uint32_t>(expected.size()));
}

void QueueRun::JudgeLengths(const Slot& slot) {
  const host::ScsiResult& answer = **slot.answer;
  const uint32_t whole = WholeLength(slot.request);
  const bool right =
      answer.length_actual == whole && answer.residue == slot.request.length - answer.length_actual;
  const auto injections = Injections();
  const bool cut = std::any_of(injections.begin(), injections.end(),
                               [](const Injection& injection) { return Cuts(injection.kind); });
  if (right || (cut && answer.length_actual < whole)) return;
  Fail(Law::kLength, "operation code " + Hex({&slot.request.cdb.bytes[0], 1}) + " for " +
                         std::to_string(slot.request.length) + " bytes moved " +
                         std::to_string(answer.length_actual) + " with residue " +
                         std::to_string(answer.residue) + "; expected " + std::to_string(whole));
}

// Which versions a READ brought; anything else that is asked is compared at once.
ModelDisk::Versions QueueRun::JudgeData(Slot& slot) {
  const Request& request = slot.request;
  const uint32_t length = (*slot.answer)->length_actual;
  ModelDisk::Versions seen;
  if (request.kind == Request::Kind::kRead) {
    ModelDisk& model = models_[request.lun];
    uint64_t lba = request.lba;
    const auto identify = [&](Bytes bytes) {
      for (; bytes.size() >= model.block_size(); bytes = bytes.subspan(model.block_size())) {
        seen.push_back(model.Identify(lba++, bytes.first(model.block_size())));
      }
    };
    // The units' stores lend whole blocks.
    request.lent ? slot.lent.ForEach(identify) : identify(Bytes(slot.room).first(length));
    slot.lent.Clear();
    return seen;
  }
  const Bytes expected = Take(expected_data_.Find(request.lun, request.cdb.view()), request.length);
  if (expected.empty() || Injected(Kind::kCorruptIn)) return seen;
  const Bytes came = Bytes(slot.room).first(length);
  std::optional<std::string> wrong = ExpectedData::Compare(expected, came);
  if (wrong && request.kind == Request::Kind::kCapacity && Injected(Kind::kLyingCapacity)) {
    wrong = ExpectedData::Compare(expected_data_.FindLie(request.lun, request.cdb.view()), came);
  }
  if (wrong) {
    Fail(Law::kData, "operation code " + Hex({&request.cdb.bytes[0], 1}) + " to LUN " +
                         std::to_string(request.lun) + " brought wrong data: " + *wrong);
  }
  return seen;
}

bool QueueRun::JudgeWave() {
  judge_.HandleConnections(ConnectionsFailed());
  const bool power_lost = Injected(Kind::kPowerLoss);
  result_.report.power_losses += power_lost;
  const auto wrong = wave_.Judge(models_, {.power_lost = power_lost,
                                           .spoilt_in = Injected(Kind::kCorruptIn),
                                           .spoilt_out = Injected(Kind::kCorruptOut)});
  if (wrong) Fail(Law::kData, *wrong);
  // Beside others it vouches for too little to count.
  const SentInWave& first = sent_.front();
  if (sent_.size() == 1 && first.good() && first.request.kind == Request::Kind::kSynchronize) {
    ModelDisk& model = models_[first.request.lun];
    first.request.blocks == 0 ? model.HandleSynchronised()
                              : model.HandleSynchronised(first.request.lba, first.request.blocks);
  }
  const uint64_t reopenings = transport_->reopenings_count();
  if (std::exchange(reopenings_before_, reopenings) != reopenings) judge_.HandleReopened();
  if (const auto wrong_report = judge_.Judge(sent_, Injections())) Fail(*wrong_report);
  Account(false);
  serial_before_ = player_.serial();
  const bool told =
      std::any_of(sent_.begin(), sent_.end(), [](const SentInWave& one) { return !one.good(); });
  // What the ladder's last rung did not mend is for the caller: close and open.
  const bool gone = std::any_of(sent_.begin(), sent_.end(), [](const SentInWave& one) {
    return !one.answer && one.answer.error().kind == ErrorKind::kDisconnected;
  });
  sent_.clear();
  if (failed()) return false;
  if (gone) Close();
  if (!told) return !failed();
  return !failed() &&
         Sleep(std::chrono::microseconds(chooser_.Choose(200'000, "how long to wait")));
}

void QueueRun::Account(bool outside) {
  const auto ended = [this](auto what) { return std::any_of(sent_.begin(), sent_.end(), what); };
  const bool cancelled = ended([](const SentInWave& one) {
    return !one.answer && one.answer.error().kind == ErrorKind::kCancelled;
  });
  const bool told = ended([](const SentInWave& one) {
    return !one.good() && (one.answer || one.answer.error().kind != ErrorKind::kCancelled);
  });
  for (const Injection& injection : player_.injections()) {
    if (!injection.observed) continue;
    FaultCount& count = result_.report.faults[static_cast<size_t>(injection.kind)];
    if (outside) {
      ++count.outside;
    } else if (told) {
      ++count.reported;
    } else if (cancelled) {
      ++count.cancelled;
    } else {
      ++(PassesOn(injection.kind) ? count.passed_on : count.recovered);
    }
  }
  player_.ForgetObserved();
}

// ---- The end of the run -----------------------------------------------------------------------

void QueueRun::ReadAllBack() {
  player_.Stop();
  if (usbip_) usbip_->pipes().Calm();
  swarm_.cancel_one_in = 0;
  reading_back_ = true;
  if (!Sleep(std::chrono::minutes(2))) return;
  Close();
  if (failed() || !Open()) return;
  for (ModelDisk& model : models_) {
    if (!BecomeReady(static_cast<uint8_t>(&model - models_.data())) || !ReadBack(model)) return;
  }
}

// Whatever was going on ends within a few questions.
bool QueueRun::BecomeReady(uint8_t lun) {
  for (int tries = 0, well = 0; tries < 20 && well < 2; ++tries) {
    if (transport_ == nullptr && !Open()) return false;
    Slot& slot = FreeSlot();
    slot.request = Request{.lun = lun, .cdb = scsi::TestUnitReady()};
    Begin(slot, TaskAttribute::kSimple);
    if (!RunOn(kStepsMax) || !EndEnded() || !JudgeWave()) return false;
    well = judge_.calm() ? well + 1 : 0;
  }
  return true;
}

bool QueueRun::ReadBack(ModelDisk& model) {
  constexpr uint32_t kBlocks = 128;
  for (uint64_t lba = 0; lba < model.blocks_count(); lba += kBlocks) {
    Slot& slot = FreeSlot();
    const auto blocks =
        static_cast<uint32_t>(std::min<uint64_t>(kBlocks, model.blocks_count() - lba));
    slot.room.resize(room_length_);
    slot.request = Request{.kind = Request::Kind::kRead,
                           .lun = static_cast<uint8_t>(&model - models_.data()),
                           .lba = lba,
                           .blocks = blocks,
                           .cdb = scsi::Read10(lba, blocks),
                           .length = blocks * model.block_size()};
    Begin(slot, TaskAttribute::kSimple);
    if (!RunOn(kStepsMax) || !EndEnded() || !JudgeWave()) return false;
    if (judge_.calm()) continue;
    Fail(Law::kCompletion, "LUN " + std::to_string(slot.request.lun) + " block " +
                               std::to_string(lba) + " cannot be read after all faults have ended");
    return false;
  }
  return true;
}

}  // namespace usbtwin::sim
