// Owns a file descriptor and closes it; -1 is none. And errno as people read it.
#pragma once

#include <unistd.h>

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

// "No space left on device". Safe beside other threads, unlike strerror.
inline std::string ErrorText(int error) {
  return std::generic_category().message(error);
}

}  // namespace usbtwin::os
