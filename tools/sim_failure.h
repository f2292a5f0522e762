// What becomes of a simulated run that failed: its choices are made fewer, and kept beside its
// capture, with the commands that repeat it on standard error. What could not be written is told;
// the failure itself matters more. Called by `usbtwin sim`.
#pragma once

#include <string>

#include "sim/choice_list.h"
#include "sim/shrink.h"
#include "tools/sim_report.h"

namespace usbtwin::tools {

struct KeepOptions {
  std::string folder = ".";
  std::string more;         // options without which the run is not repeated: " --no-faults"
  std::string more_replay;  // the same beside a list, which knows most of them: " --canary NAME"
  bool faults = true;
  host::StorageProtocol protocol = host::StorageProtocol::kAny;
  uint64_t shrink_tries = sim::ShrinkOptions{}.tries_max;
  double shrink_seconds = 60;
};

void TellFailure(const KeepOptions& options, const FailedRun& failed);
// A capture of the list's run and its choices, as `name`.pcapng and `name`.choices in the folder.
void KeepList(const KeepOptions& options, const std::string& name, const sim::ChoiceList& list);

}  // namespace usbtwin::tools
