#include "os/virtual_ports.h"

#include <algorithm>

namespace usbtwin::os {

using app::Failure;

namespace {

constexpr Duration kAskInterval = std::chrono::milliseconds(5);
// A kernel lets go of a device within milliseconds, and after a write to a disk that answers no
// more, once its commands have timed out.
constexpr Duration kFreeLimit = std::chrono::seconds(45);

// Makes the loop ask again while nothing else happens.
class Again final : public Timer {
 public:
  Again(Clock& clock, Duration limit) : clock_(clock), deadline_(clock.Now() + limit) {
    clock_.Arm(*this, clock_.Now() + kAskInterval);
  }
  ~Again() { clock_.Disarm(*this); }
  bool over() const { return clock_.Now() >= deadline_; }
  // True once for each time it fired.
  bool TakeFired() { return std::exchange(fired_, false); }

 private:
  void HandleTimer() override {
    fired_ = true;
    clock_.Arm(*this, clock_.Now() + kAskInterval);
  }
  Clock& clock_;
  const TimePoint deadline_;
  bool fired_ = true;
};

}  // namespace

const char* Name(PortHub hub) {
  switch (hub) {
    case PortHub::kHigh: return "hs";
    case PortHub::kSuper: return "ss";
  }
  return "?";
}

PortHub HubOf(usb::Speed speed) {
  return speed >= usb::Speed::kSuper ? PortHub::kSuper : PortHub::kHigh;
}

const char* Name(PortState state) {
  switch (state) {
    case PortState::kFree: return "free";
    case PortState::kAttached: return "attached";
    case PortState::kUsed: return "used";
    case PortState::kBroken: return "broken";
    case PortState::kNotReady: return "not ready";
  }
  return "?";
}

bool RunUntilOrLimit(app::System& system, Duration limit, const std::function<bool()>& done) {
  Again again(system.clock(), limit);
  bool reached = false;
  // The loop asks at every turn; `done` may be dear, so it is asked only when the timer fired.
  const bool ended = system.RunUntil([&] {
    if (again.TakeFired()) reached = done();
    return reached || again.over();
  });
  CHECK(ended);
  return reached;
}

Result<void, Failure> WaitUntilFree(app::System& system, VirtualPorts& ports, uint32_t port) {
  std::optional<Failure> failure;
  const bool freed = RunUntilOrLimit(system, kFreeLimit, [&] {
    const auto all = ports.List();
    if (!all) {
      failure = all.error();
      return true;
    }
    const auto found = std::find_if(all->begin(), all->end(),
                                    [port](const VirtualPort& one) { return one.number == port; });
    return found == all->end() || found->state == PortState::kFree;
  });
  if (failure) return *failure;
  if (freed) return {};
  return Failure{Failure::Kind::kTransport,
                 "the kernel does not let go of port " + std::to_string(port) +
                     ": something still uses the device; unmount it, and look into dmesg"};
}

}  // namespace usbtwin::os
