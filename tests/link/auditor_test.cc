#include "link/auditor.h"

#include <boost/test/unit_test.hpp>

#include "tests/dies.h"
#include "tests/link/auditor_stack.h"

using namespace usbtwin;                   // NOLINT
using namespace usbtwin::tests;            // NOLINT
using namespace usbtwin::tests::auditing;  // NOLINT

BOOST_AUTO_TEST_SUITE(auditor)

// ---- A good host over a good link -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_good_conversation_passes) {
  Stack stack;
  stack.Learn();
  PortOp op;
  stack.Perform(op, usb::SetConfiguration{1});
  std::array<uint8_t, 8> room{};
  Transfer in, out, loan;
  in.endpoint = loan.endpoint = EndpointAddress::In(1);
  out.endpoint = EndpointAddress::Out(2);
  in.in = room;
  in.in_length_max = 8;
  loan.in_length_max = 4;
  out.out = kOut;
  StaticPin pin(kOut);

  // Short, lent and cancelled transfers, many at a time, again and again.
  for (int round = 0; round < 100; ++round) {
    stack.Submit(in);
    stack.Submit(loan);
    stack.Submit(out);
    stack.auditor->Cancel(in);
    BOOST_REQUIRE(loan.lease.Append(pin.Lend(3)));
    stack.link.Finish(loan, Outcome::kOk, 3);
    stack.link.Finish(out, Outcome::kOk, 4);
    stack.link.Finish(in, Outcome::kCancelled, 5);
    stack.clock.RunPosted();
    for (Transfer* transfer : {&in, &out, &loan}) transfer->Rearm();
  }
  // A stall, its clearing, and going on.
  stack.Submit(in);
  stack.Finish(in, Outcome::kStall, 2);
  stack.Perform(op, usb::ClearHalt{EndpointAddress::In(1)});
  in.Rearm();
  stack.Submit(in);
  stack.Finish(in, Outcome::kOk, 8);
  stack.Perform(op, usb::ResetPort{});
  stack.Perform(op, usb::SetAlternate{0, 0});
  in.Rearm();
  stack.Submit(in);
  stack.Finish(in, Outcome::kDisconnected, 0);

  BOOST_TEST(stack.host.done.size() == 1u + 300u + 3u);
  BOOST_TEST(stack.auditor->in_flight_count() == 0u);
  BOOST_TEST(stack.auditor->caps().streams_max == 4);
  stack.auditor.reset();
  BOOST_TEST(stack.Breaches() == "");
}

BOOST_AUTO_TEST_CASE(a_deep_queue_keeps_its_order) {
  Stack stack;
  std::array<Transfer, 100> transfers;
  for (int round = 0; round < 3; ++round) {
    for (Transfer& transfer : transfers) {
      transfer.endpoint = EndpointAddress::Out(2);
      transfer.Rearm();
      stack.Submit(transfer);
    }
    for (Transfer& transfer : transfers) stack.link.Finish(transfer, Outcome::kOk, 0);
    stack.clock.RunPosted();
  }
  BOOST_TEST(stack.Breaches() == "");
}

// ---- Rule 1: exactly once ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_transfer_that_never_completes_is_reported_at_the_end) {
  Stack stack;
  std::array<Transfer, 2> transfers;
  PortOp op;
  for (Transfer& transfer : transfers) {
    transfer.endpoint = EndpointAddress::Out(2);
    stack.Submit(transfer);
  }
  stack.auditor->Cancel(transfers[1]);
  stack.Request(op, usb::Suspend{});

  stack.auditor->CheckNothingInFlight();

  BOOST_TEST(stack.Breaches() ==
             "exactly once: endpoint 02 stream 0: transfer 0 of this pipe never completed; "
             "cancel completes: endpoint 02 stream 0: transfer 1 of this pipe never completed "
             "although it was cancelled; "
             "exactly once: endpoint 00 stream 0: port request never completed: suspend");
  for (Transfer& transfer : transfers) stack.link.Finish(transfer, Outcome::kCancelled, 0);
  stack.link.Finish(op, Outcome::kOk);
  stack.clock.RunPosted();
}

BOOST_AUTO_TEST_CASE(the_destructor_looks_for_what_never_completed) {
  BOOST_TEST(tests::Dies([] {
    ManualClock clock;
    ScriptedLink link(clock);
    Host host;
    auto* transfer = new Transfer;
    transfer->Push(host);
    transfer->endpoint = EndpointAddress::Out(2);
    Auditor auditor(link);
    auditor.Submit(*transfer);
  }));
}

BOOST_FIXTURE_TEST_CASE(a_completion_of_a_queued_transfer_is_one_too_many, OutTransfer) {
  Submit(transfer);
  IntrusiveList<Deferred> elsewhere;
  elsewhere.PushBack(transfer);
  link.FinishNow(transfer, Outcome::kOk, 4);
  transfer.Unlink();
  BOOST_TEST(Breaches() ==
             "exactly once: endpoint 02 stream 0: completes while it is still queued");
}

