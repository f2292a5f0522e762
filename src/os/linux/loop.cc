#include "os/linux/loop.h"

#include <algorithm>
#include <ctime>

namespace usbtwin::os {
namespace {

// Bounds of one turn. Large enough that reading the clock is a small part of it, small enough that
// timers and other threads are heard within a few microseconds of cheap work.
constexpr size_t kPostedPerTurn = 64;
constexpr size_t kTimersPerTurn = 64;

}  // namespace

Loop::~Loop() {
  CHECK(!running_);
  CHECK_EQ(outstanding_, 0u);
  CHECK_EQ(waiting_, 0u);
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
    if (!queue_.idle()) {
      if (waiting_ != 0) poller_.Wait(Duration::zero());
      continue;
    }
    if (queue_.deadline() == kNever && outstanding_ + waiting_ == 0 && !inbox_filled_.load()) break;
    Sleep();
  }
  running_ = false;
  return reached;
}

bool Loop::RunTurn(const std::function<bool()>& done) {
  now_ = ReadClock();
  poller_.Dispatch();
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

void Loop::Sleep() {
  {
    const std::lock_guard lock(mutex_);
    if (!inbox_.empty()) return;
    sleeping_ = true;
  }
  Duration timeout = Poller::kForever;
  if (queue_.deadline() != kNever) {
    timeout = std::max(Duration::zero(), queue_.deadline() - ReadClock());
  }
  poller_.Wait(timeout);
  const std::lock_guard lock(mutex_);
  sleeping_ = false;
}

}  // namespace usbtwin::os
