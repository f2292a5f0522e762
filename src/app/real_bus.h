// RealBus: the devices that are attached to this machine, as the system has them. Beyond a Bus it
// knows what an Error cannot carry: which node could not be opened, which driver holds an
// interface, what is mounted on it. The rim makes it; the opener resolves device strings with it.
#pragma once

#include <string>

#include "base/error.h"
#include "usb/bus.h"

namespace usbtwin::app {

class RealBus : public usb::Bus {
 public:
  // What the system knows about why opening, claiming or driving this device ended so, and what to
  // do about it: whole lines without the last newline. Empty where the error says it all.
  virtual std::string Explain(const usb::DeviceId& id, const Error& error) = 0;
};

}  // namespace usbtwin::app
