// A first-in first-out queue of fixed capacity, without allocation. Full is the caller's bug unless
// it asked full() first: nothing grows without a bound.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace usbtwin {

template <class T, size_t kCapacity>
class Ring {
 public:
  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == kCapacity; }
  size_t count() const { return count_; }

  void Push(T item) {
    CHECK_LT(count_, kCapacity);
    items_[(first_ + count_) % kCapacity] = std::move(item);
    ++count_;
  }
  T Pop() {
    CHECK_LT(0u, count_);
    T item = std::move(items_[first_]);
    first_ = (first_ + 1) % kCapacity;
    --count_;
    return item;
  }
  T& operator[](size_t index) {
    CHECK_LT(index, count_);
    return items_[(first_ + index) % kCapacity];
  }
  void Clear() {
    while (!empty()) Pop();
  }

 private:
  std::array<T, kCapacity> items_{};
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace usbtwin
