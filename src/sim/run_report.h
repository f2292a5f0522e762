// What a run of the simulation is asked for, and what came of it. Reports of several runs add up to
// the table that is printed.
#pragma once

#include <array>
#include <string>

#include "base/byte_sink.h"
#include "base/clock.h"
#include "link/fault_kinds.h"
#include "sim/swarm.h"
#include "sim/wrong.h"

namespace usbtwin::sim {

struct RunOptions {
  uint64_t commands = 5000;  // after which the run ends, and all is read back
  SwarmOptions swarm;
  ByteSink* record = nullptr;  // a capture of all that passed, in pcapng
};

// What became of the faults of one kind. A fault whose effect did not reach the host counts as
// injected only. Each that was observed has one end:
//   recovered   the command ended well and whole, after whatever it took
//   reported    the caller was told of an error or of a failed status
//   passed_on   the status is good and the answer bears the fault: other bytes, or fewer
//   cancelled   the caller took the command back before any of that
//   outside     no command was under way: the host was opening the device, or closing it
struct FaultCount {
  uint64_t injected = 0;
  uint64_t observed = 0;
  uint64_t recovered = 0;
  uint64_t reported = 0;
  uint64_t passed_on = 0;
  uint64_t cancelled = 0;
  uint64_t outside = 0;

  void Add(const FaultCount& other);
};

// What was between the devices and hosts of some runs.
struct UsbIpCount {
  uint64_t runs = 0;
  uint64_t connections = 0;
  uint64_t broken = 0;    // of those
  uint64_t silenced = 0;  // the same: half-open, until the systems at both ends found out

  void Add(const UsbIpCount& other);
};

// The runs whose host spoke UAS.
struct UasCount {
  uint64_t runs = 0;
  uint64_t stream_runs = 0;  // of those, at SuperSpeed
  uint64_t commands = 0;
  uint64_t at_once = 0;             // commands under way when one began, added up
  std::array<uint64_t, 5> rungs{};  // commands by the highest rung of recovery; uas::Rung

  void Add(const UasCount& other);
};

struct RunReport {
  uint64_t runs = 0;
  uint64_t commands = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t blocks_moved = 0;
  uint64_t bytes_compared = 0;
  uint64_t good = 0;       // commands that ended well
  uint64_t cancelled = 0;  // that ended because the host took them back
  uint64_t interrupted =
      0;  // that the host would take back, or had a deadline for, before their end
  uint64_t opened = 0;
  uint64_t block_runs = 0;  // whose host had blocks
  Duration virtual_time{};
  std::array<FaultCount, fault::kKindsCount> faults{};
  UsbIpCount usbip;
  UasCount uas;
  uint64_t power_losses = 0;
  uint64_t rolled_back = 0;  // blocks that they were seen to take back to older versions
  std::array<uint64_t, 6>
      rungs{};           // commands over Bulk-Only by the highest rung of recovery; bot::Rung
  uint64_t history = 0;  // a digest of every answer and its time

  void Add(const RunReport& other);
};

struct RunResult {
  RunReport report;
  std::string failure;          // empty: all was as it must be
  Law law = Law::kNone;         // that was broken
  bool stuck = false;           // something never ends; such a run stays in memory
  uint64_t failed_command = 0;  // counted from 1; commands + 1 for the end of the run
};

}  // namespace usbtwin::sim
