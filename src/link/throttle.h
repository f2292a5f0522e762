// Throttle: a Link that is as slow as it is told: so many bytes in a second through the whole link,
// and a latency for each transfer. The link below works at its own pace; what it answers waits
// here until its time, in the order it came. A cancelled transfer waits no longer. Port requests,
// and transfers that moved nothing and failed, are not slowed down.
#pragma once

#include <vector>

#include "base/clock.h"
#include "usb/link.h"

namespace usbtwin::link {

struct ThrottleOptions {
  uint64_t bytes_per_second = 0;  // of all endpoints, both directions; 0: no limit
  Duration latency{};             // from the answer of the link below to that of this one
};

class Throttle final : public usb::Link,
                       private usb::TransferSink,
                       private usb::PortSink,
                       private Timer {
 public:
  // Both outlive it. Nothing may be in flight when it is destroyed.
  Throttle(Clock& clock, usb::Link& inner, ThrottleOptions options)
      : clock_(clock), inner_(inner), options_(options) {}
  ~Throttle() override;

  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

 private:
  struct Waiting {
    usb::Transfer* transfer = nullptr;
    TimePoint due;
  };

  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void OnDone(usb::PortOp& op, uint64_t word) override;
  void HandleTimer() override;
  TimePoint DueTime(uint32_t length);
  void Post(usb::Transfer& transfer);
  void EndAll(usb::Outcome outcome);

  Clock& clock_;
  usb::Link& inner_;
  const ThrottleOptions options_;
  TimePoint busy_until_{INT64_MIN};  // what has come so far is through by then
  std::vector<Waiting> waiting_;     // by `due`; keeps its memory
  uint64_t in_flight_count_ = 0;
  uint64_t posted_count_ = 0;
  uint32_t resets_count_ = 0;  // of the port, under way
};

}  // namespace usbtwin::link
