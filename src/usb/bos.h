// The Binary Object Store: what a device can do beyond its configurations. USB 3.2, 9.6.2. Read
// with the same distrust as a configuration (usb/descriptors.h): what cannot be understood is kept
// as bytes or dropped, and `defects` says so; an Error means that there is no BOS at all.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/error.h"
#include "usb/types.h"

namespace usbtwin::usb {

struct SuperSpeedPlusInfo {
  uint8_t speed_id = 0;  // the lowest with full function, and the lanes it takes
  uint8_t rx_lanes_min = 0;
  uint8_t tx_lanes_min = 0;
  std::vector<uint32_t> sublinks;  // bmSublinkSpeedAttr as written
  bool operator==(const SuperSpeedPlusInfo&) const = default;
};
struct Capability {
  uint8_t type = 0;            // bDevCapabilityType
  std::vector<uint8_t> bytes;  // after the three bytes of header
  bool operator==(const Capability&) const = default;
};
struct BinaryObjectStore {
  std::optional<uint32_t> usb2_attributes;
  std::optional<wire::usb::SuperSpeedCapability> super_speed;
  std::optional<SuperSpeedPlusInfo> super_speed_plus;
  std::optional<std::array<uint8_t, 16>> container_id;
  std::vector<Capability> others;
  std::vector<Error> defects;
};
Result<BinaryObjectStore> ParseBos(Bytes bytes);

}  // namespace usbtwin::usb
