#include "emulator/faulty_unit.h"

#include <boost/test/unit_test.hpp>

#include "tests/emulator/fault_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using fault::Kind;
using scsi::Status;
using std::chrono::milliseconds;

namespace {

constexpr const char* kReady = "00 00000000 00";
constexpr const char* kAskSense = "03 00 0000 12 00";
constexpr const char* kAskDescriptorSense = "03 01 0000 fc 00";
constexpr const char* kRead5 = "28 00 00000005 00 0002 00";  // blocks 5 and 6
constexpr const char* kWrite5 = "2a 00 00000005 00 0001 00";
constexpr const char* kInquiry = "12 00 00 0024 00";
constexpr const char* kOnePlayed = "1 played, 1 observed";

struct Case {
  Kind kind;
  const char* codes;
};
std::ostream& operator<<(std::ostream& out, const Case& row) {
  return out << fault::Info(row.kind).name;
}
constexpr Case kRefusals[] = {
    {Kind::kNoSense, "00/00/00"},        {Kind::kRecoveredError, "01/17/00"},
    {Kind::kNotReady, "02/04/01"},       {Kind::kMediumError, "03/11/00"},
    {Kind::kHardwareError, "04/44/00"},  {Kind::kIllegalRequest, "05/24/00"},
    {Kind::kUnitAttention, "06/29/00"},  {Kind::kBlankCheck, "08/00/00"},
    {Kind::kVendorSpecific, "09/80/00"}, {Kind::kCopyAborted, "0a/00/00"},
    {Kind::kAbortedCommand, "0b/47/00"}, {Kind::kVolumeOverflow, "0d/00/00"},
    {Kind::kMiscompare, "0e/1d/00"},     {Kind::kMediumRemoved, "02/3a/00"},
};

std::string Codes(Bytes fixed) {
  const auto sense = scsi::ParseSense(fixed);
  if (!sense) return "none";
  return Hex(std::array<uint8_t, 3>{static_cast<uint8_t>(sense->key), sense->asc, sense->ascq},
             '/');
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faulty_unit)

BOOST_AUTO_TEST_CASE(a_refused_command_says_why_and_does_not_reach_the_unit) {
  for (const Case& row : kRefusals) {
    BOOST_TEST_CONTEXT(row) {
      FaultRig rig({{Once(row.kind, 0x28)}});
      rig.host.command.autosense = true;
      rig.host.Do(kRead5);
      BOOST_TEST(rig.host.codes() == row.codes);
      BOOST_TEST(rig.host.calls == "E");
      BOOST_TEST(rig.host.entered == "");
      BOOST_TEST(rig.below.log == "");
      BOOST_TEST(rig.Account(row.kind) == kOnePlayed);
      rig.clock.Advance(milliseconds(101));
      BOOST_TEST((rig.host.Do(kRead5) == Status::kGood));
    }
  }
}

BOOST_AUTO_TEST_CASE(without_autosense_the_sense_waits_for_its_initiator) {
  for (const Case& row : kRefusals) {
    BOOST_TEST_CONTEXT(row) {
      FaultRig rig({{Once(row.kind, 0x28)}});
      Initiator other(rig.clock, rig.unit, 1);
      other.ForgetAttentions();
      rig.host.Do(kRead5);
      BOOST_TEST(rig.Account(row.kind) == "1 played, 0 observed");
      other.Do(kAskSense);
      if (row.kind != Kind::kNotReady && row.kind != Kind::kMediumRemoved) {
        BOOST_TEST(Codes(other.in) == "00/00/00");
      }
      BOOST_TEST((rig.host.Do(kAskSense) == Status::kGood));
      BOOST_TEST(rig.host.entered == "");
      BOOST_TEST(rig.host.in.size() == 18u);
      BOOST_TEST(Codes(rig.host.in) == row.codes);
      BOOST_TEST(rig.Account(row.kind) == kOnePlayed);
    }
  }
}

BOOST_AUTO_TEST_CASE(kept_sense_ends_with_any_other_command) {
  FaultRig rig({{Once(Kind::kHardwareError, 0x28)}});
  rig.host.Do(kRead5);
  rig.host.Do(kInquiry);
  rig.host.Do(kAskSense);
  BOOST_TEST(Codes(rig.host.in) == "00/00/00");
  BOOST_TEST(rig.Account(Kind::kHardwareError) == "1 played, 0 observed");
}

BOOST_AUTO_TEST_CASE(a_refused_command_ends_what_the_unit_keeps) {
  FaultRig rig({{Once(Kind::kHardwareError, 0x2a)}});
  rig.host.Do("28 00 7fffffff 00 0002 00");
  BOOST_TEST(rig.host.codes() == "05/21/00");
  rig.host.Do(kWrite5, Pattern(512));
  rig.host.Do(kAskSense);
  BOOST_TEST(Codes(rig.host.in) == "04/44/00");
  rig.host.Do(kAskSense);
  BOOST_TEST(Codes(rig.host.in) == "00/00/00");
}

BOOST_AUTO_TEST_CASE(kept_sense_ends_with_a_reset) {
  FaultRig rig({{Once(Kind::kHardwareError, 0x28)}});
  rig.host.Do(kRead5);
  rig.unit.Reset();
  rig.host.Do(kAskSense);
  BOOST_TEST(Codes(rig.host.in) == "06/29/00");
}

BOOST_AUTO_TEST_CASE(kept_sense_comes_in_the_format_that_is_asked_for) {
  fault::Rule rule = Once(Kind::kMediumError);
  rule.blocks = fault::BlockRange{6, 100};
  FaultRig rig({{rule}});
  rig.host.Do(kRead5);
  rig.host.Do(kAskDescriptorSense);
  // Descriptor format, medium error, one information descriptor: block 6.
  BOOST_TEST(Hex(rig.host.in) == Hex("72 03 11 00 000000 0c 00 0a 80 00 0000000000000006"_hex));
}

BOOST_AUTO_TEST_CASE(a_medium_error_names_the_first_block_of_the_rule) {
  struct Row {
    std::optional<fault::BlockRange> blocks;
    uint64_t named;
  };
  for (const Row& row :
       {Row{std::nullopt, 5}, Row{fault::BlockRange{6, 6}, 6}, Row{fault::BlockRange{0, 5}, 5}}) {
    fault::Rule rule = Once(Kind::kMediumError, 0x28);
    rule.blocks = row.blocks;
    FaultRig rig({{rule}});
    rig.host.Do(kRead5);
    BOOST_TEST(rig.host.command.sense.information_valid);
    BOOST_TEST(rig.host.command.sense.information == row.named);
  }
}

BOOST_AUTO_TEST_CASE(what_lasts_refuses_every_command_it_concerns) {
  for (const Kind kind : {Kind::kNotReady, Kind::kMediumRemoved}) {
    const std::string codes = kind == Kind::kNotReady ? "02/04/01" : "02/3a/00";
    FaultRig rig({{Once(kind)}});
    rig.host.Do(kInquiry);  // not concerned: the rule waits
    BOOST_TEST(rig.Account(kind) == "0 played, 0 observed");
    rig.host.Do(kReady);
    BOOST_TEST(rig.host.codes() == codes);
    rig.clock.Advance(milliseconds(99));
    for (const char* cdb : {"25 00 00000000 0000 00 00", kRead5, kWrite5}) {
      rig.host.Do(cdb, Pattern(512));
      BOOST_TEST(rig.host.codes() == codes);
    }
    BOOST_TEST((rig.host.Do(kInquiry) == Status::kGood));
    BOOST_TEST((rig.host.Do("a0 00 00 000000 00000010 00 00") == Status::kGood));
    // Nothing is kept any more, so it says why it is not ready.
    rig.host.Do(kAskSense);
    BOOST_TEST(Codes(rig.host.in) == codes);
    rig.clock.Advance(milliseconds(1));
    BOOST_TEST((rig.host.Do(kReady) == Status::kGood));
    BOOST_TEST(rig.below.log == "");
    BOOST_TEST(rig.Account(kind) == kOnePlayed);
  }
}

BOOST_AUTO_TEST_CASE(data_protect_refuses_writes_while_it_lasts) {
  FaultRig rig({{Once(Kind::kDataProtect)}});
  rig.host.command.autosense = true;
  BOOST_TEST((rig.host.Do(kRead5) == Status::kGood));
  rig.host.Do(kWrite5, Pattern(512));
  BOOST_TEST(rig.host.codes() == "07/27/00");
  rig.host.Do(kWrite5, Pattern(512));
  BOOST_TEST(rig.host.codes() == "07/27/00");
  BOOST_TEST((rig.host.Do(kRead5) == Status::kGood));
  rig.clock.Advance(milliseconds(100));
  BOOST_TEST((rig.host.Do(kWrite5, Pattern(512)) == Status::kGood));
  BOOST_TEST(rig.below.log == "rrw");
  BOOST_TEST(rig.Account(Kind::kDataProtect) == kOnePlayed);
}

BOOST_AUTO_TEST_CASE(attentions_can_come_in_storms) {
  FaultRig rig({{{.kind = Kind::kUnitAttention, .times = 3}}});
  rig.host.command.autosense = true;
  rig.host.Do(kInquiry);
  BOOST_TEST((rig.host.command.status == Status::kGood));
  for (int count = 0; count < 3; ++count) {
    rig.host.Do(kReady);
    BOOST_TEST(rig.host.codes() == "06/29/00");
  }
  BOOST_TEST((rig.host.Do(kReady) == Status::kGood));
  BOOST_TEST(rig.Account(Kind::kUnitAttention) == "3 played, 3 observed");
}

BOOST_AUTO_TEST_CASE(recovered_errors_wait_for_a_command_with_data) {
  FaultRig rig({{Once(Kind::kRecoveredError)}});
  BOOST_TEST((rig.host.Do("35 00 00000000 00 0000 00") == Status::kGood));
  rig.host.Do(kRead5);
  BOOST_TEST(rig.host.codes() == "01/17/00");
}

BOOST_AUTO_TEST_CASE(a_rule_that_cannot_play_lets_the_next_one) {
  FaultRig rig(
      {{Once(Kind::kLyingCapacity), Once(Kind::kDataProtect), Once(Kind::kHardwareError)}});
  rig.host.Do(kRead5);
  BOOST_TEST(rig.host.codes() == "04/44/00");
  BOOST_TEST(rig.player.injected() == 1u);
  rig.host.Do(kWrite5, Pattern(512));
  BOOST_TEST(rig.host.codes() == "07/27/00");
}

BOOST_AUTO_TEST_CASE(a_busy_unit_keeps_no_sense) {
  FaultRig rig({{Once(Kind::kUnitBusy)}});
  BOOST_TEST((rig.host.Do(kRead5) == Status::kBusy));
  BOOST_TEST(rig.Account(Kind::kUnitBusy) == kOnePlayed);
  rig.host.Do(kAskSense);
  BOOST_TEST(Codes(rig.host.in) == "00/00/00");
}

BOOST_AUTO_TEST_CASE(a_slow_command_takes_its_delay) {
  FaultRig rig({{Once(Kind::kSlow, 0x28)}});
  rig.host.Do(kRead5);
  BOOST_TEST(rig.host.calls == "");
  rig.clock.Advance(milliseconds(999));
  BOOST_TEST(rig.host.calls == "");
  BOOST_TEST(rig.Account(Kind::kSlow) == "1 played, 0 observed");
  rig.clock.Advance(milliseconds(1));
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.in.size() == 1024u);
  BOOST_TEST(rig.Account(Kind::kSlow) == kOnePlayed);
}

