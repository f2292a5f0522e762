#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "os/linux/system.h"
#include "os/system.h"

namespace usbtwin::os {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

// Signals belong to the process, and so does what their handler knows.
std::atomic<Loop*> woken_loop = nullptr;
std::atomic<int> first_signal = 0;
std::array<struct sigaction, kSignals.size()> dispositions_before;

static_assert(std::atomic<Loop*>::is_always_lock_free, "a signal handler uses it");
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler uses it");

void HandleSignal(int number) {
  const int error = errno;
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (Loop* loop = woken_loop.load()) loop->Wake();
  errno = error;
}

bool IsIgnored(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

StopRequests::StopRequests(app::System& system) {
  auto* own = dynamic_cast<LinuxSystem*>(&system);
  CHECK(own != nullptr);
  Loop* none = nullptr;
  CHECK(woken_loop.compare_exchange_strong(none, &own->loop()));
  first_signal = 0;
  struct sigaction action = {};
  action.sa_handler = HandleSignal;
  action.sa_flags = SA_RESTART;
  for (const int number : kSignals) sigaddset(&action.sa_mask, number);
  for (size_t index = 0; index < kSignals.size(); ++index) {
    struct sigaction& before = dispositions_before[index];
    CHECK_EQ(sigaction(kSignals[index], nullptr, &before), 0);
    if (!IsIgnored(before)) CHECK_EQ(sigaction(kSignals[index], &action, nullptr), 0);
  }
}

StopRequests::~StopRequests() {
  for (size_t index = 0; index < kSignals.size(); ++index) {
    sigaction(kSignals[index], &dispositions_before[index], nullptr);
  }
  woken_loop = nullptr;
}

bool StopRequests::asked() const {
  return first_signal.load() != 0;
}

int StopRequests::signal() const {
  return first_signal.load();
}

}  // namespace usbtwin::os
