#include "async/bounded_log.h"

#include "base/text.h"

namespace usbtwin::async {

void BoundedLog::Tell(const std::string& line) {
  const TimePoint now = clock_.Now();
  if (now >= second_end_) {
    Flush();
    lines_told_ = 0;
    second_end_ = now + std::chrono::seconds(1);
  }
  if (lines_told_ < lines_max_) {
    ++lines_told_;
    return log_(line);
  }
  ++lines_left_out_;
  if (!armed()) clock_.Arm(*this, second_end_);
}

void BoundedLog::Flush() {
  clock_.Disarm(*this);
  if (lines_left_out_ == 0) return;
  log_(Count(lines_left_out_, "more line") + " " + of_what_ + " within a second: left out");
  lines_left_out_ = 0;
}

}  // namespace usbtwin::async
