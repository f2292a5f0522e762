#include "app/config.h"

#include <algorithm>

#include "app/size.h"
#include "app/toml_reader.h"
#include "base/text.h"
#include "emulator/memory_store.h"
#include "usb/string_descriptor.h"

namespace usbtwin::app {
namespace {

using emulator::ConfigurationProfile;
using emulator::DeviceOptions;
using emulator::DiskOptions;
using emulator::FunctionProfile;
using emulator::Profile;
using emulator::UnitProfile;
using usb::Speed;

template <class T, class U>
void Assign(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

// A version such as "2.1" as binary-coded decimal: 0210h.
void ReadVersion(const TomlTable& table, std::string_view key, std::optional<uint16_t>& target) {
  const std::optional<std::string> text = table.Text(key);
  if (!text) return;
  const std::string_view whole = *text;
  const size_t dot = whole.find('.');
  const std::string_view major = whole.substr(0, dot);
  const std::string_view minor =
      dot == std::string_view::npos ? std::string_view() : whole.substr(dot + 1);
  const auto digits = [](std::string_view part) {
    return part.size() >= 1 && part.size() <= 2 &&
           part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!digits(major) || !digits(minor)) {
    return table.Fail(key, Quote(*text) + " is no version such as \"2.0\" or \"1.05\"");
  }
  unsigned version = 0;
  for (const char digit : major) version = version << 4 | static_cast<unsigned>(digit - '0');
  for (size_t index = 0; index < 2; ++index) {
    const char digit = index < minor.size() ? minor[index] : '0';
    version = version << 4 | static_cast<unsigned>(digit - '0');
  }
  target = static_cast<uint16_t>(version);
}

// Text that becomes a string descriptor.
void ReadString(const TomlTable& table, std::string_view key, std::string& target) {
  std::optional<std::string> text = table.Text(key);
  if (!text) return;
  const Result<std::vector<uint8_t>> descriptor = usb::MakeStringDescriptor(*text);
  if (!descriptor) {
    return table.Fail(key, std::to_string(descriptor.error().values[0]) +
                               " characters, at most 126 fit into a string descriptor");
  }
  target = std::move(*text);
}

// Text that becomes a field of an INQUIRY. SPC-4, 4.3.1: printable ASCII.
void ReadInquiryText(const TomlTable& table, std::string_view key, size_t length_max,
                     std::string& target) {
  std::optional<std::string> text = table.Text(key);
  if (!text) return;
  const bool printable = std::all_of(text->begin(), text->end(),
                                     [](char letter) { return letter >= 0x20 && letter <= 0x7e; });
  if (!printable || text->size() > length_max) {
    return table.Fail(key, Quote(*text) + " is not at most " + std::to_string(length_max) +
                               " printable ASCII characters");
  }
  target = std::move(*text);
}

void ReadSpeed(const TomlTable& table, Profile& profile) {
  constexpr std::array<Speed, 5> kSpeeds{Speed::kLow, Speed::kFull, Speed::kHigh, Speed::kSuper,
                                         Speed::kSuperPlus};
  const std::optional<size_t> choice =
      table.Choice("speed", {"low", "full", "high", "super", "super-plus"});
  if (choice) profile.speed = kSpeeds[*choice];
  // USB 2.0, 5.8.3.
  if (profile.speed == Speed::kLow) {
    table.Fail("speed", "its functions need endpoints of kinds that there are from full speed on");
  }
  profile.device.speeds = emulator::SpeedsUpTo(profile.speed);
}

void ReadDevice(TomlFile& file, const toml::table& source, Profile& profile) {
  const TomlTable table(
      file, source, "device",
      {"vendor_id", "product_id", "version", "usb_version", "manufacturer", "product", "serial",
       "self_powered", "remote_wakeup", "power_ma", "quirks"});
  DeviceOptions& device = profile.device;
  Assign(device.vendor_id, table.Integer("vendor_id", {0, 0xffff}));
  Assign(device.product_id, table.Integer("product_id", {0, 0xffff}));
  std::optional<uint16_t> version;
  ReadVersion(table, "version", version);
  Assign(device.device_version, version);
  ReadVersion(table, "usb_version", device.usb_version);
  const bool super_speed = profile.speed >= Speed::kSuper;
  const uint16_t version_min = profile.speed == Speed::kSuperPlus ? 0x0310 : 0x0300;
  if (super_speed && device.usb_version && *device.usb_version < version_min) {
    table.Fail("usb_version", Quote(*table.Text("usb_version")) + " is below \"" +
                                  (version_min == 0x0310 ? "3.1" : "3.0") + "\", which speed \"" +
                                  Name(profile.speed) + "\" needs");
  }
  ReadString(table, "manufacturer", device.manufacturer);
  ReadString(table, "product", device.product);
  ReadString(table, "serial", device.serial);
  Assign(device.self_powered, table.Boolean("self_powered"));
  Assign(device.remote_wakeup, table.Boolean("remote_wakeup"));
  Assign(device.power_ma, table.Integer("power_ma", {0, super_speed ? 900 : 500}));
  for (const size_t quirk : table.Choices("quirks", {"no_language_table"})) {
    if (quirk == 0) device.no_language_table = true;
  }
}

// A path as written is relative to the profile's folder.
std::string ImagePath(const std::string& written, const std::string& profile_path) {
  const size_t slash = profile_path.rfind('/');
  if (written.starts_with('/') || slash == std::string::npos) return written;
  return profile_path.substr(0, slash + 1) + written;
}

void ReadUnit(TomlFile& file, const toml::table& source, ProfileFile& target) {
  const TomlTable table(file, source, "unit",
                        {"image", "size", "block_size", "vendor", "product", "revision", "serial",
                         "removable", "read_only", "write_cache"});
  UnitProfile unit;
  DiskOptions& disk = unit.disk;
  const uint64_t block_size = table.Size("block_size").value_or(disk.block_size);
  if (block_size == 512 || block_size == 4096) {
    disk.block_size = static_cast<uint32_t>(block_size);
  } else {
    table.Fail("block_size", std::to_string(block_size) + " is not one of 512, 4096");
  }
  const std::optional<std::string> image = table.Text("image");
  const std::optional<uint64_t> size = table.Size("size");
  if (table.Has("image") == table.Has("size")) {
    table.Fail("size", table.Has("image") ? "an image is as long as its file: give one of the two"
                                          : "missing, and so is 'unit.image': give one of the two");
  }
  if (image) {
    if (image->empty()) table.Fail("image", "\"\" is no file");
    unit.image_path = ImagePath(*image, file.path);
  }
  if (size) {
    unit.size = *size;
    if (*size == 0 || *size % disk.block_size != 0) {
      table.Fail("size", Count(*size, "byte") + (*size == 1 ? " is" : " are") +
                             " not a whole number of blocks of " + std::to_string(disk.block_size));
    } else if (*size > emulator::MemoryStore::kSizeMax) {
      table.Fail("size", DescribeSize(*size) + " are more than the " +
                             DescribeSize(emulator::MemoryStore::kSizeMax) +
                             " memory can stand for");
    }
  }
  ReadInquiryText(table, "vendor", 8, disk.vendor);
  ReadInquiryText(table, "product", 16, disk.product);
  ReadInquiryText(table, "revision", 4, disk.revision);
  ReadInquiryText(table, "serial", 64, disk.serial);
  Assign(disk.removable, table.Boolean("removable"));
  Assign(disk.read_only, table.Boolean("read_only"));
  Assign(disk.write_cache, table.Boolean("write_cache"));
  target.profile.units.push_back(std::move(unit));
  target.image_places.push_back(image ? table.Place("image") : "");
}

ConfigurationProfile& ConfigurationOf(Profile& profile, uint8_t value) {
  for (ConfigurationProfile& known : profile.configurations) {
    if (known.value == value) return known;
  }
  profile.configurations.push_back({.value = value});
  return profile.configurations.back();
}

// Of each direction.
unsigned EndpointsOf(const FunctionProfile& function) {
  return function.kind == FunctionProfile::Kind::kUas ? 2 : 1;
}

void AddFunction(const TomlTable& table, FunctionProfile function, Profile& profile) {
  const int64_t value = table.Integer("configuration", {1, 255}).value_or(1);
  auto& functions = ConfigurationOf(profile, static_cast<uint8_t>(value)).functions;
  functions.push_back(std::move(function));
  unsigned endpoints = 0;
  for (const FunctionProfile& each : functions) endpoints += EndpointsOf(each);
  if (endpoints > Profile::kEndpointsMax) {
    table.Fail("kind", Count(functions.size(), "function") + " of configuration " +
                           std::to_string(value) + " have " + std::to_string(endpoints) +
                           " endpoints in each direction, and a device at most " +
                           std::to_string(Profile::kEndpointsMax));
  }
}

void ReadStorageFunction(TomlFile& file, const toml::table& source, Profile& profile) {
  const TomlTable table(file, source, "function",
                        {"kind", "class", "units", "name", "quirks", "configuration"});
  FunctionProfile function;
  const std::optional<size_t> kind = table.Choice("kind", {"bot", "uas", "iso-loopback"});
  if (kind == 1u) function.kind = FunctionProfile::Kind::kUas;
  const std::optional<size_t> choice = table.Choice("class", {"mass-storage", "vendor"});
  if (choice == 1u) function.interface_class = 0xff;
  ReadString(table, "name", function.name);
  const auto unit_last = static_cast<int64_t>(profile.units.size()) - 1;
  if (const auto units = table.Integers("units", {0, unit_last})) {
    if (units->empty()) table.Fail("units", "[] names no unit, at least one is needed");
    for (const int64_t unit : *units) function.units.push_back(static_cast<size_t>(unit));
  } else {
    for (size_t unit = 0; unit < profile.units.size(); ++unit) function.units.push_back(unit);
  }
  for (const size_t quirk :
       table.Choices("quirks", {"max_lun_stall", "wrong_residue", "wrong_tag", "odd_signature"})) {
    if (quirk == 0) function.quirks.max_lun_stall = true;
    if (quirk == 1) function.quirks.wrong_residue = true;
    if (quirk == 2) function.quirks.wrong_tag = true;
    if (quirk == 3) function.quirks.odd_signature = true;
  }
  // BOT 1.0, 3.2: a device with several units must answer.
  if (function.quirks.max_lun_stall && function.units.size() > 1) {
    table.Fail("quirks", "\"max_lun_stall\" is for a function with one unit, this one has " +
                             std::to_string(function.units.size()));
  }
  AddFunction(table, std::move(function), profile);
}

void ReadIsoLoopback(TomlFile& file, const toml::table& source, Profile& profile) {
  const TomlTable table(
      file, source, "function",
      {"kind", "packet_size", "transactions", "interval", "name", "configuration"});
  FunctionProfile function{.kind = FunctionProfile::Kind::kIsoLoopback};
  emulator::IsoLoopbackOptions& options = function.iso_loopback;
  const bool full_speed = profile.speed == Speed::kFull;
  Assign(options.packet_size,
         table.Integer("packet_size", {emulator::kIsoPacketSizeMin,
                                       full_speed ? emulator::kIsoPacketSizeMaxFullSpeed
                                                  : emulator::kIsoPacketSizeMax}));
  Assign(options.transactions,
         table.Integer("transactions", {1, full_speed ? 1 : emulator::kIsoTransactionsMax}));
  const uint16_t packet_size_min = emulator::IsoPacketSizeMin(options.transactions);
  if (options.packet_size < packet_size_min) {
    table.Fail("packet_size", Count(options.packet_size, "byte") + ", but an endpoint with " +
                                  std::to_string(options.transactions) +
                                  " packets in an interval has at least " +
                                  std::to_string(packet_size_min) + " in each");
  }
  Assign(options.interval, table.Integer("interval", {1, 16}));
  ReadString(table, "name", options.name);
  AddFunction(table, std::move(function), profile);
}

// Whatever else it says is judged by who reads it.
bool IsIsoLoopback(const toml::table& function) {
  return function["kind"].value<std::string_view>() == "iso-loopback";
}

void ReadConfiguration(TomlFile& file, const toml::table& source, Profile& profile) {
  const TomlTable table(file, source, "configuration", {"value", "name"});
  const std::optional<int64_t> value = table.Integer("value", {1, 255});
  if (!table.Has("value")) return table.Fail("value", "missing; 1 to 255 are possible");
  if (!value) return;
  for (ConfigurationProfile& configuration : profile.configurations) {
    if (configuration.value != *value) continue;
    return ReadString(table, "name", configuration.name);
  }
  table.Fail("value", "no function has configuration = " + std::to_string(*value));
}

void ReadTables(TomlFile& file, const toml::table& source, ProfileFile& target) {
  Profile& profile = target.profile;
  const TomlTable table(file, source, "", {"speed", "device", "unit", "function", "configuration"});
  ReadSpeed(table, profile);
  if (const toml::table* device = table.Table("device")) ReadDevice(file, *device, profile);
  const std::vector<const toml::table*> functions = table.Tables("function");
  const bool needs_units = functions.empty() || !std::all_of(functions.begin(), functions.end(),
                                                             [](const toml::table* function) {
                                                               return IsIsoLoopback(*function);
                                                             });
  const std::vector<const toml::table*> units = table.Tables("unit");
  if ((units.empty() && needs_units) || units.size() > Profile::kUnitsMax) {
    table.Fail("unit", std::to_string(units.size()) + " tables [[unit]], " +
                           (needs_units ? "1 to " : "at most ") +
                           std::to_string(Profile::kUnitsMax) + " are possible");
  }
  for (const toml::table* unit : units) ReadUnit(file, *unit, target);
  if (functions.size() > Profile::kFunctionsMax) {
    table.Fail("function", std::to_string(functions.size()) + " tables [[function]], at most " +
                               std::to_string(Profile::kFunctionsMax) + " are possible");
  }
  for (const toml::table* function : functions) {
    if (IsIsoLoopback(*function)) {
      ReadIsoLoopback(file, *function, profile);
    } else {
      ReadStorageFunction(file, *function, profile);
    }
  }
  if (functions.empty()) ReadStorageFunction(file, toml::table(), profile);
  for (const toml::table* configuration : table.Tables("configuration")) {
    ReadConfiguration(file, *configuration, profile);
  }
}

}  // namespace

Result<ProfileFile, Failure> ParseProfileFile(std::string_view text, const std::string& path) {
  TomlFile file{.path = path, .failure = std::nullopt};
  ProfileFile target;
  const std::optional<toml::table> table = ParseToml(file, text);
  if (table) ReadTables(file, *table, target);
  if (file.failure) return *file.failure;
  return target;
}

Result<Profile, Failure> ParseProfile(std::string_view text, const std::string& path) {
  Result<ProfileFile, Failure> parsed = ParseProfileFile(text, path);
  if (!parsed) return parsed.error();
  return std::move(parsed->profile);
}

Result<ProfileFile, Failure> LoadProfile(System& system, const std::string& path) {
  const Result<std::vector<uint8_t>, Failure> bytes = system.ReadFile(path, kTomlLengthMax);
  if (!bytes) return bytes.error();
  return ParseProfileFile(std::string(bytes->begin(), bytes->end()), path);
}

}  // namespace usbtwin::app
