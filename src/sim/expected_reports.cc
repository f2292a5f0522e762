#include "sim/expected_reports.h"

#include <array>
#include <initializer_list>

namespace usbtwin::sim {

using fault::Kind;
using scsi::SenseKey;

namespace {

constexpr uint32_t Any(std::initializer_list<ErrorKind> errors) {
  uint32_t bits = 0;
  for (const ErrorKind error : errors) bits |= 1u << static_cast<unsigned>(error);
  return bits;
}

using enum ErrorKind;

// A fault of transfers, ports or Bulk-Only: the conversation breaks, or it does not.
constexpr ExpectedReport Broken(Kind kind, Passing passing, std::initializer_list<ErrorKind> errors,
                                bool resets = false) {
  return {.kind = kind,
          .passing = passing,
          .errors = Any(errors),
          .hides_sense = true,
          .resets = resets};
}
// A conversation that is sound, with a failure that nothing explains.
constexpr ExpectedReport Mute(Kind kind, Passing passing, bool hides_sense) {
  return {.kind = kind, .passing = passing, .fails_mutely = true, .hides_sense = hides_sense};
}
// A refusal: it is always heard of, and never breaks the conversation.
constexpr ExpectedReport Refused(Kind kind, SenseKey key, uint8_t asc, uint8_t ascq,
                                 Place place = Place::kNone) {
  return {.kind = kind, .passing = Passing::kNever, .sense = ExpectedSense{key, asc, ascq, place}};
}
// It only takes longer, or brings other data.
constexpr ExpectedReport Odd(Kind kind, std::initializer_list<ErrorKind> errors) {
  return {.kind = kind, .passing = Passing::kMay, .errors = Any(errors), .hides_sense = true};
}

constexpr auto kNot = Passing::kNever;
constexpr auto kOnce = Passing::kRecovered;
constexpr auto kWell = Passing::kMay;

// A pipe that is a step behind: data is taken for the status, or nothing comes any more.
constexpr std::array<ExpectedReport, fault::kKindsCount> kExpected{{
    Broken(Kind::kStall, kOnce, {kStalled, kTimedOut, kOverflow, kProtocol}),
    Broken(Kind::kStallLate, kOnce, {kStalled, kTimedOut, kOverflow, kProtocol}),
    Broken(Kind::kLostRequest, kNot, {kTimedOut}),
    Broken(Kind::kLostCompletion, kNot, {kTimedOut}),
    Broken(Kind::kDelayRequest, kWell, {kTimedOut}),
    Broken(Kind::kDelayCompletion, kWell, {kTimedOut}),
    Broken(Kind::kReorder, kWell, {kTimedOut}),
    Broken(Kind::kShortIn, kWell, {kTimedOut, kOverflow, kProtocol}),
    Broken(Kind::kShortOut, kNot, {kFault}),
    Broken(Kind::kOverflow, kNot, {kOverflow}),
    Broken(Kind::kCorruptIn, kWell, {kProtocol}),
    Broken(Kind::kCorruptOut, kWell, {kStalled}),
    Broken(Kind::kFault, kNot, {kFault}),
    Broken(Kind::kFaultLate, kNot, {kFault}),
    Broken(Kind::kSilent, kNot, {kTimedOut}),
    Broken(Kind::kCancelLate, kWell, {}),
    Broken(Kind::kDisconnect, kNot, {kDisconnected, kNotFound}, true),
    Broken(Kind::kResetByOther, kNot, {kFault}, true),
    Broken(Kind::kSuspend, kWell, {kTimedOut}),
    Broken(Kind::kClearHaltFails, kNot, {kStalled}),
    Broken(Kind::kResetFails, kNot, {kFault}),
    Broken(Kind::kClaimFails, kNot, {kDisconnected, kBusy}),
    Broken(Kind::kConfigureFails, kNot, {kDisconnected, kStalled}),
    Broken(Kind::kPortSlow, kWell, {kTimedOut}),
    Broken(Kind::kOpenFails, kNot, {kDisconnected}),
    Broken(Kind::kStallCommand, kNot, {kStalled}),
    {.kind = Kind::kStallData, .passing = kOnce, .fails_mutely = true, .hides_sense = true},
    Broken(Kind::kStallStatus, kOnce, {kStalled}),
    Broken(Kind::kStallStatusTwice, kNot, {kStalled}),
    Broken(Kind::kWrongTag, kNot, {kProtocol}),
    Broken(Kind::kWrongSignature, kNot, {kProtocol}),
    Broken(Kind::kShortStatus, kNot, {kProtocol, kTimedOut}),
    Broken(Kind::kLongStatus, kNot, {kOverflow}),
    Broken(Kind::kReservedStatus, kNot, {kProtocol}),
    Broken(Kind::kPhaseError, kNot, {kProtocol}),
    Broken(Kind::kResidueLie, kWell, {}),
    Broken(Kind::kStaleStatus, kNot, {kProtocol}),
    Broken(Kind::kStatusForData, kWell, {}),
    Broken(Kind::kNoStatus, kNot, {kTimedOut}),
    Broken(Kind::kZeroPacket, kOnce, {kProtocol}),
    Mute(Kind::kFailedNoSense, kNot, true),
    Broken(Kind::kLostStatusIu, kNot, {kTimedOut}),
    Broken(Kind::kLateStatusIu, kWell, {kTimedOut, kProtocol}),
    Broken(Kind::kRepeatedStatusIu, kWell, {kProtocol}),
    Broken(Kind::kForgedStatusIu, kNot, {kProtocol}),
    Broken(Kind::kWrongIuTag, kNot, {kProtocol}),
    Broken(Kind::kWrongStream, kNot, {kProtocol}),
    Broken(Kind::kGarbageIu, kNot, {kProtocol}),
    Broken(Kind::kShortStatusIu, kNot, {kProtocol}),
    Broken(Kind::kStatusBeforeData, kWell, {kTimedOut}),
    Broken(Kind::kDataAborted, kNot, {kFault}),
    Broken(Kind::kLostCommandIu, kNot, {kTimedOut}),
    Broken(Kind::kStreamRefused, kNot, {kStalled, kDisconnected, kFault}),
    Refused(Kind::kNoSense, SenseKey::kNoSense, 0x00, 0x00),
    Refused(Kind::kRecoveredError, SenseKey::kRecoveredError, 0x17, 0x00),
    Refused(Kind::kNotReady, SenseKey::kNotReady, 0x04, 0x01),
    Refused(Kind::kMediumError, SenseKey::kMediumError, 0x11, 0x00, Place::kFirst),
    Refused(Kind::kHardwareError, SenseKey::kHardwareError, 0x44, 0x00),
    Refused(Kind::kIllegalRequest, SenseKey::kIllegalRequest, 0x24, 0x00),
    Refused(Kind::kUnitAttention, SenseKey::kUnitAttention, 0x29, 0x00),
    Refused(Kind::kDataProtect, SenseKey::kDataProtect, 0x27, 0x00),
    Refused(Kind::kBlankCheck, SenseKey::kBlankCheck, 0x00, 0x00),
    Refused(Kind::kVendorSpecific, SenseKey::kVendorSpecific, 0x80, 0x00),
    Refused(Kind::kCopyAborted, SenseKey::kCopyAborted, 0x00, 0x00),
    Refused(Kind::kAbortedCommand, SenseKey::kAbortedCommand, 0x47, 0x00),
    Refused(Kind::kVolumeOverflow, SenseKey::kVolumeOverflow, 0x00, 0x00),
    Refused(Kind::kMiscompare, SenseKey::kMiscompare, 0x1d, 0x00),
    Refused(Kind::kMediumRemoved, SenseKey::kNotReady, 0x3a, 0x00),
    Mute(Kind::kUnitBusy, kNot, false),
    Odd(Kind::kSlow, {kTimedOut}),
    Broken(Kind::kNever, kNot, {kTimedOut}),
    Odd(Kind::kShortData, {}),
    Odd(Kind::kLyingCapacity, {}),
    Refused(Kind::kReadError, SenseKey::kMediumError, 0x11, 0x00, Place::kWithin),
    Refused(Kind::kWriteError, SenseKey::kMediumError, 0x0c, 0x00, Place::kWithin),
    Refused(Kind::kNoSpace, SenseKey::kDataProtect, 0x27, 0x07),
    Refused(Kind::kTornWrite, SenseKey::kMediumError, 0x0c, 0x00, Place::kWithin),
    Refused(Kind::kFlushError, SenseKey::kMediumError, 0x0c, 0x00),
    Odd(Kind::kSlowStore, {kTimedOut}),
    Broken(Kind::kPowerLoss, kNot, {kDisconnected, kNotFound, kTimedOut}, true),
}};

constexpr bool InOrder() {
  for (size_t index = 0; index < kExpected.size(); ++index) {
    if (static_cast<size_t>(kExpected[index].kind) != index) return false;
  }
  return true;
}
static_assert(InOrder());

struct MoreOverUas {
  Kind kind;
  uint32_t errors;
};
constexpr MoreOverUas kMoreOverUas[] = {
    {Kind::kCorruptOut, Any({kProtocol, kTimedOut})},
    {Kind::kCorruptIn, Any({kTimedOut})},
    // The device's RESPONSE IU may come before the command pipe tells that the IU was cut.
    {Kind::kShortOut, Any({kProtocol})},
};

}  // namespace

const ExpectedReport& ExpectedOf(Kind kind) {
  return kExpected[static_cast<size_t>(kind)];
}

bool AllowsOverUas(Kind kind, ErrorKind error) {
  if (ExpectedOf(kind).allows(error)) return true;
  for (const MoreOverUas& more : kMoreOverUas) {
    if (more.kind == kind) return (more.errors >> static_cast<unsigned>(error) & 1) != 0;
  }
  return false;
}

}  // namespace usbtwin::sim
