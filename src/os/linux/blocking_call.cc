#include "os/linux/blocking_call.h"

#include <csignal>

#include "os/linux/thread.h"

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

// The thread takes the signal that interrupts it.
bool BlockingCall::Start() {
  if (started_) return true;
  InstallHandler();
  const auto run = [](void* call) -> void* {
    static_cast<BlockingCall*>(call)->RunThread();
    return nullptr;
  };
  started_ = StartThread(thread_, run, this, kSignal);
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
