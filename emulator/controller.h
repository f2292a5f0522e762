// Controller: a device's view of the hardware that joins it to a bus. The second seam: the
// in-process VirtualController, a kernel's UDC behind raw-gadget and a fuzzer are Controllers. The
// device queues requests and never learns how long the host's transfers were.
//
// Every upcall (OnRequestDone, HandleSetup, HandleBusReset, ...) comes from the clock's queue,
// never from inside a call made here. No function may depend on hearing that a halt was cleared:
// many controllers do not tell.
#pragma once

#include "usb/request.h"

namespace usbtwin::emulator {

enum class HaltState : uint8_t {
  kNone,
  kHalted,  // STALL until the host clears it
  kWedged,  // STALL even after the host clears it, until the function lifts it
};

// The answer to a control request.
struct ControlReply {
  enum class Kind : uint8_t {
    kData,   // IN: these bytes, cut to wLength
    kAck,    // no data, or OUT data taken
    kStall,  // refused
    kLater,  // CompleteControl will bring the answer
  };
  Kind kind = Kind::kStall;
  Bytes data;  // kData: read before the call that delivers the reply returns

  static ControlReply Data(Bytes data) { return {Kind::kData, data}; }
  static ControlReply Ack() { return {Kind::kAck, {}}; }
  static ControlReply Stall() { return {Kind::kStall, {}}; }
  static ControlReply Later() { return {Kind::kLater, {}}; }
};

// Names one control request, so that an answer which comes after a bus reset hits nothing.
using ControlTicket = uint32_t;

// What a controller tells the device behind it.
class ControllerClient {
 public:
  // `out` is the data stage of an OUT request, borrowed for the call; wLength bytes long.
  virtual ControlReply HandleSetup(const usb::SetupPacket& setup, Bytes out,
                                   ControlTicket ticket) = 0;
  virtual void HandleBusReset() = 0;    // address and configuration are gone
  virtual void HandleDisconnect() = 0;  // so is the host
  virtual void HandleSuspend() = 0;
  virtual void HandleResume() = 0;

 protected:
  ~ControllerClient() = default;
};

class Controller {
 public:
  virtual ~Controller() = default;
  virtual usb::Speed speed() const = 0;

  // Sets an endpoint up, not halted, or takes it down: what is queued there completes kCancelled.
  virtual void Enable(const usb::EndpointConfig& endpoint) = 0;
  virtual void Disable(usb::EndpointAddress endpoint) = 0;

  // The request is not queued anywhere. On an endpoint that is not enabled it completes kCancelled;
  // on a halted one it waits until the halt is cleared. On an isochronous endpoint each request is
  // one packet, an OutRequest brings its room, and an interval without a request moves nothing.
  virtual void Queue(usb::InRequest& request) = 0;
  virtual void Queue(usb::OutRequest& request) = 0;
  // Gives back what a completed OutRequest was lent. Before it is queued again.
  virtual void Release(usb::OutRequest& request) = 0;
  // Everything queued there completes kCancelled, later.
  virtual void CancelAll(usb::EndpointAddress endpoint) = 0;

  // The same for one stream of the endpoint.
  virtual void CancelStream(usb::EndpointAddress endpoint, uint16_t stream_id) = 0;

  // Acts at once. No request may be queued on the endpoint when a halt begins.
  virtual void SetHalt(usb::EndpointAddress endpoint, HaltState state) = 0;
  virtual HaltState halt(usb::EndpointAddress endpoint) const = 0;

  // Ends a request answered kLater. A ticket that is no longer open is ignored.
  virtual void CompleteControl(ControlTicket ticket, ControlReply reply) = 0;
  // Asks a suspended host to resume the bus. USB 2.0, 9.2.5.2.
  virtual void RemoteWakeup() = 0;
};

}  // namespace usbtwin::emulator
