// Joins what a host asks of one endpoint (Transfer) with what its device asks (Request): the one
// place where short packets, zero-length packets, overflow and stalls are decided. Matching is
// synchronous and goes packet by packet in arithmetic only: bytes are copied or lent in one piece.
// Everything that completes is posted to the clock, so nothing is called back from inside a call.
//
// A packet shorter than the maximum ends both a transfer and a request; a full one ends whichever
// has no room or no data left. A transfer that stalled, was cancelled or overflowed reports what
// had moved. USB 2.0, 5.8.3; the emulated controller keeps an InPipe or OutPipe for each endpoint.
#pragma once

#include "usb/request.h"
#include "usb/transfer.h"

namespace usbtwin::proto {

// The host's half of a pipe, which both directions share.
class PipeTransfers {
 public:
  explicit PipeTransfers(Clock& clock) : clock_(clock) {}
  PipeTransfers(const PipeTransfers&) = delete;
  PipeTransfers& operator=(const PipeTransfers&) = delete;

  // Before the first request is queued, and again only while nothing is.
  void set_packet_size_max(uint16_t packet_size_max) {
    CHECK_NE(packet_size_max, 0);
    packet_size_max_ = packet_size_max;
  }
  bool waiting() const { return !transfers_.empty(); }  // a transfer is not decided yet
  // Behind those that wait, on a pipe whose transfers end.
  void Append(usb::Transfer& transfer) { transfers_.PushBack(transfer); }

 protected:
  ~PipeTransfers() = default;
  void Finish(usb::Transfer& transfer, usb::Outcome outcome);
  void FinishRequest(usb::InRequest& request, usb::Outcome outcome, bool ended_short);
  void FinishRequest(usb::OutRequest& request, usb::Outcome outcome, bool ended_short);

  Clock& clock_;
  uint16_t packet_size_max_ = 1;
  IntrusiveList<usb::Transfer> transfers_;
  bool halted_ = false;
};

class InPipe final : public PipeTransfers {
 public:
  using PipeTransfers::PipeTransfers;
  ~InPipe() = default;

  void Submit(usb::Transfer& transfer);
  // A transfer already decided keeps its outcome.
  void Cancel(usb::Transfer& transfer);
  // Everything the host has queued ends like this.
  void EndTransfers(usb::Outcome outcome);

  void Queue(usb::InRequest& request);
  void EndRequests(usb::Outcome outcome);

  // A halt stalls the transfer at the head and every later one that would be first; what is queued
  // behind the head waits for the host to cancel it, and requests wait for the halt to go.
  void SetHalt(bool halted);

 private:
  void Match();
  void Move(usb::Transfer& transfer, usb::InRequest& request, uint32_t length);

  IntrusiveList<usb::InRequest> requests_;
};

class OutPipe final : public PipeTransfers {
 public:
  using PipeTransfers::PipeTransfers;
  ~OutPipe() = default;

  void Submit(usb::Transfer& transfer);
  // A transfer whose bytes are lent to the device ends when they are released.
  void Cancel(usb::Transfer& transfer);
  void EndTransfers(usb::Outcome outcome);

  void Queue(usb::OutRequest& request);
  void EndRequests(usb::Outcome outcome);
  // Ends a loan. Required before the request is queued again.
  void Release(usb::OutRequest& request);

  void SetHalt(bool halted);

 private:
  void Match();
  void Fill(usb::Transfer& transfer, usb::OutRequest& request);
  void Lend(usb::Transfer& transfer, usb::OutRequest& request);
  // Ends the transfer if all its packets have gone.
  void FinishIfSent(usb::Transfer& transfer);

  IntrusiveList<usb::OutRequest> requests_;
  usb::OutRequest* borrower_ = nullptr;               // holds bytes of the transfer at the head
  usb::Outcome after_loan_ = usb::Outcome::kPending;  // how that transfer ends, if not by moving
                                                      // on; kDisconnected: and all behind it
};

}  // namespace usbtwin::proto
