#include "proto/bot_host.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::bot;  // NOLINT
using usb::Outcome;
using Kind = HostAction::Kind;

namespace {

constexpr std::array<uint8_t, 10> kRead10{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0};

struct Fixture {
  HostAction Next(Kind kind) {
    const HostAction action = engine.Poll();
    BOOST_REQUIRE_MESSAGE(action.kind == kind, "got action " << static_cast<int>(action.kind));
    BOOST_CHECK(engine.Poll().kind == Kind::kNone);  // one at a time
    return action;
  }
  void Start(uint32_t length, bool in, bool sense = true) {
    engine.Start({.lun = 0, .command_block = kRead10, .in = in, .length = length}, sense);
  }
  void Send() {
    Next(Kind::kSendCommand);
    engine.HandleCommandSent(Outcome::kOk, 31);
  }
  void Status(uint8_t code, uint32_t residue = 0, uint32_t tag_offset = 0,
              uint32_t signature = wire::bot::kStatusSignature) {
    Next(Kind::kReadStatus);
    const wire::bot::CommandStatusWrapper status{.signature = signature,
                                                 .tag = engine.wrapper().tag + tag_offset,
                                                 .residue = residue,
                                                 .status = code};
    engine.HandleStatus(Outcome::kOk, wire::AsBytes(status));
  }
  // Reset recovery that works, from the first step.
  void Recover() {
    Next(Kind::kMassStorageReset);
    engine.HandleRecovered(Outcome::kOk);
    BOOST_TEST(Next(Kind::kClearHalt).in);
    engine.HandleRecovered(Outcome::kOk);
    BOOST_TEST(!Next(Kind::kClearHalt).in);
    engine.HandleRecovered(Outcome::kOk);
    Next(Kind::kFinished);
  }
  HostEngine engine{4096};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(bot_host, Fixture)

BOOST_AUTO_TEST_CASE(a_read_is_command_data_status) {
  Start(512, true);
  constexpr auto kWrapper =
      "55534243 01000000 00020000 80 00 0a"
      "28000000000000000100 000000000000"_hex;
  Next(Kind::kSendCommand);
  BOOST_TEST(SameBytes(wire::AsBytes(engine.wrapper()), kWrapper));
  engine.HandleCommandSent(Outcome::kOk, 31);
  const HostAction data = Next(Kind::kMoveData);
  BOOST_TEST(data.in);
  BOOST_TEST(data.length == 512u);
  engine.HandleData(Outcome::kOk, 512, {});
  Status(0);
  Next(Kind::kFinished);
  BOOST_TEST(!engine.result().error.has_value());
  BOOST_TEST(engine.result().length_actual == 512u);
  BOOST_CHECK(engine.result().rung == Rung::kNone);
}

BOOST_AUTO_TEST_CASE(tags_never_repeat_and_never_are_zero) {
  uint32_t last = 0;
  for (int count = 0; count < 5; ++count) {
    Start(0, false);
    Send();
    BOOST_TEST(engine.wrapper().tag != last);
    BOOST_TEST(engine.wrapper().tag != 0u);
    last = engine.wrapper().tag;
    Status(0);
    Next(Kind::kFinished);
  }
}

BOOST_AUTO_TEST_CASE(long_data_moves_in_pieces_and_ends_with_a_short_one) {
  Start(10000, true);
  Send();
  BOOST_TEST(Next(Kind::kMoveData).length == 4096u);
  engine.HandleData(Outcome::kOk, 4096, {});
  const HostAction second = Next(Kind::kMoveData);
  BOOST_TEST(second.offset == 4096u);
  engine.HandleData(Outcome::kOk, 100, {});
  Status(0, 5804);
  Next(Kind::kFinished);
  BOOST_TEST(engine.result().length_actual == 4196u);
  BOOST_TEST(engine.result().residue == 5804u);
}

BOOST_AUTO_TEST_CASE(a_stalled_data_phase_is_cleared_and_the_status_read) {
  Start(512, true);
  Send();
  Next(Kind::kMoveData);
  engine.HandleData(Outcome::kStall, 64, {});
  BOOST_TEST(Next(Kind::kClearHalt).in);
  engine.HandleRecovered(Outcome::kOk);
  Status(0, 448);
  Next(Kind::kFinished);
  BOOST_TEST(!engine.result().error.has_value());
  BOOST_TEST(engine.result().length_actual == 64u);
  BOOST_CHECK(engine.result().rung == Rung::kClearHalt);
}

BOOST_AUTO_TEST_CASE(a_stalled_status_is_read_once_more) {
  Start(0, false);
  Send();
  Next(Kind::kReadStatus);
  engine.HandleStatus(Outcome::kStall, {});
  BOOST_TEST(Next(Kind::kClearHalt).in);
  engine.HandleRecovered(Outcome::kOk);
  Status(0);
  Next(Kind::kFinished);
  BOOST_CHECK(engine.result().rung == Rung::kStatusRetry);
}

BOOST_AUTO_TEST_CASE(a_second_stalled_status_leads_to_reset_recovery) {
  Start(0, false);
  Send();
  Next(Kind::kReadStatus);
  engine.HandleStatus(Outcome::kStall, {});
  Next(Kind::kClearHalt);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kReadStatus);
  engine.HandleStatus(Outcome::kStall, {});
  Recover();
  BOOST_REQUIRE(engine.result().error.has_value());
  BOOST_CHECK(engine.result().error->kind == ErrorKind::kStalled);
  BOOST_CHECK(engine.result().error->phase == Phase::kStatus);
  BOOST_TEST(!engine.result().broken);
}

BOOST_AUTO_TEST_CASE(a_zero_length_packet_before_the_status_is_skipped_once) {
  Start(0, false);
  Send();
  Next(Kind::kReadStatus);
  engine.HandleStatus(Outcome::kOk, {});
  Status(0);
  Next(Kind::kFinished);
  BOOST_TEST(!engine.result().error.has_value());
}

BOOST_AUTO_TEST_CASE(a_status_in_place_of_data_is_recognised) {
  Start(512, true);
  Send();
  Next(Kind::kMoveData);
  const wire::bot::CommandStatusWrapper status{.signature = wire::bot::kStatusSignature,
                                               .tag = engine.wrapper().tag,
                                               .residue = 512u,
                                               .status = 0};
  engine.HandleData(Outcome::kOk, 13, wire::AsBytes(status));
  Next(Kind::kFinished);
  BOOST_TEST(engine.result().length_actual == 0u);
  BOOST_TEST(engine.result().residue == 512u);
}

BOOST_AUTO_TEST_CASE(thirteen_bytes_of_data_are_data) {
  Start(512, true);
  Send();
  Next(Kind::kMoveData);
  const std::array<uint8_t, 13> data{};
  engine.HandleData(Outcome::kOk, 13, data);
  Status(0, 499);
  Next(Kind::kFinished);
  BOOST_TEST(engine.result().length_actual == 13u);
}

BOOST_AUTO_TEST_CASE(a_status_that_is_not_ours_names_what_is_wrong) {
  struct Row {
    uint8_t code;
    uint32_t tag_offset;
    uint32_t signature;
    const char* text;
  };
  for (const Row& row :
       {Row{0, 1, wire::bot::kStatusSignature, "CSW tag 2, expected 1"},
        Row{0, 0, 0x12345678, "CSW signature 12345678h, expected 53425355h"},
        Row{3, 0, wire::bot::kStatusSignature, "CSW status 3 is reserved"},
        Row{2, 0, wire::bot::kStatusSignature, "phase error: 0 of 0 bytes moved, residue 0"}}) {
    Fixture fresh;
    fresh.Start(0, false);
    fresh.Send();
    fresh.Status(row.code, 0, row.tag_offset, row.signature);
    fresh.Recover();
    BOOST_REQUIRE(fresh.engine.result().error.has_value());
    BOOST_TEST(fresh.engine.result().error->Describe() ==
               std::string("protocol error in status: ") + row.text);
  }
}

BOOST_AUTO_TEST_CASE(a_status_of_any_other_length_is_refused) {
  for (size_t length : {1u, 12u, 14u, 31u}) {
    Fixture fresh;
    fresh.Start(0, false);
    fresh.Send();
    fresh.Next(Kind::kReadStatus);
    const std::vector<uint8_t> packet(length, 0xa5);
    fresh.engine.HandleStatus(Outcome::kOk, packet);
    fresh.Recover();
    BOOST_TEST(fresh.engine.result().error->values[0] == length);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_command_fetches_its_sense) {
  Start(512, true);
  Send();
  Next(Kind::kMoveData);
  engine.HandleData(Outcome::kStall, 0, {});
  Next(Kind::kClearHalt);
  engine.HandleRecovered(Outcome::kOk);
  Status(1, 512);
  Next(Kind::kSendCommand);
  BOOST_TEST(engine.wrapper().command_block[0] == 0x03);
  BOOST_TEST(engine.wrapper().data_length == 18u);
  engine.HandleCommandSent(Outcome::kOk, 31);
  BOOST_TEST(Next(Kind::kMoveData).sense);
  engine.HandleData(Outcome::kOk, 18, {});
  Status(0);
  Next(Kind::kFinished);
  BOOST_CHECK(engine.result().status == wire::bot::Status::kFailed);
  BOOST_TEST(engine.result().sense_length == 18u);
  BOOST_TEST(engine.result().residue == 512u);
}

BOOST_AUTO_TEST_CASE(a_failed_request_sense_asks_for_nothing_more) {
  Start(0, false);
  Send();
  Status(1);
  Send();
  Next(Kind::kMoveData);
  engine.HandleData(Outcome::kStall, 0, {});
  Next(Kind::kClearHalt);
  engine.HandleRecovered(Outcome::kOk);
  Status(1, 18);
  Next(Kind::kFinished);
  BOOST_CHECK(engine.result().status == wire::bot::Status::kFailed);
  BOOST_TEST(engine.result().sense_length == 0u);
  BOOST_REQUIRE(engine.result().sense_failure.has_value());
  BOOST_TEST(engine.result().sense_failure->Describe() == "the device refused REQUEST SENSE");
  BOOST_TEST(!engine.result().error.has_value());
}

BOOST_AUTO_TEST_CASE(a_broken_request_sense_recovers_and_keeps_the_commands_result) {
  Start(0, false);
  Send();
  Status(1);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kTimedOut, 0);
  Recover();
  BOOST_TEST(!engine.result().error.has_value());
  BOOST_CHECK(engine.result().status == wire::bot::Status::kFailed);
  BOOST_TEST(engine.result().sense_length == 0u);
  BOOST_REQUIRE(engine.result().sense_failure.has_value());
  BOOST_TEST(engine.result().sense_failure->Describe() == "REQUEST SENSE: timed out in command");
}

BOOST_AUTO_TEST_CASE(timeouts_name_their_phase) {
  struct Row {
    Phase phase;
    bool in;
  };
  for (const Row& row : {Row{Phase::kCommand, true}, Row{Phase::kDataIn, true},
                         Row{Phase::kDataOut, false}, Row{Phase::kStatus, true}}) {
    Fixture fresh;
    fresh.Start(512, row.in);
    if (row.phase == Phase::kCommand) {
      fresh.Next(Kind::kSendCommand);
      fresh.engine.HandleCommandSent(Outcome::kTimedOut, 0);
    } else {
      fresh.Send();
      fresh.Next(Kind::kMoveData);
      const bool in_data = row.phase != Phase::kStatus;
      fresh.engine.HandleData(in_data ? Outcome::kTimedOut : Outcome::kOk, 512, {});
      if (!in_data) {
        fresh.Next(Kind::kReadStatus);
        fresh.engine.HandleStatus(Outcome::kTimedOut, {});
      }
    }
    fresh.Recover();
    BOOST_CHECK(fresh.engine.result().error->kind == ErrorKind::kTimedOut);
    BOOST_CHECK(fresh.engine.result().error->phase == row.phase);
  }
}

BOOST_AUTO_TEST_CASE(each_rung_that_fails_leads_to_the_next_and_the_ladder_ends) {
  Start(0, false);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kFault, 0);
  Next(Kind::kMassStorageReset);
  engine.HandleRecovered(Outcome::kStall);
  Next(Kind::kResetPort);
  engine.HandleRecovered(Outcome::kFault);
  Next(Kind::kReopen);
  engine.HandleRecovered(Outcome::kDisconnected);
  Next(Kind::kFinished);
  BOOST_TEST(engine.result().broken);
  BOOST_CHECK(engine.result().rung == Rung::kReopen);
  BOOST_TEST(engine.result().recoveries == 3);
}

