#include "sim/choice_list.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "sim/choosers.h"

namespace usbtwin::sim {

using host::StorageProtocol;

namespace {

constexpr uint64_t kCommandsMax = 100'000'000;  // of one run: some minutes
constexpr std::string_view kHead = "usbtwin choices 1";

std::string NoteOf(const Recording::Choice& choice) {
  return "of " + std::to_string(choice.bound) + ": " + std::string(choice.what);
}

}  // namespace

RunOptions OptionsOf(const ChoiceList& list) {
  return {.commands = list.commands,
          .swarm = {.faults = list.faults, .small = list.small, .protocol = list.protocol}};
}

RunResult RunSeed(uint64_t seed, const RunOptions& options) {
  Seeded chooser(seed);
  return RunDisk(chooser, options);
}

RunResult RunList(const ChoiceList& list, ByteSink* record) {
  Replayed chooser(list.values);
  RunOptions options = OptionsOf(list);
  options.record = record;
  return RunDisk(chooser, options);
}

ChoiceList ListOf(uint64_t seed, const RunOptions& options) {
  Seeded seeded(seed);
  Recording recording(seeded);
  RunDisk(recording, options);
  return {.commands = options.commands,
          .faults = options.swarm.faults,
          .protocol = options.swarm.protocol,
          .values = recording.values()};
}

std::string Print(const ChoiceList& list) {
  Replayed replayed(list.values);
  Recording recording(replayed);
  RunDisk(recording, OptionsOf(list));
  std::string text = std::string(kHead) + "\ncommands " + std::to_string(list.commands) + "\n";
  if (!list.faults) text += "no faults\n";
  if (list.small) text += "small\n";
  if (list.protocol == StorageProtocol::kBulkOnly) text += "bot\n";
  if (list.protocol == StorageProtocol::kUas) text += "uasp\n";
  for (const Recording::Choice& choice : recording.choices()) {
    text += std::to_string(choice.value) + " # " + NoteOf(choice) + "\n";
  }
  return text;
}

std::optional<std::string> FindMismatch(const ChoiceList& list) {
  Replayed replayed(list.values);
  Recording recording(replayed);
  RunDisk(recording, OptionsOf(list));
  const auto& choices = recording.choices();
  for (size_t index = 0; index < std::min(choices.size(), list.notes.size()); ++index) {
    const ChoiceList::Note& note = list.notes[index];
    const std::string place = "line " + std::to_string(note.line) + ": ";
    if (!note.text.empty() && note.text != NoteOf(choices[index])) {
      return place + "the list has a choice \"" + note.text + "\", and the run asks for one \"" +
             NoteOf(choices[index]) + "\"";
    }
    if (list.values[index] >= choices[index].bound) {
      return place + std::to_string(list.values[index]) + " is no choice " + NoteOf(choices[index]);
    }
  }
  if (choices.size() <= list.values.size()) return std::nullopt;
  return "the list ends after " + Count(list.values.size(), "choice") + ", and the run asks for " +
         std::to_string(choices.size());
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
    const size_t mark = std::min(text.substr(0, final).find('#'), final);
    std::string_view word = text.substr(0, mark);
    std::string_view note = text.substr(mark, final - mark);
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
    } else if (word == "bot") {
      list.protocol = StorageProtocol::kBulkOnly;
    } else if (word == "uasp") {
      list.protocol = StorageProtocol::kUas;
    } else if (word == "small") {
      list.small = true;
    } else if (word.empty()) {
      continue;
    } else if (number(word, value)) {
      while (note.starts_with('#') || note.starts_with(' ')) note.remove_prefix(1);
      while (note.ends_with(' ') || note.ends_with('\r')) note.remove_suffix(1);
      list.values.push_back(value);
      list.notes.push_back({std::string(note), line});
    } else {
      return fail(line, "a choice is a number, then # and what it was for");
    }
  }
  if (list.commands == 0) return fail(2, "the line \"commands N\" is missing");
  return list;
}

namespace {

void JudgePlain(Exhausted& all, RunResult& result, uint64_t commands) {
  const RunReport& report = result.report;
  const bool played = std::any_of(report.faults.begin(), report.faults.end(),
                                  [](const FaultCount& count) { return count.injected != 0; });
  if (played || report.interrupted != 0) return;
  ++all.plain;
  if (result.failure.empty() && report.good < commands) {
    result.law = Law::kCompletion;
    result.failure = "nothing went wrong, and only " + std::to_string(report.good) + " of " +
                     std::to_string(commands) + " commands ended well";
  }
}

}  // namespace

Exhausted RunAll(const std::function<bool(const Exhausted&)>& progress) {
  Exhausted all;
  Exhaustive chooser;
  const RunOptions options{.commands = 2, .swarm = {.small = true}};
  do {
    Recording recording(chooser);
    RunResult result = RunDisk(recording, options);
    ++all.schedules;
    all.report.Add(result.report);
    JudgePlain(all, result, options.commands);
    if (!result.failure.empty()) {
      all.failed = std::move(result);
      all.list = {.commands = 2, .small = true, .values = recording.values()};
      break;
    }
    if (all.schedules % 256 == 0 && !progress(all)) break;
  } while (chooser.Next());
  return all;
}

}  // namespace usbtwin::sim
