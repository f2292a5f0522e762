#include "base/event_queue.h"

#include <algorithm>

namespace usbtwin {

void EventQueue::Arm(Timer& timer, TimePoint when) {
  timer.when_ = when;
  timer.order_ = ++order_;
  if (!timer.armed()) {
    heap_.push_back(&timer);
    timer.index_ = heap_.size() - 1;
  }
  SiftUp(timer.index_);
  SiftDown(timer.index_);
}

void EventQueue::Disarm(Timer& timer) {
  if (!timer.armed()) return;
  const size_t index = timer.index_;
  CHECK(heap_[index] == &timer);
  Timer* last = heap_.back();
  heap_.pop_back();
  timer.index_ = Timer::kIdle;
  if (last == &timer) return;
  Place(index, last);
  SiftUp(index);
  SiftDown(last->index_);
}

bool EventQueue::FireOne(TimePoint now) {
  if (deadline() > now || heap_.empty()) return false;
  Timer& timer = *heap_.front();
  Disarm(timer);
  timer.HandleTimer();
  return true;
}

void EventQueue::AppendDue(TimePoint now, size_t index, std::vector<Timer*>& due) const {
  if (index >= heap_.size() || heap_[index]->when_ > now) return;
  due.push_back(heap_[index]);
  AppendDue(now, index * 2 + 1, due);
  AppendDue(now, index * 2 + 2, due);
}

size_t EventQueue::CountDue(TimePoint now) const {
  // The usual answers without a search: none, or the first of the heap alone.
  if (deadline() > now || heap_.empty()) return 0;
  const auto due = [&](size_t index) { return index < heap_.size() && heap_[index]->when_ <= now; };
  if (!due(1) && !due(2)) return 1;
  std::vector<Timer*> timers;
  AppendDue(now, 0, timers);
  return timers.size();
}

void EventQueue::FireDue(TimePoint now, size_t number) {
  if (number == 0) {
    CHECK(FireOne(now));
    return;
  }
  std::vector<Timer*> timers;
  AppendDue(now, 0, timers);
  CHECK_LT(number, timers.size());
  std::sort(timers.begin(), timers.end(),
            [this](const Timer* left, const Timer* right) { return Before(*left, *right); });
  Timer& timer = *timers[number];
  Disarm(timer);
  timer.HandleTimer();
}

void EventQueue::SiftUp(size_t index) {
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (!Before(*heap_[index], *heap_[parent])) return;
    Timer* moved = heap_[parent];
    Place(parent, heap_[index]);
    Place(index, moved);
    index = parent;
  }
}

void EventQueue::SiftDown(size_t index) {
  while (true) {
    size_t least = index * 2 + 1;
    if (least >= heap_.size()) return;
    if (least + 1 < heap_.size() && Before(*heap_[least + 1], *heap_[least])) ++least;
    if (!Before(*heap_[least], *heap_[index])) return;
    Timer* moved = heap_[least];
    Place(least, heap_[index]);
    Place(index, moved);
    index = least;
  }
}

}  // namespace usbtwin
