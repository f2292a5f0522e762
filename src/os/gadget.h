// What a twin is plugged into to be a real device: a USB device controller of this machine.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/failure.h"
#include "app/system.h"
#include "emulator/port.h"

namespace usbtwin::os {

struct GadgetOptions {
  std::string udc;     // which controller; the only one if empty
  std::string driver;  // its driver's name for it; asked of the system if empty
  usb::Speed speed = usb::Speed::kHigh;
};

class GadgetPort : public emulator::Port {
 public:
  virtual const std::string& udc() const = 0;
  // Why the device cannot be presented, or not any longer; found while it is being attached, or
  // later.
  virtual const std::optional<app::Failure>& failure() const = 0;
};

// `system` is of MakeSystem, and outlives the port. kUsage and kCannotOpen name what is missing:
// the kernel's module, permission, the controller, speed.
Result<std::unique_ptr<GadgetPort>, app::Failure> MakeGadgetPort(app::System& system,
                                                                 const GadgetOptions& options);

}  // namespace usbtwin::os
