#include "proto/pipe_match.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "base/manual_clock.h"

using namespace usbtwin;  // NOLINT
using usb::Outcome;

namespace {

constexpr uint16_t kPacket = 64;

std::vector<uint8_t> Count(size_t length, uint8_t first = 0) {
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
    pipe.EndTransfers(Outcome::kCancelled);
    pipe.EndRequests(Outcome::kCancelled);
    clock.RunPosted();
  }
  proto::InPipe pipe;
};

struct OutFixture : Bench {
  OutFixture() : pipe(clock) { pipe.set_packet_size_max(kPacket); }
  // Before what is in flight goes out of scope.
  void Close() {
    pipe.EndTransfers(Outcome::kCancelled);
    pipe.EndRequests(Outcome::kCancelled);
    clock.RunPosted();
  }
  proto::OutPipe pipe;
};

// One device request against one host transfer of `asked` bytes.
struct InCase {
  const char* name;
  uint32_t data;
  bool ends_short;
  uint32_t asked;
  // The transfer: kPending where it waits for more.
  Outcome outcome;
  uint32_t length;
  // The request: kPending where something of it is left.
  Outcome request_outcome;
  bool ended_short;
};
std::ostream& operator<<(std::ostream& out, const InCase& c) {
  return out << c.name;
}

