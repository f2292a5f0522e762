// How commands fail, and the ladder that takes them back from the device.
#include "tests/proto/uas_host_rig.h"

using namespace usbtwin;           // NOLINT
using namespace usbtwin::uas_rig;  // NOLINT

BOOST_FIXTURE_TEST_SUITE(uas_host_recovery, Shared)

// ---- Devices that break the protocol ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_belongs_to_nobody_resets_the_port) {
  struct Case {
    const char* name;
    std::vector<uint8_t> iu;
  };
  std::vector<uint8_t> cut_sense = Sense(1), long_sense = Sense(1);
  cut_sense.pop_back();
  long_sense[15] = 1;
  const Case cases[] = {{"nothing", {}},
                        {"half a header", {3, 0, 0}},
                        {"tag 0", Sense(0)},
                        {"a tag not in use", Sense(2)},
                        {"a tag beyond the table", Sense(65)},
                        {"tag FFFEh", Sense(0xfffe)},
                        {"tag FFFFh", Sense(0xffff)},
                        {"a response no function waits for", Response(kAbortTag, 0)},
                        {"an unknown kind", Iu(2, 1)},
                        {"a kind that hosts send", Iu(1, 1)},
                        {"WRITE READY for a read", Iu(7, 1)},
                        {"sense cut", cut_sense},
                        {"sense longer than the IU", long_sense},
                        {"response cut", Iu(4, 1, {0, 0, 0})},
                        {"function complete for a command", Response(1, 0)},
                        {"reserved response", Response(1, 0x55)},
                        {"overlapped tag", Response(1, 0x0a)}};
  for (const Case& one : cases) {
    BOOST_TEST_CONTEXT(one.name) {
      Shared fresh;
      const uint16_t tag = fresh.Start(512);
      fresh.Drain();
      fresh.Sent(tag);
      fresh.Say(one.iu);
      BOOST_TEST(fresh.Next(Kind::kCancelStatus).tag == 0);
      fresh.Quiet();
      fresh.EndReads(1);
      fresh.ResetPort();
      BOOST_CHECK(fresh.Finished(tag).error->kind == ErrorKind::kProtocol);
      BOOST_CHECK(fresh.engine.result(tag).rung == Rung::kResetPort);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_second_ready_iu_breaks_the_protocol) {
  const uint16_t tag = Start(512);
  Drain();
  Sent(tag);
  Say(Iu(6, tag));
  Say(Iu(6, tag));
  ResetPort();
  ExpectError(tag, ErrorKind::kProtocol, Phase::kDataIn);
}

// SENSE IU 03h with one bit flipped: to send data now would send it where another's is awaited.
BOOST_AUTO_TEST_CASE(a_ready_iu_of_another_length_breaks_the_protocol) {
  const uint16_t tag = Start(512, false);
  Drain();
  Sent(tag);
  std::vector<uint8_t> iu = Iu(7, tag);
  iu.resize(34);
  Say(iu);
  Drain();
  ExpectError(tag, ErrorKind::kProtocol, Phase::kStatus);
}

BOOST_AUTO_TEST_CASE(a_status_that_comes_twice_breaks_the_protocol) {
  const uint16_t tag = Start(), other = Start();
  Drain();
  Sent(tag);
  Sent(other);
  Say(Sense(tag));
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  engine.Release(tag);
  Say(Sense(tag));
  ResetPort();
  ExpectError(other, ErrorKind::kProtocol, Phase::kStatus);
}

BOOST_AUTO_TEST_CASE(a_command_that_is_refused_ends_alone) {
  const uint16_t tag = Start(512), other = Start();
  Drain();
  Sent(tag);
  Sent(other);
  Say(Response(tag, 0x02));
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  ExpectError(tag, ErrorKind::kProtocol, Phase::kCommand);
  BOOST_CHECK(engine.result(tag).rung == Rung::kNone);
  Say(Sense(other));
  BOOST_TEST(Next(Kind::kFinished).tag == other);
}

BOOST_AUTO_TEST_CASE(a_stall_resets_the_port) {
  const uint16_t tag = Start(512), other = Start();
  Drain();
  Sent(tag);
  Sent(other);
  Say(Iu(6, tag));
  Drain();
  engine.HandleData(tag, Outcome::kStall, 100);
  Next(Kind::kCancelStatus);
  EndReads(2);
  ResetPort();
  Drain();
  ExpectError(tag, ErrorKind::kStalled, Phase::kDataIn);
  BOOST_TEST(engine.result(tag).error->length_actual == 100u);
  ExpectError(other, ErrorKind::kFault, Phase::kReset);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_gone_is_opened_anew) {
  const uint16_t tag = Start();
  Drain();
  engine.HandleIuSent(tag, Outcome::kDisconnected, 0);
  Next(Kind::kCancelStatus);
  EndReads(1);
  Next(Kind::kReopen);
  Quiet();
  const uint16_t late = Start();  // it waits
  Quiet();
  engine.HandleRecovered(Outcome::kDisconnected);
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  ExpectError(tag, ErrorKind::kDisconnected, Phase::kCommand);
  BOOST_TEST(engine.result(tag).broken);
  BOOST_TEST((Drain()[Kind::kSendIu] == std::vector<uint16_t>{late}));
}

BOOST_AUTO_TEST_CASE(a_port_reset_that_fails_or_does_not_help_is_followed_by_opening_anew) {
  const uint16_t tag = Start();
  Drain();
  engine.HandleIuSent(tag, Outcome::kStall, 0);
  Drain();
  EndReads(1);
  Next(Kind::kResetPort);
  engine.HandleRecovered(Outcome::kFault);
  Next(Kind::kReopen);
  engine.HandleRecovered(Outcome::kOk);
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  BOOST_CHECK(engine.result(tag).rung == Rung::kReopen);
  BOOST_TEST(engine.result(tag).recoveries == 2);
  BOOST_TEST(!engine.result(tag).broken);
  engine.Release(tag);

  for (const Kind expected : {Kind::kResetPort, Kind::kReopen}) {
    const uint16_t again = Start();
    Drain();
    engine.HandleIuSent(again, Outcome::kStall, 0);
    Drain();
    EndReads(1);
    Next(expected);
    engine.HandleRecovered(Outcome::kOk);
    BOOST_TEST(Next(Kind::kFinished).tag == again);
    engine.Release(again);
  }
}

// ---- The ladder -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_late_command_is_aborted) {
  const uint16_t tag = Start(0, true, 3), other = Start();
  Drain();
  Sent(tag);
  Sent(other);
  engine.HandleTimeout(tag);
  BOOST_TEST(engine.managing());
  Next(Kind::kReadStatus);
  BOOST_TEST(Next(Kind::kSendIu).tag == kAbortTag);
  BOOST_TEST(SameBytes(engine.iu(kAbortTag),
                       "05 00 003f 01 00 0001 0003000000000000"_hex));  // ABORT TASK 1, LUN 3
  Sent(kAbortTag);
  Say(Response(kAbortTag, 0));
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  ExpectError(tag, ErrorKind::kTimedOut, Phase::kStatus);
  BOOST_CHECK(engine.result(tag).rung == Rung::kAbortTask);
  Say(Sense(other));
  BOOST_TEST(Next(Kind::kFinished).tag == other);
  BOOST_TEST(!engine.result(other).error.has_value());
}

