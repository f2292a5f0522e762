#include "emulator/memory_store.h"

#include <cstdlib>
#include <new>

namespace usbtwin::emulator {
namespace {

// What every hole reads as. Never written, so loans of it need no protection.
alignas(4096) constexpr uint8_t kZeros[MemoryStore::kPageLength] = {};

// Where a range meets one page.
struct Part {
  uint64_t index;  // of the page
  uint32_t start;  // within the page
  uint32_t length;
};

Part FirstPart(uint64_t offset, uint64_t length) {
  constexpr uint32_t kLength = MemoryStore::kPageLength;
  const auto start = static_cast<uint32_t>(offset % kLength);
  return {.index = offset / kLength,
          .start = start,
          .length = static_cast<uint32_t>(std::min<uint64_t>(length, kLength - start))};
}

uint64_t LeavesCount(uint64_t size, uint64_t leaf_size) {
  return (size + leaf_size - 1) / leaf_size;
}

}  // namespace

void MemoryStore::FreeMemory::operator()(Leaf** leaves) const {
  std::free(leaves);
}

MemoryStore::MemoryStore(uint64_t size, uint64_t memory_max)
    : size_(size), memory_max_(memory_max) {
  CHECK_LE(size, kSizeMax);
  const uint64_t count = LeavesCount(size, uint64_t{kPageLength} * kLeafPagesCount);
  // calloc, because a large table of zeros then costs no memory until it is used.
  void* table = std::calloc(std::max<uint64_t>(count, 1), sizeof(Leaf*));
  CHECK(table != nullptr);
  leaves_.reset(static_cast<Leaf**>(table));
}

MemoryStore::~MemoryStore() {
  CHECK(pins_.empty());
  const uint64_t count = LeavesCount(size_, uint64_t{kPageLength} * kLeafPagesCount);
  for (uint64_t index = 0; pages_count_ != 0 && index < count; ++index) {
    if (leaves_[index] == nullptr) continue;
    for (uint32_t page = 0; leaves_[index] != nullptr && page < kLeafPagesCount; ++page) {
      if (leaves_[index]->pages[page] != nullptr) Free(index * kLeafPagesCount + page);
    }
  }
  CHECK_EQ(pages_count_, 0u);
}

bool MemoryStore::Submit(StoreOp& op) {
  CHECK_LE(op.offset, size_);
  CHECK_LE(op.length, size_ - op.offset);
  switch (op.kind) {
    case StoreOp::Kind::kRead: op.outcome = Read(op); break;
    case StoreOp::Kind::kWrite:
      CHECK_EQ(op.length, op.data.size());
      op.outcome = Write(op.offset, op.data);
      break;
    case StoreOp::Kind::kFlush: op.outcome = StoreOutcome::kOk; break;
    case StoreOp::Kind::kUnmap: op.outcome = Unmap(op.offset, op.length); break;
  }
  return true;
}

StoreOutcome MemoryStore::Read(StoreOp& op) {
  CHECK_LE(op.length, kWindowMax);
  op.lease.Reset();
  if (op.length == 0) return StoreOutcome::kOk;
  RangePin& pin = pins_.Take(op.offset);
  uint64_t offset = op.offset;
  uint64_t left = op.length;
  while (left != 0) {
    const Part part = FirstPart(offset, left);
    const Page* page = Find(part.index);
    const uint8_t* bytes = page == nullptr ? kZeros : page->bytes;
    pin.Add({bytes + part.start, part.length});
    offset += part.length;
    left -= part.length;
  }
  op.lease = pins_.Lend(pin);
  return StoreOutcome::kOk;
}

StoreOutcome MemoryStore::Write(uint64_t offset, Bytes data) {
  while (!data.empty()) {
    const Part part = FirstPart(offset, data.size());
    Page* page = Find(part.index);
    if (page == nullptr) {
      page = Allocate(part.index);
      if (page == nullptr) return StoreOutcome::kNoSpace;
      const uint32_t final = part.start + part.length;
      std::memset(page->bytes, 0, part.start);
      std::memset(page->bytes + final, 0, kPageLength - final);
    } else if (!pins_.Protect(offset, part.length)) {
      return StoreOutcome::kNoSpace;
    }
    CopyBytes({page->bytes + part.start, part.length}, data);
    data = Drop(data, part.length);
    offset += part.length;
  }
  return StoreOutcome::kOk;
}

StoreOutcome MemoryStore::Unmap(uint64_t offset, uint64_t length) {
  while (length != 0) {
    const Part part = FirstPart(offset, length);
    uint64_t done = part.length;
    if (leaves_[part.index / kLeafPagesCount] == nullptr) {
      // Nothing up to the next leaf, so that unmapping terabytes of holes is quick.
      const uint64_t next = (part.index / kLeafPagesCount + 1) * kLeafPagesCount * kPageLength;
      done = std::min(length, next - offset);
    } else if (Page* page = Find(part.index); page != nullptr) {
      if (!pins_.Protect(offset, part.length)) return StoreOutcome::kNoSpace;
      // The last page of a store whose size is not whole pages goes when its end is unmapped.
      const bool whole =
          part.start == 0 && (part.length == kPageLength || offset + length == size_);
      if (whole) {
        Free(part.index);
      } else {
        std::memset(page->bytes + part.start, 0, part.length);
      }
    }
    offset += done;
    length -= done;
  }
  return StoreOutcome::kOk;
}

MemoryStore::Page* MemoryStore::Allocate(uint64_t index) {
  if (memory_max_ - memory_used() < kPageLength) return nullptr;
  Leaf*& leaf = leaves_[index / kLeafPagesCount];
  if (leaf == nullptr) leaf = new (std::nothrow) Leaf;
  if (leaf == nullptr) return nullptr;
  Page* page = new (std::nothrow) Page;
  if (page == nullptr) {
    if (leaf->pages_count == 0) delete std::exchange(leaf, nullptr);
    return nullptr;
  }
  leaf->pages[index % kLeafPagesCount] = page;
  ++leaf->pages_count;
  ++pages_count_;
  return page;
}

void MemoryStore::Free(uint64_t index) {
  Leaf*& leaf = leaves_[index / kLeafPagesCount];
  delete std::exchange(leaf->pages[index % kLeafPagesCount], nullptr);
  --pages_count_;
  if (--leaf->pages_count == 0) delete std::exchange(leaf, nullptr);
}

}  // namespace usbtwin::emulator
