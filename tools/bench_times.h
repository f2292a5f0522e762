// What the measurements of usbtwin bench share.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace usbtwin::tools {

inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of at least one.
inline double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A step of a linear congruential generator (Knuth's MMIX), whose high bits spread reads well
// enough: a place below `count`.
inline uint64_t NextPlace(uint64_t& state, uint64_t count) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (state >> 33) % count;
}

}  // namespace usbtwin::tools
