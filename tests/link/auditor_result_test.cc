#include "link/auditor.h"

#include <boost/test/unit_test.hpp>

#include "tests/link/auditor_stack.h"

using namespace usbtwin;                   // NOLINT
using namespace usbtwin::tests;            // NOLINT
using namespace usbtwin::tests::auditing;  // NOLINT

BOOST_AUTO_TEST_SUITE(auditor_result)

// ---- What the link may answer -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(more_than_was_asked_for_is_a_breach, InTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kOverflow, 9);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: 9 bytes moved, 8 were asked for");
}

BOOST_FIXTURE_TEST_CASE(an_out_transfer_cannot_be_ok_and_short, OutTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 3);
  BOOST_TEST(Breaches() == "result makes sense: endpoint 02 stream 0: ok after 3 of 4 bytes out");
}

BOOST_FIXTURE_TEST_CASE(short_is_not_ok_where_the_host_said_so, InTransfer) {
  transfer.flags.short_not_ok = true;
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 7);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: ok after 7 of 8 bytes, where short is not "
             "ok");
}

BOOST_FIXTURE_TEST_CASE(a_transfer_cannot_end_as_a_port_request_may, InTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kBusy, 0);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: busy is no way for a transfer to end");
}

BOOST_FIXTURE_TEST_CASE(all_of_it_is_not_short, InTransfer) {
  transfer.flags.short_not_ok = true;
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(a_lease_only_where_there_was_no_room, InTransfer) {
  Submit(transfer);
  transfer.lease.AppendOrCopy(OwnedPin::Make(8).first);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(
      Breaches() ==
      "result makes sense: endpoint 81 stream 0: 8 bytes are lent where none were asked for");
}

BOOST_FIXTURE_TEST_CASE(a_lease_is_as_long_as_what_moved, InTransfer) {
  transfer.in = {};
  Submit(transfer);
  transfer.lease.AppendOrCopy(OwnedPin::Make(4).first);
  Finish(transfer, Outcome::kOk, 5);
  transfer.Rearm();
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: 5 bytes moved, 4 are lent; "
             "result makes sense: endpoint 81 stream 0: 8 bytes moved, 0 are lent");
}

BOOST_FIXTURE_TEST_CASE(isochronous_packets_must_add_up, IsoTransfer) {
  Submit(transfer);
  packets[0].length_actual = 5;
  packets[0].outcome = Outcome::kOk;
  Finish(transfer, Outcome::kOk, 5);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: packet 0: 5 bytes moved, 4 were asked for; "
             "result makes sense: endpoint 81 stream 0: packet 1 has no outcome; "
             "result makes sense: endpoint 81 stream 0: 1 packets failed, error_count is 0");
}

// A USB/IP server sends as many bytes as the packets have, and says length_actual.
BOOST_FIXTURE_TEST_CASE(isochronous_packets_have_all_that_moved, IsoTransfer) {
  Submit(transfer);
  for (usb::IsoPacket& packet : packets) packet = {packet.offset, 4, 3, Outcome::kOk};
  Finish(transfer, Outcome::kOk, 5);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: 5 bytes moved, its packets have 6");
}

BOOST_FIXTURE_TEST_CASE(good_isochronous_packets_pass, IsoTransfer) {
  Submit(transfer);
  packets[0].length_actual = 4;
  packets[0].outcome = Outcome::kOk;
  packets[1].outcome = Outcome::kFault;
  transfer.error_count = 1;
  Finish(transfer, Outcome::kOk, 4);
  transfer.Rearm();
  Submit(transfer);
  for (usb::IsoPacket& packet : packets) packet = {packet.offset, 4, 4, Outcome::kOk};
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(port_requests_have_results_that_make_sense, Stack) {
  PortOp op;
  Perform(op, usb::ClaimInterface{0}, Outcome::kPending);
  Perform(op, usb::ClaimInterface{0}, Outcome::kCancelled);
  op.granted = 4;
  Perform(op, usb::AllocateStreams{.count = 3, .endpoints = {}});
  Perform(op, usb::AllocateStreams{.count = 4, .endpoints = {}});
  op.granted = 5;
  Perform(op, usb::AllocateStreams{.count = 5, .endpoints = {}});
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 00 stream 0: claim interface: pending; "
             "result makes sense: endpoint 00 stream 0: claim interface: cancelled; "
             "result makes sense: endpoint 00 stream 0: allocate streams granted 4 of 3; "
             "result makes sense: endpoint 00 stream 0: allocate streams granted 5 of 5");
}

BOOST_FIXTURE_TEST_CASE(a_queued_port_request_that_completes_is_one_too_many, Stack) {
  PortOp op;
  Request(op, usb::Suspend{});
  IntrusiveList<Deferred> elsewhere;
  elsewhere.PushBack(op);
  op.outcome = Outcome::kOk;
  op.Complete();
  op.Unlink();
  BOOST_TEST(Breaches() ==
             "exactly once: endpoint 00 stream 0: suspend completes while it is still queued");
}

BOOST_FIXTURE_TEST_CASE(caps_must_not_change, Stack) {
  const usb::LinkCaps caps = link.link_caps;
  for (int field = 0; field < 4; ++field) {
    collector.breaches.clear();
    link.link_caps = caps;
    if (field == 0) link.link_caps.speed = usb::Speed::kFull;
    if (field == 1) link.link_caps.streams_max = 0;
    if (field == 2) link.link_caps.transfer_length_max = 1;
    if (field == 3) link.link_caps.lends_data = false;
    BOOST_TEST(auditor->caps().streams_max == link.link_caps.streams_max);
    BOOST_TEST(Breaches() == "caps are constant: endpoint 00 stream 0: the link's caps changed");
  }
}

BOOST_AUTO_TEST_SUITE_END()
