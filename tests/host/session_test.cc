#include "host/session.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/host/session_bench.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using usb::Outcome;

namespace {

// One interface with Bulk-Only at setting 0 and UAS at setting 1.
constexpr auto kUasBeside =
    "09 02 3700 01 01 00 80 32"
    "09 04 00 00 02 08 06 50 00  07 05 81 02 0002 00  07 05 02 02 0002 00"
    "09 04 00 01 02 08 06 62 00  07 05 81 02 0002 00  07 05 02 02 0002 00"_hex;
// The other way round.
constexpr auto kUasFirst =
    "09 02 3700 01 01 00 80 32"
    "09 04 00 00 02 08 06 62 00  07 05 81 02 0002 00  07 05 02 02 0002 00"
    "09 04 00 01 02 08 06 50 00  07 05 81 02 0002 00  07 05 02 02 0002 00"_hex;
constexpr auto kUasOnly =
    "09 02 2000 01 01 00 80 32"
    "09 04 00 00 02 08 06 62 00  07 05 81 02 0002 00  07 05 02 02 0002 00"_hex;

// Bulk-Only, and UAS whose four pipes say what they are.
constexpr auto kUasWhole =
    "09 02 5500 01 01 00 80 32"
    "09 04 00 00 02 08 06 50 00  07 05 81 02 0002 00  07 05 02 02 0002 00"
    "09 04 00 01 04 08 06 62 00"
    "07 05 81 02 0002 00 04 24 03 00  07 05 02 02 0002 00 04 24 04 00"
    "07 05 83 02 0002 00 04 24 02 00  07 05 04 02 0002 00 04 24 01 00"_hex;

using Bench = SessionBench;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(session, Bench)

// ---- Opening ----

BOOST_AUTO_TEST_CASE(opening_reads_and_changes_nothing) {
  BOOST_TEST(Open().has_value());

  BOOST_TEST(session.is_open());
  BOOST_TEST(*session.description().product == "Disk");
  BOOST_TEST((session.caps().speed == usb::Speed::kHigh));
  for (const std::string& entry : device.log()) BOOST_TEST(entry.starts_with("control 80"));
  BOOST_TEST(Run(clock, session.Close()).has_value());
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_there_is_not_found) {
  bus.device = nullptr;

  BOOST_TEST((Open().error().kind == ErrorKind::kNotFound));
  BOOST_TEST(!session.is_open());
}

BOOST_AUTO_TEST_CASE(a_device_that_cannot_be_read_is_closed_again) {
  device.Descriptor(kDeviceValue, {Reply::Stall()});

  BOOST_TEST((Open().error().kind == ErrorKind::kStalled));

  BOOST_TEST(!session.is_open());
  device.Descriptor(kDeviceValue, {Reply::Data(kDeviceBytes)});
  BOOST_TEST(Open().has_value());
}

BOOST_AUTO_TEST_CASE(opening_twice_is_refused) {
  BOOST_TEST(Open().has_value());

  BOOST_TEST((Open().error().kind == ErrorKind::kInvalid));
  BOOST_TEST(session.is_open());
}

BOOST_AUTO_TEST_CASE(a_closed_session_refuses_everything) {
  BOOST_TEST((Run(clock, session.OpenStorage({})).error().kind == ErrorKind::kInvalid));
  BOOST_TEST((Run(clock, session.ReadBos()).error().kind == ErrorKind::kInvalid));
  BOOST_TEST((Run(clock, session.ReadString(1)).error().kind == ErrorKind::kInvalid));
  BOOST_TEST(Run(clock, session.Close()).has_value());
}

BOOST_AUTO_TEST_CASE(the_bos_and_strings_are_read_on_request) {
  constexpr auto kBos = "05 0f 0500 00"_hex;
  device.Descriptor(kBosValue, {Reply::Data(kBos)});
  BOOST_TEST(Open().has_value());

  BOOST_TEST(Run(clock, session.ReadBos()).value().bytes.size() == 5u);
  BOOST_TEST(Run(clock, session.ReadString(1)).value() == "Acme");
}

// ---- Setting up the storage ----

BOOST_AUTO_TEST_CASE(a_configured_device_is_not_configured_again) {
  const auto transport = OpenStorage();

  BOOST_TEST(transport.value()->name() == "bot");
  CheckSetUp({"claim interface 0"});
  BOOST_TEST(device.log().at(0) == kGetConfiguration);
}

BOOST_AUTO_TEST_CASE(an_unconfigured_device_is_configured_before_the_claim) {
  device.Answer(0x80, 8, 0, {Reply::Data("00"_hex)});

  BOOST_TEST(OpenStorage().has_value());

  CheckSetUp({"set configuration 1", "claim interface 0"});
  BOOST_TEST(*session.description().active_value == 1);
}

BOOST_AUTO_TEST_CASE(a_device_that_does_not_tell_its_configuration_is_configured) {
  device.Answer(0x80, 8, 0, {Reply::Stall()});

  BOOST_TEST(OpenStorage().has_value());

  CheckSetUp({"set configuration 1", "claim interface 0"});
}

BOOST_AUTO_TEST_CASE(a_driver_is_detached_only_when_asked) {
  BOOST_TEST(OpenStorage({.kernel_driver = usb::KernelDriverPolicy::kDetach}).has_value());

  CheckSetUp({"claim interface 0 detach"});
}

struct ClaimCase {
  Outcome outcome;
  const char* error;
  friend std::ostream& operator<<(std::ostream& out, const ClaimCase& sample) {
    return out << usb::Name(sample.outcome);
  }
};
const std::array kClaimCases{
    ClaimCase{Outcome::kBusy,
              "busy in open: interface 0 cannot be claimed: another program or a driver has it"},
    ClaimCase{Outcome::kDenied,
              "permission denied in open: interface 0 cannot be claimed: you may not use this "
              "device"},
    ClaimCase{Outcome::kNotFound,
              "not found in open: interface 0 cannot be claimed: the system does not see it in "
              "this device"},
    ClaimCase{Outcome::kUnsupported, "not supported in open: interface 0 cannot be claimed"},
    ClaimCase{Outcome::kFault, "fault in open: interface 0 cannot be claimed"},
};
BOOST_DATA_TEST_CASE_F(Bench, a_claim_that_fails_says_why,
                       boost::unit_test::data::make(kClaimCases)) {
  device.AnswerPort("claim interface", sample.outcome);

  const auto transport = OpenStorage();

  BOOST_TEST(transport.error().Describe() == sample.error);
  BOOST_TEST(Run(clock, session.Close()).has_value());
  BOOST_TEST(device.Count("release interface 0") == 0u);
}

BOOST_AUTO_TEST_CASE(setting_0_is_selected_only_where_another_one_is) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasBeside)});
  BOOST_TEST(OpenStorage().has_value());
  CheckSetUp({"claim interface 0", kGetInterface});
}

