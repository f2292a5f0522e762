#include "proto/uas_host.h"

#include <boost/test/unit_test.hpp>
#include <map>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::uas;  // NOLINT
using usb::Outcome;
using Kind = HostAction::Kind;

namespace {

constexpr std::array<uint8_t, 10> kRead10{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0};
constexpr uint32_t kPiece = 4096;

std::vector<uint8_t> Iu(uint8_t id, uint16_t tag, std::initializer_list<uint8_t> rest = {}) {
  std::vector<uint8_t> iu{id, 0, static_cast<uint8_t>(tag >> 8), static_cast<uint8_t>(tag)};
  iu.insert(iu.end(), rest);
  return iu;
}
std::vector<uint8_t> Sense(uint16_t tag, uint8_t status = 0) {
  return Iu(3, tag, {0, 0, status, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}
std::vector<uint8_t> Response(uint16_t tag, uint8_t code) {
  return Iu(4, tag, {0, 0, 0, code});
}

template <uint16_t kStreams>
struct Fixture {
  HostAction Next(Kind kind) {
    const HostAction action = engine.Poll();
    BOOST_REQUIRE_MESSAGE(action.kind == kind, "got action " << static_cast<int>(action.kind)
                                                             << ", expected "
                                                             << static_cast<int>(kind));
    return action;
  }
  void Quiet() { BOOST_TEST(static_cast<int>(engine.Poll().kind) == 0); }
  uint16_t Start(uint32_t length = 0, bool in = true, uint64_t lun = 0) {
    return engine.Start({.lun = lun, .command_block = kRead10, .in = in, .length = length});
  }
  // All that is to be done, as a map from what to the tags in order; nothing else is left.
  std::map<Kind, std::vector<uint16_t>> Drain() {
    std::map<Kind, std::vector<uint16_t>> done;
    for (HostAction action = engine.Poll(); action.kind != Kind::kNone; action = engine.Poll()) {
      done[action.kind].push_back(action.tag);
    }
    return done;
  }
  void Sent(uint16_t tag) {
    engine.HandleIuSent(tag, Outcome::kOk, static_cast<uint32_t>(engine.iu(tag).size()));
  }
  // The one command that is to be finished.
  const HostResult& Finished(uint16_t tag) {
    BOOST_TEST(Next(Kind::kFinished).tag == tag);
    Quiet();
    return engine.result(tag);
  }
  void ExpectError(uint16_t tag, ErrorKind kind, Phase phase) {
    const HostResult& result = engine.result(tag);
    BOOST_REQUIRE(result.error.has_value());
    BOOST_TEST_INFO(result.error->Describe());
    BOOST_CHECK(result.error->kind == kind);
    BOOST_CHECK(result.error->phase == phase);
  }
  // A port reset that works is under way, and everything ends with it.
  void ResetPort() {
    Next(Kind::kResetPort);
    Quiet();
    engine.HandleRecovered(Outcome::kOk);
  }
  HostEngine engine{{.depth = 4, .streams_count = kStreams, .transfer_length_max = kPiece}};
};
struct Shared : Fixture<0> {
  void Say(const std::vector<uint8_t>& iu) { engine.HandleStatus(0, Outcome::kOk, iu); }
  // Ends the reads that are still out.
  void EndReads(size_t count) {
    for (size_t read = 0; read < count; ++read) engine.HandleStatus(0, Outcome::kCancelled, {});
  }
  static constexpr uint16_t kAbortTag = HostEngine::kDepthMax + 1;
  static constexpr uint16_t kResetTag = HostEngine::kDepthMax + 2;
};
struct Streams : Fixture<6> {
  void Say(const std::vector<uint8_t>& iu) { engine.HandleStatus(iu[3], Outcome::kOk, iu); }
  static constexpr uint16_t kAbortTag = 5;
  static constexpr uint16_t kResetTag = 6;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(uas_host, Shared)

BOOST_AUTO_TEST_CASE(the_command_iu_to_the_byte) {
  const std::array<uint8_t, 18> long_cdb{0x7f, 1,  2,  3,  4,  5,  6,  7,  8,
                                         9,    10, 11, 12, 13, 14, 15, 16, 17};
  const uint16_t first = Start(512, true, 0x105);
  const uint16_t second = engine.Start({.command_block = long_cdb});
  BOOST_TEST(SameBytes(engine.iu(first),
                       "01 00 0001 00 00 00 00 4105000000000000"
                       "28000000000000000100 000000000000"_hex));
  BOOST_TEST(SameBytes(engine.iu(second),
                       "01 00 0002 00 00 04 00 0000000000000000"
                       "7f0102030405060708090a0b0c0d0e0f 10110000"_hex));
}

BOOST_AUTO_TEST_CASE(without_data_one_iu_answers) {
  const uint16_t tag = Start();
  Next(Kind::kReadStatus);
  BOOST_TEST(Next(Kind::kSendIu).tag == tag);
  Quiet();
  Sent(tag);
  Quiet();
  Say(Sense(tag, 0x08));
  BOOST_TEST(Finished(tag).status == 0x08);
  BOOST_TEST(!engine.result(tag).error.has_value());
  engine.Release(tag);
  BOOST_TEST(engine.idle());
}

BOOST_AUTO_TEST_CASE(data_is_asked_for_when_the_ready_iu_says_so) {
  const uint16_t tag = Start(kPiece + 512);
  BOOST_TEST(Drain()[Kind::kReadStatus].size() == 2u);  // READ READY and SENSE
  Sent(tag);
  Quiet();
  Say(Iu(6, tag));
  HostAction data = Next(Kind::kMoveData);
  BOOST_CHECK(
      (data == HostAction{.kind = Kind::kMoveData, .tag = tag, .in = true, .length = kPiece}));
  engine.HandleData(tag, Outcome::kOk, kPiece);
  data = Next(Kind::kMoveData);
  BOOST_TEST(data.offset == kPiece);
  BOOST_TEST(data.length == 512u);
  engine.HandleData(tag, Outcome::kOk, 512);
  Quiet();
  Say(Sense(tag));
  BOOST_TEST(Finished(tag).length_actual == kPiece + 512);
}

BOOST_AUTO_TEST_CASE(legs_close_in_any_order) {
  constexpr std::array<std::array<int, 3>, 3> kOrders{{{0, 1, 2}, {1, 0, 2}, {1, 2, 0}}};
  for (const auto& order : kOrders) {
    const uint16_t tag = Start(512);
    Drain();
    Say(Iu(6, tag));
    Drain();
    for (const int leg : order) {
      BOOST_TEST(Drain()[Kind::kFinished].empty());
      if (leg == 0) Sent(tag);
      if (leg == 1) Say(Sense(tag));
      if (leg == 2) engine.HandleData(tag, Outcome::kOk, 512);
    }
    BOOST_TEST(Finished(tag).length_actual == 512u);
    engine.Release(tag);
  }
}

BOOST_AUTO_TEST_CASE(data_is_asked_for_in_the_order_of_the_ready_ius) {
  const uint16_t first = Start(2 * kPiece), second = Start(512), third = Start(512, false);
  Drain();
  for (const uint16_t tag : {first, second, third}) Sent(tag);
  Say(Iu(6, first));
  Say(Iu(6, second));
  Say(Iu(7, third));
  auto done = Drain();
  // The second one's data must not come between the pieces of the first one's.
  BOOST_TEST((done[Kind::kMoveData] == std::vector<uint16_t>{first, third}));
  engine.HandleData(first, Outcome::kOk, kPiece);
  BOOST_TEST(Next(Kind::kMoveData).tag == first);
  BOOST_TEST(Next(Kind::kMoveData).tag == second);
}

BOOST_AUTO_TEST_CASE(a_check_condition_without_data_ends_the_extra_read) {
  const uint16_t tag = Start(512);
  Drain();
  Sent(tag);
  std::vector<uint8_t> iu = Sense(tag, 2);
  constexpr auto kSenseData = "70 00 05 00000000 0a 00000000 24 00 00 00 0000"_hex;
  iu[15] = kSenseData.size();
  iu.insert(iu.end(), kSenseData.begin(), kSenseData.end());
  Say(iu);
  BOOST_TEST(Next(Kind::kFinished).tag == tag);
  BOOST_TEST(engine.result(tag).status == 2);
  BOOST_TEST(engine.result(tag).sense_length == 18);
  BOOST_TEST(SameBytes(Take(Bytes(engine.result(tag).sense), 18), kSenseData));
  engine.Release(tag);
  BOOST_TEST(Next(Kind::kCancelStatus).tag == 0);
  BOOST_TEST(!engine.idle());
  EndReads(1);
  BOOST_TEST(engine.idle());
}

BOOST_AUTO_TEST_CASE(tags_take_turns) {
  std::vector<uint16_t> tags;
  for (int count = 0; count < 63; ++count) {
    const uint16_t tag = Start();
    Drain();
    Sent(tag);
    Say(Sense(tag));
    Drain();
    engine.Release(tag);
    tags.push_back(tag);
  }
  BOOST_TEST(tags.front() == 1);
  BOOST_TEST(tags[61] == 62);
  BOOST_TEST(tags[62] == 1);
}

BOOST_AUTO_TEST_CASE(depth_is_the_limit) {
  for (int count = 0; count < 4; ++count) {
    BOOST_TEST(engine.may_start());
    Start();
  }
  BOOST_TEST(!engine.may_start());
}

BOOST_AUTO_TEST_CASE(data_without_an_end_is_cut_once_the_status_is_there) {
  const uint16_t tag = Start(1024);
  Drain();
  Sent(tag);
  Say(Iu(6, tag));
  Drain();
  BOOST_TEST(!engine.draining(tag));
  Say(Sense(tag));
  BOOST_TEST(engine.draining(tag));
  Quiet();
  engine.HandleTimeout(tag);
  BOOST_TEST(Next(Kind::kCancelData).tag == tag);
  engine.HandleData(tag, Outcome::kCancelled, 512);
  BOOST_TEST(Finished(tag).length_actual == 512u);
  BOOST_TEST(!engine.result(tag).error.has_value());
}

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

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(uas_host_streams, Streams)

BOOST_AUTO_TEST_CASE(everything_is_asked_for_at_once) {
  BOOST_TEST(HostEngine::DepthOf(6) == 4);
  BOOST_TEST(HostEngine::DepthOf(2) == 2);
  BOOST_TEST(HostEngine::DepthOf(65533) == HostEngine::kDepthMax);
  const uint16_t tag = Start(512);
  BOOST_TEST(Next(Kind::kReadStatus).tag == tag);
  BOOST_TEST(Next(Kind::kMoveData).tag == tag);
  BOOST_TEST(Next(Kind::kSendIu).tag == tag);
  Quiet();
  Say(Sense(tag));
  engine.HandleData(tag, Outcome::kOk, 512);
  Quiet();
  Sent(tag);
  BOOST_TEST(Finished(tag).length_actual == 512u);
}

BOOST_AUTO_TEST_CASE(a_tag_on_another_stream_breaks_the_protocol) {
  const uint16_t tag = Start(), other = Start();
  Drain();
  Sent(tag);
  Sent(other);
  engine.HandleStatus(tag, Outcome::kOk, Sense(other));
  BOOST_TEST(Next(Kind::kCancelStatus).tag == other);
  engine.HandleStatus(other, Outcome::kCancelled, {});
  ResetPort();
  Drain();
  ExpectError(tag, ErrorKind::kProtocol, Phase::kStatus);
  BOOST_TEST(engine.result(tag).error->Describe() ==
             "protocol error in status: an IU with tag 2 came on stream 1");
}

BOOST_AUTO_TEST_CASE(ready_ius_break_the_protocol) {
  const uint16_t tag = Start(512);
  Drain();
  Sent(tag);
  Say(Iu(6, tag));
  BOOST_TEST(Next(Kind::kCancelData).tag == tag);
  engine.HandleData(tag, Outcome::kCancelled, 0);
  ResetPort();
  ExpectError(tag, ErrorKind::kProtocol, Phase::kDataIn);
}

BOOST_AUTO_TEST_CASE(a_failure_ends_the_data_leg) {
  const uint16_t tag = Start(512);
  Drain();
  Sent(tag);
  Say(Sense(tag, 2));
  BOOST_TEST(Next(Kind::kCancelData).tag == tag);
  Quiet();
  engine.HandleData(tag, Outcome::kCancelled, 0);
  BOOST_TEST(Finished(tag).status == 2);
}

BOOST_AUTO_TEST_CASE(an_abort_waits_for_the_legs_to_close) {
  const uint16_t tag = Start(512);
  Drain();
  Sent(tag);
  engine.HandleTimeout(tag);
  BOOST_TEST(Next(Kind::kCancelData).tag == tag);
  BOOST_TEST(Next(Kind::kCancelStatus).tag == tag);
  Quiet();
  engine.HandleStatus(tag, Outcome::kCancelled, {});
  Quiet();
  engine.HandleData(tag, Outcome::kCancelled, 100);
  BOOST_TEST(Next(Kind::kReadStatus).tag == kAbortTag);
  BOOST_TEST(Next(Kind::kSendIu).tag == kAbortTag);
  Say(Response(kAbortTag, 0));
  Quiet();
  Sent(kAbortTag);
  BOOST_CHECK(Finished(tag).error->kind == ErrorKind::kTimedOut);
  BOOST_TEST(engine.result(tag).error->length_actual == 100u);
}

BOOST_AUTO_TEST_CASE(too_few_streams_to_manage_tasks_leave_the_port_reset) {
  HostEngine narrow{{.depth = 2, .streams_count = 2}};
  const uint16_t tag = narrow.Start({.command_block = kRead10});
  BOOST_CHECK(narrow.Poll().kind == Kind::kReadStatus);
  BOOST_CHECK(narrow.Poll().kind == Kind::kSendIu);
  narrow.HandleIuSent(tag, Outcome::kOk, 32);
  narrow.HandleTimeout(tag);
  BOOST_CHECK(narrow.Poll().kind == Kind::kCancelStatus);
  narrow.HandleStatus(tag, Outcome::kCancelled, {});
  BOOST_CHECK(narrow.Poll().kind == Kind::kResetPort);
  narrow.HandleRecovered(Outcome::kOk);
  BOOST_CHECK(narrow.Poll().kind == Kind::kFinished);
}

BOOST_AUTO_TEST_SUITE_END()
