// The transfers in flight on one pipe, in the order they were submitted. An entry is named by its
// sequence number, which fits into the word beside a transfer, so finding it costs no search; the
// ring grows to the deepest queue it has seen and stays there. For the Auditor.
#pragma once

#include <vector>

#include "usb/transfer.h"

namespace usbtwin::link {

class Flight {
 public:
  struct Entry {
    usb::Transfer* transfer = nullptr;  // null once it completed
    bool cancelled = false;             // the host asked
  };

  uint64_t head() const { return head_; }  // the oldest that may still be in flight
  uint64_t tail() const { return tail_; }  // the next to be submitted

  uint64_t Push(usb::Transfer& transfer) {
    if (tail_ - head_ == ring_.size()) Grow();
    At(tail_) = {.transfer = &transfer};
    return tail_++;
  }
  // Null where nothing of this number is in flight.
  Entry* Find(uint64_t sequence) {
    if (sequence < head_ || sequence >= tail_) return nullptr;
    Entry& entry = At(sequence);
    return entry.transfer == nullptr ? nullptr : &entry;
  }
  Entry* Find(const usb::Transfer& transfer) {
    for (uint64_t sequence = head_; sequence < tail_; ++sequence) {
      if (At(sequence).transfer == &transfer) return &At(sequence);
    }
    return nullptr;
  }
  // Whether one submitted before `sequence`, which nobody asked to cancel, is still in flight.
  bool Overtakes(uint64_t sequence) {
    for (uint64_t earlier = head_; earlier < sequence; ++earlier) {
      const Entry& entry = At(earlier);
      if (entry.transfer != nullptr && !entry.cancelled) return true;
    }
    return false;
  }
  void Remove(uint64_t sequence) {
    At(sequence) = {};
    while (head_ < tail_ && At(head_).transfer == nullptr) ++head_;
  }

 private:
  static constexpr size_t kSizeFirst = 8;
  Entry& At(uint64_t sequence) { return ring_[sequence & (ring_.size() - 1)]; }
  void Grow() {
    std::vector<Entry> larger(ring_.empty() ? kSizeFirst : 2 * ring_.size());
    for (uint64_t sequence = head_; sequence < tail_; ++sequence) {
      larger[sequence & (larger.size() - 1)] = At(sequence);
    }
    ring_.swap(larger);
  }

  std::vector<Entry> ring_;  // a power of two
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace usbtwin::link
