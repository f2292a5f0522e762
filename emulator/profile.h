// A profile: everything one twin is made of, as a plain struct. Files become profiles in
// src/app/config.h, and profiles become twins in src/app/twin.h. Indices into `units` are valid and
// every function of kind kBot or kUas has at least one unit; whoever makes a profile sees to that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/device_options.h"
#include "emulator/disk_options.h"
#include "emulator/iso_loopback_options.h"
#include "emulator/quirks.h"

namespace usbtwin::emulator {

// A logical unit and where its bytes are.
struct UnitProfile {
  DiskOptions disk;
  std::string image_path;  // empty: in memory
  uint64_t size = 0;       // bytes, in memory; an image is as long as its file
};

struct FunctionProfile {
  // kUas speaks Bulk-Only, too, in its first setting.
  enum class Kind : uint8_t { kBot, kUas, kIsoLoopback };
  Kind kind = Kind::kBot;
  IsoLoopbackOptions iso_loopback;  // of that kind; the others are for kBot and kUas
  uint8_t interface_class = 0x08;   // 08h mass storage, FFh vendor-specific carrying the same
  std::string name;                 // iInterface; none where empty
  std::vector<size_t> units;  // LUN 0 first; functions may share units, as initiators of their own
  // kUas: whoever carries the device carries bulk streams, too. Otherwise there is no UAS from
  // SuperSpeed on.
  bool streams = true;
  BotQuirks quirks;
};

struct ConfigurationProfile {
  uint8_t value = 1;
  std::string name;  // iConfiguration; none where empty
  std::vector<FunctionProfile> functions;
};

struct Profile {
  static constexpr size_t kFunctionsMax = 16;  // each is one initiator of its units
  static constexpr size_t kUnitsMax = 16;
  // Endpoint numbers of one direction that the functions of a configuration share. USB 2.0, 9.6.6.
  static constexpr unsigned kEndpointsMax = 15;

  usb::Speed speed = usb::Speed::kHigh;  // of the port it is plugged into
  DeviceOptions device;
  std::vector<ConfigurationProfile> configurations;
  std::vector<UnitProfile> units;
};

// What a device that runs at `fastest` can also be: a low-speed device nothing else, every other
// device anything from full speed on.
inline std::vector<usb::Speed> SpeedsUpTo(usb::Speed fastest) {
  if (fastest == usb::Speed::kLow) return {usb::Speed::kLow};
  std::vector<usb::Speed> speeds;
  for (const usb::Speed speed :
       {usb::Speed::kFull, usb::Speed::kHigh, usb::Speed::kSuper, usb::Speed::kSuperPlus}) {
    if (speed <= fastest) speeds.push_back(speed);
  }
  return speeds;
}

}  // namespace usbtwin::emulator
