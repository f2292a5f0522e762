// usbtwin sim: host stack, link, twin and disk in one world of virtual time, where everything that
// can go wrong on a bus is made to go wrong, and an oracle judges every answer. One run a seed; a
// run that fails is told with the command that repeats it, its capture, and its choices made small.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "base/canary.h"
#include "base/text.h"
#include "os/console.h"
#include "sim/choice_list.h"
#include "sim/shrink.h"
#include "tools/abort_watch.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/sim_failure.h"
#include "tools/sim_report.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using std::chrono::steady_clock;

constexpr size_t kJobsMax = 64;
constexpr double kNumberMax = 1e18;  // of seeds, runs and commands

struct Options {
  uint64_t seed = 1;
  std::optional<uint64_t> runs;
  std::optional<uint64_t> commands;
  std::optional<double> minutes;
  uint64_t commands_per_run = 5000;
  size_t jobs = 0;
  bool no_faults = false;
  bool bulk_only = false;
  bool uas = false;
  bool exhaustive = false;
  std::string canary;
  std::string replay_path;
  std::string output_folder = ".";
  uint64_t shrink_tries = sim::ShrinkOptions{}.tries_max;
  double shrink_seconds = 60;
  bool json = false;
};

// What to run: seeds from options.seed on, until one of the bounds is met.
struct Plan {
  uint64_t runs_max = UINT64_MAX;
  uint64_t commands_max = UINT64_MAX;
  steady_clock::time_point end = steady_clock::time_point::max();

  uint64_t CommandsOf(uint64_t run, uint64_t commands_per_run) const {
    return std::min(commands_per_run, commands_max - run * commands_per_run);
  }
};

host::StorageProtocol ProtocolOf(const Options& options) {
  if (options.bulk_only) return host::StorageProtocol::kBulkOnly;
  return options.uas ? host::StorageProtocol::kUas : host::StorageProtocol::kAny;
}

std::string CanaryOf(const Options& options) {
  return options.canary.empty() ? "" : " --canary " + options.canary;
}

std::string MoreOf(const Options& options) {
  std::string more = options.no_faults ? " --no-faults" : "";
  if (options.bulk_only) more += " --bot";
  if (options.uas) more += " --uasp";
  return more + CanaryOf(options);
}

// False, and told, where there is no such canary.
Result<void, Failure> PlantCanary(const std::string& name) {
  if (name.empty()) return {};
  if (!canary::kPossible) {
    return Failure{Failure::Kind::kUsage,
                   "this build has no canaries; meson setup -Dcanaries=true makes one that has"};
  }
  const std::optional<canary::Canary> canary = canary::Parse(name);
  if (canary) {
    canary::Plant(*canary);
    return {};
  }
  std::string names;
  for (const canary::CanaryName& known : canary::kCanaries)
    names += "\n  " + std::string(known.name);
  return Failure{Failure::Kind::kUsage,
                 "no canary is called " + Quote(name) + "; there are" + names};
}

Plan PlanOf(const Options& options) {
  Plan plan;
  if (options.runs) plan.runs_max = *options.runs;
  if (options.commands) {
    plan.commands_max = *options.commands;
    const uint64_t rest = *options.commands % options.commands_per_run != 0;
    plan.runs_max = std::min(plan.runs_max, *options.commands / options.commands_per_run + rest);
  }
  if (options.minutes) {
    plan.end =
        steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                  std::chrono::duration<double, std::ratio<60>>(*options.minutes));
  }
  return plan;
}

// All runs, on several threads. Runs are merged in the order of their seeds, so the table does not
// depend on the number of threads.
class Campaign {
 public:
  Campaign(const Options& options, const Plan& plan) : options_(options), plan_(plan) {}

  void Run(size_t jobs) {
    start_ = steady_clock::now();
    next_show_ = start_ + std::chrono::milliseconds(500);
    std::vector<std::thread> threads;
    for (size_t job = 1; job < jobs; ++job) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    if (shown_) os::ShowProgress("");
  }
  const sim::RunReport& report() const { return merged_; }
  const std::optional<FailedRun>& failed() const { return failed_; }
  double seconds() const {
    return std::chrono::duration<double>(steady_clock::now() - start_).count();
  }

 private:
  bool Take(uint64_t& run) {
    const std::lock_guard lock(mutex_);
    if (failed_ || next_ == plan_.runs_max || steady_clock::now() >= plan_.end) return false;
    run = next_++;
    return true;
  }
  void Work() {
    uint64_t run = 0;
    while (Take(run)) {
      const uint64_t seed = options_.seed + run;
      const uint64_t commands = plan_.CommandsOf(run, options_.commands_per_run);
      abort_watch::BeginRun({.seed = seed, .commands = commands});
      const sim::RunResult result = sim::RunSeed(
          seed, {.commands = commands,
                 .swarm = {.faults = !options_.no_faults, .protocol = ProtocolOf(options_)}});
      abort_watch::EndRun();
      Finish(run, {seed, commands, result});
    }
  }
  void Finish(uint64_t run, FailedRun done) {
    const std::lock_guard lock(mutex_);
    if (!done.result.failure.empty() && (!failed_ || done.seed < failed_->seed)) failed_ = done;
    waiting_.emplace(run, done.result.report);
    // In the order of the seeds, up to the one that failed.
    const uint64_t run_final = failed_ ? failed_->seed - options_.seed : UINT64_MAX;
    for (auto first = waiting_.find(merged_count_);
         first != waiting_.end() && merged_count_ <= run_final;
         first = waiting_.find(merged_count_)) {
      merged_.Add(first->second);
      waiting_.erase(first);
      ++merged_count_;
    }
    if (!shown_ || steady_clock::now() < next_show_) return;
    next_show_ = steady_clock::now() + std::chrono::milliseconds(500);
    os::ShowProgress(fmt::format("{} runs, {} commands, {:.0f} commands/s", merged_.runs,
                                 merged_.commands,
                                 static_cast<double>(merged_.commands) / seconds()));
  }

