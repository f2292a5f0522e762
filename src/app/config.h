// Profiles as people write them: TOML becomes an emulator::Profile. Whatever is wrong is told with
// file, line and key, and with what is allowed; a key that nobody reads is wrong, too.
//
//   speed = "high"                 # low, full, high, super or super-plus
//   [device]                       # every key is optional
//   vendor_id = 0x1209             # product_id, version = "1.00", usb_version = "2.0"
//   manufacturer = "usbtwin"       # product, serial; "" for none
//   self_powered = false           # remote_wakeup, power_ma
//   quirks = ["no_language_table"]
//   [[unit]]                       # one for each logical unit of the bot functions
//   size = "64M"                   # or image = "disk.img", relative to the profile's folder
//   block_size = 512               # vendor, product, revision, serial, removable, read_only,
//                                  # write_cache
//   [[function]]                   # without any: one bot function with all units
//   kind = "bot"                   # or "uas": the same, and UAS as alternate setting 1
//   class = "mass-storage"         # or "vendor"
//   units = [0]                    # LUN 0 first; all of them if absent
//   name = ""                      # quirks, configuration = 1
//   [[function]]                   # setting 1 has an isochronous pair: emulator/iso_loopback.h
//   kind = "iso-loopback"
//   packet_size = 512              # bytes, 16 to 1024 (1023 at full speed)
//   transactions = 1               # packets in one interval, 1 to 3; from high speed on
//   interval = 4                   # bInterval: 2^(interval-1) microframes; name, configuration
//   [[configuration]]              # only to give one a name: value = 1, name = ""
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/failure.h"
#include "app/system.h"
#include "emulator/profile.h"

namespace usbtwin::app {

struct ProfileFile {
  emulator::Profile profile;
  // For each unit, where the file names its image: "stick.toml:4: key 'unit.image': ". Empty for a
  // unit in memory.
  std::vector<std::string> image_places;
};

// `path` is what failures name, and where images are looked for.
Result<ProfileFile, Failure> ParseProfileFile(std::string_view text, const std::string& path);
Result<emulator::Profile, Failure> ParseProfile(std::string_view text, const std::string& path);

// The same from a file; a Failure of kFile where it cannot be read.
Result<ProfileFile, Failure> LoadProfile(System& system, const std::string& path);

}  // namespace usbtwin::app
