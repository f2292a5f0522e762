// What a device says about itself as a whole; a plain struct that profiles fill. What does not fit
// together is found by Device::Make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "usb/types.h"

namespace usbtwin::emulator {

struct DeviceOptions {
  uint16_t vendor_id = 0x1209;  // pid.codes, and its product id for private tests
  uint16_t product_id = 0x0001;
  uint16_t device_version = 0x0100;  // bcdDevice
  std::optional<uint16_t>
      usb_version;           // bcdUSB at the fastest speed; as that speed needs if absent
  uint8_t device_class = 0;  // 0: the interfaces say; EFh/02h/01h where associations demand it
  uint8_t device_subclass = 0;
  uint8_t device_protocol = 0;
  std::string manufacturer = "usbtwin";  // UTF-8; no string descriptor where empty
  std::string product = "Twin";
  std::string serial = "0123456789AB";  // BOT 1.0, 4.1.1: at least twelve of 0-9 and A-F
  uint16_t language = wire::usb::kLanguageEnglishUs;
  std::vector<usb::Speed> speeds{usb::Speed::kFull, usb::Speed::kHigh};  // in any order
  bool self_powered = false;
  bool remote_wakeup = false;
  bool latency_messages = false;  // LTM, at SuperSpeed
  uint16_t power_ma = 100;        // at most 500, or 900 where SuperSpeed is among the speeds
  // Quirk: string descriptor 0 is refused, as some devices do although they have strings.
  bool no_language_table = false;
};

}  // namespace usbtwin::emulator
