#include "os/linux/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#ifndef MADV_POPULATE_READ  // Linux 5.14; older C libraries do not name it
#define MADV_POPULATE_READ 22
#endif

namespace usbtwin::os {
namespace {

using emulator::StoreOutcome;

StoreOutcome WriteFailure(int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return full ? StoreOutcome::kNoSpace : StoreOutcome::kWriteError;
}

uintptr_t PageLength() {
  static const auto length = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return length;
}

// The whole pages that hold `bytes`, as madvise and mincore want them.
struct Pages {
  void* start;
  size_t length;
};
Pages PagesOf(Bytes bytes) {
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t start = address & ~(PageLength() - 1);
  return {.start = reinterpret_cast<void*>(start), .length = bytes.size() + (address - start)};
}

bool Advise(Bytes bytes, int advice) {
  if (bytes.empty()) return true;
  const Pages pages = PagesOf(bytes);
  return madvise(pages.start, pages.length, advice) == 0;
}

// Nullopt where there is no memory: on the helper thread nobody would catch the exception.
std::optional<std::pair<Lease, MutableBytes>> MakeCopy(uint32_t length) {
  try {
    return OwnedPin::Make(length);
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

}  // namespace

StoreOutcome FileIo::Write(uint64_t offset, Bytes data) const {
  while (!data.empty()) {
    const ssize_t written = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteFailure(errno);
    if (written == 0) return StoreOutcome::kWriteError;  // no reason given, and no progress
    data = Drop(data, static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return StoreOutcome::kOk;
}

StoreOutcome FileIo::Flush() const {
  while (fdatasync(fd_) != 0) {
    if (errno != EINTR) return WriteFailure(errno);
  }
  // A file that somebody made shorter holds less than was written.
  return LongEnough() ? StoreOutcome::kOk : StoreOutcome::kWriteError;
}

bool FileIo::LongEnough() const {
  struct stat status = {};
  if (fstat(fd_, &status) != 0) return false;
  // Block devices have no st_size, and nobody truncates them.
  return !S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) >= size_;
}

StoreOutcome FileIo::Unmap(uint64_t offset, uint64_t length) const {
  while (can_punch_ && length != 0) {
    const int result = fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 static_cast<off_t>(offset), static_cast<off_t>(length));
    if (result == 0) return StoreOutcome::kOk;
    if (errno == EINTR) continue;
    // Not supported by this file system; EINVAL is a block device that wants other alignment.
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENODEV)
      can_punch_ = false;
    else if (errno != EINVAL)
      return WriteFailure(errno);
    break;
  }
  static constexpr std::array<uint8_t, 64 << 10> kZeros{};
  while (length != 0) {
    const Bytes piece = Take(Bytes(kZeros), length);
    const StoreOutcome outcome = Write(offset, piece);
    if (outcome != StoreOutcome::kOk) return outcome;
    offset += piece.size();
    length -= piece.size();
  }
  return StoreOutcome::kOk;
}

emulator::StoreExtent FileIo::ExtentAt(uint64_t offset) const {
  if (offset >= size_) return {.length = 0};
  const auto from = static_cast<off_t>(offset);
  const off_t data = lseek(fd_, from, SEEK_DATA);
  const bool mapped = data == from || (data < 0 && errno != ENXIO);
  const off_t end = mapped ? lseek(fd_, from, SEEK_HOLE) : data;
  // Nothing behind it, or nothing that could be learned.
  if (end <= from) return {.mapped = mapped, .length = size_ - offset};
  return {.mapped = mapped, .length = std::min(static_cast<uint64_t>(end), size_) - offset};
}

std::optional<Lease> FileIo::Read(uint64_t offset, uint32_t length, int flags) const {
  auto made = MakeCopy(length);
  if (!made) return std::nullopt;
  auto& [lease, room] = *made;
  while (!room.empty()) {
    const iovec vector{.iov_base = room.data(), .iov_len = room.size()};
    const ssize_t got = preadv2(fd_, &vector, 1, static_cast<off_t>(offset), flags);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    room = Drop(room, static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return std::move(lease);
}

std::optional<Lease> FileIo::ReadCopy(uint64_t offset, uint32_t length) const {
  return Read(offset, length, 0);
}

std::optional<Lease> FileIo::ReadCachedCopy(uint64_t offset, uint32_t length) const {
  return Read(offset, length, RWF_NOWAIT);
}

bool FileIo::Resident(Bytes mapped) {
  // One byte a page, for a window at any offset.
  std::array<unsigned char, emulator::BlockStore::kWindowMax / 4096 + 1> pages_in;
  const Pages pages = PagesOf(mapped);
  const size_t count = (pages.length + PageLength() - 1) / PageLength();
  CHECK_LE(count, pages_in.size());
  if (mincore(pages.start, pages.length, pages_in.data()) != 0) return false;
  for (size_t index = 0; index < count; ++index) {
    if ((pages_in[index] & 1) == 0) return false;
  }
  return true;
}

bool FileIo::PageIn(Bytes mapping, uint64_t offset, uint64_t length, const ReadAhead& ahead) {
  const Bytes rest = Drop(mapping, offset);
  const Bytes asked = Take(rest, length);
  const Bytes populated = Take(Drop(rest, length), ahead.populate);
  // The hint first: it starts all of the input at once, and what follows only waits for it.
  Advise(Take(rest, length + ahead.populate + ahead.hint), MADV_WILLNEED);
  if (!Advise(asked, MADV_POPULATE_READ)) return false;
  Advise(populated, MADV_POPULATE_READ);  // its errors are told when somebody asks for the bytes
  return true;
}

}  // namespace usbtwin::os