BOOST_AUTO_TEST_CASE(the_leg_that_is_late_is_named) {
  const uint16_t silent = Start(), no_ready = Start(512, false), half = Start(512),
                 unsent = Start();
  for (int count = 0; count < 20; ++count) {
    const HostAction action = engine.Poll();
    if (action.kind == Kind::kSendIu && action.tag != unsent) Sent(action.tag);
  }
  Say(Iu(6, half));
  Drain();
  for (const uint16_t tag : {silent, no_ready, half, unsent}) engine.HandleTimeout(tag);
  ExpectError(silent, ErrorKind::kTimedOut, Phase::kStatus);
  ExpectError(no_ready, ErrorKind::kTimedOut, Phase::kDataOut);
  ExpectError(half, ErrorKind::kTimedOut, Phase::kDataIn);
  ExpectError(unsent, ErrorKind::kTimedOut, Phase::kCommand);
  BOOST_TEST(engine.result(no_ready).error->Describe() ==
             "timed out in data-out: neither WRITE READY nor SENSE IU came for tag 2");
}

BOOST_AUTO_TEST_CASE(what_the_device_never_saw_needs_no_abort) {
  const uint16_t tag = Start();
  Drain();
  engine.HandleCancel(tag);
  BOOST_TEST(Next(Kind::kCancelIu).tag == tag);
  engine.HandleIuSent(tag, Outcome::kCancelled, 0);
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  ExpectError(tag, ErrorKind::kCancelled, Phase::kCommand);
  BOOST_CHECK(engine.result(tag).rung == Rung::kNone);
}

