// RawGadget: a kernel's USB device controller (UDC) as a Controller, through /dev/raw-gadget. The
// device behind it is a real one to whatever host the UDC is cabled to; with dummy_hcd that is this
// machine. Full and high speed; no isochronous endpoints, no streams: raw-gadget has none.
//
// The kernel's calls block, so there is a thread for its events, one for the control endpoint and
// one for each pipe. They only carry bytes: every decision is made on the loop's thread.
//
// What the kernel keeps to itself: it answers SET_ADDRESS, and often GET_STATUS and the halt
// features too, so the device is told an address when the bus is reset and never learns that a halt
// was cleared. A request with OUT data is acknowledged as soon as its data has come: a refusal is
// lost. Kernels before 6.7 do not tell of resets; the next SET_CONFIGURATION makes good for it.
#pragma once

#include <memory>

#include "emulator/port.h"
#include "os/gadget.h"
#include "os/linux/gadget_endpoint.h"

namespace usbtwin::os {

class RawGadget final : public GadgetPort, private Deferred {
 public:
  // kUsage and kCannotOpen as FindUdc and RawGadgetFile::Open have them.
  static Result<std::unique_ptr<RawGadget>, app::Failure> Make(Loop& loop,
                                                               const GadgetOptions& options);
  ~RawGadget() override;

  // GadgetPort.
  const std::string& udc() const override { return udc_.device; }
  const std::optional<app::Failure>& failure() const override { return failure_; }

  // Port.
  void Attach(emulator::ControllerClient& client) override;
  void Detach() override;
  bool idle() const override { return client_ == nullptr && !detaching_ && !linked(); }

  // Controller.
  usb::Speed speed() const override { return speed_; }
  void Enable(const usb::EndpointConfig& endpoint) override;
  void Disable(usb::EndpointAddress endpoint) override;
  void Queue(usb::InRequest& request) override;
  void Queue(usb::OutRequest& request) override;
  void Release(usb::OutRequest& request) override;
  void CancelAll(usb::EndpointAddress endpoint) override;
  void CancelStream(usb::EndpointAddress, uint16_t) override {}  // raw-gadget has no streams
  void SetHalt(usb::EndpointAddress endpoint, emulator::HaltState state) override;
  emulator::HaltState halt(usb::EndpointAddress endpoint) const override;
  void CompleteControl(emulator::ControlTicket ticket, emulator::ControlReply reply) override;
  void RemoteWakeup() override {}  // raw-gadget cannot

 private:
  // The thread that waits for what happens on the bus.
  class Events final : private BlockingCall {
   public:
    explicit Events(RawGadget& gadget) : BlockingCall(gadget.loop_), gadget_(gadget) {}
    [[nodiscard]] bool Wait() { return Submit(); }
    using BlockingCall::away;
    using BlockingCall::Interrupt;

   private:
    void Work() override;
    void HandleHome() override;
    RawGadget& gadget_;
    RawEvent event_;
    int result_ = 0;
  };

  // The thread of the control endpoint's data and status stages.
  class Control final : private BlockingCall {
   public:
    explicit Control(RawGadget& gadget) : BlockingCall(gadget.loop_), gadget_(gadget) {}
    [[nodiscard]] bool Read(uint16_t length);
    [[nodiscard]] bool Write(Bytes data, bool zero_packet);
    using BlockingCall::away;
    using BlockingCall::Interrupt;

   private:
    void Work() override;
    void HandleHome() override;
    bool Move(bool in, size_t length, bool zero_packet);
    RawGadget& gadget_;
    std::vector<uint8_t> buffer_;
    bool in_ = false;
    int result_ = 0;
  };

  // How far the control request is that the host waits for.
  enum class Stage : uint8_t {
    kNone,
    kWaiting,   // for the thread to come back from an earlier one
    kReceived,  // the data of an OUT request is on its way
    kAsked,     // the device owes an answer
    kAnswered,  // the answer waits for the endpoints
  };

  RawGadget(Loop& loop, UdcName udc, usb::Speed speed);

  void Run() override;
  void Wake();
  void HandleEvent(const RawEvent& event);
  void HandleEventsEnded(int error);
  void HandleReset();
  void BeginControl();
  void HandleControlHome(Bytes data, int result);
  void Ask(Bytes out);
  void TakeReply(const emulator::ControlReply& reply);
  void SendReply();
  void DropControl();
  void DetachNow();
  void Fail(std::string text);
  bool settled() const;
  bool away() const;
  GadgetEndpoint* find(usb::EndpointAddress address) const;

  Loop& loop_;
  const UdcName udc_;
  const usb::Speed speed_;
  std::optional<app::Failure> failure_;
  GadgetContext context_;
  emulator::ControllerClient* client_ = nullptr;
  bool detaching_ = false;

  // Made when first enabled.
  std::array<std::unique_ptr<GadgetEndpoint>, usb::kEndpointIndexCount> endpoints_;
  Events events_{*this};
  Control control_{*this};

  Stage stage_ = Stage::kNone;
  usb::SetupPacket setup_;
  bool data_taken_ = false;  // an OUT request's data has come, and with it the acknowledgement
  bool ticket_open_ = false;
  emulator::ControlTicket ticket_ = 0;
  emulator::ControlReply::Kind reply_kind_ = emulator::ControlReply::Kind::kStall;
  std::vector<uint8_t> reply_data_;
};

}  // namespace usbtwin::os
