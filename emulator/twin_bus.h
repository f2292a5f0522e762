// TwinBus: the Bus whose devices are twins in this process. Opening one hands out a Link to its
// controller for as long as it stays plugged in: a twin that is plugged in again is opened again,
// and the old Link stays disconnected. Two openings of one twin share its controller.
#pragma once

#include <vector>

#include "emulator/virtual_controller.h"
#include "usb/bus.h"

namespace usbtwin::emulator {

class TwinBus final : public usb::Bus {
 public:
  explicit TwinBus(Clock& clock) : clock_(clock) {}
  // The controller outlives the bus.
  void Add(usb::DeviceInfo info, VirtualController& controller);

  Result<std::vector<usb::DeviceInfo>> Enumerate() override;  // those that are attached
  void Open(usb::OpenOp& op) override;

 private:
  struct Entry {
    usb::DeviceInfo info;
    VirtualController* controller;
  };
  Clock& clock_;
  std::vector<Entry> entries_;
};

}  // namespace usbtwin::emulator
