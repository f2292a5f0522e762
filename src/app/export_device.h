// What a USB/IP server must know of a device before it can offer it: read from the device itself,
// by opening it once. Called by the exporter and by simulations.
#pragma once

#include <string>

#include "async/task.h"
#include "async/usbip_server.h"
#include "base/clock.h"
#include "base/error.h"
#include "usb/bus.h"

namespace usbtwin::app {

// Where the device will be seen.
struct ExportPlace {
  std::string bus_id;  // "1-1"
  uint32_t bus_number = 1;
  uint32_t device_number = 1;
};

// The bus outlives the export. An Error where the device cannot be opened, or says nothing about
// itself.
async::Task<Result<async::UsbIpExport>> DescribeExport(Clock& clock, usb::Bus& bus,
                                                       usb::DeviceId id, ExportPlace place);

}  // namespace usbtwin::app
