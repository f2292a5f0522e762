// START STOP UNIT of a Disk: the medium in and out, running or not, and power conditions. From idle
// and standby any command that needs the medium brings the unit back by itself. SBC-3, 4.20 and 5.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using scsi::SenseKey;

namespace {

// POWER CONDITION. SBC-3, 5, "START STOP UNIT command".
enum class Condition : uint8_t {
  kStartValid = 0x0,
  kActive = 0x1,
  kIdle = 0x2,
  kStandby = 0x3,
  kControl = 0x7,       // LU_CONTROL: what the timers say, and there are none
  kForceIdle = 0xa,     // FORCE_IDLE_0
  kForceStandby = 0xb,  // FORCE_STANDBY_0
};

}  // namespace

void Disk::Run(Command& command, const scsi::cdb::StartStopUnit& what) {
  uint8_t modifier_max = 0;
  switch (static_cast<Condition>(what.power_condition)) {
    case Condition::kStartValid: return StartOrStop(command, what);
    case Condition::kActive:
    case Condition::kControl:
    case Condition::kForceIdle:
    case Condition::kForceStandby: break;
    case Condition::kIdle: modifier_max = 2; break;     // idle_a, idle_b, idle_c
    case Condition::kStandby: modifier_max = 1; break;  // standby_z, standby_y
    default: return Fail(command, scsi::InvalidFieldInCdb(4, 7));
  }
  if (what.modifier > modifier_max) return Fail(command, scsi::InvalidFieldInCdb(3, 3));
  SetPower(command, what);
}

void Disk::SetPower(Command& command, const scsi::cdb::StartStopUnit& what) {
  const auto condition = static_cast<Condition>(what.power_condition);
  if (medium_ == Medium::kStopped && condition != Condition::kControl) {
    ++log_.starts_count;
    medium_ = Medium::kReady;
  }
  if (!ready()) return Fail(command, ReadinessSense());
  // Idle, idle_b, idle_c, standby, standby_y condition activated by command.
  constexpr uint8_t kIdleCodes[] = {0x03, 0x06, 0x08};
  constexpr uint8_t kStandbyCodes[] = {0x04, 0x0a};
  if (condition == Condition::kActive) low_power_code_ = 0;
  if (condition == Condition::kIdle || condition == Condition::kForceIdle) {
    low_power_code_ = kIdleCodes[what.modifier];
  }
  if (condition == Condition::kStandby || condition == Condition::kForceStandby) {
    low_power_code_ = kStandbyCodes[what.modifier];
  }
  Finish(command);
}

void Disk::StartOrStop(Command& command, const scsi::cdb::StartStopUnit& what) {
  if (what.load_eject && !options_.removable) return Fail(command, scsi::InvalidFieldInCdb(4, 1));
  const bool inside = medium_ == Medium::kReady || medium_ == Medium::kStopped;
  if (what.start) {
    if (inside) {
      if (medium_ == Medium::kStopped) ++log_.starts_count;
      medium_ = Medium::kReady;
      low_power_code_ = 0;
    } else if (what.load_eject && medium_ == Medium::kEjected) {
      Load();
    } else {
      return Fail(command, ReadinessSense());
    }
    return Finish(command);
  }
  if (!inside) return Finish(command);
  if (what.load_eject && removal_prevented()) {  // medium removal prevented
    return Fail(command, {.key = SenseKey::kIllegalRequest, .asc = 0x53, .ascq = 0x02});
  }
  // What is cached is written first, unless the host says not to. SBC-3, 5, "START STOP UNIT".
  SetFlush(command, what.load_eject ? Work::kEject : Work::kStop, 0, 0);
  if (!what.no_flush) return Drive(command);
  command.store_op.outcome = StoreOutcome::kOk;
  Advance(command);
}

}  // namespace usbtwin::emulator
