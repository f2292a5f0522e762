// Chance for tests: the same numbers for the same seed.
#pragma once

#include "base/check.h"
#include "base/chooser.h"

namespace usbtwin::tests {

class SeededChooser final : public Chooser {
 public:
  explicit SeededChooser(uint64_t seed = 1) : state_(seed) {}
  // splitmix64.
  uint64_t Choose(uint64_t bound, std::string_view) override {
    CHECK_NE(bound, 0u);
    uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    ++count;
    return (mixed ^ mixed >> 31) % bound;
  }

  uint64_t count = 0;  // choices made

 private:
  uint64_t state_;
};

}  // namespace usbtwin::tests
