#include "app/export_device.h"

#include "host/session.h"

namespace usbtwin::app {
namespace {

usbip::Device DeviceOf(const host::DeviceDescription& description, usb::Speed speed,
                       const ExportPlace& place) {
  const wire::usb::DeviceDescriptor& descriptor = description.device;
  usbip::Device device;
  // Of the form that Linux has. What is behind the device is no peer's business.
  device.path =
      "/sys/devices/platform/usbtwin/usb" + std::to_string(place.bus_number) + "/" + place.bus_id;
  device.bus_id = place.bus_id;
  device.bus_number = place.bus_number;
  device.device_number = place.device_number;
  device.speed = speed;
  device.vendor_id = descriptor.vendor_id;
  device.product_id = descriptor.product_id;
  device.release_number = descriptor.device_version;
  device.device_class = descriptor.device_class;
  device.device_subclass = descriptor.device_subclass;
  device.device_protocol = descriptor.device_protocol;
  device.configurations_count = descriptor.configurations_count;
  // An importer configures the device. What is listed is what most will meet.
  const host::ConfigurationDescription& first = description.configurations.front();
  device.configuration_value = description.active_value.value_or(0);
  for (const usb::Interface& interface : first.tree.interfaces) {
    const usb::Alternate& alternate = interface.alternates.front();
    device.interfaces.push_back({.interface_class = alternate.interface_class,
                                 .interface_subclass = alternate.interface_subclass,
                                 .interface_protocol = alternate.interface_protocol,
                                 .padding = 0});
  }
  device.interfaces_count = static_cast<uint8_t>(device.interfaces.size());
  return device;
}

}  // namespace

async::Task<Result<async::UsbIpExport>> DescribeExport(Clock& clock, usb::Bus& bus,
                                                       usb::DeviceId id, ExportPlace place) {
  host::Session session(clock, bus, id);
  const Result<void> opened = co_await session.Open();
  if (!opened) co_return opened.error();
  async::UsbIpExport exported;
  exported.device = DeviceOf(session.description(), session.caps().speed, place);
  exported.bus = &bus;
  exported.id = id;
  for (const host::ConfigurationDescription& one : session.description().configurations) {
    exported.configurations.push_back(one.tree);
  }
  const Result<void> closed = co_await session.Close();
  if (!closed) co_return closed.error();
  co_return std::move(exported);
}

}  // namespace usbtwin::app
