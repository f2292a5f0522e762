#include "emulator/faulty_unit.h"

#include <algorithm>

#include "emulator/unit_faults.h"

namespace usbtwin::emulator {

using fault::Kind;
using fault::Moment;
using fault::Sign;
using scsi::Command;
using scsi::Meaning;
using scsi::Sense;
using scsi::SenseKey;
using scsi::Status;

namespace {

// Empties what came of the command before it.
void Begin(Command& command) {
  CHECK(!command.linked());
  command.status = Status::kGood;
  command.length_in = 0;
  command.length_out = 0;
  command.data.Reset();
  command.aborted = false;
  command.work = 0;
}

}  // namespace

class FaultyUnit::Charge final : public scsi::CommandSink, public Timer {
 public:
  enum class State : uint8_t {
    kHeld,           // it has not reached the unit
    kDecided,        // it never will; its answer is posted
    kPassed,         // the unit has it
    kWindows,        // kShortData: more of its data follows
    kCutting,        // kShortData: the unit lets go of the rest; then OnExecuted
    kCuttingWindow,  // the same, then OnWindow
  };

  explicit Charge(FaultyUnit& unit) : unit_(unit) {}

  Command* command = nullptr;  // null: free
  CommandSink* sink = nullptr;
  Kind kind = Kind::kSlow;
  State state = State::kHeld;
  bool shown = false;    // kPassed: the answer bears the fault
  uint64_t serial = 0;   // of the injection
  bool aborted = false;  // while cutting
  scsi::cdb::RequestSense
      ask;  // kPassed: the condition `sense` is reported where there is no other
  std::optional<Sense> sense;
  uint32_t length_max = 0;    // kShortData: bytes
  uint32_t length_unit = 0;   // what the unit has
  uint32_t length_moved = 0;  // in windows so far
  Lease cut;                  // the last window, while the unit lets go of the rest

 private:
  void OnExecuted(Command&) override { unit_.HandleExecuted(*this); }
  void OnWindow(Command&) override { unit_.HandleWindow(*this); }
  void OnDataWanted(Command& wants, uint32_t length) override { sink->OnDataWanted(wants, length); }
  void OnDataTaken(Command& taken) override { sink->OnDataTaken(taken); }
  void HandleTimer() override { unit_.HandleHeld(*this); }

  FaultyUnit& unit_;
};

FaultyUnit::FaultyUnit(Clock& clock, scsi::LogicalUnit& unit, fault::Player& player,
                       PowerSwitch* power)
    : clock_(clock), unit_(unit), player_(player), power_(power) {}

FaultyUnit::~FaultyUnit() {
  for (const auto& charge : charges_) CHECK(charge->command == nullptr);
}

// ---- Which command meets a fault --------------------------------------------------------------

void FaultyUnit::Execute(Command& command) {
  const bool idle = kept_.empty() && lasting_.empty() && !player_.watches(Moment::kExecute);
  if (idle) return unit_.Execute(command);

  const std::optional<Kept> kept = TakeKept(command);
  const Result<Meaning, Sense> parsed = scsi::ParseCdb(command.cdb());
  std::optional<Meaning> meaning;
  if (parsed) meaning = *parsed;
  const auto* ask = meaning ? std::get_if<scsi::cdb::RequestSense>(&*meaning) : nullptr;
  if (kept && ask != nullptr) return AnswerSense(command, *ask, *kept);
  if (const Lasting* lasting = meaning ? FindLasting(command.lun, *meaning) : nullptr) {
    if (ask == nullptr) {
      return Refuse(command, {.initiator = command.initiator,
                              .lun = command.lun,
                              .sense = *SenseOf(lasting->kind),
                              .kind = lasting->kind,
                              .serial = lasting->serial});
    }
    Charge& charge = Take(command, lasting->kind, lasting->serial);
    charge.state = Charge::State::kPassed;
    charge.ask = *ask;
    charge.sense = SenseOf(lasting->kind);
    return unit_.Execute(command);
  }
  if (!player_.watches(Moment::kExecute)) return unit_.Execute(command);
  const fault::CommandContext context =
      fault::ContextOf(command.cdb(), static_cast<uint8_t>(command.lun), 0);
  const fault::Occasion occasion{.moment = Moment::kExecute, .command = &context};
  const auto plays = [&](const fault::Rule& drawn) {
    return drawn.kind == Kind::kPowerLoss ? power_ != nullptr : CanPlay(drawn, meaning);
  };
  const fault::Rule* rule = player_.Draw(occasion);
  while (rule != nullptr && !plays(*rule)) rule = player_.Redraw(occasion);
  if (rule == nullptr) return unit_.Execute(command);
  Play(command, *rule, context);
}

std::optional<FaultyUnit::Kept> FaultyUnit::TakeKept(const Command& command) {
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return kept.initiator == command.initiator && kept.lun == command.lun;
  });
  if (found == kept_.end()) return std::nullopt;
  const Kept kept = *found;
  kept_.erase(found);
  return kept;
}

