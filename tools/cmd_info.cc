// usbtwin info: what a device says about itself, as a tree: descriptors, and the logical units
// where it has storage. Text and JSON are made from the same values.
#include <fmt/format.h>

#include "app/run.h"
#include "app/size.h"
#include "base/text.h"
#include "os/console.h"
#include "tools/exit_status.h"
#include "tools/fault_report.h"
#include "tools/json_text.h"
#include "tools/open_device.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

struct Options {
  DeviceOptions device;
  bool json = false;
  bool no_storage = false;
};

// Names for the classes that matter to a person here; others are shown by number alone.
const char* ClassName(const usb::Alternate& alternate) {
  switch (alternate.interface_class) {
    case 0x01: return "audio";
    case 0x02: return "communications";
    case 0x03: return "human interface";
    case 0x07: return "printer";
    case 0x08:
      if (alternate.interface_protocol == 0x50) return "mass storage, Bulk-Only";
      if (alternate.interface_protocol == 0x62) return "mass storage, UAS";
      return "mass storage";
    case 0x09: return "hub";
    case 0x0a: return "communications data";
    case 0x0e: return "video";
    case 0xff: return "vendor specific";
    default: return "";
  }
}

Json EndpointJson(const usb::EndpointConfig& endpoint) {
  Json json;
  json["address"] = endpoint.address.value;
  json["direction"] = endpoint.address.is_in() ? "in" : "out";
  json["type"] = usb::Name(endpoint.type);
  json["packet_size_max"] = endpoint.packet_size_max;
  json["interval"] = endpoint.interval;
  json["burst_max"] = endpoint.burst_max;
  json["streams_max"] = endpoint.streams_max;
  json["pipe_usage"] = endpoint.pipe_usage;
  return json;
}

Json AlternateJson(const usb::Alternate& alternate) {
  Json json;
  json["setting"] = alternate.setting;
  json["class"] = alternate.interface_class;
  json["subclass"] = alternate.interface_subclass;
  json["protocol"] = alternate.interface_protocol;
  json["class_text"] = ClassName(alternate);
  json["endpoints"] = Json::array();
  for (const usb::EndpointConfig& endpoint : alternate.endpoints) {
    json["endpoints"].push_back(EndpointJson(endpoint));
  }
  return json;
}

Json Defects(const std::vector<Error>& defects) {
  Json json = Json::array();
  for (const Error& defect : defects) json.push_back(defect.Describe());
  return json;
}

Json ConfigurationJson(const usb::Configuration& configuration, usb::Speed speed) {
  Json json;
  json["value"] = configuration.value;
  json["self_powered"] = configuration.self_powered();
  json["remote_wakeup"] = configuration.remote_wakeup();
  json["power_ma"] = configuration.power_ma(speed);
  json["interfaces"] = Json::array();
  for (const usb::Interface& interface : configuration.interfaces) {
    Json entry;
    entry["number"] = interface.number;
    entry["alternates"] = Json::array();
    for (const usb::Alternate& alternate : interface.alternates) {
      entry["alternates"].push_back(AlternateJson(alternate));
    }
    json["interfaces"].push_back(entry);
  }
  json["defects"] = Defects(configuration.defects);
  return json;
}

