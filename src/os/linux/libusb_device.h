// One opened device as libusb has it, and the calls on it that block: opening, closing and all port
// requests are system calls that talk to the device and may take seconds. Everything here runs on
// the helper thread of its LibusbContext, one call at a time; the loop's thread uses handle() for
// transfers alone, and not while one of these runs. What is claimed is given back when it closes,
// to the kernel's driver where it was taken from one.
#pragma once

#include <libusb.h>

#include <array>
#include <bitset>
#include <memory>

#include "base/error.h"
#include "os/linux/file_descriptor.h"
#include "os/linux/usb_sysfs.h"
#include "usb/link.h"

namespace usbtwin::os {

// What a call of libusb answered. 0 and more is success.
usb::Outcome OutcomeOf(int libusb_result);

class LibusbDevice {
 public:
  static Result<std::unique_ptr<LibusbDevice>> Open(libusb_context* context, const UsbPaths& paths,
                                                    const usb::DeviceId& id);
  LibusbDevice(const LibusbDevice&) = delete;
  LibusbDevice& operator=(const LibusbDevice&) = delete;
  ~LibusbDevice();

  libusb_device_handle* handle() { return handle_; }
  int fd() const { return node_.get(); }  // ready to write when transfers have ended
  usb::Speed speed() const { return info_.speed; }

  // Carries out op.request; the outcome is returned, not stored.
  usb::Outcome Perform(usb::PortOp& op);

 private:
  LibusbDevice(const UsbPaths& paths, usb::DeviceInfo info, FileDescriptor node,
               libusb_device_handle* handle)
      : paths_(paths), info_(std::move(info)), node_(std::move(node)), handle_(handle) {}

  usb::Outcome Do(const usb::ClaimInterface& claim);
  usb::Outcome Do(const usb::ReleaseInterface& release);
  usb::Outcome Do(const usb::ClearHalt& clear);
  usb::Outcome Do(const usb::SetConfiguration& set);
  usb::Outcome Do(const usb::SetAlternate& set);
  usb::Outcome Do(const usb::FreeStreams& streams);
  usb::Outcome Do(const usb::ResetPort& reset);
  // The kernel alone decides about power.
  usb::Outcome Do(const usb::Suspend&) { return usb::Outcome::kUnsupported; }
  usb::Outcome Do(const usb::Resume&) { return usb::Outcome::kUnsupported; }
  // Not without the count that was granted.
  usb::Outcome Do(const usb::AllocateStreams&) { return usb::Outcome::kUnsupported; }
  usb::Outcome Allocate(const usb::AllocateStreams& streams, uint32_t& granted);
  void ReleaseAll();

  static constexpr uint8_t kInterfacesMax = 32;  // usbfs keeps claims in a word
  const UsbPaths paths_;
  const usb::DeviceInfo info_;
  const FileDescriptor node_;
  libusb_device_handle* const handle_;
  std::bitset<kInterfacesMax> claimed_;
  std::bitset<kInterfacesMax> detached_;  // claimed, and the kernel's driver wants it back
  std::array<uint8_t, kInterfacesMax> alternates_{};
};

}  // namespace usbtwin::os
