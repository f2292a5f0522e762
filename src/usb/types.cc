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
    case Outcome::kBusy: return "busy";
    case Outcome::kDenied: return "denied";
    case Outcome::kNotFound: return "not found";
    case Outcome::kUnsupported: return "unsupported";
  }
  return "?";
}

ErrorKind KindOf(Outcome outcome) {
  CHECK(outcome != Outcome::kOk);
  switch (outcome) {
    case Outcome::kStall: return ErrorKind::kStalled;
    case Outcome::kCancelled: return ErrorKind::kCancelled;
    case Outcome::kTimedOut: return ErrorKind::kTimedOut;
    case Outcome::kOverflow: return ErrorKind::kOverflow;
    case Outcome::kDisconnected: return ErrorKind::kDisconnected;
    case Outcome::kBusy: return ErrorKind::kBusy;
    case Outcome::kDenied: return ErrorKind::kDenied;
    case Outcome::kNotFound: return ErrorKind::kNotFound;
    case Outcome::kUnsupported: return ErrorKind::kUnsupported;
    case Outcome::kPending:
    case Outcome::kOk:
    case Outcome::kFault: break;
  }
  return ErrorKind::kFault;
}

}  // namespace usbtwin::usb
