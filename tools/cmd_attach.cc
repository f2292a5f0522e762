// usbtwin attach: gives a device to this system's own kernel, over USB/IP. One of this machine is
// served over a pair of sockets, until somebody ends that: a signal, a detach, the kernel, the
// device itself. One of a USB/IP server is imported and its connection given to the kernel, which
// needs nobody in between then.
#include <fmt/format.h>

#include "app/export_device.h"
#include "app/run.h"
#include "async/usbip_bus.h"
#include "base/text.h"
#include "os/console.h"
#include "os/system.h"
#include "os/virtual_ports.h"
#include "tools/exit_status.h"
#include "tools/fault_report.h"
#include "tools/json_text.h"
#include "tools/open_device.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

constexpr char kBusId[] = "1-1";  // nobody but the kernel sees it, and it asks for none
constexpr Duration kImportLimit = std::chrono::seconds(10);  // to connect, to ask, to be answered
// For a kernel to read all descriptors. One that cannot tries for about that long.
constexpr Duration kKnownLimit = std::chrono::seconds(15);

struct Options {
  DeviceOptions device;
  bool json = false;
  bool verbose = false;

  // What is to be seen or spoilt on its way must come by here.
  bool stays_between() const {
    return !device.record_path.empty() || !device.faults_path.empty() || !device.throttle.empty() ||
           device.audit;
  }
};

// Our own kernel is trusted further than a peer: max_sectors of a disk can be raised there.
async::UsbIpLimits Limits() {
  async::UsbIpLimits limits;
  limits.urb_length_max = 16 << 20;
  limits.urb_bytes_max = 256 << 20;
  return limits;
}

void Say(const std::string& text) {
  os::PrintError("usbtwin attach: " + text + "\n");
}

// What became of a port: the kernel has read the device there, or nothing is there any more.
struct Seen {
  std::string name;  // in the kernel, or ""
  bool gone = false;
};

Seen LookAt(os::VirtualPorts& ports, uint32_t number) {
  const auto all = ports.List();
  if (!all) return {};
  for (const os::VirtualPort& port : *all) {
    if (port.number != number) continue;
    const bool known = port.state == os::PortState::kUsed && ports.Knows(port.name);
    const bool gone = port.state == os::PortState::kFree || port.state == os::PortState::kBroken;
    return {.name = known ? port.name : "", .gone = gone};
  }
  return {};
}

struct Place {
  uint32_t port = 0;
  std::string name;     // in the kernel, or ""
  bool served = false;  // by this program
};

Result<void, Failure> Print(const Options& options, const usbip::Device& device,
                            const Place& place) {
  if (place.name.empty()) Say("the kernel has not read the device yet; dmesg says why");
  if (options.json) {
    Json json = JsonHead("usbtwin attach");
    json["device"] = options.device.device;
    json["port"] = place.port;
    json["hub"] = os::Name(os::HubOf(device.speed));
    json["speed"] = usb::Name(device.speed);
    json["name"] = place.name.empty() ? Json(nullptr) : Json(place.name);
    json["vendor_id"] = HexId(device.vendor_id);
    json["product_id"] = HexId(device.product_id);
    json["served"] = place.served;
    return os::PrintOutput(JsonText(json));
  }
  std::string text = fmt::format("{} is in port {}", Printable(options.device.device), place.port);
  if (!place.name.empty()) text += fmt::format(", device {} of this kernel", place.name);
  text += fmt::format(": {:04x}:{:04x}, {} speed\n{}\"usbtwin detach {}\" takes it out.\n",
                      device.vendor_id, device.product_id, usb::Name(device.speed),
                      place.served ? "Ctrl-C or " : "", place.port);
  return os::PrintOutput(text);
}

// --- a device of a USB/IP server: the kernel gets the connection ---

Result<async::ImportedDevice, Failure> Import(app::System& system, const Options& options,
                                              const app::UsbIpDevice& far,
                                              const os::StopRequests& stop) {
  std::string why;
  auto imported = app::RunUnlessStopped(
      system,
      async::ImportDevice(system.sockets(), app::AddressOf(far), far.bus_id, kImportLimit, why),
      [&stop] { return stop.asked(); }, [] {});
  if (imported) return std::move(*imported);
  std::string text = "cannot open " + Printable(options.device.device) + ": ";
  text.append(imported.error().Describe());
  if (!why.empty()) text.append("\n").append(why);
  return Failure{Failure::Kind::kCannotOpen, std::move(text)};
}

