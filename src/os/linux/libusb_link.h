// A Link to a device of this machine, over libusb. Transfers are submitted and end on the loop's
// thread; port requests run on the helper thread, one at a time. The kernel serves neither a
// submission nor a cancellation while it carries one out, so both wait for it here: the loop never
// does. A port reset waits until what was in flight is cancelled, because the kernel would end it
// as if it had succeeded.
//
// libusb keeps no time here: timeouts are the host's, who cancels. Made by LibusbBus, one for each
// opening of a device.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "os/linux/libusb_context.h"
#include "usb/link.h"

namespace usbtwin::os {

class LibusbLink final : public usb::Link, private LibusbContext::Member {
 public:
  // Null where the system watches no more descriptors; the device is closed then.
  static std::unique_ptr<LibusbLink> Make(LibusbContext& context,
                                          std::unique_ptr<LibusbDevice> device);
  // Nothing is in flight.
  ~LibusbLink() override;

  usb::LinkCaps caps() const override;
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

 private:
  // One transfer with libusb, or one that ended and must not overtake others of its pipe.
  struct Flight final : ListNode {
    ~Flight() { libusb_free_transfer(raw); }
    LibusbLink* link = nullptr;
    libusb_transfer* raw = nullptr;
    size_t packets_max = 0;
    usb::Transfer* transfer = nullptr;
    std::vector<uint8_t> control;  // setup packet and data, as libusb wants them
    bool cancel_wanted = false;
    bool cancel_asked = false;  // of libusb
  };
  struct PortJob final : Job {
    explicit PortJob(LibusbLink& link) : owner(link) {}
    void Work() override { outcome = owner.device_->Perform(*op); }
    void HandleHome() override { owner.HandlePortDone(outcome); }
    LibusbLink& owner;
    usb::PortOp* op = nullptr;
    usb::Outcome outcome = usb::Outcome::kPending;
  };

  LibusbLink(LibusbContext& context, std::unique_ptr<LibusbDevice> device);

  // Transfers.
  void Start(usb::Transfer& transfer);
  Flight* TakeFlight(size_t packets_count);
  bool Fill(Flight& flight);
  bool FillPackets(Flight& flight);
  static void LIBUSB_CALL HandleRawDone(libusb_transfer* raw);
  void HandleDone(Flight& flight);
  void Settle(Flight& flight, usb::Outcome outcome);
  void Deliver(Flight& flight);
  Flight* FindInFlight(const usb::Transfer& transfer);
  void AskCancel(Flight& flight);

  // Port requests.
  void Step();
  void FinishFront(usb::Outcome outcome);
  void HandlePortDone(usb::Outcome outcome);
  void HandleGone() override;

  LibusbContext& context_;
  std::unique_ptr<LibusbDevice> device_;
  const usb::Speed speed_;
  bool gone_ = false;                // everything ends kDisconnected from here on
  IntrusiveList<Flight> in_flight_;  // in the order they were submitted
  std::vector<std::unique_ptr<Flight>> flights_;
  std::vector<Flight*> idle_;
  IntrusiveList<Deferred> held_;  // transfers that wait for port requests
  std::deque<usb::PortOp*> ops_;  // the first is under way
  PortJob job_{*this};
};

}  // namespace usbtwin::os
