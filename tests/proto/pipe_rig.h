// Both sides of a pipe: transfers of a host and requests of a device, and what completed.
#pragma once

#include <numeric>
#include <vector>

#include "base/manual_clock.h"
#include "proto/pipe_match.h"

namespace usbtwin::tests::pipes {

inline constexpr uint16_t kPacket = 64;

inline std::vector<uint8_t> Count(size_t length, uint8_t first = 0) {
  std::vector<uint8_t> bytes(length);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

// Both sides of a pipe, with everything that completed, in order.
struct Bench : usb::TransferSink, usb::RequestSink {
  void OnDone(usb::Transfer& transfer, uint64_t) override { transfers.push_back(&transfer); }
  void OnRequestDone(usb::InRequest& request) override { ins.push_back(&request); }
  void OnRequestDone(usb::OutRequest& request) override { outs.push_back(&request); }
  ManualClock clock;
  std::vector<usb::Transfer*> transfers;
  std::vector<usb::InRequest*> ins;
  std::vector<usb::OutRequest*> outs;
};

struct HostIn {
  HostIn(Bench& bench, uint32_t length) : bytes(length, 0xa5) {
    transfer.endpoint = usb::EndpointAddress::In(1);
    transfer.in = bytes;
    transfer.in_length_max = length;
    transfer.Push(bench);
  }
  std::vector<uint8_t> bytes;
  usb::Transfer transfer;
};

struct HostOut {
  HostOut(Bench& bench, std::vector<uint8_t> bytes_in, bool zero_packet = false)
      : bytes(std::move(bytes_in)) {
    transfer.endpoint = usb::EndpointAddress::Out(1);
    transfer.out = bytes;
    transfer.flags.zero_packet = zero_packet;
    transfer.Push(bench);
  }
  std::vector<uint8_t> bytes;
  usb::Transfer transfer;
};

struct DeviceIn {
  DeviceIn(Bench& bench, std::vector<uint8_t> data) : bytes(std::move(data)), pin(bytes) {
    request.endpoint = usb::EndpointAddress::In(1);
    request.sink = &bench;
    request.data = pin.Lend(static_cast<uint32_t>(bytes.size()));
  }
  std::vector<uint8_t> bytes;
  StaticPin pin;
  usb::InRequest request;
};

struct DeviceOut {
  DeviceOut(Bench& bench, uint32_t length, bool lend) : bytes(lend ? 0 : length, 0xa5) {
    request.endpoint = usb::EndpointAddress::Out(1);
    request.sink = &bench;
    request.room = bytes;
    request.length_max = length;
  }
  std::vector<uint8_t> bytes;
  usb::OutRequest request;
};

struct InFixture : Bench {
  InFixture() : pipe(clock) { pipe.set_packet_size_max(kPacket); }
  // Before what is in flight goes out of scope.
  void Close() {
    pipe.EndTransfers(usb::Outcome::kCancelled);
    pipe.EndRequests(usb::Outcome::kCancelled);
    clock.RunPosted();
  }
  proto::InPipe pipe;
};

struct OutFixture : Bench {
  OutFixture() : pipe(clock) { pipe.set_packet_size_max(kPacket); }
  // Before what is in flight goes out of scope.
  void Close() {
    pipe.EndTransfers(usb::Outcome::kCancelled);
    pipe.EndRequests(usb::Outcome::kCancelled);
    clock.RunPosted();
  }
  proto::OutPipe pipe;
};

}  // namespace usbtwin::tests::pipes
