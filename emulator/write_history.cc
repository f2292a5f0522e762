#include "emulator/write_history.h"

#include <algorithm>

#include "base/canary.h"

namespace usbtwin::emulator {

void WriteHistory::Save(uint64_t offset, const Lease& bytes) {
  CHECK_EQ(offset % block_size_, 0u);
  std::vector<uint8_t> block;
  uint64_t index = offset / block_size_;
  bytes.ForEach([&](Bytes piece) {
    while (!piece.empty()) {
      if (block.empty() && piece.size() >= block_size_) {
        SaveBlock(index++, piece.first(block_size_));
        piece = Drop(piece, block_size_);
        continue;
      }
      const Bytes part = Take(piece, block_size_ - static_cast<uint32_t>(block.size()));
      block.insert(block.end(), part.begin(), part.end());
      piece = Drop(piece, part.size());
      if (block.size() < block_size_) return;
      SaveBlock(index++, block);
      block.clear();
    }
  });
  if (!block.empty()) SaveBlock(index, block);
}

void WriteHistory::SaveBlock(uint64_t index, Bytes bytes) {
  std::vector<std::vector<uint8_t>>& versions = blocks_[index];
  const bool same = !versions.empty() && SameBytes(versions.back(), bytes);
  if (same) return;
  versions.emplace_back(bytes.begin(), bytes.end());
  length_ += bytes.size();
}

void WriteHistory::Forget(uint64_t offset, uint64_t length) {
  const uint64_t first = (offset + block_size_ - 1) / block_size_;
  const uint64_t end = (offset + length) / block_size_;
  auto block = blocks_.lower_bound(first);
  if (canary::Planted(canary::Canary::kPowerLossTooMuch) && block != blocks_.end() &&
      length > block_size_) {
    ++block;
  }
  while (block != blocks_.end() && block->first < end) {
    for (const std::vector<uint8_t>& version : block->second) length_ -= version.size();
    block = blocks_.erase(block);
  }
}

void WriteHistory::Clear() {
  blocks_.clear();
  length_ = 0;
}

std::vector<WriteHistory::Undo> WriteHistory::LosePower(Chooser& chooser) {
  std::vector<Undo> undone;
  for (auto& [index, versions] : blocks_) {
    const uint64_t choice =
        chooser.Choose(versions.size() + 1, "the version of a block that power loss leaves");
    if (choice == versions.size()) continue;
    undone.push_back({index * block_size_, std::move(versions[choice])});
  }
  Clear();
  return undone;
}

}  // namespace usbtwin::emulator
