// The one way to name a device. A string that a person or a script wrote becomes a plain value
// here, and nothing behind this door parses device strings again. Parsing asks no file and no bus:
// whether the device exists is the opener's business.
//
//   1234:5678  0x1234:0x5678   real device by vid:pid: four hexadecimal digits each, or 0x
//   3:7                        real device by bus:address: one to three decimal digits each
//   /dev/bus/usb/003/007       the same by its node
//   emu:disk.img?ro=1          twin of a disk over an image file
//   emu:?size=64M  emu:bot?…   twin of a disk over memory (64 MiB where no size is given)
//   emu:uas?…                  the same with UAS beside Bulk-Only, as uas=1 has it
//   emu:profile.toml           twin described by a profile
//   usbip://host[:port]/1-1    device on a USB/IP server; usbip+unix:/path.sock#1-1 likewise
//   replay:trace.pcapng        the device side of a capture
//   sg:/dev/sdb                device of the system's own SCSI pass-through
//
// The options of a twin follow the last question mark, joined by "&": size, block (512 or 4096),
// speed (full, high, super, super-plus), ro, removable, uas, luns (memory disks; an image is one
// unit); each with a value, and once. An image called "bot" or "x?y" is written "./bot" or "x?y?".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "app/failure.h"
#include "base/error.h"
#include "usb/types.h"

namespace usbtwin::app {

struct UsbIds {
  uint16_t vendor_id = 0;
  uint16_t product_id = 0;
  bool operator==(const UsbIds&) const = default;
};

struct UsbAddress {
  uint8_t bus_number = 0;
  uint8_t address = 0;
  bool operator==(const UsbAddress&) const = default;
};

inline constexpr uint64_t kMemoryDiskSizeDefault = uint64_t{64} << 20;  // bytes

struct EmulatedDisk {
  enum class Protocol : uint8_t { kBot, kUas };
  Protocol protocol = Protocol::kBot;  // kUas: beside Bulk-Only
  std::string image_path;              // empty: in memory
  uint64_t size = 0;  // bytes of each memory unit; 0 for an image, whose length is the file's
  uint32_t block_size = 512;
  usb::Speed speed = usb::Speed::kHigh;
  bool read_only = false;
  bool removable = false;
  uint8_t luns_count = 1;
  bool operator==(const EmulatedDisk&) const = default;
};

struct EmulatedProfile {
  std::string path;
  bool operator==(const EmulatedProfile&) const = default;
};

inline constexpr uint16_t kUsbIpPort = 3240;
struct UsbIpDevice {
  std::string host;  // empty: `socket_path` is meant
  uint16_t port = kUsbIpPort;
  std::string socket_path;
  std::string bus_id;  // "1-1.4"
  bool operator==(const UsbIpDevice&) const = default;
};
// As async::SocketProvider wants it: "10.0.0.7:3240", "[::1]:3240", "unix:/path".
std::string AddressOf(const UsbIpDevice& device);
// As people write it; its port is always named: "usbip://10.0.0.7:3240/1-1".
std::string TextOf(const UsbIpDevice& device);

struct Trace {
  std::string path;
  bool operator==(const Trace&) const = default;
};

struct ScsiNode {
  std::string path;
  bool operator==(const ScsiNode&) const = default;
};

using DeviceString =
    std::variant<UsbIds, UsbAddress, EmulatedDisk, EmulatedProfile, UsbIpDevice, Trace, ScsiNode>;

// A Failure is kUsage, in one line: what is wrong with `text`, and how devices are written.
Result<DeviceString, Failure> ParseDeviceString(std::string_view text);

// A USB/IP server, as AddressOf has it, of "host", "host:port", "[::1]:port" or "unix:/path".
Result<std::string, Failure> ParseServer(std::string_view text);

// The table above for --help; each line begins with two spaces and ends.
const char* DeviceStringForms();
// "a device is written like ...": one line for failures.
const char* DeviceStringHint();

}  // namespace usbtwin::app
