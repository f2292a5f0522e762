// Builds every descriptor of a device from its options and its functions: interfaces, endpoints and
// strings renumbered, associations and companions added where they are missing, lengths and counts
// filled in. Everything is built for every speed at once, and read back with the parser that hosts
// use, so a function whose descriptors are wrong is found before a host sees them.
//
// The first function of a configuration keeps its own endpoint numbers; those of the next ones
// follow, for each direction by itself. Device is the only caller.
#pragma once

#include <string>
#include <vector>

#include "emulator/device_options.h"
#include "emulator/function.h"
#include "usb/descriptors.h"

namespace usbtwin::emulator {

struct DeviceConfiguration {
  uint8_t value = 1;                 // bConfigurationValue, not 0
  std::string name;                  // iConfiguration; none where empty
  std::vector<Function*> functions;  // at least one, none of them twice; not owned
};

// Whose an interface is.
struct InterfaceOwner {
  Function* function = nullptr;
  uint8_t interface_index = 0;  // within the function
};

// A device at one speed.
struct SpeedDescriptors {
  usb::Speed speed = usb::Speed::kHigh;
  std::vector<uint8_t> device;
  std::vector<uint8_t> qualifier;  // empty: there is none
  std::vector<std::vector<uint8_t>> configurations;
  std::vector<std::vector<uint8_t>> other_speed;    // empty where `qualifier` is
  std::vector<usb::Configuration> trees;            // what `configurations` say
  std::vector<std::vector<InterfaceOwner>> owners;  // by configuration and interface number
};

struct DeviceDescriptors {
  std::vector<std::vector<uint8_t>> strings;  // by index
  std::vector<uint8_t> bos;                   // empty: there is none
  std::vector<SpeedDescriptors> speeds;       // as DeviceOptions::speeds
};

Result<DeviceDescriptors> BuildDescriptors(const DeviceOptions& options,
                                           const std::vector<DeviceConfiguration>& configurations);

}  // namespace usbtwin::emulator
