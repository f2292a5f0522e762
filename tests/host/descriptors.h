// The descriptors of a small Bulk-Only device, as bytes, and a script that answers with them.
#pragma once

#include "tests/host/scripted_device.h"

namespace usbtwin::tests {

inline constexpr auto kDeviceBytes =
    "12 01 0002 00 00 00 40 3412 7856 0001"  // USB 2.0, 1234:5678, release 1.00
    "01 02 03 01"_hex;                       // strings 1 to 3, one configuration
inline constexpr auto kConfigurationBytes =
    "09 02 2000 01 01 00 80 32"   // 32 bytes, one interface, value 1
    "09 04 00 00 02 08 06 50 00"  // interface 0: Bulk-Only
    "07 05 81 02 0002 00"         // bulk in 1
    "07 05 02 02 0002 00"_hex;    // bulk out 2
inline constexpr auto kLanguagesBytes = "04 03 0904"_hex;
inline constexpr auto kManufacturerBytes = "0a 03 4100 6300 6d00 6500"_hex;  // "Acme"
inline constexpr auto kProductBytes = "0a 03 4400 6900 7300 6b00"_hex;       // "Disk"
inline constexpr auto kSerialBytes = "06 03 3100 3200"_hex;                  // "12"

// wValue of GET_DESCRIPTOR.
inline constexpr uint16_t kDeviceValue = 0x0100;
inline constexpr uint16_t kConfigurationValue = 0x0200;
inline constexpr uint16_t kStringValue = 0x0300;
inline constexpr uint16_t kBosValue = 0x0f00;

// Answers everything as a well-built device would. `active`: what GET_CONFIGURATION brings.
inline void ScriptWellBuilt(ScriptedDevice& device, uint8_t active) {
  device.Descriptor(kDeviceValue, {Reply::Data(kDeviceBytes)});
  device.Descriptor(kConfigurationValue, {Reply::Data(kConfigurationBytes)});
  device.Descriptor(kStringValue, {Reply::Data(kLanguagesBytes)});
  device.Descriptor(kStringValue + 1, {Reply::Data(kManufacturerBytes)});
  device.Descriptor(kStringValue + 2, {Reply::Data(kProductBytes)});
  device.Descriptor(kStringValue + 3, {Reply::Data(kSerialBytes)});
  device.Answer(0x80, 8, 0, {Reply::Data({{active}})});   // GET_CONFIGURATION
  device.Answer(0x81, 10, 0, {Reply::Data("00"_hex)});    // GET_INTERFACE
  device.Answer(0xa1, 0xfe, 0, {Reply::Data("01"_hex)});  // Get Max LUN
}

}  // namespace usbtwin::tests
