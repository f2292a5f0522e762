#include "sim/wave.h"

#include <algorithm>

#include "base/check.h"

namespace usbtwin::sim {

size_t Wave::Begin(Command command) {
  command.began = ++clock_;
  commands_.push_back(std::move(command));
  return commands_.size() - 1;
}

void Wave::End(size_t number, Fate fate, Versions seen) {
  Command& command = commands_[number];
  CHECK(command.fate == Fate::kRunning);
  command.fate = fate;
  command.ended = ++clock_;
  command.seen = std::move(seen);
}

bool Wave::Overlap(const Command& left, const Command& right) {
  return left.lun == right.lun && left.lba < right.lba + right.blocks &&
         right.lba < left.lba + left.blocks;
}

bool Wave::Covers(const Command& command, uint8_t lun, uint64_t lba) {
  return command.lun == lun && command.lba <= lba && lba - command.lba < command.blocks;
}

bool Wave::Precedes(const Command& first, const Command& second) {
  if (first.ended < second.began) return true;
  const bool keeps_order = first.ordered || second.ordered;
  return keeps_order && first.lun == second.lun && first.began < second.began;
}

// Whether somebody else wrote one of its blocks in the wave.
bool Wave::Races(const Command& command) const {
  return std::any_of(commands_.begin(), commands_.end(), [&](const Command& other) {
    return &other != &command && other.writes && other.fate != Fate::kNothing &&
           Overlap(other, command);
  });
}

Wave::Versions Wave::AllowedFor(const Command& read, uint64_t lba, const ModelDisk& model,
                                const Trouble& trouble) const {
  const auto overwritten = [&](const Command* write) {
    return std::any_of(commands_.begin(), commands_.end(), [&](const Command& later) {
      return later.writes && later.fate == Fate::kDone && Covers(later, read.lun, lba) &&
             &later != write && Precedes(later, read) &&
             (write == nullptr || Precedes(*write, later));
    });
  };
  Versions allowed;
  if (!overwritten(nullptr) || trouble.power_lost) allowed = model.Allowed(lba);
  for (const Command& write : commands_) {
    const bool may = write.writes && write.fate != Fate::kNothing && Covers(write, read.lun, lba) &&
                     !Precedes(read, write) && (trouble.power_lost || !overwritten(&write));
    if (may) allowed.push_back(write.version);
    // Its first block may have been what was spoilt on the way.
    if (may && trouble.spoilt_out && write.lba == lba) allowed.push_back(ModelDisk::kAnything);
  }
  if (trouble.power_lost) {
    for (const Version version : model.Unsynchronised(lba)) allowed.push_back(version);
  }
  return allowed;
}

std::optional<std::string> Wave::JudgeRead(const Command& read, ModelDisk& model,
                                           const Trouble& trouble) const {
  const bool raced = Races(read);
  for (size_t index = 0; index < read.seen.size(); ++index) {
    const uint64_t lba = read.lba + index;
    const Version seen = read.seen[index];
    const Versions allowed = AllowedFor(read, lba, model, trouble);
    const bool known = std::find(allowed.begin(), allowed.end(), seen) != allowed.end();
    const bool any =
        std::find(allowed.begin(), allowed.end(), ModelDisk::kAnything) != allowed.end();
    if (!known && !any && !(seen == ModelDisk::kAnything && trouble.spoilt_in)) {
      return "READ: " + model.Describe(lba, seen, allowed);
    }
    if (known && !raced && !trouble.power_lost) model.HandleSeen(lba, seen);
  }
  return std::nullopt;
}

void Wave::Tell(const Command& write, ModelDisk& model) const {
  if (write.fate == Fate::kDone) {
    model.HandleWritten(write.lba, write.blocks, write.version, write.synchronises);
  } else {
    model.HandleMaybeWritten(write.lba, write.blocks, write.version);
  }
}

// Block by block; each by the first of those that wrote it.
void Wave::TellRaced(size_t number, ModelDisk& model) const {
  const Command& first = commands_[number];
  for (uint64_t lba = first.lba; lba < first.lba + first.blocks; ++lba) {
    const auto wrote = [&](const Command& command) {
      return command.writes && command.fate != Fate::kNothing && Covers(command, first.lun, lba);
    };
    const auto place = commands_.begin() + static_cast<ptrdiff_t>(number);
    if (std::any_of(commands_.begin(), place, wrote)) continue;
    Versions left, written;
    bool done = false;
    for (const Command& write : commands_) {
      if (!wrote(write)) continue;
      written.push_back(write.version);
      done = done || write.fate == Fate::kDone;
      const bool covered =
          std::any_of(commands_.begin(), commands_.end(), [&](const Command& later) {
            return wrote(later) && later.fate == Fate::kDone && &later != &write &&
                   Precedes(write, later);
          });
      if (!covered) left.push_back(write.version);
    }
    if (!done) {
      for (const Version version : model.Allowed(lba)) left.push_back(version);
    }
    model.HandleRaced(lba, std::move(left), written);
  }
}

std::optional<std::string> Wave::Judge(std::vector<ModelDisk>& models, const Trouble& trouble) {
  std::optional<std::string> wrong;
  for (const Command& command : commands_) {
    CHECK(command.fate != Fate::kRunning);
    if (command.blocks == 0 || wrong) continue;
    ModelDisk& model = models[command.lun];
    if (!command.writes && command.fate == Fate::kDone) wrong = JudgeRead(command, model, trouble);
  }
  for (size_t number = 0; number < commands_.size(); ++number) {
    const Command& command = commands_[number];
    if (command.blocks == 0 || command.fate == Fate::kNothing) continue;
    ModelDisk& model = models[command.lun];
    const bool alone = !Races(command);
    if (command.writes && alone) Tell(command, model);
    if (command.writes && !alone) TellRaced(number, model);
    const bool read_through = !command.writes && command.synchronises && alone;
    if (read_through && command.fate == Fate::kDone) {
      model.HandleSynchronised(command.lba, command.blocks);
    }
    if (command.writes && trouble.spoilt_out) model.HandleSpoilt(command.lba, 1);
  }
  if (trouble.power_lost) {
    for (ModelDisk& model : models) model.HandlePowerLoss();
  }
  commands_.clear();
  clock_ = 0;
  return wrong;
}

}  // namespace usbtwin::sim