BOOST_AUTO_TEST_CASE(a_refused_abort_is_followed_by_a_reset_of_the_unit) {
  const uint16_t tag = Start(0, true, 1), same = Start(0, true, 1), other = Start(0, true, 0);
  Drain();
  for (const uint16_t one : {tag, same, other}) Sent(one);
  engine.HandleTimeout(tag);
  Drain();
  Sent(kAbortTag);
  Say(Response(kAbortTag, 0x04));  // not supported
  const uint16_t later = Start(0, true, 1);
  const auto done = Drain();
  BOOST_TEST((done.at(Kind::kSendIu) == std::vector<uint16_t>{kResetTag}));  // `later` waits
  BOOST_TEST(SameBytes(engine.iu(kResetTag), "05 00 0040 08 00 0000 0001000000000000"_hex));
  Sent(kResetTag);
  Say(Response(kResetTag, 0));
  auto ended = Drain();
  BOOST_TEST((ended[Kind::kFinished] == std::vector<uint16_t>{tag, same}));
  BOOST_TEST((ended[Kind::kSendIu] == std::vector<uint16_t>{later}));
  ExpectError(tag, ErrorKind::kTimedOut, Phase::kStatus);
  ExpectError(same, ErrorKind::kFault, Phase::kReset);
  BOOST_CHECK(engine.result(same).rung == Rung::kUnitReset);
  Say(Sense(other));
  BOOST_TEST(Next(Kind::kFinished).tag == other);
}

BOOST_AUTO_TEST_CASE(a_silent_device_ends_with_a_port_reset) {
  const uint16_t tag = Start();
  Drain();
  Sent(tag);
  engine.HandleTimeout(tag);
  Drain();
  Sent(kAbortTag);
  engine.HandleRecoveryTimeout();
  BOOST_TEST((Drain()[Kind::kSendIu] == std::vector<uint16_t>{kResetTag}));
  Sent(kResetTag);
  engine.HandleRecoveryTimeout();
  Next(Kind::kCancelStatus);
  EndReads(2);
  ResetPort();
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  ExpectError(tag, ErrorKind::kTimedOut, Phase::kStatus);
  BOOST_CHECK(engine.result(tag).rung == Rung::kResetPort);
  BOOST_TEST(engine.result(tag).recoveries == 3);
}

BOOST_AUTO_TEST_CASE(a_function_that_is_answered_too_late_is_no_breach) {
  const uint16_t tag = Start();
  Drain();
  Sent(tag);
  engine.HandleTimeout(tag);
  Drain();
  Sent(kAbortTag);
  engine.HandleRecoveryTimeout();
  Drain();
  Sent(kResetTag);
  Say(Response(kAbortTag, 0));
  BOOST_TEST(engine.late_count() == 1u);
  Drain();
  Say(Response(kResetTag, 0));
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  BOOST_CHECK(engine.result(tag).rung == Rung::kUnitReset);
}

