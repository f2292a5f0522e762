#include "usb/types.h"

namespace usbtwin::usb {

const char* Name(Speed speed) {
  switch (speed) {
    case Speed::kLow: return "low";
    case Speed::kFull: return "full";
    case Speed::kHigh: return "high";
    case Speed::kSuper: return "super";
    case Speed::kSuperPlus: return "super-plus";
  }
  return "?";
}

const char* Name(TransferType type) {
  switch (type) {
    case TransferType::kControl: return "control";
    case TransferType::kIsochronous: return "isochronous";
    case TransferType::kBulk: return "bulk";
    case TransferType::kInterrupt: return "interrupt";
  }
  return "?";
}

const char* Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPending: return "pending";
    case Outcome::kOk: return "ok";
    case Outcome::kStall: return "stall";
    case Outcome::kCancelled: return "cancelled";
    case Outcome::kTimedOut: return "timed out";
    case Outcome::kOverflow: return "overflow";
    case Outcome::kDisconnected: return "disconnected";
    case Outcome::kFault: return "fault";
  }
  return "?";
}

}  // namespace usbtwin::usb