Result<void, Failure> GiveAway(app::System& system, const Options& options,
                               const app::UsbIpDevice& far, const os::StopRequests& stop) {
  auto imported = Import(system, options, far, stop);
  if (stop.asked()) return {};  // the connection, if there is one, ends here
  if (!imported) return imported.error();
  const usbip::Device device = std::move(imported->device);
  const auto ports = os::MakeVirtualPorts(system);
  const Result<uint32_t, Failure> port = ports->Give(
      std::move(imported->socket), {.id = device.device_id(), .speed = device.speed}, far);
  if (!port) return port.error();
  Seen seen;
  (void)os::RunUntilOrLimit(system, kKnownLimit, [&] {
    seen = LookAt(*ports, *port);
    return !seen.name.empty() || seen.gone || stop.asked();
  });
  if (seen.gone) {
    return Failure{Failure::Kind::kTransport,
                   fmt::format("the kernel has let go of port {} again: the server broke the "
                               "connection or the protocol; dmesg says which",
                               *port)};
  }
  if (!stop.asked()) return Print(options, device, {.port = *port, .name = seen.name});
  const Result<void, Failure> unplugged = ports->Unplug(*port);
  if (!unplugged) return unplugged.error();
  return os::WaitUntilFree(system, *ports, *port);
}

// --- a device of this machine: this program serves it ---

class Attachment {
 public:
  Attachment(app::System& system, const Options& options, app::OpenedBus& opened)
      : system_(system),
        options_(options),
        opened_(opened),
        ports_(os::MakeVirtualPorts(system)),
        server_(system.clock(), Limits(), [&options](const std::string& line) {
          if (options.verbose) Say(line);
        }) {}
  ~Attachment() { StopServer(); }

  // Nothing is plugged in, and that is no failure, where a stop came first.
  Result<void, Failure> Plug(const os::StopRequests& stop);
  bool is_plugged() const { return is_plugged_; }
  Result<void, Failure> Tell(const os::StopRequests& stop);
  Result<void, Failure> Serve(const os::StopRequests& stop);

 private:
  bool ended() const { return server_.connections_count() == 0; }
  // Takes the device out of its port and ends all connections.
  Result<void, Failure> Unplug();
  void StopServer() {
    server_.Stop();
    CHECK(system_.RunUntil([this] { return server_.idle(); }));
  }
  // Why it ended by itself.
  Result<void, Failure> End() const;
  app::System& system_;
  const Options& options_;
  app::OpenedBus& opened_;
  const std::unique_ptr<os::VirtualPorts> ports_;
  async::UsbIpServer server_;
  usbip::Device device_;
  uint32_t port_ = 0;
  bool is_plugged_ = false;
};

Result<void, Failure> Attachment::Plug(const os::StopRequests& stop) {
  Result<async::UsbIpExport> exported = app::RunUnlessStopped(
      system_,
      app::DescribeExport(system_.clock(), opened_.bus(), opened_.device_id(), {.bus_id = kBusId}),
      [&stop] { return stop.asked(); }, [this] { opened_.GiveUp(); });
  if (stop.asked()) return {};
  if (!exported) return FailureOf(exported.error(), options_.device.device, opened_);
  device_ = exported->device;
  const Result<void> added = server_.Add(std::move(*exported));
  CHECK(added.has_value());
  Result<os::VirtualPorts::Plugged, Failure> plugged =
      ports_->Plug({.id = device_.device_id(), .speed = device_.speed});
  if (!plugged) return plugged.error();
  port_ = plugged->port;
  const Result<void> attached = server_.Attach(kBusId, std::move(plugged->socket));
  CHECK(attached.has_value());
  is_plugged_ = true;
  return {};
}

// Waits until the kernel knows the device, and says where it is.
Result<void, Failure> Attachment::Tell(const os::StopRequests& stop) {
  std::string name;
  const bool looked = os::RunUntilOrLimit(system_, kKnownLimit, [&] {
    name = LookAt(*ports_, port_).name;
    return !name.empty() || ended() || stop.asked();
  });
  if (name.empty() && looked) return {};  // it is over already
  return Print(options_, device_, {.port = port_, .name = name, .served = true});
}

Result<void, Failure> Attachment::Serve(const os::StopRequests& stop) {
  CHECK(system_.RunUntil([&] { return stop.asked() || ended(); }));
  if (ended()) return End();
  return Unplug();
}

