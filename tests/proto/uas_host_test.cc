#include "proto/uas_host.h"

#include "tests/proto/uas_host_rig.h"

using namespace usbtwin;           // NOLINT
using namespace usbtwin::uas_rig;  // NOLINT

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

// An IU that came twice, right behind the first, was taken for the next command's: where the others
// were in use, that had the tag which was free again.
BOOST_AUTO_TEST_CASE(a_tag_rests_before_it_is_used_again) {
  for (uint16_t turn = 0; turn < HostEngine::kDepthMax - 2; ++turn) {
    const uint16_t tag = Start();
    Drain();
    Sent(tag);
    Say(Sense(tag));
    Finished(tag);
    engine.Release(tag);
  }
  BOOST_TEST(Start() == 61);
  const uint16_t last = Start();
  BOOST_TEST(last == 62);
  Drain();
  Sent(last);
  Say(Sense(last));
  Finished(last);
  engine.Release(last);
  // The eight released last are 55 to 60 and 62, and 54 before them.
  for (uint16_t next = 1; next <= 3; ++next) BOOST_TEST(Start() == next);
}

// Without streams nothing says whose the bytes are: were two queued and the first one cancelled,
// the second's would be written in its place.
BOOST_AUTO_TEST_CASE(one_data_out_at_a_time) {
  const uint16_t first = Start(512, false), second = Start(512, false);
  Drain();
  for (const uint16_t tag : {first, second}) Sent(tag);
  Say(Iu(7, first));
  Say(Iu(7, second));
  BOOST_TEST((Drain()[Kind::kMoveData] == std::vector<uint16_t>{first}));
  engine.HandleData(first, Outcome::kOk, 512);
  BOOST_TEST((Drain()[Kind::kMoveData] == std::vector<uint16_t>{second}));
}

// An ORDERED task would not be one if a younger command overtook it on its way: the IUs that waited
// for a port reset go out by age, though the tags begin again at 1.
BOOST_AUTO_TEST_CASE(command_ius_go_out_by_age) {
  for (uint16_t turn = 0; turn < HostEngine::kDepthMax - 2; ++turn) {
    const uint16_t tag = Start();
    Drain();
    Sent(tag);
    Say(Sense(tag));
    Finished(tag);
    engine.Release(tag);
  }
  const std::vector<uint16_t> tags{Start(), Start(), Start()};
  BOOST_TEST((tags == std::vector<uint16_t>{61, 62, 1}));
  BOOST_TEST((Drain()[Kind::kSendIu] == tags));
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

// A bus that never says that the COMMAND IU went out, though the device has answered it.
BOOST_AUTO_TEST_CASE(an_iu_without_an_end_is_cut_once_the_status_is_there) {
  const uint16_t tag = Start(512);
  Drain();
  Say(Iu(6, tag));
  Drain();
  engine.HandleData(tag, Outcome::kOk, 512);
  Say(Sense(tag));
  BOOST_TEST(engine.draining(tag));
  Quiet();
  engine.HandleTimeout(tag);
  BOOST_TEST(Next(Kind::kCancelIu).tag == tag);
  engine.HandleIuSent(tag, Outcome::kCancelled, 0);
  BOOST_TEST(Finished(tag).length_actual == 512u);
  BOOST_TEST(!engine.result(tag).error.has_value());
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

// Cancelling it then would have been a breach of the link's contract.
BOOST_AUTO_TEST_CASE(a_leg_that_has_ended_is_not_cancelled) {
  const uint16_t tag = Start();
  Drain();
  Sent(tag);
  engine.HandleTimeout(tag);
  engine.HandleStatus(tag, Outcome::kCancelled, {});  // before anybody asked what to do
  BOOST_TEST(Drain().count(Kind::kCancelStatus) == 0u);
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
