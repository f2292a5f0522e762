// The queue inside every Clock: posted items first in, first out, and timers by time. It knows no
// time of its own; its owner says what time it is. Posting is constant time without allocation; the
// timers' heap keeps its memory.
#pragma once

#include <cstddef>
#include <vector>

#include "base/clock.h"

namespace usbtwin {

class EventQueue {
 public:
  void Post(Deferred& item) {
    posted_.PushBack(item);
    ++posted_count_;
  }
  bool idle() const { return posted_count_ == 0; }

  // Runs at most what was posted on entry, so that items which post themselves again cannot starve
  // timers and sockets. Returns how many ran.
  size_t RunPosted() {
    const size_t count = posted_count_;
    for (size_t index = 0; index < count; ++index) {
      --posted_count_;
      posted_.PopFront().Run();
    }
    return count;
  }

  void Arm(Timer& timer, TimePoint when);
  void Disarm(Timer& timer);
  // When the earliest timer is due; kNever where none is armed.
  TimePoint deadline() const { return heap_.empty() ? kNever : heap_.front()->when_; }
  // Fires the earliest timer if it is due at `now`.
  bool FireOne(TimePoint now);
  // How many timers are due at `now`, and fires the one with this number, in the order in which
  // FireOne would. For worlds where whatever is due at the same time may happen in any order.
  size_t CountDue(TimePoint now) const;
  void FireDue(TimePoint now, size_t number);

 private:
  bool Before(const Timer& left, const Timer& right) const {
    if (left.when_ != right.when_) return left.when_ < right.when_;
    return left.order_ < right.order_;
  }
  void Place(size_t index, Timer* timer) {
    heap_[index] = timer;
    timer->index_ = index;
  }
  void AppendDue(TimePoint now, size_t index, std::vector<Timer*>& due) const;
  void SiftUp(size_t index);
  void SiftDown(size_t index);

  IntrusiveList<Deferred> posted_;
  size_t posted_count_ = 0;
  std::vector<Timer*> heap_;
  uint64_t order_ = 0;
};

}  // namespace usbtwin
