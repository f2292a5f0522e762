// UasFunction: a mass-storage interface that speaks the Bulk-Only Transport in alternate setting 0
// and USB Attached SCSI in setting 1, many commands at once. Setting 0 is a BotFunction; setting 1
// is a thin shell round uas::DeviceEngine and a UasTask for each of its tasks. At full speed there
// is Bulk-Only alone: UAS needs the bandwidth, and no driver looks for it there.
//
// At SuperSpeed the status and data pipes have streams, and the controller must carry them; at high
// speed ready IUs take their place. Which setting is enabled, and how often that changes, is the
// host's business: everything of the old one is taken back before the new one's engine starts.
#pragma once

#include <memory>

#include "emulator/bot_function.h"
#include "emulator/uas_task.h"

namespace usbtwin::emulator {

class UasFunction final : public Function, private usb::RequestSink, private UasTaskOwner {
 public:
  // Of each of the three pipes, at SuperSpeed: 2 to the power of this.
  static constexpr uint8_t kStreamsExponent = 5;

  // The unit, usually a Target, outlives the function. The options are those of its Bulk-Only half.
  // `streams`: the controller carries them; otherwise there is no setting 1 from SuperSpeed on.
  UasFunction(scsi::LogicalUnit& unit, BotFunctionOptions options, bool streams = true);
  ~UasFunction() override;

  Bytes descriptors(usb::Speed speed) const override;
  std::span<const std::string> strings() const override { return bot_.strings(); }
  void HandleBind(Controller& controller) override;
  ControlReply HandleControl(const ControlRequest& request) override;
  void HandleEvent(const BusEvent& event) override;
  // Nothing of it is under way: after an unplug it may be destroyed.
  bool idle() const { return bot_.idle() && uas_idle(); }

 private:
  void OnRequestDone(usb::InRequest& request) override;
  void OnRequestDone(usb::OutRequest& request) override;
  void HandleProgress() override { Drain(); }
  void HandleTakenBack(uint8_t task) override;

  void HandleEnabled(const InterfaceEnabled& on);
  void Drain();
  void Do(const uas::ReceiveIu& action);
  void Do(const uas::HaltCommandPipe& action);
  void Do(const uas::Execute& action) { tasks_[action.task]->Execute(); }
  void Do(const uas::SendReady& action) { tasks_[action.task]->SendReady(action.write); }
  void Do(const uas::SendData& action) { tasks_[action.task]->SendData(); }
  void Do(const uas::EndData& action) { tasks_[action.task]->EndData(); }
  void Do(const uas::ReceiveData& action) { tasks_[action.task]->ReceiveData(action.length); }
  void Do(const uas::AbortCommand& action) { tasks_[action.task]->AbortCommand(); }
  void Do(const uas::AbortTask& action) { tasks_[action.task]->TakeBack(); }
  void Do(const uas::SendStatus& action) { tasks_[action.task]->SendStatus(action.data_broken); }
  void Do(const uas::ResetUnit& action) { unit_.ResetUnit(action.lun); }
  void Do(const uas::SendReply& action);
  void Do(const uas::TakeBackReply& action);

  bool uas_idle() const;
  // Takes everything of setting 1 back; then it is as enabled_ says.
  void Stop();
  void FinishStop();

  scsi::LogicalUnit& unit_;
  BotFunction bot_;
  std::array<std::vector<uint8_t>, 3> descriptors_;  // full, high, super
  Controller* controller_ = nullptr;
  bool enabled_ = false;  // setting 1
  bool stopping_ = false;
  bool taking_back_ = false;  // Stop is at it
  bool draining_ = false;
  UasPipes pipes_;
  uint16_t streams_count_ = 0;

  uas::DeviceEngine engine_;
  std::vector<std::unique_ptr<UasTask>> tasks_;
  usb::OutRequest command_request_;
  std::array<uint8_t, 1024> command_room_{};  // exactly one packet of it is offered
  std::array<UasStatus, uas::DeviceEngine::kRepliesMax> replies_;
};

}  // namespace usbtwin::emulator
