#include "tools/sim_failure.h"

#include <fmt/format.h>

#include <chrono>

#include "base/text.h"
#include "os/console.h"
#include "os/system.h"
#include "tools/abort_watch.h"

namespace usbtwin::tools {
namespace {

using std::chrono::steady_clock;

bool KeepChoices(app::System& system, const std::string& stem, const sim::ChoiceList& list) {
  const std::string text = sim::Print(list);
  const auto choices = system.CreateFile(stem + ".choices");
  if (!choices) {
    os::PrintError("no list of choices: " + choices.error().text + "\n");
    return false;
  }
  return (*choices)->Write(std::vector<uint8_t>(text.begin(), text.end())) && (*choices)->Flush();
}

sim::ChoiceList MakeSmaller(const KeepOptions& options, const sim::ChoiceList& list,
                            const sim::RunResult& failed) {
  const auto end = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                             std::chrono::duration<double>(options.shrink_seconds));
  const bool shown = os::IsCapableTerminal(os::kStandardError);
  const auto progress = [&](uint64_t tries, size_t choices_count) {
    abort_watch::BeginTry(tries + 1);
    if (shown && tries % 64 == 0) {
      os::ShowProgress(fmt::format("making it smaller: {} in {}", Count(choices_count, "choice"),
                                   Count(tries, "run")));
    }
    return steady_clock::now() < end;
  };
  sim::ChoiceList smaller =
      sim::Shrink(list, failed, {.tries_max = options.shrink_tries, .progress = progress});
  if (shown) os::ShowProgress("");
  return smaller;
}

}  // namespace

void KeepList(const KeepOptions& options, const std::string& name, const sim::ChoiceList& list) {
  const std::string stem = options.folder + "/" + name;
  const std::unique_ptr<app::System> system = os::MakeSystem();
  const auto record = system->CreateFile(stem + ".pcapng");
  if (record) {
    sim::RunList(list, record->get());
    if ((*record)->Flush()) os::PrintError("capture: " + stem + ".pcapng\n");
  } else {
    os::PrintError("no capture: " + record.error().text + "\n");
  }
  if (!KeepChoices(*system, stem, list)) return;
  os::PrintError(
      fmt::format("choices: {0}.choices ({1}, {2})\n"
                  "replay: usbtwin sim --replay {0}.choices{3}\n",
                  stem, Count(list.values.size(), "choice"), Count(list.commands, "command"),
                  options.more_replay));
}

void TellFailure(const KeepOptions& options, const FailedRun& failed) {
  os::PrintError(
      fmt::format("usbtwin sim: seed {}, command {}: {}\n"
                  "reproduce: usbtwin sim --seed {} --runs 1 --commands-per-run {}{}\n",
                  failed.seed, failed.result.failed_command, failed.result.failure, failed.seed,
                  failed.commands, options.more));
  const std::string name = fmt::format("sim-{}", failed.seed);
  sim::ChoiceList list =
      sim::ListOf(failed.seed, {.commands = failed.commands,
                                .swarm = {.faults = options.faults, .protocol = options.protocol}});
  // First as it is: a smaller run may break the program.
  KeepChoices(*os::MakeSystem(), options.folder + "/" + name, list);
  abort_watch::BeginRun({.seed = failed.seed, .commands = failed.commands});
  const size_t length = list.values.size();
  list = MakeSmaller(options, list, failed.result);
  abort_watch::EndRun();
  os::PrintError(fmt::format("made smaller: from {} to {}\n", Count(length, "choice"),
                             Count(list.values.size(), "choice")));
  KeepList(options, name, list);
}

}  // namespace usbtwin::tools
