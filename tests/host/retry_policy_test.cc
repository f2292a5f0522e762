#include "host/retry_policy.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;        // NOLINT
using namespace usbtwin::host;  // NOLINT
using namespace std::chrono_literals;
using Step = RetryPolicy::Step;
using Guard = RetryPolicy::Guard;
using scsi::SenseKey;
using scsi::Status;

namespace {

ScsiResult Answer(Status status) {
  return {.status = status};
}
ScsiResult Check(SenseKey key, uint8_t asc = 0, uint8_t ascq = 0) {
  return {.status = Status::kCheckCondition,
          .sense_valid = true,
          .sense = {.key = key, .asc = asc, .ascq = ascq}};
}

// How often the command is sent again for one reason before the policy gives up; 1000: for ever.
unsigned Repeats(const ScsiResult& answer, Guard guard = Guard::kNothing) {
  RetryPolicy policy(RetryLimits{}, guard);
  unsigned count = 0;
  while (count < 1000 && policy.HandleResult(answer) == Step::kAgain) ++count;
  return count;
}
unsigned Repeats(ErrorKind kind) {
  RetryPolicy policy(RetryLimits{}, Guard::kNothing);
  unsigned count = 0;
  while (count < 1000 && policy.HandleError({.kind = kind}) == Step::kAgain) ++count;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(retry_policy)

BOOST_AUTO_TEST_CASE(good_is_done) {
  RetryPolicy policy(RetryLimits{}, Guard::kNothing);
  BOOST_TEST((policy.HandleResult(Answer(Status::kGood)) == Step::kDone));
  BOOST_TEST((policy.HandleResult(Answer(Status::kConditionMet)) == Step::kDone));
  BOOST_TEST((policy.HandleResult(Check(SenseKey::kRecoveredError, 0x17)) == Step::kDone));
}

struct RepeatCase {
  const char* name;
  ScsiResult answer;
  unsigned repeats;
  friend std::ostream& operator<<(std::ostream& out, const RepeatCase& sample) {
    return out << sample.name;
  }
};
const std::array kRepeatCases{
    RepeatCase{"reset", Check(SenseKey::kUnitAttention, 0x29), 8},
    RepeatCase{"medium_may_have_changed", Check(SenseKey::kUnitAttention, 0x28), 8},
    RepeatCase{"mode_changed", Check(SenseKey::kUnitAttention, 0x2a, 1), 8},
    RepeatCase{"medium_error", Check(SenseKey::kMediumError, 0x11), 1},
    RepeatCase{"hardware_error", Check(SenseKey::kHardwareError, 0x44), 1},
    RepeatCase{"aborted", Check(SenseKey::kAbortedCommand, 0x47), 2},
    RepeatCase{"no_sense", Check(SenseKey::kNoSense), 2},
    RepeatCase{"status_without_sense", Answer(Status::kCheckCondition), 2},
    RepeatCase{"task_aborted", Answer(Status::kTaskAborted), 2},
    RepeatCase{"illegal_request", Check(SenseKey::kIllegalRequest, 0x21), 0},
    RepeatCase{"write_protected", Check(SenseKey::kDataProtect, 0x27), 0},
    RepeatCase{"blank", Check(SenseKey::kBlankCheck), 0},
    RepeatCase{"miscompare", Check(SenseKey::kMiscompare, 0x1d), 0},
    RepeatCase{"vendor", Check(SenseKey::kVendorSpecific, 0x74, 0x81), 0},
    RepeatCase{"no_medium", Check(SenseKey::kNotReady, 0x3a), 0},
    RepeatCase{"format_in_progress", Check(SenseKey::kNotReady, 0x04, 0x04), 0},
    RepeatCase{"manual_intervention", Check(SenseKey::kNotReady, 0x04, 0x03), 0},
    RepeatCase{"reserved_key", Check(static_cast<SenseKey>(0xc)), 0},
    RepeatCase{"reservation_conflict", Answer(Status::kReservationConflict), 0},
    RepeatCase{"unknown_status", Answer(static_cast<Status>(0x77)), 0},
};
BOOST_DATA_TEST_CASE(every_reason_to_try_again_has_a_bound,
                     boost::unit_test::data::make(kRepeatCases)) {
  BOOST_TEST(Repeats(sample.answer) == sample.repeats);
}

BOOST_AUTO_TEST_CASE(deferred_errors_are_never_hidden) {
  for (uint8_t key = 0; key < 16; ++key) {
    ScsiResult answer = Check(static_cast<SenseKey>(key), 0x04, 0x01);
    answer.sense.deferred = true;
    RetryPolicy policy(RetryLimits{}, Guard::kNothing);
    BOOST_TEST((policy.HandleResult(answer) == Step::kFail));
  }
}

BOOST_AUTO_TEST_CASE(a_guarded_medium_must_stay) {
  BOOST_TEST(Repeats(Check(SenseKey::kUnitAttention, 0x28), Guard::kMedium) == 0u);
  BOOST_TEST(Repeats(Check(SenseKey::kUnitAttention, 0x29), Guard::kMedium) == 8u);
  BOOST_TEST(Repeats(Check(SenseKey::kUnitAttention, 0x28), Guard::kCapacity) == 8u);
}

BOOST_AUTO_TEST_CASE(a_capacity_that_changed_is_told) {
  BOOST_TEST(Repeats(Check(SenseKey::kUnitAttention, 0x2a, 9), Guard::kMedium) == 0u);
  BOOST_TEST(Repeats(Check(SenseKey::kUnitAttention, 0x2a, 9), Guard::kCapacity) == 0u);
  BOOST_TEST(Repeats(Check(SenseKey::kUnitAttention, 0x2a, 9), Guard::kNothing) == 8u);
}

BOOST_AUTO_TEST_CASE(after_recovery_a_stick_may_say_that_its_medium_changed) {
  RetryPolicy policy(RetryLimits{}, Guard::kMedium);
  BOOST_TEST((policy.HandleError({.kind = ErrorKind::kTimedOut}) == Step::kAgain));
  BOOST_TEST((policy.HandleResult(Check(SenseKey::kUnitAttention, 0x28)) == Step::kAgain));
  BOOST_TEST((policy.HandleResult(Check(SenseKey::kUnitAttention, 0x2a, 9)) == Step::kFail));
}

BOOST_AUTO_TEST_CASE(a_broken_conversation_is_tried_again_where_that_may_help) {
  BOOST_TEST(Repeats(ErrorKind::kStalled) == 2u);
  BOOST_TEST(Repeats(ErrorKind::kProtocol) == 2u);
  BOOST_TEST(Repeats(ErrorKind::kFault) == 2u);
  BOOST_TEST(Repeats(ErrorKind::kOverflow) == 2u);
  BOOST_TEST(Repeats(ErrorKind::kTimedOut) == 1u);
  BOOST_TEST(Repeats(ErrorKind::kDisconnected) == 1u);
  for (ErrorKind kind : {ErrorKind::kCancelled, ErrorKind::kBusy, ErrorKind::kDenied,
                         ErrorKind::kNotFound, ErrorKind::kInvalid, ErrorKind::kUnsupported}) {
    BOOST_TEST(Repeats(kind) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(pauses_double_and_come_to_an_end) {
  RetryPolicy policy({.wait_max = 2s, .pause_first = 100ms, .pause_max = 500ms}, Guard::kNothing);
  std::vector<int64_t> pauses;
  while (policy.HandleResult(Check(SenseKey::kNotReady, 0x04, 0x01)) == Step::kWait) {
    pauses.push_back(policy.pause() / 1ms);
    BOOST_REQUIRE(pauses.size() < 100u);
  }
  const std::vector<int64_t> expected{100, 200, 400, 500, 500, 300};
  BOOST_TEST(pauses == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(busy_and_queue_full_share_the_wait) {
  RetryPolicy policy({.wait_max = 30ms, .pause_first = 20ms}, Guard::kNothing);
  BOOST_TEST((policy.HandleResult(Answer(Status::kBusy)) == Step::kWait));
  BOOST_TEST((policy.HandleResult(Answer(Status::kTaskSetFull)) == Step::kWait));
  BOOST_TEST((policy.pause() == 10ms));
  BOOST_TEST((policy.HandleResult(Answer(Status::kBusy)) == Step::kFail));
}

BOOST_AUTO_TEST_CASE(pauses_of_nothing_come_to_an_end_too) {
  RetryPolicy policy({.wait_max = 50ms, .pause_first = 0ms, .pause_max = 0ms}, Guard::kNothing);
  unsigned count = 0;
  while (count < 1000 && policy.HandleResult(Answer(Status::kBusy)) == Step::kWait) ++count;
  BOOST_TEST(count == 50u);
}

BOOST_AUTO_TEST_CASE(a_stopped_unit_is_started_once) {
  RetryPolicy policy(RetryLimits{}, Guard::kMedium);
  BOOST_TEST((policy.HandleResult(Check(SenseKey::kNotReady, 0x04, 0x02)) == Step::kStart));
  BOOST_TEST((policy.HandleResult(Check(SenseKey::kNotReady, 0x04, 0x01)) == Step::kWait));
  BOOST_TEST((policy.HandleResult(Check(SenseKey::kNotReady, 0x04, 0x02)) == Step::kFail));
}

BOOST_AUTO_TEST_SUITE_END()
