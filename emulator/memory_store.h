// A disk's bytes in memory. Sparse: pages come with the first write, holes read as one shared page
// of zeros, so a disk of many terabytes costs what was written to it. Everything is answered within
// Submit. Used by twins without an image file, and by tests.
#pragma once

#include <array>
#include <memory>

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

  uint64_t memory_used() const { return pages_count_ * kPageLength; }

 private:
  static constexpr uint32_t kLeafPagesCount = 1024;  // so a leaf stands for 64 MiB

  struct alignas(4096) Page {
    uint8_t bytes[kPageLength];
  };
  struct Leaf {
    std::array<Page*, kLeafPagesCount> pages{};
    uint32_t pages_count = 0;
  };
  struct FreeMemory {
    void operator()(Leaf** leaves) const;
  };

  StoreOutcome Read(StoreOp& op);
  StoreOutcome Write(uint64_t offset, Bytes data);
  StoreOutcome Unmap(uint64_t offset, uint64_t length);
  // The page with this index, or null for a hole.
  Page* Find(uint64_t index) const {
    const Leaf* leaf = leaves_[index / kLeafPagesCount];
    return leaf == nullptr ? nullptr : leaf->pages[index % kLeafPagesCount];
  }
  // A page for a hole; its bytes are undefined. Null when there is no memory.
  Page* Allocate(uint64_t index);
  void Free(uint64_t index);

  const uint64_t size_;
  const uint64_t memory_max_;
  uint64_t pages_count_ = 0;
  std::unique_ptr<Leaf*[], FreeMemory> leaves_;
  PinPool pins_;
};

}  // namespace usbtwin::emulator