// Its end was waited for without end.
BOOST_AUTO_TEST_CASE(a_function_that_is_answered_before_its_iu_has_ended_ends_all_the_same) {
  const uint16_t tag = Start();
  Drain();
  Sent(tag);
  engine.HandleTimeout(tag);
  Drain();
  Say(Response(kAbortTag, 0));
  Quiet();
  engine.HandleRecoveryTimeout();
  BOOST_TEST(Next(Kind::kCancelIu).tag == kAbortTag);
  engine.HandleIuSent(kAbortTag, Outcome::kCancelled, 16);
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  BOOST_CHECK(engine.result(tag).rung == Rung::kAbortTask);
}

// The tag is not free while a function that names it is under way.
BOOST_AUTO_TEST_CASE(a_status_that_meets_its_abort_does_not_free_the_tag) {
  const uint16_t tag = Start();
  Drain();
  Sent(tag);
  engine.HandleTimeout(tag);
  Drain();
  Say(Sense(tag));
  Quiet();
  Sent(kAbortTag);
  Say(Response(kAbortTag, 0));
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  ExpectError(tag, ErrorKind::kTimedOut, Phase::kStatus);
}

// The device may have begun to send the data of the task that is being aborted.
BOOST_AUTO_TEST_CASE(nobody_asks_for_data_on_a_shared_pipe_while_a_task_is_aborted) {
  const uint16_t tag = Start(512), other = Start(512);
  Drain();
  Sent(tag);
  Sent(other);
  engine.HandleTimeout(tag);
  Drain();
  Sent(kAbortTag);
  Say(Iu(6, tag));
  Say(Iu(6, other));
  BOOST_TEST(engine.late_count() == 1u);
  BOOST_TEST(Drain().count(Kind::kMoveData) == 0u);
  Say(Response(kAbortTag, 0));
  const auto done = Drain();
  BOOST_TEST((done.at(Kind::kMoveData) == std::vector<uint16_t>{other}));
}

BOOST_AUTO_TEST_CASE(data_between_others_cannot_be_taken_back) {
  const uint16_t tag = Start(512), other = Start(512);
  Drain();
  Sent(tag);
  Sent(other);
  Say(Iu(6, tag));
  Say(Iu(6, other));
  Drain();
  engine.HandleTimeout(tag);
  auto done = Drain();
  BOOST_TEST((done[Kind::kCancelData] == std::vector<uint16_t>{tag, other}));
  engine.HandleData(tag, Outcome::kCancelled, 0);
  engine.HandleData(other, Outcome::kCancelled, 0);
  EndReads(2);
  ResetPort();
  ExpectError(tag, ErrorKind::kTimedOut, Phase::kDataIn);
  ExpectError(other, ErrorKind::kFault, Phase::kReset);
}

// Behind an endpoint that is silent until the port is reset every command used to be late for ever,
// and every ABORT TASK to work.
BOOST_AUTO_TEST_CASE(a_second_late_command_in_a_row_resets_the_port) {
  for (const bool done_between : {false, true}) {
    Shared fresh;
    for (const bool second : {false, true}) {
      if (second && done_between) {
        const uint16_t well = fresh.Start();
        fresh.Drain();
        fresh.Sent(well);
        fresh.Say(Sense(well));
        fresh.Drain();
        fresh.engine.Release(well);
      }
      const uint16_t tag = fresh.Start();
      fresh.Drain();
      fresh.engine.HandleTimeout(tag);
      fresh.Next(Kind::kCancelIu);
      fresh.engine.HandleIuSent(tag, Outcome::kCancelled, 0);
      if (second && !done_between) {
        BOOST_TEST(fresh.Next(Kind::kCancelStatus).tag == 0);
        fresh.EndReads(1);
        fresh.ResetPort();
      }
      BOOST_CHECK(fresh.engine.result(tag).error->kind == ErrorKind::kTimedOut);
      BOOST_TEST((fresh.engine.result(tag).rung == Rung::kResetPort) == (second && !done_between));
      fresh.Drain();
      if (!second || done_between) fresh.EndReads(1);
      fresh.engine.Release(tag);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
