#include "base/seeded.h"

#include <bit>

#include "base/check.h"

namespace usbtwin {

Seeded::Seeded(uint64_t seed) {
  // splitmix64 spreads the seed, so that neighbours have nothing in common.
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    word = mixed ^ (mixed >> 31);
  }
}

uint64_t Seeded::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Seeded::Choose(uint64_t bound, std::string_view) {
  CHECK_NE(bound, 0u);
  // The high half of the product; its bias is below bound / 2^64.
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(Wide{Next()} * bound >> 64);
}

}  // namespace usbtwin
