// BotFunction: a mass-storage interface that speaks the Bulk-Only Transport. A thin shell: the
// engine (proto/bot_device.h) decides; this class queues requests, moves windows of data between
// the controller and the logical unit, and answers the two class requests.
//
// Stopping (Bulk-Only Reset, another configuration, unplug) is never instant: what is queued is
// cancelled, the running command aborted, and only when all of it has come back does the engine
// hear of the reset. Cancelled requests that are still on their way would be taken for empty
// commands.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "emulator/function.h"
#include "emulator/logical_unit.h"
#include "proto/bot_device.h"

namespace usbtwin::emulator {

struct BotFunctionOptions {
  uint8_t interface_class = 0x08;  // 08h mass storage, FFh vendor-specific carrying the same
  uint8_t initiator = 0;           // which I_T nexus of the units this interface is
  uint8_t luns_count = 1;          // 1 to 16: Get Max LUN + 1
  bool stall_get_max_lun = false;  // a quirk of single-unit devices. BOT 1.0, 3.2
  bool queueing = false;           // CmdQue of INQUIRY: in another setting the device queues
  std::string name;                // iInterface; none where empty
};

class BotFunction final : public Function, private usb::RequestSink, private scsi::CommandSink {
 public:
  // The unit, usually a Target, outlives the function.
  BotFunction(scsi::LogicalUnit& unit, BotFunctionOptions options);
  ~BotFunction() override;

  Bytes descriptors(usb::Speed speed) const override;
  std::span<const std::string> strings() const override;
  void HandleBind(Controller& controller) override;
  ControlReply HandleControl(const ControlRequest& request) override;
  void HandleEvent(const BusEvent& event) override;
  // Nothing of it is under way: after an unplug it may be destroyed.
  bool idle() const {
    const bool queued =
        command_request_.queued || data_in_.queued || data_out_.queued || status_request_.queued;
    return !queued && !command_live_ && !loan_out_;
  }

 private:
  // A status wrapper and the pin it is lent by. Several, because a host may still hold the last.
  struct StatusSlab {
    wire::bot::CommandStatusWrapper wrapper{};
    StaticPin pin{wire::AsBytes(wrapper)};
  };

  void OnRequestDone(usb::InRequest& request) override;
  void OnRequestDone(usb::OutRequest& request) override;
  void OnExecuted(scsi::Command& command) override;
  void OnWindow(scsi::Command& command) override;
  void OnDataWanted(scsi::Command& command, uint32_t length) override;
  void OnDataTaken(scsi::Command& command) override;

  void Drain();
  void Do(const bot::ReceiveCommand& action);
  void Do(const bot::Execute& action);
  void Do(const bot::SendData& action);
  void Do(const bot::ReceiveData& action);
  void Do(const bot::AbortCommand& action);
  void Do(const bot::Halt& action);
  void Do(const bot::SendStatus& action);

  void HandleWindowSent();
  void HandleDataReceived();
  void SendWindow();
  void ReceiveMore();
  void ReleaseLoan();

  // Takes everything back; `then` happens when nothing is out any more.
  enum class AfterStop : uint8_t { kNone, kReset, kEnable, kDisable };
  void Stop(AfterStop then);
  bool stopping() const { return after_stop_ != AfterStop::kNone; }
  void FinishStop();

  scsi::LogicalUnit& unit_;
  const BotFunctionOptions options_;
  std::vector<std::string> strings_;
  std::array<std::vector<uint8_t>, 3> descriptors_;  // full, high, super
  Controller* controller_ = nullptr;
  usb::EndpointAddress in_address_;
  usb::EndpointAddress out_address_;
  uint16_t packet_size_max_ = 0;
  bool enabled_ = false;

  bot::DeviceEngine engine_;
  usb::OutRequest command_request_;
  std::array<uint8_t, 1024> command_room_{};  // exactly one packet of it is offered
  usb::InRequest data_in_;
  usb::OutRequest data_out_;
  usb::InRequest status_request_;
  std::array<StatusSlab, 4> status_slabs_;

  scsi::Command command_;
  bool command_live_ = false;  // the unit still owes a call
  bool abandoned_ = false;     // data-in overflowed: the unit is letting go of the rest
  bool loan_out_ = false;      // data_out_.lent is not released
  uint32_t data_length_ = 0;   // bytes of this data phase in all
  uint32_t data_moved_ = 0;    // of those, how many have
  bool data_ended_ = false;    // data-out: a short packet came

  AfterStop after_stop_ = AfterStop::kNone;
  std::optional<ControlTicket> reset_ticket_;
};

}  // namespace usbtwin::emulator
