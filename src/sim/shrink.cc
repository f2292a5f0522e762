#include "sim/shrink.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "sim/choosers.h"

namespace usbtwin::sim {
namespace {

using Choices = std::vector<Recording::Choice>;

// Labels of choices that the order of a list hangs on.
constexpr std::string_view kCommandBegins = "which unit";
constexpr std::string_view kFaultsBegin = "whether this fault exists";
constexpr std::string_view kFaultsEnd = "how many reads";
constexpr std::string_view kGap = "occasions until the next fault";

// Of so many choices each is tried by itself; of more, groups.
constexpr size_t kSingly = 1000;
// Whatever is stuck stays in memory.
constexpr uint64_t kStuckTriesMax = 100;

// Choices from a list that may have holes.
class InStep final : public Chooser {
 public:
  explicit InStep(const Choices& choices) : choices_(choices) {}
  uint64_t Choose(uint64_t bound, std::string_view what) override {
    constexpr size_t kAheadMax = 32;
    const size_t final = std::min(choices_.size(), position_ + kAheadMax);
    for (size_t index = position_; index < final; ++index) {
      if (choices_[index].what != what) continue;
      position_ = index + 1;
      return choices_[index].value % bound;
    }
    // A fault that nobody asked for comes as late as it can.
    return what == kGap ? bound - 1 : 0;
  }

 private:
  const Choices& choices_;
  size_t position_ = 0;
};

class Shrinker {
 public:
  Shrinker(const ChoiceList& list, const RunResult& failed, const ShrinkOptions& options)
      : wanted_(failed.law),
        tries_max_(failed.stuck ? std::min(options.tries_max, kStuckTriesMax) : options.tries_max),
        options_(options),
        best_(list) {
    Replayed replayed(list.values);
    Recording recording(replayed);
    RunDisk(recording, OptionsOf(best_));
    choices_ = recording.choices();
    Trim(choices_);
  }

  ChoiceList Run(uint64_t failed_command) {
    CutEnd(failed_command);
    DropFaults();
    // Which faults it takes, and when: until that is known, whatever is left out shifts them.
    Lower(kFaultsBegin);
    // Every try takes as long as the run is: first what makes it much shorter.
    Lower(kGap, Begins().front());
    DropCommands(best_.commands / 4 + 1);
    Lower(kGap);
    for (bool better = true; better && going_;) {
      better = DropCommands(1);
      better = Lower(kGap) || better;
      better = DropChoices() || better;
      better = Zero() || better;
      if (choices_.size() <= kSingly) better = Lower("") || better;
    }
    best_.values.clear();
    for (const Recording::Choice& choice : choices_) best_.values.push_back(choice.value);
    return best_;
  }

 private:
  static void Trim(Choices& choices) {
    while (!choices.empty() && choices.back().value == 0) choices.pop_back();
  }
  // Fewer choices first, then smaller ones.
  static auto CostOf(const Choices& choices, uint64_t commands) {
    const auto zeros = std::count_if(choices.begin(), choices.end(),
                                     [](const auto& choice) { return choice.value == 0; });
    const double sum =
        std::accumulate(choices.begin(), choices.end(), 0.0, [](double before, const auto& choice) {
          return before + static_cast<double>(choice.value);
        });
    return std::tuple(choices.size(), -zeros, sum, commands);
  }

  bool Try(const Choices& choices, uint64_t commands, bool faults) {
    ChoiceList candidate{.commands = std::max<uint64_t>(commands, 1),
                         .faults = faults,
                         .small = best_.small,
                         .protocol = best_.protocol,
                         .values = {}};
    if (!going_) return false;
    if (tries_ == tries_max_ ||
        (options_.progress && !options_.progress(tries_, choices_.size()))) {
      going_ = false;
    }
    if (!going_) return false;
    ++tries_;
    InStep in_step(choices);
    Recording recording(in_step);
    const RunResult result = RunDisk(recording, OptionsOf(candidate));
    if (result.law != wanted_) return false;
    // What comes after the failure does not matter.
    candidate.commands = std::min(candidate.commands, std::max<uint64_t>(result.failed_command, 1));
    Choices found = recording.choices();
    Trim(found);
    if (CostOf(found, candidate.commands) >= CostOf(choices_, best_.commands)) return false;
    choices_ = std::move(found);
    best_ = std::move(candidate);
    return true;
  }
  bool TryWithout(size_t first, size_t final, uint64_t commands) {
    Choices cut = choices_;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(first),
              cut.begin() + static_cast<std::ptrdiff_t>(final));
    return Try(cut, best_.commands - std::min(commands, best_.commands - 1), best_.faults);
  }

  void CutEnd(uint64_t failed_command) {
    Try(choices_, std::min(best_.commands, failed_command), best_.faults);
    for (uint64_t cut = best_.commands / 2; cut != 0; cut /= 2) {
      while (best_.commands > cut && Try(choices_, best_.commands - cut, best_.faults)) continue;
    }
  }

