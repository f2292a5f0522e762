// Swarm: what one run of the simulation is like. Testing everything at once hides what only shows
// when something is absent, so each run draws which faults exist in it at all, then how often; what
// the device is like; and what the host does with it.
#pragma once

#include <optional>
#include <vector>

#include "base/chooser.h"
#include "emulator/profile.h"
#include "host/storage_choice.h"
#include "link/fault_plan.h"
#include "sim/pipes.h"

namespace usbtwin::sim {

struct SwarmOptions {
  bool faults = true;  // false: nothing goes wrong
  bool small = false;  // DrawSmall instead
  // Which the host speaks; kAny: UAS in a third of the runs.
  host::StorageProtocol protocol = host::StorageProtocol::kAny;
};

// A run so small that all of its schedules can be tried: a few commands that are given, on a link
// where everything takes the same time, so that a deadline or a cancellation may be due together
// with any of the transfers, and then either comes first.
struct Script {
  std::vector<bool> writes;  // one command each: WRITE or READ of one block, always the same
  // When the first of them is sent: the device was opened long before, and no unit has anything to
  // say. Until then nothing is made to go wrong.
  Duration begins = std::chrono::seconds(1);
  // The first command is cancelled, or has its deadline, after up to so many latencies; 0: neither.
  uint32_t interruptions_max = 6;
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
  Duration link_latency{};           // of each transfer
  Duration store_latency{};          // of each operation of a store
  Duration command_timeout = std::chrono::seconds(2);
  bool submits_ahead = false;    // the transfers of a command together, as over far links
  std::optional<Script> script;  // does this instead
  // The host has one unit as blocks (host/block_device.h), which sends commands again by itself.
  bool block_device = false;
  // The host speaks UAS, with so many commands at once.
  bool uas = false;
  uint16_t queue_depth = 1;

  std::optional<PipesOptions> usbip;  // the device is imported over USB/IP, through these
};

// One unit of a few blocks, two commands and at most one fault, beside the one that brings its
// occasion where that is a reset of the port or an opening: every way in which they can be put
// together is one list of choices.
Swarm DrawSmall(Chooser& chooser);
Swarm DrawSwarm(Chooser& chooser, const SwarmOptions& options);

}  // namespace usbtwin::sim