BOOST_AUTO_TEST_CASE(held_commands_end_when_they_are_aborted) {
  for (const Kind kind : {Kind::kSlow, Kind::kNever, Kind::kPowerLoss}) {
    FaultRig rig({{Once(kind)}});
    const auto data = Pattern(512);
    rig.host.Do(kWrite5, data);
    rig.clock.Advance(milliseconds(500));
    BOOST_TEST(rig.host.calls == "");
    rig.unit.Abort(rig.host.command);
    rig.unit.Abort(rig.host.command);
    BOOST_TEST(rig.host.calls == "");
    rig.clock.RunPosted();
    BOOST_TEST(rig.host.calls == "E");
    BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
    BOOST_TEST(rig.host.command.length_in == 0u);
    rig.unit.Abort(rig.host.command);
    rig.clock.Advance(milliseconds(5000));
    BOOST_TEST(rig.host.calls == "E");
    BOOST_TEST(rig.below.log == "");
    BOOST_TEST(rig.Account(kind) == kOnePlayed);
    BOOST_TEST(rig.power_off.size() == (kind == Kind::kPowerLoss ? 1u : 0u));
  }
}

BOOST_AUTO_TEST_CASE(a_command_that_never_ends_outlasts_everything) {
  FaultRig rig({{Once(Kind::kNever)}});
  rig.host.Do(kRead5);
  BOOST_TEST(rig.clock.idle());
  rig.unit.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
}

