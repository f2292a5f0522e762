// Which of the devices attached to this machine a person meant. A pure decision over what the bus
// enumerated, so that the refusal can list what is there. Called by the opener.
#pragma once

#include <vector>

#include "app/device_string.h"
#include "usb/bus.h"

namespace usbtwin::app {

// The only one that has these ids, or sits at this address. kCannotOpen where there is none, and
// where several have the ids: it lists them and says how to name one.
Result<usb::DeviceId, Failure> PickDevice(const std::vector<usb::DeviceInfo>& devices,
                                          const UsbIds& wanted);
Result<usb::DeviceId, Failure> PickDevice(const std::vector<usb::DeviceInfo>& devices,
                                          const UsbAddress& wanted);

}  // namespace usbtwin::app