  const Options& options_;
  const Plan plan_;
  std::mutex mutex_;
  uint64_t next_ = 0;
  std::map<uint64_t, sim::RunReport> waiting_;  // finished before one with a smaller seed
  uint64_t merged_count_ = 0;
  sim::RunReport merged_;
  std::optional<FailedRun> failed_;
  const bool shown_ = os::IsCapableTerminal(os::kStandardError);
  steady_clock::time_point start_;
  steady_clock::time_point next_show_;
};

std::string SeedsOf(const Options& options, const sim::RunReport& report) {
  return fmt::format("seeds {} to {}", options.seed,
                     options.seed + std::max<uint64_t>(report.runs, 1) - 1);
}

// What was found must not be lost with an output that cannot be written: that is told, and no more.
bool Print(const std::string& text) {
  const auto printed = os::PrintOutput(text);
  if (!printed) (void)Fail("sim", printed.error());
  return static_cast<bool>(printed);
}

int Replay(const Options& options) {
  const auto bytes = os::ReadInput({.path = options.replay_path, .length_max = 256 << 20});
  if (!bytes) return Fail("sim", bytes.error(), options.json);
  const auto list =
      sim::ParseChoices(std::string(bytes->begin(), bytes->end()), options.replay_path);
  if (!list) return Fail("sim", list.error(), options.json);
  const sim::RunResult result = sim::RunList(*list);
  std::optional<FailedRun> failed;
  if (!result.failure.empty()) failed = FailedRun{0, list->commands, result};
  const std::string text = options.json ? SimJson(0, result.report, failed)
                                        : SimText(options.replay_path, result.report);
  const bool printed = Print(text);
  const auto mismatch = sim::FindMismatch(*list);
  if (mismatch) {
    os::PrintError(
        fmt::format("usbtwin sim: {}: {}; it was edited, or another build made it, and "
                    "this is not the run it was made of\n",
                    options.replay_path, *mismatch));
  }
  if (!failed) {
    os::PrintError("usbtwin sim: nothing failed in this replay\n");
    if (mismatch) return kExitUsage;
    return printed ? kExitGood : kExitFile;
  }
  os::PrintError(
      fmt::format("usbtwin sim: command {}: {}\n", result.failed_command, result.failure));
  return kExitDiffers;
}

KeepOptions KeepingOf(const Options& options) {
  return {.folder = options.output_folder,
          .more = MoreOf(options),
          .more_replay = CanaryOf(options),
          .faults = !options.no_faults,
          .protocol = ProtocolOf(options),
          .shrink_tries = options.shrink_tries,
          .shrink_seconds = options.shrink_seconds};
}

int RunExhaustive(const Options& options) {
  const bool shown = os::IsCapableTerminal(os::kStandardError);
  const sim::Exhausted all = sim::RunAll([shown](const sim::Exhausted& so_far) {
    if (shown) os::ShowProgress(Count(so_far.schedules, "schedule"));
    return true;
  });
  if (shown) os::ShowProgress("");
  std::optional<FailedRun> failed;
  if (!all.failed.failure.empty()) failed = FailedRun{0, 2, all.failed};
  const std::string text = options.json ? SimJson(options.seed, all.report, failed)
                                        : fmt::format(
                                              "{} of two commands and at most one fault; in {} "
                                              "nothing went wrong, and both ended well\n\n",
                                              Count(all.schedules, "schedule"), all.plain) +
                                              SimText("all of them", all.report);
  const bool printed = Print(text);
  if (!failed) return printed ? kExitGood : kExitFile;
  os::PrintError(fmt::format("usbtwin sim: command {}: {}\n", failed->result.failed_command,
                             failed->result.failure));
  KeepList(KeepingOf(options), "sim-exhaustive", all.list);
  return kExitDiffers;
}

Result<void, Failure> CheckOptions(const Options& options) {
  const auto usage = [](const std::string& text) { return Failure{Failure::Kind::kUsage, text}; };
  constexpr double kMinutesMax = 60 * 24 * 365;
  const double minutes = options.minutes.value_or(1);
  if (!(minutes > 0 && minutes <= kMinutesMax)) {
    return usage("--minutes takes more than 0, and at most a year");
  }
  if (!(options.shrink_seconds >= 0 && options.shrink_seconds <= kMinutesMax)) {
    return usage("--shrink-seconds takes 0 or more");
  }
  if (!std::filesystem::is_directory(options.output_folder)) {
    return usage("--output-folder: there is no folder " + Quote(options.output_folder));
  }
  return {};
}

