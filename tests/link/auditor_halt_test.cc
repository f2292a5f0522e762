#include "link/auditor.h"

#include <boost/test/unit_test.hpp>

#include "tests/link/auditor_stack.h"

using namespace usbtwin;                   // NOLINT
using namespace usbtwin::tests;            // NOLINT
using namespace usbtwin::tests::auditing;  // NOLINT

BOOST_AUTO_TEST_SUITE(auditor_halt)

// ---- Rule 6: halted endpoints -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(nothing_moves_on_a_halted_endpoint, TwoTransfers) {
  Finish(first, Outcome::kStall, 0);
  Finish(second, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "stays halted: endpoint 02 stream 0: ok after 0 bytes on a halted endpoint");
}

BOOST_FIXTURE_TEST_CASE(not_even_part_of_a_cancelled_transfer_moves, InTransfer) {
  std::array<uint8_t, 8> more{};
  Transfer later;
  later.endpoint = transfer.endpoint;
  later.in = more;
  later.in_length_max = 8;
  Submit(transfer);
  Submit(later);
  Finish(transfer, Outcome::kStall, 3);
  auditor->Cancel(later);
  Finish(later, Outcome::kCancelled, 1);
  BOOST_TEST(Breaches() ==
             "stays halted: endpoint 81 stream 0: cancelled after 1 bytes on a halted endpoint");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_that_moved_before_the_stall_is_none_of_it,
                        InTransfer) {
  std::array<uint8_t, 8> more{};
  Transfer later;
  later.endpoint = transfer.endpoint;
  later.in = more;
  later.in_length_max = 8;
  Submit(transfer);
  Submit(later);
  auditor->Cancel(transfer);
  Finish(later, Outcome::kStall, 0);
  Finish(transfer, Outcome::kCancelled, 5);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(halted_means_until_a_clear_halt_that_succeeds, OutTransfer) {
  PortOp op;
  const auto submit = [&](Outcome outcome, uint32_t length) {
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, outcome, length);
  };
  submit(Outcome::kStall, 0);
  submit(Outcome::kStall, 0);                           // it may say so again
  Perform(op, usb::ClearHalt{EndpointAddress::In(2)});  // the other direction
  Perform(op, usb::ClearHalt{EndpointAddress::Out(2)}, Outcome::kStall);
  BOOST_TEST(Breaches() == "");
  submit(Outcome::kOk, 4);
  BOOST_TEST(Breaches() ==
             "stays halted: endpoint 02 stream 0: ok after 4 bytes on a halted endpoint");
  collector.breaches.clear();
  Perform(op, usb::ClearHalt{EndpointAddress::Out(2)});
  submit(Outcome::kOk, 4);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(each_request_that_resets_endpoints_ends_a_halt, OutTransfer) {
  for (const usb::PortRequest& request :
       {usb::PortRequest(usb::SetConfiguration{1}), usb::PortRequest(usb::SetAlternate{0, 1}),
        usb::PortRequest(usb::ResetPort{})}) {
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, Outcome::kStall, 0);
    PortOp op;
    Perform(op, request);
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 4);
  }
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(a_reset_ends_a_halt_that_is_told_meanwhile, OutTransfer) {
  Submit(transfer);
  PortOp op;
  Request(op, usb::ResetPort{});
  for (int round = 0; round < 2; ++round) {  // submitted before the reset, and after
    Finish(transfer, Outcome::kStall, 0);
    transfer.Rearm();
    Submit(transfer);
  }
  Finish(transfer, Outcome::kStall, 0);
  link.Finish(op, Outcome::kOk);
  clock.RunPosted();
  transfer.Rearm();
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 4);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(a_request_that_failed_ends_no_halt, OutTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kStall, 0);
  for (const usb::PortRequest& request :
       {usb::PortRequest(usb::SetConfiguration{1}), usb::PortRequest(usb::SetAlternate{0, 1}),
        usb::PortRequest(usb::ResetPort{})}) {
    collector.breaches.clear();
    PortOp op;
    Perform(op, request, Outcome::kFault);
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 4);
    BOOST_TEST(Breaches() ==
               "stays halted: endpoint 02 stream 0: ok after 4 bytes on a halted endpoint");
  }
}

BOOST_FIXTURE_TEST_CASE(a_control_endpoint_is_never_halted, ControlTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kStall, 0);
  transfer.Rearm();
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(clear_halt_with_a_transfer_in_flight_is_a_breach, OutTransfer) {
  transfer.stream_id = 2;
  Submit(transfer);
  PortOp op;
  Perform(op, usb::ClearHalt{EndpointAddress::In(2)});
  BOOST_TEST(Breaches() == "");
  auditor->Cancel(transfer);  // asked is not done
  Perform(op, usb::ClearHalt{EndpointAddress::Out(2)});
  BOOST_TEST(Breaches() ==
             "idle before request: endpoint 02 stream 2: clear halt with 1 in flight");
  Finish(transfer, Outcome::kCancelled, 0);
}

BOOST_FIXTURE_TEST_CASE(set_configuration_with_anything_in_flight_is_a_breach, ControlTransfer) {
  Submit(transfer);
  PortOp op;
  Perform(op, usb::SetConfiguration{1});
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() ==
             "idle before request: endpoint 00 stream 0: set configuration with 1 in flight");
}

BOOST_FIXTURE_TEST_CASE(set_alternate_touches_its_own_interface_only, OutTransfer) {
  Learn();
  Submit(transfer);  // endpoint 02 is of interface 0
  PortOp op;
  Perform(op, usb::SetAlternate{1, 0});
  BOOST_TEST(Breaches() == "");
  Perform(op, usb::SetAlternate{0, 0});
  Finish(transfer, Outcome::kOk, 4);
  BOOST_TEST(Breaches() ==
             "idle before request: endpoint 02 stream 0: set alternate setting with 1 in flight");
}

// ---- Rules 7 and 8 ----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(port_requests_must_not_travel_as_control_transfers, Stack) {
  const usb::PortRequest requests[] = {usb::SetConfiguration{1}, usb::SetAlternate{0, 1},
                                       usb::ClearHalt{EndpointAddress::In(1)}, usb::ResetPort{}};
  for (const usb::PortRequest& request : requests) {
    collector.breaches.clear();
    Transfer transfer;
    transfer.setup = usb::AsSetupPacket(request);
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 0);
    BOOST_TEST(Breaches() == std::string("not as control transfer: endpoint 00 stream 0: ") +
                                 usb::Name(request) + " is a port request");
  }
}

BOOST_FIXTURE_TEST_CASE(a_port_reset_cancels_what_was_queued, TwoTransfers) {
  PortOp op;
  Perform(op, usb::ResetPort{});
  Finish(first, Outcome::kCancelled, 0);
  Finish(second, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "reset cancels: endpoint 02 stream 0: ok although the port was reset since it was "
             "submitted");
}

BOOST_FIXTURE_TEST_CASE(a_port_reset_that_failed_cancels_nothing, TwoTransfers) {
  PortOp op;
  Perform(op, usb::ResetPort{}, Outcome::kFault);
  Finish(first, Outcome::kOk, 0);
  Finish(second, Outcome::kOk, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_AUTO_TEST_SUITE_END()
