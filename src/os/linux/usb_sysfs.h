// What sysfs says about the USB devices of this machine, read without opening one and without a
// byte on the bus: who is where, which driver has an interface, what is mounted on the disks behind
// it. Devices come and go meanwhile, so whatever cannot be read is not there. The roots can be
// moved, for tests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "usb/bus.h"

namespace usbtwin::os {

struct UsbPaths {
  std::string sysfs = "/sys";
  std::string proc = "/proc";
  std::string nodes = "/dev/bus/usb";
};

// "1-1.4", or "usb1" for a root hub. Nothing else becomes part of a path.
bool IsPortPath(std::string_view text);

// By bus and address.
std::vector<usb::DeviceInfo> ListUsbDevices(const UsbPaths& paths);
std::optional<usb::DeviceInfo> FindUsbDevice(const UsbPaths& paths, const std::string& port_path);
std::string NodePath(const UsbPaths& paths, const usb::DeviceInfo& info);
// bConfigurationValue of the active configuration, as the kernel knows it; 0 for none.
std::optional<uint8_t> ActiveConfiguration(const UsbPaths& paths, const std::string& port_path);

struct BoundInterface {
  uint8_t number = 0;
  std::string driver;  // "usb-storage"; "usbfs": another program, or this one
  bool operator==(const BoundInterface&) const = default;
};
// Those of the active configuration that have a driver, by number.
std::vector<BoundInterface> ListBoundInterfaces(const UsbPaths& paths,
                                                const std::string& port_path);

// What would be pulled from under its users if the interface lost its driver, a line each:
// "sda1 is mounted on /mnt", "sda2 is swap space", "sda3 is part of dm-0".
std::vector<std::string> ListUses(const UsbPaths& paths, const std::string& port_path,
                                  uint8_t interface);

}  // namespace usbtwin::os
