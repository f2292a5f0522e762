// usbtwin info: what a device says about itself, as a tree: descriptors with the names they point
// to, on request the BOS, and the logical units where it has storage. It makes the JSON;
// info_text.h makes text of that.
#include <fmt/format.h>

#include <map>

#include "app/run.h"
#include "base/text.h"
#include "os/console.h"
#include "tools/exit_status.h"
#include "tools/fault_report.h"
#include "tools/info_text.h"
#include "tools/json_text.h"
#include "tools/open_device.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

struct Options {
  DeviceOptions device;
  bool json = false;
  bool no_storage = false;
  bool bos = false;
};

// The strings that descriptors point to, each read once. Null for one that is not there or cannot
// be read, which is a defect. After one that was not answered none is asked for: each would cost as
// much.
class Names {
 public:
  explicit Names(OpenDevice& device) : device_(device) {}

  Json Read(uint8_t index) {
    if (index == 0) return nullptr;
    const auto known = names_.find(index);
    if (known != names_.end()) return known->second;
    if (silent_) return nullptr;
    const Result<std::string> text =
        app::Run(device_.system(), device_.session().ReadString(index));
    if (!text) defects_.push_back(fmt::format("string {}: {}", index, text.error().Describe()));
    silent_ = !text && text.error().kind == ErrorKind::kTimedOut;
    return names_[index] = text ? Json(*text) : Json(nullptr);
  }
  const std::vector<std::string>& defects() const { return defects_; }

 private:
  OpenDevice& device_;
  std::map<uint8_t, Json> names_;
  std::vector<std::string> defects_;
  bool silent_ = false;
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
  json["transactions_extra"] = endpoint.transactions_extra;
  json["bytes_per_interval"] = endpoint.bytes_per_interval;
  return json;
}

