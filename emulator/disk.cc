#include "emulator/disk.h"

#include "base/canary.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using scsi::SenseKey;
using scsi::Status;
using wire::scsi::Opcode;

namespace {

// These are carried out whatever attention waits: the first two leave it waiting, REQUEST SENSE
// reports it as data. SAM-5, 5.14.
bool IgnoresAttention(uint8_t opcode) {
  return opcode == static_cast<uint8_t>(Opcode::kInquiry) ||
         opcode == static_cast<uint8_t>(Opcode::kReportLuns) ||
         opcode == static_cast<uint8_t>(Opcode::kRequestSense);
}

template <class... Meanings>
bool IsAnyOf(const scsi::Meaning& meaning) {
  return (std::holds_alternative<Meanings>(meaning) || ...);
}

// What reservations make of a command. SPC-4, 5.13.1, and SBC-3, 4.17; PERSISTENT RESERVE OUT,
// RESERVE and RELEASE decide for themselves.
Reservations::Access AccessOf(const scsi::Meaning& meaning) {
  using Access = Reservations::Access;
  namespace cdb = scsi::cdb;
  if (const auto* prevent = std::get_if<cdb::PreventAllowMediumRemoval>(&meaning)) {
    return prevent->prevent ? Access::kWrite : Access::kIdentify;
  }
  if (const auto* unit = std::get_if<cdb::StartStopUnit>(&meaning)) {
    const bool starts = unit->start && !unit->load_eject && unit->power_condition == 0;
    return starts ? Access::kAsk : Access::kWrite;
  }
  if (IsAnyOf<cdb::Inquiry, cdb::ReportLuns, cdb::RequestSense, cdb::ReadCapacity10,
              cdb::ReadCapacity16, cdb::Reserve6, cdb::Release6, cdb::PersistentReserveIn,
              cdb::PersistentReserveOut>(meaning)) {
    return Access::kIdentify;
  }
  if (IsAnyOf<cdb::TestUnitReady, cdb::LogSense>(meaning)) return Access::kAsk;
  if (IsAnyOf<cdb::Read, cdb::Verify, cdb::PreFetch, cdb::GetLbaStatus, cdb::ReadDefectData,
              cdb::ReadBuffer, cdb::ModeSense, cdb::ReportOpcodes, cdb::ReportTaskFunctions>(
          meaning)) {
    return Access::kRead;
  }
  return Access::kWrite;
}

// What can be asked while the medium is erased; SANITIZE and FORMAT UNIT look themselves.
bool AllowedWhileErasing(const scsi::Meaning& meaning) {
  namespace cdb = scsi::cdb;
  return IsAnyOf<cdb::Inquiry, cdb::ReportLuns, cdb::RequestSense, cdb::LogSense, cdb::ModeSense,
                 cdb::PersistentReserveIn, cdb::ReportOpcodes, cdb::ReportTaskFunctions,
                 cdb::Sanitize, cdb::FormatUnit>(meaning);
}

}  // namespace

Disk::Disk(Clock& clock, BlockStore& store, const DiskOptions& options)
    : clock_(clock),
      store_(store),
      options_(options),
      blocks_count_(store.size() / options.block_size),
      medium_(blocks_count_ == 0 ? Medium::kAbsent : Medium::kReady),
      modes_(options),
      erasure_(clock, store, blocks_count_ * options.block_size, *this) {
  CHECK(options_.block_size == 512 || options_.block_size == scsi::kBlockLengthMax);
}

bool Disk::write_protected() const {
  return options_.read_only || write_protect_switch_ || !store_.writable() ||
         modes_.write_protected();
}

void Disk::Execute(Command& command) {
  CHECK_LT(command.initiator, nexuses_.size());
  CHECK(!command.linked());
  CHECK(!command.store_busy);
  command.status = Status::kGood;
  command.length_in = 0;
  command.length_out = 0;
  command.data.Reset();
  command.aborted = false;
  command.taking = false;
  command.write_through = false;
  command.gathered.clear();
  command.length_total = 0;
  command.length_done = 0;
  command.pending = {};
  command.block_filled = 0;
  command.store_op.sink = this;
  command.store_op.owner = &command;
  command.store_op.whole = false;
  set_work(command, Work::kNone);
  command.descriptor_sense = modes_.descriptor_sense();
  if (tasks_.full()) {
    command.status = Status::kTaskSetFull;
    return Post(command, Command::Step::kExecuted);
  }
  tasks_.Add(command);
  StartCommands();
}

void Disk::StartCommands() {
  if (starting_) return;
  starting_ = true;
  while (Command* command = tasks_.Start()) Begin(*command);
  starting_ = false;
}