BOOST_AUTO_TEST_CASE(a_setting_a_driver_left_is_taken_back) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasBeside)});
  device.Answer(0x81, 10, 0, {Reply::Data("01"_hex)});
  BOOST_TEST(OpenStorage().has_value());
  CheckSetUp({"claim interface 0", kGetInterface, "set alternate setting 0 0"});
}

BOOST_AUTO_TEST_CASE(a_device_that_does_not_tell_its_setting_gets_it_selected) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasBeside)});
  device.Answer(0x81, 10, 0, {Reply::Stall()});
  BOOST_TEST(OpenStorage().has_value());
  CheckSetUp({"claim interface 0", kGetInterface, "set alternate setting 0 0"});
}

BOOST_AUTO_TEST_CASE(another_setting_is_always_selected) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasFirst)});
  BOOST_TEST(OpenStorage().has_value());
  CheckSetUp({"claim interface 0", "set alternate setting 0 1"});
  BOOST_TEST(session.storage().alternate_setting == 1);
}

BOOST_AUTO_TEST_CASE(a_setting_that_is_refused_gives_the_claim_back) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasFirst)});
  device.AnswerPort("set alternate setting", Outcome::kStall);

  const auto transport = OpenStorage();

  BOOST_TEST((transport.error().kind == ErrorKind::kStalled));
  CheckSetUp({"claim interface 0", "set alternate setting 0 1", "release interface 0"});
}

