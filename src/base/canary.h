// Canaries: bugs planted on purpose, to prove that the simulation finds bugs. A build with
// -Dcanaries=true can plant one of them when the program starts (usbtwin sim --canary NAME); in
// every other build Planted() is false at compile time and nothing of them is left.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace usbtwin::canary {

enum class Canary : uint8_t {
  kNone,
  kResidueIgnored,        // the host ignores the residue
  kStaleStatus,           // the host accepts a status of another command
  kSignatureIgnored,      // the host accepts a status without signature
  kPhaseErrorPasses,      // the host takes a phase error for success
  kHaltNotCleared,        // the host goes on without clearing a halt
  kSpuriousTimeout,       // a timer that was moved fires at its old time
  kLostCancel,            // a cancelled transfer never completes
  kTornLease,             // a write shows in bytes that were lent before
  kLostFlush,             // SYNCHRONIZE CACHE answers without flushing
  kPowerLossTooMuch,      // power loss takes one synchronised block with it
  kWrongBlock,            // a write of thirteen blocks goes one block too far
  kWrongUnit,             // the last of several units answers for its neighbour
  kWrongSense,            // a full store is told as a write error
  kWrongInquiry,          // the last of several units says that it is its neighbour
  kDeadAfterFault,        // after an error the host sends nothing any more, and fails
  kCancelIgnored,         // the host finishes a command that was cancelled
  kLateDeadline,          // the host gives up five times later than it was told
  kResidueOffByOne,       // the host tells one byte of residue less
  kShortAfterRecovery,    // after recovery the host tells half the length
  kWrongPhase,            // the host tells every error as one of the status
  kPortResetFirst,        // the host leaves out the first rung of recovery
  kVerifyWithoutReading,  // VERIFY answers without reading the medium
  kFailedWriteWrites,     // a write that fails is carried out all the same
  kLossForgotten,         // a flush says nothing of the power loss before it
  kUasWrongStream,        // a host of UAS accepts the status of another tag than its stream's
  kUasDataNotAwaited,     // one leaves out data that comes after the status
  kUasTagAgain,           // one uses the tag again that was used last, whatever still comes for it
};

struct CanaryName {
  Canary canary;
  std::string_view name;
};
inline constexpr std::array<CanaryName, 27> kCanaries{{
    {Canary::kResidueIgnored, "residue-ignored"},
    {Canary::kStaleStatus, "stale-status"},
    {Canary::kSignatureIgnored, "signature-ignored"},
    {Canary::kPhaseErrorPasses, "phase-error-passes"},
    {Canary::kHaltNotCleared, "halt-not-cleared"},
    {Canary::kSpuriousTimeout, "spurious-timeout"},
    {Canary::kLostCancel, "lost-cancel"},
    {Canary::kTornLease, "torn-lease"},
    {Canary::kLostFlush, "lost-flush"},
    {Canary::kPowerLossTooMuch, "power-loss-too-much"},
    {Canary::kWrongBlock, "wrong-block"},
    {Canary::kWrongUnit, "wrong-unit"},
    {Canary::kWrongSense, "wrong-sense"},
    {Canary::kWrongInquiry, "wrong-inquiry"},
    {Canary::kDeadAfterFault, "dead-after-fault"},
    {Canary::kCancelIgnored, "cancel-ignored"},
    {Canary::kLateDeadline, "late-deadline"},
    {Canary::kResidueOffByOne, "residue-off-by-one"},
    {Canary::kShortAfterRecovery, "short-after-recovery"},
    {Canary::kWrongPhase, "wrong-phase"},
    {Canary::kPortResetFirst, "port-reset-first"},
    {Canary::kVerifyWithoutReading, "verify-without-reading"},
    {Canary::kFailedWriteWrites, "failed-write-writes"},
    {Canary::kLossForgotten, "loss-forgotten"},
    {Canary::kUasWrongStream, "uas-wrong-stream"},
    {Canary::kUasDataNotAwaited, "uas-data-not-awaited"},
    {Canary::kUasTagAgain, "uas-tag-again"},
}};

#ifdef USBTWIN_CANARIES
inline constexpr bool kPossible = true;
// Set once, before anything runs.
inline Canary planted = Canary::kNone;
inline bool Planted(Canary canary) {
  return planted == canary;
}
inline void Plant(Canary canary) {
  planted = canary;
}
#else
inline constexpr bool kPossible = false;
constexpr bool Planted(Canary) {
  return false;
}
inline void Plant(Canary) {}
#endif

inline std::optional<Canary> Parse(std::string_view name) {
  for (const CanaryName& known : kCanaries) {
    if (known.name == name) return known.canary;
  }
  return std::nullopt;
}

}  // namespace usbtwin::canary