BOOST_AUTO_TEST_CASE(a_halt_that_will_not_clear_leads_to_a_port_reset) {
  Start(0, false);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kStall, 0);
  Next(Kind::kMassStorageReset);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kClearHalt);
  engine.HandleRecovered(Outcome::kStall);
  Next(Kind::kResetPort);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kFinished);
  BOOST_TEST(!engine.result().broken);
}

BOOST_AUTO_TEST_CASE(a_command_that_fails_after_a_recovered_one_starts_a_rung_higher) {
  const auto fail = [&] {
    Start(0, false);
    Next(Kind::kSendCommand);
    engine.HandleCommandSent(Outcome::kTimedOut, 0);
  };
  fail();
  Recover();
  fail();
  Next(Kind::kResetPort);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kFinished);
  fail();
  Next(Kind::kReopen);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kFinished);
  Start(0, false);  // a command that succeeds brings the ladder down again
  Send();
  Status(0);
  Next(Kind::kFinished);
  fail();
  Recover();
}

// Opening a device anew does not reset it, so a device that waits for data would wait for ever.
BOOST_AUTO_TEST_CASE(a_command_that_fails_after_a_reopening_starts_at_the_reset) {
  Start(0, false);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kDisconnected, 0);
  Next(Kind::kReopen);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kFinished);
  Start(0, false);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kTimedOut, 0);
  Recover();
}

