#include "proto/chapter9.h"

namespace usbtwin::chapter9 {
namespace {

using usb::EndpointAddress;
using usb::SetupPacket;
using usb::TransferType;
using wire::usb::DescriptorType;
using wire::usb::kDirectionIn;
using wire::usb::kRecipientDevice;
using wire::usb::kRecipientEndpoint;
using wire::usb::kRecipientInterface;
using wire::usb::kRecipientMask;
using wire::usb::Request;

constexpr uint8_t kAddressMax = 127;

bool IsIn(const SetupPacket& setup) {
  return (setup.request_type & kDirectionIn) != 0;
}
uint8_t Recipient(const SetupPacket& setup) {
  return setup.request_type & kRecipientMask;
}

}  // namespace

std::optional<Action> DeviceEngine::Poll() {
  if (actions_done_ == actions_.size()) {
    actions_.clear();
    actions_done_ = 0;
    return std::nullopt;
  }
  return actions_[actions_done_++];
}

void DeviceEngine::HandleSetup(const SetupPacket& setup, Bytes out) {
  CHECK(actions_.empty());
  // A device in test mode hears nothing any more; refusing is the nearest an engine comes to that.
  if (test_mode_ != 0) return Push(Refuse{});
  if (!IsIn(setup) && out.size() != setup.length) return Push(Refuse{});
  switch (setup.request_type & wire::usb::kTypeMask) {
    case wire::usb::kTypeStandard: return HandleStandard(setup, out);
    case wire::usb::kTypeClass:
    case wire::usb::kTypeVendor: return HandleForFunction(setup);
    default: return Push(Refuse{});
  }
}

void DeviceEngine::HandleStandard(const SetupPacket& setup, Bytes out) {
  const uint8_t whole = setup.request_type;  // the type is zero: direction and recipient are left
  const bool in = IsIn(setup);
  switch (static_cast<Request>(setup.request)) {
    case Request::kGetStatus:
      if (in) return HandleGetStatus(setup);
      break;
    case Request::kClearFeature:
      if (!in) return HandleFeature(setup, false);
      break;
    case Request::kSetFeature:
      if (!in) return HandleFeature(setup, true);
      break;
    case Request::kSetAddress:
      if (whole == kRecipientDevice) return HandleSetAddress(setup);
      break;
    case Request::kGetDescriptor:
      if (in) return HandleGetDescriptor(setup);
      break;
    case Request::kSetDescriptor: break;  // optional, and nobody offers it
    case Request::kGetConfiguration:
      if (whole == (kDirectionIn | kRecipientDevice)) return HandleGetConfiguration(setup);
      break;
    case Request::kSetConfiguration:
      if (whole == kRecipientDevice) return HandleSetConfiguration(setup);
      break;
    case Request::kGetInterface:
      if (whole == (kDirectionIn | kRecipientInterface)) return HandleGetInterface(setup);
      break;
    case Request::kSetInterface:
      if (whole == kRecipientInterface) return HandleSetInterface(setup);
      break;
    case Request::kSynchFrame:
      if (whole == (kDirectionIn | kRecipientEndpoint)) return HandleSynchFrame(setup);
      break;
    case Request::kSetSel:
      if (whole == kRecipientDevice) return HandleSetSel(setup, out);
      break;
    case Request::kSetIsochDelay:
      if (whole == kRecipientDevice) return HandleSetIsochDelay(setup);
      break;
  }
  Push(Refuse{});
}

// Class and vendor requests go where wIndex points. Its upper byte is the class's own when an
// interface is meant (an entity of an audio device, say).
void DeviceEngine::HandleForFunction(const SetupPacket& setup) {
  if (Recipient(setup) == kRecipientInterface) {
    const Live* live = FindLive(setup.index & 0xff);
    if (live == nullptr) return Push(Refuse{});
    return Push(AskFunction{live->interface->number});
  }
  if (Recipient(setup) == kRecipientEndpoint) {
    const std::optional<LiveEndpoint> found = FindLiveEndpoint(setup.index);
    if (!found) return Push(Refuse{});
    return Push(AskFunction{found->interface});
  }
  Push(Refuse{});
}

// USB 2.0, 9.4.6. The hardware changes its address after the status stage.
void DeviceEngine::HandleSetAddress(const SetupPacket& setup) {
  const uint16_t value = setup.value;
  const bool good =
      state_ != State::kConfigured && value <= kAddressMax && setup.index == 0 && setup.length == 0;
  if (!good) return Push(Refuse{});
  address_ = static_cast<uint8_t>(value);
  state_ = address_ == 0 ? State::kDefault : State::kAddress;
  Push(Acknowledge{});
}

// USB 2.0, 9.4.3. wIndex is looked at for strings alone: hosts put all kinds of numbers there, and
// no device minds.
void DeviceEngine::HandleGetDescriptor(const SetupPacket& setup) {
  if (Recipient(setup) == kRecipientInterface) {
    // A class's own, as the report descriptor of a HID.
    const Live* live = FindLive(setup.index);
    if (live == nullptr) return Push(Refuse{});
    return Push(AskFunction{live->interface->number});
  }
  if (Recipient(setup) != kRecipientDevice) return Push(Refuse{});
  const uint16_t value = setup.value;
  const auto index = static_cast<uint8_t>(value);
  const auto of_set = [index](std::span<const std::vector<uint8_t>> set) {
    return index < set.size() ? Bytes(set[index]) : Bytes();
  };
  const auto alone = [index](Bytes descriptor) { return index == 0 ? descriptor : Bytes(); };
  Bytes found;
  switch (static_cast<DescriptorType>(value >> 8)) {
    case DescriptorType::kDevice: found = alone(model_.device); break;
    case DescriptorType::kDeviceQualifier: found = alone(model_.qualifier); break;
    case DescriptorType::kBos: found = alone(model_.bos); break;
    case DescriptorType::kConfiguration: found = of_set(model_.configurations); break;
    case DescriptorType::kOtherSpeedConfiguration: found = of_set(model_.other_speed); break;
    case DescriptorType::kString:
      if (index == 0 || setup.index == model_.language) found = of_set(model_.strings);
      break;
    // Parts of a configuration come with it, and never alone.
    case DescriptorType::kInterface:
    case DescriptorType::kEndpoint:
    case DescriptorType::kInterfaceAssociation:
    case DescriptorType::kDeviceCapability:
    case DescriptorType::kPipeUsage:
    case DescriptorType::kSuperSpeedCompanion:
    case DescriptorType::kSuperSpeedPlusIsochCompanion: break;
  }
  if (found.empty()) return Push(Refuse{});
  Push(Send{found});
}

// USB 2.0, 9.4.2.
void DeviceEngine::HandleGetConfiguration(const SetupPacket& setup) {
  const bool good =
      state_ != State::kDefault && setup.value == 0 && setup.index == 0 && setup.length == 1;
  if (!good) return Push(Refuse{});
  PushSend(state_ == State::kConfigured ? configuration().value : 0);
}

// USB 2.0, 9.4.7. Setting the same configuration again starts it anew.
void DeviceEngine::HandleSetConfiguration(const SetupPacket& setup) {
  const uint16_t value = setup.value;
  if (state_ == State::kDefault || setup.index != 0 || setup.length != 0) return Push(Refuse{});
  if (value == 0) {
    LeaveConfiguration();
    state_ = State::kAddress;
    return Push(Acknowledge{});
  }
  for (size_t index = 0; index < model_.trees.size(); ++index) {
    const usb::Configuration& tree = model_.trees[index];
    if (tree.value != value) continue;
    LeaveConfiguration();
    state_ = State::kConfigured;
    configuration_index_ = index;
    for (const usb::Interface& interface : tree.interfaces) {
      live_.push_back({.interface = &interface, .alternate = FindAlternate(interface, 0)});
      CHECK(live_.back().alternate != nullptr);
      Enable(live_.back());
    }
    return Push(Acknowledge{});
  }
  Push(Refuse{});
}

// USB 2.0, 9.4.4.
void DeviceEngine::HandleGetInterface(const SetupPacket& setup) {
  const Live* live = setup.value == 0 && setup.length == 1 ? FindLive(setup.index) : nullptr;
  if (live == nullptr) return Push(Refuse{});
  PushSend(live->alternate->setting);
}

// USB 2.0, 9.4.10. Setting the same alternate setting again resets its endpoints.
void DeviceEngine::HandleSetInterface(const SetupPacket& setup) {
  Live* live = setup.length == 0 ? FindLive(setup.index) : nullptr;
  const uint16_t value = setup.value;
  if (live == nullptr || value > 255) return Push(Refuse{});
  const usb::Alternate* wanted = FindAlternate(*live->interface, static_cast<uint8_t>(value));
  if (wanted == nullptr) return Push(Refuse{});
  Push(DisableInterface{configuration_index_, live->interface->number, live->alternate});
  live->alternate = wanted;
  Enable(*live);
  Push(Acknowledge{});
}

// USB 2.0, 9.4.11: only the function knows which frame begins its pattern.
void DeviceEngine::HandleSynchFrame(const SetupPacket& setup) {
  const std::optional<LiveEndpoint> found = FindLiveEndpoint(setup.index);
  const bool good = found && found->endpoint->type == TransferType::kIsochronous &&
                    setup.value == 0 && setup.length == 2;
  if (!good) return Push(Refuse{});
  Push(AskFunction{found->interface});
}

// USB 3.2, 9.4.12.
void DeviceEngine::HandleSetSel(const SetupPacket& setup, Bytes out) {
  const bool good = super_speed() && state_ != State::kDefault && setup.value == 0 &&
                    setup.index == 0 && setup.length == 6;
  if (!good) return Push(Refuse{});
  exit_latencies_ = {.u1_system_us = out[0],
                     .u1_device_to_host_us = out[1],
                     .u2_system_us = *wire::View<wire::Le16>(out.subspan(2)),
                     .u2_device_to_host_us = *wire::View<wire::Le16>(out.subspan(4))};
  Push(Acknowledge{});
}

// USB 3.2, 9.4.11: valid in the Default state, too.
void DeviceEngine::HandleSetIsochDelay(const SetupPacket& setup) {
  const bool good = super_speed() && setup.index == 0 && setup.length == 0;
  if (good) isochronous_delay_ns_ = setup.value;
  PushAnswer(good);
}

void DeviceEngine::HandleBusReset() {
  CHECK(actions_.empty());
  LeaveConfiguration();
  state_ = State::kDefault;
  address_ = 0;
  suspended_ = false;
  remote_wakeup_enabled_ = false;
  exit_latencies_ = {};
  isochronous_delay_ns_ = 0;
}

void DeviceEngine::HandleDisconnect() {
  HandleBusReset();
  test_mode_ = 0;
}

void DeviceEngine::PushSend(uint8_t first) {
  reply_[0] = first;
  Push(Send{Bytes(reply_).first(1)});
}

void DeviceEngine::PushSend(uint8_t first, uint8_t second) {
  reply_ = {first, second};
  Push(Send{reply_});
}

void DeviceEngine::PushAnswer(bool good) {
  if (good) {
    Push(Acknowledge{});
  } else {
    Push(Refuse{});
  }
}

void DeviceEngine::Enable(const Live& live) {
  Push(EnableInterface{configuration_index_, live.interface->number, live.alternate});
}

// What a configuration brought goes with it. Remote wakeup stays: USB 2.0, 9.4.7 does not name it.
void DeviceEngine::LeaveConfiguration() {
  for (const Live& live : live_) {
    Push(DisableInterface{configuration_index_, live.interface->number, live.alternate});
  }
  live_.clear();
  u1_enabled_ = false;
  u2_enabled_ = false;
  latency_messages_enabled_ = false;
}

DeviceEngine::Live* DeviceEngine::FindLive(uint16_t index) {
  for (Live& live : live_) {
    if (live.interface->number == index) return &live;
  }
  return nullptr;
}

std::optional<DeviceEngine::LiveEndpoint> DeviceEngine::FindLiveEndpoint(uint16_t index) const {
  // USB 2.0, figure 9-2: all but the direction and the number is reserved.
  if ((index & 0xff70) != 0) return std::nullopt;
  const EndpointAddress address{static_cast<uint8_t>(index)};
  for (const Live& live : live_) {
    const usb::EndpointConfig* endpoint = FindEndpoint(*live.alternate, address);
    if (endpoint != nullptr) return LiveEndpoint{live.interface->number, endpoint};
  }
  return std::nullopt;
}

}  // namespace usbtwin::chapter9
