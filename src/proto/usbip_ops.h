// What the ends of USB/IP say before a device is imported: the list of devices, and the import
// itself. Messages as values; the bytes come and go whole.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "usb/types.h"
#include "wire/usbip.h"

namespace usbtwin::usbip {

inline constexpr size_t kDevicesMax = 4096;  // in one list

// A device as a server announces it.
struct Device {
  std::string path;    // where it is on the server; for people
  std::string bus_id;  // "1-1": what imports name; 1 to 31 bytes
  uint32_t bus_number = 1;
  uint32_t device_number = 1;
  usb::Speed speed = usb::Speed::kHigh;
  uint16_t vendor_id = 0;
  uint16_t product_id = 0;
  uint16_t release_number = 0;
  uint8_t device_class = 0;
  uint8_t device_subclass = 0;
  uint8_t device_protocol = 0;
  uint8_t configuration_value = 0;  // 0: not configured
  uint8_t configurations_count = 0;
  uint8_t interfaces_count = 0;
  std::vector<wire::usbip::InterfaceRecord> interfaces;  // not told by an import

  // What every command to the imported device carries.
  uint32_t device_id() const { return bus_number << 16 | (device_number & 0xffff); }
  bool operator==(const Device&) const;
};
// Fit to be announced: 1 to 31 bytes, letters, digits, '-', '.', ':' and '_'.
bool IsBusId(std::string_view text);

uint32_t SpeedCode(usb::Speed speed);

// --- the server's side ---

enum class Op : uint8_t { kDevices, kImport };

// `header` is the first eight bytes; an import goes on for kBusIdLength more.
Result<Op> ParseRequest(Bytes header);
// The 32 bytes: text that ends within them, or an error.
Result<std::string> ParseBusId(Bytes bytes);
std::vector<uint8_t> MakeDevicesReply(const std::vector<Device>& devices);
std::vector<uint8_t> MakeImportReply(const Device& device);
std::vector<uint8_t> MakeImportRefusal(wire::usbip::OpStatus status);

// --- the client's side ---

wire::usbip::OpHeader MakeDevicesRequest();
wire::usbip::ImportRequest MakeImportRequest(std::string_view bus_id);  // IsBusId
// The first twelve bytes of the list: how many devices follow.
Result<uint32_t> ParseDevicesHeader(Bytes bytes);
// 312 bytes, whose bus id is one; and in a list as many interface records as interfaces_count says.
Result<Device> ParseDevice(Bytes bytes);
void AppendInterface(Device& device, Bytes bytes);
// The first eight bytes of the reply; an error where the server refuses.
Result<void> ParseImportHeader(Bytes bytes);

}  // namespace usbtwin::usbip
