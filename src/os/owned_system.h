// The System of this machine for users of the installed library, who see app::System only as a
// name. A public header; it needs nothing but the standard library. Programs of this tree use
// system.h.
#pragma once

#include <memory>

namespace usbtwin::app {
class System;
}

namespace usbtwin::os {

struct DestroySystem {
  void operator()(app::System* system) const;
};
using OwnedSystem = std::unique_ptr<app::System, DestroySystem>;

// Never null. It outlives every device that was opened with it; one thread at a time uses it.
OwnedSystem MakeOwnedSystem();

}  // namespace usbtwin::os
