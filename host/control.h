// Control: requests to a device's endpoint zero, and port requests, one at a time. It owns the
// transfer and keeps the time: a request that is not answered within its timeout is cancelled and
// ends as kTimedOut, so nothing here waits for ever. Lengths are taken from the buffers, so setup
// packet and buffer cannot disagree, and requests that a Link must see as port requests (link.h,
// rule 7) become such. Called by the session, and by whoever sends requests of his own.
#pragma once

#include <type_traits>

#include "async/perform.h"
#include "base/error.h"
#include "usb/link.h"

namespace usbtwin::host {

// The direction of `request_type` says which of the buffers counts; the other one is empty.
struct ControlRequest {
  uint8_t request_type = 0;  // bmRequestType
  uint8_t request = 0;       // bRequest
  uint16_t value = 0;        // wValue
  uint16_t index = 0;        // wIndex
  Bytes out;                 // data stage to the device, borrowed until the result
  MutableBytes in;           // data stage from the device, borrowed until the result
  Duration timeout = std::chrono::seconds(5);
};
static_assert(std::is_trivially_destructible_v<ControlRequest>);
static_assert(std::is_trivially_destructible_v<usb::PortRequest>);

// What an outcome other than kOk means to a host. `length`: bytes that had moved.
Error OutcomeError(usb::Outcome outcome, Phase phase, uint64_t length, const char* text);

class Control final : private Timer {
 public:
  // The link outlives it.
  Control(Clock& clock, usb::Link& link) : clock_(clock), link_(link) {}
  ~Control() { CHECK(!busy_); }

  usb::Link& link() { return link_; }

  // How many bytes the data stage moved; fewer than asked for is no error. A stall is: the device
  // refused. kBusy while another request is under way.
  async::Task<Result<uint32_t>> Transfer(ControlRequest request);

  // A port request has no timeout of its own: the Link ends it (link.h).
  async::Task<Result<void>> Request(usb::PortRequest request);

 private:
  void HandleTimer() override;

  Clock& clock_;
  usb::Link& link_;
  usb::Transfer transfer_;
  usb::PortOp port_op_;
  bool busy_ = false;
  bool timed_out_ = false;
};

}  // namespace usbtwin::host
