// GadgetEndpoint: one endpoint of a kernel's device controller, and the requests a device has
// queued there. What is asked of it happens as soon as the kernel lets it: while a transfer is in
// the kernel nothing else can be done to the endpoint, so the transfer is interrupted first. Owned
// by RawGadget, which waits with its answer to a control request until every endpoint is settled.
//
// The kernel copies every byte, so IN data is gathered in a buffer and OUT data lies in one, where
// a request without room of its own borrows it. A read is of whole packets whatever the room is: a
// packet that does not fit would be lost, and the controller may fail.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "emulator/controller.h"
#include "os/linux/blocking_call.h"
#include "os/linux/raw_gadget_file.h"

namespace usbtwin::os {

// What the endpoints of one gadget share.
struct GadgetContext {
  RawGadgetFile file;
  // A controller that says of small IN transfers that they were sent when they were not: what was
  // cancelled is still there, and the endpoint must be set up again to be rid of it.
  bool keeps_cancelled = false;
  std::function<void()> changed;  // an endpoint settled, or a call came home
  std::function<void(int error, uint8_t address)> refused;  // the kernel has no such endpoint
};

class GadgetEndpoint final : private BlockingCall {
 public:
  GadgetEndpoint(Loop& loop, GadgetContext& context, usb::EndpointAddress address);
  ~GadgetEndpoint();

  void Enable(const usb::EndpointConfig& endpoint);
  void Disable();
  bool enabled() const { return wanted_.has_value(); }
  void Queue(usb::InRequest& request);
  void Queue(usb::OutRequest& request);
  void Release(usb::OutRequest& request);
  void CancelAll();
  void SetHalt(emulator::HaltState state);
  emulator::HaltState halt() const { return halt_; }

  // The kernel's endpoint is as was asked for, but for a halt that has to wait for the host.
  bool settled() const {
    return !resetting_ && !abandoned_ && wanted_.has_value() == (handle_ >= 0);
  }
  using BlockingCall::away;
  // The file is about to close, and takes what was set up with it. Nothing is away or enabled.
  void Forget();

 private:
  static constexpr size_t kHeaderLength = sizeof(RawIoHeader);

  // Asks the kernel again whether an endpoint can be halted: it cannot while it has bytes to send.
  class HaltTimer final : public usbtwin::Timer {
   public:
    explicit HaltTimer(GadgetEndpoint& endpoint) : endpoint_(endpoint) {}
    void HandleTimer() override { endpoint_.Settle(); }

   private:
    GadgetEndpoint& endpoint_;
  };

  void Work() override;
  int Move(size_t offset, uint32_t length, bool zero_packet);
  void HandleHome() override;
  void HandleMoved(usb::InRequest& request);
  void HandleMoved(usb::OutRequest& request);
  template <class Request>
  void Finish(Request& request, usb::Outcome outcome, bool ended_short);
  template <class Request>
  void CancelList(IntrusiveList<Request>& requests);
  template <class Request>
  bool Accept(Request& request);

  // Brings the kernel's endpoint to what is wanted and starts the next transfer.
  void Settle();
  void SetUp();
  void TryHalt();
  void Start();
  bool StartIn();
  bool StartOut();
  uint32_t WholePackets(uint32_t length) const;

  GadgetContext& context_;
  const usb::EndpointAddress address_;
  std::optional<usb::EndpointConfig> wanted_;
  int handle_ = -1;         // the kernel's, while it is set up there
  bool resetting_ = false;  // what is set up there must be taken down first
  emulator::HaltState halt_ = emulator::HaltState::kNone;
  emulator::HaltState halt_of_kernel_ = emulator::HaltState::kNone;
  bool halt_due_ = false;
  HaltTimer halt_timer_{*this};

  IntrusiveList<usb::InRequest> ins_;
  IntrusiveList<usb::OutRequest> outs_;
  usb::OutRequest* borrower_ = nullptr;  // has bytes of the buffer

  // One transfer, while it is away: the thread's alone.
  bool abandoned_ = false;       // the loop's: whose request is no longer interested
  std::vector<uint8_t> buffer_;  // a header's room, and the bytes
  uint32_t length_ = 0;          // to be moved
  bool zero_packet_ = false;
  uint32_t moved_ = 0;
  bool ended_ = false;  // the host ended it early
  int error_ = 0;
  uint32_t call_length_max_ = 0;
};

}  // namespace usbtwin::os
