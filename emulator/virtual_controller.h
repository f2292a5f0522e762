// VirtualController: the in-process twin's bus. A usb::Link above, a Controller below; the only
// class that knows both. It keeps a pipe for each enabled endpoint, serialises control requests,
// and plays the host's hub: it gives the device an address when it is plugged in or reset, and
// applies the configuration again after a reset.
//
// Upcalls to the device come from the clock's queue. One control request is with the device at a
// time; the next one waits for its answer.
#pragma once

#include <array>
#include <bitset>
#include <memory>
#include <vector>

#include "emulator/port.h"
#include "emulator/stream_pipes.h"
#include "proto/iso_pipe.h"
#include "usb/link.h"

namespace usbtwin::emulator {

class VirtualController final : public usb::Link, public Port, private Deferred {
 public:
  VirtualController(Clock& clock, usb::Speed speed);
  ~VirtualController() override;

  // Port. Bus reset and address follow.
  void Attach(ControllerClient& client) override;
  // Everything completes kDisconnected from now on, until it is attached again. A host that saw
  // kDisconnected opens a new link.
  void Detach() override;
  bool attached() const { return client_ != nullptr && !detaching_; }
  uint64_t attachments_count() const { return attachments_count_; }  // how often it was attached
  bool idle() const override { return client_ == nullptr && !linked(); }

  // usb::Link. Bulk streams from SuperSpeed on; a reset and another setting take them away.
  usb::LinkCaps caps() const override;
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

  // Controller.
  usb::Speed speed() const override { return speed_; }
  void Enable(const usb::EndpointConfig& endpoint) override;
  void Disable(usb::EndpointAddress endpoint) override;
  void Queue(usb::InRequest& request) override;
  void Queue(usb::OutRequest& request) override;
  void Release(usb::OutRequest& request) override;
  void CancelAll(usb::EndpointAddress endpoint) override;
  void CancelStream(usb::EndpointAddress endpoint, uint16_t stream_id) override;
  void SetHalt(usb::EndpointAddress endpoint, HaltState state) override;
  HaltState halt(usb::EndpointAddress endpoint) const override;
  void CompleteControl(ControlTicket ticket, ControlReply reply) override;
  void RemoteWakeup() override;

 private:
  static constexpr size_t kNumbersCount = 16;
  static constexpr uint16_t kStreamsMax = 256;  // of one endpoint
  using InPipes = StreamPipes<proto::InPipe>;
  using OutPipes = StreamPipes<proto::OutPipe>;

  void Run() override;  // the pump: hands the next piece of control work to the device
  void Wake();
  void Serve(const usb::SetupPacket& setup, Bytes out);
  void Answer(ControlReply reply);
  void AnswerTransfer(usb::Transfer& transfer, ControlReply reply);
  void ServePort(usb::PortOp& op);
  void Remember(const usb::PortRequest& request);
  bool ResetWaits();
  void CancelControls();
  void SubmitDetached(usb::Transfer& transfer);
  bool FollowsAnother(const usb::Transfer& transfer) const;
  bool IsStream(const usb::Transfer& transfer) const;
  proto::InPipe* InPipeOf(usb::EndpointAddress endpoint, uint16_t stream_id) const;
  proto::OutPipe* OutPipeOf(usb::EndpointAddress endpoint, uint16_t stream_id) const;
  void ServeStreams(usb::PortOp& op, const usb::AllocateStreams& ask);
  usb::Outcome ServeStreams(const usb::FreeStreams& ask);
  proto::IsoPipe* IsoPipeOf(usb::EndpointAddress endpoint) const;
  void SetSuspended(bool suspended);
  void ResetBus();
  void Disconnect();
  template <class Op>
  void Finish(Op& op, usb::Outcome outcome) {
    op.outcome = outcome;
    clock_.Post(op);
  }

  Clock& clock_;
  const usb::Speed speed_;
  ControllerClient* client_ = nullptr;
  uint64_t attachments_count_ = 0;
  bool detaching_ = false;
  bool suspended_ = false;
  bool reset_due_ = false;
  bool wakeup_due_ = false;

  // Made when first enabled and kept, because a loan may outlast the configuration.
  std::array<std::unique_ptr<InPipes>, kNumbersCount> in_pipes_;
  std::array<std::unique_ptr<OutPipes>, kNumbersCount> out_pipes_;
  std::array<std::unique_ptr<proto::IsoPipe>, usb::kEndpointIndexCount> iso_pipes_;
  std::bitset<usb::kEndpointIndexCount> isochronous_;  // as they were enabled last
  std::array<HaltState, usb::kEndpointIndexCount> halts_{};
  std::bitset<usb::kEndpointIndexCount> enabled_;
  // By endpoint: the streams that it has, and those that the host has asked for and got.
  std::array<uint16_t, usb::kEndpointIndexCount> streams_{};
  std::array<uint16_t, usb::kEndpointIndexCount> granted_{};

  IntrusiveList<usb::Transfer> controls_;
  IntrusiveList<usb::PortOp> ports_;
  // What the hub sends of its own accord, last first: SET_ADDRESS and, after a reset, what brings
  // the configuration back.
  std::vector<usb::SetupPacket> hub_requests_;
  // The control request that is with the device: one of these, or the hub's own where both are
  // null.
  usb::Transfer* active_transfer_ = nullptr;
  usb::PortOp* active_port_ = nullptr;
  usb::PortOp* resetting_ = nullptr;  // completes when the hub's requests are done
  bool hub_failed_ = false;           // the device refused one of the hub's own requests
  bool ticket_open_ = false;
  ControlTicket ticket_ = 0;

  std::optional<uint8_t> configuration_;
  std::array<uint8_t, 256> alternates_{};
};

}  // namespace usbtwin::emulator
