// Time and "later", as an interface: real time and virtual time are both Clocks, and nothing below
// the operating-system rim knows which one it has. A Clock is single-threaded. It runs posted items
// first in, first out, and never from inside Post; timers fire from the same loop. Now() stands
// still while one batch of work runs, so a command reads no system clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.h"

namespace usbtwin {

using Duration = std::chrono::nanoseconds;

// Nanoseconds since an arbitrary start, the same for the life of a Clock.
struct TimePoint {
  int64_t ns = 0;
  friend constexpr auto operator<=>(TimePoint, TimePoint) = default;
  friend constexpr TimePoint operator+(TimePoint start, Duration length) {
    return {start.ns + length.count()};
  }
  friend constexpr Duration operator-(TimePoint final, TimePoint start) {
    return Duration(final.ns - start.ns);
  }
};
inline constexpr TimePoint kNever{INT64_MAX};

// Something a Clock runs once for each Post. Operations (Transfer, Request, PortOp) derive from it,
// so completing one allocates nothing. It may also wait in one holder's list while not posted.
class Deferred : public ListNode {
 public:
  virtual void Run() = 0;

 protected:
  Deferred() = default;
  ~Deferred() { CHECK(!linked()); }
};

// Fires once for each Arm. Armed again before it fired, it moves.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  virtual void HandleTimer() = 0;
  bool armed() const { return index_ != kIdle; }
  TimePoint when() const { return when_; }

 protected:
  ~Timer() { CHECK(!armed()); }

 private:
  friend class EventQueue;
  static constexpr size_t kIdle = SIZE_MAX;
  TimePoint when_;
  uint64_t order_ = 0;  // equal times fire in the order they were armed
  size_t index_ = kIdle;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  // Runs `item` after the caller has returned to the loop. The item must not be posted already.
  virtual void Post(Deferred& item) = 0;
  // Nothing is posted. For an item that had rather run after all others.
  virtual bool idle() const = 0;
  virtual void Arm(Timer& timer, TimePoint when) = 0;
  virtual void Disarm(Timer& timer) = 0;  // a timer that is not armed stays so
};

}  // namespace usbtwin