const InCase kInCases[] = {
    {"all in one short packet", 36, false, 36, Outcome::kOk, 36, Outcome::kOk, true},
    {"short packet ends a larger transfer", 36, false, 512, Outcome::kOk, 36, Outcome::kOk, true},
    {"full packets fill the transfer", 128, false, 128, Outcome::kOk, 128, Outcome::kOk, false},
    {"full packets leave the transfer waiting", 128, false, 256, Outcome::kPending, 128,
     Outcome::kOk, false},
    {"zero-length packet ends it", 128, true, 256, Outcome::kOk, 128, Outcome::kOk, true},
    {"zero-length packet is left for the next transfer", 128, true, 128, Outcome::kOk, 128,
     Outcome::kPending, false},
    {"one and a half packets", 96, false, 128, Outcome::kOk, 96, Outcome::kOk, true},
    {"more data than asked, on a packet boundary", 256, false, 128, Outcome::kOk, 128,
     Outcome::kPending, false},
    {"a packet that does not fit is babble", 64, false, 13, Outcome::kOverflow, 0,
     Outcome::kOverflow, true},
    {"babble after two good packets", 192, false, 130, Outcome::kOverflow, 128, Outcome::kOverflow,
     true},
    {"a short packet that does not fit", 40, false, 20, Outcome::kOverflow, 0, Outcome::kOverflow,
     true},
    {"no bytes are one zero-length packet", 0, false, 64, Outcome::kOk, 0, Outcome::kOk, true},
    {"zero-length packet for a transfer of nothing", 0, false, 0, Outcome::kOk, 0, Outcome::kOk,
     true},
    {"data for a transfer of nothing stays", 10, false, 0, Outcome::kOk, 0, Outcome::kPending,
     false},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(pipe_match)

BOOST_DATA_TEST_CASE_F(InFixture, in_pipe_ends_as_packets_do,
                       boost::unit_test::data::make(kInCases) *
                           boost::unit_test::data::make({false, true}),
                       c, host_first) {
  HostIn host(*this, c.asked);
  DeviceIn device(*this, Count(c.data));
  device.request.ends_short = c.ends_short;
  if (host_first) pipe.Submit(host.transfer);
  pipe.Queue(device.request);
  if (!host_first) pipe.Submit(host.transfer);
  BOOST_TEST(transfers.empty());  // nothing from inside the call
  clock.RunPosted();

  BOOST_CHECK(host.transfer.outcome == c.outcome);
  BOOST_TEST(transfers.size() == (c.outcome == Outcome::kPending ? 0u : 1u));
  BOOST_TEST(host.transfer.length_actual == c.length);
  BOOST_TEST(ins.size() == (c.request_outcome == Outcome::kPending ? 0u : 1u));
  if (!ins.empty()) {
    BOOST_CHECK(device.request.outcome == c.request_outcome);
    BOOST_TEST(device.request.ended_short == c.ended_short);
    BOOST_TEST(device.request.data.empty());
    BOOST_TEST(device.pin.leases() == 0u);
  }
  const auto expected = Count(c.data);
  BOOST_TEST(SameBytes(Take(Bytes(host.bytes), c.length), Take(Bytes(expected), c.length)));
  for (uint8_t byte : Drop(Bytes(host.bytes), c.length)) BOOST_TEST(byte == 0xa5);
  Close();
}

BOOST_FIXTURE_TEST_CASE(one_request_feeds_many_transfers, InFixture) {
  DeviceIn device(*this, Count(160));
  pipe.Queue(device.request);
  HostIn first(*this, 64), second(*this, 64), third(*this, 64);
  for (HostIn* host : {&first, &second, &third}) pipe.Submit(host->transfer);
  clock.RunPosted();
  BOOST_TEST(transfers.size() == 3u);
  BOOST_TEST(third.transfer.length_actual == 32u);
  BOOST_TEST(third.bytes[0] == 128);
  Close();
}

BOOST_FIXTURE_TEST_CASE(one_transfer_joins_many_requests, InFixture) {
  HostIn host(*this, 200);
  pipe.Submit(host.transfer);
  DeviceIn first(*this, Count(128)), second(*this, Count(10, 128));
  pipe.Queue(first.request);
  pipe.Queue(second.request);
  clock.RunPosted();
  BOOST_CHECK(host.transfer.outcome == Outcome::kOk);
  BOOST_TEST(SameBytes(Take(Bytes(host.bytes), 138), Count(138)));
  Close();
}

BOOST_FIXTURE_TEST_CASE(data_is_lent_where_the_host_gave_no_room, InFixture) {
  HostIn host(*this, 256);
  host.transfer.in = {};
  DeviceIn device(*this, Count(200));
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  clock.RunPosted();
  BOOST_TEST(host.transfer.lease.length() == 200u);
  bool in_place = false;
  host.transfer.lease.ForEach([&](Bytes piece) { in_place = piece.data() == device.bytes.data(); });
  BOOST_TEST(in_place);
  host.transfer.lease.Clear();
  BOOST_TEST(device.pin.leases() == 0u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(more_loans_than_a_transfer_holds_are_joined, InFixture) {
  HostIn host(*this, 64 * 6);
  host.transfer.in = {};
  pipe.Submit(host.transfer);
  std::vector<std::unique_ptr<DeviceIn>> devices;
  for (uint8_t index = 0; index < 6; ++index) {
    devices.push_back(
        std::make_unique<DeviceIn>(*this, Count(64, static_cast<uint8_t>(index * 64))));
    pipe.Queue(devices.back()->request);
  }
  clock.RunPosted();
  std::vector<uint8_t> bytes(64 * 6);
  host.transfer.lease.CopyTo(bytes);
  BOOST_TEST(SameBytes(bytes, Count(64 * 6)));
  host.transfer.lease.Clear();
  Close();
}

BOOST_FIXTURE_TEST_CASE(short_not_ok_makes_a_short_transfer_a_fault, InFixture) {
  HostIn host(*this, 128);
  host.transfer.flags.short_not_ok = true;
  DeviceIn device(*this, Count(10));
  pipe.Submit(host.transfer);
  pipe.Queue(device.request);
  clock.RunPosted();
  BOOST_CHECK(host.transfer.outcome == Outcome::kFault);
  BOOST_TEST(host.transfer.length_actual == 10u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_keeps_what_it_got, InFixture) {
  HostIn host(*this, 256), behind(*this, 64);
  pipe.Submit(host.transfer);
  pipe.Submit(behind.transfer);
  DeviceIn device(*this, Count(64));
  pipe.Queue(device.request);
  clock.RunPosted();
  pipe.Cancel(host.transfer);
  BOOST_TEST(transfers.empty());
  pipe.Cancel(host.transfer);  // asked twice, completes once
  clock.RunPosted();
  BOOST_TEST(transfers.size() == 1u);
  BOOST_CHECK(host.transfer.outcome == Outcome::kCancelled);
  BOOST_TEST(host.transfer.length_actual == 64u);
  DeviceIn more(*this, Count(5));  // the bytes that moved are not sent again
  pipe.Queue(more.request);
  clock.RunPosted();
  BOOST_TEST(behind.transfer.length_actual == 5u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(cancelling_a_decided_transfer_changes_nothing, InFixture) {
  HostIn host(*this, 5);
  DeviceIn device(*this, Count(5));
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  pipe.Cancel(host.transfer);
  clock.RunPosted();
  BOOST_CHECK(host.transfer.outcome == Outcome::kOk);
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_halt_stalls_the_head_and_holds_the_rest, InFixture) {
  HostIn first(*this, 128), second(*this, 128);
  DeviceIn part(*this, Count(64)), status(*this, Count(13));
  pipe.Submit(first.transfer);
  pipe.Submit(second.transfer);
  pipe.Queue(part.request);
  clock.RunPosted();
  pipe.SetHalt(true);
  pipe.Queue(status.request);  // held until the halt is cleared
  clock.RunPosted();
  BOOST_CHECK(first.transfer.outcome == Outcome::kStall);
  BOOST_TEST(first.transfer.length_actual == 64u);
  BOOST_CHECK(second.transfer.outcome == Outcome::kPending);
  pipe.Cancel(second.transfer);
  HostIn third(*this, 128);
  pipe.Submit(third.transfer);
  clock.RunPosted();
  BOOST_CHECK(third.transfer.outcome == Outcome::kStall);
  pipe.SetHalt(false);
  HostIn fourth(*this, 13);
  pipe.Submit(fourth.transfer);
  clock.RunPosted();
  BOOST_TEST(fourth.transfer.length_actual == 13u);
  Close();
}

BOOST_DATA_TEST_CASE_F(OutFixture, a_short_packet_ends_a_request,
                       boost::unit_test::data::make({false, true}), lend) {
  HostOut host(*this, Count(31));
  DeviceOut device(*this, 64, lend);
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  clock.RunPosted();
  BOOST_CHECK(device.request.outcome == Outcome::kOk);
  BOOST_TEST(device.request.length_actual == 31u);
  BOOST_TEST(device.request.ended_short);
  if (lend) {
    BOOST_TEST(device.request.lent.data() == host.bytes.data());
    BOOST_TEST(transfers.empty());  // held until the bytes are released
    pipe.Release(device.request);
    clock.RunPosted();
  } else {
    BOOST_TEST(SameBytes(Take(Bytes(device.bytes), 31), host.bytes));
    BOOST_TEST(device.bytes[31] == 0xa5);
  }
  BOOST_TEST(transfers.size() == 1u);
  BOOST_TEST(host.transfer.length_actual == 31u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_full_request_ends_and_the_transfer_goes_on, OutFixture) {
  HostOut host(*this, Count(100));
  DeviceOut first(*this, 64, false), second(*this, 64, false);
  pipe.Submit(host.transfer);
  pipe.Queue(first.request);
  clock.RunPosted();
  BOOST_TEST(!first.request.ended_short);
  BOOST_TEST(first.request.length_actual == 64u);
  BOOST_TEST(transfers.empty());
  pipe.Queue(second.request);
  clock.RunPosted();
  BOOST_TEST(second.request.length_actual == 36u);
  BOOST_TEST(second.request.ended_short);
  BOOST_TEST(transfers.size() == 1u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_packet_too_long_for_its_room_overflows, OutFixture) {
  HostOut host(*this, Count(64));
  DeviceOut device(*this, 31, false);
  pipe.Submit(host.transfer);
  pipe.Queue(device.request);
  clock.RunPosted();
  BOOST_CHECK(device.request.outcome == Outcome::kOverflow);
  BOOST_TEST(device.request.length_actual == 31u);
  BOOST_CHECK(host.transfer.outcome == Outcome::kOk);  // its host saw the packet go
  BOOST_TEST(host.transfer.length_actual == 64u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_zero_packet_is_the_transfers_last, OutFixture) {
  HostOut host(*this, Count(64), true);
  DeviceOut larger(*this, 128, false);
  pipe.Submit(host.transfer);
  pipe.Queue(larger.request);
  clock.RunPosted();
  BOOST_TEST(larger.request.ended_short);
  BOOST_TEST(larger.request.length_actual == 64u);
  BOOST_TEST(transfers.size() == 1u);

  HostOut again(*this, Count(64), true);
  DeviceOut exact(*this, 64, false), next(*this, 64, false);
  pipe.Submit(again.transfer);
  pipe.Queue(exact.request);
  clock.RunPosted();
  BOOST_TEST(!exact.request.ended_short);
  BOOST_TEST(transfers.size() == 1u);  // its zero-length packet has not gone yet
  pipe.Queue(next.request);
  clock.RunPosted();
  BOOST_TEST(next.request.length_actual == 0u);
  BOOST_TEST(next.request.ended_short);
  BOOST_TEST(transfers.size() == 2u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(an_empty_transfer_is_one_packet_of_no_bytes, OutFixture) {
  HostOut host(*this, {});
  DeviceOut device(*this, 64, true);
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  clock.RunPosted();
  BOOST_TEST(device.request.length_actual == 0u);
  BOOST_TEST(device.request.ended_short);
  BOOST_TEST(transfers.size() == 1u);  // nothing was lent, so nothing is to be released
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_lent_transfer_ends_when_it_is_released, OutFixture) {
  HostOut host(*this, Count(64));
  DeviceOut device(*this, 64, true);
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  pipe.Cancel(host.transfer);
  clock.RunPosted();
  BOOST_TEST(transfers.empty());
  pipe.Release(device.request);
  clock.RunPosted();
  BOOST_CHECK(host.transfer.outcome == Outcome::kOk);  // every byte had gone

  HostOut longer(*this, Count(128));
  pipe.Queue(device.request);
  pipe.Submit(longer.transfer);
  clock.RunPosted();
  pipe.Cancel(longer.transfer);
  pipe.Release(device.request);
  clock.RunPosted();
  BOOST_CHECK(longer.transfer.outcome == Outcome::kCancelled);
  BOOST_TEST(longer.transfer.length_actual == 64u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(a_halt_during_a_loan_stalls_at_its_end, OutFixture) {
  HostOut host(*this, Count(128));
  DeviceOut device(*this, 64, true);
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  clock.RunPosted();
  pipe.SetHalt(true);
  clock.RunPosted();
  BOOST_TEST(transfers.empty());
  pipe.Release(device.request);
  clock.RunPosted();
  BOOST_CHECK(host.transfer.outcome == Outcome::kStall);
  BOOST_TEST(host.transfer.length_actual == 64u);
  Close();
}

BOOST_FIXTURE_TEST_CASE(disconnecting_outranks_a_loan, OutFixture) {
  HostOut host(*this, Count(64)), behind(*this, Count(8));
  DeviceOut device(*this, 64, true);
  pipe.Queue(device.request);
  pipe.Submit(host.transfer);
  pipe.Submit(behind.transfer);
  clock.RunPosted();
  pipe.EndTransfers(Outcome::kDisconnected);
  pipe.Release(device.request);
  clock.RunPosted();
  BOOST_CHECK(host.transfer.outcome == Outcome::kDisconnected);
  BOOST_CHECK(behind.transfer.outcome == Outcome::kDisconnected);
  Close();
}

BOOST_AUTO_TEST_SUITE_END()
