// usbtwin ports and usbtwin detach: what is plugged into the virtual ports of this system's kernel,
// by usbtwin attach or by anybody else, and taking it out.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "os/console.h"
#include "os/system.h"
#include "os/virtual_ports.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/json_text.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using os::PortState;
using os::VirtualPort;

struct PortsOptions {
  bool json = false;
  bool all = false;
};

struct DetachOptions {
  std::vector<uint32_t> ports;
  bool all = false;
};

bool HasDevice(const VirtualPort& port) {
  return port.state != PortState::kFree && port.state != PortState::kNotReady;
}

std::string DeviceIdText(const VirtualPort& port) {
  return fmt::format("{}:{}", port.device_id >> 16, port.device_id & 0xffff);
}

std::string SpeedText(const VirtualPort& port) {
  return port.speed ? usb::Name(*port.speed) : "unknown";
}

std::string RowText(const os::VirtualPorts& ports, const VirtualPort& port) {
  std::string text =
      fmt::format("{:>4}  {:<3}  {:<9}", port.number, os::Name(port.hub), os::Name(port.state));
  if (port.state == PortState::kUsed) {
    text += fmt::format("  {:<10}  {:<9}  {:<8}", SpeedText(port), DeviceIdText(port), port.name);
    if (const auto device = ports.Find(port.name)) {
      text += fmt::format("  {:04x}:{:04x}  {}", device->vendor_id, device->product_id,
                          Printable(device->manufacturer + " " + device->product));
    }
    if (!port.origin.empty()) text += "  (" + Printable(port.origin) + ")";
  }
  return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
}

std::string PortsText(const os::VirtualPorts& ports, const std::vector<VirtualPort>& all,
                      bool with_free) {
  std::string rows;
  std::string summary;
  for (const VirtualPort& port : all) {
    if (with_free || HasDevice(port)) rows += RowText(ports, port);
  }
  for (const os::PortHub hub : {os::PortHub::kHigh, os::PortHub::kSuper}) {
    const auto count = [&](bool free_alone) {
      return std::count_if(all.begin(), all.end(), [&](const VirtualPort& port) {
        return port.hub == hub && (!free_alone || port.state == PortState::kFree);
      });
    };
    if (count(false) == 0) continue;
    summary += fmt::format("{}{} of {} {} ports are free", summary.empty() ? "" : ", ", count(true),
                           count(false), os::Name(hub));
  }
  const std::string head = "port  hub  state      speed       exported   device    id\n";
  return (rows.empty() ? "" : head + rows) + summary + "\n";
}

Json PortJson(const os::VirtualPorts& ports, const VirtualPort& port) {
  Json json;
  json["port"] = port.number;
  json["hub"] = os::Name(port.hub);
  json["state"] = os::Name(port.state);
  const bool used = port.state == PortState::kUsed;
  json["speed"] = used && port.speed ? Json(usb::Name(*port.speed)) : Json(nullptr);
  json["device_id"] = used ? Json(port.device_id) : Json(nullptr);
  json["name"] = used ? Json(port.name) : Json(nullptr);
  json["origin"] = port.origin.empty() ? Json(nullptr) : Json(port.origin);
  const auto device = used ? ports.Find(port.name) : std::nullopt;
  json["vendor_id"] = device ? Json(HexId(device->vendor_id)) : Json(nullptr);
  json["product_id"] = device ? Json(HexId(device->product_id)) : Json(nullptr);
  json["manufacturer"] = device ? Json(device->manufacturer) : Json(nullptr);
  json["product"] = device ? Json(device->product) : Json(nullptr);
  json["serial"] = device ? Json(device->serial) : Json(nullptr);
  return json;
}

int RunPorts(const PortsOptions& options) {
  const std::unique_ptr<app::System> system = os::MakeSystem();
  const std::unique_ptr<os::VirtualPorts> ports = os::MakeVirtualPorts(*system);
  const auto all = ports->List();
  if (!all) return Fail("ports", all.error(), options.json);
  std::string text;
  if (options.json) {
    Json json = JsonHead("usbtwin ports");
    json["ports"] = Json::array();
    for (const VirtualPort& port : *all) json["ports"].push_back(PortJson(*ports, port));
    text = JsonText(json);
  } else {
    text = PortsText(*ports, *all, options.all);
  }
  const Result<void, Failure> printed = os::PrintOutput(text);
  return printed ? kExitGood : Fail("ports", printed.error());
}

// Every port is tried; the first thing that went wrong decides the exit status.
int Detach(app::System& system, os::VirtualPorts& ports, const std::vector<uint32_t>& numbers) {
  int status = kExitGood;
  std::vector<uint32_t> asked;
  const auto check = [&status](const Result<void, Failure>& done) {
    if (done) return true;
    const int failed = Fail("detach", done.error());
    if (status == kExitGood) status = failed;
    return false;
  };
  for (const uint32_t number : numbers) {
    if (check(ports.Unplug(number))) asked.push_back(number);
  }
  for (const uint32_t number : asked) (void)check(os::WaitUntilFree(system, ports, number));
  return status;
}

int RunDetach(const DetachOptions& options) {
  if (options.all == !options.ports.empty()) {
    return Fail("detach", {Failure::Kind::kUsage,
                           "name the ports to detach, or write --all; usbtwin ports lists them"});
  }
  const std::unique_ptr<app::System> system = os::MakeSystem();
  const std::unique_ptr<os::VirtualPorts> ports = os::MakeVirtualPorts(*system);
  std::vector<uint32_t> numbers = options.ports;
  if (options.all) {
    const auto all = ports->List();
    if (!all) return Fail("detach", all.error());
    for (const VirtualPort& port : *all) {
      if (HasDevice(port)) numbers.push_back(port.number);
    }
  }
  return Detach(*system, *ports, numbers);
}

}  // namespace

void AddPortsVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<PortsOptions>(
      cli, chosen, "ports", "list what is plugged into this kernel's virtual USB ports",
      [](CLI::App& verb, PortsOptions& options) {
        verb.add_flag("--all", options.all, "free ports as well");
        verb.add_flag("--json", options.json, "all ports as one JSON object");
        verb.footer(
            "hub: hs takes every speed below SuperSpeed, ss the others. state: attached, the\n"
            "kernel is still reading the device; used, it has; broken, the connection was lost.\n"
            "exported: bus and device number at the other end. device: its name in this kernel,\n"
            "below /sys/bus/usb/devices. In brackets: the server it was imported from, if usbtwin\n"
            "attach or usbip attach did that. The numbers are those of \"usbtwin detach\".");
      },
      RunPorts);
}

void AddDetachVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<DetachOptions>(
      cli, chosen, "detach", "take devices out of this kernel's virtual USB ports",
      [](CLI::App& verb, DetachOptions& options) {
        verb.add_option("PORT", options.ports, "numbers as usbtwin ports lists them")
            ->check(NumberFrom(0, 1e6));
        verb.add_flag("--all", options.all, "whatever is plugged in");
        verb.footer(
            "The drivers are taken off the devices first, so a disk's cache is flushed; what is\n"
            "still mounted is cut off, so unmount it before. Waits until the ports are free; a\n"
            "usbtwin attach that served one of them ends. Takes root.");
      },
      RunDetach);
}

}  // namespace usbtwin::tools
