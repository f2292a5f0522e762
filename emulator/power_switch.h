// PowerSwitch: what a fault that takes the power away calls. Implemented where the whole device is
// (app::Twin); called by FaultyUnit.
#pragma once

#include "base/clock.h"

namespace usbtwin::emulator {

class PowerSwitch {
 public:
  // Takes the device's power away soon, never from inside this call, and gives it back `off` later.
  // While power is going or gone, another call changes nothing.
  virtual void LosePower(Duration off) = 0;

 protected:
  ~PowerSwitch() = default;
};

}  // namespace usbtwin::emulator
