// Chooser: the one door for chance. Whatever may go one way or another (a fault, the order of two
// events that are due, where a stream is split) asks here, so that one seed, one list of choices or
// one fuzzer input decides a whole run. Code that needs no chance needs no Chooser.
#pragma once

#include <cstdint>
#include <string_view>

namespace usbtwin {

class Chooser {
 public:
  // A number below `bound`, which is at least 1. `what` says what for, in messages and in the list
  // of choices: "which block"; it outlives the chooser.
  virtual uint64_t Choose(uint64_t bound, std::string_view what) = 0;

  // From `first` to `last`, both included.
  uint64_t Between(uint64_t first, uint64_t last, std::string_view what) {
    return first + Choose(last - first + 1, what);
  }

 protected:
  ~Chooser() = default;
};

}  // namespace usbtwin
