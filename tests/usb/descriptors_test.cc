#include "usb/descriptors.h"

#include <boost/test/unit_test.hpp>

#include "tests/usb/configurations.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::Configuration;
using usb::Direction;
using usb::EndpointAddress;
using usb::EndpointConfig;
using usb::ParseConfiguration;
using usb::TransferType;

BOOST_AUTO_TEST_SUITE(descriptors)

BOOST_AUTO_TEST_CASE(a_disk_with_two_alternates_is_read_whole) {
  const Result<Configuration> disk = ParseConfiguration(kDisk);
  BOOST_REQUIRE(disk);
  BOOST_TEST(disk->defects.empty());
  BOOST_TEST(disk->value == 1);
  BOOST_TEST(disk->self_powered());
  BOOST_TEST(!disk->remote_wakeup());
  BOOST_TEST(disk->power_ma(usb::Speed::kSuper) == 896);
  BOOST_TEST(disk->power_ma(usb::Speed::kHigh) == 224);

  BOOST_REQUIRE(disk->interfaces.size() == 1u);
  const std::vector<usb::Alternate>& alternates = disk->interfaces[0].alternates;
  BOOST_REQUIRE(alternates.size() == 2u);
  BOOST_TEST(
      (alternates[0].endpoints == std::vector<EndpointConfig>{{.address = EndpointAddress::In(1),
                                                               .type = TransferType::kBulk,
                                                               .packet_size_max = 1024,
                                                               .burst_max = 15},
                                                              {.address = EndpointAddress::Out(2),
                                                               .type = TransferType::kBulk,
                                                               .packet_size_max = 1024,
                                                               .burst_max = 3}}));
  BOOST_REQUIRE(alternates[1].endpoints.size() == 4u);
  BOOST_TEST(alternates[1].interface_protocol == 0x62);
  BOOST_TEST(alternates[1].endpoints[0].streams_max == 32);
  BOOST_TEST(alternates[1].endpoints[3].streams_max == 0);
  BOOST_TEST(alternates[1].extra.empty());
}

BOOST_AUTO_TEST_CASE(uas_pipes_are_found_by_their_usage) {
  const Result<Configuration> disk = ParseConfiguration(kDisk);
  const usb::Alternate& uas = disk->interfaces[0].alternates[1];
  using wire::usb::PipeId;
  BOOST_TEST(FindPipe(uas, PipeId::kCommand)->address.value == 0x04);
  BOOST_TEST(FindPipe(uas, PipeId::kStatus)->address.value == 0x83);
  BOOST_TEST(FindPipe(uas, PipeId::kDataIn)->address.value == 0x81);
  BOOST_TEST(FindPipe(uas, PipeId::kDataOut)->address.value == 0x02);
  BOOST_TEST(FindPipe(disk->interfaces[0].alternates[0], PipeId::kCommand) == nullptr);
}

BOOST_AUTO_TEST_CASE(interfaces_are_found_by_what_they_are) {
  const Result<Configuration> disk = ParseConfiguration(kDisk);
  const auto uas = FindAlternates(*disk, {.interface_class = 8, .interface_protocol = 0x62});
  BOOST_REQUIRE(uas.size() == 1u);
  BOOST_TEST(uas[0].alternate->setting == 1);
  BOOST_TEST(uas[0].interface->number == 0);
  BOOST_TEST(FindAlternates(*disk, {}).size() == 2u);
  BOOST_TEST(FindAlternates(*disk, {.interface_subclass = 7}).empty());

  const usb::Alternate& bot = disk->interfaces[0].alternates[0];
  BOOST_TEST(FindPipe(bot, TransferType::kBulk, Direction::kIn)->address.value == 0x81);
  BOOST_TEST(FindPipe(bot, TransferType::kBulk, Direction::kOut)->address.value == 0x02);
  BOOST_TEST(FindPipe(bot, TransferType::kInterrupt, Direction::kIn) == nullptr);
  BOOST_TEST(FindInterface(*disk, 1) == nullptr);
  BOOST_TEST(FindAlternate(disk->interfaces[0], 2) == nullptr);
  BOOST_TEST(FindEndpoint(bot, EndpointAddress::In(2)) == nullptr);
}

