// The port requests of a UsbIpLink: control transfers of its own, one after the other.
#include "async/usbip_link.h"

namespace usbtwin::async {

using usb::Outcome;

void UsbIpLink::Request(usb::PortOp& op) {
  CHECK(op.outcome == Outcome::kPending);
  ports_.PushBack(op);
  NextPortRequest();
}

void UsbIpLink::NextPortRequest() {
  while (!port_busy_ && !ports_.empty()) {
    port_busy_ = true;
    const usb::PortRequest& request = ports_.front().request;
    if (broken_) {
      FinishPortRequest(Outcome::kDisconnected);
    } else if (std::holds_alternative<usb::ClaimInterface>(request) ||
               std::holds_alternative<usb::ReleaseInterface>(request)) {
      // The server's business: it has what it exports.
      FinishPortRequest(Outcome::kOk);
    } else if (std::holds_alternative<usb::ResetPort>(request)) {
      StartReset();
    } else if (const auto setup = usb::AsSetupPacket(request)) {
      SendPortRequest(*setup);
    } else {
      FinishPortRequest(Outcome::kUnsupported);
    }
  }
}

void UsbIpLink::StartReset() {
  resetting_ = true;
  reset_steps_.clear();
  if (configuration_value_ != 0) {
    reset_steps_.push_back(*usb::AsSetupPacket(usb::SetConfiguration{configuration_value_}));
    for (size_t number = 0; number < alternates_.size(); ++number) {
      if (alternates_[number] == 0) continue;
      reset_steps_.push_back(*usb::AsSetupPacket(
          usb::SetAlternate{static_cast<uint8_t>(number), alternates_[number]}));
    }
  }
  while (!waiting_.empty()) Cancel(waiting_.front());
  for (const auto& flight : flights_) {
    if (flight->transfer != nullptr) Cancel(*flight->transfer);
  }
  emptying_ = under_way_count_ != 0;
  if (!emptying_) SendPortRequest(*usb::AsSetupPacket(usb::ResetPort{}));
}

void UsbIpLink::SendPortRequest(const usb::SetupPacket& setup) {
  port_transfer_.endpoint = {};
  port_transfer_.setup = setup;
  port_transfer_.Rearm();
  port_transfer_.Push(*this);
  port_deadline_ = clock_.Now() + options_.port_request_time;
  Submit(port_transfer_);
  ArmTimer();
}

void UsbIpLink::OnDone(usb::Transfer& transfer, uint64_t) {
  port_deadline_ = kNever;
  ArmTimer();
  if (resetting_) return HandleResetAnswer(transfer.outcome);
  if (transfer.outcome == Outcome::kOk) Remember(ports_.front().request);
  FinishPortRequest(transfer.outcome);
  NextPortRequest();
}

void UsbIpLink::HandleResetAnswer(Outcome outcome) {
  const bool asked = usb::AsPortRequest(*port_transfer_.setup)->index() ==
                     usb::PortRequest(usb::ResetPort{}).index();
  if (asked && outcome == Outcome::kStall) outcome = Outcome::kOk;  // not known there
  if (outcome == Outcome::kOk && !reset_steps_.empty()) {
    const usb::SetupPacket setup = reset_steps_.front();
    reset_steps_.pop_front();
    return SendPortRequest(setup);
  }
  resetting_ = false;
  FinishPortRequest(outcome);
  NextPortRequest();
  StartWaiting();
}

void UsbIpLink::Remember(const usb::PortRequest& request) {
  if (const auto* set = std::get_if<usb::SetConfiguration>(&request)) {
    configuration_value_ = set->value;
    endpoints_.HandleConfigured(set->value);
    alternates_.fill(0);
  } else if (const auto* alternate = std::get_if<usb::SetAlternate>(&request)) {
    alternates_[alternate->interface] = alternate->alternate_setting;
  }
}

void UsbIpLink::FinishPortRequest(Outcome outcome) {
  port_busy_ = false;
  usb::PortOp& op = ports_.PopFront();
  op.outcome = outcome == Outcome::kCancelled ? Outcome::kTimedOut : outcome;
  clock_.Post(op);
}

}  // namespace usbtwin::async
