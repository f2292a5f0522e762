// UsbIpPath: USB/IP between a device and its host within one World: a server that exports the
// device, sockets whose splits, delays and breaks the Chooser decides, and the client's bus. A host
// that opens the device here meets the same device, farther away.
#pragma once

#include <memory>
#include <optional>

#include "async/usbip_bus.h"
#include "async/usbip_server.h"
#include "sim/pipes.h"

namespace usbtwin::sim {

struct UsbIpPathOptions {
  PipesOptions pipes;
  async::UsbIpLimits limits;
  async::UsbIpBusOptions bus;
};

class UsbIpPath {
 public:
  static constexpr char kBusId[] = "1-1";

  // The world and the device's bus outlive it.
  UsbIpPath(World& world, usb::Bus& inner, usb::DeviceId id, const UsbIpPathOptions& options);
  // All links are closed, and the world has run until idle() after Stop().
  ~UsbIpPath() = default;

  // Asks the device what it is and begins to export it. False, with `error` set, where it cannot be
  // opened.
  bool Start(uint64_t steps_max);
  const std::string& error() const { return error_; }
  usb::Bus& bus() { return bus_; }
  usb::DeviceId id() const { return {kBusId}; }
  async::UsbIpServer& server() { return server_; }
  Pipes& pipes() { return pipes_; }
  const std::vector<std::string>& log() const { return log_; }  // the last lines

  void Stop() { server_.Stop(); }
  // Who is connected and what was last told, for a world that is stuck; empty where all is over.
  std::string Describe() const;
  bool idle() const { return server_.idle(); }

 private:
  static constexpr size_t kLogMax = 100;
  static constexpr char kAddress[] = "sim:usbip";

  World& world_;
  usb::Bus& inner_;
  const usb::DeviceId inner_id_;
  std::vector<std::string> log_;
  std::string error_;
  Pipes pipes_;
  async::UsbIpServer server_;
  async::UsbIpBus bus_;
};

}  // namespace usbtwin::sim
