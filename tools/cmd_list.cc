// usbtwin list: asks any USB/IP server what it has.
#include <fmt/format.h>

#include "app/device_string.h"
#include "app/run.h"
#include "async/usbip_bus.h"
#include "base/text.h"
#include "os/console.h"
#include "os/system.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/json_text.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

struct ListOptions {
  std::string remote;
  int timeout_ms = 10'000;
  bool json = false;
};

int RunList(const ListOptions& options) {
  const Result<std::string, Failure> address = app::ParseServer(options.remote);
  if (!address) return Fail("list", address.error(), options.json);
  const auto system = os::MakeSystem();
  std::string why;
  const Result<std::vector<usbip::Device>> devices =
      app::Run(*system, async::ListDevices(system->sockets(), *address,
                                           std::chrono::milliseconds(options.timeout_ms), why));
  if (!devices) {
    const std::string text = why.empty() ? devices.error().Describe() : why;
    return Fail("list", {Failure::Kind::kCannotOpen, Printable(*address) + ": " + text},
                options.json);
  }
  Json json = JsonHead("usbtwin list");
  json["devices"] = Json::array();
  std::string text;
  for (const usbip::Device& device : *devices) {
    Json item;
    item["bus_id"] = device.bus_id;
    item["path"] = device.path;
    item["vendor_id"] = HexId(device.vendor_id);
    item["product_id"] = HexId(device.product_id);
    item["speed"] = usb::Name(device.speed);
    item["interfaces"] = Json::array();
    std::string interfaces;
    for (const wire::usbip::InterfaceRecord& one : device.interfaces) {
      const std::string triple = fmt::format("{:02x}/{:02x}/{:02x}", one.interface_class,
                                             one.interface_subclass, one.interface_protocol);
      interfaces += (interfaces.empty() ? "" : " ") + triple;
      item["interfaces"].push_back(triple);
    }
    json["devices"].push_back(std::move(item));
    text += fmt::format("{:10} {:04x}:{:04x} {:10} {:20} {}\n", Printable(device.bus_id),
                        device.vendor_id, device.product_id, usb::Name(device.speed), interfaces,
                        Printable(device.path));
  }
  if (text.empty()) text = "the server exports no device\n";
  const auto printed = os::PrintOutput(options.json ? JsonText(json) : text);
  return printed ? kExitGood : Fail("list", printed.error());
}

}  // namespace

void AddListVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<ListOptions>(
      cli, chosen, "list", "the devices of a USB/IP server",
      [](CLI::App& verb, ListOptions& options) {
        verb.add_option("--remote,-r", options.remote,
                        "the server: HOST, HOST:PORT, [IPv6]:PORT or unix:PATH")
            ->required()
            ->type_name("HOST");
        verb.add_option("--timeout-ms", options.timeout_ms, "milliseconds, default 10000")
            ->check(NumberFrom(1, 86'400'000))
            ->type_name("MS");
        verb.add_flag("--json", options.json, "the same as one JSON object");
      },
      RunList);
}

}  // namespace usbtwin::tools
