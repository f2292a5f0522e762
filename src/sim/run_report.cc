#include "sim/run_report.h"

namespace usbtwin::sim {

void FaultCount::Add(const FaultCount& other) {
  injected += other.injected;
  observed += other.observed;
  recovered += other.recovered;
  reported += other.reported;
  passed_on += other.passed_on;
  cancelled += other.cancelled;
  outside += other.outside;
}

void UsbIpCount::Add(const UsbIpCount& other) {
  runs += other.runs;
  connections += other.connections;
  broken += other.broken;
  silenced += other.silenced;
}

void UasCount::Add(const UasCount& other) {
  runs += other.runs;
  stream_runs += other.stream_runs;
  commands += other.commands;
  at_once += other.at_once;
  for (size_t rung = 0; rung < rungs.size(); ++rung) rungs[rung] += other.rungs[rung];
}

void RunReport::Add(const RunReport& other) {
  runs += other.runs;
  commands += other.commands;
  reads += other.reads;
  writes += other.writes;
  blocks_moved += other.blocks_moved;
  bytes_compared += other.bytes_compared;
  good += other.good;
  cancelled += other.cancelled;
  interrupted += other.interrupted;
  opened += other.opened;
  block_runs += other.block_runs;
  power_losses += other.power_losses;
  rolled_back += other.rolled_back;
  virtual_time += other.virtual_time;
  for (size_t index = 0; index < faults.size(); ++index) {
    faults[index].Add(other.faults[index]);
  }
  usbip.Add(other.usbip);
  uas.Add(other.uas);
  for (size_t index = 0; index < rungs.size(); ++index) rungs[index] += other.rungs[index];
  history = history * 0x100000001b3 ^ other.history;
}

}  // namespace usbtwin::sim
