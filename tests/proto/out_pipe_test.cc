#include "proto/pipe_match.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/proto/pipe_rig.h"

using namespace usbtwin;                // NOLINT
using namespace usbtwin::tests::pipes;  // NOLINT
using usb::Outcome;

BOOST_AUTO_TEST_SUITE(out_pipe)

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
