// How far a long copy has come, on one line of a terminal that is rewritten. Where standard error
// is no terminal, or the caller wants quiet, it prints nothing. Erases its line when it goes.
#pragma once

#include <chrono>
#include <cstdint>

namespace usbtwin::tools {

class Progress {
 public:
  // `length`: bytes in all; 0 where that is not known.
  Progress(bool wanted, uint64_t length);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(uint64_t length_done);

 private:
  const bool shown_;
  const uint64_t length_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace usbtwin::tools
