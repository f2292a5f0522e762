// A Link that writes what passes it into a capture: for each transfer one usbmon record when it is
// submitted and one when it completes, as Linux would have, with all its data. Wireshark opens the
// result. A port request is written as the control transfer it stands for; the others (claims,
// streams, suspend) are not on the bus and not in the capture. The invariant: the host's traffic
// is the same with and without it, and goes on when the capture cannot be written.
//
// The status of a completion is kOk 0, kStall -EPIPE, kCancelled -ECONNRESET, kTimedOut -ETIMEDOUT,
// kOverflow -EOVERFLOW, kDisconnected -ESHUTDOWN, kFault -EPROTO; of a submission -EINPROGRESS.
// The record has no place for a stream id, so pcapng gets it as a comment, "stream 3".
#pragma once

#include "base/clock.h"
#include "link/endpoint_map.h"
#include "link/pcap.h"
#include "usb/link.h"
#include "wire/usbmon.h"

namespace usbtwin::link {

struct RecorderOptions {
  uint16_t bus = 1;
  uint8_t device = 1;       // address on that bus; one for each Recorder that shares a writer
  Duration epoch_offset{};  // what 1970 lies before the Clock's start
};

class Recorder final : public usb::Link, private usb::TransferSink, private usb::PortSink {
 public:
  // All three outlive the Recorder. Nothing may be in flight when it is destroyed.
  Recorder(const Clock& clock, usb::Link& inner, PcapWriter& writer, RecorderOptions options);
  ~Recorder() override;

  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

  // For a device whose descriptors were read before the recording began: writes them as the host's
  // reading of them, with a comment that says so. Without them Wireshark does not know the class.
  void RecordDescriptors(Bytes device, Bytes configuration);

  // Why the capture is not complete; empty while it is.
  const std::string& error() const { return writer_.error(); }

 private:
  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void OnDone(usb::PortOp& op, uint64_t word) override;

  usb::TransferType TypeOf(const usb::Transfer& transfer) const;
  wire::usbmon::Record Head(wire::usbmon::Event event, uint64_t id, usb::TransferType type,
                            usb::EndpointAddress endpoint, bool is_in) const;
  void FillTransfer(wire::usbmon::Record& record, const usb::Transfer& transfer) const;
  void RecordSubmit(const usb::Transfer& transfer, uint64_t id, usb::TransferType type);
  void RecordComplete(const usb::Transfer& transfer, uint64_t id, usb::TransferType type);
  void RecordPackets(const usb::Transfer& transfer, size_t count, bool done);
  void RecordControl(uint64_t id, const usb::SetupPacket& setup, usb::Outcome outcome, Bytes in,
                     std::string_view comment);
  void Begin(wire::usbmon::Record& record, size_t packets_count, size_t data_length,
             std::string_view comment);
  Duration Now() const;

  const Clock& clock_;
  usb::Link& inner_;
  PcapWriter& writer_;
  const RecorderOptions options_;
  const usb::Speed speed_;
  EndpointMap endpoints_;
  uint64_t id_ = 0;
  uint64_t in_flight_count_ = 0;
};

}  // namespace usbtwin::link
