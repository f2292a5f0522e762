// The standard half of a device: its address, configuration, alternate settings and features, and
// the answer to every standard request in every state. USB 2.0, 9.1 and 9.4; USB 3.2, 9.1 and 9.4.
// Pure: it knows its device from a Model and says what to do; emulator/device.h does it.
//
// Where the standard says that a device's behaviour is not specified, the request is refused, so
// that a careless host meets here what some device will do to it.
//
// Actions of one event come in order; the last one of a setup answers it. They are polled until
// none is left before the next event is handed in.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "usb/descriptors.h"

namespace usbtwin::chapter9 {

// What the device is at one speed. Everything is borrowed for the life of the engine.
struct Model {
  usb::Speed speed = usb::Speed::kHigh;
  bool self_powered = false;
  bool latency_messages = false;  // LTM, as the SuperSpeed capability says
  uint16_t language = wire::usb::kLanguageEnglishUs;
  Bytes device;
  Bytes qualifier;  // empty: the device knows one speed of USB 2.0, or runs at SuperSpeed
  Bytes bos;        // empty: there is none
  std::span<const std::vector<uint8_t>> configurations;
  std::span<const std::vector<uint8_t>> other_speed;  // as many, or none
  std::span<const std::vector<uint8_t>> strings;      // by index; one that is empty is not there
  std::span<const usb::Configuration> trees;          // one for each of `configurations`
};

// Answers.
struct Send {
  Bytes data;  // valid until the next event
};
struct SendHalt {  // two bytes, bit 0: is the endpoint halted. USB 2.0, figure 9-6
  usb::EndpointAddress endpoint;
};
struct Acknowledge {};
struct Refuse {};
struct AskFunction {  // the function this interface belongs to answers
  uint8_t interface = 0;
};

// What to do before. Interfaces are disabled and enabled with their endpoints.
struct DisableInterface {
  size_t configuration_index = 0;
  uint8_t interface = 0;
  const usb::Alternate* alternate = nullptr;
};
struct EnableInterface {
  size_t configuration_index = 0;
  uint8_t interface = 0;
  const usb::Alternate* alternate = nullptr;
};
struct SetHalt {
  usb::EndpointAddress endpoint;
  uint8_t interface = 0;
};
// The host asks; an endpoint that its function wedged stays halted all the same.
struct ClearHalt {
  usb::EndpointAddress endpoint;
  uint8_t interface = 0;
};
// The function with this first interface sleeps while others go on. USB 3.2, 9.2.5.4.
struct SuspendFunction {
  uint8_t interface = 0;
};
struct ResumeFunction {
  uint8_t interface = 0;
};

using Action = std::variant<Send, SendHalt, Acknowledge, Refuse, AskFunction, DisableInterface,
                            EnableInterface, SetHalt, ClearHalt, SuspendFunction, ResumeFunction>;

// Attached is not told from Powered, and Suspended lies across: suspended(). USB 2.0, table 9-1.
enum class State : uint8_t { kDefault, kAddress, kConfigured };

// What SET_SEL brings, in microseconds. USB 3.2, table 9-8.
struct ExitLatencies {
  uint8_t u1_system_us = 0;
  uint8_t u1_device_to_host_us = 0;
  uint16_t u2_system_us = 0;
  uint16_t u2_device_to_host_us = 0;
  bool operator==(const ExitLatencies&) const = default;
};

class DeviceEngine {
 public:
  explicit DeviceEngine(const Model& model) : model_(model) {}

  // `out` is the data stage of an OUT request; one that is not wLength bytes long is refused.
  void HandleSetup(const usb::SetupPacket& setup, Bytes out);
  void HandleBusReset();
  void HandleDisconnect();  // test mode ends, too: the device has lost its power
  void HandleSuspend() { suspended_ = true; }
  void HandleResume() { suspended_ = false; }
  std::optional<Action> Poll();

  State state() const { return state_; }
  uint8_t address() const { return address_; }
  // Where state() is kConfigured.
  const usb::Configuration& configuration() const { return model_.trees[configuration_index_]; }
  size_t configuration_index() const { return configuration_index_; }
  bool suspended() const { return suspended_; }
  // Whether the device may wake its host now: it sleeps, and was allowed to. USB 2.0, 9.2.5.2;
  // USB 3.2, 9.2.5.3.
  bool may_wake() const;
  // 0, or the test the device's port runs until it loses power. USB 2.0, 7.1.20.
  uint8_t test_mode() const { return test_mode_; }
  bool u1_enabled() const { return u1_enabled_; }
  bool u2_enabled() const { return u2_enabled_; }
  bool latency_messages_enabled() const { return latency_messages_enabled_; }
  const ExitLatencies& exit_latencies() const { return exit_latencies_; }
  uint16_t isochronous_delay_ns() const { return isochronous_delay_ns_; }

 private:
  // An interface of the active configuration.
  struct Live {
    const usb::Interface* interface = nullptr;
    const usb::Alternate* alternate = nullptr;
    bool suspended = false;
    bool may_wake = false;
  };
  struct LiveEndpoint {
    uint8_t interface = 0;
    const usb::EndpointConfig* endpoint = nullptr;
  };

  void HandleStandard(const usb::SetupPacket& setup, Bytes out);
  void HandleForFunction(const usb::SetupPacket& setup);
  void HandleGetStatus(const usb::SetupPacket& setup);
  void HandleFeature(const usb::SetupPacket& setup, bool set);
  void HandleDeviceFeature(const usb::SetupPacket& setup, bool set);
  void HandleFunctionSuspend(const usb::SetupPacket& setup, bool set);
  void HandleEndpointHalt(const usb::SetupPacket& setup, bool set);
  void HandleSetAddress(const usb::SetupPacket& setup);
  void HandleGetDescriptor(const usb::SetupPacket& setup);
  void HandleGetConfiguration(const usb::SetupPacket& setup);
  void HandleSetConfiguration(const usb::SetupPacket& setup);
  void HandleGetInterface(const usb::SetupPacket& setup);
  void HandleSetInterface(const usb::SetupPacket& setup);
  void HandleSynchFrame(const usb::SetupPacket& setup);
  void HandleSetSel(const usb::SetupPacket& setup, Bytes out);
  void HandleSetIsochDelay(const usb::SetupPacket& setup);

  void Push(Action action) { actions_.push_back(action); }
  void PushSend(uint8_t first);
  void PushSend(uint8_t first, uint8_t second);
  void PushAnswer(bool good);
  void Enable(const Live& live);
  void LeaveConfiguration();
  bool super_speed() const { return model_.speed >= usb::Speed::kSuper; }
  bool can_wake() const;
  Live* FindLive(uint16_t index);
  std::optional<LiveEndpoint> FindLiveEndpoint(uint16_t index) const;

  const Model& model_;
  State state_ = State::kDefault;
  uint8_t address_ = 0;
  size_t configuration_index_ = 0;
  std::vector<Live> live_;  // in descriptor order; empty unless configured
  bool suspended_ = false;
  bool remote_wakeup_enabled_ = false;
  bool u1_enabled_ = false;
  bool u2_enabled_ = false;
  bool latency_messages_enabled_ = false;
  uint8_t test_mode_ = 0;
  ExitLatencies exit_latencies_;
  uint16_t isochronous_delay_ns_ = 0;
  std::array<uint8_t, 2> reply_{};  // what Send lends of the engine's own
  std::vector<Action> actions_;
  size_t actions_done_ = 0;
};

}  // namespace usbtwin::chapter9
