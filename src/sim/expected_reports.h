// What each fault may lead to, as a host is told: one table beside that of the faults themselves
// (link/fault_kinds.h), written from what they promise and not from the code that plays them.
//
// The invariant: whatever a host is told after a fault is in the fault's line: the errors of a
// conversation, or the sense with its codes and its block; and a fault that a host must notice says
// so. ReportJudge compares every answer of a run with it.
#pragma once

#include <optional>

#include "base/error.h"
#include "link/fault_kinds.h"
#include "proto/sense.h"

namespace usbtwin::sim {

// What the information field of sense must hold.
enum class Place : uint8_t {
  kNone,    // nothing
  kFirst,   // the first block of the command; nothing where it names no blocks
  kWithin,  // a block of the command, or nothing
};

struct ExpectedSense {
  scsi::SenseKey key;
  uint8_t asc;
  uint8_t ascq;
  Place place = Place::kNone;
  bool points = false;  // at the field of the command block that is wrong
  bool operator==(const ExpectedSense&) const = default;
};

// Whether a command that met the fault may still end well.
enum class Passing : uint8_t {
  kNever,
  kRecovered,  // where the transport recovered once for each
  kMay,
};

struct ExpectedReport {
  fault::Kind kind;
  Passing passing;
  uint32_t errors = 0;                 // one bit for each ErrorKind
  std::optional<ExpectedSense> sense;  // with which the command is refused
  bool fails_mutely = false;           // the status says failed, and the sense need not say why
  bool hides_sense = false;            // the sense of a failure may be lost
  bool resets = false;                 // units come back with a unit attention

  bool allows(ErrorKind error) const { return (errors >> static_cast<unsigned>(error) & 1) != 0; }
};
const ExpectedReport& ExpectedOf(fault::Kind kind);
// Whether the fault may lead to the error where the host speaks UAS: its information units say more
// of themselves than command and status wrappers do.
bool AllowsOverUas(fault::Kind kind, ErrorKind error);

}  // namespace usbtwin::sim
