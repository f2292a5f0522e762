// FaultyUnit: plays the SCSI faults of a plan (Moment::kExecute) in front of any logical unit,
// usually a Target. A command that is refused, held or never ended here does not reach the unit;
// one whose answer is changed does, and its calls pass through here until the last. All others
// are forwarded as they are and call their transport directly.
//
// A refused command's sense is delivered with its status where the transport does autosense;
// otherwise it is kept for the REQUEST SENSE of the same initiator and LUN, and forgotten with any
// other command. SPC-4, 6.39; SAM-5, 5.13. REQUEST SENSE itself is never refused. Some kinds play
// only where they can; elsewhere the rules behind them have their turn.
//
//   unit attention                INQUIRY and REPORT LUNS never report it
//   not ready, medium removed     commands that need the medium, for the rule's delay
//   data protect                  writes, for the rule's delay
//   recovered error               commands with data, which the host will find missing: that of any
//                                 other would say that it had been carried out
//   short data                    commands with more data for the host than that
//   lying capacity                READ CAPACITY
//   power loss                    where there is a switch
//
// Short data and a lie need an answer to change. Where the unit itself refuses the command, or has
// no more data than that, the fault was not played and waits for the next one that fits.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "emulator/logical_unit.h"
#include "emulator/power_switch.h"
#include "emulator/reply.h"
#include "link/fault_player.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class FaultyUnit final : public scsi::LogicalUnit {
 public:
  // All outlive the unit; `power` may be null.
  FaultyUnit(Clock& clock, scsi::LogicalUnit& unit, fault::Player& player,
             PowerSwitch* power = nullptr);
  FaultyUnit(const FaultyUnit&) = delete;
  FaultyUnit& operator=(const FaultyUnit&) = delete;
  ~FaultyUnit() override;

  void Execute(scsi::Command& command) override;
  void NextWindow(scsi::Command& command) override;
  void HandleData(scsi::Command& command, uint32_t offset, Bytes bytes) override;
  void Abort(scsi::Command& command) override;
  void ForgetSense(uint8_t initiator) override;
  // Forgets kept sense. A medium that is gone does not come back with a reset.
  void Reset() override;
  void ResetUnit(uint64_t lun) override;

 private:
  class Charge;  // a command that a fault is played on, until its last call

  // Sense for the next REQUEST SENSE of one initiator to one LUN.
  struct Kept {
    uint8_t initiator;
    uint64_t lun;
    scsi::Sense sense;
    fault::Kind kind;
    uint64_t serial;  // of the injection
  };
  // A condition of one LUN that lasts.
  struct Lasting {
    fault::Kind kind;
    uint64_t lun;
    TimePoint until;
    uint64_t serial;  // of the injection
  };

  std::optional<Kept> TakeKept(const scsi::Command& command);
  // The condition that refuses the command, or that REQUEST SENSE reports. The oldest counts.
  const Lasting* FindLasting(uint64_t lun, const scsi::Meaning& meaning);
  void Play(scsi::Command& command, const fault::Rule& rule, const fault::CommandContext& context);

  Charge& Take(scsi::Command& command, fault::Kind kind, uint64_t serial);
  Charge* Find(const scsi::Command& command);
  void Release(Charge& charge);
  void Refuse(scsi::Command& command, const Kept& kept);
  void AnswerSense(scsi::Command& command, const scsi::cdb::RequestSense& what, const Kept& kept);
  void Post(Charge& charge);

  void HandleExecuted(Charge& charge);
  void RetractUnplayed(const Charge& charge);
  void HandleWindow(Charge& charge);
  void HandleHeld(Charge& charge);
  void EndExecuted(Charge& charge);
  void EndWindow(Charge& charge);
  // True: more windows follow, or the unit is still to let go of them.
  bool Shorten(Charge& charge);
  void Lie(Charge& charge);
  void ReportLasting(Charge& charge);

  Clock& clock_;
  scsi::LogicalUnit& unit_;
  fault::Player& player_;
  PowerSwitch* const power_;
  std::vector<Kept> kept_;
  std::vector<Lasting> lasting_;
  std::vector<std::unique_ptr<Charge>> charges_;  // made when first needed, used again
  ReplyPool replies_;
};

}  // namespace usbtwin::emulator