void Disk::Begin(Command& command) {
  Nexus& nexus = nexuses_[command.initiator];
  const uint8_t opcode = command.command_block[0];
  if (opcode != static_cast<uint8_t>(Opcode::kRequestSense)) nexus.sense_kept = false;
  const auto meaning = scsi::ParseCdb(command.cdb());
  // Reservation conflict takes precedence over whatever else there is to tell. SAM-5, 5.3.
  if (meaning && reservations_.Conflicts(command.initiator, AccessOf(*meaning))) {
    return Conflict(command);
  }
  if (nexus.attentions != 0 && !IgnoresAttention(opcode)) {
    return Fail(command, TakeAttention(nexus));
  }
  if (!meaning) return Fail(command, meaning.error());
  const bool verifies = std::holds_alternative<scsi::cdb::Verify>(*meaning);
  if (canary::Planted(canary::Canary::kVerifyWithoutReading) && verifies) return Finish(command);
  if (const auto sense = ErasureSense(); sense && !AllowedWhileErasing(*meaning)) {
    return Fail(command, *sense);
  }
  std::visit([&](const auto& what) { Run(command, what); }, *meaning);
}

// ---- How commands end -------------------------------------------------------------------------

// Whatever is posted, the command does nothing with the store until the transport has answered.
void Disk::Post(Command& command, Command::Step step) {
  if (step == Command::Step::kDataTaken) command.taking = false;
  command.step = step;
  clock_.Post(command);
  gate_.Leave(command);
  DriveWaiting();
  if (work(command) == Work::kNone && step != Command::Step::kDataTaken) HandleEnded(command);
}

void Disk::HandleEnded(const Command& command) {
  if (erase_waiter_ == &command) erase_waiter_ = nullptr;
  if (tasks_.Remove(command)) StartCommands();
}

void Disk::Refuse(Command& command, const Sense& sense) {
  command.status = Status::kCheckCondition;
  command.sense = sense;
  command.data.Reset();
  if (command.autosense) return;
  Nexus& nexus = nexuses_[command.initiator];
  nexus.sense = sense;
  nexus.sense_kept = true;
}

void Disk::Fail(Command& command, const Sense& sense) {
  Refuse(command, sense);
  command.length_in = 0;
  Finish(command);
}

void Disk::Finish(Command& command) {
  set_work(command, Work::kNone);
  Post(command, command.taking ? Command::Step::kDataTakenLast : Command::Step::kExecuted);
}

void Disk::Conflict(Command& command) {
  command.status = Status::kReservationConflict;
  command.length_in = 0;
  Finish(command);
}

void Disk::FinishAborted(Command& command) {
  const auto step = command.taking ? Command::Step::kDataTakenLast : Command::Step::kExecuted;
  command.status = Status::kTaskAborted;
  command.data.Reset();
  command.length_in = 0;
  set_work(command, Work::kNone);
  if (command.linked()) {
    command.step = step;
    HandleEnded(command);
  } else {
    Post(command, step);
  }
}

void Disk::Answer(Command& command, Bytes data, uint32_t allocation_length) {
  command.data = replies_.Lend(Take(data, allocation_length));
  command.length_in = command.data.length();
  Finish(command);
}

void Disk::Abort(Command& command) {
  if (tasks_.IsDormant(command)) return FinishAborted(command);
  if (command.store_busy) {
    command.aborted = true;
    return;
  }
  if (!command.linked()) {
    // It waits for data or for NextWindow, or it is not ours any more.
    if (work(command) != Work::kNone) FinishAborted(command);
    return;
  }
  switch (command.step) {
    case Command::Step::kIdle:
    case Command::Step::kDataTakenLast: return;
    case Command::Step::kExecuted:
    case Command::Step::kWindow:
      // Decided, unless windows were to follow.
      if (work(command) != Work::kNone) FinishAborted(command);
      return;
    case Command::Step::kDataWanted: return FinishAborted(command);
    case Command::Step::kDataTaken: command.taking = true; return FinishAborted(command);
  }
}

// ---- The state of the unit --------------------------------------------------------------------

void Disk::ForgetSense(uint8_t initiator) {
  CHECK_LT(initiator, nexuses_.size());
  nexuses_[initiator].sense_kept = false;
}

void Disk::Reset() {
  if (medium_ == Medium::kStopped) medium_ = Medium::kReady;
  low_power_code_ = 0;
  for (Nexus& nexus : nexuses_) nexus = Nexus{};
  modes_.Reset();
  reservations_.Reset();
}

// Alone, without a Target in front of it, a disk is LUN 0.
void Disk::ResetUnit(uint64_t lun) {
  if (lun == 0) Reset();
}

void Disk::Announce(Attention attention) {
  for (Nexus& nexus : nexuses_) nexus.attentions |= attention;
}

void Disk::Announce(Attention attention, uint16_t initiators) {
  for (uint8_t initiator = 0; initiator < nexuses_.size(); ++initiator) {
    if ((initiators >> initiator & 1) != 0) nexuses_[initiator].attentions |= attention;
  }
}

