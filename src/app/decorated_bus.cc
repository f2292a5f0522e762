#include "app/decorated_bus.h"

#include <algorithm>

#include "link/recorder.h"

namespace usbtwin::app {

void DecoratedBus::Open(usb::OpenOp& op) {
  op.Push(*this);
  inner_.Open(op);
}

void DecoratedBus::OnDone(usb::OpenOp& op, uint64_t) {
  if (op.result) {
    usb::LinkStack& stack = *op.result;
    const auto add = [&stack](std::unique_ptr<usb::Link> link) {
      stack.top = link.get();
      stack.owned.push_back(std::move(link));
    };
    if (decorations_.throttle) {
      add(std::make_unique<link::Throttle>(clock_, *stack.top, *decorations_.throttle));
    }
    if (decorations_.writer != nullptr) {
      // Device addresses end at 127; a file of more openings than that shares the last one.
      opened_count_ = static_cast<uint8_t>(std::min(opened_count_ + 1, 127));
      add(std::make_unique<link::Recorder>(
          clock_, *stack.top, *decorations_.writer,
          link::RecorderOptions{.device = opened_count_,
                                .epoch_offset = decorations_.epoch_offset}));
    }
    if (decorations_.audit) {
      add(std::make_unique<link::Auditor>(*stack.top, decorations_.breaches));
    }
  }
  op.Complete();
}

}  // namespace usbtwin::app
