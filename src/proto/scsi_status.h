// SCSI status codes, the word both ends use. SAM-5, 5.3.1.
#pragma once

#include <cstdint>

namespace usbtwin::scsi {

enum class Status : uint8_t {
  kGood = 0x00,
  kCheckCondition = 0x02,
  kConditionMet = 0x04,
  kBusy = 0x08,
  kReservationConflict = 0x18,
  kTaskSetFull = 0x28,
  kAcaActive = 0x30,
  kTaskAborted = 0x40,
};
const char* Name(Status status);  // "check condition"

}  // namespace usbtwin::scsi
