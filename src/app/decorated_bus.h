// A Bus that puts decorators on every Link it opens: a Throttle, then a Recorder, so that a capture
// shows the traffic of a device that was reopened too, and above it an Auditor. Whatever is asked
// of the bus itself goes straight to the inner one. Made by the opener; a host never knows.
#pragma once

#include "base/clock.h"
#include "link/auditor.h"
#include "link/pcap.h"
#include "link/throttle.h"
#include "usb/bus.h"

namespace usbtwin::app {

struct Decorations {
  std::optional<link::ThrottleOptions> throttle;
  link::PcapWriter* writer = nullptr;  // records where it is given
  Duration epoch_offset{};             // what 1970 lies before the Clock's start
  bool audit = false;
  link::BreachSink* breaches = nullptr;  // of the audit; without one a breach aborts
};

class DecoratedBus final : public usb::Bus, private usb::Sink<usb::OpenOp> {
 public:
  // Clock, inner bus and writer outlive this bus and every Link it opened.
  DecoratedBus(Clock& clock, usb::Bus& inner, Decorations decorations)
      : clock_(clock), inner_(inner), decorations_(decorations) {}

  Result<std::vector<usb::DeviceInfo>> Enumerate() override { return inner_.Enumerate(); }
  void Open(usb::OpenOp& op) override;

 private:
  void OnDone(usb::OpenOp& op, uint64_t word) override;

  Clock& clock_;
  usb::Bus& inner_;
  Decorations decorations_;
  uint8_t opened_count_ = 0;  // numbers the recordings of one file
};

}  // namespace usbtwin::app
