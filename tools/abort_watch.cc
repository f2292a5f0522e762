#include "tools/abort_watch.h"

#include <csignal>
#include <cstdio>
#include <optional>

namespace usbtwin::tools::abort_watch {
namespace {

thread_local std::optional<RunBegun> running;
thread_local uint64_t trying = 0;  // 0: the run itself
std::string more_of_runs;          // set before any thread

void HandleAbort(int) {
  if (!running) return;
  const auto seed = static_cast<unsigned long long>(running->seed);
  const auto commands = static_cast<unsigned long long>(running->commands);
  const auto number = static_cast<unsigned long long>(trying);
  if (trying == 0) {
    std::fprintf(stderr,
                 "usbtwin sim: the program broke in a run\n"
                 "reproduce: usbtwin sim --seed %llu --runs 1 --commands-per-run %llu%s\n",
                 seed, commands, more_of_runs.c_str());
  } else {
    std::fprintf(stderr,
                 "usbtwin sim: the program broke in try %llu of making the failure smaller; the "
                 "list of choices is that of the whole run\n"
                 "reproduce: usbtwin sim --seed %llu --runs 1 --commands-per-run %llu "
                 "--shrink-tries %llu%s\n",
                 number, seed, commands, number, more_of_runs.c_str());
  }
}

}  // namespace

void Start(const std::string& more) {
  more_of_runs = more;
  std::signal(SIGABRT, HandleAbort);
}

void BeginRun(const RunBegun& run) {
  running = run;
  trying = 0;
}

void BeginTry(uint64_t number) {
  trying = number;
}

void EndRun() {
  running.reset();
  trying = 0;
}

}  // namespace usbtwin::tools::abort_watch
