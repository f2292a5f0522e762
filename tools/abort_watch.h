// What is said when the program breaks while it simulates: CHECK aborts, and no stack frame could
// say which run to repeat. Told once at the start of a program; threads tell what they begin.
//
// The invariant: whoever reads the last lines of a program that broke can repeat what broke it.
// Called by `usbtwin sim`.
#pragma once

#include <cstdint>
#include <string>

namespace usbtwin::tools::abort_watch {

// `more` are the options without which no run is repeated: " --no-faults".
void Start(const std::string& more);
// In this thread. A run follows another, until EndRun.
struct RunBegun {
  uint64_t seed = 0;
  uint64_t commands = 0;
};
void BeginRun(const RunBegun& run);
// The failure of the run is being made smaller; counted from 1.
void BeginTry(uint64_t number);
void EndRun();

}  // namespace usbtwin::tools::abort_watch
