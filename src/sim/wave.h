// Wave: commands that run at once, and what their READs may return. Commands of a unit have an
// order where one had ended before the other began, or where they began one after the other and one
// of them is an ORDERED task; between all others there is none, and either may come first.
// SAM-5, 8.6.
//
// The invariant: a READ returns, block by block, a version that was there before the wave or was
// written in it, and over which nothing was certainly written before the READ. It is judged when
// all of the wave have ended, since a WRITE's end may be heard of later than that of a READ behind
// it. After that the model disks know what the wave left. Called by QueueRun.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/model_disk.h"

namespace usbtwin::sim {

class Wave {
 public:
  using Version = ModelDisk::Version;
  using Versions = ModelDisk::Versions;

  // What became of a command.
  enum class Fate : uint8_t {
    kRunning,
    kDone,
    kMaybe,    // a WRITE that may have been carried out, or in part
    kNothing,  // it was not carried out, or its data is not known
  };
  struct Command {
    uint8_t lun = 0;
    uint64_t lba = 0;
    uint32_t blocks = 0;  // 0: it reads and writes none
    bool writes = false;
    bool ordered = false;
    bool synchronises = false;  // what it read or wrote is on the medium when it is done
    Version version = 0;        // of a WRITE
    Versions seen;              // of a READ that is done: block by block
    Fate fate = Fate::kRunning;
    uint64_t began = 0;  // in the order of all beginnings and ends
    uint64_t ended = UINT64_MAX;
  };

  // What must be known of the wave beside its commands.
  struct Trouble {
    bool power_lost = false;
    bool spoilt_in = false;   // bits of data-in were flipped
    bool spoilt_out = false;  // the same of data-out, in the first block of a transfer
  };

  // The number of a command that begins.
  size_t Begin(Command command);
  void End(size_t number, Fate fate, Versions seen = {});
  size_t size() const { return commands_.size(); }

  // All have ended: what is wrong with a READ; nothing where all is well. Then tells the models,
  // unit by unit, and is empty.
  std::optional<std::string> Judge(std::vector<ModelDisk>& models, const Trouble& trouble);

 private:
  static bool Overlap(const Command& left, const Command& right);
  static bool Covers(const Command& command, uint8_t lun, uint64_t lba);
  // Whether the first was over, for the unit, when the second began.
  static bool Precedes(const Command& first, const Command& second);
  bool Races(const Command& command) const;
  Versions AllowedFor(const Command& read, uint64_t lba, const ModelDisk& model,
                      const Trouble& trouble) const;
  std::optional<std::string> JudgeRead(const Command& read, ModelDisk& model,
                                       const Trouble& trouble) const;
  void Tell(const Command& write, ModelDisk& model) const;
  void TellRaced(size_t number, ModelDisk& model) const;

  std::vector<Command> commands_;
  uint64_t clock_ = 0;
};

}  // namespace usbtwin::sim
