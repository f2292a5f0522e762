// Swarm: what one run of the simulation is like. Testing everything at once hides what only shows
// when something is absent, so each run draws which faults exist in it at all, then how often; what
// the device is like; and what the host does with it.
#pragma once

#include "base/chooser.h"
#include "emulator/profile.h"
#include "link/fault_plan.h"

namespace usbtwin::sim {

struct SwarmOptions {
  bool faults = true;  // false: nothing goes wrong
};

struct Swarm {
  emulator::Profile profile;
  fault::Plan plan;
  bool power_may_fail = false;  // the plan holds a power loss

  // What the host does, out of 100 commands; the rest asks and checks.
  uint32_t reads_percent = 40;
  uint32_t writes_percent = 35;
  uint32_t blocks_exponent_max = 8;  // most commands move at most two to the power of it
  uint64_t cancel_one_in = 0;        // on average each n-th command is cancelled; 0: none
  uint64_t reopen_one_in = 0;        // before each n-th the host opens the device anew
  uint64_t pause_one_in = 16;        // after each n-th some time passes
  Duration command_timeout = std::chrono::seconds(2);
};

Swarm DrawSwarm(Chooser& chooser, const SwarmOptions& options);

}  // namespace usbtwin::sim
