#include "os/linux/thread.h"

#include <csignal>
#include <initializer_list>

namespace usbtwin::os {

bool StartThread(pthread_t& thread, void* (*run)(void*), void* argument, int own_signal) {
  sigset_t all{}, before{};
  sigfillset(&all);
  for (int fault : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
  if (own_signal != 0) sigdelset(&all, own_signal);
  // The thread inherits the mask.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = pthread_create(&thread, nullptr, run, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace usbtwin::os
