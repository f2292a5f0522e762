#include "app/device_string.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "app/size.h"
#include "async/host_and_port.h"
#include "base/text.h"
#include "emulator/memory_store.h"
#include "proto/usbip_ops.h"

namespace usbtwin::app {
namespace {

// What is wrong, for a Failure. Empty: nothing.
using Complaint = std::string;

bool AllOf(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}
bool IsDecimal(std::string_view text) {
  return AllOf(text, "0123456789");
}
bool IsHex(std::string_view text) {
  return AllOf(text, "0123456789abcdefABCDEF");
}

// `text` holds digits of `base` only, and few enough of them for 32 bits.
uint32_t Digits(std::string_view text, int base) {
  uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// ---- real devices ----

// 0x and one to four digits, or exactly four.
std::optional<uint16_t> ParseId(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    if (text.size() > 4) return std::nullopt;
  } else if (text.size() != 4) {
    return std::nullopt;
  }
  if (!IsHex(text)) return std::nullopt;
  return static_cast<uint16_t>(Digits(text, 16));
}

std::optional<uint8_t> ParseAddressNumber(std::string_view text) {
  if (!IsDecimal(text) || text.size() > 3) return std::nullopt;
  const uint32_t value = Digits(text, 10);
  if (value == 0 || value > 255) return std::nullopt;
  return static_cast<uint8_t>(value);
}

Result<DeviceString, Complaint> ParsePair(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view left = text.substr(0, colon);
  const std::string_view right = text.substr(colon + 1);
  const std::optional<uint16_t> vendor_id = ParseId(left);
  const std::optional<uint16_t> product_id = ParseId(right);
  if (vendor_id && product_id) return DeviceString(UsbIds{*vendor_id, *product_id});
  const std::optional<uint8_t> bus_number = ParseAddressNumber(left);
  const std::optional<uint8_t> address = ParseAddressNumber(right);
  if (bus_number && address) return DeviceString(UsbAddress{*bus_number, *address});
  return Complaint(
      "neither vid:pid (four hexadecimal digits each) nor bus:address "
      "(decimal, 1 to 255 each)");
}

constexpr std::string_view kNodePrefix = "/dev/bus/usb/";

Result<DeviceString, Complaint> ParseNode(std::string_view text) {
  const std::string_view rest = text.substr(kNodePrefix.size());
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<uint8_t> bus_number = ParseAddressNumber(rest.substr(0, slash));
    const std::optional<uint8_t> address = ParseAddressNumber(rest.substr(slash + 1));
    if (bus_number && address) return DeviceString(UsbAddress{*bus_number, *address});
  }
  return Complaint("a node is /dev/bus/usb/BUS/ADDRESS with three decimal digits each");
}

// ---- twins ----

std::optional<bool> ParseSwitch(std::string_view text) {
  if (text == "1" || text == "yes" || text == "true" || text == "on") return true;
  if (text == "0" || text == "no" || text == "false" || text == "off") return false;
  return std::nullopt;
}

std::optional<usb::Speed> ParseSpeed(std::string_view text) {
  if (text == "full") return usb::Speed::kFull;
  if (text == "high") return usb::Speed::kHigh;
  if (text == "super") return usb::Speed::kSuper;
  if (text == "super-plus") return usb::Speed::kSuperPlus;
  return std::nullopt;
}

Complaint ApplySize(std::string_view value, EmulatedDisk& disk) {
  const std::optional<uint64_t> size = ParseSize(value);
  if (!disk.image_path.empty()) {
    return "size is for memory disks: the size of an image is its file's (truncate -s 64M " +
           disk.image_path + ")";
  }
  if (!size || *size == 0 || *size > emulator::MemoryStore::kSizeMax) {
    return "size must be 1 byte to " + DescribeSize(emulator::MemoryStore::kSizeMax) +
           ", such as 64M, and not " + Quote(value);
  }
  disk.size = *size;
  return "";
}

Complaint ApplyLuns(std::string_view value, EmulatedDisk& disk) {
  const std::optional<uint64_t> count = ParseNumber(value);
  if (!count || *count < 1 || *count > 16) {
    return "luns must be 1 to 16, and not \"" + std::string(value) + "\"";
  }
  if (!disk.image_path.empty() && *count != 1) {
    return "an image is one unit: more units, each with its image, take a profile";
  }
  disk.luns_count = static_cast<uint8_t>(*count);
  return "";
}

Complaint ApplySwitch(std::string_view name, std::string_view value, bool& target) {
  const std::optional<bool> on = ParseSwitch(value);
  if (!on) return std::string(name) + " must be 1 or 0, and not \"" + std::string(value) + "\"";
  target = *on;
  return "";
}

Complaint ApplyOption(std::string_view option, EmulatedDisk& disk) {
  const size_t equals = option.find('=');
  const std::string_view name = option.substr(0, equals);
  if (equals == std::string_view::npos) {
    return "option " + Quote(option) + " has no value: write " + std::string(name) + "=...";
  }
  const std::string_view value = option.substr(equals + 1);
  if (name == "size") return ApplySize(value, disk);
  if (name == "luns") return ApplyLuns(value, disk);
  if (name == "ro") return ApplySwitch(name, value, disk.read_only);
  if (name == "uas") {
    bool uas = false;
    Complaint complaint = ApplySwitch(name, value, uas);
    disk.protocol = uas ? EmulatedDisk::Protocol::kUas : EmulatedDisk::Protocol::kBot;
    return complaint;
  }
  if (name == "removable") return ApplySwitch(name, value, disk.removable);
  if (name == "block") {
    const std::optional<uint64_t> length = ParseSize(value);
    if (length != 512u && length != 4096u) {
      return "block must be 512 or 4096, and not \"" + std::string(value) + "\"";
    }
    disk.block_size = static_cast<uint32_t>(*length);
    return "";
  }
  if (name == "speed") {
    const std::optional<usb::Speed> speed = ParseSpeed(value);
    if (!speed) {
      return "speed must be full, high, super or super-plus, and not \"" + std::string(value) +
             "\"";
    }
    disk.speed = *speed;
    return "";
  }
  return "no option \"" + std::string(name) +
         "\": the options are size, block, speed, ro, removable, uas and luns";
}

// What lies between the ampersands; nothing at all is no option.
Complaint ApplyOptions(std::string_view options, EmulatedDisk& disk) {
  std::vector<std::string_view> names;
  bool ended = options.empty();
  while (!ended) {
    const size_t length = std::min(options.find('&'), options.size());
    const std::string_view option = options.substr(0, length);
    ended = length == options.size();
    options.remove_prefix(ended ? length : length + 1);
    if (option.empty()) return "an option is empty: a single \"&\" joins two of them";
    const Complaint complaint = ApplyOption(option, disk);
    if (!complaint.empty()) return complaint;
    names.push_back(option.substr(0, option.find('=')));
    if (std::count(names.begin(), names.end(), names.back()) != 1) {
      return "option " + Quote(names.back()) + " is there twice";
    }
  }
  return "";
}

Result<DeviceString, Complaint> ParseTwin(std::string_view rest) {
  const size_t question = rest.rfind('?');
  const std::string_view name = rest.substr(0, question);
  const std::string_view options =
      question == std::string_view::npos ? "" : rest.substr(question + 1);
  if (question == std::string_view::npos && name.empty()) {
    return Complaint("name an image, a profile, or a memory disk (emu:?size=64M)");
  }
  if (name.ends_with(".toml")) {
    if (!options.empty()) return Complaint("a profile takes no options: write them into the file");
    return DeviceString(EmulatedProfile{std::string(name)});
  }
  EmulatedDisk disk;
  if (name == "uas") {
    disk.protocol = EmulatedDisk::Protocol::kUas;
  } else if (!name.empty() && name != "bot") {
    disk.image_path = name;
  }
  Complaint complaint = ApplyOptions(options, disk);
  if (!complaint.empty()) return complaint;
  if (disk.image_path.empty() && disk.size == 0) disk.size = kMemoryDiskSizeDefault;
  if (disk.size % disk.block_size != 0) {
    return "size " + std::to_string(disk.size) + " is not a whole number of blocks of " +
           std::to_string(disk.block_size);
  }
  return DeviceString(std::move(disk));
}

// ---- other places ----

constexpr async::PortRule kServerPort{.otherwise = kUsbIpPort};

Result<DeviceString, Complaint> ParseUsbIp(std::string_view rest, char mark, bool is_socket) {
  const size_t split = rest.rfind(mark);
  if (split == std::string_view::npos) {
    return Complaint(std::string("no \"") + mark + "\" and bus id, such as " + mark +
                     "1-1, at the end");
  }
  UsbIpDevice device;
  device.bus_id = rest.substr(split + 1);
  if (!usbip::IsBusId(device.bus_id)) {
    return Complaint("\"" + device.bus_id + "\" is no bus id such as 1-1 or usbip-vudc.0: 1 to " +
                     std::to_string(wire::usbip::kBusIdLength - 1) +
                     " letters, digits, \"-\", \".\", \":\" and \"_\"");
  }
  if (is_socket) {
    device.socket_path = rest.substr(0, split);
    if (device.socket_path.empty()) return Complaint("no socket path");
  } else {
    auto server = async::ParseHostAndPort(rest.substr(0, split), kServerPort);
    if (!server) return server.error();
    device.host = std::move(server->host);
    device.port = server->port;
  }
  return DeviceString(std::move(device));
}

template <class Kind>
Result<DeviceString, Complaint> ParsePath(std::string_view rest) {
  if (rest.empty()) return Complaint("no path behind the colon");
  return DeviceString(Kind{std::string(rest)});
}

Result<DeviceString, Complaint> Parse(std::string_view text) {
  const auto rest_after = [text](std::string_view scheme) { return text.substr(scheme.size()); };
  if (text.empty()) return Complaint("it is empty");
  if (text.find('\0') != std::string_view::npos) return Complaint("it holds a zero byte");
  if (text.starts_with("emu:")) return ParseTwin(rest_after("emu:"));
  if (text.starts_with("usbip://")) return ParseUsbIp(rest_after("usbip://"), '/', false);
  if (text.starts_with("usbip+unix:")) return ParseUsbIp(rest_after("usbip+unix:"), '#', true);
  if (text.starts_with("replay:")) return ParsePath<Trace>(rest_after("replay:"));
  if (text.starts_with("sg:")) return ParsePath<ScsiNode>(rest_after("sg:"));
  if (text.starts_with(kNodePrefix)) return ParseNode(text);
  if (text.starts_with("/dev/")) {
    return Complaint("a node of the system's own SCSI driver is written sg:" + std::string(text));
  }
  if (text.find('/') != std::string_view::npos || text.find('.') != std::string_view::npos) {
    return Complaint("an image or a profile is written emu:" + std::string(text));
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Complaint("it has no colon");
  return ParsePair(text);
}

}  // namespace

std::string AddressOf(const UsbIpDevice& device) {
  if (device.host.empty()) return "unix:" + device.socket_path;
  return async::TextOf(async::HostAndPort{device.host, device.port});
}

std::string TextOf(const UsbIpDevice& device) {
  if (device.host.empty()) return "usbip+" + AddressOf(device) + "#" + device.bus_id;
  return "usbip://" + AddressOf(device) + "/" + device.bus_id;
}

Result<std::string, Failure> ParseServer(std::string_view text) {
  constexpr std::string_view kSocket = "unix:";
  if (text.starts_with(kSocket) && text != kSocket) return std::string(text);
  const auto server = async::ParseHostAndPort(text, kServerPort);
  if (server) return async::TextOf(*server);
  const Complaint complaint = text == kSocket ? "no socket path" : server.error();
  return Failure{Failure::Kind::kUsage,
                 "server " + Quote(text) + ": " + Printable(complaint) +
                     "; a server is written like HOST, HOST:PORT, [IPv6]:PORT or unix:PATH"};
}

const char* DeviceStringForms() {
  return "  1234:5678                real device by vid:pid, four hexadecimal digits each (or 0x)\n"
         "  3:7                      real device by bus:address, decimal\n"
         "  /dev/bus/usb/003/007     the same by its node\n"
         "  emu:disk.img             twin of a disk over an image file\n"
         "  emu:disk.img?ro=1&...    options: block=512|4096 ro=1 removable=1 uas=1\n"
         "                           speed=full|high|super|super-plus\n"
         "  emu:?size=64M&...        twin of a disk in memory; the same options and luns=1..16\n"
         "  emu:uas?size=64M&...     the same with UAS beside Bulk-Only, as uas=1 has it\n"
         "  emu:profile.toml         twin described by a profile\n"
         "  usbip://host[:port]/1-1  device on a USB/IP server; usbip+unix:/path.sock#1-1\n"
         "  replay:trace.pcapng      the device side of a capture\n"
         "  sg:/dev/sdb              the system's own SCSI pass-through\n";
}

const char* DeviceStringHint() {
  return "a device is written like 1234:5678, 3:7, emu:disk.img, emu:?size=64M, "
         "emu:profile.toml, usbip://host/1-1 or usbip+unix:/path.sock#1-1; see --help";
}

Result<DeviceString, Failure> ParseDeviceString(std::string_view text) {
  Result<DeviceString, Complaint> parsed = Parse(text);
  if (parsed) return std::move(*parsed);
  return Failure{Failure::Kind::kUsage, "device " + Quote(text) + ": " + Printable(parsed.error()) +
                                            "; " + DeviceStringHint()};
}

}  // namespace usbtwin::app
