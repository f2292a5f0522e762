// Port: a Controller that a device can be plugged into and pulled out of. A twin is built against
// one: the in-process VirtualController, or a kernel's device controller.
#pragma once

#include "emulator/controller.h"

namespace usbtwin::emulator {

class Port : public Controller {
 public:
  // Plugs the device in. The client outlives the attachment; nothing is attached yet.
  virtual void Attach(ControllerClient& client) = 0;
  // Unplugs it, later; nothing where nothing is attached.
  virtual void Detach() = 0;
  // Nothing is plugged in, and nothing of the last device is under way.
  virtual bool idle() const = 0;
};

}  // namespace usbtwin::emulator
