// Exporter: what `usbtwin serve` is: a USB/IP server and the devices behind it, opened by their
// strings, plugged in and out while it serves, and a control socket on which other programs ask
// for that. One line of JSON a request, one a reply:
//   {"request": "plug", "device": "emu:disk.img"}   {"request": "unplug", "bus_id": "1-1"}
//   {"request": "status"}
// A reply has "schema", "ok" and either what was asked for or an "error" with "kind" and "text".
// Of control connections there are 16 at most, and each is closed when 10 seconds after it came, or
// after its last reply was ready, no whole request has come.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/control_connection.h"
#include "app/opener.h"
#include "app/system.h"
#include "async/ip_network.h"
#include "async/usbip_server.h"

namespace usbtwin::app {

// Who may connect, and who may import one device.
struct ExportRules {
  // Peers on this machine are always let in, others from these networks.
  std::vector<async::IpNetwork> networks;
  // A device that is named here is for these networks instead.
  std::map<std::string, std::vector<async::IpNetwork>> of_bus_id;
};

struct ExporterOptions {
  async::UsbIpLimits limits;
  ExportRules rules;
  OpenerOptions opener;  // for each device; its paths are used by the first one only
  usb::KernelDriverPolicy kernel_driver = usb::KernelDriverPolicy::kRefuse;
  std::function<void(const std::string& line)> log;
};

class Exporter final : private Timer {
 public:
  Exporter(System& system, ExporterOptions options);
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  ~Exporter();  // Run has ended, or was never called

  // Before Run. Failures as OpenBus has them, and some kCannotOpen where `stop()` came first.
  Result<std::string, Failure> PlugFirst(
      const std::string& device, const std::function<bool()>& stop = [] { return false; });
  // kUsage for an address that is no address or that the rules do not allow to be listened at;
  // kCannotOpen where it cannot be had. Who connects waits until the listener is served.
  Result<std::unique_ptr<async::Listener>, Failure> OpenListener(const std::string& given);
  void Serve(std::unique_ptr<async::Listener> listener);
  // Both. Returns the address with the port that was taken.
  Result<std::string, Failure> Listen(const std::string& given);
  Result<std::string, Failure> ListenForControl(const std::string& address);

  // Serves until `stop()`, then ends every connection in order. Devices that are being opened are
  // given up then, and those of servers that are silent after the limits' stop_time.
  void Run(const std::function<bool()>& stop);
  // The reply to a request, as above.
  std::string StatusLine() const;

 private:
  class Opening;
  struct Device {
    std::string text;  // as it was asked for
    std::string bus_id;
    std::unique_ptr<OpenedBus> opened;
  };

  Result<std::unique_ptr<OpenedBus>, Failure> Open(const std::string& device);
  async::Task<Result<std::string, Failure>> Plug(std::string device,
                                                 std::unique_ptr<OpenedBus> opened);
  // While Run runs.
  async::Task<Result<std::string, Failure>> OpenAndPlug(std::string device);
  std::string Unplug(const std::string& bus_id);  // "" or why not
  async::Task<std::string> Answer(std::string line);
  async::Task<Result<void>> AcceptControl(async::Listener& listener);
  Result<std::string, Failure> ListenAddress(const std::string& given) const;
  std::string AdmitPeer(const std::string& peer) const;
  std::string AdmitImport(const std::string& bus_id, const std::string& peer) const;
  void OpenWanted();
  void GiveUpOpenings();
  void Bury();
  void HandleTimer() override;

  System& system_;
  const ExporterOptions options_;
  async::UsbIpServer server_;
  uint32_t numbers_taken_ = 0;
  std::map<std::string, std::unique_ptr<Device>> devices_;  // by bus id
  std::vector<std::unique_ptr<Device>> leaving_;            // the server still has them
  // Opening a device may run the loop, and closing does: both are done where it does not run.
  std::vector<Opening*> wanted_;
  std::vector<OpenedBus*> opening_;  // what they say of themselves is being read
  std::vector<std::unique_ptr<Device>> dead_;
  bool stopping_ = false;
  const ControlConnection::Owner control_owner_;
  std::unique_ptr<async::Listener> control_listener_;
  std::unique_ptr<async::Job<Result<void>>> control_job_;
  std::vector<std::unique_ptr<ControlConnection>> controls_;
};

}  // namespace usbtwin::app
