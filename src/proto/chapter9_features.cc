// The other half of chapter9.h: GET_STATUS, CLEAR_FEATURE and SET_FEATURE.
#include "proto/chapter9.h"

namespace usbtwin::chapter9 {
namespace {

using usb::SetupPacket;
using usb::TransferType;
using wire::usb::kRecipientDevice;
using wire::usb::kRecipientEndpoint;
using wire::usb::kRecipientInterface;

// Test_J, Test_K, Test_SE0_NAK, Test_Packet. USB 2.0, table 9-7; 05h is for a hub's ports.
constexpr uint8_t kTestModeMax = 4;
// Options of FUNCTION_SUSPEND, in the upper byte of wIndex. USB 3.2, table 9-9.
constexpr uint8_t kFunctionLowPower = 0x01;
constexpr uint8_t kFunctionRemoteWakeup = 0x02;

uint8_t Recipient(const SetupPacket& setup) {
  return setup.request_type & wire::usb::kRecipientMask;
}

// An interface that leads its function, or is one alone.
bool LeadsFunction(const usb::Interface& interface) {
  return !interface.association || interface.association->interface_first == interface.number;
}

}  // namespace

// USB 2.0, 9.4.5; USB 3.2, 9.4.5.
void DeviceEngine::HandleGetStatus(const SetupPacket& setup) {
  if (state_ == State::kDefault || setup.value != 0 || setup.length != 2) return Push(Refuse{});
  const uint16_t index = setup.index;
  switch (Recipient(setup)) {
    case kRecipientDevice: {
      if (index != 0) return Push(Refuse{});
      uint8_t status = model_.self_powered ? 0x01 : 0;
      if (remote_wakeup_enabled_) status |= 0x02;
      if (u1_enabled_) status |= 0x04;
      if (u2_enabled_) status |= 0x08;
      if (latency_messages_enabled_) status |= 0x10;
      return PushSend(status, 0);
    }
    case kRecipientInterface: {
      const Live* live = FindLive(index);
      if (live == nullptr) return Push(Refuse{});
      // All zeros in USB 2.0, and for all but the first interface of a function in USB 3.2.
      if (!super_speed() || !LeadsFunction(*live->interface)) return PushSend(0, 0);
      return PushSend(static_cast<uint8_t>((can_wake() ? 1 : 0) | (live->may_wake ? 2 : 0)), 0);
    }
    case kRecipientEndpoint: {
      if ((index & 0xff7f) == 0) return PushSend(0, 0);  // endpoint zero never stays halted
      const std::optional<LiveEndpoint> found = FindLiveEndpoint(index);
      if (!found) return Push(Refuse{});
      return Push(SendHalt{found->endpoint->address});
    }
    default: return Push(Refuse{});
  }
}

// CLEAR_FEATURE and SET_FEATURE. USB 2.0, 9.4.1 and 9.4.9; USB 3.2, 9.4.1 and 9.4.9.
void DeviceEngine::HandleFeature(const SetupPacket& setup, bool set) {
  if (setup.length != 0) return Push(Refuse{});
  const bool default_state = state_ == State::kDefault;
  switch (Recipient(setup)) {
    case kRecipientDevice: return HandleDeviceFeature(setup, set);
    case kRecipientInterface:
      if (!default_state && setup.value == wire::usb::kFeatureFunctionSuspend) {
        return HandleFunctionSuspend(setup, set);
      }
      break;
    case kRecipientEndpoint:
      if (!default_state && setup.value == wire::usb::kFeatureEndpointHalt) {
        return HandleEndpointHalt(setup, set);
      }
      break;
    default: break;
  }
  Push(Refuse{});
}

void DeviceEngine::HandleDeviceFeature(const SetupPacket& setup, bool set) {
  const uint16_t value = setup.value;
  if (value == wire::usb::kFeatureTestMode) {
    const uint16_t index = setup.index;
    const auto test = static_cast<uint8_t>(index >> 8);
    // The one feature that works in the Default state; nothing but a loss of power clears it.
    const bool good = set && model_.speed == usb::Speed::kHigh && (index & 0xff) == 0 &&
                      test != 0 && test <= kTestModeMax;
    if (good) test_mode_ = test;
    return PushAnswer(good);
  }
  if (state_ == State::kDefault || setup.index != 0) return Push(Refuse{});
  if (value == wire::usb::kFeatureDeviceRemoteWakeup) {
    // SuperSpeed has the feature for each function instead. USB 3.2, table 9-7.
    const bool good = !super_speed() && can_wake();
    if (good) remote_wakeup_enabled_ = set;
    return PushAnswer(good);
  }
  if (!super_speed() || state_ != State::kConfigured) return Push(Refuse{});
  switch (value) {
    case wire::usb::kFeatureU1Enable: u1_enabled_ = set; return Push(Acknowledge{});
    case wire::usb::kFeatureU2Enable: u2_enabled_ = set; return Push(Acknowledge{});
    case wire::usb::kFeatureLtmEnable:
      if (model_.latency_messages) latency_messages_enabled_ = set;
      return PushAnswer(model_.latency_messages);
    default: return Push(Refuse{});
  }
}

// The upper byte of wIndex says what to do, the lower one which function. Clearing the feature is
// setting it with no option at all. USB 3.2, 9.4.9.
void DeviceEngine::HandleFunctionSuspend(const SetupPacket& setup, bool set) {
  const uint16_t index = setup.index;
  const auto options = static_cast<uint8_t>(set ? index >> 8 : 0);
  Live* live = super_speed() ? FindLive(index & 0xff) : nullptr;
  if (live == nullptr || !LeadsFunction(*live->interface)) return Push(Refuse{});
  if ((options & ~(kFunctionLowPower | kFunctionRemoteWakeup)) != 0) return Push(Refuse{});
  const bool may_wake = (options & kFunctionRemoteWakeup) != 0;
  if (may_wake && !can_wake()) return Push(Refuse{});
  live->may_wake = may_wake;
  const bool suspended = (options & kFunctionLowPower) != 0;
  if (suspended && !live->suspended) Push(SuspendFunction{live->interface->number});
  if (!suspended && live->suspended) Push(ResumeFunction{live->interface->number});
  live->suspended = suspended;
  Push(Acknowledge{});
}

void DeviceEngine::HandleEndpointHalt(const SetupPacket& setup, bool set) {
  const uint16_t index = setup.index;
  // Clearing what endpoint zero never has is valid in every state; setting it is not required nor
  // recommended. USB 2.0, 9.4.5.
  if ((index & 0xff7f) == 0) return PushAnswer(!set);
  const std::optional<LiveEndpoint> found = FindLiveEndpoint(index);
  if (!found) return Push(Refuse{});
  const TransferType type = found->endpoint->type;
  if (type != TransferType::kBulk && type != TransferType::kInterrupt) return Push(Refuse{});
  if (set) {
    Push(SetHalt{found->endpoint->address, found->interface});
  } else {
    Push(ClearHalt{found->endpoint->address, found->interface});
  }
  Push(Acknowledge{});
}

bool DeviceEngine::may_wake() const {
  if (!suspended_) return false;
  bool allowed = remote_wakeup_enabled_;
  for (const Live& live : live_) allowed = allowed || live.may_wake;
  return allowed;
}

// Whether the device can wake its host at all: as the configuration says or, before there is one,
// as any of them does.
bool DeviceEngine::can_wake() const {
  if (state_ == State::kConfigured) return configuration().remote_wakeup();
  bool can = false;
  for (const usb::Configuration& tree : model_.trees) can = can || tree.remote_wakeup();
  return can;
}

}  // namespace usbtwin::chapter9
