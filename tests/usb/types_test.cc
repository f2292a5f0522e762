#include "usb/types.h"

#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/dies.h"

using namespace usbtwin;  // NOLINT
using usb::Outcome;

BOOST_AUTO_TEST_SUITE(types)

BOOST_AUTO_TEST_CASE(each_outcome_is_one_kind_of_error) {
  const struct {
    Outcome outcome;
    ErrorKind kind;
    const char* name;
    bool refusal;
  } cases[] = {
      {Outcome::kPending, ErrorKind::kFault, "pending", false},
      {Outcome::kStall, ErrorKind::kStalled, "stall", false},
      {Outcome::kCancelled, ErrorKind::kCancelled, "cancelled", false},
      {Outcome::kTimedOut, ErrorKind::kTimedOut, "timed out", false},
      {Outcome::kOverflow, ErrorKind::kOverflow, "overflow", false},
      {Outcome::kDisconnected, ErrorKind::kDisconnected, "disconnected", false},
      {Outcome::kFault, ErrorKind::kFault, "fault", false},
      {Outcome::kBusy, ErrorKind::kBusy, "busy", true},
      {Outcome::kDenied, ErrorKind::kDenied, "denied", true},
      {Outcome::kNotFound, ErrorKind::kNotFound, "not found", true},
      {Outcome::kUnsupported, ErrorKind::kUnsupported, "unsupported", true},
  };
  for (const auto& sample : cases) {
    BOOST_TEST((usb::KindOf(sample.outcome) == sample.kind), sample.name);
    BOOST_TEST(std::string(usb::Name(sample.outcome)) == sample.name);
    BOOST_TEST(usb::IsRefusal(sample.outcome) == sample.refusal, sample.name);
  }
}

BOOST_AUTO_TEST_CASE(success_is_no_error) {
  BOOST_TEST(tests::Dies([] { static_cast<void>(usb::KindOf(Outcome::kOk)); }));
}

BOOST_AUTO_TEST_SUITE_END()
