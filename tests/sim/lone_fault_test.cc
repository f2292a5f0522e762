#include "sim/lone_fault.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT
using bot::Rung;
using fault::Kind;
using fault::Moment;
using host::ScsiResult;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr SentCommand kRead{.opcode = 0x28,
                            .needs_medium = true,
                            .lba = 100,
                            .blocks = 8,
                            .length = 4096,
                            .length_whole = 4096};

struct Fixture {
  Law Judge(const SentCommand& sent, const Result<ScsiResult>& answer) {
    const auto wrong = JudgeLone(sent, course, answer);
    return wrong ? wrong->law : Law::kNone;
  }
  void Meet(Kind kind, Moment moment) {
    met = {.kind = kind, .moment = moment, .observed = true};
    rule = {.kind = kind};
    course.met = &met;
    course.rule = &rule;
  }
  static Error In(Phase phase, ErrorKind kind, uint64_t length = 0) {
    return {.kind = kind, .phase = phase, .length_actual = length};
  }

  fault::Injection met;
  fault::Rule rule;
  Course course{.timeout = seconds(2), .latency = milliseconds(3)};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lone_fault, Fixture)

BOOST_AUTO_TEST_CASE(recovery_climbs_no_higher_than_it_must) {
  struct Case {
    Kind kind;
    Moment moment;
    Rung rung_max;
  };
  for (const Case& one : {Case{Kind::kStallStatus, Moment::kStatus, Rung::kStatusRetry},
                          Case{Kind::kStallData, Moment::kDataIn, Rung::kClearHalt},
                          Case{Kind::kWrongTag, Moment::kStatus, Rung::kMassStorageReset},
                          Case{Kind::kFault, Moment::kDataIn, Rung::kMassStorageReset},
                          Case{Kind::kFault, Moment::kControl, Rung::kResetPort},
                          Case{Kind::kClearHaltFails, Moment::kPortRequest, Rung::kResetPort},
                          Case{Kind::kDisconnect, Moment::kDataIn, Rung::kReopen},
                          Case{Kind::kHardwareError, Moment::kExecute, Rung::kClearHalt}}) {
    BOOST_TEST_CONTEXT(fault::Info(one.kind).name) {
      Meet(one.kind, one.moment);
      course.rung = one.rung_max;
      BOOST_TEST((Judge(kRead, ScsiResult{}) == Law::kNone));
      if (one.rung_max == Rung::kReopen) continue;
      course.rung = static_cast<Rung>(static_cast<int>(one.rung_max) + 1);
      BOOST_TEST((Judge(kRead, ScsiResult{}) == Law::kThrift));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_deadline_is_neither_early_nor_late) {
  Meet(Kind::kLostCompletion, Moment::kDataIn);
  const Error error = In(Phase::kDataIn, ErrorKind::kTimedOut);
  course.took = seconds(2);
  BOOST_TEST((Judge(kRead, error) == Law::kNone));
  course.took = milliseconds(1999);
  BOOST_TEST((Judge(kRead, error) == Law::kTime));
  course.took = milliseconds(3061);  // a second for recovery, and its latencies
  BOOST_TEST((Judge(kRead, error) == Law::kTime));
  Meet(Kind::kDelayCompletion, Moment::kDataIn);
  rule.delay = milliseconds(100);
  BOOST_TEST((Judge(kRead, ScsiResult{}) == Law::kNone));
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_ends_soon_and_well_only_if_it_had_ended) {
  SentCommand cancelled = kRead;
  cancelled.cancelled = true;
  course.rung = Rung::kMassStorageReset;
  course.took = course.since_cancelled = milliseconds(10);
  course.steps_since_cancelled = 30;
  BOOST_TEST((Judge(cancelled, Error{.kind = ErrorKind::kCancelled}) == Law::kNone));
  BOOST_TEST((Judge(cancelled, ScsiResult{}) == Law::kTime));
  course.steps_since_cancelled = 2;
  BOOST_TEST((Judge(cancelled, ScsiResult{}) == Law::kNone));
  course.took = course.since_cancelled = milliseconds(1100);
  BOOST_TEST((Judge(cancelled, Error{.kind = ErrorKind::kCancelled}) == Law::kTime));
}

BOOST_AUTO_TEST_CASE(an_error_tells_its_phase_and_what_had_moved) {
  course.rung = Rung::kMassStorageReset;
  Meet(Kind::kFault, Moment::kDataIn);
  BOOST_TEST((Judge(kRead, In(Phase::kDataIn, ErrorKind::kFault)) == Law::kNone));
  BOOST_TEST((Judge(kRead, In(Phase::kStatus, ErrorKind::kFault)) == Law::kPlace));
  BOOST_TEST((Judge(kRead, In(Phase::kDataIn, ErrorKind::kFault, 512)) == Law::kPlace));
  Meet(Kind::kFaultLate, Moment::kDataIn);
  BOOST_TEST((Judge(kRead, In(Phase::kDataIn, ErrorKind::kFault, 4096)) == Law::kNone));
  BOOST_TEST((Judge(kRead, In(Phase::kDataIn, ErrorKind::kFault)) == Law::kPlace));
  Meet(Kind::kShortOut, Moment::kCommand);
  rule.length = 12;
  BOOST_TEST((Judge(kRead, In(Phase::kCommand, ErrorKind::kFault, 12)) == Law::kNone));
  BOOST_TEST((Judge(kRead, In(Phase::kCommand, ErrorKind::kFault, 31)) == Law::kPlace));
  // Where the host notices a halt hangs on what the device makes of it.
  Meet(Kind::kStall, Moment::kDataIn);
  BOOST_TEST((Judge(kRead, In(Phase::kStatus, ErrorKind::kProtocol)) == Law::kNone));
}

BOOST_AUTO_TEST_CASE(what_is_harmless_leads_to_no_error) {
  for (const Kind kind : {Kind::kZeroPacket, Kind::kStallStatus, Kind::kReorder, Kind::kSuspend}) {
    Meet(kind, Moment::kStatus);
    BOOST_TEST((Judge(kRead, In(Phase::kStatus, ErrorKind::kProtocol)) == Law::kThrift));
    SentCommand hurried = kRead;
    hurried.hurried = true;
    BOOST_TEST((Judge(hurried, In(Phase::kStatus, ErrorKind::kTimedOut)) != Law::kThrift));
  }
}

BOOST_AUTO_TEST_SUITE_END()
