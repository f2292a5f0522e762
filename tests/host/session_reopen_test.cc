// The last rung of recovery: the same device, opened anew, and no other.
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

using Bench = SessionBench;

constexpr auto kTestUnitReady = "000000000000"_hex;
const ScsiRequest kRequest{.cdb = kTestUnitReady};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(session_reopen, Bench)

BOOST_AUTO_TEST_CASE(a_device_that_comes_back_is_set_up_as_before) {
  ScriptedDevice second(clock);
  ScriptWellBuilt(second, 0);
  ScsiTransport& transport = **OpenStorage();
  device.VanishAt(0);
  bus.device = &second;
  bus.present_from = TimePoint{} + 700ms;

  const auto lost = Run(clock, transport.Execute(kRequest));
  BOOST_TEST((lost.error().kind == ErrorKind::kDisconnected));
  BOOST_TEST(((clock.Now() - TimePoint{}) == 700ms));
  BOOST_TEST(second.Count("set configuration 1") == 1u);
  BOOST_TEST(second.Count("claim interface 0") == 1u);
  BOOST_TEST(second.Count("bulk 02") == 0u);

  const auto next = Run(clock, transport.Execute(kRequest));
  BOOST_TEST(!next.has_value());
  BOOST_TEST(second.Count("bulk 02") == 1u);
  second.ClearLog();
  BOOST_TEST(Run(clock, session.Close()).has_value());
  BOOST_TEST(second.Count("release interface 0") == 1u);
}

BOOST_AUTO_TEST_CASE(a_device_that_stays_away_is_waited_for_once) {
  ScsiTransport& transport = **OpenStorage();
  device.VanishAt(0);
  bus.device = nullptr;

  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kDisconnected));
  BOOST_TEST(((clock.Now() - TimePoint{}) == 2s));
  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kDisconnected));
  BOOST_TEST(((clock.Now() - TimePoint{}) == 2s));
  BOOST_TEST(Run(clock, session.Close()).has_value());
}

struct OtherDeviceCase {
  const char* name;
  void (*change)(ScriptedDevice&);
  const char* error;
  friend std::ostream& operator<<(std::ostream& out, const OtherDeviceCase& sample) {
    return out << sample.name;
  }
};
const std::array kOtherDevices{
    OtherDeviceCase{"another_product",
                    [](ScriptedDevice& device) {
                      auto bytes = kDeviceBytes;
                      bytes[10] ^= 1;
                      device.Descriptor(kDeviceValue, {Reply::Data(bytes)});
                    },
                    "disconnected in command on endpoint 02: another device is at this port now: "
                    "idVendor 4660, idProduct 22137"},
    OtherDeviceCase{"another_serial_number",
                    [](ScriptedDevice& device) {
                      device.Descriptor(kStringValue + 3, {Reply::Data(kProductBytes)});
                    },
                    "disconnected in command on endpoint 02: another device is at this port now: "
                    "idVendor 4660, idProduct 22136"},
    OtherDeviceCase{
        "another_serial_number_at_the_second_reading",
        [](ScriptedDevice& device) {
          device.Descriptor(kStringValue + 3, {Reply::Stall(), Reply::Data(kProductBytes)});
        },
        "disconnected in command on endpoint 02: another device is at this port now: "
        "idVendor 4660, idProduct 22136"},
    OtherDeviceCase{"another_configuration",
                    [](ScriptedDevice& device) {
                      auto bytes = kConfigurationBytes;
                      bytes[20] = 0x83;
                      device.Descriptor(kConfigurationValue, {Reply::Data(bytes)});
                    },
                    "disconnected in command on endpoint 02: the device has come back with another "
                    "configuration 1"},
};
BOOST_DATA_TEST_CASE_F(Bench, another_device_at_the_same_port_gets_no_command,
                       boost::unit_test::data::make(kOtherDevices)) {
  ScriptedDevice second(clock);
  ScriptWellBuilt(second, 1);
  sample.change(second);
  ScsiTransport& transport = **OpenStorage();
  device.VanishAt(0);
  bus.device = &second;

  for (int round = 0; round < 2; ++round) {
    const auto refused = Run(clock, transport.Execute(kRequest));
    BOOST_TEST(refused.error().Describe() == sample.error);
  }

  for (const std::string& entry : second.log()) BOOST_TEST(entry.starts_with("control 80"));
  BOOST_TEST(Run(clock, session.Close()).has_value());
}

