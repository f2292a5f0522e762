#include "sim/choice_list.h"

#include <algorithm>
#include <charconv>

#include "sim/choosers.h"

namespace usbtwin::sim {
namespace {

constexpr uint64_t kCommandsMax = 100'000'000;  // of one run: some minutes
constexpr std::string_view kHead = "usbtwin choices 1";

// What kind of failure it is: its text up to the first number, since the
// numbers change as the run gets smaller.
std::string_view Class(std::string_view failure) {
  return failure.substr(0, failure.find_first_of("0123456789\n"));
}

bool StillFails(const ChoiceList& list, std::string_view wanted, RunResult& result) {
  result = RunList(list);
  return Class(result.failure) == wanted;
}

}  // namespace

RunResult RunSeed(uint64_t seed, const RunOptions& options) {
  Seeded chooser(seed);
  return RunDisk(chooser, options);
}

RunResult RunList(const ChoiceList& list, ByteSink* record) {
  Replayed chooser(list.values);
  return RunDisk(chooser, {.commands = list.commands,
                           .swarm = {.faults = list.faults, .small = list.small},
                           .record = record});
}

ChoiceList ListOf(uint64_t seed, const RunOptions& options) {
  Seeded seeded(seed);
  Recording recording(seeded);
  RunDisk(recording, options);
  return {
      .commands = options.commands, .faults = options.swarm.faults, .values = recording.values()};
}

std::string Print(const ChoiceList& list) {
  Replayed replayed(list.values);
  Recording recording(replayed);
  RunDisk(recording,
          {.commands = list.commands, .swarm = {.faults = list.faults, .small = list.small}});
  std::string text = std::string(kHead) + "\ncommands " + std::to_string(list.commands) + "\n";
  if (!list.faults) text += "no faults\n";
  if (list.small) text += "small\n";
  const auto& choices = recording.choices();
  for (size_t index = 0; index < std::min(choices.size(), list.values.size()); ++index) {
    const Recording::Choice& choice = choices[index];
    text += std::to_string(choice.value) + " # of " + std::to_string(choice.bound) + ": " +
            std::string(choice.what) + "\n";
  }
  return text;
}

Result<ChoiceList, app::Failure> ParseChoices(std::string_view text, const std::string& path) {
  ChoiceList list;
  const auto fail = [&path](size_t line, const std::string& what) {
    return app::Failure{app::Failure::Kind::kUsage,
                        path + ":" + std::to_string(line) + ": " + what};
  };
  const auto number = [](std::string_view digits, uint64_t& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t final = std::min(text.find('\n'), text.size());
    std::string_view word = text.substr(0, std::min(text.substr(0, final).find('#'), final));
    text.remove_prefix(std::min(final + 1, text.size()));
    while (word.ends_with(' ') || word.ends_with('\r')) word.remove_suffix(1);
    constexpr std::string_view kCommands = "commands ";
    uint64_t value = 0;
    if (line == 1) {
      if (word != kHead)
        return fail(line, "no list of choices: the first line is not " + std::string(kHead));
    } else if (word.starts_with(kCommands)) {
      if (!number(word.substr(kCommands.size()), list.commands)) {
        return fail(line, "the number of commands is no number");
      }
      if (list.commands > kCommandsMax) {
        return fail(line, "more than " + std::to_string(kCommandsMax) + " commands");
      }
    } else if (word == "no faults") {
      list.faults = false;
    } else if (word == "small") {
      list.small = true;
    } else if (word.empty()) {
      continue;
    } else if (number(word, value)) {
      list.values.push_back(value);
    } else {
      return fail(line, "a choice is a number, then # and what it was for");
    }
  }
  if (list.commands == 0) return fail(2, "the line \"commands N\" is missing");
  return list;
}

Exhausted RunAll(const std::function<bool(const Exhausted&)>& progress) {
  Exhausted all;
  Exhaustive chooser;
  const RunOptions options{.commands = 2, .swarm = {.small = true}};
  do {
    Recording recording(chooser);
    RunResult result = RunDisk(recording, options);
    ++all.schedules;
    all.report.Add(result.report);
    if (!result.failure.empty()) {
      all.failed = std::move(result);
      all.list = {.commands = 2, .small = true, .values = recording.values()};
      break;
    }
    if (all.schedules % 256 == 0 && !progress(all)) break;
  } while (chooser.Next());
  return all;
}

ChoiceList Shrink(ChoiceList list, const RunResult& failed, uint64_t tries_max) {
  const std::string wanted(Class(failed.failure));
  RunResult result;
  uint64_t tries = 0;
  const auto take = [&](ChoiceList candidate) {
    if (tries == tries_max) return false;
    ++tries;
    if (!StillFails(candidate, wanted, result)) return false;
    // What comes after the failure does not matter.
    candidate.commands = std::min(candidate.commands, std::max<uint64_t>(result.failed_command, 1));
    list = std::move(candidate);
    return true;
  };
  ChoiceList shorter = list;
  shorter.commands = std::min(list.commands, std::max<uint64_t>(failed.failed_command, 1));
  take(shorter);
  // Fewer commands, then fewer choices: zeros follow.
  for (uint64_t cut = list.commands / 2; cut != 0; cut /= 2) {
    do {
      shorter = list;
      shorter.commands -= std::min(cut, list.commands - 1);
    } while (list.commands > cut && take(shorter));
  }
  for (size_t cut = list.values.size() / 2; cut != 0; cut /= 2) {
    do {
      shorter = list;
      shorter.values.resize(list.values.size() - std::min(cut, list.values.size()));
    } while (list.values.size() > cut && take(shorter));
  }
  // Cut out pieces, then make what is left simpler, as long as either helps.
  for (bool better = true; better && tries < tries_max;) {
    better = false;
    for (size_t length = std::max<size_t>(list.values.size() / 2, 1);; length /= 2) {
      for (size_t start = 0; start < list.values.size() && tries < tries_max;) {
        ChoiceList cut = list;
        const auto first = cut.values.begin() + static_cast<std::ptrdiff_t>(start);
        const size_t count = std::min(length, list.values.size() - start);
        cut.values.erase(first, first + static_cast<std::ptrdiff_t>(count));
        if (take(std::move(cut))) {
          better = true;
          continue;
        }
        ChoiceList simple = list;
        const auto zeros = simple.values.begin() + static_cast<std::ptrdiff_t>(start);
        const bool plain = std::all_of(zeros, zeros + static_cast<std::ptrdiff_t>(count),
                                       [](uint64_t value) { return value == 0; });
        std::fill_n(zeros, count, 0);
        if (!plain && take(std::move(simple))) better = true;
        start += count;
      }
      if (length <= 1) break;
    }
  }
  while (!list.values.empty() && list.values.back() == 0) list.values.pop_back();
  return list;
}

}  // namespace usbtwin::sim