const FaultyUnit::Lasting* FaultyUnit::FindLasting(uint64_t lun, const Meaning& meaning) {
  const TimePoint now = clock_.Now();
  std::erase_if(lasting_, [now](const Lasting& lasting) { return now >= lasting.until; });
  const bool ask = std::holds_alternative<scsi::cdb::RequestSense>(meaning);
  for (const Lasting& lasting : lasting_) {
    if (lasting.lun != lun) continue;
    if (ask ? lasting.kind != Kind::kDataProtect : Concerns(lasting.kind, meaning)) {
      return &lasting;
    }
  }
  return nullptr;
}

void FaultyUnit::Play(Command& command, const fault::Rule& rule,
                      const fault::CommandContext& context) {
  const uint64_t serial = player_.serial();
  if (std::optional<Sense> sense = SenseOf(rule.kind)) {
    if (Lasts(rule.kind)) {
      lasting_.push_back({.kind = rule.kind,
                          .lun = command.lun,
                          .until = clock_.Now() + std::max(rule.delay_or_default(), Duration(0)),
                          .serial = serial});
    }
    if (rule.kind == Kind::kMediumError && context.blocks_count != 0) {
      sense->information_valid = true;
      sense->information = std::max(context.lba, rule.blocks ? rule.blocks->first : 0);
    }
    return Refuse(command, {.initiator = command.initiator,
                            .lun = command.lun,
                            .sense = *sense,
                            .kind = rule.kind,
                            .serial = serial});
  }
  Begin(command);
  Charge& charge = Take(command, rule.kind, serial);
  if (rule.kind == Kind::kUnitBusy) {
    unit_.ForgetSense(command.initiator);
    command.status = Status::kBusy;
    player_.Show(serial, Sign::kStatus);
    Post(charge);
  } else if (rule.kind == Kind::kShortData || rule.kind == Kind::kLyingCapacity) {
    charge.state = Charge::State::kPassed;
    charge.length_max = rule.length_or_default();
    unit_.Execute(command);
  } else if (rule.kind == Kind::kSlow) {
    player_.Show(serial, Sign::kWait);
    clock_.Arm(charge, clock_.Now() + std::max(rule.delay_or_default(), Duration(0)));
  } else if (rule.kind == Kind::kPowerLoss) {
    player_.Show(serial, Sign::kGone);
    power_->LosePower(rule.delay_or_default());
  } else {
    CHECK(rule.kind == Kind::kNever);  // held until it is aborted
    player_.Show(serial, Sign::kWait);
  }
}

// ---- Commands in charge -----------------------------------------------------------------------

FaultyUnit::Charge& FaultyUnit::Take(Command& command, Kind kind, uint64_t serial) {
  auto found = std::find_if(charges_.begin(), charges_.end(),
                            [](const auto& charge) { return charge->command == nullptr; });
  if (found == charges_.end()) {
    charges_.push_back(std::make_unique<Charge>(*this));
    found = charges_.end() - 1;
  }
  Charge& charge = **found;
  charge.command = &command;
  charge.sink = std::exchange(command.sink, &charge);
  charge.kind = kind;
  charge.state = Charge::State::kHeld;
  charge.shown = false;
  charge.serial = serial;
  charge.aborted = false;
  charge.sense.reset();
  return charge;
}

