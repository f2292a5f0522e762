// The idiom of all asynchronous work below the coroutines: an operation object is handed over,
// completes exactly once, never from inside the call that took it, and may carry a small stack of
// sinks. Whoever forwards an operation pushes itself first and is called back in reverse order; the
// word beside each sink saves every decorator a map. Completing is posting the operation itself, so
// it costs no allocation and the sink may submit again at once.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace usbtwin::usb {

template <class Op>
class Sink {
 public:
  // `word` is what was pushed with this sink. The operation is the sink's to reuse or to pass on
  // with Complete(); after that it may be gone.
  virtual void OnDone(Op& operation, uint64_t word) = 0;

 protected:
  ~Sink() = default;
};

template <class Op>
class Operation : public Deferred {
 public:
  static constexpr size_t kSinksMax = 8;

  void Push(Sink<Op>& sink, uint64_t word = 0) {
    CHECK_LT(depth_, kSinksMax);
    sinks_[depth_++] = {&sink, word};
  }
  // Hands the operation to the sink pushed last. A decorator calls this from its own OnDone.
  void Complete() {
    CHECK_LT(0u, depth_);
    const Entry entry = sinks_[--depth_];
    entry.sink->OnDone(static_cast<Op&>(*this), entry.word);
  }
  uint8_t depth() const { return depth_; }

 protected:
  ~Operation() { CHECK_EQ(depth_, 0); }

 private:
  struct Entry {
    Sink<Op>* sink = nullptr;
    uint64_t word = 0;
  };
  void Run() final { Complete(); }
  std::array<Entry, kSinksMax> sinks_;
  uint8_t depth_ = 0;
};

}  // namespace usbtwin::usb
