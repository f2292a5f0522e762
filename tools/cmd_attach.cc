// usbtwin attach: gives a device to this system's own kernel, over USB/IP and a pair of sockets,
// and serves it until somebody ends that: a signal, a detach, the kernel, the device itself.
#include <fmt/format.h>

#include "app/export_device.h"
#include "app/run.h"
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
// For a kernel to read all descriptors. One that cannot tries for about that long.
constexpr Duration kKnownLimit = std::chrono::seconds(15);

struct Options {
  DeviceOptions device;
  bool json = false;
  bool verbose = false;
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

  Result<void, Failure> Plug();
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
  void Look();

  app::System& system_;
  const Options& options_;
  app::OpenedBus& opened_;
  const std::unique_ptr<os::VirtualPorts> ports_;
  async::UsbIpServer server_;
  usbip::Device device_;
  uint32_t port_ = 0;
  std::string name_;  // in the kernel, once it has read the device
};

Result<void, Failure> Attachment::Plug() {
  Result<async::UsbIpExport> exported =
      app::Run(system_, app::DescribeExport(system_.clock(), opened_.bus(), opened_.device_id(),
                                            {.bus_id = kBusId, .path = options_.device.device}));
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
  return {};
}

void Attachment::Look() {
  const auto all = ports_->List();
  if (!all) return;
  for (const os::VirtualPort& port : *all) {
    if (port.number != port_ || port.state != os::PortState::kUsed) continue;
    if (ports_->Knows(port.name)) name_ = port.name;
  }
}

// Waits until the kernel knows the device, and says where it is.
Result<void, Failure> Attachment::Tell(const os::StopRequests& stop) {
  const bool looked = os::RunUntilOrLimit(system_, kKnownLimit, [&] {
    Look();
    return !name_.empty() || ended() || stop.asked();
  });
  if (name_.empty() && looked) return {};  // it is over already
  if (name_.empty()) Say("the kernel has not read the device yet; dmesg says why");
  if (options_.json) {
    Json json = JsonHead("usbtwin attach");
    json["device"] = options_.device.device;
    json["port"] = port_;
    json["hub"] = os::Name(os::HubOf(device_.speed));
    json["speed"] = usb::Name(device_.speed);
    json["name"] = name_.empty() ? Json(nullptr) : Json(name_);
    json["vendor_id"] = device_.vendor_id;
    json["product_id"] = device_.product_id;
    return os::PrintOutput(JsonText(json));
  }
  std::string text = fmt::format("{} is in port {}", Printable(options_.device.device), port_);
  if (!name_.empty()) text += fmt::format(", device {} of this kernel", name_);
  text += fmt::format(": {:04x}:{:04x}, {} speed\nCtrl-C or \"usbtwin detach {}\" takes it out.\n",
                      device_.vendor_id, device_.product_id, usb::Name(device_.speed), port_);
  return os::PrintOutput(text);
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

int RunAttach(const Options& options) {
  const std::unique_ptr<app::System> system = os::MakeSystem();
  const os::StopRequests stop(*system);
  auto opened = OpenBusOf(*system, options.device);
  if (!opened) return Fail("attach", opened.error(), options.json);
  Result<void, Failure> done;
  bool told = false;
  {
    Attachment attachment(*system, options, **opened);
    done = attachment.Plug();
    if (done) {
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
            "  sudo usbtwin attach 'emu:?size=1G&speed=super' --record stick.pcapng &\n"
            "  lsusb; lsblk; usbtwin ports\n"
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
