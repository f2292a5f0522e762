// BoundedLog: lines for people about what anybody who can reach us may cause. At most so many are
// told each second; the rest are counted, and told as one line when the second is over. So who
// knocks a thousand times a second fills no disk, and is seen all the same.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"

namespace usbtwin::async {

class BoundedLog final : private Timer {
 public:
  using Log = std::function<void(const std::string& line)>;

  // `lines_max` lines a second; `of_what` names them: "about refused peers".
  BoundedLog(Clock& clock, size_t lines_max, std::string of_what, Log log)
      : clock_(clock), lines_max_(lines_max), of_what_(std::move(of_what)), log_(std::move(log)) {}
  BoundedLog(const BoundedLog&) = delete;
  BoundedLog& operator=(const BoundedLog&) = delete;
  ~BoundedLog() { clock_.Disarm(*this); }

  void Tell(const std::string& line);
  // Tells now how many were left out. For the end.
  void Flush();

 private:
  void HandleTimer() override { Flush(); }

  Clock& clock_;
  const size_t lines_max_;
  const std::string of_what_;
  const Log log_;
  TimePoint second_end_{};
  size_t lines_told_ = 0;  // in this second
  size_t lines_left_out_ = 0;
};

}  // namespace usbtwin::async
