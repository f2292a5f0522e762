#include "tools/progress.h"

#include <fmt/format.h>

#include "app/size.h"
#include "os/console.h"

namespace usbtwin::tools {

using std::chrono::steady_clock;
constexpr std::chrono::milliseconds kInterval{200};

Progress::Progress(bool wanted, uint64_t length)
    : shown_(wanted && os::IsCapableTerminal(os::kStandardError)),
      length_(length),
      start_(steady_clock::now()),
      next_(start_ + kInterval) {}

Progress::~Progress() {
  if (shown_) os::ShowProgress("");
}

void Progress::Show(uint64_t length_done) {
  if (!shown_ || steady_clock::now() < next_) return;
  next_ = steady_clock::now() + kInterval;
  const double seconds = std::chrono::duration<double>(steady_clock::now() - start_).count();
  const auto rate = static_cast<uint64_t>(static_cast<double>(length_done) / seconds);
  std::string text = app::DescribeSize(length_done);
  if (length_ != 0) {
    text += fmt::format(" of {} ({} %)", app::DescribeSize(length_), length_done * 100 / length_);
  }
  text += fmt::format(", {}/s", app::DescribeSize(rate));
  os::ShowProgress(text);
}

}  // namespace usbtwin::tools