Result<void, Failure> Attachment::End() const {
  const async::UsbIpDeviceStatus status = server_.devices().front();
  if (!status.ended_by_peer) return Failure{Failure::Kind::kTransport, status.last_end};
  Say(fmt::format("the kernel has let go of port {} (a detach; or dmesg says why)", port_));
  return {};
}

Result<void, Failure> Attachment::Unplug() {
  // The device answers until the kernel is done with it.
  Result<void, Failure> unplugged = ports_->Unplug(port_);
  if (!unplugged && ended()) unplugged = {};  // somebody was faster
  if (unplugged) unplugged = os::WaitUntilFree(system_, *ports_, port_);
  StopServer();
  return unplugged;
}

std::string Finish(app::OpenedBus& opened, const Options& options) {
  const std::string record_error = opened.FinishRecord();
  if (!options.device.faults_path.empty()) {
    const std::vector<app::FaultCount> counts = opened.fault_counts();
    os::PrintError(FaultText(counts) + FaultWarningText("usbtwin", counts));
  }
  return record_error;
}

int RunServed(app::System& system, const Options& options, const os::StopRequests& stop) {
  auto opened = OpenBusOf(system, options.device);
  if (!opened) return Fail("attach", opened.error(), options.json);
  Result<void, Failure> done;
  bool told = false;
  {
    Attachment attachment(system, options, **opened);
    done = attachment.Plug(stop);
    if (attachment.is_plugged()) {
      done = attachment.Tell(stop);
      told = done.has_value();
      const Result<void, Failure> served = attachment.Serve(stop);
      if (done) done = served;
    }
  }
  const std::string record_error = Finish(**opened, options);
  if (!done) return Fail("attach", done.error(), options.json && !told);
  if (record_error.empty()) return kExitGood;
  return Fail("attach", {Failure::Kind::kFile, record_error});
}

int RunAttach(const Options& options) {
  const std::unique_ptr<app::System> system = os::MakeSystem();
  const os::StopRequests stop(*system);
  const auto parsed = app::ParseDeviceString(options.device.device);
  if (!parsed) return Fail("attach", parsed.error(), options.json);
  const auto* far = std::get_if<app::UsbIpDevice>(&*parsed);
  if (far == nullptr || options.stays_between()) return RunServed(*system, options, stop);
  const Result<void, Failure> given = GiveAway(*system, options, *far, stop);
  return given ? kExitGood : Fail("attach", given.error(), options.json);
}

}  // namespace

void AddAttachVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<Options>(
      cli, chosen, "attach", "plug a device into this system's kernel, and serve it",
      [](CLI::App& verb, Options& options) {
        AddDeviceOptions(verb, options.device, false, kDeviceArgument);
        verb.add_flag("--json", options.json, "where the device is, as one JSON object");
        verb.add_flag("-v,--verbose", options.verbose, "say what the USB/IP server has to say");
        verb.footer(
            "The kernel meets the device like one on a cable: its drivers bind, a disk becomes\n"
            "/dev/sdX. That takes root and the module vhci_hcd:\n"
            "  sudo modprobe vhci_hcd\n"
            "  sudo usbtwin attach emu:stick.img\n"
            "  sudo usbtwin attach usbip://192.168.1.7/1-1\n"
            "  sudo usbtwin attach 'emu:?size=1G&speed=super' --record stick.pcapng &\n"
            "  lsusb; lsblk; usbtwin ports\n"
            "\n"
            "A device of a USB/IP server (usbip://, usbip+unix:) is imported, and the kernel is\n"
            "given the connection: the command ends once the kernel has read the device, and\n"
            "\"usbtwin detach PORT\" takes it out and back to its server. With --record, "
            "--faults,\n"
            "--throttle or --audit it stays in between, as it does for every other device:\n"
            "\n"
            "Serves until Ctrl-C, SIGTERM, \"usbtwin detach PORT\", or until kernel or device go.\n"
            "The drivers are taken off the device first, so a disk's cache is flushed; what is\n"
            "still mounted is cut off, so unmount it before. What a disk in memory holds is gone\n"
            "then. To kill usbtwin is to pull the plug. One line is printed, or one JSON object,\n"
            "once the kernel has read the device; a script waits for that. After a signal, an\n"
            "exit status of 0 says that the port is free again.");
      },
      RunAttach);
}

}  // namespace usbtwin::tools