Json Optional(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

Json DeviceJson(host::Session& session, const std::string& name) {
  const host::DeviceDescription& description = session.description();
  const wire::usb::DeviceDescriptor& device = description.device;
  const usb::Speed speed = session.caps().speed;
  Json json = JsonHead("usbtwin info");
  json["device"] = name;
  json["port_path"] = session.id().port_path;
  json["vendor_id"] = uint16_t{device.vendor_id};
  json["product_id"] = uint16_t{device.product_id};
  json["device_version"] = uint16_t{device.device_version};
  json["usb_version"] = uint16_t{device.usb_version};
  json["speed"] = usb::Name(speed);
  json["class"] = device.device_class;
  json["subclass"] = device.device_subclass;
  json["protocol"] = device.device_protocol;
  json["packet_size_max0"] = device.packet_size_max0;
  json["manufacturer"] = Optional(description.manufacturer);
  json["product"] = Optional(description.product);
  json["serial"] = Optional(description.serial);
  json["active_configuration"] = nullptr;
  json["configurations"] = Json::array();
  for (const host::ConfigurationDescription& configuration : description.configurations) {
    json["configurations"].push_back(ConfigurationJson(configuration.tree, speed));
  }
  json["defects"] = Defects(description.defects);
  json["storage"] = nullptr;
  return json;
}

// A drive without a medium has no capacity, and nothing is wrong with it.
bool IsEmpty(const host::BlockError& error) {
  constexpr uint8_t kMediumNotPresent = 0x3a;
  return error.kind == host::BlockError::Kind::kSense &&
         error.sense.key == scsi::SenseKey::kNotReady && error.sense.asc == kMediumNotPresent;
}

// `failure` receives the first thing that was wrong with storage.
Json UnitJson(OpenDevice& device, host::ScsiTransport& transport, uint8_t lun,
              std::optional<Failure>& failure) {
  host::BlockDevice blocks(transport, device.BlockOptions(lun));
  const host::BlockResult opened = app::Run(device.system(), blocks.Open());
  const host::BlockFacts& facts = blocks.facts();
  Json json;
  json["lun"] = lun;
  json["vendor"] = facts.vendor;
  json["product"] = facts.product;
  json["revision"] = facts.revision;
  json["peripheral_type"] = facts.peripheral_type;
  json["removable"] = facts.removable;
  json["block_size"] = opened ? Json(facts.block_size) : Json(nullptr);
  json["blocks_count"] = opened ? Json(facts.blocks_count) : Json(nullptr);
  json["error"] = opened ? Json(nullptr) : Json(opened.error().Describe());
  if (!opened && !IsEmpty(opened.error()) && !failure) {
    failure = FailureOf(opened.error());
    failure->text = "unit " + std::to_string(lun) + ": " + failure->text;
  }
  return json;
}

// The storage part of the tree; why it could not be opened, where the device has some.
Json StorageJson(OpenDevice& device, std::optional<int> lun_wanted,
                 std::optional<Failure>& failure) {
  Json json;
  const Result<host::ScsiTransport*, Failure> transport = device.OpenStorage();
  if (!transport) {
    failure = transport.error();
    json["error"] = failure->text;
    return json;
  }
  json["error"] = nullptr;
  json["transport"] = (*transport)->name();
  json["interface"] = device.session().storage().interface_number;
  json["defects"] = Defects(device.session().defects());
  json["units"] = Json::array();
  const uint8_t count = (*transport)->luns_count();
  if (lun_wanted && *lun_wanted >= count) {
    failure = Failure{Failure::Kind::kUsage,
                      fmt::format("--lun {}: the device has {}, the last one is {}", *lun_wanted,
                                  Count(count, "unit"), count - 1)};
    json["error"] = failure->text;
    return json;
  }
  for (uint8_t lun = 0; lun < count; ++lun) {
    if (lun_wanted && *lun_wanted != lun) continue;
    json["units"].push_back(UnitJson(device, **transport, lun, failure));
  }
  return json;
}

bool HasStorage(const host::DeviceDescription& description) {
  for (const host::ConfigurationDescription& configuration : description.configurations) {
    if (!usb::FindAlternates(configuration.tree, {.interface_class = 0x08}).empty()) return true;
    // A vendor-specific interface that says it carries SCSI.
    if (!usb::FindAlternates(configuration.tree,
                             {.interface_class = 0xff, .interface_subclass = 0x06})
             .empty()) {
      return true;
    }
  }
  return false;
}

// Text of a JSON value, "-" for null. A device's strings may hold anything.
std::string Text(const Json& json) {
  if (json.is_null()) return "-";
  return json.is_string() ? Printable(json.get<std::string>()) : json.dump();
}

std::string Version(const Json& json) {
  const uint16_t version = json.get<uint16_t>();
  return fmt::format("{:x}.{:02x}", version >> 8, version & 0xff);
}

void AppendAlternate(const Json& interface, const Json& alternate, std::string& text) {
  text += fmt::format("    interface {} alternate {}: {:02x}/{:02x}/{:02x} {}\n",
                      interface["number"].get<int>(), alternate["setting"].get<int>(),
                      alternate["class"].get<int>(), alternate["subclass"].get<int>(),
                      alternate["protocol"].get<int>(), Text(alternate["class_text"]));
  for (const Json& endpoint : alternate["endpoints"]) {
    text += fmt::format("      endpoint {:02x} {:<3} {}, {} bytes", endpoint["address"].get<int>(),
                        Text(endpoint["direction"]), Text(endpoint["type"]),
                        endpoint["packet_size_max"].get<int>());
    if (endpoint["burst_max"] != 0) {
      text += fmt::format(", bursts of {}", endpoint["burst_max"].get<int>() + 1);
    }
    if (endpoint["streams_max"] != 0) {
      text += fmt::format(", {} streams", endpoint["streams_max"].get<int>());
    }
    if (endpoint["interval"] != 0) text += fmt::format(", interval {}", Text(endpoint["interval"]));
    text += "\n";
  }
}

void AppendStorage(const Json& storage, std::string& text) {
  if (storage.is_null()) return;
  if (!storage["error"].is_null()) {
    text += fmt::format("  storage: {}\n", Text(storage["error"]));
    return;
  }
  text += fmt::format("  storage: {} on interface {}\n", Text(storage["transport"]),
                      storage["interface"].get<int>());
  for (const Json& defect : storage["defects"]) {
    text += fmt::format("    worked around: {}\n", Text(defect));
  }
  for (const Json& unit : storage["units"]) {
    text += fmt::format("    unit {}: {} {} {}{}", unit["lun"].get<int>(), Text(unit["vendor"]),
                        Text(unit["product"]), Text(unit["revision"]),
                        unit["removable"].get<bool>() ? ", removable" : "");
    if (unit["error"].is_null()) {
      const uint64_t blocks_count = unit["blocks_count"].get<uint64_t>();
      const uint64_t block_size = unit["block_size"].get<uint64_t>();
      text += fmt::format(", {} of {} bytes ({})\n", Count(blocks_count, "block"), block_size,
                          app::DescribeSize(blocks_count * block_size));
    } else {
      text += fmt::format(", no capacity: {}\n", Text(unit["error"]));
    }
  }
}

std::string TreeText(const Json& json) {
  std::string text =
      fmt::format("{} {:04x}:{:04x} {} {}, serial {}\n", Text(json["port_path"]),
                  json["vendor_id"].get<int>(), json["product_id"].get<int>(),
                  Text(json["manufacturer"]), Text(json["product"]), Text(json["serial"]));
  text += fmt::format("  USB {}, {} speed, device {}, class {:02x}/{:02x}/{:02x}\n",
                      Version(json["usb_version"]), Text(json["speed"]),
                      Version(json["device_version"]), json["class"].get<int>(),
                      json["subclass"].get<int>(), json["protocol"].get<int>());
  for (const Json& configuration : json["configurations"]) {
    const bool active = configuration["value"] == json["active_configuration"];
    text += fmt::format("  configuration {}{}: {} powered, {} mA\n",
                        configuration["value"].get<int>(), active ? " (active)" : "",
                        configuration["self_powered"].get<bool>() ? "self" : "bus",
                        configuration["power_ma"].get<int>());
    for (const Json& interface : configuration["interfaces"]) {
      for (const Json& alternate : interface["alternates"]) {
        AppendAlternate(interface, alternate, text);
      }
    }
    for (const Json& defect : configuration["defects"]) {
      text += fmt::format("    worked around: {}\n", Text(defect));
    }
  }
  for (const Json& defect : json["defects"]) {
    text += fmt::format("  worked around: {}\n", Text(defect));
  }
  AppendStorage(json["storage"], text);
  return text;
}

int RunInfo(const Options& options) {
  auto opened = OpenDevice::Open(options.device);
  if (!opened) return Fail("info", opened.error(), options.json);
  OpenDevice& device = **opened;
  Json json = DeviceJson(device.session(), options.device.device);
  std::optional<Failure> failure;  // of the storage; the rest is shown all the same
  if (!options.no_storage && HasStorage(device.session().description())) {
    json["storage"] = StorageJson(device, options.device.lun, failure);
  }
  // Opening the storage may have configured the device. 0 stands for "not configured".
  const std::optional<uint8_t> active = device.session().description().active_value;
  if (active.value_or(0) != 0) json["active_configuration"] = *active;
  AddFaultsJson(json, device.fault_counts(), device.recoveries());
  const std::string text = options.json ? JsonText(json) : TreeText(json);
  const Result<void, Failure> printed = os::PrintOutput(text);
  if (!printed) return Fail("info", printed.error());
  if (failure) return Fail("info", *failure);
  const Result<void, Failure> closed = device.Close();
  return closed ? kExitGood : Fail("info", closed.error());
}

}  // namespace

void AddInfoVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<Options>(
      cli, chosen, "info", "show a device's descriptors and logical units as a tree",
      [](CLI::App& verb, Options& options) {
        AddDeviceOptions(verb, options.device, true);
        verb.get_option("--lun")->description("this logical unit alone; default: all of them");
        verb.add_flag("--no-storage", options.no_storage,
                      "only descriptors: claim no interface, send no SCSI command");
        verb.add_flag("--json", options.json, "the same as one JSON object");
      },
      RunInfo);
}

}  // namespace usbtwin::tools
