// Owns a file descriptor and closes it; -1 is none. And errno as people read it.
#pragma once

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace usbtwin::os {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Takes the file for writing, before a byte of it changes: an image that a twin serves, here or in
// another process, is locked the same way and must not be overwritten. False where somebody has it.
// What cannot be locked (a pipe, a terminal, some network file systems) is nobody's.
inline bool LockOutput(int fd) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno != EWOULDBLOCK;
  }
  return true;
}
inline constexpr char kOutputInUse[] =
    "it is in use, as a disk image or by another process; name another file";

// "No space left on device". Safe beside other threads, unlike strerror.
inline std::string ErrorText(int error) {
  return std::generic_category().message(error);
}

}  // namespace usbtwin::os
