// /dev/raw-gadget as calls: the kernel's interface to a USB device controller (UDC), one system
// call a function, and what it is told in words. Calls that block say so. Results are those of the
// ioctl: not negative, or -errno.
//
// A controller is taken by Run and given back when the file is closed.
#pragma once

#include <linux/usb/raw_gadget.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "app/failure.h"
#include "base/error.h"
#include "os/linux/file_descriptor.h"
#include "usb/types.h"

namespace usbtwin::os {

struct UdcName {
  std::string device;  // "dummy_udc.0"; in /sys/class/udc
  std::string driver;  // "dummy_udc": what its driver calls it
};

// What a caller's transfer of the kernel begins with; its bytes follow at once.
using RawIoHeader = usb_raw_ep_io;
static_assert(sizeof(RawIoHeader) == 8);

// Kernels differ in what they report; those before 6.7 say connect and control alone.
enum class RawEventKind : uint32_t {
  kConnect = 1,
  kControl = 2,
  kSuspend = 3,
  kResume = 4,
  kReset = 5,
  kDisconnect = 6,
};
struct RawEvent {
  RawEventKind kind = RawEventKind::kConnect;
  usb::SetupPacket setup;  // kControl
};

class RawGadgetFile {
 public:
  // Opened and told which controller is meant, which is not taken yet.
  static Result<RawGadgetFile, app::Failure> Open(const UdcName& udc, usb::Speed speed);
  RawGadgetFile() = default;
  explicit operator bool() const { return static_cast<bool>(file_); }

  Result<void, app::Failure> Run(const UdcName& udc);
  int Fetch(RawEvent& event) const;  // blocks

  // Bytes follow the header. Those of the control endpoint and of a pipe block.
  int WriteControl(RawIoHeader& header) const;
  int ReadControl(RawIoHeader& header) const;
  int Write(RawIoHeader& header) const;
  int Read(RawIoHeader& header) const;

  int StallControl() const;
  int Configure(uint16_t power_ma) const;
  int Enable(const usb::EndpointConfig& endpoint) const;  // a handle
  int Disable(int handle) const;
  int SetHalt(int handle) const;
  int SetWedge(int handle) const;
  int ClearHalt(int handle) const;

 private:
  explicit RawGadgetFile(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

// The controllers of this machine, in order.
std::vector<std::string> ListUdcs();
// What the kernel calls the speed at which it talks to its host, where it is not this one: the
// host, or a hub in between, may be slower than both ends. "" where it is, or is not known.
std::string OtherLinkSpeed(const UdcName& udc, usb::Speed speed);
// Fills in what was left empty: the only controller there is, and its driver's name for it. kUsage
// for one that is not there, and where it must be chosen; kCannotOpen where it is too slow.
Result<UdcName, app::Failure> FindUdc(UdcName wanted, usb::Speed speed);

}  // namespace usbtwin::os
