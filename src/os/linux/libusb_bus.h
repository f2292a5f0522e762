// The devices of this machine as a Bus: found in sysfs, opened through libusb. Opening runs on the
// helper thread, as a device may take seconds to answer. Made by LinuxSystem when somebody first
// asks for a real device; all its Links are gone before it is, and then it waits until devices are
// closed and kernel drivers have their interfaces again.
#pragma once

#include <memory>
#include <vector>

#include "app/real_bus.h"
#include "os/linux/libusb_context.h"

namespace usbtwin::os {

class LibusbBus final : public app::RealBus {
 public:
  explicit LibusbBus(Loop& loop, UsbPaths paths = {}) : paths_(std::move(paths)), context_(loop) {}
  ~LibusbBus() override { CHECK(openings_.empty()); }

  Result<std::vector<usb::DeviceInfo>> Enumerate() override { return ListUsbDevices(paths_); }
  void Open(usb::OpenOp& op) override;
  std::string Explain(const usb::DeviceId& id, const Error& error) override;

 private:
  struct Opening final : Job {
    Opening(LibusbBus& bus, usb::OpenOp& op_to_do) : owner(bus), op(op_to_do) {}
    void Work() override {
      device = LibusbDevice::Open(owner.context_.context(), owner.paths_, op.id);
    }
    void HandleHome() override { owner.HandleOpened(*this); }
    LibusbBus& owner;
    usb::OpenOp& op;
    Result<std::unique_ptr<LibusbDevice>> device = Error{};
  };

  void HandleOpened(Opening& opening);
  std::string ExplainBusy(const usb::DeviceId& id) const;
  std::string ExplainDenied(const usb::DeviceId& id) const;
  std::string ExplainMemoryLimit() const;

  const UsbPaths paths_;
  LibusbContext context_;
  std::vector<std::unique_ptr<Opening>> openings_;
};

}  // namespace usbtwin::os