BOOST_AUTO_TEST_CASE(associations_and_class_descriptors_are_kept) {
  const Result<Configuration> modem = ParseConfiguration(kModem);
  BOOST_REQUIRE(modem);
  BOOST_TEST(modem->defects.empty());
  BOOST_TEST(modem->string_index == 4);
  BOOST_TEST(modem->remote_wakeup());
  BOOST_TEST(modem->extra == Bytes1("03 ff 01"_hex));
  BOOST_REQUIRE(modem->interfaces.size() == 2u);
  const usb::Association association{.interface_first = 0,
                                     .interfaces_count = 2,
                                     .function_class = 2,
                                     .function_subclass = 2,
                                     .function_protocol = 1,
                                     .string_index = 5};
  BOOST_TEST((modem->interfaces[0].association == association));
  BOOST_TEST((modem->interfaces[1].association == association));
  // 24h is a pipe usage in UAS only, and 25h nobody here knows.
  BOOST_TEST(modem->interfaces[0].alternates[0].extra == Bytes1("05 24 00 10 01 04 25 80 90"_hex));
  BOOST_TEST(modem->interfaces[0].alternates[0].endpoints[0].interval == 16);
  BOOST_TEST(modem->interfaces[0].alternates[0].endpoints[0].pipe_usage == 0);
}

BOOST_AUTO_TEST_CASE(an_other_speed_configuration_is_one_too) {
  auto other = kModem;
  other[1] = 7;
  BOOST_TEST(ParseConfiguration(other)->interfaces.size() == 2u);
}

BOOST_AUTO_TEST_CASE(longer_descriptors_than_known_are_read_by_their_own_length) {
  const auto chain = Chain(
      "0b 04 00 00 02 01 02 00 00 aabb"
      "09 05 81 05 c013 01 00 82"  // an audio device's endpoint: two bytes more, 3 x 960 bytes
      "07 05 02 02 4000 00"_hex,
      1);
  const Result<Configuration> audio = ParseConfiguration(chain);
  BOOST_TEST(audio->defects.empty());
  const auto& endpoints = audio->interfaces[0].alternates[0].endpoints;
  BOOST_REQUIRE(endpoints.size() == 2u);
  BOOST_TEST((endpoints[0].type == TransferType::kIsochronous));
  BOOST_TEST(endpoints[0].packet_size_max == 960);
  BOOST_TEST(endpoints[0].transactions_extra == 2);
}

BOOST_AUTO_TEST_CASE(there_may_be_255_interfaces) {
  std::vector<uint8_t> interfaces;
  for (uint8_t number = 0; number < 255; ++number) {
    auto interface = "09 04 00 00 00 ff 00 00 00"_hex;
    interface[2] = number;
    interfaces.insert(interfaces.end(), interface.begin(), interface.end());
  }
  const Result<Configuration> configuration = ParseConfiguration(Chain(interfaces, 255));
  BOOST_TEST(configuration->defects.empty());
  BOOST_TEST(configuration->interfaces.size() == 255u);
  BOOST_TEST(FindInterface(*configuration, 254)->number == 254);
}

BOOST_AUTO_TEST_CASE(a_device_descriptor_is_checked_against_the_speed) {
  const auto stick = "12 01 0002 00 00 00 40 1d6b 0401 0001 01 02 03 01"_hex;
  using usb::ParseDevice;
  using usb::Speed;
  BOOST_REQUIRE(ParseDevice(stick, Speed::kHigh));
  BOOST_TEST(ParseDevice(stick, Speed::kHigh)->usb_version == 0x0200);
  BOOST_TEST(ParseDevice(stick, Speed::kFull).has_value());
  BOOST_TEST(ParseDevice(stick, Speed::kLow).error().Describe() ==
             "protocol error: bMaxPacketSize0 is 64");
  BOOST_TEST(!ParseDevice(stick, Speed::kSuper).has_value());
  BOOST_TEST(ParseDevice(stick, std::nullopt).has_value());

  auto changed = stick;
  changed[17] = 0;
  BOOST_TEST(ParseDevice(changed, Speed::kHigh).error().Describe() ==
             "protocol error: bNumConfigurations is 0");
  changed = stick;
  changed[1] = 2;
  BOOST_TEST(ParseDevice(changed, Speed::kHigh).error().Describe() ==
             "protocol error: descriptor of type 2 where a device's was asked for");
  changed = stick;
  changed[0] = 17;
  BOOST_TEST(!ParseDevice(changed, Speed::kHigh).has_value());
  for (size_t length = 0; length < stick.size(); ++length) {
    BOOST_TEST(!ParseDevice(Bytes1(Bytes(stick).first(length)), Speed::kHigh).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
