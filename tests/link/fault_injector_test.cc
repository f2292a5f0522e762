// What the injector passes down, when, and in which order it answers. What a host makes of each
// kind is in tests/twin.
#include "link/fault_injector.h"

#include "fault_injector_stack.h"

using namespace usbtwin;                    // NOLINT
using namespace usbtwin::tests::injecting;  // NOLINT

BOOST_FIXTURE_TEST_SUITE(fault_injector, Bench)

BOOST_AUTO_TEST_CASE(an_idle_player_lets_everything_through) {
  for (const std::vector<Rule>& rules :
       {std::vector<Rule>{}, std::vector<Rule>{{.kind = Kind::kOpenFails}}}) {
    Play(rules);
    OutTransfer sent;
    Submit(sent.transfer);
    BOOST_TEST(injector->in_flight_count() == 0u);
    PortOp op;
    Request(op, usb::ClearHalt{});
    FinishOp();
    BOOST_TEST((op.outcome == Outcome::kOk));
    Cancel(sent.transfer);
    BOOST_TEST(inner.cancelled.size() == 1u);
    inner.cancelled.clear();
    Finish(sent.transfer, Outcome::kCancelled, 2);
    CheckDone(sent.transfer, Outcome::kCancelled, 2);
  }
}

BOOST_AUTO_TEST_CASE(what_comes_behind_a_late_request_waits) {
  Play({{.kind = Kind::kDelayRequest, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Submit(reader.transfer);
  BOOST_TEST(!Waits(first.transfer));
  BOOST_TEST(!Waits(second.transfer));
  BOOST_TEST(Waits(reader.transfer));

  clock.Advance(100ms);

  BOOST_TEST(Waits(first.transfer));
  BOOST_TEST(!Waits(second.transfer));
  Finish(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(Waits(second.transfer));
  Finish(second.transfer, Outcome::kOk, 4);
  Finish(reader.transfer, Outcome::kOk, 0);
  CheckObserved(Kind::kDelayRequest);
}

BOOST_AUTO_TEST_CASE(a_late_request_does_not_reach_a_suspended_port) {
  Play({{.kind = Kind::kDelayRequest, .times = 1, .delay = 100ms},
        {.kind = Kind::kSuspend, .times = 1, .delay = 500ms}});
  Submit(first.transfer);
  Submit(reader.transfer);
  BOOST_TEST(Asked() == "suspend");
  FinishOp();

  clock.Advance(200ms);
  BOOST_TEST(!Waits(first.transfer));

  clock.Advance(300ms);
  BOOST_TEST(Asked() == "resume");
  FinishOp();
  clock.Advance(100ms);
  BOOST_TEST(Waits(first.transfer));
  BOOST_TEST(Waits(reader.transfer));
  Finish(first.transfer, Outcome::kOk, 4);
  Finish(reader.transfer, Outcome::kOk, 0);
  CheckDone(first.transfer, Outcome::kOk, 4);
  CheckObserved(Kind::kDelayRequest);
}

BOOST_AUTO_TEST_CASE(a_fault_waits_for_those_before_it) {
  Play({{.kind = Kind::kFault, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  BOOST_TEST(host.done.empty());

  Finish(first.transfer, Outcome::kOk, 4);

  CheckDone(first.transfer, Outcome::kOk, 4);
  CheckDone(second.transfer, Outcome::kFault);
  CheckObserved(Kind::kFault);
}

BOOST_AUTO_TEST_CASE(a_halted_endpoint_refuses_until_it_is_cleared) {
  Play({{.kind = Kind::kStall, .times = 1}});
  Submit(first.transfer);
  CheckDone(first.transfer, Outcome::kStall);
  Submit(second.transfer);
  CheckDone(second.transfer, Outcome::kStall);
  BOOST_TEST(inner.waiting.empty());

  PortOp op;
  Request(op, usb::ClearHalt{first.transfer.endpoint});
  FinishOp();
  first.transfer.Rearm();
  Submit(first.transfer);

  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(those_queued_behind_a_late_stall_move_nothing) {
  Play({{.kind = Kind::kStallLate, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kStall, 4);
  BOOST_TEST(!Done(second.transfer));
  BOOST_TEST(inner.waiting.empty());
  Cancel(second.transfer);
  CheckDone(second.transfer, Outcome::kCancelled);
}

// What was decided for it before the one before it was stalled by the device itself: it used to end
// well, on a halted endpoint.
BOOST_AUTO_TEST_CASE(those_decided_behind_a_stall_of_the_device_move_nothing) {
  Play({{.kind = Kind::kFault, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  BOOST_TEST(!Waits(second.transfer));
  Finish(first.transfer, Outcome::kStall, 0);
  CheckDone(first.transfer, Outcome::kStall);
  BOOST_TEST(!Done(second.transfer));
  Cancel(second.transfer);
  CheckDone(second.transfer, Outcome::kCancelled);
}

// The stall used to take the late cancellation with it, and the transfer never ended.
BOOST_AUTO_TEST_CASE(a_late_cancellation_behind_a_stall_comes) {
  Play({{.kind = Kind::kDelayRequest, .nth = 2, .times = 1},
        {.kind = Kind::kCancelLate, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Cancel(second.transfer);
  Finish(first.transfer, Outcome::kStall, 0);
  BOOST_TEST(!Done(second.transfer));
  clock.Advance(100ms);
  CheckDone(second.transfer, Outcome::kCancelled);
}

BOOST_AUTO_TEST_CASE(a_lost_request_ends_when_it_is_cancelled) {
  Play({{.kind = Kind::kLostRequest, .times = 1}});
  Submit(first.transfer);
  clock.Advance(1000s);
  BOOST_TEST(host.done.empty());
  Cancel(first.transfer);
  CheckDone(first.transfer, Outcome::kCancelled);
  BOOST_TEST(inner.cancelled.empty());
  CheckObserved(Kind::kLostRequest);
}

BOOST_AUTO_TEST_CASE(a_late_fault_comes_after_the_device_took_the_bytes) {
  Play({{.kind = Kind::kFaultLate, .times = 1}});
  Submit(first.transfer);
  BOOST_TEST(Waits(first.transfer));
  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kFault, 4);
  CheckObserved(Kind::kFaultLate);
}

BOOST_AUTO_TEST_CASE(a_short_out_brings_the_device_the_first_bytes) {
  Play({{.kind = Kind::kShortOut, .times = 1, .length = 3}});
  Submit(first.transfer);
  BOOST_TEST(Waits(first.transfer));
  BOOST_TEST(first.transfer.out == "010203"_hex, boost::test_tools::per_element());
  Finish(first.transfer, Outcome::kOk, 3);
  CheckDone(first.transfer, Outcome::kFault, 3);
  BOOST_TEST(first.transfer.out.size() == 4u);
  CheckObserved(Kind::kShortOut);
}

BOOST_AUTO_TEST_CASE(a_lost_completion_tells_what_moved) {
  Play({{.kind = Kind::kLostCompletion, .times = 1}});
  Submit(reader.transfer);
  FinishIn(reader.transfer, kData);
  BOOST_TEST(host.done.empty());
  Cancel(reader.transfer);
  CheckDone(reader.transfer, Outcome::kCancelled, 4);
  BOOST_TEST(inner.cancelled.empty());
}

BOOST_AUTO_TEST_CASE(a_late_completion_that_is_cancelled_keeps_its_outcome) {
  Play({{.kind = Kind::kDelayCompletion, .times = 1}});
  Submit(first.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  clock.Advance(50ms);
  BOOST_TEST(host.done.empty());
  Cancel(first.transfer);
  CheckDone(first.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(another_endpoint_overtakes) {
  Play({{.kind = Kind::kReorder, .times = 1}});
  Submit(first.transfer);
  Submit(reader.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(host.done.empty());
  FinishIn(reader.transfer, kData);
  BOOST_TEST((host.done == std::vector<Transfer*>{&reader.transfer, &first.transfer}));
  CheckObserved(Kind::kReorder);
}

BOOST_AUTO_TEST_CASE(a_late_cancellation_is_passed_on_late) {
  Play({{.kind = Kind::kCancelLate, .times = 1}});
  Submit(first.transfer);
  Cancel(first.transfer);
  clock.Advance(99ms);
  BOOST_TEST(inner.cancelled.empty());
  clock.Advance(1ms);
  BOOST_TEST(inner.cancelled.size() == 1u);
  Finish(first.transfer, Outcome::kCancelled, 0);
  CheckObserved(Kind::kCancelLate);
}

BOOST_AUTO_TEST_CASE(what_goes_out_is_changed_in_a_copy) {
  Play({{.kind = Kind::kCorruptOut, .times = 1, .value = 9}});
  Submit(first.transfer);
  constexpr auto kFlipped = "01000304"_hex;
  BOOST_TEST(SameBytes(inner.waiting[0]->out, kFlipped));
  Finish(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(first.transfer.out.data() == kData.data());
  BOOST_TEST(player->count(Kind::kCorruptOut).injected == 1u);
  BOOST_TEST(player->count(Kind::kCorruptOut).observed == 0u);  // the device took it
}

// Held, until a reset that nothing of it caused ended it: the host saw the reset.
BOOST_AUTO_TEST_CASE(what_a_reset_hides_is_not_observed) {
  Play({{.kind = Kind::kLostRequest, .endpoint = reader.transfer.endpoint.value, .times = 1},
        {.kind = Kind::kResetByOther, .endpoint = first.transfer.endpoint.value, .times = 1}});
  Submit(reader.transfer);
  Submit(first.transfer);
  FinishOp();
  CheckDone(reader.transfer, Outcome::kFault);
  CheckObserved(Kind::kResetByOther);
  BOOST_TEST(player->count(Kind::kLostRequest).injected == 1u);
  BOOST_TEST(player->count(Kind::kLostRequest).observed == 0u);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_played_is_retracted) {
  Play({{.kind = Kind::kCorruptOut, .times = 1, .value = 32},
        {.kind = Kind::kShortIn, .times = 1, .length = 8}});
  Submit(first.transfer);
  Submit(reader.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  FinishIn(reader.transfer, kData);
  CheckDone(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(player->injected() == 0u);
}

BOOST_AUTO_TEST_CASE(a_short_packet_that_is_not_ok_is_a_fault) {
  Play({{.kind = Kind::kShortIn, .times = 1, .length = 2}});
  reader.transfer.flags.short_not_ok = true;
  Submit(reader.transfer);
  constexpr auto kFull = "0102030405060708"_hex;
  FinishIn(reader.transfer, kFull);
  CheckDone(reader.transfer, Outcome::kFault, 2);
  BOOST_TEST(SameBytes(reader.room, "0102000000000000"_hex));
}

BOOST_AUTO_TEST_SUITE_END()
