// Counts the system calls that an exchange over a socket costs, makes some fail, and answers for
// the resolver: the test executable is linked with --wrap for each of them.
#pragma once

#include <atomic>
#include <mutex>

#include "tests/os/failing_calls.h"

namespace usbtwin::tests {

struct CallCounts {
  std::atomic<int> waits = 0;  // epoll_pwait2
  std::atomic<int> controls = 0;
  std::atomic<int> receives = 0;
  std::atomic<int> sends = 0;
  std::atomic<int> accepts = 0;
  void Reset() { waits = controls = receives = sends = accepts = 0; }
};
extern CallCounts call_counts;

extern FailingCall failing_epoll_pwait2, failing_accept4;

// Names of the tests: "two.test" is 127.0.0.2 and then 127.0.0.1, "none.test" does not exist, and
// "slow.test" is 127.0.0.1 once `slow_resolver` can be locked; so often it was.
extern std::mutex slow_resolver;
extern std::atomic<int> slow_answers;

}  // namespace usbtwin::tests
