// One run of the simulation, of whatever kind the swarm draws.
#pragma once

#include "sim/run_report.h"

namespace usbtwin::sim {

// Makes a run, runs it and takes it down; one that is stuck stays in memory. The chooser is used
// until then.
RunResult RunDisk(Chooser& chooser, const RunOptions& options);

}  // namespace usbtwin::sim
