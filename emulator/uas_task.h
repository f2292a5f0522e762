// UasTask: the buffers and requests of one task of a UAS function, and its scsi::Command. A thin
// shell: the engine (proto/uas_device.h) decides; this class moves windows of data between the
// controller and the logical unit, and says how that ended. Taking a task back is never instant:
// what is queued is cancelled, the command aborted, and only when all of it has come back is it
// idle. Owned by UasFunction.
#pragma once

#include "emulator/controller.h"
#include "emulator/logical_unit.h"
#include "proto/uas_device.h"

namespace usbtwin::emulator {

// The pipes of the setting that is enabled.
struct UasPipes {
  usb::EndpointAddress command;
  usb::EndpointAddress status;
  usb::EndpointAddress data_in;
  usb::EndpointAddress data_out;
  uint16_t packet_size_max = 0;  // of all of them
};

// An IU for the status pipe, and the pin it is lent by.
class UasStatus {
 public:
  static constexpr size_t kLengthMax = sizeof(wire::uas::SenseIu) + scsi::kDescriptorSenseLengthMax;

  UasStatus() { request.sink = nullptr; }
  // A host may still hold what was sent before: then this one is a copy of its own.
  void Fill(Bytes iu);

  usb::InRequest request;

 private:
  std::array<uint8_t, kLengthMax> bytes_{};
  StaticPin pin_{bytes_};
};

class UasTaskOwner {
 public:
  virtual void HandleProgress() = 0;               // the engine has something to say
  virtual void HandleTakenBack(uint8_t task) = 0;  // after TakeBack; perhaps from inside it

 protected:
  ~UasTaskOwner() = default;
};

class UasTask final : private usb::RequestSink, private scsi::CommandSink {
 public:
  // All of them outlive the task. `index`: its number in the engine.
  UasTask(uint8_t index, uas::DeviceEngine& engine, scsi::LogicalUnit& unit, uint8_t initiator,
          UasTaskOwner& owner);
  UasTask(const UasTask&) = delete;
  UasTask& operator=(const UasTask&) = delete;
  ~UasTask();

  // Before the first action of a setting.
  void Use(Controller& controller, const UasPipes& pipes);

  // The engine's actions.
  void Execute();
  void SendReady(bool write);
  void SendData() { SendWindow(); }
  void EndData();
  void ReceiveData(uint32_t length);
  void AbortCommand();
  void SendStatus(bool data_broken);
  void TakeBack();
  // The setting ends: the same, and what was decided but had no turn yet is dropped.
  void Drop();

  bool taking_back() const { return taking_back_; }
  bool idle() const {
    return !data_in_.queued && !data_out_.queued && !status_.request.queued && !command_live_ &&
           !loan_out_;
  }

 private:
  void OnRequestDone(usb::InRequest& request) override;
  void OnRequestDone(usb::OutRequest& request) override;
  void OnExecuted(scsi::Command& command) override;
  void OnWindow(scsi::Command& command) override;
  void OnDataWanted(scsi::Command& command, uint32_t length) override;
  void OnDataTaken(scsi::Command& command) override;

  void HandleStatusSent();
  void HandleWindowSent();
  void SendWindow();
  // Whether the host waits for more than the window brings, and would not see its end.
  bool EndsUnseen() const;
  void ReceiveMore();
  void ReleaseLoan();
  void QueueStatus(Bytes iu);
  void CancelData(usb::EndpointAddress endpoint);
  void FinishTakeBack();
  uint16_t tag() const { return engine_.task(index_).tag; }
  uint16_t stream() const { return engine_.streams() ? tag() : uint16_t{0}; }

  const uint8_t index_;
  uas::DeviceEngine& engine_;
  scsi::LogicalUnit& unit_;
  UasTaskOwner& owner_;
  Controller* controller_ = nullptr;
  UasPipes pipes_;

  scsi::Command command_;
  usb::InRequest data_in_;
  usb::OutRequest data_out_;
  UasStatus status_;
  bool command_live_ = false;  // the unit still owes a call
  bool loan_out_ = false;      // data_out_.lent is not released
  bool breaking_ = false;      // the unit is letting go of what the host broke off
  bool ending_ = false;        // data_in_ is the packet of no bytes behind data that broke off
  bool taking_back_ = false;
  uint32_t data_length_ = 0;  // bytes of data-out in all
  uint32_t data_moved_ = 0;   // bytes of either
  bool data_ended_ = false;   // data-out: a short packet came
};

}  // namespace usbtwin::emulator
