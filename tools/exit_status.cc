#include "tools/exit_status.h"

#include <algorithm>
#include <array>

namespace usbtwin::tools {
namespace {

// sg3_utils, sg_lib.h: the codes its programs have ended with since 2003.
enum Sg3 : int {
  kSg3Syntax = 1,
  kSg3NotReady = 2,
  kSg3Medium = 3,
  kSg3IllegalRequest = 5,
  kSg3UnitAttention = 6,
  kSg3DataProtect = 7,
  kSg3InvalidOperation = 9,
  kSg3CopyAborted = 10,
  kSg3AbortedCommand = 11,
  kSg3Standby = 12,
  kSg3Unavailable = 13,
  kSg3Miscompare = 14,
  kSg3File = 15,
  kSg3InProgress = 16,
  kSg3InvalidParameter = 19,
  kSg3NoSense = 20,
  kSg3Recovered = 21,
  kSg3OutOfRange = 22,
  kSg3ReservationConflict = 24,
  kSg3ConditionMet = 25,
  kSg3Busy = 26,
  kSg3TaskSetFull = 27,
  kSg3AcaActive = 28,
  kSg3TaskAborted = 29,
  kSg3Contradiction = 31,
  kSg3TimedOut = 33,
  kSg3Transport = 35,
  kSg3Protection = 40,
  kSg3Sense = 98,
  kSg3Other = 99,
};

int NotReadyStatus(uint8_t asc, uint8_t ascq) {
  // 04h "logical unit not ready": the qualifiers that stand for a long operation.
  constexpr std::array<uint8_t, 8> kInProgress{0x04, 0x05, 0x06, 0x14, 0x1b, 0x1d, 0x24, 0x25};
  if (asc != 0x04) return kSg3NotReady;
  if (ascq == 0x0b) return kSg3Standby;
  if (ascq == 0x0c) return kSg3Unavailable;
  const bool in_progress =
      std::find(kInProgress.begin(), kInProgress.end(), ascq) != kInProgress.end();
  return in_progress ? kSg3InProgress : kSg3NotReady;
}

int IllegalRequestStatus(uint8_t asc, uint8_t ascq) {
  if (ascq != 0) return kSg3IllegalRequest;
  if (asc == 0x20) return kSg3InvalidOperation;
  if (asc == 0x21) return kSg3OutOfRange;
  if (asc == 0x26) return kSg3InvalidParameter;
  return kSg3IllegalRequest;
}

int SenseStatus(const app::CdbResult& result) {
  if (!result.sense) return result.sense_bytes.empty() ? kSg3NoSense : kSg3Sense;
  const app::SenseInfo& sense = *result.sense;
  switch (sense.key) {
    case 0x0: return kSg3NoSense;
    case 0x1: return kSg3Recovered;
    case 0x2: return NotReadyStatus(sense.asc, sense.ascq);
    case 0x3:
    case 0x4:
    case 0x8: return kSg3Medium;
    case 0x5: return IllegalRequestStatus(sense.asc, sense.ascq);
    case 0x6: return kSg3UnitAttention;
    case 0x7: return kSg3DataProtect;
    case 0xa: return kSg3CopyAborted;
    case 0xb: return sense.asc == 0x10 ? kSg3Protection : kSg3AbortedCommand;
    case 0xe: return kSg3Miscompare;
    default: return kSg3Sense;
  }
}

int ScsiStatus(const app::CdbResult& result) {
  switch (result.scsi_status) {
    case 0x00: return kExitGood;
    case 0x02: return SenseStatus(result);
    case 0x04: return kSg3ConditionMet;
    case 0x08: return kSg3Busy;
    case 0x18: return kSg3ReservationConflict;
    case 0x28: return kSg3TaskSetFull;
    case 0x30: return kSg3AcaActive;
    case 0x40: return kSg3TaskAborted;
    default: return kSg3Other;
  }
}

constexpr uint8_t kCheckCondition = 0x02;

int PlainStatus(const app::CdbResult& result) {
  constexpr uint8_t kConditionMet = 0x04;  // PRE-FETCH and SEARCH report success so
  switch (result.outcome) {
    case app::CdbOutcome::kCompleted:
      if (result.scsi_status == 0 || result.scsi_status == kConditionMet) return kExitGood;
      return kExitCheckCondition;
    case app::CdbOutcome::kUsage: return kExitUsage;
    case app::CdbOutcome::kCannotOpen:
    case app::CdbOutcome::kTransport: return kExitTransport;
    case app::CdbOutcome::kFile: return kExitFile;
  }
  return kExitTransport;
}

}  // namespace

int ExitStatus(ExitTable table, const app::CdbResult& result) {
  if (table == ExitTable::kPlain) return PlainStatus(result);
  switch (result.outcome) {
    case app::CdbOutcome::kCompleted: return ScsiStatus(result);
    case app::CdbOutcome::kUsage: return kSg3Syntax;
    case app::CdbOutcome::kCannotOpen:
    case app::CdbOutcome::kFile: return kSg3File;
    case app::CdbOutcome::kTransport:
      return result.error.kind == app::TransportErrorKind::kTimedOut ? kSg3TimedOut : kSg3Transport;
  }
  return kSg3Other;
}

int ExitStatus(ExitTable table, app::Failure::Kind kind) {
  app::CdbResult result;
  switch (kind) {
    case app::Failure::Kind::kUsage: result.outcome = app::CdbOutcome::kUsage; break;
    case app::Failure::Kind::kCannotOpen: result.outcome = app::CdbOutcome::kCannotOpen; break;
    case app::Failure::Kind::kTransport: result.outcome = app::CdbOutcome::kTransport; break;
    case app::Failure::Kind::kRefused: result.scsi_status = kCheckCondition; break;
    case app::Failure::Kind::kFile: result.outcome = app::CdbOutcome::kFile; break;
  }
  return ExitStatus(table, result);
}

int ContradictionExitStatus(ExitTable table) {
  return table == ExitTable::kSg3 ? static_cast<int>(kSg3Contradiction) : kExitUsage;
}

std::string ExitStatusHelp(bool with_difference) {
  std::string text = "Exit status:\n  0  good\n";
  if (with_difference)
    text += "  1  disk verify: the disk and the file differ; sim: a run failed\n";
  return text +
         "  2  the device answered CHECK CONDITION, or another status that is not good\n"
         "  3  the device could not be opened, be it for its image or its profile, or the\n"
         "     conversation with it broke\n"
         "  4  the arguments make no sense, or a file they name cannot be opened or made\n"
         "  5  a file or pipe broke while it was read or written\n";
}

}  // namespace usbtwin::tools
