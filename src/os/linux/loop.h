// The real-time Clock: one thread that runs posted items, timers and what other threads send home,
// and sleeps in the kernel when there is nothing to do. One turn reads the monotonic clock once,
// runs a bounded batch of posted items, then due timers, then the inbox, so that no source starves
// another. Everything but PostFromThread and Wake belongs to the loop's thread. main() owns one.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "base/event_queue.h"

namespace usbtwin::os {

class Loop final : public Clock {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() override;

  // Stands still within a turn; outside RunUntil it is the time of the call.
  TimePoint Now() const override { return running_ ? now_ : ReadClock(); }
  void Post(Deferred& item) override { queue_.Post(item); }
  void Arm(Timer& timer, TimePoint when) override { queue_.Arm(timer, when); }
  void Disarm(Timer& timer) override { queue_.Disarm(timer); }

  // Runs until `done()`, which is asked between batches. False when nothing is left that could make
  // it so: nothing posted, no timer, no outstanding work elsewhere. Not re-entrant.
  bool RunUntil(const std::function<bool()>& done);

  // Runs `item` on the loop's thread. Thread-safe. For the loop to wait for it, there must be
  // outstanding work (BeginWork) or another reason to stay.
  void PostFromThread(Deferred& item);
  // Makes a sleeping loop ask `done()` again. Thread-safe, and safe in a signal handler.
  void Wake();

  // Work that goes on elsewhere and will post home: while there is any, RunUntil waits for it.
  void BeginWork() { ++outstanding_; }
  void EndWork() {
    CHECK_NE(outstanding_, 0u);
    --outstanding_;
  }

 private:
  static TimePoint ReadClock();
  bool RunTurn(const std::function<bool()>& done);
  void TakeInbox();
  // Sleeps until the next timer, a post from a thread, Wake, or a signal.
  void Sleep();

  EventQueue queue_;
  TimePoint now_;
  bool running_ = false;
  size_t outstanding_ = 0;
  const int wake_fd_;

  std::mutex mutex_;  // guards inbox_ and sleeping_
  IntrusiveList<Deferred> inbox_;
  bool sleeping_ = false;
  std::atomic<bool> inbox_filled_ = false;  // spares an idle inbox its lock
};

}  // namespace usbtwin::os
