#include "os/owned_system.h"

#include "os/system.h"

namespace usbtwin::os {

void DestroySystem::operator()(app::System* system) const {
  delete system;
}

OwnedSystem MakeOwnedSystem() {
  return OwnedSystem(MakeSystem().release());
}

}  // namespace usbtwin::os
