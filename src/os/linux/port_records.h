// Where the device of a virtual port comes from. The kernel was given a connection and does not
// know; Linux's own `usbip` keeps one small file for each port, "host port busid", and so do we, so
// that either program tells what the other one has attached. Nothing depends on them: one that
// cannot be written is one that is not shown. Called by LinuxVirtualPorts.
#pragma once

#include <optional>
#include <string>

#include "app/device_string.h"

namespace usbtwin::os {

class PortRecords {
 public:
  explicit PortRecords(std::string folder = "/run/vhci_hcd") : folder_(std::move(folder)) {}

  // Where words cannot tell it (a socket's path with blanks), what was there is removed.
  void Write(uint32_t port, const app::UsbIpDevice& origin) const;
  std::optional<app::UsbIpDevice> Read(uint32_t port) const;
  void Remove(uint32_t port) const;

 private:
  std::string path(uint32_t port) const { return folder_ + "/port" + std::to_string(port); }
  const std::string folder_;
};

}  // namespace usbtwin::os
