// What one logical unit looks like to its initiators; a plain struct that profiles fill.
#pragma once

#include <cstdint>
#include <string>

namespace usbtwin::emulator {

struct DiskOptions {
  uint32_t block_size = 512;            // logical block length in bytes: 512 or 4096
  std::string vendor = "USBTWIN";       // T10 vendor identification, at most 8 ASCII characters
  std::string product = "Disk";         // product identification, at most 16
  std::string revision = "0001";        // product revision level, at most 4
  std::string serial = "0123456789AB";  // unit serial number, VPD 80h, at most 64
  bool removable = false;               // RMB; START STOP UNIT may eject
  bool read_only = false;               // write protected
  bool write_cache = true;              // WCE in the caching mode page
};

}  // namespace usbtwin::emulator