BOOST_AUTO_TEST_CASE(a_refused_command_is_decided) {
  FaultRig rig({{Once(Kind::kHardwareError)}});
  rig.host.Start(*ParseHex("28 00 00000005 00 0002 00"));
  rig.unit.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.codes() == "04/44/00");
}

BOOST_AUTO_TEST_CASE(power_loss_is_the_switchs_business) {
  FaultRig rig({{Once(Kind::kPowerLoss)}});
  rig.host.Do(kReady);
  BOOST_REQUIRE(rig.power_off.size() == 1u);
  BOOST_TEST((rig.power_off[0] == milliseconds(1000)));
  rig.unit.Abort(rig.host.command);
  rig.clock.RunPosted();

  emulator::FaultyUnit without(rig.clock, rig.target, rig.player);
  Initiator host(rig.clock, without);
  BOOST_TEST((host.Do(kReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(capacity_is_told_twice_the_size) {
  struct Row {
    const char* cdb;
    const char* answer;
  };
  for (const Row& row :
       {Row{"25 00 00000000 0000 00 00", "000000ff00000200"},
        Row{"9e 10 0000000000000000 00000020 00 00",
            "00000000000000ff00000200"
            "0000c00000000000000000000000000000000000"},
        Row{"9e 10 0000000000000000 0000000c 00 00", "00000000000000ff00000200"}}) {
    FaultRig rig({{Once(Kind::kLyingCapacity)}});
    rig.host.Do(kInquiry);
    BOOST_TEST((rig.host.Do(row.cdb) == Status::kGood));
    BOOST_TEST(rig.host.in_hex() == Hex(*ParseHex(row.answer)));
    BOOST_TEST(rig.Account(Kind::kLyingCapacity) == kOnePlayed);
    rig.host.Do(row.cdb);
    BOOST_TEST(rig.host.in[rig.host.in.size() == 8 ? 3 : 7] == 0x7f);
  }
}

BOOST_AUTO_TEST_CASE(an_idle_unit_calls_the_transport_directly) {
  FaultRig rig({});
  rig.host.Start(*ParseHex("28 00 00000005 00 0002 00"));
  BOOST_TEST(rig.host.command.sink == &rig.host);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
}

// ---- Short data -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(short_data_ends_anywhere) {
  constexpr uint32_t kWindow = emulator::BlockStore::kWindowMax;
  const auto data = Pattern(3 * kWindow);
  for (const uint32_t length : {0u, 1u, 512u, kWindow - 1, kWindow, kWindow + 1, 2 * kWindow,
                                2 * kWindow + 700, 3 * kWindow - 1}) {
    BOOST_TEST_CONTEXT("length " << length) {
      fault::Rule rule = Once(Kind::kShortData, 0x28);
      rule.length = length;
      FaultRig rig({{rule}}, {}, 3 * kWindow);
      rig.host.Do("2a 00 00000000 00 1800 00", data);
      BOOST_TEST((rig.host.Do("28 00 00000000 00 1800 00") == Status::kGood));
      BOOST_TEST(rig.host.command.length_in == length);
      BOOST_TEST(rig.host.in == std::vector<uint8_t>(data.begin(), data.begin() + length),
                 boost::test_tools::per_element());
      const size_t windows = std::max<size_t>((length + kWindow - 1) / kWindow, 1);
      BOOST_TEST(rig.host.calls == "E" + std::string(windows - 1, 'W'));
      BOOST_TEST(rig.Account(Kind::kShortData) == kOnePlayed);
      BOOST_TEST((rig.host.Do("28 00 00000000 00 1800 00") == Status::kGood));
      BOOST_TEST(rig.host.in.size() == data.size());
    }
  }
}

BOOST_AUTO_TEST_CASE(data_that_is_no_longer_is_left_alone) {
  fault::Rule rule = Once(Kind::kShortData);
  rule.length = 1024;
  FaultRig rig({{rule}});
  rig.host.Do(kInquiry);
  BOOST_TEST(rig.Account(Kind::kShortData) == "0 played, 0 observed");
  rig.host.Do(kRead5);
  BOOST_TEST(rig.host.in.size() == 1024u);
  BOOST_TEST(rig.Account(Kind::kShortData) == "0 played, 0 observed");
}

// A refusal of the unit's own was counted as the fault, which then never happened.
BOOST_AUTO_TEST_CASE(what_changes_an_answer_waits_for_one) {
  for (const Kind kind : {Kind::kShortData, Kind::kLyingCapacity}) {
    const char* const command = kind == Kind::kShortData ? kRead5 : "25 00 00000000 0000 00 00";
    FaultRig rig({{Once(kind)}});
    rig.unit.Reset();
    BOOST_TEST((rig.host.Do(command) == Status::kCheckCondition));
    BOOST_TEST(rig.Account(kind) == "0 played, 0 observed");
    BOOST_TEST((rig.host.Do(command) == Status::kGood));
    BOOST_TEST(rig.Account(kind) == kOnePlayed);
  }
}

BOOST_AUTO_TEST_CASE(short_data_is_aborted_as_any_other) {
  constexpr uint32_t kWindow = emulator::BlockStore::kWindowMax;
  // Asked to end before its first call, between two windows, and with the last window due.
  for (const int when : {0, 1, 2}) {
    fault::Rule rule = Once(Kind::kShortData, 0x28);
    rule.length = when == 2 ? kWindow / 2 : kWindow + 512;
    FaultRig rig({{rule}}, {}, 3 * kWindow);
    rig.host.fetch_windows = false;
    rig.host.Start(*ParseHex("28 00 00000000 00 1800 00"));
    if (when == 1) rig.clock.RunPosted();
    if (when == 2) rig.clock.Step();  // the unit is asked to let go of the rest
    rig.unit.Abort(rig.host.command);
    rig.unit.Abort(rig.host.command);
    rig.clock.RunPosted();
    BOOST_TEST(rig.host.calls == (when == 1 ? "EE" : "E"));
    BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
    BOOST_TEST(rig.host.command.length_in == 0u);
    BOOST_TEST(rig.host.command.data.empty());
    BOOST_TEST(rig.host.command.sink == &rig.host);
  }
}

BOOST_AUTO_TEST_SUITE_END()
