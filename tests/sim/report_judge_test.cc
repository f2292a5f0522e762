#include "sim/report_judge.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT
using fault::Kind;
using host::ScsiResult;
using scsi::Sense;
using scsi::SenseKey;

namespace {

constexpr SentCommand kRead{
    .lun = 1, .opcode = 0x28, .needs_medium = true, .lba = 100, .blocks = 8, .length = 4096};
constexpr SentCommand kInquiry{.lun = 1, .opcode = 0x12, .length = 36};
constexpr Sense kAttention{.key = SenseKey::kUnitAttention, .asc = 0x29};
constexpr Sense kMediumError{
    .key = SenseKey::kMediumError, .asc = 0x11, .information_valid = true, .information = 100};

ScsiResult Good(uint8_t recoveries = 0) {
  return {.length_actual = 4096, .recoveries = recoveries};
}
ScsiResult Refusal(const Sense& sense) {
  return {.status = scsi::Status::kCheckCondition, .sense_valid = true, .sense = sense};
}
ScsiResult Muteness() {
  return {.status = scsi::Status::kCheckCondition};
}

struct Fixture {
  bool Allows(const SentCommand& sent, std::vector<Kind> kinds, const Result<ScsiResult>& answer) {
    std::vector<fault::Injection> played;
    for (const Kind kind : kinds) {
      played.push_back({.kind = kind, .when = sent.start, .observed = true});
    }
    const std::optional<Wrong> wrong = judge.Judge(sent, played, answer);
    law = wrong ? wrong->law : Law::kNone;
    if (wrong) complaint = wrong->text;
    return !wrong.has_value();
  }
  static SentCommand After(SentCommand sent, Duration time) {
    sent.start = TimePoint{} + time;
    return sent;
  }
  const fault::Plan plan{{{.kind = Kind::kNotReady, .delay = std::chrono::milliseconds(50)},
                          {.kind = Kind::kCorruptIn, .value = 8 * 2 + 1}}};
  ReportJudge judge{plan, 2};
  std::string complaint;
  Law law = Law::kNone;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(report_judge, Fixture)

BOOST_AUTO_TEST_CASE(each_refusal_has_codes_of_its_own_and_each_line_its_kind) {
  for (const fault::KindInfo& info : fault::Kinds()) {
    const ExpectedReport& expected = ExpectedOf(info.kind);
    BOOST_TEST((expected.kind == info.kind), info.name);
    // What must be noticed can be told.
    const bool told = expected.errors != 0 || expected.sense || expected.fails_mutely;
    BOOST_TEST((told || expected.passing != Passing::kNever), info.name);
  }
}

BOOST_AUTO_TEST_CASE(sense_must_be_that_of_the_fault) {
  BOOST_TEST(Allows(kRead, {Kind::kMediumError}, Refusal(kMediumError)));
  BOOST_TEST(Allows(kRead, {}, Good()));
  for (const Sense& wrong : {Sense{.key = SenseKey::kMediumError, .asc = 0x0c},
                             Sense{.key = SenseKey::kHardwareError, .asc = 0x11},
                             Sense{.key = SenseKey::kMediumError, .asc = 0x11},  // which block?
                             Sense{.key = SenseKey::kMediumError,
                             .asc = 0x11,
                             .information_valid = true,
                             .information = 101},
                             kAttention}) {
    BOOST_TEST(!Allows(kRead, {Kind::kMediumError}, Refusal(wrong)));
  }
  BOOST_TEST(complaint ==
             "operation code 28 to LUN 1 was refused with sense 06/29/00; allowed: 03/11/00 with "
             "block 100");
  const Sense full{.key = SenseKey::kDataProtect, .asc = 0x27, .ascq = 0x07};
  BOOST_TEST(Allows(kRead, {Kind::kNoSpace}, Refusal(full)));
  BOOST_TEST(!Allows(kRead, {Kind::kWriteError}, Refusal(full)));
}

BOOST_AUTO_TEST_CASE(of_several_faults_each_may_be_told) {
  const Sense hardware{.key = SenseKey::kHardwareError, .asc = 0x44};
  const std::vector<Kind> both{Kind::kMediumError, Kind::kHardwareError};
  BOOST_TEST(Allows(kRead, both, Refusal(kMediumError)));
  BOOST_TEST(Allows(kRead, both, Refusal(hardware)));
  BOOST_TEST(!Allows(kRead, both, Good()));
  // The sense may be lost where the conversation was disturbed, and only there.
  BOOST_TEST(!Allows(kRead, both, Muteness()));
  BOOST_TEST(Allows(kRead, {Kind::kMediumError, Kind::kStall}, Muteness()));
}

BOOST_AUTO_TEST_CASE(a_unit_attention_comes_once_after_each_reset) {
  BOOST_TEST(Allows(kRead, {}, Refusal(kAttention)));
  BOOST_TEST(!Allows(kRead, {}, Refusal(kAttention)));
  judge.HandleReset();
  BOOST_TEST(Allows(kRead, {}, Refusal(kAttention)));
  judge.HandleReset();
  BOOST_TEST(Allows(kInquiry, {}, Good()));  // leaves it waiting
  BOOST_TEST(!Allows(kInquiry, {}, Refusal(kAttention)));
  judge.HandleReset();
  BOOST_TEST(Allows(kRead, {}, Good()));  // there was none
  BOOST_TEST(!Allows(kRead, {}, Refusal(kAttention)));
}

BOOST_AUTO_TEST_CASE(a_condition_lasts_as_long_as_its_rule_says_and_for_its_unit) {
  using std::chrono::milliseconds;
  const Sense becoming{.key = SenseKey::kNotReady, .asc = 0x04, .ascq = 0x01};
  SentCommand other = kRead;
  other.lun = 0;
  BOOST_TEST(Allows(kRead, {Kind::kNotReady}, Refusal(becoming)));
  BOOST_TEST(Allows(After(kRead, milliseconds(49)), {}, Refusal(becoming)));
  BOOST_TEST(!Allows(After(kInquiry, milliseconds(49)), {}, Refusal(becoming)));
  BOOST_TEST(!Allows(After(other, milliseconds(49)), {}, Refusal(becoming)));
  BOOST_TEST(!Allows(After(kRead, milliseconds(50)), {}, Refusal(becoming)));
}

BOOST_AUTO_TEST_CASE(an_error_needs_a_fault_that_leads_to_it) {
  const Error timed_out{.kind = ErrorKind::kTimedOut};
  const Error protocol{.kind = ErrorKind::kProtocol};
  const Error cancelled{.kind = ErrorKind::kCancelled};
  BOOST_TEST(!Allows(kRead, {}, timed_out));
  BOOST_TEST(!Allows(kRead, {}, cancelled));
  BOOST_TEST(!Allows(kRead, {Kind::kMediumError}, timed_out));
  BOOST_TEST(Allows(kRead, {Kind::kWrongTag}, protocol));
  BOOST_TEST(!Allows(kRead, {Kind::kDisconnect}, timed_out));
  BOOST_TEST(Allows(kRead, {Kind::kDisconnect}, Error{.kind = ErrorKind::kDisconnected}));
  // Silence outlasts the command, until one is carried out or the port was reset.
  BOOST_TEST(Allows(kRead, {Kind::kSilent}, timed_out));
  BOOST_TEST(Allows(kRead, {}, timed_out));
  BOOST_TEST(Allows(kRead, {}, Good()));
  BOOST_TEST(!Allows(kRead, {}, timed_out));
  BOOST_TEST(complaint == "operation code 28 failed: timed out; nothing was made to go wrong");
  SentCommand impatient = kRead;
  impatient.cancelled = impatient.hurried = true;
  BOOST_TEST(Allows(impatient, {}, cancelled));
  BOOST_TEST(Allows(impatient, {}, timed_out));
}

BOOST_AUTO_TEST_CASE(errors_do_not_go_on_when_nothing_more_is_played) {
  const Error fault{.kind = ErrorKind::kFault};
  BOOST_TEST(Allows(kRead, {Kind::kFault}, fault));
  BOOST_TEST(Allows(kRead, {}, fault));
  BOOST_TEST(!Allows(kRead, {}, fault));
  BOOST_TEST((law == Law::kLife));
  BOOST_TEST(complaint ==
             "operation code 28 failed: fault; so did 1 before it, and nothing more was played");
  BOOST_TEST(Allows(kRead, {Kind::kFault}, fault));  // that is another matter
  // A command that was taken back says nothing about the device.
  SentCommand cancelled = kRead;
  cancelled.cancelled = true;
  for (int times = 0; times < 5; ++times) {
    BOOST_TEST(Allows(cancelled, {}, Error{.kind = ErrorKind::kCancelled}));
  }
  BOOST_TEST(Allows(kRead, {}, fault));
  BOOST_TEST(!Allows(kRead, {}, fault));
  BOOST_TEST(Allows(kRead, {}, Good()));
}

// An endpoint that is silent until the port is reset: the one that met it was taken back.
BOOST_AUTO_TEST_CASE(the_fault_of_a_cancelled_command_may_cost_one_more) {
  const Error timed_out{.kind = ErrorKind::kTimedOut};
  SentCommand cancelled = kRead;
  cancelled.cancelled = true;
  BOOST_TEST(Allows(cancelled, {Kind::kSilent}, Error{.kind = ErrorKind::kCancelled}));
  BOOST_TEST(Allows(kRead, {}, timed_out));
  BOOST_TEST(Allows(kRead, {}, timed_out));
  BOOST_TEST(!Allows(kRead, {}, timed_out));
  BOOST_TEST((law == Law::kLife));
}

BOOST_AUTO_TEST_CASE(what_no_unit_carries_out_is_refused_and_nothing_else) {
  SentCommand past = kRead;
  past.refusal = ExpectedSense{SenseKey::kIllegalRequest, 0x21, 0x00, Place::kFirst};
  past.refusal_block = 4096;
  Sense sense{.key = SenseKey::kIllegalRequest,
              .asc = 0x21,
              .information_valid = true,
              .information = 4096};
  BOOST_TEST(Allows(past, {}, Refusal(kAttention)));
  BOOST_TEST(Allows(past, {}, Refusal(sense)));
  sense.information = 4097;
  BOOST_TEST(!Allows(past, {}, Refusal(sense)));
  BOOST_TEST(!Allows(past, {}, Good()));
  BOOST_TEST((law == Law::kNotice));
  SentCommand unknown = kRead;
  unknown.lun = 15;
  unknown.refusal =
      ExpectedSense{SenseKey::kIllegalRequest, 0x20, 0x00, Place::kNone, /*points=*/true};
  BOOST_TEST(!Allows(unknown, {}, Refusal(kAttention)));  // who is not there has none
  BOOST_TEST(!Allows(unknown, {}, Refusal({.key = SenseKey::kIllegalRequest, .asc = 0x20})));
  BOOST_TEST(Allows(unknown, {},
                    Refusal({.key = SenseKey::kIllegalRequest, .asc = 0x20, .field_valid = true})));
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_of_the_sense_explains_that_bit_alone) {
  BOOST_TEST(Allows(kRead, {}, Good()));
  const auto judges = [&](Bytes bytes, fault::Moment moment) {
    ScsiResult answer = Refusal(*scsi::ParseSense(bytes));
    answer.sense_length = static_cast<uint8_t>(CopyBytes(answer.sense_bytes, bytes));
    const std::vector<fault::Injection> played{
        {.kind = Kind::kMediumError, .observed = true},
        {.kind = Kind::kCorruptIn, .rule = 1, .moment = moment, .observed = true}};
    return !judge.Judge(kRead, played, answer).has_value();
  };
  // Fixed sense: 03/11/00 with block 100; then with bit 1 of byte 2, the sense key, flipped.
  const auto told = "f0 00 03 00000064 0a 00000000 11 00 00 000000"_hex;
  const auto flipped = "f0 00 01 00000064 0a 00000000 11 00 00 000000"_hex;
  const auto wrong = "f0 00 04 00000064 0a 00000000 11 00 00 000000"_hex;
  BOOST_TEST(judges(told, fault::Moment::kDataIn));
  BOOST_TEST(judges(flipped, fault::Moment::kDataIn));
  BOOST_TEST(!judges(flipped, fault::Moment::kStatus));
  BOOST_TEST(!judges(wrong, fault::Moment::kDataIn));
}

BOOST_AUTO_TEST_CASE(what_must_be_noticed_allows_no_good_answer_or_one_for_each_recovery) {
  BOOST_TEST(!Allows(kRead, {Kind::kWrongTag}, Good(1)));
  BOOST_TEST(!Allows(kRead, {Kind::kIllegalRequest}, Good()));
  BOOST_TEST(!Allows(kRead, {Kind::kStallStatus}, Good()));
  BOOST_TEST(Allows(kRead, {Kind::kStallStatus}, Good(1)));
  BOOST_TEST(!Allows(kRead, {Kind::kStallData, Kind::kStallStatus}, Good(1)));
  BOOST_TEST(Allows(kRead, {Kind::kStallData, Kind::kStallStatus}, Good(2)));
  BOOST_TEST(Allows(kRead, {Kind::kSuspend}, Good()));
  BOOST_TEST(Allows(kRead, {}, Good()));
  BOOST_TEST(!Allows(kRead, {}, Good(1)));  // there was nothing to recover from
}

BOOST_AUTO_TEST_CASE(a_failure_without_reason_may_bring_what_the_unit_has_to_say) {
  BOOST_TEST(Allows(kRead, {Kind::kUnitBusy}, Refusal({})));
  BOOST_TEST(Allows(kRead, {}, Good()));
  BOOST_TEST(!Allows(kRead, {Kind::kUnitBusy}, Refusal(kAttention)));
  judge.HandleReset();
  BOOST_TEST(Allows(kInquiry, {Kind::kUnitBusy}, Refusal(kAttention)));
}

BOOST_AUTO_TEST_CASE(sense_that_was_not_fetched_waits_for_request_sense) {
  constexpr SentCommand kAsk{.lun = 1, .opcode = 0x03, .length = 18};
  BOOST_TEST(Allows(kRead, {}, Good()));
  BOOST_TEST(!judge.JudgeSenseData(kAsk, Sense{}).has_value());
  BOOST_TEST(judge.JudgeSenseData(kAsk, kMediumError).has_value());
  BOOST_TEST(judge.JudgeSenseData(kAsk, std::nullopt).has_value());
  BOOST_TEST(Allows(kRead, {Kind::kMediumError, Kind::kStall}, Muteness()));
  BOOST_TEST(!judge.JudgeSenseData(kAsk, kMediumError).has_value());
  BOOST_TEST(Allows(kAsk, {}, Good()));
  BOOST_TEST(judge.JudgeSenseData(kAsk, kMediumError).has_value());
}

BOOST_AUTO_TEST_CASE(an_attention_that_was_kept_is_not_the_one_that_waits) {
  constexpr SentCommand kAsk{.lun = 1, .opcode = 0x03, .length = 18};
  BOOST_TEST(Allows(kRead, {}, Good()));
  BOOST_TEST(Allows(kRead, {Kind::kUnitAttention, Kind::kStall}, Muteness()));
  judge.HandleReset();
  BOOST_TEST(!judge.JudgeSenseData(kAsk, kAttention).has_value());
  BOOST_TEST(Allows(kAsk, {}, Good()));
  BOOST_TEST(Allows(kRead, {}, Refusal(kAttention)));
}

BOOST_AUTO_TEST_CASE(a_device_that_was_perhaps_not_found_again_may_be_gone_once) {
  const Error gone{.kind = ErrorKind::kDisconnected};
  BOOST_TEST(Allows(kRead, {Kind::kStall, Kind::kFailedNoSense}, Muteness()));
  judge.HandleMaybeLost();
  BOOST_TEST(Allows(kRead, {}, gone));
  BOOST_TEST(!Allows(kRead, {}, gone));
}

BOOST_AUTO_TEST_SUITE_END()
