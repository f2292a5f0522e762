// A list of choices as a file: what a run of the simulation was made of, for
// replaying and for making it smaller. Text, a choice a line, with what it was
// for:
//
//   usbtwin choices 1
//   commands 37
//   3 # of 4: how many units
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/failure.h"
#include "base/error.h"
#include "sim/run_disk.h"

namespace usbtwin::sim {

struct ChoiceList {
  uint64_t commands = 0;                                         // RunOptions::commands
  bool faults = true;                                            // SwarmOptions::faults
  bool small = false;                                            // SwarmOptions::small
  host::StorageProtocol protocol = host::StorageProtocol::kAny;  // SwarmOptions::protocol
  std::vector<uint64_t> values;
  // As read from a file: what each value was for, "of 4: how many units", and its line; "" where
  // the file does not say.
  struct Note {
    std::string text;
    size_t line = 0;
  };
  std::vector<Note> notes;
};

// Replays the list; the text names what each choice was for, to the end of the run.
std::string Print(const ChoiceList& list);
// Replays a list that was read, and says where the run asks for other choices than the list notes,
// or for more: the list was edited, or made by another build.
std::optional<std::string> FindMismatch(const ChoiceList& list);
// A failure names the line.
Result<ChoiceList, app::Failure> ParseChoices(std::string_view text, const std::string& path);

// What the list's run is asked for.
RunOptions OptionsOf(const ChoiceList& list);

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
