#include "host/device_description.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/host/descriptors.h"
#include "tests/host/run.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;

namespace {

std::vector<uint8_t> Vector(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

struct Bench {
  Bench() { ScriptWellBuilt(device, 1); }
  Result<DeviceDescription> Read() { return Run(clock, ReadDescription(control, 5s)); }
  std::string Refusal() { return Read().error().Describe(); }
  ManualClock clock;
  ScriptedDevice device{clock};
  Control control{clock, device};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(device_description, Bench)

BOOST_AUTO_TEST_CASE(everything_a_device_says_is_there) {
  const DeviceDescription description = Read().value();

  BOOST_TEST(description.device.vendor_id == 0x1234);
  BOOST_TEST(description.device_bytes == Vector(kDeviceBytes), boost::test_tools::per_element());
  BOOST_TEST(description.configurations.size() == 1u);
  BOOST_TEST(description.configurations[0].bytes == Vector(kConfigurationBytes),
             boost::test_tools::per_element());
  BOOST_TEST(
      description.configurations[0].tree.interfaces.at(0).alternates.at(0).endpoints.size() == 2u);
  BOOST_TEST(description.Find(1) == &description.configurations[0]);
  BOOST_TEST(description.Find(2) == nullptr);
  BOOST_TEST(*description.active_value == 1);
  BOOST_TEST(description.language == 0x0409);
  BOOST_TEST(*description.manufacturer == "Acme");
  BOOST_TEST(*description.product == "Disk");
  BOOST_TEST(*description.serial == "12");
  BOOST_TEST(description.defects.empty());
}

BOOST_AUTO_TEST_CASE(a_configuration_is_asked_for_its_head_then_for_all_of_it) {
  BOOST_TEST(Read().has_value());

  BOOST_TEST(device.Count("control 8006000200000900") == 1u);  // 9 bytes
  BOOST_TEST(device.Count("control 8006000200002000") == 1u);  // 32 bytes
}

BOOST_AUTO_TEST_CASE(the_bos_is_not_read_unasked) {
  BOOST_TEST(Read().has_value());

  for (const std::string& entry : device.log()) BOOST_TEST(!entry.starts_with("control 8006000f"));
}

BOOST_AUTO_TEST_CASE(nothing_changes_the_state_of_the_device) {
  BOOST_TEST(Read().has_value());

  for (const std::string& entry : device.log()) BOOST_TEST(entry.starts_with("control 80"));
}

// ---- The device descriptor ----

BOOST_AUTO_TEST_CASE(a_short_device_descriptor_is_an_error_with_its_length) {
  device.Descriptor(kDeviceValue, {Reply::Data(Bytes(kDeviceBytes).first(8))});

  BOOST_TEST(Refusal().find("8 bytes are too few for a descriptor of 18") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_device_that_has_no_device_descriptor_is_refused) {
  device.Descriptor(kDeviceValue, {Reply::Stall()});

  const Error error = Read().error();
  BOOST_TEST((error.kind == ErrorKind::kStalled));
  BOOST_TEST(error.Describe() == "stalled in control: the device descriptor was asked for");
}

BOOST_AUTO_TEST_CASE(a_silent_device_costs_one_timeout) {
  device.Descriptor(kDeviceValue, {Reply::Silence()});

  BOOST_TEST((Read().error().kind == ErrorKind::kTimedOut));
  BOOST_TEST(((clock.Now() - TimePoint{}) == 5s));
}

// ---- Configurations ----

BOOST_AUTO_TEST_CASE(a_head_of_too_few_bytes_is_an_error_with_its_length) {
  device.Descriptor(kConfigurationValue, {Reply::Data(Bytes(kConfigurationBytes).first(4))});

  BOOST_TEST(Refusal() ==
             "protocol error in control: 4 bytes came of a descriptor of type 2, at least 9 "
             "needed");
}

BOOST_AUTO_TEST_CASE(a_head_of_another_type_is_an_error) {
  device.Descriptor(kConfigurationValue, {Reply::Data("09 05 0900 00 01 00 80 32"_hex)});

  BOOST_TEST(Refusal() ==
             "protocol error in control: a descriptor of type 5 came, type 2 was asked for");
}

BOOST_AUTO_TEST_CASE(a_total_length_below_the_head_is_an_error) {
  device.Descriptor(kConfigurationValue, {Reply::Data("09 02 0400 01 01 00 80 32"_hex)});

  BOOST_TEST(Refusal() ==
             "protocol error in control: wTotalLength of descriptor 0 is 4, its head alone has 9 "
             "bytes");
}

BOOST_AUTO_TEST_CASE(a_total_length_that_grows_is_read_again) {
  auto grown = Vector(kConfigurationBytes);
  grown[2] = 0x22;  // and two bytes that nobody knows
  grown.insert(grown.end(), {0x02, 0xfe});
  device.Descriptor(kConfigurationValue,
                    {Reply::Data(kConfigurationBytes), Reply::Data(grown), Reply::Data(grown)});

  const DeviceDescription description = Read().value();

  BOOST_TEST(description.configurations.at(0).bytes == grown, boost::test_tools::per_element());
  BOOST_TEST(device.Count("control 8006000200002200") == 1u);
}

BOOST_AUTO_TEST_CASE(a_total_length_that_never_settles_comes_to_an_end) {
  std::vector<Reply> replies;
  for (uint8_t length = 9; length < 40; ++length) {
    auto bytes = Vector(kConfigurationBytes);
    bytes.resize(length + 1u);
    bytes[2] = static_cast<uint8_t>(length + 1);
    replies.push_back(Reply::Data(bytes));
  }
  device.Descriptor(kConfigurationValue, replies);

  const auto description = Read();

  BOOST_TEST(description.has_value());
  BOOST_TEST(!description->configurations.at(0).tree.defects.empty());
  BOOST_TEST(device.log().size() < 20u);
}

BOOST_AUTO_TEST_CASE(a_second_answer_that_is_short_is_a_defect) {
  device.Descriptor(kConfigurationValue, {Reply::Data(kConfigurationBytes),
                                          Reply::Data(Bytes(kConfigurationBytes).first(25))});

  const DeviceDescription description = Read().value();

  const usb::Configuration& tree = description.configurations.at(0).tree;
  BOOST_TEST(tree.interfaces.at(0).alternates.at(0).endpoints.size() == 1u);
  BOOST_TEST(tree.defects.at(0).Describe().find("wTotalLength is 32, but 25 bytes came") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_configuration_that_cannot_be_read_is_a_defect) {
  auto two = Vector(kDeviceBytes);
  two[17] = 2;
  device.Descriptor(kDeviceValue, {Reply::Data(two)});
  device.Descriptor(kConfigurationValue + 1, {Reply::Stall()});

  const DeviceDescription description = Read().value();

  BOOST_TEST(description.configurations.size() == 1u);
  BOOST_TEST(description.defects.at(0).Describe() ==
             "stalled in control: the configuration with index 1 was asked for: left out");
}

BOOST_AUTO_TEST_CASE(as_many_configurations_are_read_as_any_device_has) {
  auto many = Vector(kDeviceBytes);
  many[17] = 0xff;
  device.Descriptor(kDeviceValue, {Reply::Data(many)});
  for (uint16_t index = 0; index < 0xff; ++index) {
    device.Descriptor(static_cast<uint16_t>(kConfigurationValue + index),
                      {Reply::Data(kConfigurationBytes)});
  }

  const DeviceDescription description = Read().value();

  BOOST_TEST(description.configurations.size() == DeviceDescription::kConfigurationsMax);
  BOOST_TEST(description.defects.at(0).values.at(0) == 0xffu);
}

BOOST_AUTO_TEST_CASE(a_device_that_does_not_tell_its_configuration_is_described_all_the_same) {
  device.Answer(0x80, 8, 0, {Reply::Stall()});

  const DeviceDescription description = Read().value();

  BOOST_TEST(!description.active_value.has_value());
  BOOST_TEST(description.defects.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_configuration_value_of_no_bytes_is_a_defect) {
  device.Answer(0x80, 8, 0, {Reply::Data({})});

  const DeviceDescription description = Read().value();

  BOOST_TEST(!description.active_value.has_value());
  BOOST_TEST(description.defects.at(0).Describe() ==
             "protocol error in control: 0 bytes came of the configuration value, 1 expected");
}

// ---- Strings ----

BOOST_AUTO_TEST_CASE(a_device_without_strings_is_not_asked_for_any) {
  auto none = Vector(kDeviceBytes);
  none[14] = none[15] = none[16] = 0;
  device.Descriptor(kDeviceValue, {Reply::Data(none)});

  const DeviceDescription description = Read().value();

  BOOST_TEST(description.language == 0);
  BOOST_TEST(!description.serial.has_value());
  for (const std::string& entry : device.log()) {
    BOOST_TEST(entry.substr(0, 16) != "control 80060003");
  }
}

BOOST_AUTO_TEST_CASE(a_device_without_english_is_asked_in_its_first_language) {
  device.Descriptor(kStringValue, {Reply::Data("06 03 0704 0c04"_hex)});  // German, French

  BOOST_TEST(Read().value().language == 0x0407);
  BOOST_TEST(device.Count("control 800601030704ff00") == 1u);
}

BOOST_AUTO_TEST_CASE(english_is_preferred) {
  device.Descriptor(kStringValue, {Reply::Data("06 03 0704 0904"_hex)});

  BOOST_TEST(Read().value().language == 0x0409);
}

BOOST_AUTO_TEST_CASE(a_device_without_table_of_languages_is_asked_in_english) {
  device.Descriptor(kStringValue, {Reply::Stall()});

  const DeviceDescription description = Read().value();

  BOOST_TEST(*description.product == "Disk");
  BOOST_TEST(description.defects.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_string_that_cannot_be_asked_for_in_one_go_is_asked_for_in_two) {
  device.Descriptor(kStringValue + 2,
                    {Reply::Stall(), Reply::Data(kProductBytes), Reply::Data(kProductBytes)});

  const DeviceDescription description = Read().value();

  BOOST_TEST(*description.product == "Disk");
  BOOST_TEST(device.Count("control 8006020309040200") == 1u);  // the header
  BOOST_TEST(device.Count("control 8006020309040a00") == 1u);  // bLength bytes
}

BOOST_AUTO_TEST_CASE(a_bad_string_is_left_out) {
  device.Descriptor(kStringValue + 1, {Reply::Data("06 04 4100 4200"_hex)});  // not a string

  const DeviceDescription description = Read().value();

  BOOST_TEST(!description.manufacturer.has_value());
  BOOST_TEST(*description.product == "Disk");
  BOOST_TEST(description.defects.size() == 1u);
}

BOOST_AUTO_TEST_CASE(zeros_at_the_end_of_a_string_are_left_out) {
  device.Descriptor(kStringValue + 3, {Reply::Data("0a 03 3100 3200 0000 0000"_hex)});

  BOOST_TEST(*Read().value().serial == "12");
}

BOOST_AUTO_TEST_CASE(strings_that_time_out_cost_one_timeout) {
  device.Descriptor(kStringValue + 1, {Reply::Silence()});
  device.Descriptor(kStringValue + 2, {Reply::Silence()});
  device.Descriptor(kStringValue + 3, {Reply::Silence()});

  const DeviceDescription description = Read().value();

  BOOST_TEST(!description.serial.has_value());
  BOOST_TEST(((clock.Now() - TimePoint{}) == 5s));
}

// ---- The BOS ----

BOOST_AUTO_TEST_CASE(the_bos_is_read_when_asked_for) {
  constexpr auto kBos = "05 0f 0c00 01  07 10 02 02000000"_hex;
  device.Descriptor(kBosValue, {Reply::Data(kBos)});

  const auto bos = Run(clock, ReadBos(control, 5s));

  BOOST_TEST(bos->bytes == Vector(kBos), boost::test_tools::per_element());
  BOOST_TEST(*bos->store.usb2_attributes == 2u);
}

BOOST_AUTO_TEST_CASE(a_device_without_bos_refuses) {
  BOOST_TEST((Run(clock, ReadBos(control, 5s)).error().kind == ErrorKind::kStalled));
}

// ---- Trouble at every step ----

BOOST_AUTO_TEST_CASE(a_device_may_vanish_at_any_step) {
  size_t steps_count = 0;
  while (true) {
    ScriptedDevice vanishing(clock);
    ScriptWellBuilt(vanishing, 1);
    vanishing.VanishAt(steps_count);
    Control on_vanishing(clock, vanishing);

    const auto description = Run(clock, ReadDescription(on_vanishing, 5s));

    if (description) break;
    BOOST_TEST((description.error().kind == ErrorKind::kDisconnected));
    ++steps_count;
  }
  BOOST_TEST(steps_count == 8u);  // device, 2 x configuration, its value, languages, 3 strings
}

BOOST_AUTO_TEST_CASE(reading_may_be_cancelled_at_any_step) {
  size_t cancelled_count = 0;
  for (size_t steps_count = 0; steps_count < 40; ++steps_count) {
    std::optional<Result<DeviceDescription>> description;
    if (!RunAndCancel(clock, ReadDescription(control, 5s), steps_count, description)) break;
    if (*description) continue;  // it was past the last transfer
    BOOST_TEST((description->error().kind == ErrorKind::kCancelled));
    ++cancelled_count;
  }
  BOOST_TEST(cancelled_count >= 7u);
}

BOOST_AUTO_TEST_SUITE_END()