void Disk::AbortOf(uint16_t initiators) {
  for (Command* command : tasks_.Of(initiators)) Abort(*command);
}

Sense Disk::TakeAttention(Nexus& nexus) {
  // The lowest bit is the most important condition.
  const auto attention = static_cast<Attention>(nexus.attentions & -nexus.attentions);
  nexus.attentions = static_cast<uint8_t>(nexus.attentions & ~attention);
  Sense sense{.key = SenseKey::kUnitAttention};
  switch (attention) {
    case kAttentionReset: sense.asc = 0x29; break;   // power on, reset, or bus device reset
    case kAttentionMedium: sense.asc = 0x28; break;  // not ready to ready, medium may have changed
    case kAttentionMode:
      sense.asc = 0x2a;  // mode parameters changed
      sense.ascq = 0x01;
      break;
    case kAttentionPreempted:
      sense.asc = 0x2a;
      sense.ascq = 0x03;
      break;
    case kAttentionReleased:
      sense.asc = 0x2a;
      sense.ascq = 0x04;
      break;
    case kAttentionRegistrations:
      sense.asc = 0x2a;
      sense.ascq = 0x05;
      break;
  }
  return sense;
}

Sense Disk::ReadinessSense() const {
  if (const auto sense = ErasureSense()) return *sense;
  switch (medium_) {
    case Medium::kReady: break;
    case Medium::kStopped:  // initializing command required
      return {.key = SenseKey::kNotReady, .asc = 0x04, .ascq = 0x02};
    case Medium::kEjected:
    case Medium::kAbsent:  // medium not present
      return {.key = SenseKey::kNotReady, .asc = 0x3a};
  }
  return {};
}

bool Disk::EnterReady(Command& command) {
  if (ready()) {
    low_power_code_ = 0;
    return true;
  }
  Fail(command, ReadinessSense());
  return false;
}

bool Disk::removal_prevented() const {
  for (const Nexus& nexus : nexuses_) {
    if (nexus.prevents_removal) return true;
  }
  return false;
}

void Disk::Load() {
  if (blocks_count_ == 0) return;
  medium_ = Medium::kReady;
  Announce(kAttentionMedium);
}

void Disk::InsertMedium() {
  if (medium_ == Medium::kEjected || medium_ == Medium::kAbsent) Load();
}

bool Disk::RemoveMedium() {
  if (!options_.removable || removal_prevented() || erasure_.running()) return false;
  medium_ = Medium::kAbsent;
  return true;
}

void Disk::SetWriteProtected(bool write_protected) {
  if (write_protect_switch_ == write_protected) return;
  write_protect_switch_ = write_protected;
  Announce(kAttentionMode);  // the WP bit of the mode parameter header
}

// ---- Commands that concern the unit as a whole ------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::TestUnitReady&) {
  if (!ready()) return Fail(command, ReadinessSense());
  Finish(command);
}

void Disk::Run(Command& command, const scsi::cdb::RequestSense& what) {
  Nexus& nexus = nexuses_[command.initiator];
  Sense sense = ReadinessSense();  // polled: why the unit is not ready, or nothing. SPC-4, 6.39
  if (nexus.sense_kept) {
    sense = nexus.sense;
  } else if (nexus.attentions != 0) {
    sense = TakeAttention(nexus);
  } else if (sense.key == SenseKey::kNoSense && low_power_code_ != 0) {
    sense = {.asc = 0x5e, .ascq = low_power_code_};
  } else if (sense.key == SenseKey::kNoSense && modes_.exceptions_tested()) {
    sense = {.asc = 0x5d, .ascq = 0xff};  // failure prediction threshold exceeded (false)
  }
  nexus.sense_kept = false;

  static_assert(scsi::kDescriptorSenseLengthMax >= scsi::kFixedSenseLength);
  std::array<uint8_t, scsi::kDescriptorSenseLengthMax> bytes{};
  const uint32_t length = what.descriptor ? scsi::EmitDescriptorSense(sense, bytes)
                                          : scsi::EmitFixedSense(sense, bytes);
  Reply reply;
  reply.Append(Bytes(bytes).first(length));
  Answer(command, reply, what.allocation_length);
}

// Alone, without a Target in front of it, a disk is the only unit there is.
void Disk::Run(Command& command, const scsi::cdb::ReportLuns& what) {
  if (what.select > wire::scsi::kSelectReportAll) {
    return Fail(command, scsi::InvalidFieldInCdb(2));
  }
  Reply reply;
  AppendLuns(what.select == wire::scsi::kSelectReportWellKnown ? 0 : 1, reply);
  Answer(command, reply, what.allocation_length);
}

void Disk::Run(Command& command, const scsi::cdb::PreventAllowMediumRemoval& what) {
  nexuses_[command.initiator].prevents_removal = what.prevent;
  Finish(command);
}

}  // namespace usbtwin::emulator
