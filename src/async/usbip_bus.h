// UsbIpBus: the devices of one USB/IP server. A connection each for every opening, which imports
// the device and then is its Link. ListDevices asks a server what it has; ImportDevice ends where
// the device is imported, for those who speak to it themselves, such as a kernel.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "async/socket.h"
#include "async/task.h"
#include "async/usbip_link.h"
#include "proto/usbip_ops.h"
#include "usb/bus.h"

namespace usbtwin::async {

struct UsbIpBusOptions {
  Duration open_time = std::chrono::seconds(10);  // to connect, to ask and to be answered
  UsbIpLinkOptions link;                          // its handle_gone is the bus's
};

class UsbIpBus final : public usb::Bus {
 public:
  // The provider outlives the bus, and the bus its links.
  UsbIpBus(Clock& clock, SocketProvider& sockets, std::string address,
           const UsbIpBusOptions& options);
  ~UsbIpBus() override;  // no opening is under way

  // Of a server only what it answers is known, and that takes time: kUnsupported. ListDevices asks.
  Result<std::vector<usb::DeviceInfo>> Enumerate() override;
  // The id's port path is a bus id.
  void Open(usb::OpenOp& op) override;
  // For who leaves and waits for no server: what is being opened ends kCancelled, what is open
  // kDisconnected.
  void GiveUp();
  // What the sockets said of the last opening that they failed, or what ended the last link that
  // ended: a sentence, or "".
  const std::string& why() const { return why_; }

 private:
  class Opening;

  Clock& clock_;
  SocketProvider& sockets_;
  const std::string address_;
  const UsbIpBusOptions options_;
  std::string why_;
  std::vector<std::unique_ptr<Opening>> openings_;
  IntrusiveList<UsbIpLink> links_;
};

// A connection whose peer has granted the import. No byte behind its answer was read, and nothing
// has been said since.
struct ImportedDevice {
  std::unique_ptr<Socket> socket;
  usbip::Device device;
};

// kInvalid where `bus_id` cannot be one; kTimedOut after `timeout`, and kCancelled with its chain,
// say in which step. `why` as UsbIpBus::why().
Task<Result<ImportedDevice>> ImportDevice(SocketProvider& sockets, std::string address,
                                          std::string bus_id, Duration timeout, std::string& why);

// As ImportDevice.
Task<Result<std::vector<usbip::Device>>> ListDevices(SocketProvider& sockets, std::string address,
                                                     Duration timeout, std::string& why);

}  // namespace usbtwin::async