FaultyUnit::Charge* FaultyUnit::Find(const Command& command) {
  for (const auto& charge : charges_) {
    if (charge->command == &command) return charge.get();
  }
  return nullptr;
}

void FaultyUnit::Release(Charge& charge) {
  charge.command->sink = charge.sink;
  charge.command = nullptr;
}

void FaultyUnit::Post(Charge& charge) {
  charge.state = Charge::State::kDecided;
  charge.command->step = Command::Step::kExecuted;
  clock_.Post(*charge.command);
}

void FaultyUnit::Refuse(Command& command, const Kept& kept) {
  Begin(command);
  unit_.ForgetSense(command.initiator);
  command.status = Status::kCheckCondition;
  command.sense = kept.sense;
  Charge& charge = Take(command, kept.kind, kept.serial);
  if (command.autosense) {
    player_.Show(kept.serial, Sign::kStatus);
  } else {
    kept_.push_back(kept);
  }
  Post(charge);
}

void FaultyUnit::AnswerSense(Command& command, const scsi::cdb::RequestSense& what,
                             const Kept& kept) {
  Begin(command);
  std::array<uint8_t, scsi::kDescriptorSenseLengthMax> bytes{};
  const uint32_t length = what.descriptor ? scsi::EmitDescriptorSense(kept.sense, bytes)
                                          : scsi::EmitFixedSense(kept.sense, bytes);
  command.data = replies_.Lend(usbtwin::Take(Bytes(bytes).first(length), what.allocation_length));
  command.length_in = command.data.length();
  player_.Show(kept.serial, Sign::kData);
  Post(Take(command, kept.kind, kept.serial));
}

void FaultyUnit::NextWindow(Command& command) {
  unit_.NextWindow(command);
}

void FaultyUnit::HandleData(Command& command, uint32_t offset, Bytes bytes) {
  unit_.HandleData(command, offset, bytes);
}

void FaultyUnit::Abort(Command& command) {
  Charge* charge = Find(command);
  if (charge == nullptr) return unit_.Abort(command);
  switch (charge->state) {
    case Charge::State::kHeld:
      clock_.Disarm(*charge);
      command.status = Status::kTaskAborted;
      player_.EndWait(charge->serial);
      return Post(*charge);
    case Charge::State::kDecided: return;
    case Charge::State::kPassed:
    case Charge::State::kWindows: return unit_.Abort(command);
    case Charge::State::kCutting:
    case Charge::State::kCuttingWindow: charge->aborted = true; return;
  }
}

void FaultyUnit::ForgetSense(uint8_t initiator) {
  std::erase_if(kept_, [initiator](const Kept& kept) { return kept.initiator == initiator; });
  unit_.ForgetSense(initiator);
}

void FaultyUnit::Reset() {
  kept_.clear();
  unit_.Reset();
}

void FaultyUnit::ResetUnit(uint64_t lun) {
  std::erase_if(kept_, [lun](const Kept& kept) { return kept.lun == lun; });
  unit_.ResetUnit(lun);
}

// The delay of a slow command is over.
void FaultyUnit::HandleHeld(Charge& charge) {
  Command& command = *charge.command;
  player_.EndWait(charge.serial);
  Release(charge);
  unit_.Execute(command);
}

// ---- Answers of the unit ----------------------------------------------------------------------

void FaultyUnit::EndExecuted(Charge& charge) {
  Command& command = *charge.command;
  Release(charge);
  command.sink->OnExecuted(command);
}

void FaultyUnit::EndWindow(Charge& charge) {
  Command& command = *charge.command;
  Release(charge);
  command.sink->OnWindow(command);
}