BOOST_AUTO_TEST_CASE(the_link_of_before_is_not_used_beside_another_device) {
  ScriptedDevice second(clock);
  ScriptWellBuilt(second, 1);
  second.Descriptor(kStringValue + 3, {Reply::Data(kProductBytes)});
  ScsiTransport& transport = **OpenStorage();
  // The first one is still there, but no recovery helps; no bulk transfer succeeds with it.
  device.AnswerPort("reset port", Outcome::kFault);
  bus.device = &second;
  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kFault));
  BOOST_TEST(device.log().back() == "release interface 0");
  device.ClearLog();

  const auto next = Run(clock, transport.Execute(kRequest));
  const auto reset = Run(clock, session.control().Request(usb::ResetPort{}));

  BOOST_TEST(next.error().Describe() ==
             "disconnected in command on endpoint 02: another device is at this port now: "
             "idVendor 4660, idProduct 22136");
  BOOST_TEST((reset.error().kind == ErrorKind::kDisconnected));
  BOOST_TEST((session.caps().speed == usb::Speed::kHigh));
  BOOST_TEST(device.log().empty());

  // It is used again once it is back.
  bus.device = &device;
  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kDisconnected));
  BOOST_TEST(device.Count("claim interface 0") == 1u);
  BOOST_TEST(device.Count("bulk 02") == 0u);
  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kFault));
  BOOST_TEST(device.Count("bulk 02") == 1u);
  BOOST_TEST(Run(clock, session.Close()).has_value());
}

struct SerialCase {
  const char* name;
  std::vector<Reply> before;
  std::vector<Reply> after;
  size_t defects_count;
  friend std::ostream& operator<<(std::ostream& out, const SerialCase& sample) {
    return out << sample.name;
  }
};
const std::array kSerialCases{
    SerialCase{
        "read_again", {Reply::Data(kSerialBytes)}, {Reply::Stall(), Reply::Data(kSerialBytes)}, 0},
    SerialCase{"not_read_again", {Reply::Data(kSerialBytes)}, {Reply::Stall()}, 1},
    SerialCase{"no_answer", {Reply::Data(kSerialBytes)}, {Reply::Silence()}, 1},
    SerialCase{"never_read", {Reply::Stall()}, {Reply::Stall()}, 1},
    SerialCase{"read_only_now", {Reply::Stall()}, {Reply::Data(kSerialBytes)}, 1},
};
BOOST_DATA_TEST_CASE_F(Bench, a_serial_number_that_is_not_read_is_no_other_device,
                       boost::unit_test::data::make(kSerialCases)) {
  ScriptedDevice second(clock);
  ScriptWellBuilt(second, 1);
  second.Descriptor(kStringValue + 3, sample.after);
  ScriptedDevice third(clock);
  ScriptWellBuilt(third, 1);
  third.Descriptor(kStringValue + 3, sample.after);
  device.Descriptor(kStringValue + 3, sample.before);
  ScsiTransport& transport = **OpenStorage();

  device.VanishAt(0);
  bus.device = &second;
  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kDisconnected));
  BOOST_TEST(second.Count("claim interface 0") == 1u);
  BOOST_TEST(session.defects().size() == sample.defects_count);

  second.VanishAt(0);
  bus.device = &third;
  BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kDisconnected));
  BOOST_TEST(third.Count("claim interface 0") == 1u);
  BOOST_TEST(session.defects().size() == sample.defects_count);
  BOOST_TEST(Run(clock, session.Close()).has_value());
}

BOOST_AUTO_TEST_CASE(a_device_may_vanish_at_any_step_of_coming_back) {
  for (size_t steps_count = 0; steps_count < 12; ++steps_count) {
    ScriptedDevice first(clock);
    ScriptWellBuilt(first, 1);
    bus.device = &first;
    Session other(clock, bus, OnePortBus::Id());
    BOOST_REQUIRE(Run(clock, other.Open()).has_value());
    ScsiTransport& transport = *Run(clock, other.OpenStorage({})).value();
    ScriptedDevice second(clock);
    ScriptWellBuilt(second, 0);
    second.VanishAt(steps_count);
    first.VanishAt(0);
    bus.device = &second;

    BOOST_TEST((Run(clock, transport.Execute(kRequest)).error().kind == ErrorKind::kDisconnected));
    BOOST_TEST(!Run(clock, transport.Execute(kRequest)).has_value());
    BOOST_TEST(Run(clock, other.Close()).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
