#include "os/linux/usb_sysfs.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "os/linux/mount_table.h"

namespace usbtwin::os {
namespace {

namespace fs = std::filesystem;

constexpr size_t kEntriesMax = 4096;  // of one folder, and folders below one interface

// The first line of an attribute; nullopt where there is none.
std::optional<std::string> ReadLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<uint32_t> ReadNumber(const fs::path& path, int base) {
  const std::optional<std::string> line = ReadLine(path);
  if (!line) return std::nullopt;
  uint32_t number = 0;
  const char* end = line->data() + line->size();
  const auto parsed = std::from_chars(line->data(), end, number, base);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return number;
}

// Names in a folder, sorted; none where it cannot be read.
std::vector<std::string> ListNames(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  while (!error && entry != fs::directory_iterator() && names.size() < kEntriesMax) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path DevicesFolder(const UsbPaths& paths) {
  return fs::path(paths.sysfs) / "bus/usb/devices";
}

// The kernel writes Mbit/s, with a fraction where there is one.
usb::Speed SpeedOf(const std::string& text) {
  if (text == "1.5") return usb::Speed::kLow;
  if (text == "12") return usb::Speed::kFull;
  if (text == "5000") return usb::Speed::kSuper;
  if (text == "10000" || text == "20000") return usb::Speed::kSuperPlus;
  return usb::Speed::kHigh;
}

// The folder of one interface of the active configuration: "1-1:1.0".
std::optional<fs::path> FindInterface(const UsbPaths& paths, const std::string& port_path,
                                      uint8_t interface) {
  if (!IsPortPath(port_path)) return std::nullopt;
  const fs::path device = DevicesFolder(paths) / port_path;
  for (const std::string& name : ListNames(device)) {
    if (name.find(':') == std::string::npos) continue;
    const auto number = ReadNumber(device / name / "bInterfaceNumber", 16);
    if (number && *number == interface) return device / name;
  }
  return std::nullopt;
}

// Disks below an interface: every folder in one that is called "block".
std::vector<std::string> ListDisks(const fs::path& interface) {
  std::vector<std::string> disks;
  std::error_code error;
  fs::recursive_directory_iterator entry(interface, error);
  for (size_t count = 0; !error && entry != fs::recursive_directory_iterator(); ++count) {
    if (count == kEntriesMax) break;
    if (entry->path().filename() == "block" && entry->is_directory(error)) {
      for (std::string& name : ListNames(entry->path())) disks.push_back(std::move(name));
      entry.disable_recursion_pending();
    }
    entry.increment(error);
  }
  return disks;
}

}  // namespace

bool IsPortPath(std::string_view text) {
  constexpr size_t kLengthMax = 64;
  if (text.starts_with("usb")) text.remove_prefix(3);
  if (text.empty() || text.size() > kLengthMax || text[0] == '.' || text[0] == '-') return false;
  return text.find_first_not_of("0123456789.-") == std::string_view::npos;
}

std::optional<usb::DeviceInfo> FindUsbDevice(const UsbPaths& paths, const std::string& port_path) {
  if (!IsPortPath(port_path)) return std::nullopt;
  const fs::path folder = DevicesFolder(paths) / port_path;
  const auto vendor_id = ReadNumber(folder / "idVendor", 16);
  const auto product_id = ReadNumber(folder / "idProduct", 16);
  const auto bus_number = ReadNumber(folder / "busnum", 10);
  const auto address = ReadNumber(folder / "devnum", 10);
  const auto speed = ReadLine(folder / "speed");
  if (!vendor_id || !product_id || !bus_number || !address || !speed) return std::nullopt;
  return usb::DeviceInfo{.id = {port_path},
                         .vendor_id = static_cast<uint16_t>(*vendor_id),
                         .product_id = static_cast<uint16_t>(*product_id),
                         .bus_number = static_cast<uint8_t>(*bus_number),
                         .address = static_cast<uint8_t>(*address),
                         .speed = SpeedOf(*speed)};
}

std::vector<usb::DeviceInfo> ListUsbDevices(const UsbPaths& paths) {
  std::vector<usb::DeviceInfo> devices;
  for (const std::string& name : ListNames(DevicesFolder(paths))) {
    if (std::optional<usb::DeviceInfo> info = FindUsbDevice(paths, name)) {
      devices.push_back(std::move(*info));
    }
  }
  std::sort(devices.begin(), devices.end(), [](const auto& left, const auto& right) {
    return std::pair(left.bus_number, left.address) < std::pair(right.bus_number, right.address);
  });
  return devices;
}

std::string NodePath(const UsbPaths& paths, const usb::DeviceInfo& info) {
  const auto digits = [](uint8_t number) {
    const std::string text = std::to_string(number);
    return std::string(3 - text.size(), '0') + text;
  };
  return paths.nodes + "/" + digits(info.bus_number) + "/" + digits(info.address);
}

std::optional<uint8_t> ActiveConfiguration(const UsbPaths& paths, const std::string& port_path) {
  if (!IsPortPath(port_path)) return std::nullopt;
  const fs::path path = DevicesFolder(paths) / port_path / "bConfigurationValue";
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  // The line is empty in a device without a configuration.
  return static_cast<uint8_t>(ReadNumber(path, 10).value_or(0));
}

std::vector<BoundInterface> ListBoundInterfaces(const UsbPaths& paths,
                                                const std::string& port_path) {
  std::vector<BoundInterface> bound;
  if (!IsPortPath(port_path)) return bound;
  const fs::path device = DevicesFolder(paths) / port_path;
  for (const std::string& name : ListNames(device)) {
    if (name.find(':') == std::string::npos) continue;
    const auto number = ReadNumber(device / name / "bInterfaceNumber", 16);
    std::error_code error;
    const fs::path driver = fs::read_symlink(device / name / "driver", error);
    if (!number || error) continue;
    bound.push_back({static_cast<uint8_t>(*number), driver.filename().string()});
  }
  std::sort(bound.begin(), bound.end(),
            [](const auto& left, const auto& right) { return left.number < right.number; });
  return bound;
}

std::vector<std::string> ListUses(const UsbPaths& paths, const std::string& port_path,
                                  uint8_t interface) {
  const std::optional<fs::path> folder = FindInterface(paths, port_path, interface);
  if (!folder) return {};
  std::vector<std::string> uses;
  const fs::path blocks = fs::path(paths.sysfs) / "class/block";
  const MountTable mounts = MountTable::Read(paths.proc);
  // Grows while it is walked: partitions, and what is built on top of them.
  std::vector<std::string> names = ListDisks(*folder);
  for (size_t index = 0; index < names.size() && names.size() < kEntriesMax; ++index) {
    const std::string name = names[index];
    const auto add = [&names](const std::string& more) {
      if (std::find(names.begin(), names.end(), more) == names.end()) names.push_back(more);
    };
    for (const std::string& below : ListNames(blocks / name)) {
      std::error_code error;
      if (fs::exists(blocks / name / below / "partition", error)) add(below);
    }
    for (const std::string& holder : ListNames(blocks / name / "holders")) {
      uses.push_back(Printable(name + " is part of " + holder));
      add(holder);
    }
    const std::string number = ReadLine(blocks / name / "dev").value_or("");
    for (const std::string& place : mounts.PlacesOf({.name = name, .number = number})) {
      uses.push_back(Printable(name + " is mounted on " + place));
    }
    if (mounts.IsSwap(name)) uses.push_back(Printable(name + " is swap space"));
  }
  return uses;
}

}  // namespace usbtwin::os
