// A list of choices as a file: what a run of the simulation was made of, for
// replaying and for making it smaller. Text, a choice a line, with what it was
// for:
//
//   usbtwin choices 1
//   commands 37
//   3 # of 4: how many units
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/failure.h"
#include "base/error.h"
#include "sim/disk_run.h"

namespace usbtwin::sim {

struct ChoiceList {
  uint64_t commands = 0;  // RunOptions::commands
  bool faults = true;     // SwarmOptions::faults
  bool small = false;     // SwarmOptions::small
  std::vector<uint64_t> values;
};

// Replays the list; the text names what each choice was for.
std::string Print(const ChoiceList& list);
// A failure names the line.
Result<ChoiceList, app::Failure> ParseChoices(std::string_view text, const std::string& path);

RunResult RunSeed(uint64_t seed, const RunOptions& options);
RunResult RunList(const ChoiceList& list, ByteSink* record = nullptr);
// The choices that the seed leads to.
ChoiceList ListOf(uint64_t seed, const RunOptions& options);

// Every schedule of DrawSmall's worlds, depth first, until one fails.
struct Exhausted {
  uint64_t schedules = 0;
  uint64_t plain = 0;  // of those: nothing went wrong or was interrupted, and all ended well
  RunReport report;
  RunResult failed;  // where a schedule failed
  ChoiceList list;   // and its choices
};
// `progress` is called now and then; false ends the search early.
Exhausted RunAll(const std::function<bool(const Exhausted&)>& progress);

}  // namespace usbtwin::sim
