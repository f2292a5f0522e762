#include "app/real_device.h"

#include "base/text.h"

namespace usbtwin::app {
namespace {

constexpr size_t kListMax = 20;  // devices in one message

std::string IdsText(uint16_t vendor_id, uint16_t product_id) {
  return HexId(vendor_id) + ":" + HexId(product_id);
}

std::string AddressText(uint8_t bus_number, uint8_t address) {
  return std::to_string(bus_number) + ":" + std::to_string(address);
}

void AppendList(std::string& text, const std::vector<usb::DeviceInfo>& devices) {
  size_t count = 0;
  for (const usb::DeviceInfo& info : devices) {
    if (count++ == kListMax) {
      text.append("\n  and ").append(std::to_string(devices.size() - kListMax)).append(" more");
      return;
    }
    text.append("\n  ").append(AddressText(info.bus_number, info.address));
    text.append("  ").append(IdsText(info.vendor_id, info.product_id));
    text.append("  at port ").append(Printable(info.id.port_path));
  }
}

Failure NoSuchDevice(const std::string& what, const std::vector<usb::DeviceInfo>& devices) {
  Failure failure{Failure::Kind::kCannotOpen, "there is no USB device " + what, {}};
  if (devices.empty()) {
    failure.text += "; this machine has none at all";
    return failure;
  }
  failure.text += "; there are:";
  AppendList(failure.text, devices);
  return failure;
}

}  // namespace

Result<usb::DeviceId, Failure> PickDevice(const std::vector<usb::DeviceInfo>& devices,
                                          const UsbIds& wanted) {
  std::vector<usb::DeviceInfo> matches;
  for (const usb::DeviceInfo& info : devices) {
    const bool same = info.vendor_id == wanted.vendor_id && info.product_id == wanted.product_id;
    if (same) matches.push_back(info);
  }
  const std::string what = IdsText(wanted.vendor_id, wanted.product_id);
  if (matches.empty()) return NoSuchDevice(what, devices);
  if (matches.size() == 1) return matches.front().id;
  Failure failure{Failure::Kind::kCannotOpen,
                  Count(matches.size(), "device has", "devices have") + " the ids " + what +
                      "; name one by its bus and address:",
                  {}};
  AppendList(failure.text, matches);
  return failure;
}

Result<usb::DeviceId, Failure> PickDevice(const std::vector<usb::DeviceInfo>& devices,
                                          const UsbAddress& wanted) {
  for (const usb::DeviceInfo& info : devices) {
    const bool same = info.bus_number == wanted.bus_number && info.address == wanted.address;
    if (same) return info.id;
  }
  return NoSuchDevice("at " + AddressText(wanted.bus_number, wanted.address), devices);
}

}  // namespace usbtwin::app
