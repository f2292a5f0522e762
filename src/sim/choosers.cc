#include "sim/choosers.h"

#include <bit>

#include "base/check.h"

namespace usbtwin::sim {

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

uint64_t Exhaustive::Choose(uint64_t bound, std::string_view) {
  CHECK_NE(bound, 0u);
  if (position_ == choices_.size()) choices_.push_back({0, bound});
  const Choice& choice = choices_[position_++];
  CHECK_EQ(choice.bound, bound);  // the same choices lead to the same questions, or it is no run
  return choice.value;
}

bool Exhaustive::Next() {
  // What the run did not get to ask is not part of the list.
  choices_.resize(position_);
  position_ = 0;
  while (!choices_.empty() && choices_.back().value + 1 == choices_.back().bound) {
    choices_.pop_back();
  }
  if (choices_.empty()) return false;
  ++choices_.back().value;
  ++count_;
  return true;
}

uint64_t FromBytes::Choose(uint64_t bound, std::string_view) {
  CHECK_NE(bound, 0u);
  uint64_t value = 0;
  const int length = static_cast<int>((std::bit_width(bound - 1) + 7) / 8);
  for (int index = 0; index < length && !bytes_.empty(); ++index) {
    value |= uint64_t{bytes_[0]} << (8 * index);
    bytes_ = bytes_.subspan(1);
  }
  return value % bound;
}

uint64_t Replayed::Choose(uint64_t bound, std::string_view) {
  CHECK_NE(bound, 0u);
  const size_t index = used_++;
  return index < values_.size() ? values_[index] % bound : 0;
}

uint64_t Recording::Choose(uint64_t bound, std::string_view what) {
  const uint64_t value = inner_.Choose(bound, what);
  choices_.push_back({value, bound, what});
  return value;
}

std::vector<uint64_t> Recording::values() const {
  std::vector<uint64_t> values;
  values.reserve(choices_.size());
  for (const Choice& choice : choices_) values.push_back(choice.value);
  return values;
}

}  // namespace usbtwin::sim
