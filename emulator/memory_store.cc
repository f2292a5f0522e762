#include "emulator/memory_store.h"

#include <new>

#include "base/canary.h"

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

}  // namespace

MemoryStore::MemoryStore(uint64_t size, uint64_t memory_max)
    : size_(size), memory_max_(memory_max) {
  CHECK_LE(size, kSizeMax);
  branches_.resize((size + kBranchLength - 1) / kBranchLength);
}

MemoryStore::~MemoryStore() {
  CHECK(pins_.empty());
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
  RangePin* const pin = pins_.Take(op.offset);
  if (pin == nullptr) return StoreOutcome::kReadError;
  uint64_t offset = op.offset;
  uint64_t left = op.length;
  while (left != 0) {
    const Part part = FirstPart(offset, left);
    const Page* page = Find(part.index);
    const uint8_t* bytes = page == nullptr ? kZeros : page->bytes;
    pin->Add({bytes + part.start, part.length});
    offset += part.length;
    left -= part.length;
  }
  op.lease = pins_.Lend(*pin);
  return StoreOutcome::kOk;
}

StoreOutcome MemoryStore::Write(uint64_t offset, Bytes data) {
  while (!data.empty()) {
    const Part part = FirstPart(offset, data.size());
    Page* page = Find(part.index);
    if (page == nullptr) {
      if (memory_max_ - memory_used() < kPageLength) return StoreOutcome::kNoSpace;
      page = Allocate(part.index);
      if (page == nullptr) return StoreOutcome::kWriteError;
      const uint32_t final = part.start + part.length;
      std::memset(page->bytes, 0, part.start);
      std::memset(page->bytes + final, 0, kPageLength - final);
    } else if (!canary::Planted(canary::Canary::kTornLease) &&
               !pins_.Protect(offset, part.length)) {
      return StoreOutcome::kWriteError;
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
    if (FindLeaf(part.index) == nullptr) {
      // Nothing up to the next leaf or branch, so that unmapping terabytes of holes is quick.
      const bool bare = branches_[offset / kBranchLength] == nullptr;
      const uint64_t hole = bare ? kBranchLength : kLeafLength;
      done = std::min(length, hole - offset % hole);
    } else if (Page* page = Find(part.index); page != nullptr) {
      if (!pins_.Protect(offset, part.length)) return StoreOutcome::kWriteError;
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

// One page at a time, or whatever hole the table shows: the caller joins what is alike.
StoreExtent MemoryStore::ExtentAt(uint64_t offset) const {
  CHECK_LE(offset, size_);
  const uint64_t left = size_ - offset;
  if (left == 0) return {.length = 0};
  const uint64_t index = offset / kPageLength;
  uint64_t step = kPageLength;
  if (FindLeaf(index) == nullptr) {
    step = branches_[offset / kBranchLength] == nullptr ? kBranchLength : kLeafLength;
  }
  return {.mapped = Find(index) != nullptr, .length = std::min(left, step - offset % step)};
}

MemoryStore::Leaf* MemoryStore::FindLeaf(uint64_t index) const {
  const Branch* branch = branches_[index / kBranchPagesCount].get();
  if (branch == nullptr) return nullptr;
  return branch->leaves[index / kLeafPagesCount % kBranchLeavesCount].get();
}

MemoryStore::Page* MemoryStore::Find(uint64_t index) const {
  const Leaf* leaf = FindLeaf(index);
  return leaf == nullptr ? nullptr : leaf->pages[index % kLeafPagesCount].get();
}

MemoryStore::Page* MemoryStore::Allocate(uint64_t index) {
  std::unique_ptr<Branch>& branch = branches_[index / kBranchPagesCount];
  if (branch == nullptr) branch.reset(new (std::nothrow) Branch);
  if (branch == nullptr) return nullptr;
  std::unique_ptr<Leaf>& leaf = branch->leaves[index / kLeafPagesCount % kBranchLeavesCount];
  if (leaf == nullptr) {
    leaf.reset(new (std::nothrow) Leaf);
    if (leaf != nullptr) ++branch->leaves_count;
  }
  Page* page = nullptr;
  if (leaf != nullptr) {
    page = new (std::nothrow) Page;
    leaf->pages[index % kLeafPagesCount].reset(page);
  }
  if (page == nullptr) {
    Prune(index);
    return nullptr;
  }
  ++leaf->pages_count;
  ++pages_count_;
  return page;
}

void MemoryStore::Free(uint64_t index) {
  Leaf& leaf = *FindLeaf(index);
  leaf.pages[index % kLeafPagesCount].reset();
  --leaf.pages_count;
  --pages_count_;
  Prune(index);
}

void MemoryStore::Prune(uint64_t index) {
  std::unique_ptr<Branch>& branch = branches_[index / kBranchPagesCount];
  std::unique_ptr<Leaf>& leaf = branch->leaves[index / kLeafPagesCount % kBranchLeavesCount];
  if (leaf != nullptr && leaf->pages_count == 0) {
    leaf.reset();
    --branch->leaves_count;
  }
  if (branch->leaves_count == 0) branch.reset();
}

}  // namespace usbtwin::emulator
