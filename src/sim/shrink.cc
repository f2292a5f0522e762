#include "sim/shrink.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "link/fault_kinds.h"
#include "sim/choosers.h"

namespace usbtwin::sim {
namespace {

using Choices = std::vector<Recording::Choice>;

// Labels of choices that the order of a list hangs on.
constexpr std::string_view kWaveBegins = "how many commands in a wave";
constexpr std::string_view kCommandBegins = "which unit";
constexpr std::string_view kFaultsBegin = "whether this fault exists";
constexpr std::string_view kFaultsEnd = "how many reads";
// How many occasions it is until the next fault of a kind.
bool IsGap(std::string_view what) {
  return fault::ParseKind(what).has_value();
}

// Of so many choices each is tried by itself; of more, groups.
constexpr size_t kSingly = 1000;
// A run that is stuck stays in memory; those that end do not count.
constexpr uint64_t kStuckMax = 100;

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
    return IsGap(what) ? bound - 1 : 0;
  }

 private:
  const Choices& choices_;
  size_t position_ = 0;
};

class Shrinker {
 public:
  Shrinker(const ChoiceList& list, const RunResult& failed, const ShrinkOptions& options)
      : wanted_(failed.law), options_(options), best_(list) {
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
    DropKinds();
    // Every try takes as long as the run is: first what makes it much shorter.
    HitEarlier();
    LowerGaps(Begins(kCommandBegins).front());
    DropWaves();
    DropCommands(best_.commands / 4 + 1);
    LowerGaps();
    for (bool better = true; better && going_;) {
      better = DropWaves();
      better = DropCommands(1) || better;
      better = LowerGaps() || better;
      better = DropChoices() || better;
      better = Zero() || better;
      if (choices_.size() <= kSingly) better = LowerAll() || better;
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
    if (tries_ == options_.tries_max ||
        (options_.progress && !options_.progress(tries_, choices_.size()))) {
      going_ = false;
    }
    if (!going_) return false;
    ++tries_;
    InStep in_step(choices);
    Recording recording(in_step);
    const RunResult result = RunDisk(recording, OptionsOf(candidate));
    if (result.stuck && ++stuck_count_ == kStuckMax) going_ = false;
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
      if (!drawing && !IsGap(choice.what)) without.push_back(choice);
    }
    Try(without, best_.commands, false);
  }

  // One kind after the other, with what was drawn for it alone.
  void DropKinds() {
    for (size_t index = 0; index < choices_.size() && going_; ++index) {
      if (choices_[index].what != kFaultsBegin || choices_[index].value == 0) continue;
      size_t next = index + 1;
      while (next < choices_.size() && choices_[next].what != kFaultsBegin &&
             choices_[next].what != kFaultsEnd) {
        ++next;
      }
      Choices without = choices_;
      without[index].value = 0;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(index + 1),
                    without.begin() + static_cast<std::ptrdiff_t>(next));
      Try(without, best_.commands, best_.faults);
    }
  }
  // A fault may do the same harm at one of many moments: of some, spread over all of the time
  // before the first one that is known to, the earliest that does.
  void HitEarlier() {
    constexpr uint64_t kMoments = 64;
    for (size_t index = 0; index < Begins(kCommandBegins).front() && going_; ++index) {
      if (!IsGap(choices_[index].what)) continue;
      const uint64_t value = choices_[index].value;
      for (uint64_t moment = 0; moment < std::min(kMoments, value) && going_; ++moment) {
        Choices earlier = choices_;
        earlier[index].value = value * moment / std::min(kMoments, value);
        if (Try(earlier, best_.commands, best_.faults)) break;
      }
    }
  }

  std::vector<size_t> Begins(std::string_view what) const {
    std::vector<size_t> begins;
    for (size_t index = 0; index < choices_.size(); ++index) {
      if (choices_[index].what == what) begins.push_back(index);
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
      if (!IsGap(gap.what)) continue;
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
  // Commands that go out together; a command alone would change who goes out with whom.
  bool DropWaves() { return Drop(kWaveBegins, 1); }
  bool DropCommands(size_t count_min) { return Drop(kCommandBegins, count_min); }
  // From the last to the first, in ever smaller groups down to so many.
  bool Drop(std::string_view what, size_t count_min) {
    bool better = false;
    std::vector<size_t> begins = Begins(what);
    for (size_t count = begins.size() / 2; count >= count_min && going_; count /= 2) {
      for (size_t final = begins.size() - 1; final != 0 && going_;) {
        const size_t first = final - std::min(count, final);
        const uint64_t commands = CommandsBetween(begins[first], begins[final]);
        if (TryWithout(begins[first], begins[final], commands) ||
            TryEarlier(begins[first], begins[final], commands)) {
          better = true;
          begins = Begins(what);
        }
        final = std::min(first, begins.size() - 1);
      }
    }
    return better;
  }
  uint64_t CommandsBetween(size_t first, size_t final) const {
    return static_cast<uint64_t>(std::count_if(
        choices_.begin() + static_cast<std::ptrdiff_t>(first),
        choices_.begin() + static_cast<std::ptrdiff_t>(final),
        [](const Recording::Choice& choice) { return choice.what == kCommandBegins; }));
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
  // Each by itself: to zero, or by bisection.
  bool LowerGaps(size_t count = SIZE_MAX) { return Lower(IsGap, count); }
  bool LowerAll() {
    return Lower([](std::string_view) { return true; }, SIZE_MAX);
  }
  bool Lower(bool (*is)(std::string_view what), size_t count) {
    bool better = false;
    for (size_t index = 0; index < std::min(count, choices_.size()) && going_; ++index) {
      if (is(choices_[index].what)) better = LowerOne(index) || better;
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
  const ShrinkOptions& options_;
  ChoiceList best_;  // its values are those of choices_, in the end
  Choices choices_;
  uint64_t tries_ = 0;
  uint64_t stuck_count_ = 0;
  bool going_ = true;
};

}  // namespace

ChoiceList Shrink(ChoiceList list, const RunResult& failed, const ShrinkOptions& options) {
  ChoiceList smaller = Shrinker(list, failed, options).Run(failed.failed_command);
  return smaller;
}

}  // namespace usbtwin::sim
