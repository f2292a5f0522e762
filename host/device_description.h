// What a device says about itself: device descriptor, configurations, strings, and on request its
// Binary Object Store, read by control transfers. Every answer is held against what was asked; what
// can be worked around is, and `defects` says so. The bytes are kept as they came, beside what they
// mean. Nothing here changes the state of the device. Called by the session.
//
// The BOS is never read unasked: fetching it has crashed devices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/control.h"
#include "usb/bos.h"
#include "usb/descriptors.h"

namespace usbtwin::host {

struct ConfigurationDescription {
  uint8_t index = 0;           // of GET_DESCRIPTOR; not its value
  std::vector<uint8_t> bytes;  // as they came
  usb::Configuration tree;
  bool operator==(const ConfigurationDescription&) const = default;
};

struct DeviceDescription {
  static constexpr uint8_t kConfigurationsMax = 8;  // more are not asked for

  wire::usb::DeviceDescriptor device{};
  std::vector<uint8_t> device_bytes;                     // as they came
  std::vector<ConfigurationDescription> configurations;  // at least one
  // bConfigurationValue of the active configuration, 0 while there is none; nullopt where the
  // device does not say.
  std::optional<uint8_t> active_value;
  uint16_t language = 0;  // of the strings; 0 where there are none
  // UTF-8, always valid, any character; nullopt where the device has none or does not tell.
  std::optional<std::string> manufacturer;
  std::optional<std::string> product;
  std::optional<std::string> serial;
  std::vector<Error> defects;  // what was worked around

  // Null where there is none with this bConfigurationValue.
  const ConfigurationDescription* Find(uint8_t configuration_value) const;
};

struct BosDescription {
  std::vector<uint8_t> bytes;
  usb::BinaryObjectStore store;
};

// An Error where there is no device descriptor or no configuration, and where the device is gone.
async::Task<Result<DeviceDescription>> ReadDescription(Control& control, Duration timeout);
// One string in UTF-8. Zeros at its end are left out.
async::Task<Result<std::string>> ReadString(Control& control, uint8_t index, uint16_t language,
                                            Duration timeout);
async::Task<Result<BosDescription>> ReadBos(Control& control, Duration timeout);
// GET_CONFIGURATION.
async::Task<Result<uint8_t>> ReadActiveValue(Control& control, Duration timeout);

}  // namespace usbtwin::host