  void DropFaults() {
    if (!best_.faults || best_.small) return;
    Choices without;
    bool drawing = false;
    for (const Recording::Choice& choice : choices_) {
      drawing = (drawing || choice.what == kFaultsBegin) && choice.what != kFaultsEnd;
      if (!drawing && choice.what != kGap) without.push_back(choice);
    }
    Try(without, best_.commands, false);
  }

  std::vector<size_t> Begins() const {
    std::vector<size_t> begins;
    for (size_t index = 0; index < choices_.size(); ++index) {
      if (choices_[index].what == kCommandBegins) begins.push_back(index);
    }
    begins.push_back(choices_.size());
    return begins;
  }
  // The same, with the next fault as much earlier: it mostly has an occasion for each command.
  bool TryEarlier(size_t first, size_t final, uint64_t commands) {
    constexpr int kGapsTried = 2;  // any of the latest may be that of the fault that matters
    int tried = 0;
    for (size_t index = first; index != 0 && tried < kGapsTried; --index) {
      const Recording::Choice& gap = choices_[index - 1];
      if (gap.what != kGap) continue;
      ++tried;
      if (gap.value < commands) continue;
      Choices cut = choices_;
      cut[index - 1].value -= commands;
      cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(first),
                cut.begin() + static_cast<std::ptrdiff_t>(final));
      if (Try(cut, best_.commands - std::min(commands, best_.commands - 1), best_.faults)) {
        return true;
      }
    }
    return false;
  }
  // From the last to the first, in ever smaller groups down to so many.
  bool DropCommands(size_t count_min) {
    bool better = false;
    std::vector<size_t> begins = Begins();
    for (size_t count = begins.size() / 2; count >= count_min && going_; count /= 2) {
      for (size_t final = begins.size() - 1; final != 0 && going_;) {
        const size_t first = final - std::min(count, final);
        if (TryWithout(begins[first], begins[final], final - first) ||
            TryEarlier(begins[first], begins[final], final - first)) {
          better = true;
          begins = Begins();
        }
        final = std::min(first, begins.size() - 1);
      }
    }
    return better;
  }
  bool DropChoices() {
    bool better = false;
    const size_t length_min = std::max<size_t>(choices_.size() / kSingly, 1);
    for (size_t length = std::max<size_t>(choices_.size() / 2, 1); going_; length /= 2) {
      for (size_t first = 0; first < choices_.size() && going_;) {
        const size_t final = std::min(first + length, choices_.size());
        if (TryWithout(first, final, 0)) {
          better = true;
        } else {
          first = final;
        }
      }
      if (length <= length_min) break;
    }
    return better;
  }

  bool Zero() {
    bool better = false;
    const size_t length_min = std::max<size_t>(choices_.size() / kSingly, 1);
    for (size_t length = std::max<size_t>(choices_.size() / 2, 1); going_; length /= 2) {
      for (size_t first = 0; first < choices_.size() && going_; first += length) {
        const size_t final = std::min(first + length, choices_.size());
        Choices zeros = choices_;
        bool plain = true;
        for (size_t index = first; index < final; ++index) {
          plain = plain && zeros[index].value == 0;
          zeros[index].value = 0;
        }
        if (!plain && Try(zeros, best_.commands, best_.faults)) better = true;
      }
      if (length <= length_min) break;
    }
    return better;
  }
  // Each of the first so many by itself: to zero, or by bisection. All of them where `what` is
  // empty.
  bool Lower(std::string_view what, size_t count = SIZE_MAX) {
    bool better = false;
    for (size_t index = 0; index < std::min(count, choices_.size()) && going_; ++index) {
      if (what.empty() || choices_[index].what == what) better = LowerOne(index) || better;
    }
    return better;
  }
  bool LowerOne(size_t index) {
    bool better = false;
    uint64_t middle = 0;
    for (uint64_t too_low = 0; index < choices_.size() && choices_[index].value > too_low;) {
      Choices lower = choices_;
      lower[index].value = middle;
      if (Try(lower, best_.commands, best_.faults)) {
        better = true;
      } else {
        too_low = middle;
      }
      if (!going_ || index >= choices_.size() || choices_[index].value <= too_low + 1) break;
      middle = too_low + (choices_[index].value - too_low) / 2;
    }
    return better;
  }

  const Law wanted_;
  const uint64_t tries_max_;
  const ShrinkOptions& options_;
  ChoiceList best_;  // its values are those of choices_, in the end
  Choices choices_;
  uint64_t tries_ = 0;
  bool going_ = true;
};

}  // namespace

ChoiceList Shrink(ChoiceList list, const RunResult& failed, const ShrinkOptions& options) {
  ChoiceList smaller = Shrinker(list, failed, options).Run(failed.failed_command);
  return smaller;
}

}  // namespace usbtwin::sim
