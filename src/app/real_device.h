// Which of the devices attached to this machine a person meant. A pure decision over what the bus
// enumerated, so that the refusal can list what is there. Called by the opener.
#pragma once

#include <string>
#include <vector>

#include "app/device_string.h"
#include "usb/bus.h"

namespace usbtwin::app {

// A vendor's or product's id as people write it: "1d6b".
std::string HexId(uint16_t id);

// The only one that has these ids, or sits at this address. kCannotOpen where there is none, and
// where several have the ids: it lists them and says how to name one.
Result<usb::DeviceId, Failure> PickDevice(const std::vector<usb::DeviceInfo>& devices,
                                          const UsbIds& wanted);
Result<usb::DeviceId, Failure> PickDevice(const std::vector<usb::DeviceInfo>& devices,
                                          const UsbAddress& wanted);

}  // namespace usbtwin::app
