// FaultBus: a Bus that puts a FaultInjector on every Link it opens, so that one fault plan covers a
// device through all its openings. A device that a fault has unplugged stays away until its time:
// it is not listed, and opening it fails with kNotFound. An opening that a fault refuses fails with
// kDisconnected, as that of a device which is about to be enumerated does.
#pragma once

#include <map>

#include "link/fault_injector.h"
#include "usb/bus.h"

namespace usbtwin::link {

class FaultBus final : public usb::Bus, private usb::Sink<usb::OpenOp> {
 public:
  // All outlive the bus and every Link it opened.
  FaultBus(Clock& clock, usb::Bus& inner, fault::Player& player)
      : clock_(clock), inner_(inner), player_(player) {}

  Result<std::vector<usb::DeviceInfo>> Enumerate() override;
  void Open(usb::OpenOp& op) override;

 private:
  // What is pushed beside an opening.
  enum class Word : uint64_t { kOpened, kRefused };

  void OnDone(usb::OpenOp& op, uint64_t word) override;
  bool IsAbsent(const usb::DeviceId& id) const;

  Clock& clock_;
  usb::Bus& inner_;
  fault::Player& player_;
  uint64_t refused_serial_ = 0;                      // the latest opening that a fault refuses
  std::map<usb::DeviceId, fault::PortState> ports_;  // never removed: injectors point to them
};

}  // namespace usbtwin::link
