// Makes system calls of the code under test fail on demand: the test executable is linked with
// --wrap for each of them. Arm with errno and how many calls fail; `failed` proves that they did.
#pragma once

#include <atomic>

namespace usbtwin::tests {

struct FailingCall {
  std::atomic<int> error = 0;
  std::atomic<int> left = 0;
  std::atomic<int> failed = 0;

  void Arm(int error_in, int count = 1) {
    error = error_in;
    failed = 0;
    left = count;
  }
  // True, with errno set, when this call is to fail.
  bool Fails();
};

extern FailingCall failing_pwrite, failing_fdatasync, failing_fallocate, failing_preadv2;
extern FailingCall failing_populate;  // madvise(MADV_POPULATE_READ) alone
extern FailingCall failing_thread;    // pthread_create
extern FailingCall failing_new;       // operator new, on any thread
// pwrite writes at most so many bytes in one call.
extern std::atomic<size_t> pwrite_length_max;

}  // namespace usbtwin::tests
