// A disk's bytes in memory. Sparse: pages come with the first write, and so does the table that
// finds them; holes read as one shared page of zeros. So a disk of many terabytes costs what was
// written to it, and no more than 32 KiB before. Where the system has no memory, the operation
// fails and nothing else. Everything is answered within Submit. Used by twins without an image
// file, and by tests.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "emulator/block_store.h"
#include "emulator/pin_pool.h"

namespace usbtwin::emulator {

class MemoryStore final : public BlockStore {
 public:
  static constexpr uint64_t kSizeMax = uint64_t{1} << 50;  // 1 PiB; the caller has checked it
  static constexpr uint32_t kPageLength = kPieceLengthMax;

  // `memory_max` bounds the bytes of pages: a disk that promises more than it has, and answers
  // kNoSpace when that shows.
  explicit MemoryStore(uint64_t size, uint64_t memory_max = UINT64_MAX);
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;
  ~MemoryStore() override;

  uint64_t size() const override { return size_; }
  bool writable() const override { return true; }
  bool Submit(StoreOp& op) override;
  StoreExtent ExtentAt(uint64_t offset) const override;

  uint64_t memory_used() const { return pages_count_ * kPageLength; }

 private:
  static constexpr uint64_t kLeafPagesCount = 1024;
  static constexpr uint64_t kBranchLeavesCount = 4096;
  static constexpr uint64_t kBranchPagesCount = kBranchLeavesCount * kLeafPagesCount;
  static constexpr uint64_t kLeafLength = kLeafPagesCount * kPageLength;      // 64 MiB
  static constexpr uint64_t kBranchLength = kBranchPagesCount * kPageLength;  // 256 GiB

  struct alignas(4096) Page {
    uint8_t bytes[kPageLength];
  };
  struct Leaf {
    std::array<std::unique_ptr<Page>, kLeafPagesCount> pages;
    uint32_t pages_count = 0;
  };
  struct Branch {
    std::array<std::unique_ptr<Leaf>, kBranchLeavesCount> leaves;
    uint32_t leaves_count = 0;
  };

  StoreOutcome Read(StoreOp& op);
  StoreOutcome Write(uint64_t offset, Bytes data);
  StoreOutcome Unmap(uint64_t offset, uint64_t length);
  // What holds the page with this index, or null where there are only holes.
  Leaf* FindLeaf(uint64_t index) const;
  Page* Find(uint64_t index) const;
  // A page for a hole; its bytes are undefined. Null when there is no memory.
  Page* Allocate(uint64_t index);
  void Free(uint64_t index);
  void Prune(uint64_t index);  // leaf and branch of a page that is gone, where they hold nothing

  const uint64_t size_;
  const uint64_t memory_max_;
  uint64_t pages_count_ = 0;
  std::vector<std::unique_ptr<Branch>> branches_;
  PinPool pins_;
};

}  // namespace usbtwin::emulator