BOOST_AUTO_TEST_CASE(a_device_with_broken_uas_alone_is_not_touched) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasOnly)});

  const auto transport = OpenStorage();

  BOOST_TEST((transport.error().kind == ErrorKind::kNotFound));  // its pipes say nothing
  BOOST_TEST(device.log().empty());
}

BOOST_AUTO_TEST_CASE(where_the_setting_of_uas_is_refused_bulk_only_serves) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasWhole)});
  device.AnswerPort("set alternate setting", Outcome::kStall);

  const auto transport = OpenStorage();

  BOOST_REQUIRE(transport.has_value());
  BOOST_TEST((*transport)->name() == "bot");
  CheckSetUp({"claim interface 0", "set alternate setting 0 1", "release interface 0",
              "claim interface 0", kGetInterface});
  BOOST_REQUIRE(session.defects().size() == 1u);
  BOOST_CHECK(session.defects()[0].kind == ErrorKind::kStalled);
}

BOOST_AUTO_TEST_CASE(uas_that_was_asked_for_has_no_substitute) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kUasWhole)});
  device.AnswerPort("set alternate setting", Outcome::kStall);

  BOOST_CHECK(OpenStorage({.protocol = host::StorageProtocol::kUas}).error().kind ==
              ErrorKind::kStalled);
}

BOOST_AUTO_TEST_CASE(a_second_transport_is_refused) {
  BOOST_TEST(OpenStorage().has_value());

  BOOST_TEST((Run(clock, session.OpenStorage({})).error().kind == ErrorKind::kInvalid));
}

// ---- Get Max LUN ----

struct MaxLunCase {
  const char* name;
  Reply reply;
  unsigned luns_count;
  unsigned defects_count;
  friend std::ostream& operator<<(std::ostream& out, const MaxLunCase& sample) {
    return out << sample.name;
  }
};
const std::array kMaxLunCases{
    MaxLunCase{"one_unit", Reply::Data("00"_hex), 1, 0},
    MaxLunCase{"four_units", Reply::Data("03"_hex), 4, 0},
    MaxLunCase{"as_many_as_there_can_be", Reply::Data("0f"_hex), 16, 0},
    MaxLunCase{"one_too_many", Reply::Data("10"_hex), 1, 1},
    MaxLunCase{"nonsense", Reply::Data("ff"_hex), 1, 1},
    MaxLunCase{"no_byte", Reply::Data({}), 1, 1},
    MaxLunCase{"stall", Reply::Stall(), 1, 0},
    MaxLunCase{"silence", Reply::Silence(), 1, 1},
    MaxLunCase{"fault", Reply{Outcome::kFault, {}}, 1, 1},
};
BOOST_DATA_TEST_CASE_F(Bench, what_get_max_lun_brings_becomes_a_number_of_units,
                       boost::unit_test::data::make(kMaxLunCases)) {
  device.Answer(0xa1, 0xfe, 0, {sample.reply});

  const auto transport = OpenStorage();

  BOOST_TEST(transport.value()->luns_count() == sample.luns_count);
  BOOST_TEST(session.luns_count() == sample.luns_count);
  BOOST_TEST(session.defects().size() == sample.defects_count);
  for (const Error& defect : session.defects()) {
    BOOST_TEST(defect.Describe().find("Get Max LUN") != std::string::npos);
  }
}

// ---- Closing ----

BOOST_AUTO_TEST_CASE(closing_gives_the_interface_back) {
  BOOST_TEST(OpenStorage().has_value());
  device.ClearLog();

  BOOST_TEST(Run(clock, session.Close()).has_value());

  CheckSetUp({"release interface 0"});
  BOOST_TEST(!session.is_open());
  BOOST_TEST(OpenStorage().has_value());
}

