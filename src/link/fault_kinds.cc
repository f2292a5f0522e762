#include "link/fault_kinds.h"

#include <array>
#include <initializer_list>

#include "base/check.h"

namespace usbtwin::fault {

const char* Name(Moment moment) {
  switch (moment) {
    case Moment::kCommand: return "command";
    case Moment::kDataIn: return "data-in";
    case Moment::kDataOut: return "data-out";
    case Moment::kStatus: return "status";
    case Moment::kCommandIu: return "command IU";
    case Moment::kStatusIu: return "status IU";
    case Moment::kDataLeg: return "data leg";
    case Moment::kControl: return "control";
    case Moment::kCancel: return "cancel";
    case Moment::kPortRequest: return "port request";
    case Moment::kOpen: return "open";
    case Moment::kExecute: return "execute";
    case Moment::kStoreRead: return "store read";
    case Moment::kStoreWrite: return "store write";
    case Moment::kStoreFlush: return "store flush";
  }
  return "?";
}

namespace {

constexpr uint32_t At(std::initializer_list<Moment> moments) {
  uint32_t bits = 0;
  for (const Moment moment : moments) bits |= 1u << static_cast<unsigned>(moment);
  return bits;
}

using enum Moment;
using enum Kind;
using P = Parameter;

constexpr uint32_t kBulkIn = At({kDataIn, kStatus});
constexpr uint32_t kBulkOut = At({kCommand, kDataOut});
constexpr uint32_t kAny = kBulkIn | kBulkOut | At({kControl});
constexpr uint32_t kRequest = At({kPortRequest});
constexpr uint32_t kIu = At({kStatusIu});
constexpr uint32_t kUnit = At({kExecute});

constexpr std::array<KindInfo, kKindsCount> kKinds{{
    {kStall, "usb.stall", kAny, P::kNone, 0,
     "the endpoint halts before the transfer reaches the device",
     "clears the halt; a command that never arrived needs reset recovery, then is sent again"},
    {kStallLate, "usb.stall-late", kAny, P::kNone, 0,
     "the transfer reaches the device, then the host is told of a halt",
     "clears the halt and reads the status; sends the command again where that says nothing"},
    {kLostRequest, "usb.lost-request", kAny, P::kNone, 0,
     "the transfer never reaches the device and ends only when it is cancelled",
     "cancels at its deadline, recovers the device, sends the command again"},
    {kLostCompletion, "usb.lost-completion", kAny, P::kNone, 0,
     "the device is done but the host never hears until it cancels",
     "cancels at its deadline, recovers the device, sends the command again"},
    {kDelayRequest, "usb.delay-request", kAny, P::kDelay, 100,
     "the transfer reaches the device late", "waits"},
    {kDelayCompletion, "usb.delay-completion", kAny, P::kDelay, 100,
     "the host hears late that a transfer is done", "waits"},
    {kReorder, "usb.reorder", kAny, P::kDelay, 100,
     "a transfer completes after the next one of another endpoint, or after the delay", "waits"},
    {kShortIn, "usb.short-in", kBulkIn, P::kLength, 0,
     "only the first `length` bytes of data-in arrive",
     "takes no more than came, and tells; a block device sends the command again"},
    {kShortOut, "usb.short-out", kBulkOut, P::kLength, 0,
     "only the first `length` bytes of data-out reach the device; the bus reports a fault",
     "recovers the device, sends the command again"},
    {kOverflow, "usb.overflow", kBulkIn, P::kNone, 0,
     "the device sends more than was asked for (babble)",
     "recovers the device, sends the command again"},
    {kCorruptIn, "usb.corrupt-in", kBulkIn, P::kValue, 0, "bit `value` of data-in is flipped",
     "refuses a spoilt status; spoilt data it cannot see"},
    {kCorruptOut, "usb.corrupt-out", kBulkOut, P::kValue, 0, "bit `value` of data-out is flipped",
     "recovers a device that refuses a spoilt command; spoilt data it cannot see"},
    {kFault, "usb.fault", kAny, P::kNone, 0, "a bus error before the transfer reaches the device",
     "recovers the device, sends the command again"},
    {kFaultLate, "usb.fault-late", kAny, P::kNone, 0,
     "the transfer reaches the device, then a bus error is reported",
     "recovers the device, sends the command again"},
    {kSilent, "usb.silent", kBulkIn | kBulkOut, P::kNone, 0,
     "the endpoint answers nothing until the port is reset",
     "gives the command up after two deadlines, and resets the port for the next one"},
    {kCancelLate, "usb.cancel-late", At({kCancel}), P::kDelay, 100,
     "a cancelled transfer ends late", "waits for it, reuses nothing before"},
    {kDisconnect, "port.disconnect", kAny, P::kDelay, 500,
     "the device is gone; after the delay it is there again (0: never)",
     "opens the same device anew, sends the command again"},
    {kResetByOther, "port.reset-by-other", kAny, P::kNone, 0, "somebody else resets the port",
     "recovers, expects a unit attention, sends again"},
    {kSuspend, "port.suspend", kAny, P::kDelay, 100, "the port is suspended for the delay",
     "waits"},
    {kClearHaltFails, "port.clear-halt-fails", kRequest, P::kNone, 0,
     "the halt of an endpoint is not cleared", "climbs the ladder of recovery"},
    {kResetFails, "port.reset-fails", kRequest, P::kNone, 0, "the port reset fails",
     "opens the device anew"},
    {kClaimFails, "port.claim-fails", kRequest, P::kNone, 0, "the interface cannot be claimed",
     "says busy; while reopening, that the device is gone, and the next command opens it"},
    {kConfigureFails, "port.configure-fails", kRequest, P::kNone, 0,
     "the device refuses its configuration", "names the error"},
    {kPortSlow, "port.slow", kRequest, P::kDelay, 1000, "a port request takes the delay", "waits"},
    {kOpenFails, "port.open-fails", At({kOpen}), P::kNone, 0, "the device cannot be opened",
     "tries again while reopening; names the error otherwise"},
    {kStallCommand, "bot.stall-command", At({kCommand}), P::kNone, 0,
     "Bulk-Out halts instead of taking the command",
     "reset recovery, then sends the command again"},
    {kStallData, "bot.stall-data", At({kDataIn, kDataOut}), P::kLength, UINT32_MAX,
     "the data pipe halts after `length` bytes; the residue is honest",
     "clears the halt, reads the status, reports the residue"},
    {kStallStatus, "bot.stall-status", At({kStatus}), P::kNone, 0,
     "Bulk-In halts before the status", "clears the halt and reads the status again"},
    {kStallStatusTwice, "bot.stall-status-twice", At({kStatus}), P::kNone, 0,
     "Bulk-In halts before the status, and again", "reset recovery, then sends again"},
    {kWrongTag, "bot.wrong-tag", At({kStatus}), P::kNone, 0, "the status carries another tag",
     "reset recovery, then sends the command again"},
    {kWrongSignature, "bot.wrong-signature", At({kStatus}), P::kNone, 0,
     "the status has no valid signature", "reset recovery, then sends the command again"},
    {kShortStatus, "bot.short-status", At({kStatus}), P::kLength, 12,
     "the status has only `length` bytes", "reset recovery, then sends the command again"},
    {kLongStatus, "bot.long-status", At({kStatus}), P::kNone, 0,
     "the status is longer than 13 bytes", "reset recovery, then sends the command again"},
    {kReservedStatus, "bot.reserved-status", At({kStatus}), P::kValue, 3,
     "bCSWStatus is `value`, which is reserved", "reset recovery, then sends the command again"},
    {kPhaseError, "bot.phase-error", At({kStatus}), P::kNone, 0, "the status says phase error",
     "reset recovery, then sends the command again"},
    {kResidueLie, "bot.residue-lie", At({kStatus}), P::kValue, UINT32_MAX,
     "the residue is `value`, or all that was announced, whatever moved",
     "tells both lengths; a block device sends the command again"},
    {kStaleStatus, "bot.stale-status", At({kStatus}), P::kNone, 0,
     "the status of the command before comes again", "reset recovery, then sends again"},
    {kStatusForData, "bot.status-for-data", At({kDataIn}), P::kNone, 0,
     "the status comes in place of the data",
     "takes it as the status of no data; a block device sends the command again"},
    {kNoStatus, "bot.no-status", At({kStatus}), P::kNone, 0, "no status follows the data",
     "cancels at its deadline, reset recovery, sends again"},
    {kZeroPacket, "bot.zero-packet", At({kStatus}), P::kNone, 0,
     "an empty packet comes before the status", "reads the status again"},
    {kFailedNoSense, "bot.failed-no-sense", At({kStatus}), P::kNone, 0,
     "the status says failed, and the sense says nothing",
     "reports the failure; a block device sends the command again"},
    {kLostStatusIu, "uas.lost-status", kIu, P::kNone, 0,
     "an IU of the device never arrives; of ready IUs the next ones for that pipe neither",
     "aborts the task at its deadline; a block device sends the command again"},
    {kLateStatusIu, "uas.late-status", kIu, P::kDelay, 100,
     "an IU of the device arrives late; without streams others overtake it", "waits"},
    {kRepeatedStatusIu, "uas.repeated-status", kIu, P::kNone, 0,
     "without streams: an IU of the device comes twice",
     "resets the port, since its tag is nobody's any more"},
    {kForgedStatusIu, "uas.forged-status", kIu, P::kNone, 0,
     "a SENSE IU for a tag that nobody uses comes first; with streams instead", "resets the port"},
    {kWrongIuTag, "uas.wrong-tag", kIu, P::kNone, 0, "an IU carries a tag that nobody uses",
     "resets the port"},
    {kWrongStream, "uas.wrong-stream", kIu, P::kNone, 0,
     "with streams: an IU carries the tag of another stream", "resets the port"},
    {kGarbageIu, "uas.garbage-iu", kIu, P::kValue, 0xff, "the IU ID is `value`, which is reserved",
     "resets the port"},
    {kShortStatusIu, "uas.short-status", kIu, P::kLength, 3,
     "an IU of the device has only `length` bytes", "resets the port"},
    {kStatusBeforeData, "uas.status-before-data", At({kDataLeg}), P::kDelay, 100,
     "data ends after the status of its command, or after the delay",
     "waits for the data, for a second at most"},
    {kDataAborted, "uas.data-aborted", At({kDataLeg}), P::kLength, 0,
     "data ends in a bus error after `length` bytes", "resets the port"},
    {kLostCommandIu, "uas.lost-command", At({kCommandIu}), P::kNone, 0,
     "an IU never reaches the device, and the host is told that it did",
     "aborts the task at its deadline; a block device sends the command again"},
    {kStreamRefused, "uas.stream-refused", kRequest, P::kNone, 0, "the device is given no streams",
     "names the error; in recovery, opens the device anew"},
    {kNoSense, "scsi.no-sense", kUnit, P::kNone, 0, "CHECK CONDITION, no sense (00/00/00)",
     "sends the command again, then reports the failure"},
    {kRecoveredError, "scsi.recovered-error", kUnit, P::kNone, 0,
     "CHECK CONDITION, recovered error (01/17/00), in place of the data",
     "sends the command again, then reports the missing data"},
    {kNotReady, "scsi.not-ready", kUnit, P::kDelay, 100,
     "not ready, becoming ready (02/04/01) for the delay",
     "waits and sends the command again, for half a minute at most"},
    {kMediumError, "scsi.medium-error", kUnit, P::kNone, 0,
     "medium error, unrecovered read error (03/11/00) with the block",
     "sends the command again, then reports the block"},
    {kHardwareError, "scsi.hardware-error", kUnit, P::kNone, 0,
     "hardware error, internal target failure (04/44/00)",
     "sends the command again, then reports it"},
    {kIllegalRequest, "scsi.illegal-request", kUnit, P::kNone, 0,
     "illegal request, invalid field in CDB (05/24/00)", "reports it"},
    {kUnitAttention, "scsi.unit-attention", kUnit, P::kNone, 0,
     "unit attention, reset occurred (06/29/00)",
     "sends the command again; of a storm it reports the ninth"},
    {kDataProtect, "scsi.data-protect", kUnit, P::kDelay, 100,
     "data protect, write protected (07/27/00), for writes within the delay", "reports it"},
    {kBlankCheck, "scsi.blank-check", kUnit, P::kNone, 0, "blank check (08/00/00)", "reports it"},
    {kVendorSpecific, "scsi.vendor-specific", kUnit, P::kNone, 0,
     "vendor-specific sense (09/80/00)", "reports it"},
    {kCopyAborted, "scsi.copy-aborted", kUnit, P::kNone, 0, "copy aborted (0A/00/00)",
     "reports it"},
    {kAbortedCommand, "scsi.aborted-command", kUnit, P::kNone, 0,
     "aborted command, parity error (0B/47/00)", "sends the command again, then reports it"},
    {kVolumeOverflow, "scsi.volume-overflow", kUnit, P::kNone, 0, "volume overflow (0D/00/00)",
     "reports it"},
    {kMiscompare, "scsi.miscompare", kUnit, P::kNone, 0, "miscompare (0E/1D/00)", "reports it"},
    {kMediumRemoved, "scsi.medium-removed", kUnit, P::kDelay, 100,
     "not ready, medium not present (02/3A/00) for the delay", "reports it"},
    {kUnitBusy, "scsi.busy", kUnit, P::kNone, 0,
     "status BUSY; over Bulk-Only a failure that no sense explains",
     "sends the command again, then reports the failure"},
    {kSlow, "scsi.slow", kUnit, P::kDelay, 1000, "the command takes the delay", "waits"},
    {kNever, "scsi.never", kUnit, P::kNone, 0, "the command never ends by itself",
     "cancels at its deadline, recovers the device, sends the command again"},
    {kShortData, "scsi.short-data", kUnit, P::kLength, 0,
     "only `length` bytes of data-in exist; the status is good",
     "sends the command again, then reports how much came"},
    {kLyingCapacity, "scsi.lying-capacity", kUnit, P::kNone, 0, "READ CAPACITY says twice the size",
     "reports the error of reading past the end"},
    {kReadError, "store.read-error", At({kStoreRead}), P::kNone, 0, "a read of the store fails",
     "sends the command again, then reports it"},
    {kWriteError, "store.write-error", At({kStoreWrite}), P::kNone, 0,
     "a write to the store fails, and changes nothing", "sends again, then reports it"},
    {kNoSpace, "store.no-space", At({kStoreWrite}), P::kNone, 0, "the store is full",
     "reports that space allocation failed"},
    {kTornWrite, "store.torn-write", At({kStoreWrite}), P::kNone, 0,
     "a write of several blocks fails after some of them took effect",
     "sends again, then reports it"},
    {kFlushError, "store.flush-error", At({kStoreFlush}), P::kNone, 0,
     "the store cannot make writes permanent", "sends again, then reports it"},
    {kSlowStore, "store.slow", At({kStoreRead, kStoreWrite, kStoreFlush}), P::kDelay, 100,
     "the store answers after the delay", "waits"},
    {kPowerLoss, "store.power-loss", kUnit, P::kDelay, 1000,
     "power fails: unsynchronised blocks are lost or not, the device is gone for the delay",
     "opens the same device anew, sends the command again; its next flush says what may be lost"},
}};

constexpr bool InOrder() {
  for (size_t index = 0; index < kKinds.size(); ++index) {
    if (static_cast<size_t>(kKinds[index].kind) != index) return false;
  }
  return true;
}
static_assert(InOrder());

}  // namespace

std::span<const KindInfo> Kinds() {
  return kKinds;
}

const KindInfo& Info(Kind kind) {
  return kKinds[static_cast<size_t>(kind)];
}

std::optional<Kind> ParseKind(std::string_view name) {
  for (const KindInfo& info : kKinds) {
    if (name == info.name) return info.kind;
  }
  return std::nullopt;
}

}  // namespace usbtwin::fault
