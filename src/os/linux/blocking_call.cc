#include "os/linux/blocking_call.h"

#include <csignal>

namespace usbtwin::os {
namespace {

constexpr int kSignal = SIGURG;
constexpr Duration kAgain = std::chrono::milliseconds(1);

// Once for the process, and for good: the handler does what happens without one. Calls that are
// interrupted end with EINTR, hence no SA_RESTART.
void HandleNothing(int) {}

void InstallHandler() {
  static bool installed = false;
  if (std::exchange(installed, true)) return;
  struct sigaction action = {};
  action.sa_handler = HandleNothing;
  CHECK_EQ(sigaction(kSignal, &action, nullptr), 0);
}

}  // namespace

BlockingCall::~BlockingCall() {
  CHECK(!away_);
  if (!started_) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  CHECK_EQ(pthread_join(thread_, nullptr), 0);
}

// The thread takes no signal of the program but the one that interrupts it, and faults, which would
// end the process without their handlers otherwise.
bool BlockingCall::Start() {
  if (started_) return true;
  InstallHandler();
  sigset_t all{}, before{};
  sigfillset(&all);
  for (int own : {kSignal, SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT, SIGTRAP}) {
    sigdelset(&all, own);
  }
  const auto run = [](void* call) -> void* {
    static_cast<BlockingCall*>(call)->RunThread();
    return nullptr;
  };
  pthread_sigmask(SIG_SETMASK, &all, &before);
  started_ = pthread_create(&thread_, nullptr, run, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started_;
}

bool BlockingCall::Submit() {
  CHECK(!away_);
  if (!Start()) return false;
  away_ = true;
  interrupted_ = false;
  loop_.BeginWork();
  {
    const std::lock_guard lock(mutex_);
    submitted_ = true;
  }
  changed_.notify_one();
  return true;
}

void BlockingCall::Interrupt() {
  if (!away_ || interrupted_.exchange(true)) return;
  HandleTimer();
}

void BlockingCall::HandleTimer() {
  pthread_kill(thread_, kSignal);
  loop_.Arm(*this, loop_.Now() + kAgain);
}

void BlockingCall::Run() {
  loop_.Disarm(*this);
  loop_.EndWork();
  away_ = false;
  HandleHome();
}

void BlockingCall::RunThread() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || submitted_; });
    if (stopping_) return;
    submitted_ = false;
    lock.unlock();
    Work();
    loop_.PostFromThread(*this);
    lock.lock();
  }
}

}  // namespace usbtwin::os
