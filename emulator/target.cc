#include "emulator/target.h"

#include "base/canary.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using scsi::SenseKey;
using scsi::Status;
using wire::scsi::Opcode;

namespace {

// Logical unit not supported.
constexpr Sense kAbsentSense{.key = SenseKey::kIllegalRequest, .asc = 0x25};

bool Is(const Command& command, Opcode opcode) {
  return command.command_block[0] == static_cast<uint8_t>(opcode);
}

}  // namespace

void Target::AddUnit(scsi::LogicalUnit& unit) {
  CHECK_LT(units_.size(), kUnitsMax);
  units_.push_back(&unit);
}

scsi::LogicalUnit* Target::UnitOf(const Command& command) const {
  const bool planted =
      canary::Planted(canary::Canary::kWrongUnit) ||
      (canary::Planted(canary::Canary::kWrongInquiry) && Is(command, Opcode::kInquiry));
  const bool wrong = planted && units_.size() > 1 && command.lun == units_.size() - 1;
  if (wrong) return units_[command.lun - 1];
  return command.lun < units_.size() ? units_[command.lun] : nullptr;
}

void Target::Execute(Command& command) {
  CHECK_LT(command.initiator, kept_.size());
  std::optional<Sense> kept;
  if (command.lun < kUnitsMax) kept_[command.initiator][command.lun].swap(kept);
  if (kept && Is(command, Opcode::kRequestSense)) return SendSense(command, *kept);
  scsi::LogicalUnit* const unit = UnitOf(command);
  if (Is(command, Opcode::kReportLuns)) {
    if (unit != nullptr) unit->ForgetSense(command.initiator);
    return ReportLuns(command);
  }
  if (unit != nullptr) return unit->Execute(command);
  ExecuteAbsent(command);
}

void Target::NextWindow(Command& command) {
  scsi::LogicalUnit* unit = UnitOf(command);
  CHECK(unit != nullptr);
  unit->NextWindow(command);
}

void Target::HandleData(Command& command, uint32_t offset, Bytes bytes) {
  scsi::LogicalUnit* unit = UnitOf(command);
  CHECK(unit != nullptr);
  unit->HandleData(command, offset, bytes);
}

void Target::Abort(Command& command) {
  // What is answered here is decided and posted at once: there is nothing left to abort.
  const bool posted_here = UnitOf(command) == nullptr || Is(command, Opcode::kReportLuns);
  if (!posted_here) UnitOf(command)->Abort(command);
}

void Target::ForgetSense(uint8_t initiator) {
  CHECK_LT(initiator, kept_.size());
  kept_[initiator] = {};
  for (scsi::LogicalUnit* unit : units_) unit->ForgetSense(initiator);
}

void Target::Reset() {
  for (KeptSenses& kept : kept_) kept = {};
  for (scsi::LogicalUnit* unit : units_) unit->Reset();
}

void Target::ResetUnit(uint64_t lun) {
  if (lun >= units_.size()) return;
  for (KeptSenses& kept : kept_) kept[lun].reset();
  units_[lun]->Reset();
}

// ---- What is answered here --------------------------------------------------------------------

void Target::Begin(Command& command) {
  CHECK(!command.linked());
  command.status = Status::kGood;
  command.length_in = 0;
  command.length_out = 0;
  command.data.Reset();
  command.work = 0;
}

void Target::Fail(Command& command, const Sense& sense) {
  Begin(command);
  command.status = Status::kCheckCondition;
  command.sense = sense;
  if (!command.autosense && command.lun < kUnitsMax) {
    kept_[command.initiator][command.lun] = sense;
  }
  command.step = Command::Step::kExecuted;
  clock_.Post(command);
}

void Target::Answer(Command& command, const Reply& reply, uint32_t allocation_length) {
  Begin(command);
  command.data = replies_.Lend(Take(reply.view(), allocation_length));
  command.length_in = command.data.length();
  command.step = Command::Step::kExecuted;
  clock_.Post(command);
}

void Target::ReportLuns(Command& command) {
  const auto meaning = scsi::ParseCdb(command.cdb());
  if (!meaning) return Fail(command, meaning.error());
  const auto& what = std::get<scsi::cdb::ReportLuns>(*meaning);
  if (what.select > wire::scsi::kSelectReportAll) {
    return Fail(command, scsi::InvalidFieldInCdb(2));
  }
  Reply reply;
  AppendLuns(what.select == wire::scsi::kSelectReportWellKnown ? 0 : units_.size(), reply);
  Answer(command, reply, what.allocation_length);
}

void Target::SendSense(Command& command, const Sense& sense) {
  const auto meaning = scsi::ParseCdb(command.cdb());
  if (!meaning) return Fail(command, meaning.error());
  const auto& what = std::get<scsi::cdb::RequestSense>(*meaning);
  std::array<uint8_t, scsi::kDescriptorSenseLengthMax> bytes{};
  const uint32_t length = what.descriptor ? scsi::EmitDescriptorSense(sense, bytes)
                                          : scsi::EmitFixedSense(sense, bytes);
  Reply reply;
  reply.Append(Bytes(bytes).first(length));
  Answer(command, reply, what.allocation_length);
}

// SAM-5, 5.11: INQUIRY says that nothing is there, REQUEST SENSE why, and the rest is refused.
void Target::ExecuteAbsent(Command& command) {
  if (Is(command, Opcode::kRequestSense)) return SendSense(command, kAbsentSense);
  if (!Is(command, Opcode::kInquiry)) return Fail(command, kAbsentSense);
  const auto meaning = scsi::ParseCdb(command.cdb());
  if (!meaning) return Fail(command, meaning.error());
  const auto& what = std::get<scsi::cdb::Inquiry>(*meaning);
  if (what.vital) return Fail(command, scsi::InvalidFieldInCdb(2));
  wire::scsi::StandardInquiry inquiry{};
  inquiry.peripheral = wire::scsi::kPeripheralAbsent;
  inquiry.version = wire::scsi::kVersionSpc4;
  inquiry.response_format = wire::scsi::kResponseFormat2;
  inquiry.additional_length = sizeof(inquiry) - 5;
  inquiry.vendor.fill(' ');
  inquiry.product.fill(' ');
  inquiry.revision.fill(' ');
  Reply reply;
  reply.Append(inquiry);
  Answer(command, reply, what.allocation_length);
}

}  // namespace usbtwin::emulator