BOOST_AUTO_TEST_CASE(closing_what_has_gone_is_no_error) {
  BOOST_TEST(OpenStorage().has_value());
  device.VanishAt(0);

  BOOST_TEST(Run(clock, session.Close()).has_value());
  BOOST_TEST(!session.is_open());
}

BOOST_AUTO_TEST_CASE(a_release_that_fails_is_told_and_the_session_is_closed) {
  BOOST_TEST(OpenStorage().has_value());
  device.AnswerPort("release interface", Outcome::kFault);

  BOOST_TEST((Run(clock, session.Close()).error().kind == ErrorKind::kFault));
  BOOST_TEST(!session.is_open());
}

BOOST_AUTO_TEST_CASE(a_session_may_be_destroyed_while_open) {
  {
    Session other(clock, bus, OnePortBus::Id());
    BOOST_TEST(Run(clock, other.Open()).has_value());
    BOOST_TEST(Run(clock, other.OpenStorage({})).has_value());
  }
  BOOST_TEST(!clock.Step());
}

// ---- Trouble at every step ----

BOOST_AUTO_TEST_CASE(a_device_may_vanish_at_any_step) {
  size_t steps_count = 0;
  while (true) {
    ScriptedDevice vanishing(clock);
    ScriptWellBuilt(vanishing, 0);
    vanishing.Descriptor(kConfigurationValue, {Reply::Data(kUasBeside)});
    vanishing.VanishAt(steps_count);
    bus.device = &vanishing;
    Session other(clock, bus, OnePortBus::Id());

    const Result<void> opened = Run(clock, other.Open());
    if (!opened) {
      BOOST_TEST((opened.error().kind == ErrorKind::kDisconnected));
      BOOST_TEST(!other.is_open());
      ++steps_count;
      continue;
    }
    const auto transport = Run(clock, other.OpenStorage({}));
    BOOST_TEST(Run(clock, other.Close()).has_value());
    if (transport) break;
    BOOST_TEST((transport.error().kind == ErrorKind::kDisconnected));
    ++steps_count;
  }
  BOOST_TEST(steps_count == 8u + 5u);  // value, configuration, claim, setting, Get Max LUN
}

BOOST_AUTO_TEST_CASE(opening_may_be_cancelled_at_any_step) {
  device.Answer(0x80, 8, 0, {Reply::Data("00"_hex)});
  size_t cancelled_count = 0;
  for (size_t steps_count = 0;; ++steps_count) {
    std::optional<Result<void>> opened;
    if (!RunAndCancel(clock, session.Open(), steps_count, opened)) break;
    if (!*opened) {
      BOOST_TEST((opened->error().kind == ErrorKind::kCancelled));
      BOOST_TEST(!session.is_open());
      ++cancelled_count;
    }
    BOOST_TEST(Run(clock, session.Close()).has_value());
  }
  BOOST_TEST(cancelled_count >= 7u);
}

BOOST_AUTO_TEST_CASE(setting_up_may_be_cancelled_at_any_step) {
  device.Answer(0x80, 8, 0, {Reply::Data("00"_hex)});
  size_t cancelled_count = 0;
  for (size_t steps_count = 0;; ++steps_count) {
    if (!session.is_open()) BOOST_REQUIRE(Open().has_value());
    device.ClearLog();
    std::optional<Result<ScsiTransport*>> transport;
    if (!RunAndCancel(clock, session.OpenStorage({}), steps_count, transport)) break;
    if (!*transport) {
      BOOST_TEST((transport->error().kind == ErrorKind::kCancelled));
      ++cancelled_count;
    }
    BOOST_TEST(Run(clock, session.Close()).has_value());
    BOOST_TEST(device.Count("claim interface 0") == device.Count("release interface 0"));
  }
  BOOST_TEST(cancelled_count >= 2u);
}

BOOST_AUTO_TEST_SUITE_END()
