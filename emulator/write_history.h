// WriteHistory: what a volatile write cache may lose. For each block written since it was last made
// permanent it keeps every version but the current one, which is in the store; when power fails,
// any of them may be what the medium holds. Used by FaultyStore.
//
// It is bounded: beyond `length_max` bytes of versions (a block's bookkeeping of about a hundred
// bytes not counted) the owner writes through and clears it, as a full cache does.
#pragma once

#include <map>
#include <vector>

#include "base/chooser.h"
#include "base/lease.h"

namespace usbtwin::emulator {

class WriteHistory {
 public:
  // Blocks of `block_size` bytes; the last one of a store may be shorter.
  WriteHistory(uint32_t block_size, uint64_t length_max)
      : block_size_(block_size), length_max_(length_max) {}

  bool HasRoomFor(uint64_t length) const { return length <= length_max_ - length_; }
  // What whole blocks from byte `offset` of the store on hold, before they are written.
  void Save(uint64_t offset, const Lease& bytes);
  // The blocks that lie within the range are permanent as they are.
  void Forget(uint64_t offset, uint64_t length);
  void Clear();

  // What power loss left of a block that did not keep its current version.
  struct Undo {
    uint64_t offset = 0;  // bytes from the start of the store
    std::vector<uint8_t> bytes;
  };
  // Draws one version for each block; the history is empty afterwards.
  std::vector<Undo> LosePower(Chooser& chooser);

  uint64_t length() const { return length_; }  // bytes of versions

 private:
  void SaveBlock(uint64_t index, Bytes bytes);

  const uint32_t block_size_;
  const uint64_t length_max_;
  uint64_t length_ = 0;
  std::map<uint64_t, std::vector<std::vector<uint8_t>>> blocks_;  // by index; oldest version first
};

}  // namespace usbtwin::emulator
