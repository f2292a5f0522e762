// What the SCSI kinds of faults say, and which commands they can be played on. Used by FaultyUnit.
#pragma once

#include <optional>

#include "link/fault_plan.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

// The sense of the kinds that refuse a command; none for those that do something else. SPC-4,
// annex F.
std::optional<scsi::Sense> SenseOf(fault::Kind kind);

// Not ready, medium removed, data protect: conditions of a unit for a while.
bool Lasts(fault::Kind kind);
// Whether such a condition refuses the command.
bool Concerns(fault::Kind kind, const scsi::Meaning& meaning);

// Whether the fault can begin with this command; null for one that nobody knows.
bool CanPlay(const fault::Rule& rule, const std::optional<scsi::Meaning>& meaning);

// Doubles what the first `length` bytes, data of READ CAPACITY (10) or (16), say; false where they
// say nothing. `room` has space for all of either.
bool DoubleCapacity(MutableBytes room, uint32_t length);

}  // namespace usbtwin::emulator
