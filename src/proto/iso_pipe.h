// An isochronous pipe: what a host asks of one endpoint (Transfer) joined with what its device asks
// (Request), in time. In each service interval one packet moves, ready or not: a packet of the
// transfer at the head meets the request that is queued first. Nothing waits and nothing is tried
// again. USB 2.0, 5.6 and 5.12; the emulated controller keeps one for each isochronous endpoint.
//
// Intervals are counted from the clock's own start: 1 ms at full speed and 125 us above, times
// 2^(bInterval-1). A packet moves when its interval ends, and the transfer completes with its last
// one, kOk whatever became of the packets. Transfers follow each other without a gap, and so does
// one that is submitted at once when the last of them completed.
//   - IN: a request is one interval's data. None, or one of no bytes, is a packet of no bytes. One
//     longer than the packet's room is lost: both end kOverflow.
//   - OUT: a request takes one packet; what is beyond its room is lost, and ends it kOverflow. A
//     packet that meets no request is lost as well, which no host ever hears: it is kOk.
//   - A packet longer than an interval carries, or outside the transfer's bytes, does not move and
//     ends kFault. A transfer without packets, with too many, or with more bytes in its packets
//     than in itself, ends kFault as a whole.
// Packets that have not moved when a transfer ends stay kPending; error_count counts them.
//
// A timer is armed only while a transfer waits. Where the clock is late, each packet still gets a
// turn of the loop of its own, so that a device can queue its next request between two of them.
#pragma once

#include "usb/request.h"
#include "usb/transfer.h"

namespace usbtwin::proto {

class IsoPipe final : private Timer {
 public:
  static constexpr size_t kPacketsMax = 1024;  // in one transfer, as in Linux

  explicit IsoPipe(Clock& clock) : clock_(clock) {}
  ~IsoPipe() = default;

  // Before the first request is queued, and again only while nothing is queued.
  void Configure(usb::Speed speed, const usb::EndpointConfig& endpoint);
  Duration interval() const { return frame_ * frames_per_interval_; }

  bool waiting() const { return !transfers_.empty(); }  // a transfer is not decided yet
  bool Contains(const usb::Transfer& transfer) const { return transfers_.Contains(transfer); }
  // Its packets have moved nothing. Without iso_asap it begins in the interval that has
  // `start_frame`, if that is among the next 1024 ms, and otherwise as soon as possible. Frames are
  // counted as the bus counts them, 1 ms or 125 us, modulo 2^32. `start_frame` says afterwards
  // where it began.
  void Submit(usb::Transfer& transfer);
  // Behind those that wait, on a pipe whose transfers end.
  void Append(usb::Transfer& transfer) { transfers_.PushBack(transfer); }
  void Cancel(usb::Transfer& transfer);
  void EndTransfers(usb::Outcome outcome);

  void Queue(usb::InRequest& request);
  // `room` is there: nothing is lent.
  void Queue(usb::OutRequest& request);
  void EndRequests(usb::Outcome outcome);

  // A suspended bus has no intervals: what is queued goes on when it is resumed.
  void SetSuspended(bool suspended);

 private:
  void HandleTimer() override { MovePacket(); }

  int64_t NextInterval() const;
  TimePoint End(int64_t interval) const { return {(interval + 1) * this->interval().count()}; }
  bool IsSound(const usb::Transfer& transfer) const;
  void StartFirst(int64_t earliest);
  void Schedule();
  void MovePacket();
  void MoveIn(usb::Transfer& transfer, usb::IsoPacket& packet);
  void MoveOut(usb::Transfer& transfer, usb::IsoPacket& packet);
  void Finish(usb::Transfer& transfer, usb::Outcome outcome);
  template <class Request>
  void FinishRequest(Request& request, usb::Outcome outcome);

  Clock& clock_;
  bool in_ = false;
  Duration frame_ = std::chrono::milliseconds(1);
  uint32_t frames_per_interval_ = 1;
  uint32_t length_max_ = 0;  // bytes in one interval
  bool suspended_ = false;

  IntrusiveList<usb::Transfer> transfers_;
  IntrusiveList<usb::InRequest> in_requests_;
  IntrusiveList<usb::OutRequest> out_requests_;
  size_t packet_index_ = 0;     // the next one of the transfer at the head
  int64_t interval_index_ = 0;  // in which it moves
  int64_t interval_free_ = 0;   // the first in which nothing has moved
};

}  // namespace usbtwin::proto
