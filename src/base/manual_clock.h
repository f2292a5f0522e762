// A Clock advanced from outside: virtual time. Time moves only when nothing is ready and the next
// timer is fired, so a thirty-second timeout takes no time at all and every run is the same.
#pragma once

#include "base/event_queue.h"

namespace usbtwin {

class ManualClock final : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  void Post(Deferred& item) override { queue_.Post(item); }
  void Arm(Timer& timer, TimePoint when) override { queue_.Arm(timer, when); }
  void Disarm(Timer& timer) override { queue_.Disarm(timer); }

  bool idle() const override { return queue_.idle(); }
  TimePoint deadline() const { return queue_.deadline(); }

  // Runs one batch of posted items or, where there is none, jumps to the next timer and fires it.
  // False when nothing is left to happen.
  bool Step() {
    if (queue_.RunPosted() != 0) return true;
    const TimePoint next = queue_.deadline();
    if (next == kNever) return false;
    if (next > now_) now_ = next;
    return queue_.FireOne(now_);
  }

  // Runs posted items until none is left; timers wait. Bounded, so that a loop shows as a failure.
  void RunPosted(size_t batches_max = 1'000'000) {
    while (queue_.RunPosted() != 0) CHECK_NE(batches_max--, 0u);
  }

  // Steps until `done()`; false when nothing is left to happen before that.
  template <class Done>
  bool RunUntil(Done done, size_t steps_max = 10'000'000) {
    while (!done()) {
      CHECK_NE(steps_max--, 0u);
      if (!Step()) return false;
    }
    return true;
  }

  // Everything that happens within `length` of virtual time.
  void Advance(Duration length) {
    const TimePoint final = now_ + length;
    RunPosted();
    while (queue_.deadline() <= final) {
      Step();
      RunPosted();
    }
    now_ = final;
  }

 private:
  EventQueue queue_;
  TimePoint now_;
};

}  // namespace usbtwin
