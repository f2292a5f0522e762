// Function: what a device class must implement. A Device is made of them; it numbers their
// interfaces, endpoints and strings, answers the standard requests itself, and hands a function
// only what is its own. Functions speak of interfaces by local index (from 0) and learn their real
// endpoints when an interface is enabled.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "emulator/controller.h"

namespace usbtwin::emulator {

// An interface went live with this alternate setting: after SET_CONFIGURATION (setting 0) or
// SET_INTERFACE. Its endpoints are enabled, in descriptor order; the span is borrowed for the call.
struct InterfaceEnabled {
  uint8_t interface_index = 0;
  uint8_t alternate_setting = 0;
  std::span<const usb::EndpointConfig> endpoints;
};
// The interface is going away (deconfigured, another setting, bus reset). Its endpoints are already
// disabled: what was queued there is about to complete kCancelled.
struct InterfaceDisabled {
  uint8_t interface_index = 0;
};
struct HaltCleared {
  usb::EndpointAddress endpoint;
};
struct Suspended {};
struct Resumed {};
// The bus was reset: follows InterfaceDisabled for every live interface.
struct BusReset {};

using BusEvent =
    std::variant<InterfaceEnabled, InterfaceDisabled, HaltCleared, Suspended, Resumed, BusReset>;

// A class or vendor request to one of the function's interfaces or endpoints.
struct ControlRequest {
  usb::SetupPacket setup;       // as it came: wIndex holds the device's numbers
  Bytes out;                    // borrowed for the call
  uint8_t interface_index = 0;  // which of the function's interfaces is meant
  ControlTicket ticket = 0;     // for CompleteControl after kLater
};

class Function {
 public:
  virtual ~Function() = default;
  // Interface, endpoint, companion and class descriptors at one speed, in the order of the
  // configuration descriptor. Interfaces are numbered from 0, endpoint numbers from 1 and strings
  // from 1 within the function; the Device renumbers them. Same bytes each time.
  virtual Bytes descriptors(usb::Speed speed) const = 0;
  // The strings that iInterface refers to, string 1 first.
  virtual std::span<const std::string> strings() const { return {}; }
  // Called once, before anything else. The controller outlives the function's use of it.
  virtual void HandleBind(Controller& controller) = 0;
  virtual ControlReply HandleControl(const ControlRequest& request) = 0;
  virtual void HandleEvent(const BusEvent& event) = 0;
};

}  // namespace usbtwin::emulator