BOOST_FIXTURE_TEST_CASE(a_completion_left_over_from_an_earlier_flight_has_no_outcome, OutTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 4);
  transfer.Rearm();
  Submit(transfer);
  transfer.Complete();  // for the first flight, a second time
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 02 stream 0: completes without an outcome");
}

BOOST_FIXTURE_TEST_CASE(completing_twice_in_the_clock_cannot_happen, OutTransfer) {
  BOOST_TEST(tests::Dies([&] {
    Submit(transfer);
    link.Finish(transfer, Outcome::kOk, 4);
    clock.Post(transfer);
  }));
  BOOST_TEST(tests::Dies([&] {
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 4);
    transfer.Complete();
  }));
}

// ---- Rule 2: never from inside ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(completing_inside_submit_is_a_breach, OutTransfer) {
  transfer.out = {};
  link.finish_inside_submit = true;
  Submit(transfer);
  BOOST_TEST(Breaches() ==
             "not from inside: endpoint 02 stream 0: completes inside a call to the link");
}

BOOST_FIXTURE_TEST_CASE(completing_inside_cancel_is_a_breach, OutTransfer) {
  link.finish_inside_cancel = true;
  Submit(transfer);
  auditor->Cancel(transfer);
  BOOST_TEST(Breaches() ==
             "not from inside: endpoint 02 stream 0: completes inside a call to the link");
}

BOOST_FIXTURE_TEST_CASE(completing_inside_request_is_a_breach, Stack) {
  link.finish_inside_request = true;
  PortOp op;
  Request(op, usb::Suspend{});
  BOOST_TEST(Breaches() ==
             "not from inside: endpoint 00 stream 0: suspend completes inside a call to the link");
}

// ---- Rule 3: in order -------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(overtaking_is_a_breach, TwoTransfers) {
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "in order: endpoint 02 stream 0: ok before an earlier transfer that nobody cancelled");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_may_overtake, TwoTransfers) {
  auditor->Cancel(second);
  Finish(second, Outcome::kCancelled, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_may_be_overtaken, TwoTransfers) {
  auditor->Cancel(first);
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kCancelled, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(asking_to_cancel_is_no_licence_to_move_out_of_order, TwoTransfers) {
  auditor->Cancel(second);
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "in order: endpoint 02 stream 0: ok before an earlier transfer that nobody cancelled");
}

BOOST_FIXTURE_TEST_CASE(endpoints_and_streams_have_an_order_of_their_own, Stack) {
  std::array<Transfer, 4> transfers;
  for (Transfer& transfer : transfers) transfer.endpoint = EndpointAddress::Out(2);
  transfers[1].stream_id = 1;
  transfers[2].stream_id = 2;
  transfers[3].endpoint = EndpointAddress::Out(3);
  for (Transfer& transfer : transfers) Submit(transfer);
  for (size_t index = 4; index-- > 0;) Finish(transfers[index], Outcome::kOk, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(one_stream_keeps_its_order, Stack) {
  Transfer first, second;
  first.endpoint = second.endpoint = EndpointAddress::Out(2);
  first.stream_id = second.stream_id = 3;
  Submit(first);
  Submit(second);
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "in order: endpoint 02 stream 3: ok before an earlier transfer that nobody cancelled");
}

// ---- Rule 4: stays disconnected ---------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(nothing_else_comes_after_a_disconnected_transfer, TwoTransfers) {
  Finish(first, Outcome::kDisconnected, 0);
  Finish(second, Outcome::kCancelled, 0);
  PortOp op;
  Perform(op, usb::ResetPort{});
  Perform(op, usb::ResetPort{}, Outcome::kDisconnected);
  BOOST_TEST(
      Breaches() ==
      "stays disconnected: endpoint 02 stream 0: cancelled after something was disconnected; "
      "stays disconnected: endpoint 00 stream 0: reset port: ok after something was "
      "disconnected");
}

BOOST_FIXTURE_TEST_CASE(a_disconnected_port_request_counts_as_well, OutTransfer) {
  PortOp op;
  Perform(op, usb::Suspend{}, Outcome::kDisconnected);
  Submit(transfer);
  Finish(transfer, Outcome::kFault, 0);
  BOOST_TEST(Breaches() ==
             "stays disconnected: endpoint 02 stream 0: fault after something was disconnected");
}

// ---- Without a sink ---------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_breach_aborts_where_nobody_collects) {
  const auto overtake = [](BreachSink* sink) {
    ManualClock clock;
    ScriptedLink link(clock);
    Host host;
    Auditor auditor(link, sink);
    std::array<Transfer, 2> transfers;
    for (Transfer& transfer : transfers) {
      transfer.endpoint = EndpointAddress::Out(2);
      transfer.Push(host);
      auditor.Submit(transfer);
    }
    link.Finish(transfers[1], Outcome::kOk, 0);
    link.Finish(transfers[0], Outcome::kOk, 0);
    clock.RunPosted();
  };
  Collector collector;
  BOOST_TEST(!tests::Dies([&] { overtake(&collector); }));
  BOOST_TEST(tests::Dies([&] { overtake(nullptr); }));
}

BOOST_AUTO_TEST_SUITE_END()
