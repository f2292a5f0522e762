#include "tools/info_text.h"

#include <fmt/format.h>

#include "app/size.h"
#include "base/text.h"

namespace usbtwin::tools {
namespace {

// Text of a JSON value, "-" where there is none. A device's strings may hold anything.
std::string Text(const Json& json) {
  if (json.is_null() || json == "") return "-";
  return json.is_string() ? Printable(json.get<std::string>()) : json.dump();
}

// A name of the device's, in quotation marks behind a blank; "" where it has none.
std::string NameText(const Json& name) {
  return name.is_null() ? "" : " " + Quote(name.get<std::string>());
}

std::string Version(const Json& json) {
  const uint16_t version = json.get<uint16_t>();
  return fmt::format("{:x}.{:02x}", version >> 8, version & 0xff);
}

void AppendAlternate(const Json& interface, const Json& alternate, std::string& text) {
  text += fmt::format("    interface {} alternate {}: {:02x}/{:02x}/{:02x} {}{}\n",
                      interface["number"].get<int>(), alternate["setting"].get<int>(),
                      alternate["class"].get<int>(), alternate["subclass"].get<int>(),
                      alternate["protocol"].get<int>(), Text(alternate["class_text"]),
                      NameText(alternate["name"]));
  for (const Json& endpoint : alternate["endpoints"]) {
    text += fmt::format("      endpoint {:02x} {:<3} {}, {} bytes", endpoint["address"].get<int>(),
                        Text(endpoint["direction"]), Text(endpoint["type"]),
                        endpoint["packet_size_max"].get<int>());
    if (endpoint["burst_max"] != 0) {
      text += fmt::format(", bursts of {}", endpoint["burst_max"].get<int>() + 1);
    }
    if (endpoint["transactions_extra"] != 0) {
      text += fmt::format(", {} in a microframe", endpoint["transactions_extra"].get<int>() + 1);
    }
    if (endpoint["bytes_per_interval"] != 0) {
      text += fmt::format(", {} in an interval", endpoint["bytes_per_interval"].get<int>());
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
    // What to do about it is told once, on standard error.
    const std::string error = storage["error"].get<std::string>();
    text += fmt::format("  storage: {}\n", Printable(error.substr(0, error.find('\n'))));
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

void AppendBos(const Json& bos, std::string& text) {
  if (bos.is_null()) return;
  if (!bos["error"].is_null()) {
    text += fmt::format("  BOS: {}\n", Text(bos["error"]));
    return;
  }
  text += fmt::format("  BOS: {}\n", Count(bos["bytes"].get<std::string>().size() / 3 + 1, "byte"));
  if (const Json& usb2 = bos["usb2"]; !usb2.is_null()) {
    text += fmt::format("    USB 2.0 extension: attributes {:08x}\n",
                        usb2["attributes"].get<uint32_t>());
  }
  if (const Json& super = bos["super_speed"]; !super.is_null()) {
    text += fmt::format(
        "    SuperSpeed: attributes {:02x}, speeds {:04x}, full function from speed {}, "
        "exit latency U1 {} us, U2 {} us\n",
        super["attributes"].get<int>(), super["speeds"].get<int>(),
        super["functional_from"].get<int>(), super["u1_exit_latency_us"].get<int>(),
        super["u2_exit_latency_us"].get<int>());
  }
  if (const Json& plus = bos["super_speed_plus"]; !plus.is_null()) {
    text += fmt::format("    SuperSpeedPlus: speed {} with {} in and {} out, {}\n",
                        plus["speed_id"].get<int>(), Count(plus["rx_lanes_min"].get<int>(), "lane"),
                        plus["tx_lanes_min"].get<int>(), Count(plus["sublinks"].size(), "sublink"));
    for (const Json& sublink : plus["sublinks"]) {
      text += fmt::format("      sublink {:08x}\n", sublink.get<uint32_t>());
    }
  }
  if (!bos["container_id"].is_null()) {
    text += fmt::format("    container {}\n", Text(bos["container_id"]));
  }
  for (const Json& other : bos["others"]) {
    text +=
        fmt::format("    capability {:02x}: {}\n", other["type"].get<int>(), Text(other["bytes"]));
  }
  for (const Json& defect : bos["defects"]) {
    text += fmt::format("    worked around: {}\n", Text(defect));
  }
}

}  // namespace

std::string TreeText(const Json& json) {
  std::string text =
      fmt::format("{} {}:{} {} {}, serial {}\n", Text(json["port_path"]), Text(json["vendor_id"]),
                  Text(json["product_id"]), Text(json["manufacturer"]), Text(json["product"]),
                  Text(json["serial"]));
  text += fmt::format("  USB {}, {} speed, device {}, class {:02x}/{:02x}/{:02x}\n",
                      Version(json["usb_version"]), Text(json["speed"]),
                      Version(json["device_version"]), json["class"].get<int>(),
                      json["subclass"].get<int>(), json["protocol"].get<int>());
  for (const Json& configuration : json["configurations"]) {
    const bool active = configuration["value"] == json["active_configuration"];
    text += fmt::format("  configuration {}{}{}: {} powered, {} mA\n",
                        configuration["value"].get<int>(), NameText(configuration["name"]),
                        active ? " (active)" : "",
                        configuration["self_powered"].get<bool>() ? "self" : "bus",
                        configuration["power_ma"].get<int>());
    for (const Json& function : configuration["functions"]) {
      text +=
          fmt::format("    function of interfaces {} to {}: {:02x}/{:02x}/{:02x}{}\n",
                      function["interface_first"].get<int>(), function["interface_last"].get<int>(),
                      function["class"].get<int>(), function["subclass"].get<int>(),
                      function["protocol"].get<int>(), NameText(function["name"]));
    }
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
  AppendBos(json["bos"], text);
  AppendStorage(json["storage"], text);
  return text;
}

}  // namespace usbtwin::tools
