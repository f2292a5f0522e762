// The real-time Clock and the reactor: one thread that runs posted items, timers, what descriptors
// have become ready for and what other threads send home, and sleeps in the kernel when there is
// nothing to do. One turn reads the monotonic clock once, tells a bounded number of watches, runs a
// bounded batch of posted items, then due timers, then the inbox, so that no source starves
// another; a turn that leaves work behind looks at descriptors only if somebody waits for one.
// Everything but PostFromThread and Wake belongs to the loop's thread. main() owns one.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "base/event_queue.h"
#include "os/linux/poller.h"

namespace usbtwin::os {

class Loop final : public Clock {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() override;

  // Stands still within a turn; outside RunUntil it is the time of the call.
  TimePoint Now() const override { return running_ ? now_ : ReadClock(); }
  void Post(Deferred& item) override { queue_.Post(item); }
  void Arm(Timer& timer, TimePoint when) override { queue_.Arm(timer, when); }
  void Disarm(Timer& timer) override { queue_.Disarm(timer); }

  // Runs until `done()`, which is asked between batches. False when nothing is left that could make
  // it so: nothing posted, no timer, no outstanding work elsewhere, nobody who waits for a
  // descriptor. Not re-entrant.
  bool RunUntil(const std::function<bool()>& done);

  // Runs `item` on the loop's thread. Thread-safe. For the loop to wait for it, there must be
  // outstanding work (BeginWork) or another reason to stay.
  void PostFromThread(Deferred& item);
  // Makes a sleeping loop ask `done()` again. Thread-safe, and safe in a signal handler.
  void Wake() { poller_.Wake(); }

  // Descriptors, as Poller has them.
  [[nodiscard]] int Add(Watch& watch, int fd, bool writable = false) {
    return poller_.Add(watch, fd, writable);
  }
  void WantWritable(Watch& watch, bool writable) { poller_.WantWritable(watch, writable); }
  void Remove(Watch& watch) { poller_.Remove(watch); }
  // Somebody waits for readiness: a read, a write, an accept, a connect. While there is anybody,
  // RunUntil waits with him; watching alone is no reason to stay.
  void BeginWait() { ++waiting_; }
  void EndWait() {
    CHECK_NE(waiting_, 0u);
    --waiting_;
  }

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
  // Sleeps until the next timer, a ready descriptor, a post from a thread, Wake, or a signal.
  void Sleep();

  EventQueue queue_;
  TimePoint now_;
  bool running_ = false;
  size_t outstanding_ = 0;
  size_t waiting_ = 0;
  Poller poller_;

  std::mutex mutex_;  // guards inbox_ and sleeping_
  IntrusiveList<Deferred> inbox_;
  bool sleeping_ = false;
  std::atomic<bool> inbox_filled_ = false;  // spares an idle inbox its lock
};

}  // namespace usbtwin::os
