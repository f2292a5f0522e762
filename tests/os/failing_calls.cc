#include "tests/os/failing_calls.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <new>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace usbtwin::tests {

FailingCall failing_pwrite, failing_fdatasync, failing_fallocate, failing_preadv2;
FailingCall failing_populate, failing_thread, failing_new;
std::atomic<size_t> pwrite_length_max = SIZE_MAX;

bool FailingCall::Fails() {
  if (left == 0) return false;
  --left;
  ++failed;
  errno = error;
  return true;
}

}  // namespace usbtwin::tests

// The linker's names: code under test calls __wrap_f where it says f; __real_f is the system's.
// NOLINTBEGIN(bugprone-reserved-identifier)
using namespace usbtwin::tests;  // NOLINT
extern "C" {
ssize_t __real_pwrite64(int fd, const void* data, size_t length, off_t offset);
int __real_fdatasync(int fd);
int __real_fallocate64(int fd, int mode, off_t offset, off_t length);
ssize_t __real_preadv64v2(int fd, const iovec* vectors, int count, off_t offset, int flags);
int __real_madvise(void* start, size_t length, int advice) noexcept;
int __real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                          void* argument) noexcept;

ssize_t __wrap_pwrite64(int fd, const void* data, size_t length, off_t offset) {
  if (failing_pwrite.Fails()) return -1;
  return __real_pwrite64(fd, data, std::min<size_t>(length, pwrite_length_max), offset);
}
int __wrap_fdatasync(int fd) {
  return failing_fdatasync.Fails() ? -1 : __real_fdatasync(fd);
}
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t length) {
  return failing_fallocate.Fails() ? -1 : __real_fallocate64(fd, mode, offset, length);
}
ssize_t __wrap_preadv64v2(int fd, const iovec* vectors, int count, off_t offset, int flags) {
  if (failing_preadv2.Fails()) return -1;
  return __real_preadv64v2(fd, vectors, count, offset, flags);
}
int __wrap_madvise(void* start, size_t length, int advice) noexcept {
  if (advice == MADV_POPULATE_READ && failing_populate.Fails()) return -1;
  return __real_madvise(start, length, advice);
}
int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                          void* argument) noexcept {
  if (failing_thread.Fails()) return failing_thread.error;
  return __real_pthread_create(thread, attributes, run, argument);
}
}
// NOLINTEND(bugprone-reserved-identifier)

void* operator new(size_t size) {
  void* const memory = failing_new.Fails() ? nullptr : std::malloc(std::max<size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// AddressSanitizer would bring its own of those that are not replaced here.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return failing_new.Fails() ? nullptr : std::malloc(std::max<size_t>(size, 1));
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
