#include "proto/pipe_match.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/proto/pipe_rig.h"

using namespace usbtwin;                // NOLINT
using namespace usbtwin::tests::pipes;  // NOLINT
using usb::Outcome;

namespace {

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

BOOST_AUTO_TEST_SUITE(in_pipe)

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

BOOST_AUTO_TEST_SUITE_END()
