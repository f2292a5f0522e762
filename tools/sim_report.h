// What came of simulated runs, as a table and as JSON. Nothing in it depends on how long they took.
#pragma once

#include <optional>
#include <string>

#include "sim/run_disk.h"

namespace usbtwin::tools {

// The run that failed, and how many commands it was to have.
struct FailedRun {
  uint64_t seed = 0;
  uint64_t commands = 0;
  sim::RunResult result;
};

// `what` ran: "seeds 1 to 40".
std::string SimText(const std::string& what, const sim::RunReport& report);
std::string SimJson(uint64_t seed, const sim::RunReport& report,
                    const std::optional<FailedRun>& failed);

}  // namespace usbtwin::tools
