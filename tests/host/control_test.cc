#include "host/control.h"

#include <boost/test/unit_test.hpp>

#include "tests/host/run.h"
#include "tests/host/scripted_device.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;

namespace {

constexpr uint8_t kVendorIn = 0xc0;
constexpr uint8_t kVendorOut = 0x40;

struct Bench {
  ManualClock clock;
  ScriptedDevice device{clock};
  Control control{clock, device};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control, Bench)

BOOST_AUTO_TEST_CASE(the_length_of_the_buffer_is_the_length_asked_for) {
  device.Answer(kVendorIn, 0x11, 0x2233, {Reply::Data("0102030405"_hex)});
  std::array<uint8_t, 4> room{};
  room.fill(0xa5);

  const auto length = Run(clock, control.Transfer({.request_type = kVendorIn,
                                                   .request = 0x11,
                                                   .value = 0x2233,
                                                   .index = 0x4455,
                                                   .in = room}));

  BOOST_TEST(device.log().at(0) == "control c011332255440400");
  BOOST_TEST(length.value() == 4u);
  BOOST_TEST(Hex(room) == "01 02 03 04");
}

BOOST_AUTO_TEST_CASE(a_short_answer_is_no_error) {
  device.Answer(kVendorIn, 1, 0, {Reply::Data("0102"_hex)});
  std::array<uint8_t, 64> room{};

  const auto length =
      Run(clock, control.Transfer({.request_type = kVendorIn, .request = 1, .in = room}));

  BOOST_TEST(length.value() == 2u);
}

BOOST_AUTO_TEST_CASE(bytes_go_out_with_their_length) {
  device.Answer(kVendorOut, 9, 0, {Reply::Data({})});
  constexpr auto kBytes = "aabbcc"_hex;

  const auto length =
      Run(clock, control.Transfer({.request_type = kVendorOut, .request = 9, .out = kBytes}));

  BOOST_TEST(length.has_value());
  BOOST_TEST(device.log().at(0) == "control 4009000000000300");
}

BOOST_AUTO_TEST_CASE(a_refusal_is_stalled) {
  const auto length = Run(clock, control.Transfer({.request_type = kVendorOut, .request = 1}));

  BOOST_TEST((length.error().kind == ErrorKind::kStalled));
  BOOST_TEST((length.error().phase == Phase::kControl));
}

BOOST_AUTO_TEST_CASE(silence_ends_with_the_timeout) {
  device.Answer(kVendorOut, 1, 0, {Reply::Silence()});

  const auto length =
      Run(clock, control.Transfer({.request_type = kVendorOut, .request = 1, .timeout = 1500ms}));

  BOOST_TEST((length.error().kind == ErrorKind::kTimedOut));
  BOOST_TEST(((clock.Now() - TimePoint{}) == 1500ms));
  // The next request is not disturbed by the last one's time.
  device.Answer(kVendorOut, 1, 0, {Reply::Data({})});
  BOOST_TEST(Run(clock, control.Transfer({.request_type = kVendorOut, .request = 1})).has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_decided_before_the_timeout_counts) {
  device.Answer(kVendorOut, 1, 0, {Reply::Silence()});
  device.cancel_outcome = usb::Outcome::kOk;

  BOOST_TEST(Run(clock, control.Transfer({.request_type = kVendorOut, .request = 1})).has_value());
}

BOOST_AUTO_TEST_CASE(cancelling_is_not_a_timeout) {
  device.Answer(kVendorOut, 1, 0, {Reply::Silence()});
  async::Job<Result<uint32_t>> job(clock,
                                   control.Transfer({.request_type = kVendorOut, .request = 1}));
  clock.RunPosted();
  BOOST_TEST(!job.done());

  job.Cancel();
  clock.RunPosted();

  BOOST_TEST(job.done());
  BOOST_TEST((job.result().error().kind == ErrorKind::kCancelled));
  BOOST_TEST((clock.Now() == TimePoint{}));
}

BOOST_AUTO_TEST_CASE(one_request_at_a_time) {
  device.Answer(kVendorOut, 1, 0, {Reply::Silence()});
  async::Job<Result<uint32_t>> first(
      clock, control.Transfer({.request_type = kVendorOut, .request = 1, .timeout = 1s}));

  const auto second = Run(clock, control.Transfer({.request_type = kVendorOut, .request = 2}));
  const auto third = Run(clock, control.Request(usb::ResetPort{}));

  BOOST_TEST((second.error().kind == ErrorKind::kBusy));
  BOOST_TEST((third.error().kind == ErrorKind::kBusy));
  BOOST_TEST(device.log().size() == 1u);
  BOOST_TEST(clock.RunUntil([&] { return first.done(); }));
}

BOOST_AUTO_TEST_CASE(set_configuration_becomes_a_port_request) {
  const auto length = Run(clock, control.Transfer({.request = 9, .value = 2}));

  BOOST_TEST(length.value() == 0u);
  BOOST_TEST(device.log().at(0) == "set configuration 2");
}

BOOST_AUTO_TEST_CASE(a_refused_port_request_is_named) {
  device.AnswerPort("reset port", usb::Outcome::kFault);

  const auto done = Run(clock, control.Request(usb::ResetPort{}));

  BOOST_TEST(done.error().Describe() == "fault in control: reset port");
}

BOOST_AUTO_TEST_CASE(more_than_wLength_can_say_is_refused) {
  std::vector<uint8_t> bytes(0x10000);

  const auto length =
      Run(clock, control.Transfer({.request_type = kVendorOut, .request = 1, .out = bytes}));

  BOOST_TEST((length.error().kind == ErrorKind::kInvalid));
  BOOST_TEST(length.error().values.at(0) == 0x10000u);
  BOOST_TEST(device.log().empty());
}

BOOST_AUTO_TEST_CASE(bytes_against_the_direction_are_refused) {
  constexpr auto kBytes = "aa"_hex;

  const auto length =
      Run(clock, control.Transfer({.request_type = kVendorIn, .request = 1, .out = kBytes}));

  BOOST_TEST((length.error().kind == ErrorKind::kInvalid));
}

BOOST_AUTO_TEST_CASE(a_device_that_goes_away_in_mid_request_is_disconnected) {
  device.VanishAt(0);
  BOOST_TEST(
      (Run(clock, control.Transfer({.request_type = kVendorOut, .request = 1})).error().kind ==
       ErrorKind::kDisconnected));
  BOOST_TEST(
      (Run(clock, control.Request(usb::ResetPort{})).error().kind == ErrorKind::kDisconnected));
}

BOOST_AUTO_TEST_SUITE_END()
