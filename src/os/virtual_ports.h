// The virtual USB ports of this system's kernel: a device that lives in a program is plugged into
// one, and the kernel finds it there like any other. The program and the kernel speak USB/IP over a
// socket. On Linux these are the ports of vhci_hcd; each controller has two hubs, and the kernel
// knows a port by one number over all of them, the one a VirtualPort has. Called by the verbs
// attach, detach and ports.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/device_string.h"
#include "app/system.h"
#include "usb/types.h"

namespace usbtwin::os {

enum class PortHub : uint8_t { kHigh, kSuper };  // kHigh takes every speed below SuperSpeed
const char* Name(PortHub hub);                   // "hs", "ss", as the kernel has it
PortHub HubOf(usb::Speed speed);

enum class PortState : uint8_t {
  kFree,
  kAttached,  // the device has no address yet
  kUsed,
  kBroken,    // the connection was lost; it will be free
  kNotReady,  // its controller is not there yet, or no more
};
const char* Name(PortState state);  // "free"

struct VirtualPort {
  uint32_t number = 0;
  PortHub hub = PortHub::kHigh;
  PortState state = PortState::kFree;
  // Where it is kUsed:
  std::optional<usb::Speed> speed;  // none where the kernel's number for it is not known
  uint32_t device_id = 0;           // the exporter's: bus number << 16 | device number
  std::string name;                 // of the device in this kernel: "3-1"
  std::string origin;               // "usbip://10.0.0.7:3240/1-1" where that is known, or ""
  bool operator==(const VirtualPort&) const = default;
};

// What the kernel read from a device.
struct SystemDevice {
  uint16_t vendor_id = 0;
  uint16_t product_id = 0;
  std::string manufacturer;  // these are the device's own words, or ""
  std::string product;
  std::string serial;
};

// A Failure is kCannotOpen, and says what is missing and how to get it, unless noted otherwise.
class VirtualPorts {
 public:
  virtual ~VirtualPorts() = default;
  // In the order of their numbers.
  virtual Result<std::vector<VirtualPort>, app::Failure> List() = 0;

  struct Plugged {
    uint32_t port = 0;
    std::unique_ptr<async::Socket> socket;  // the kernel's commands come from here
  };
  struct Device {
    uint32_t id = 0;  // what the commands will name
    usb::Speed speed = usb::Speed::kHigh;
  };
  // Into a free port of the right hub. The kernel's first command is there at once.
  virtual Result<Plugged, app::Failure> Plug(const Device& device) = 0;
  // Gives a connection to the kernel, into a free port of the right hub; it is served at its other
  // end from then on, whatever becomes of this program. Nothing is under way on `socket`, which is
  // of this System; kTransport where its peer has spoken already, or is gone. The number is that of
  // the port.
  virtual Result<uint32_t, app::Failure> Give(std::unique_ptr<async::Socket> socket,
                                              const Device& device,
                                              const app::UsbIpDevice& origin) = 0;
  // Lets the kernel's drivers finish with the device for some seconds, and asks the kernel to let
  // go of it; WaitUntilFree. Runs the loop, so that a device of this program is served meanwhile.
  // kUsage where there is no such port.
  virtual Result<void, app::Failure> Unplug(uint32_t port) = 0;

  // Whether the kernel has read the device of that name.
  virtual bool Knows(const std::string& name) const = 0;
  // None where it has not, or not any more. Never for a device that this program serves: while the
  // kernel resets a device it holds back whoever reads its strings, and the reset waits for
  // answers.
  virtual std::optional<SystemDevice> Find(const std::string& name) const = 0;
};

// `system` is of MakeSystem and outlives it. A kernel without such ports is found out when they are
// used.
std::unique_ptr<VirtualPorts> MakeVirtualPorts(app::System& system);

// Runs the loop until `done()`, which is asked every few milliseconds as well. False where `limit`
// was over first.
bool RunUntilOrLimit(app::System& system, Duration limit, const std::function<bool()>& done);

// After Unplug, or after the connection ended. kTransport where the kernel does not let go.
Result<void, app::Failure> WaitUntilFree(app::System& system, VirtualPorts& ports, uint32_t port);

}  // namespace usbtwin::os
