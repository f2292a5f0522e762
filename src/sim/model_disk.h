// ModelDisk: the oracle for one logical unit. It knows for each block which contents a read may
// return after all that was written, left in doubt, synchronised and lost with the power, and it
// shares no code with the disk it judges. Contents are versions: every write makes a new one, and
// the bytes of a block tell its number, its version and its unit, so that a block in the wrong
// place or of the wrong time is named when it turns up.
//
// The medium below may have a volatile cache: what was written since the last SYNCHRONIZE CACHE may
// be lost when the power fails, block by block, back to any version since then.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"

namespace usbtwin::sim {

class ModelDisk {
 public:
  // Version 0 is what the medium holds before the first write: zeros.
  using Version = uint32_t;
  using Versions = std::vector<Version>;
  // Bytes of no version: a block that was spoilt may hold anything.
  static constexpr Version kAnything = UINT32_MAX;

  // block_size: 512 bytes or more. `power_may_fail`: whether to remember what a power loss may
  // bring back; it costs time.
  ModelDisk(uint8_t lun, uint64_t blocks_count, uint32_t block_size, bool power_may_fail);

  uint64_t blocks_count() const { return versions_.size(); }
  uint32_t block_size() const { return block_size_; }

  // The bytes of a new version of the blocks from `lba` on; `target` is whole blocks.
  Version FillNew(uint64_t lba, MutableBytes target);

  // What became of a write of `version`. The range is within the disk.
  void HandleWritten(uint64_t lba, uint64_t count, Version version, bool synchronised);
  void HandleMaybeWritten(uint64_t lba, uint64_t count, Version version);
  // The bytes were spoilt on their way: until the next write the blocks may hold anything.
  void HandleSpoilt(uint64_t lba, uint64_t count);
  void HandleSynchronised();
  void HandleSynchronised(uint64_t lba, uint64_t count);
  void HandlePowerLoss();

  // Compares every byte of whole blocks that were read from `lba` on. What is allowed narrows to
  // what was seen. Text: which block, what was found, what was allowed; nothing where all is well.
  std::optional<std::string> Check(uint64_t lba, Bytes bytes);

  // The same for the first bytes of one block, which say too little to narrow anything.
  std::optional<std::string> CheckBegun(uint64_t lba, Bytes bytes);

  // For commands that run at once, whose judge (wave.h) knows more of their order than one block
  // does: which version a whole block is, kAnything for one that is none, or not this block's.
  Version Identify(uint64_t lba, Bytes block);
  // What a read of the block may return now, and what a power loss may bring back besides.
  Versions Allowed(uint64_t lba) const;
  Versions Unsynchronised(uint64_t lba) const;
  // A read returned it, and nobody was writing: what is allowed narrows to it.
  void HandleSeen(uint64_t lba, Version version);
  // Several wrote the block at once: one of `left` is there now, each of `written` was.
  void HandleRaced(uint64_t lba, Versions left, const Versions& written);
  // The same as text: what was found and what was allowed.
  std::string Describe(uint64_t lba, Version found, const Versions& allowed) const;

  uint64_t bytes_compared() const { return bytes_compared_; }
  // Blocks that a power loss was seen to have taken back to what they were before.
  uint64_t rolled_back() const { return rolled_back_; }

 private:
  static constexpr Version kInDoubt = UINT32_MAX - 1;  // several: see doubts_

  void Fill(uint64_t lba, Version version, MutableBytes block) const;
  bool Holds(uint64_t lba, Version version, Bytes block) const;
  void Set(uint64_t lba, Versions versions);
  // `versions` may come back when the power fails.
  void Remember(uint64_t lba, const Versions& versions);
  std::optional<std::string> CheckDoubtful(uint64_t lba, Bytes block);
  std::string Describe(uint64_t lba, Bytes block) const;

  const uint8_t lun_;
  const uint32_t block_size_;
  const bool power_may_fail_;
  Version version_last_ = 0;
  std::vector<Version> versions_;                      // of each block, or kInDoubt
  std::unordered_map<uint64_t, Versions> doubts_;      // what those in doubt may hold
  std::unordered_map<uint64_t, Versions> unsynced_;    // what may come back instead
  std::unordered_map<uint64_t, Version> before_loss_;  // the oldest that a power loss found
  const uint8_t* const filler_;
  uint64_t bytes_compared_ = 0;
  uint64_t rolled_back_ = 0;
};

}  // namespace usbtwin::sim
