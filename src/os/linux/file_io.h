// The system calls of a file store, each repeated until it is done and each answered with an
// outcome. Calls that may block for long belong on the helper thread. No state but the descriptor
// and what the system turned out to lack.
#pragma once

#include <atomic>
#include <optional>

#include "base/lease.h"
#include "emulator/block_store.h"

namespace usbtwin::os {

// What to read beyond what was asked: `populate` bytes at once, `hint` bytes in the background.
struct ReadAhead {
  uint64_t populate = 0;
  uint64_t hint = 0;
};

class FileIo {
 public:
  FileIo(int fd, uint64_t size) : fd_(fd), size_(size) {}

  // ENOSPC, EDQUOT and EFBIG are kNoSpace, everything else is kWriteError.
  emulator::StoreOutcome Write(uint64_t offset, Bytes data) const;
  emulator::StoreOutcome Flush() const;
  // Punches a hole; where that is not supported, writes zeros.
  emulator::StoreOutcome Unmap(uint64_t offset, uint64_t length) const;

  // Data or a hole, as the file system knows; one that does not calls everything data.
  emulator::StoreExtent ExtentAt(uint64_t offset) const;

  // Reads into memory of its own; nullopt when that fails, for want of memory
  // too, or the file ends early.
  std::optional<Lease> ReadCopy(uint64_t offset, uint32_t length) const;
  // The same, only if no device has to be waited for.
  std::optional<Lease> ReadCachedCopy(uint64_t offset, uint32_t length) const;

  // Is the file as long as it was? mincore calls pages behind a new end resident at times.
  bool LongEnough() const;
  // Are all pages of this part of a mapping in memory?
  static bool Resident(Bytes mapped);
  // Reads the pages at `offset` of the mapping in, then as far ahead as told. False when they
  // cannot be read, or when the system has no way to do it without a signal.
  static bool PageIn(Bytes mapping, uint64_t offset, uint64_t length, const ReadAhead& ahead);

 private:
  std::optional<Lease> Read(uint64_t offset, uint32_t length, int flags) const;

  const int fd_;
  const uint64_t size_;
  mutable std::atomic<bool> can_punch_ = true;
};

}  // namespace usbtwin::os
