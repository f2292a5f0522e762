// What real mass-storage devices get wrong, on purpose, so that a host can be tested against it
// without owning one of each. A QuirkyFunction stands between a function and its controller and
// spoils the command status wrappers on their way out; the function itself stays correct.
//
// It recognises a wrapper by its length and signature, so a read that returns exactly these bytes
// is spoilt, too.
#pragma once

#include "emulator/function.h"

namespace usbtwin::emulator {

struct BotQuirks {
  // Get Max LUN is refused, as single-unit devices may. BOT 1.0, 3.2. BotFunction does that one.
  bool max_lun_stall = false;
  // dCSWDataResidue is always 1, whatever moved.
  bool wrong_residue = false;
  // dCSWTag is always 0.
  bool wrong_tag = false;
  // dCSWSignature reads "USBU", as that of some cameras.
  bool odd_signature = false;

  bool spoils_status() const { return wrong_residue || wrong_tag || odd_signature; }
  bool operator==(const BotQuirks&) const = default;
};

class QuirkyFunction final : public Function, private Controller {
 public:
  // The function outlives this one, and is bound through it.
  QuirkyFunction(Function& function, const BotQuirks& quirks)
      : function_(function), quirks_(quirks) {}

  Bytes descriptors(usb::Speed speed) const override { return function_.descriptors(speed); }
  std::span<const std::string> strings() const override { return function_.strings(); }
  void HandleBind(Controller& controller) override {
    controller_ = &controller;
    function_.HandleBind(*this);
  }
  ControlReply HandleControl(const ControlRequest& request) override {
    return function_.HandleControl(request);
  }
  void HandleEvent(const BusEvent& event) override { function_.HandleEvent(event); }

 private:
  usb::Speed speed() const override { return controller_->speed(); }
  void Enable(const usb::EndpointConfig& endpoint) override { controller_->Enable(endpoint); }
  void Disable(usb::EndpointAddress endpoint) override { controller_->Disable(endpoint); }
  void Queue(usb::InRequest& request) override;
  void Queue(usb::OutRequest& request) override { controller_->Queue(request); }
  void Release(usb::OutRequest& request) override { controller_->Release(request); }
  void CancelAll(usb::EndpointAddress endpoint) override { controller_->CancelAll(endpoint); }
  void CancelStream(usb::EndpointAddress endpoint, uint16_t stream_id) override {
    controller_->CancelStream(endpoint, stream_id);
  }
  void SetHalt(usb::EndpointAddress endpoint, HaltState state) override {
    controller_->SetHalt(endpoint, state);
  }
  HaltState halt(usb::EndpointAddress endpoint) const override {
    return controller_->halt(endpoint);
  }
  void CompleteControl(ControlTicket ticket, ControlReply reply) override {
    controller_->CompleteControl(ticket, reply);
  }
  void RemoteWakeup() override { controller_->RemoteWakeup(); }

  Function& function_;
  const BotQuirks quirks_;
  Controller* controller_ = nullptr;
};

}  // namespace usbtwin::emulator
