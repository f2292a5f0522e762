// The faults of ports: what the injector asks of them itself, and what it refuses.
#include "fault_injector_stack.h"

using namespace usbtwin;                    // NOLINT
using namespace usbtwin::tests::injecting;  // NOLINT

BOOST_FIXTURE_TEST_SUITE(fault_port, Bench)

BOOST_AUTO_TEST_CASE(a_halt_that_cannot_be_cleared_stays) {
  Play({{.kind = Kind::kStall, .times = 1}, {.kind = Kind::kClearHaltFails, .times = 1}});
  Submit(first.transfer);
  PortOp op;
  Request(op, usb::ClearHalt{first.transfer.endpoint});
  BOOST_TEST((op.outcome == Outcome::kStall));
  BOOST_TEST(inner.ops.empty());
  Submit(second.transfer);
  CheckDone(second.transfer, Outcome::kStall);
  CheckObserved(Kind::kClearHaltFails);
}

BOOST_AUTO_TEST_CASE(a_silent_endpoint_speaks_after_a_reset) {
  Play({{.kind = Kind::kSilent, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Submit(reader.transfer);
  BOOST_TEST(inner.waiting.size() == 1u);

  PortOp op;
  Request(op, usb::ResetPort{});
  CheckDone(first.transfer, Outcome::kCancelled);
  CheckDone(second.transfer, Outcome::kCancelled);
  Finish(reader.transfer, Outcome::kCancelled, 0);
  FinishOp();

  first.transfer.Rearm();
  Submit(first.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(a_disconnection_ends_everything) {
  Play({{.kind = Kind::kDisconnect, .nth = 2, .times = 1, .delay = 1s}});
  Submit(first.transfer);
  Submit(reader.transfer);
  BOOST_TEST(Asked() == "reset port");
  PortOp waiting;
  Request(waiting, usb::ClearHalt{{0x83}});
  Finish(first.transfer, Outcome::kCancelled, 3);
  BOOST_TEST(host.done.empty());

  FinishOp();

  CheckDone(first.transfer, Outcome::kDisconnected, 3);
  CheckDone(reader.transfer, Outcome::kDisconnected);
  BOOST_TEST((waiting.outcome == Outcome::kDisconnected));
  Submit(second.transfer);
  CheckDone(second.transfer, Outcome::kDisconnected);
  PortOp later;
  Request(later, usb::ResetPort{});
  BOOST_TEST((later.outcome == Outcome::kDisconnected));
  BOOST_TEST(port.absent(clock.Now() + 999ms));
  BOOST_TEST(!port.absent(clock.Now() + 1s));
  CheckObserved(Kind::kDisconnect);
}

BOOST_AUTO_TEST_CASE(a_device_without_a_delay_never_comes_back) {
  Play({{.kind = Kind::kDisconnect, .times = 1, .delay = 0s}});
  Submit(first.transfer);
  FinishOp();
  BOOST_TEST(port.absent(clock.Now() + std::chrono::hours(24 * 365)));
}

BOOST_AUTO_TEST_CASE(a_disconnection_below_is_one_here) {
  Play({{.kind = Kind::kDelayCompletion, .times = 1}});
  Submit(first.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  Submit(reader.transfer);
  Finish(reader.transfer, Outcome::kDisconnected, 0);
  clock.Advance(100ms);
  CheckDone(first.transfer, Outcome::kDisconnected, 4);
}

BOOST_AUTO_TEST_CASE(a_reset_by_another_is_a_fault_to_what_was_queued) {
  Play({{.kind = Kind::kResetByOther, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(reader.transfer);
  Submit(second.transfer);
  BOOST_TEST(!Waits(second.transfer));
  Finish(first.transfer, Outcome::kCancelled, 0);
  FinishOp();
  CheckDone(first.transfer, Outcome::kFault);
  CheckDone(reader.transfer, Outcome::kFault);
  BOOST_TEST(!Done(second.transfer));
  Finish(second.transfer, Outcome::kOk, 4);
}

// Behind it in the order of the bus nothing may end as if the device were still there.
BOOST_AUTO_TEST_CASE(a_device_that_is_gone_after_a_reset_is_gone) {
  Play({{.kind = Kind::kResetByOther, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(reader.transfer);
  FinishOp();
  Finish(first.transfer, Outcome::kDisconnected, 0);
  CheckDone(first.transfer, Outcome::kDisconnected);
}

// The device holds a transfer beyond the reset: it ends when it comes, whatever the port does then.
BOOST_AUTO_TEST_CASE(a_suspension_keeps_nothing_that_a_reset_has_doomed) {
  Play({{.kind = Kind::kResetByOther, .nth = 2, .times = 1},
        {.kind = Kind::kSuspend, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(reader.transfer);
  FinishOp();
  CheckDone(reader.transfer, Outcome::kFault);

  reader.transfer.Rearm();
  Submit(reader.transfer);
  BOOST_TEST(Asked() == "suspend");
  Finish(first.transfer, Outcome::kCancelled, 0);
  CheckDone(first.transfer, Outcome::kFault);

  FinishOp();
  clock.Advance(100ms);
  BOOST_TEST(Asked() == "resume");
  FinishOp();
  Finish(reader.transfer, Outcome::kOk, 0);
}

BOOST_AUTO_TEST_CASE(a_suspension_holds_what_comes) {
  Play({{.kind = Kind::kSuspend, .times = 1}});
  Submit(first.transfer);
  BOOST_TEST(Asked() == "suspend");
  FinishOp();
  Submit(reader.transfer);
  PortOp op;
  Request(op, usb::ClearHalt{{0x03}});
  clock.Advance(99ms);
  BOOST_TEST(inner.waiting.empty());
  BOOST_TEST(inner.ops.empty());
  clock.Advance(1ms);
  BOOST_TEST(Asked() == "resume");
  FinishOp();
  BOOST_TEST(inner.waiting.size() == 2u);
  BOOST_TEST(Asked() == "clear halt");
  FinishOp();
  Finish(first.transfer, Outcome::kOk, 4);
  Finish(reader.transfer, Outcome::kOk, 0);
  CheckObserved(Kind::kSuspend);
}

BOOST_AUTO_TEST_CASE(a_cancellation_ends_a_suspension) {
  Play({{.kind = Kind::kSuspend, .times = 1}});
  Submit(first.transfer);
  FinishOp();
  auditor->Cancel(first.transfer);
  clock.Advance(0s);
  BOOST_TEST(Asked() == "resume");
  BOOST_TEST(host.done.empty());
  FinishOp();
  CheckDone(first.transfer, Outcome::kCancelled);
}

BOOST_AUTO_TEST_CASE(a_slow_port_request_is_passed_on_late) {
  Play({{.kind = Kind::kPortSlow, .times = 1}});
  PortOp op;
  Request(op, usb::ClearHalt{{0x81}});
  BOOST_TEST(inner.ops.empty());
  clock.Advance(1s);
  FinishOp();
  BOOST_TEST((op.outcome == Outcome::kOk));
  CheckObserved(Kind::kPortSlow);
}

BOOST_AUTO_TEST_SUITE_END()
