#include "emulator/device.h"

#include <algorithm>

#include "base/overloaded.h"

namespace usbtwin::emulator {

Result<std::unique_ptr<Device>> Device::Make(DeviceOptions options,
                                             std::vector<DeviceConfiguration> configurations) {
  Result<DeviceDescriptors> descriptors = BuildDescriptors(options, configurations);
  if (!descriptors) return descriptors.error();
  return std::unique_ptr<Device>(
      new Device(std::move(options), std::move(configurations), std::move(*descriptors)));
}

Device::Device(DeviceOptions options, std::vector<DeviceConfiguration> configurations,
               DeviceDescriptors descriptors)
    : options_(std::move(options)),
      configurations_(std::move(configurations)),
      descriptors_(std::move(descriptors)) {
  for (const DeviceConfiguration& configuration : configurations_) {
    for (Function* function : configuration.functions) {
      const bool known =
          std::find(functions_.begin(), functions_.end(), function) != functions_.end();
      if (!known) functions_.push_back(function);
    }
  }
}

Result<void> Device::Bind(Controller& controller) {
  CHECK(controller_ == nullptr);
  for (const SpeedDescriptors& at : descriptors_.speeds) {
    if (at.speed == controller.speed()) at_ = &at;
  }
  if (at_ == nullptr) {
    return Error{.kind = ErrorKind::kUnsupported, .text = "the device does not know this speed"};
  }
  controller_ = &controller;
  model_ = {.speed = at_->speed,
            .self_powered = options_.self_powered,
            .latency_messages = options_.latency_messages,
            .language = options_.language,
            .device = at_->device,
            .qualifier = at_->qualifier,
            .bos = descriptors_.bos,
            .configurations = at_->configurations,
            .other_speed = at_->other_speed,
            .strings = descriptors_.strings,
            .trees = at_->trees};
  engine_.emplace(model_);
  for (Function* function : functions_) function->HandleBind(controller);
  return {};
}

bool Device::WakeHost() {
  CHECK(engine_.has_value());
  if (!engine_->may_wake()) return false;
  controller_->RemoteWakeup();
  return true;
}

ControlReply Device::HandleSetup(const usb::SetupPacket& setup, Bytes out, ControlTicket ticket) {
  CHECK(engine_.has_value());
  engine_->HandleSetup(setup, out);
  return Drain(setup, out, ticket);
}

void Device::HandleBusReset() {
  CHECK(engine_.has_value());
  engine_->HandleBusReset();
  DrainWithoutReply();
  TellAll(BusReset{});
}

void Device::HandleDisconnect() {
  CHECK(engine_.has_value());
  engine_->HandleDisconnect();
  DrainWithoutReply();
}

void Device::HandleSuspend() {
  CHECK(engine_.has_value());
  if (engine_->suspended()) return;
  engine_->HandleSuspend();
  TellActive(Suspended{});
}

void Device::HandleResume() {
  CHECK(engine_.has_value());
  if (!engine_->suspended()) return;
  engine_->HandleResume();
  TellActive(Resumed{});
}

ControlReply Device::Drain(const usb::SetupPacket& setup, Bytes out, ControlTicket ticket) {
  ControlReply reply = ControlReply::Stall();
  while (const std::optional<chapter9::Action> action = engine_->Poll()) {
    std::visit(
        Overloaded{
            [&](const chapter9::Send& send) { reply = ControlReply::Data(send.data); },
            [&](const chapter9::SendHalt& send) {
              const bool halted = controller_->halt(send.endpoint) != HaltState::kNone;
              halt_reply_ = {static_cast<uint8_t>(halted ? 1 : 0), 0};
              reply = ControlReply::Data(halt_reply_);
            },
            [&](const chapter9::Acknowledge&) { reply = ControlReply::Ack(); },
            [&](const chapter9::Refuse&) { reply = ControlReply::Stall(); },
            [&](const chapter9::AskFunction& ask) {
              const InterfaceOwner& owner = Owner(engine_->configuration_index(), ask.interface);
              reply = owner.function->HandleControl({.setup = setup,
                                                     .out = out,
                                                     .interface_index = owner.interface_index,
                                                     .ticket = ticket});
            },
            [&](const auto& other) { Do(other); },
        },
        *action);
  }
  return reply;
}

void Device::DrainWithoutReply() {
  Drain({}, {}, 0);
}

void Device::Do(const chapter9::DisableInterface& action) {
  for (const usb::EndpointConfig& endpoint : action.alternate->endpoints) {
    controller_->Disable(endpoint.address);
  }
  const InterfaceOwner& owner = Owner(action.configuration_index, action.interface);
  owner.function->HandleEvent(InterfaceDisabled{owner.interface_index});
}

void Device::Do(const chapter9::EnableInterface& action) {
  for (const usb::EndpointConfig& endpoint : action.alternate->endpoints) {
    // An isochronous endpoint without bandwidth moves nothing. USB 2.0, 5.6.3.
    if (endpoint.packet_size_max != 0) controller_->Enable(endpoint);
  }
  const InterfaceOwner& owner = Owner(action.configuration_index, action.interface);
  owner.function->HandleEvent(InterfaceEnabled{.interface_index = owner.interface_index,
                                               .alternate_setting = action.alternate->setting,
                                               .endpoints = action.alternate->endpoints});
}

// What the function has queued there is held. A wedge is stronger than the host's halt.
void Device::Do(const chapter9::SetHalt& action) {
  if (controller_->halt(action.endpoint) != HaltState::kNone) return;
  controller_->SetHalt(action.endpoint, HaltState::kHalted);
}

// Clearing a halt that is not there still resets the data toggle. USB 2.0, 9.4.5.
void Device::Do(const chapter9::ClearHalt& action) {
  const HaltState halt = controller_->halt(action.endpoint);
  if (halt == HaltState::kWedged) return;
  controller_->SetHalt(action.endpoint, HaltState::kNone);
  if (halt == HaltState::kNone) return;
  const InterfaceOwner& owner = Owner(engine_->configuration_index(), action.interface);
  owner.function->HandleEvent(HaltCleared{action.endpoint});
}

void Device::Do(const chapter9::SuspendFunction& action) {
  Owner(engine_->configuration_index(), action.interface).function->HandleEvent(Suspended{});
}

void Device::Do(const chapter9::ResumeFunction& action) {
  Owner(engine_->configuration_index(), action.interface).function->HandleEvent(Resumed{});
}

const InterfaceOwner& Device::Owner(size_t configuration_index, uint8_t interface) const {
  const std::vector<InterfaceOwner>& owners = at_->owners[configuration_index];
  CHECK_LT(interface, owners.size());
  return owners[interface];
}

void Device::TellActive(const BusEvent& event) {
  if (engine_->state() != chapter9::State::kConfigured) return;
  for (Function* function : configurations_[engine_->configuration_index()].functions) {
    function->HandleEvent(event);
  }
}

void Device::TellAll(const BusEvent& event) {
  for (Function* function : functions_) function->HandleEvent(event);
}

}  // namespace usbtwin::emulator
