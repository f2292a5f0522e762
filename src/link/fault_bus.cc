#include "link/fault_bus.h"

#include <algorithm>

namespace usbtwin::link {

using fault::Kind;
using fault::Moment;

bool FaultBus::IsAbsent(const usb::DeviceId& id) const {
  const auto place = ports_.find(id);
  return place != ports_.end() && place->second.absent(clock_.Now());
}

Result<std::vector<usb::DeviceInfo>> FaultBus::Enumerate() {
  Result<std::vector<usb::DeviceInfo>> devices = inner_.Enumerate();
  if (devices) {
    std::erase_if(*devices, [this](const usb::DeviceInfo& info) { return IsAbsent(info.id); });
  }
  return devices;
}

void FaultBus::Open(usb::OpenOp& op) {
  if (IsAbsent(op.id)) {
    op.result = Error{.kind = ErrorKind::kNotFound,
                      .phase = Phase::kOpen,
                      .text = "the device is not at its port"};
    return clock_.Post(op);
  }
  const bool refused =
      player_.watches(Moment::kOpen) && player_.Draw({.moment = Moment::kOpen}) != nullptr;
  if (refused) {
    refused_serial_ = player_.serial();
    op.result = Error{.kind = ErrorKind::kDisconnected,
                      .phase = Phase::kOpen,
                      .text = "the device cannot be opened"};
    op.Push(*this, static_cast<uint64_t>(Word::kRefused));
    return clock_.Post(op);
  }
  op.Push(*this, static_cast<uint64_t>(Word::kOpened));
  inner_.Open(op);
}

void FaultBus::OnDone(usb::OpenOp& op, uint64_t word) {
  if (word == static_cast<uint64_t>(Word::kRefused)) {
    player_.Observe(refused_serial_);
  } else if (op.result && op.result->top != nullptr) {
    usb::LinkStack& stack = *op.result;
    stack.owned.push_back(
        std::make_unique<FaultInjector>(clock_, *stack.top, player_, &ports_[op.id]));
    stack.top = stack.owned.back().get();
  }
  op.Complete();
}

}  // namespace usbtwin::link
