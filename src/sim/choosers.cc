#include "sim/choosers.h"

#include <bit>

#include "base/check.h"

namespace usbtwin::sim {

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
