// What main() takes from the operating-system rim: the System of the system it was built for, and
// the signals that ask a program to end. Everything below is behind interfaces.
#pragma once

#include <memory>

#include "app/system.h"

namespace usbtwin::os {

struct SystemOptions {
  // A peer over TCP that answers nothing for so long is gone: whole seconds, 5 to 32767.
  Duration keep_alive_time = std::chrono::seconds(45);
};
inline constexpr int kKeepAliveSecondsMax = 32767;  // the kernel's limit

// Also sets what a program of ours wants of its process: a closed pipe and a file that grew too
// large are errors of the call, not signals (SIGPIPE and SIGXFSZ are ignored unless handled).
std::unique_ptr<app::System> MakeSystem(const SystemOptions& options = {});

// While it lives, SIGINT, SIGTERM and SIGHUP are a wish that the program may fulfil in good order:
// each wakes the System's loop, so that RunUntil asks `done` again. A signal that the process was
// told to ignore (nohup) stays ignored. One at a time; `system` is of MakeSystem and outlives it.
class StopRequests {
 public:
  explicit StopRequests(app::System& system);
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;
  ~StopRequests();  // what was done before is done again

  bool asked() const;
  int signal() const;  // the first one that came; 0 where none did
};

}  // namespace usbtwin::os