void FaultyUnit::HandleExecuted(Charge& charge) {
  Command& command = *charge.command;
  const bool cut =
      charge.state == Charge::State::kCutting || charge.state == Charge::State::kCuttingWindow;
  if (cut) {
    if (charge.aborted) {
      charge.cut.Reset();
      return EndExecuted(charge);
    }
    command.status = Status::kGood;
    command.data = std::move(charge.cut);
    command.length_in = charge.length_max;
    return charge.state == Charge::State::kCutting ? EndExecuted(charge) : EndWindow(charge);
  }
  if (charge.state == Charge::State::kPassed && command.status == Status::kGood) {
    if (charge.sense) ReportLasting(charge);
    if (charge.kind == Kind::kLyingCapacity) Lie(charge);
    if (charge.kind == Kind::kShortData && command.length_in > charge.length_max) {
      charge.length_unit = command.length_in;
      charge.length_moved = 0;
      command.length_in = charge.length_max;
      charge.state = Charge::State::kCutting;
      if (Shorten(charge)) {
        if (charge.state == Charge::State::kWindows) charge.sink->OnExecuted(command);
        return;
      }
    }
  }
  if (charge.state == Charge::State::kPassed) RetractUnplayed(charge);
  EndExecuted(charge);
}

// Of an aborted command nobody knows what it would have answered.
void FaultyUnit::RetractUnplayed(const Charge& charge) {
  const bool changes = charge.kind == Kind::kShortData || charge.kind == Kind::kLyingCapacity;
  const bool aborted = charge.command->aborted || charge.command->status == Status::kTaskAborted;
  if (changes && !charge.shown && !aborted) player_.Retract(charge.serial);
}

void FaultyUnit::HandleWindow(Charge& charge) {
  Command& command = *charge.command;
  if (command.data.empty()) return EndWindow(charge);
  charge.state = Charge::State::kCuttingWindow;
  if (!Shorten(charge)) return EndWindow(charge);
  if (charge.state == Charge::State::kWindows) charge.sink->OnWindow(command);
}

bool FaultyUnit::Shorten(Charge& charge) {
  Command& command = *charge.command;
  const uint32_t left = charge.length_max - charge.length_moved;
  const uint32_t length = command.data.length();
  charge.length_moved += length;
  if (length < left) {
    charge.state = Charge::State::kWindows;
    return true;
  }
  player_.Show(charge.serial, Sign::kData);
  command.data = command.data.Slice(0, left);
  if (charge.length_moved == charge.length_unit) return false;
  charge.cut = std::move(command.data);
  unit_.Abort(command);
  return true;
}

void FaultyUnit::Lie(Charge& charge) {
  Command& command = *charge.command;
  std::array<uint8_t, sizeof(wire::scsi::Capacity16)> bytes{};
  const uint32_t length = std::min<uint32_t>(command.data.length(), bytes.size());
  command.data.CopyTo(MutableBytes(bytes).first(length));
  if (!DoubleCapacity(bytes, length)) return;
  command.data = replies_.Lend(Bytes(bytes).first(length));
  charge.shown = true;
  player_.Show(charge.serial, Sign::kData);
}

// REQUEST SENSE where the unit has nothing to tell: why it is not ready. SPC-4, 6.39.
void FaultyUnit::ReportLasting(Charge& charge) {
  Command& command = *charge.command;
  std::array<uint8_t, scsi::kDescriptorSenseLengthMax> bytes{};
  const uint32_t length = std::min<uint32_t>(command.data.length(), bytes.size());
  command.data.CopyTo(MutableBytes(bytes).first(length));
  const std::optional<Sense> told = scsi::ParseSense(Bytes(bytes).first(length));
  if (!told || told->key != SenseKey::kNoSense || told->asc != 0) return;
  const uint32_t length_sense = charge.ask.descriptor
                                    ? scsi::EmitDescriptorSense(*charge.sense, bytes)
                                    : scsi::EmitFixedSense(*charge.sense, bytes);
  command.data =
      replies_.Lend(usbtwin::Take(Bytes(bytes).first(length_sense), charge.ask.allocation_length));
  command.length_in = command.data.length();
  player_.Show(charge.serial, Sign::kData);
}

}  // namespace usbtwin::emulator