BOOST_AUTO_TEST_CASE(a_disconnected_device_is_only_reopened) {
  Start(512, true);
  Send();
  Next(Kind::kMoveData);
  engine.HandleData(Outcome::kDisconnected, 0, {});
  Next(Kind::kReopen);
  engine.HandleRecovered(Outcome::kOk);
  Next(Kind::kFinished);
  BOOST_CHECK(engine.result().error->kind == ErrorKind::kDisconnected);
}

BOOST_AUTO_TEST_CASE(cancelling_the_sense_keeps_the_commands_result) {
  Start(0, false);
  Send();
  Status(1);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kCancelled, 0);
  Next(Kind::kFinished);
  BOOST_TEST(!engine.result().error.has_value());
  BOOST_CHECK(engine.result().status == wire::bot::Status::kFailed);
  BOOST_REQUIRE(engine.result().sense_failure.has_value());
  BOOST_TEST(engine.result().sense_failure->Describe() == "REQUEST SENSE: cancelled in command");
}

BOOST_AUTO_TEST_CASE(a_command_cancelled_before_it_left_needs_no_recovery) {
  Start(0, false);
  Next(Kind::kSendCommand);
  engine.HandleCommandSent(Outcome::kCancelled, 0);
  Next(Kind::kFinished);
  BOOST_CHECK(engine.result().error->kind == ErrorKind::kCancelled);
  BOOST_TEST(engine.result().recoveries == 0);
}

BOOST_AUTO_TEST_SUITE_END()
