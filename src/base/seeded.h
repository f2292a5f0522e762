// Seeded: choices from a seed, by xoshiro256**, so a run is the same on every machine and build.
#pragma once

#include "base/chooser.h"

namespace usbtwin {

class Seeded final : public Chooser {
 public:
  explicit Seeded(uint64_t seed);
  uint64_t Choose(uint64_t bound, std::string_view what) override;

 private:
  uint64_t Next();
  uint64_t state_[4];
};

}  // namespace usbtwin
