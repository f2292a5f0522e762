// Device: functions and chapter 9 make a device. It answers the standard requests, hands class and
// vendor requests to the function they concern, and tells functions when their interfaces come and
// go. The engine (proto/chapter9.h) decides; this class does it to the controller.
//
// One Device is bound to one Controller, at that controller's speed. It owns no function, and lives
// as long as anybody may call its functions' controller.
#pragma once

#include <memory>

#include "emulator/device_descriptors.h"
#include "proto/chapter9.h"

namespace usbtwin::emulator {

class Device final : public ControllerClient {
 public:
  // An Error says which of the options or functions does not fit.
  static Result<std::unique_ptr<Device>> Make(DeviceOptions options,
                                              std::vector<DeviceConfiguration> configurations);

  // Once, before the controller makes its first call. kUnsupported where the device does not know
  // the controller's speed.
  Result<void> Bind(Controller& controller);

  const DeviceOptions& options() const { return options_; }
  const DeviceDescriptors& descriptors() const { return descriptors_; }
  // Wakes the sleeping host, if it allowed that. False where it did not, or does not sleep.
  bool WakeHost();

  // ControllerClient.
  ControlReply HandleSetup(const usb::SetupPacket& setup, Bytes out, ControlTicket ticket) override;
  void HandleBusReset() override;
  void HandleDisconnect() override;
  void HandleSuspend() override;
  void HandleResume() override;

 private:
  Device(DeviceOptions options, std::vector<DeviceConfiguration> configurations,
         DeviceDescriptors descriptors);

  // Does what the engine asks. The last action of a setup is the reply.
  ControlReply Drain(const usb::SetupPacket& setup, Bytes out, ControlTicket ticket);
  void DrainWithoutReply();
  void Do(const chapter9::DisableInterface& action);
  void Do(const chapter9::EnableInterface& action);
  void Do(const chapter9::SetHalt& action);
  void Do(const chapter9::ClearHalt& action);
  void Do(const chapter9::SuspendFunction& action);
  void Do(const chapter9::ResumeFunction& action);

  const InterfaceOwner& Owner(size_t configuration_index, uint8_t interface) const;
  void TellActive(const BusEvent& event);
  void TellAll(const BusEvent& event);

  const DeviceOptions options_;
  const std::vector<DeviceConfiguration> configurations_;
  const DeviceDescriptors descriptors_;
  std::vector<Function*> functions_;  // each once
  Controller* controller_ = nullptr;
  const SpeedDescriptors* at_ = nullptr;  // into descriptors_: those of the controller's speed
  chapter9::Model model_;
  std::optional<chapter9::DeviceEngine> engine_;
  std::array<uint8_t, 2> halt_reply_{};
};

}  // namespace usbtwin::emulator
