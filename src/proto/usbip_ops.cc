#include "proto/usbip_ops.h"

#include <algorithm>
#include <cstring>

namespace usbtwin::usbip {

using usb::Speed;
using wire::usbip::DeviceRecord;
using wire::usbip::InterfaceRecord;
using wire::usbip::OpHeader;
using wire::usbip::OpStatus;

namespace {

Error Broken(const char* text, uint64_t first = 0, uint64_t second = 0, uint64_t third = 0) {
  return {.kind = ErrorKind::kProtocol,
          .phase = Phase::kOpen,
          .text = text,
          .values = {first, second, third}};
}

OpHeader MakeHeader(uint16_t code, OpStatus status = OpStatus::kOk) {
  return {.version = wire::usbip::kVersion, .code = code, .status = static_cast<uint32_t>(status)};
}

template <wire::WireStruct T>
void Append(std::vector<uint8_t>& bytes, const T& value) {
  const Bytes wire = wire::AsBytes(value);
  bytes.insert(bytes.end(), wire.begin(), wire.end());
}

// Text of at most one byte less than there is room for: it ends with a zero.
template <size_t kSize>
void CopyText(std::array<uint8_t, kSize>& target, std::string_view text) {
  CopyBytes(target, TextBytes(text.substr(0, kSize - 1)));
}

std::optional<std::string> ReadText(Bytes bytes) {
  const void* end = std::memchr(bytes.data(), 0, bytes.size());
  if (end == nullptr) return std::nullopt;
  return std::string(bytes.data(), static_cast<const uint8_t*>(end));
}

DeviceRecord MakeRecord(const Device& device) {
  DeviceRecord record{};
  CopyText(record.path, device.path);
  CopyText(record.bus_id, device.bus_id);
  record.bus_number = device.bus_number;
  record.device_number = device.device_number;
  record.speed = SpeedCode(device.speed);
  record.vendor_id = device.vendor_id;
  record.product_id = device.product_id;
  record.release_number = device.release_number;
  record.device_class = device.device_class;
  record.device_subclass = device.device_subclass;
  record.device_protocol = device.device_protocol;
  record.configuration_value = device.configuration_value;
  record.configurations_count = device.configurations_count;
  record.interfaces_count = device.interfaces_count;
  return record;
}

Result<OpHeader> ParseHeader(Bytes bytes, uint16_t code) {
  CHECK_LE(sizeof(OpHeader), bytes.size());
  const OpHeader header = *wire::View<OpHeader>(bytes);
  if (header.version != wire::usbip::kVersion) {
    return Broken("USB/IP version {:x}, and {:x} is understood", header.version,
                  wire::usbip::kVersion);
  }
  if (header.code != code) {
    return Broken("reply {:x}, where {:x} belongs", header.code, code);
  }
  return header;
}

}  // namespace

bool Device::operator==(const Device& other) const {
  return device_id() == other.device_id() && path == other.path &&
         SameBytes(wire::AsBytes(MakeRecord(*this)), wire::AsBytes(MakeRecord(other))) &&
         std::equal(interfaces.begin(), interfaces.end(), other.interfaces.begin(),
                    other.interfaces.end(), [](const auto& left, const auto& right) {
                      return SameBytes(wire::AsBytes(left), wire::AsBytes(right));
                    });
}

bool IsBusId(std::string_view text) {
  const auto fits = [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z') || letter == '-' || letter == '.' || letter == ':' ||
           letter == '_';
  };
  return !text.empty() && text.size() < wire::usbip::kBusIdLength &&
         std::all_of(text.begin(), text.end(), fits);
}

uint32_t SpeedCode(Speed speed) {
  switch (speed) {
    case Speed::kLow: return wire::usbip::kSpeedLow;
    case Speed::kFull: return wire::usbip::kSpeedFull;
    case Speed::kHigh: return wire::usbip::kSpeedHigh;
    case Speed::kSuper: return wire::usbip::kSpeedSuper;
    case Speed::kSuperPlus: return wire::usbip::kSpeedSuperPlus;
  }
  return wire::usbip::kSpeedUnknown;
}

// --- the server's side ---

Result<Op> ParseRequest(Bytes header) {
  CHECK_EQ(header.size(), sizeof(OpHeader));
  const OpHeader& op = *wire::View<OpHeader>(header);
  if (op.version != wire::usbip::kVersion) {
    return Broken("USB/IP version {:x}, and {:x} is understood", op.version, wire::usbip::kVersion);
  }
  if (op.code == wire::usbip::kRequestDevices) return Op::kDevices;
  if (op.code == wire::usbip::kRequestImport) return Op::kImport;
  return Broken("request {:x}: neither a list of devices (8005h) nor an import (8003h)", op.code);
}

Result<std::string> ParseBusId(Bytes bytes) {
  CHECK_EQ(bytes.size(), wire::usbip::kBusIdLength);
  const std::optional<std::string> text = ReadText(bytes);
  if (!text) return Broken("a bus id that does not end within its {} bytes", bytes.size());
  return *text;
}

std::vector<uint8_t> MakeDevicesReply(const std::vector<Device>& devices) {
  const size_t count = std::min(devices.size(), kDevicesMax);
  std::vector<uint8_t> bytes;
  Append(bytes, wire::usbip::DevicesReply{.header = MakeHeader(wire::usbip::kReplyDevices),
                                          .devices_count = static_cast<uint32_t>(count)});
  for (size_t index = 0; index < count; ++index) {
    const Device& device = devices[index];
    CHECK(IsBusId(device.bus_id));
    CHECK_EQ(device.interfaces.size(), size_t{device.interfaces_count});
    Append(bytes, MakeRecord(device));
    for (const InterfaceRecord& interface : device.interfaces) Append(bytes, interface);
  }
  return bytes;
}

std::vector<uint8_t> MakeImportReply(const Device& device) {
  CHECK(IsBusId(device.bus_id));
  std::vector<uint8_t> bytes;
  Append(bytes, wire::usbip::ImportReply{.header = MakeHeader(wire::usbip::kReplyImport),
                                         .device = MakeRecord(device)});
  return bytes;
}

std::vector<uint8_t> MakeImportRefusal(OpStatus status) {
  CHECK(status != OpStatus::kOk);
  std::vector<uint8_t> bytes;
  Append(bytes, MakeHeader(wire::usbip::kReplyImport, status));
  return bytes;
}

// --- the client's side ---

OpHeader MakeDevicesRequest() {
  return MakeHeader(wire::usbip::kRequestDevices);
}

wire::usbip::ImportRequest MakeImportRequest(std::string_view bus_id) {
  CHECK(IsBusId(bus_id));
  wire::usbip::ImportRequest request{};
  request.header = MakeHeader(wire::usbip::kRequestImport);
  CopyText(request.bus_id, bus_id);
  return request;
}

Result<uint32_t> ParseDevicesHeader(Bytes bytes) {
  CHECK_LE(sizeof(wire::usbip::DevicesReply), bytes.size());
  const Result<OpHeader> header = ParseHeader(bytes, wire::usbip::kReplyDevices);
  if (!header) return header.error();
  if (header->status != 0) return Broken("the server's list has status {}", header->status);
  const uint32_t count = wire::View<wire::usbip::DevicesReply>(bytes)->devices_count;
  if (count > kDevicesMax) return Broken("a list of {} devices: at most {}", count, kDevicesMax);
  return count;
}

Result<Device> ParseDevice(Bytes bytes) {
  CHECK_LE(sizeof(DeviceRecord), bytes.size());
  const DeviceRecord& record = *wire::View<DeviceRecord>(bytes);
  const std::optional<std::string> path = ReadText(record.path);
  const std::optional<std::string> bus_id = ReadText(record.bus_id);
  if (!path || !bus_id) return Broken("a device whose path or bus id does not end");
  if (!IsBusId(*bus_id)) return Broken("a device whose bus id of {} bytes is none", bus_id->size());
  Device device{.path = *path,
                .bus_id = *bus_id,
                .bus_number = record.bus_number,
                .device_number = record.device_number,
                .vendor_id = record.vendor_id,
                .product_id = record.product_id,
                .release_number = record.release_number,
                .device_class = record.device_class,
                .device_subclass = record.device_subclass,
                .device_protocol = record.device_protocol,
                .configuration_value = record.configuration_value,
                .configurations_count = record.configurations_count,
                .interfaces_count = record.interfaces_count,
                .interfaces = {}};
  switch (record.speed) {
    case wire::usbip::kSpeedLow: device.speed = Speed::kLow; break;
    case wire::usbip::kSpeedFull: device.speed = Speed::kFull; break;
    case wire::usbip::kSpeedUnknown:  // what a server says that does not know; the most common
    case wire::usbip::kSpeedWireless:
    case wire::usbip::kSpeedHigh: device.speed = Speed::kHigh; break;
    case wire::usbip::kSpeedSuper: device.speed = Speed::kSuper; break;
    case wire::usbip::kSpeedSuperPlus: device.speed = Speed::kSuperPlus; break;
    default: return Broken("a device of speed {}: 1 to 6 are known", record.speed);
  }
  return device;
}

void AppendInterface(Device& device, Bytes bytes) {
  CHECK_LE(sizeof(InterfaceRecord), bytes.size());
  device.interfaces.push_back(*wire::View<InterfaceRecord>(bytes));
}

Result<void> ParseImportHeader(Bytes bytes) {
  const Result<OpHeader> header = ParseHeader(bytes, wire::usbip::kReplyImport);
  if (!header) return header.error();
  const uint32_t status = header->status;
  if (status == 0) return {};
  Error error{.kind = ErrorKind::kFault, .phase = Phase::kOpen};
  switch (static_cast<OpStatus>(status)) {
    case OpStatus::kNotAvailable:
      error.kind = ErrorKind::kNotFound;
      error.text = "the server says that the device is not available now";
      return error;
    case OpStatus::kBusy:
      error.kind = ErrorKind::kBusy;
      error.text = "the server says that somebody has imported the device";
      return error;
    case OpStatus::kNoDevice:
      error.kind = ErrorKind::kNotFound;
      error.text = "the server has no such device";
      return error;
    case OpStatus::kDeviceError:
      error.text = "the server says that the device is in an error state";
      return error;
    case OpStatus::kOk:
    case OpStatus::kError: break;
  }
  error.text = "the server refuses the import with status {}";
  error.values = {status};
  return error;
}

}  // namespace usbtwin::usbip