Json AlternateJson(const usb::Alternate& alternate, Names& names) {
  Json json;
  json["setting"] = alternate.setting;
  json["name"] = names.Read(alternate.string_index);
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

Json FunctionJson(const usb::Association& association, Names& names) {
  Json json;
  json["interface_first"] = association.interface_first;
  json["interface_last"] = association.interface_first + association.interfaces_count - 1;
  json["name"] = names.Read(association.string_index);
  json["class"] = association.function_class;
  json["subclass"] = association.function_subclass;
  json["protocol"] = association.function_protocol;
  return json;
}

Json ConfigurationJson(const usb::Configuration& configuration, usb::Speed speed, Names& names) {
  Json json;
  json["value"] = configuration.value;
  json["name"] = names.Read(configuration.string_index);
  json["self_powered"] = configuration.self_powered();
  json["remote_wakeup"] = configuration.remote_wakeup();
  json["power_ma"] = configuration.power_ma(speed);
  json["functions"] = Json::array();
  json["interfaces"] = Json::array();
  for (const usb::Interface& interface : configuration.interfaces) {
    const auto& association = interface.association;
    if (association && association->interface_first == interface.number) {
      json["functions"].push_back(FunctionJson(*association, names));
    }
    Json entry;
    entry["number"] = interface.number;
    entry["alternates"] = Json::array();
    for (const usb::Alternate& alternate : interface.alternates) {
      entry["alternates"].push_back(AlternateJson(alternate, names));
    }
    json["interfaces"].push_back(entry);
  }
  json["defects"] = Defects(configuration.defects);
  return json;
}

Json Optional(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

std::string Uuid(const std::array<uint8_t, 16>& id) {
  // RFC 4122 with the first three fields in little-endian order, as in the descriptor.
  return fmt::format(
      "{:02x}{:02x}{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-"
      "{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}",
      id[3], id[2], id[1], id[0], id[5], id[4], id[7], id[6], id[8], id[9], id[10], id[11], id[12],
      id[13], id[14], id[15]);
}

Json SuperSpeedJson(const wire::usb::SuperSpeedCapability& capability) {
  Json json;
  json["attributes"] = capability.attributes;
  json["speeds"] = uint16_t{capability.speeds};
  json["functional_from"] = capability.functional_from;
  json["u1_exit_latency_us"] = capability.u1_exit_latency_us;
  json["u2_exit_latency_us"] = uint16_t{capability.u2_exit_latency_us};
  return json;
}

Json SuperSpeedPlusJson(const usb::SuperSpeedPlusInfo& info) {
  Json json;
  json["speed_id"] = info.speed_id;
  json["rx_lanes_min"] = info.rx_lanes_min;
  json["tx_lanes_min"] = info.tx_lanes_min;
  json["sublinks"] = info.sublinks;
  return json;
}

// A device without a BOS refuses the request, and nothing is wrong with it.
Json BosJson(OpenDevice& device, std::optional<Failure>& failure) {
  const Result<host::BosDescription> bos = app::Run(device.system(), device.session().ReadBos());
  Json json;
  json["error"] = nullptr;
  if (!bos) {
    json["error"] = bos.error().Describe();
    if (bos.error().kind != ErrorKind::kStalled) {
      failure = Failure{Failure::Kind::kTransport, "BOS: " + bos.error().Describe()};
    }
    return json;
  }
  const usb::BinaryObjectStore& store = bos->store;
  json["bytes"] = Hex(bos->bytes);
  json["usb2"] = nullptr;
  if (store.usb2_attributes) json["usb2"]["attributes"] = *store.usb2_attributes;
  json["super_speed"] = store.super_speed ? SuperSpeedJson(*store.super_speed) : Json(nullptr);
  json["super_speed_plus"] =
      store.super_speed_plus ? SuperSpeedPlusJson(*store.super_speed_plus) : Json(nullptr);
  json["container_id"] = store.container_id ? Json(Uuid(*store.container_id)) : Json(nullptr);
  json["others"] = Json::array();
  for (const usb::Capability& capability : store.others) {
    Json other;
    other["type"] = capability.type;
    other["bytes"] = Hex(capability.bytes);
    json["others"].push_back(other);
  }
  json["defects"] = Defects(store.defects);
  return json;
}

Json DeviceJson(OpenDevice& opened, const std::string& name) {
  host::Session& session = opened.session();
  Names names(opened);
  const host::DeviceDescription& description = session.description();
  const wire::usb::DeviceDescriptor& device = description.device;
  const usb::Speed speed = session.caps().speed;
  Json json = JsonHead("usbtwin info");
  json["device"] = name;
  json["port_path"] = session.id().port_path;
  json["vendor_id"] = HexId(device.vendor_id);
  json["product_id"] = HexId(device.product_id);
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
    json["configurations"].push_back(ConfigurationJson(configuration.tree, speed, names));
  }
  json["defects"] = Defects(description.defects);
  for (const std::string& defect : names.defects()) json["defects"].push_back(defect);
  json["bos"] = nullptr;
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
  json["error"] = opened ? Json(nullptr) : Json(FailureOf(opened.error()).text);
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

int RunInfo(const Options& options) {
  auto opened = OpenDevice::Open(options.device);
  if (!opened) return Fail("info", opened.error(), options.json);
  OpenDevice& device = **opened;
  Json json = DeviceJson(device, options.device.device);
  std::optional<Failure> failure;  // of BOS or storage; the rest is shown all the same
  if (options.bos) json["bos"] = BosJson(device, failure);
  if (!options.no_storage && HasStorage(device.session().description())) {
    json["storage"] = StorageJson(device, options.device.lun, failure);
  }
  // Opening the storage may have configured the device. 0 stands for "not configured".
  const std::optional<uint8_t> active = device.session().description().active_value;
  if (active.value_or(0) != 0) json["active_configuration"] = *active;
  const Result<void, Failure> closed = device.Close();
  AddFaultsJson(json, device.fault_counts(), device.recoveries());
  if (!closed && !failure) failure = closed.error();
  if (failure) SetError(json, *failure);
  const std::string text = options.json ? JsonText(json) : TreeText(json);
  const Result<void, Failure> printed = os::PrintOutput(text);
  if (!printed) return Fail("info", printed.error());
  return failure ? Fail("info", *failure) : kExitGood;
}

}  // namespace

void AddInfoVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<Options>(
      cli, chosen, "info", "show a device's descriptors and logical units as a tree",
      [](CLI::App& verb, Options& options) {
        AddDeviceOptions(verb, options.device, true);
        verb.get_option("--lun")->description("this logical unit alone; default: all of them");
        verb.add_flag("--bos", options.bos,
                      "read the BOS as well; unasked it is not, because that crashed a device");
        verb.add_flag("--no-storage", options.no_storage,
                      "only descriptors: claim no interface, send no SCSI command");
        verb.add_flag("--json", options.json, "the same as one JSON object");
      },
      RunInfo);
}

}  // namespace usbtwin::tools
