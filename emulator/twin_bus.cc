#include "emulator/twin_bus.h"

#include <memory>

namespace usbtwin::emulator {

namespace {

// One opening: the controller, until it is unplugged.
class TwinLink final : public usb::Link {
 public:
  TwinLink(Clock& clock, VirtualController& controller)
      : clock_(clock), controller_(controller), attachment_(controller.attachments_count()) {}

  usb::LinkCaps caps() const override { return controller_.caps(); }
  void Submit(usb::Transfer& transfer) override {
    if (gone()) return Refuse(transfer);
    controller_.Submit(transfer);
  }
  // What is pending is of this attachment: unplugging ended all there was.
  void Cancel(usb::Transfer& transfer) override { controller_.Cancel(transfer); }
  void Request(usb::PortOp& op) override {
    if (gone()) return Refuse(op);
    controller_.Request(op);
  }

 private:
  bool gone() const { return controller_.attachments_count() != attachment_; }
  template <class Op>
  void Refuse(Op& op) {
    op.outcome = usb::Outcome::kDisconnected;
    clock_.Post(op);
  }

  Clock& clock_;
  VirtualController& controller_;
  const uint64_t attachment_;
};

}  // namespace

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
    stack.owned.push_back(std::make_unique<TwinLink>(clock_, *entry.controller));
    stack.top = stack.owned.back().get();
    op.result = std::move(stack);
  }
  clock_.Post(op);
}

}  // namespace usbtwin::emulator
