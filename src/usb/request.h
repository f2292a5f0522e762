// A request: what a device asks of one endpoint, as a Transfer is what the host asks. Requests, not
// endpoints, complete: exactly once, never from inside the call that queued them. Owned and reused
// by the function that queues it.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/lease.h"
#include "usb/types.h"

namespace usbtwin::usb {

class InRequest;
class OutRequest;

class RequestSink {
 public:
  virtual void OnRequestDone(InRequest& request) = 0;
  virtual void OnRequestDone(OutRequest& request) = 0;

 protected:
  ~RequestSink() = default;
};

// Fields both directions have.
struct RequestState {
  EndpointAddress endpoint;
  uint16_t stream_id = 0;
  RequestSink* sink = nullptr;

  Outcome outcome = Outcome::kPending;  // kOk, kOverflow, kCancelled or kDisconnected when done
  uint32_t length_actual = 0;           // bytes moved
  bool ended_short = false;             // a packet shorter than the endpoint's maximum ended it
  bool queued = false;                  // with a controller: until OnRequestDone
};

// Data for the host. No bytes at all is one zero-length packet.
class InRequest final : public Deferred, public RequestState {
 public:
  Lease data;               // dropped by the controller before the request completes
  bool ends_short = false;  // end a whole number of packets with a zero-length packet

 private:
  void Run() override {
    queued = false;
    sink->OnRequestDone(*this);
  }
};

// Room for the host's data. Either `room` holds `length_max` bytes and is filled, or it is empty
// and the host's own bytes are lent: the request then completes with the first bytes that come, at
// most `length_max`, in `lent`, which stay until Controller::Release.
class OutRequest final : public Deferred, public RequestState {
 public:
  MutableBytes room;
  uint32_t length_max = 0;
  Bytes lent;

 private:
  void Run() override {
    queued = false;
    sink->OnRequestDone(*this);
  }
};

}  // namespace usbtwin::usb
