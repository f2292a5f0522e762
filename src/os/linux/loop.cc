#include "os/linux/loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace usbtwin::os {
namespace {

// Bounds of one turn. Large enough that reading the clock is a small part of it, small enough that
// timers and other threads are heard within a few microseconds of cheap work.
constexpr size_t kPostedPerTurn = 64;
constexpr size_t kTimersPerTurn = 64;

}  // namespace

Loop::Loop() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK_LE(0, wake_fd_);
}

Loop::~Loop() {
  CHECK(!running_);
  CHECK_EQ(outstanding_, 0u);
  close(wake_fd_);
}

TimePoint Loop::ReadClock() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

bool Loop::RunUntil(const std::function<bool()>& done) {
  CHECK(!running_);
  running_ = true;
  bool reached = false;
  while (!(reached = RunTurn(done))) {
    if (!queue_.idle()) continue;
    if (queue_.deadline() == kNever && outstanding_ == 0 && !inbox_filled_.load()) break;
    Sleep();
  }
  running_ = false;
  return reached;
}

bool Loop::RunTurn(const std::function<bool()>& done) {
  now_ = ReadClock();
  if (done()) return true;
  for (size_t count = 0; count < kPostedPerTurn && !queue_.idle();) {
    count += queue_.RunPosted();
    if (done()) return true;
  }
  for (size_t count = 0; count < kTimersPerTurn && queue_.FireOne(now_); ++count) {
    if (done()) return true;
  }
  if (inbox_filled_.load(std::memory_order_relaxed)) TakeInbox();
  return false;
}

void Loop::PostFromThread(Deferred& item) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    inbox_.PushBack(item);
    inbox_filled_.store(true);
    wake = sleeping_;
    sleeping_ = false;  // one wake-up is enough
  }
  if (wake) Wake();
}

void Loop::TakeInbox() {
  const std::lock_guard lock(mutex_);
  while (!inbox_.empty()) queue_.Post(inbox_.PopFront());
  inbox_filled_.store(false);
}

void Loop::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void Loop::Sleep() {
  {
    const std::lock_guard lock(mutex_);
    if (!inbox_.empty()) return;
    sleeping_ = true;
  }
  timespec timeout{};
  const timespec* timeout_or_none = nullptr;
  if (queue_.deadline() != kNever) {
    const int64_t left = std::max<int64_t>(0, (queue_.deadline() - ReadClock()).count());
    timeout.tv_sec = left / 1'000'000'000;
    timeout.tv_nsec = left % 1'000'000'000;
    timeout_or_none = &timeout;
  }
  // A source of readiness that joins later is one more entry here.
  pollfd wake{.fd = wake_fd_, .events = POLLIN, .revents = 0};
  const int ready = ppoll(&wake, 1, timeout_or_none, nullptr);
  CHECK(ready >= 0 || errno == EINTR);  // a signal handler may have changed what done() sees
  if (ready > 0) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
  }
  const std::lock_guard lock(mutex_);
  sleeping_ = false;
}

}  // namespace usbtwin::os
