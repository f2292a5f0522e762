// Target: the logical units of one device behind one door. A command goes to the unit its LUN
// names; what concerns the target as a whole, or a LUN where there is no unit, is answered here:
// REPORT LUNS, and INQUIRY, REQUEST SENSE and refusal for absent units. SPC-4, 6.33; SAM-5, 5.11.
// Units are added before the first command. A transport is given the Target instead of a unit.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "emulator/logical_unit.h"
#include "emulator/reply.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class Target final : public scsi::LogicalUnit {
 public:
  static constexpr size_t kUnitsMax = 16;  // as many as a Bulk-Only wrapper can name

  explicit Target(Clock& clock) : clock_(clock) {}
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // The unit gets the next LUN, from 0 on, and outlives the target's use of it.
  void AddUnit(scsi::LogicalUnit& unit);
  size_t units_count() const { return units_.size(); }

  void Execute(scsi::Command& command) override;
  void NextWindow(scsi::Command& command) override;
  void HandleData(scsi::Command& command, uint32_t offset, Bytes bytes) override;
  void Abort(scsi::Command& command) override;
  void ForgetSense(uint8_t initiator) override;  // of every LUN
  void Reset() override;                         // every unit
  void ResetUnit(uint64_t lun) override;

 private:
  // The sense of the last command refused here, for each LUN. Only Bulk-Only, which can name no
  // other LUNs, leaves it to REQUEST SENSE.
  using KeptSenses = std::array<std::optional<scsi::Sense>, kUnitsMax>;

  scsi::LogicalUnit* UnitOf(const scsi::Command& command) const;
  void Begin(scsi::Command& command);
  void ReportLuns(scsi::Command& command);
  void SendSense(scsi::Command& command, const scsi::Sense& sense);
  void ExecuteAbsent(scsi::Command& command);
  void Fail(scsi::Command& command, const scsi::Sense& sense);
  void Answer(scsi::Command& command, const Reply& reply, uint32_t allocation_length);

  Clock& clock_;
  std::vector<scsi::LogicalUnit*> units_;
  std::array<KeptSenses, scsi::kInitiatorsMax> kept_;
  ReplyPool replies_;
};

}  // namespace usbtwin::emulator
