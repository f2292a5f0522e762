// Dispositions of signals that some system calls raise beside their error. Called by whoever is
// about to make such calls; what the program has handled itself is left alone.
#pragma once

#include <csignal>

namespace usbtwin::os {

// The error of the call is enough: SIGPIPE on a closed pipe, SIGXFSZ beyond RLIMIT_FSIZE.
inline void IgnoreUnlessHandled(int signal) {
  struct sigaction current = {};
  if (sigaction(signal, nullptr, &current) != 0) return;
  if ((current.sa_flags & SA_SIGINFO) != 0 || current.sa_handler != SIG_DFL) return;
  current.sa_handler = SIG_IGN;
  sigaction(signal, &current, nullptr);
}

}  // namespace usbtwin::os
