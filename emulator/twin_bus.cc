#include "emulator/twin_bus.h"

namespace usbtwin::emulator {

void TwinBus::Add(usb::DeviceInfo info, VirtualController& controller) {
  entries_.push_back({std::move(info), &controller});
}

Result<std::vector<usb::DeviceInfo>> TwinBus::Enumerate() {
  std::vector<usb::DeviceInfo> devices;
  for (const Entry& entry : entries_) {
    if (entry.controller->attached()) devices.push_back(entry.info);
  }
  return devices;
}

void TwinBus::Open(usb::OpenOp& op) {
  op.result = Error{.kind = ErrorKind::kNotFound,
                    .phase = Phase::kOpen,
                    .text = "no such device among the {} twins of this process",
                    .values = {entries_.size()}};
  for (const Entry& entry : entries_) {
    if (entry.info.id != op.id || !entry.controller->attached()) continue;
    usb::LinkStack stack;
    stack.top = entry.controller;
    op.result = std::move(stack);
  }
  clock_.Post(op);
}

}  // namespace usbtwin::emulator
