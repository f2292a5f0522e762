#include "proto/scsi_status.h"

namespace usbtwin::scsi {

const char* Name(Status status) {
  switch (status) {
    case Status::kGood: return "good";
    case Status::kCheckCondition: return "check condition";
    case Status::kConditionMet: return "condition met";
    case Status::kBusy: return "busy";
    case Status::kReservationConflict: return "reservation conflict";
    case Status::kTaskSetFull: return "task set full";
    case Status::kAcaActive: return "ACA active";
    case Status::kTaskAborted: return "task aborted";
  }
  return "unknown status";
}

}  // namespace usbtwin::scsi
