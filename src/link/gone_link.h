// GoneLink: what is left of a device that is gone. Whatever is asked of it completes kDisconnected
// and reaches no device. A host puts it in the place of a link that must not be used any more, so
// that nobody above needs to know of a link that is null.
#pragma once

#include "usb/link.h"

namespace usbtwin::link {

class GoneLink final : public usb::Link {
 public:
  // `caps`: those of the link it stands for, which its users may have relied on.
  GoneLink(Clock& clock, const usb::LinkCaps& caps) : clock_(clock), caps_(caps) {}

  usb::LinkCaps caps() const override { return caps_; }
  void Submit(usb::Transfer& transfer) override { Finish(transfer); }
  void Cancel(usb::Transfer&) override {}  // its outcome is decided
  void Request(usb::PortOp& op) override { Finish(op); }

 private:
  template <class Op>
  void Finish(Op& op) {
    op.outcome = usb::Outcome::kDisconnected;
    clock_.Post(op);
  }

  Clock& clock_;
  const usb::LinkCaps caps_;
};

}  // namespace usbtwin::link