int Run(const Options& given) {
  Options options = given;
  if (const auto checked = CheckOptions(options); !checked) {
    return Fail("sim", checked.error(), options.json);
  }
  if (const auto planted = PlantCanary(options.canary); !planted) {
    return Fail("sim", planted.error(), options.json);
  }
  if (!options.replay_path.empty()) return Replay(options);
  if (options.exhaustive) return RunExhaustive(options);
  if (!options.runs && !options.commands && !options.minutes) options.commands = 200'000;
  if (options.jobs == 0) {
    options.jobs = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kJobsMax);
  }
  abort_watch::Start(MoreOf(options));
  os::PrintError(fmt::format("usbtwin sim: seed {}\n", options.seed));
  Campaign campaign(options, PlanOf(options));
  campaign.Run(options.jobs);
  const sim::RunReport& report = campaign.report();
  const double seconds = campaign.seconds();
  const std::string text = options.json ? SimJson(options.seed, report, campaign.failed())
                                        : SimText(SeedsOf(options, report), report);
  const bool printed = Print(text);
  os::PrintError(fmt::format(
      "{:.1f} s on {}: {:.0f} commands/s and {:.0f} MB/s compared a thread\n", seconds,
      Count(options.jobs, "thread"),
      static_cast<double>(report.commands) / seconds / static_cast<double>(options.jobs),
      static_cast<double>(report.bytes_compared) / 1e6 / seconds /
          static_cast<double>(options.jobs)));
  if (!campaign.failed()) return printed ? kExitGood : kExitFile;
  TellFailure(KeepingOf(options), *campaign.failed());
  return kExitDiffers;
}

}  // namespace

void AddSimVerb(CLI::App& cli, Chosen& chosen) {
  CLI::App* sim = AddVerb<Options>(
      cli, chosen, "sim", "simulate host and device with faults, and judge every answer",
      [](CLI::App& verb, Options& options) {
        verb.add_option("--seed", options.seed,
                        "the first run's seed (default 1); each next run's "
                        "is one more")
            ->check(NumberFrom(0, kNumberMax));
        verb.add_option("--runs", options.runs, "how many runs")->check(NumberFrom(1, kNumberMax));
        verb.add_option("--commands", options.commands,
                        "how many commands in all "
                        "(default 200000)")
            ->check(NumberFrom(1, kNumberMax));
        verb.add_option("--minutes", options.minutes, "how long");
        verb.add_option("--commands-per-run", options.commands_per_run,
                        "commands of one run (default 5000)")
            ->check(NumberFrom(1, kNumberMax));
        verb.add_option("--jobs", options.jobs, "threads (default: one for each processor)")
            ->check(NumberFrom(1, kJobsMax));
        verb.add_flag("--no-faults", options.no_faults, "nothing is made to go wrong");
        verb.add_flag("--bot", options.bulk_only, "only hosts that speak Bulk-Only");
        verb.add_flag("--uasp", options.uas,
                      "only hosts that speak USB Attached SCSI, with up to 32 commands at once, "
                      "and faults for them; without it they meet none")
            ->excludes("--bot");
        CLI::Option* exhaustive = verb.add_flag(
            "--exhaustive", options.exhaustive,
            "every schedule of a READ or WRITE and another, with at most one fault of transfers, "
            "ports or Bulk-Only at one of the first six occasions that they offer");
        verb.add_option("--canary", options.canary,
                        "plant this known bug, in a build made for it, and see it found");
        CLI::Option* replay = verb.add_option("--replay", options.replay_path,
                                              "run the choices of a failed run again");
        for (const char* name :
             {"--seed", "--runs", "--commands", "--minutes", "--commands-per-run", "--jobs",
              "--no-faults", "--bot", "--uasp"}) {
          exhaustive->excludes(name);
          replay->excludes(name);
        }
        replay->excludes(exhaustive);
        verb.add_option("--output-folder", options.output_folder,
                        "where captures and choices of a failed run go (default: here)");
        verb.add_option("--shrink-tries", options.shrink_tries,
                        "runs that making the choices of a failed run smaller may take "
                        "(default 20000; 0 keeps them)")
            ->check(NumberFrom(0, 1e12));
        verb.add_option("--shrink-seconds", options.shrink_seconds, "and how long (default 60)");
        verb.add_flag("--json", options.json, "the table as JSON");
      },
      Run);
  sim->footer(
      "The table's columns, for each kind of fault:\n"
      "  injected    how often it was played\n"
      "  observed    its effect reached the host; each of these has one end:\n"
      "  recovered   the command ended well and whole all the same\n"
      "  reported    the caller was told of an error or of a failed status\n"
      "  passed on   good status, and the answer bears the fault: other bytes, or fewer\n"
      "  cancelled   the caller took the command back, and was told no more than that\n"
      "  outside     the host was opening or closing the device, and no command was under way\n");
}

}  // namespace usbtwin::tools
