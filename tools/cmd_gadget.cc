// usbtwin gadget: presents a twin through a USB device controller of this machine, to a real host.
#include <fmt/format.h>

#include "app/presented_twin.h"
#include "base/text.h"
#include "os/console.h"
#include "os/gadget.h"
#include "os/system.h"
#include "tools/exit_status.h"
#include "tools/fault_report.h"
#include "tools/json_text.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

struct Options {
  std::string device;
  std::string udc;
  std::string driver;
  std::string faults_path;
  bool read_only = false;
  bool json = false;
};

Result<void, Failure> Announce(const Options& options, const os::GadgetPort& port,
                               const usb::DeviceInfo& info) {
  const std::string ids = fmt::format("{:04x}:{:04x}", info.vendor_id, info.product_id);
  if (!options.json) {
    os::PrintError(fmt::format("usbtwin gadget: {} at {} speed, presented by {}\n", ids,
                               usb::Name(info.speed), Printable(port.udc())));
    return {};
  }
  Json json = JsonHead("usbtwin gadget");
  json["ready"] = true;
  json["udc"] = port.udc();
  json["vendor_id"] = HexId(info.vendor_id);
  json["product_id"] = HexId(info.product_id);
  json["speed"] = usb::Name(info.speed);
  return os::PrintOutput(JsonLine(json));
}

// Whether a host elsewhere noticed a fault is not known, so nothing is said of it.
void TellFaults(const app::PresentedTwin& twin) {
  for (const app::FaultCount& fault : twin.fault_counts()) {
    os::PrintError(
        fmt::format("usbtwin gadget: fault {}: played {}\n", fault.kind, fault.injected));
    for (const std::string& place : fault.idle_places) {
      os::PrintError(
          fmt::format("usbtwin gadget: warning: {}: this {} never happened\n", place, fault.kind));
    }
  }
}

int RunGadget(const Options& options) {
  const auto system = os::MakeSystem();
  os::StopRequests stop(*system);
  std::unique_ptr<os::GadgetPort> port;
  const auto make_port = [&](usb::Speed speed) -> Result<emulator::Port*, Failure> {
    const os::GadgetOptions wanted{.udc = options.udc, .driver = options.driver, .speed = speed};
    auto made = os::MakeGadgetPort(*system, wanted);
    if (!made) return made.error();
    port = std::move(*made);
    return port.get();
  };
  const app::PresentOptions present{.faults_path = options.faults_path,
                                    .read_only = options.read_only};
  auto twin = app::PresentedTwin::Make(*system, options.device, present, make_port);
  if (!twin) return Fail("gadget", twin.error(), options.json);
  if (port->failure()) return Fail("gadget", *port->failure(), options.json);
  const Result<void, Failure> announced = Announce(options, *port, (*twin)->info());
  if (!announced) return Fail("gadget", announced.error());
  system->RunUntil([&] { return stop.asked() || port->failure().has_value(); });
  TellFaults(**twin);
  return port->failure() ? Fail("gadget", *port->failure()) : kExitGood;
}

}  // namespace

void AddGadgetVerb(CLI::App& cli, Chosen& chosen) {
  CLI::App* gadget = AddVerb<Options>(
      cli, chosen, "gadget", "be a device: present an emulated one through a USB device controller",
      [](CLI::App& verb, Options& options) {
        verb.add_option("DEVICE", options.device, "what to present; emulated devices only")
            ->required();
        verb.add_option("--udc", options.udc,
                        "USB device controller, a name in /sys/class/udc; default: the only one")
            ->type_name("NAME");
        verb.add_option("--driver", options.driver,
                        "what the controller's driver calls it; default: what the kernel says")
            ->type_name("NAME");
        verb.add_flag("--read-only", options.read_only, "disks say they are protected");
        verb.add_option("--faults", options.faults_path,
                        "play the faults of this TOML plan; those of units and stores")
            ->type_name("FILE");
        verb.add_flag("--json", options.json,
                      "one line with a JSON object when the device is there");
      },
      RunGadget);
  gadget->footer(
      "Examples:\n"
      "  usbtwin gadget emu:disk.img\n"
      "  usbtwin gadget emu:profile.toml --udc fe980000.usb\n"
      "  modprobe -a dummy_hcd raw_gadget && usbtwin gadget emu:disk.img --udc dummy_udc.0\n"
      "The host is whatever the controller is cabled to; dummy_udc is cabled to this machine. It\n"
      "needs Linux, /dev/raw-gadget (module raw_gadget) and usually root. Full and high speed; no\n"
      "SuperSpeed, no isochronous endpoints, no streams: raw-gadget has none. SIGINT and SIGTERM\n"
      "unplug the device and end the program. usbtwin --help lists devices and exit codes.");
}

}  // namespace usbtwin::tools
