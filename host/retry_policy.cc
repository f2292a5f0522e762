#include "host/retry_policy.h"

#include <algorithm>

namespace usbtwin::host {

using scsi::SenseKey;
using Step = RetryPolicy::Step;

namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(1);  // so that waiting comes to an end

// ASC and ASCQ. SPC-4, annex F.
constexpr uint8_t kAscNotReady = 0x04;
constexpr uint8_t kCauseNotReportable = 0x00;
constexpr uint8_t kBecomingReady = 0x01;
constexpr uint8_t kStartRequired = 0x02;
constexpr uint8_t kOperationInProgress = 0x07;
constexpr uint8_t kAccessTransition = 0x0a;
constexpr uint8_t kAscMediumMayHaveChanged = 0x28;
constexpr uint8_t kAscParametersChanged = 0x2a;
constexpr uint8_t kCapacityChanged = 0x09;

}  // namespace

Step RetryPolicy::HandleResult(const ScsiResult& result) {
  switch (result.status) {
    case scsi::Status::kGood:
    case scsi::Status::kConditionMet: return Step::kDone;
    case scsi::Status::kCheckCondition:
      if (result.sense_valid) return HandleSense(result.sense);
      return Repeat(repeats_, limits_.repeats_max);
    case scsi::Status::kBusy:
    case scsi::Status::kTaskSetFull: return Wait();
    case scsi::Status::kTaskAborted: return Repeat(repeats_, limits_.repeats_max);
    case scsi::Status::kReservationConflict:
    case scsi::Status::kAcaActive: return Step::kFail;
  }
  return Step::kFail;
}

Step RetryPolicy::HandleError(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kStalled:
    case ErrorKind::kOverflow:
    case ErrorKind::kFault:
    case ErrorKind::kProtocol: ExpectReset(); return Repeat(repeats_, limits_.repeats_max);
    case ErrorKind::kTimedOut:
    case ErrorKind::kDisconnected:
      // These cost long: a timeout itself, an absent device the wait for its return.
      ExpectReset();
      return Repeat(repeats_, limits_.repeats_max, 2);
    case ErrorKind::kCancelled:
    case ErrorKind::kBusy:
    case ErrorKind::kDenied:
    case ErrorKind::kNotFound:
    case ErrorKind::kInvalid:
    case ErrorKind::kUnsupported: return Step::kFail;
  }
  return Step::kFail;
}

// Recovery may have reset the unit. Many sticks then say that the medium may have changed.
void RetryPolicy::ExpectReset() {
  if (guard_ == Guard::kMedium) guard_ = Guard::kCapacity;
}

Step RetryPolicy::HandleSense(const scsi::Sense& sense) {
  // A deferred error is the loss of something that was reported as written. Sending this command
  // again would hide that. SPC-4, 4.5.6.
  if (sense.deferred) return Step::kFail;
  switch (sense.key) {
    case SenseKey::kRecoveredError: return Step::kDone;
    case SenseKey::kNotReady: return HandleNotReady(sense);
    case SenseKey::kUnitAttention: return HandleAttention(sense);
    case SenseKey::kMediumError:
    case SenseKey::kHardwareError: return Repeat(media_repeats_, limits_.media_repeats_max);
    case SenseKey::kNoSense:
    case SenseKey::kAbortedCommand: return Repeat(repeats_, limits_.repeats_max);
    case SenseKey::kIllegalRequest:
    case SenseKey::kDataProtect:
    case SenseKey::kBlankCheck:
    case SenseKey::kVendorSpecific:
    case SenseKey::kCopyAborted:
    case SenseKey::kReserved:
    case SenseKey::kVolumeOverflow:
    case SenseKey::kMiscompare:
    case SenseKey::kCompleted: return Step::kFail;
  }
  return Step::kFail;
}

// What passes by itself is waited for. A missing medium, a format that takes hours and all else is
// not.
Step RetryPolicy::HandleNotReady(const scsi::Sense& sense) {
  if (sense.asc != kAscNotReady) return Step::kFail;
  switch (sense.ascq) {
    case kCauseNotReportable:
    case kBecomingReady:
    case kOperationInProgress:
    case kAccessTransition: return Wait();
    case kStartRequired:
      if (started_) return Step::kFail;
      started_ = true;
      return Step::kStart;
    default: return Step::kFail;
  }
}

Step RetryPolicy::HandleAttention(const scsi::Sense& sense) {
  const bool capacity_changed =
      sense.asc == kAscParametersChanged && sense.ascq == kCapacityChanged;
  if (capacity_changed && guard_ != Guard::kNothing) return Step::kFail;
  if (sense.asc == kAscMediumMayHaveChanged && guard_ == Guard::kMedium) return Step::kFail;
  return Repeat(attentions_, limits_.attentions_max);
}

Step RetryPolicy::Repeat(uint8_t& count, uint8_t count_max, uint8_t cost) {
  if (count >= count_max) return Step::kFail;
  count = static_cast<uint8_t>(std::min<unsigned>(count + cost, count_max));
  return Step::kAgain;
}

Step RetryPolicy::Wait() {
  const Duration left = limits_.wait_max - waited_;
  if (left <= Duration(0)) return Step::kFail;
  pause_ = std::min(std::max(pause_next_, kPauseMin), left);
  waited_ += pause_;
  pause_next_ = std::min(pause_next_ * 2, limits_.pause_max);
  return Step::kWait;
}

}  // namespace usbtwin::host
