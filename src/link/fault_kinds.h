// The faults there are: one table of names, where each is played, what it needs and what a host
// must make of it. A plan (fault_plan.h) says which of them happen when; the places that play them
// are link::FaultInjector (transfers, ports, Bulk-Only, UAS), emulator::FaultyUnit (SCSI)
// and emulator::FaultyStore (media). Programs print the table; tests walk through it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace usbtwin::fault {

enum class Kind : uint8_t {
  // Transfers of any device.
  kStall,
  kStallLate,
  kLostRequest,
  kLostCompletion,
  kDelayRequest,
  kDelayCompletion,
  kReorder,
  kShortIn,
  kShortOut,
  kOverflow,
  kCorruptIn,
  kCorruptOut,
  kFault,
  kFaultLate,
  kSilent,
  kCancelLate,
  // Ports.
  kDisconnect,
  kResetByOther,
  kSuspend,
  kClearHaltFails,
  kResetFails,
  kClaimFails,
  kConfigureFails,
  kPortSlow,
  kOpenFails,
  // Bulk-Only Transport.
  kStallCommand,
  kStallData,
  kStallStatus,
  kStallStatusTwice,
  kWrongTag,
  kWrongSignature,
  kShortStatus,
  kLongStatus,
  kReservedStatus,
  kPhaseError,
  kResidueLie,
  kStaleStatus,
  kStatusForData,
  kNoStatus,
  kZeroPacket,
  kFailedNoSense,
  // USB Attached SCSI.
  kLostStatusIu,
  kLateStatusIu,
  kRepeatedStatusIu,
  kForgedStatusIu,
  kWrongIuTag,
  kWrongStream,
  kGarbageIu,
  kShortStatusIu,
  kStatusBeforeData,
  kDataAborted,
  kLostCommandIu,
  kStreamRefused,
  // SCSI units of a twin.
  kNoSense,
  kRecoveredError,
  kNotReady,
  kMediumError,
  kHardwareError,
  kIllegalRequest,
  kUnitAttention,
  kDataProtect,
  kBlankCheck,
  kVendorSpecific,
  kCopyAborted,
  kAbortedCommand,
  kVolumeOverflow,
  kMiscompare,
  kMediumRemoved,
  kUnitBusy,
  kSlow,
  kNever,
  kShortData,
  kLyingCapacity,
  // The stores behind them.
  kReadError,
  kWriteError,
  kNoSpace,
  kTornWrite,
  kFlushError,
  kSlowStore,
  kPowerLoss,
};
inline constexpr size_t kKindsCount = static_cast<size_t>(Kind::kPowerLoss) + 1;

// When a fault can begin: each place that plays faults asks at its moments.
enum class Moment : uint8_t {
  kCommand,      // a command wrapper is about to go to the device
  kDataIn,       // any other transfer from a bulk or interrupt endpoint
  kDataOut,      // any other transfer to one
  kStatus,       // the read of a status wrapper
  kCommandIu,    // an IU is about to go to a UAS device
  kStatusIu,     // an IU came from it
  kDataLeg,      // data of one of its commands moved
  kControl,      // a control transfer
  kCancel,       // the host cancels a transfer
  kPortRequest,  // claim, clear halt, configure, reset...
  kOpen,         // the host opens the device
  kExecute,      // a logical unit of a twin gets a command
  kStoreRead,
  kStoreWrite,
  kStoreFlush,
};
inline constexpr size_t kMomentsCount = static_cast<size_t>(Moment::kStoreFlush) + 1;
const char* Name(Moment moment);  // "data-in"

// What a rule may set for a kind, beside where and when.
enum class Parameter : uint8_t { kNone, kDelay, kLength, kValue };

struct KindInfo {
  Kind kind;
  const char* name;     // "bot.stall-data": in plans and tables
  uint32_t moments;     // one bit for each Moment
  Parameter parameter;  // and its default, in milliseconds, bytes or as it is
  uint32_t parameter_default;
  const char* text;  // what happens, one line
  const char* host;  // what a host must make of it, one line

  bool at(Moment moment) const { return (moments >> static_cast<unsigned>(moment) & 1) != 0; }
};

std::span<const KindInfo> Kinds();  // in the order of Kind
const KindInfo& Info(Kind kind);
std::optional<Kind> ParseKind(std::string_view name);

}  // namespace usbtwin::fault
