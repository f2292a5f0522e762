// usbtwin info: what a device says about itself, as a tree: descriptors, and the logical units
// where it has storage. Text and JSON are made from the same values.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/run.h"
#include "app/size.h"
#include "os/console.h"
#include "tools/exit_status.h"
#include "tools/open_device.h"

namespace usbtwin::tools {
namespace {

using Json = nlohmann::ordered_json;
using app::Failure;
constexpr int kSchema = 1;

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
  json["defects"] = Json::array();
  for (const Error& defect : configuration.defects) json["defects"].push_back(defect.Describe());
  return json;
}

Json Optional(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

Json DeviceJson(host::Session& session, const std::string& name) {
  const host::DeviceDescription& description = session.description();
  const wire::usb::DeviceDescriptor& device = description.device;
  const usb::Speed speed = session.caps().speed;
  Json json;
  json["schema"] = kSchema;
  json["program"] = "usbtwin info";
  json["version"] = USBTWIN_VERSION;
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
  json["active_configuration"] =
      description.active_value ? Json(*description.active_value) : Json(nullptr);
  json["configurations"] = Json::array();
  for (const host::ConfigurationDescription& configuration : description.configurations) {
    json["configurations"].push_back(ConfigurationJson(configuration.tree, speed));
  }
  json["defects"] = Json::array();
  for (const Error& defect : description.defects) json["defects"].push_back(defect.Describe());
  json["storage"] = nullptr;
  return json;
}

Json UnitJson(OpenDevice& device, host::ScsiTransport& transport, uint8_t lun) {
  host::BlockDeviceOptions options;
  options.lun = lun;
  host::BlockDevice blocks(transport, options);
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
  return json;
}

// The storage part of the tree; why it could not be opened, where the device has some.
Json StorageJson(OpenDevice& device) {
  Json json;
  const Result<host::ScsiTransport*, Failure> transport = device.OpenStorage();
  if (!transport) {
    json["error"] = transport.error().text;
    return json;
  }
  json["error"] = nullptr;
  json["transport"] = (*transport)->name();
  json["interface"] = device.session().storage().interface_number;
  json["units"] = Json::array();
  for (uint8_t lun = 0; lun < (*transport)->luns_count(); ++lun) {
    json["units"].push_back(UnitJson(device, **transport, lun));
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

// Text of a JSON value, "-" for null. A device's strings may hold anything, so what could steer a
// terminal (C0 and C1 controls) is shown as a question mark.
std::string Text(const Json& json) {
  if (json.is_null()) return "-";
  if (!json.is_string()) return json.dump();
  std::string text;
  const std::string raw = json.get<std::string>();
  for (size_t index = 0; index < raw.size(); ++index) {
    const uint8_t byte = static_cast<uint8_t>(raw[index]);
    const uint8_t next = index + 1 < raw.size() ? static_cast<uint8_t>(raw[index + 1]) : 0;
    const bool is_c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    if (is_c1) ++index;
    text += byte < 0x20 || byte == 0x7f || is_c1 ? '?' : raw[index];
  }
  return text;
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
  for (const Json& unit : storage["units"]) {
    text += fmt::format("    unit {}: {} {} {}{}", unit["lun"].get<int>(), Text(unit["vendor"]),
                        Text(unit["product"]), Text(unit["revision"]),
                        unit["removable"].get<bool>() ? ", removable" : "");
    if (unit["error"].is_null()) {
      const uint64_t blocks_count = unit["blocks_count"].get<uint64_t>();
      const uint64_t block_size = unit["block_size"].get<uint64_t>();
      text += fmt::format(", {} blocks of {} bytes ({})\n", blocks_count, block_size,
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
  if (!opened) return Fail("info", opened.error());
  OpenDevice& device = **opened;
  Json json = DeviceJson(device.session(), options.device.device);
  if (!options.no_storage && HasStorage(device.session().description())) {
    json["storage"] = StorageJson(device);
  }
  const std::string text = options.json
                               ? json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                               : TreeText(json);
  const Result<void, Failure> printed = os::PrintOutput(text);
  if (!printed) return Fail("info", printed.error());
  const Result<void, Failure> closed = device.Close();
  return closed ? kExitGood : Fail("info", closed.error());
}

}  // namespace

void AddInfoVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<Options>(
      cli, chosen, "info", "show a device's descriptors and logical units as a tree",
      [](CLI::App& verb, Options& options) {
        AddDeviceOptions(verb, options.device, true);
        verb.add_flag("--no-storage", options.no_storage,
                      "only descriptors: claim no interface, send no SCSI command");
        verb.add_flag("--json", options.json, "the same as one JSON object");
      },
      RunInfo);
}

}  // namespace usbtwin::tools
