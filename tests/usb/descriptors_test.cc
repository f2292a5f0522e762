#include "usb/descriptors.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;  // NOLINT
using usb::Configuration;
using usb::Direction;
using usb::EndpointAddress;
using usb::EndpointConfig;
using usb::ParseConfiguration;
using usb::TransferType;

namespace {

// A SuperSpeed disk that offers BOT and, as alternate setting 1, UAS with its four pipes.
constexpr auto kDisk =
    "09 02 7900 01 01 00 c0 70"   // one interface, self-powered, 896 mA
    "09 04 00 00 02 08 06 50 00"  // alternate setting 0: BOT
    "07 05 81 02 0004 00"         // bulk in, 1024 bytes
    "06 30 0f 00 0000"            // bursts of 16
    "07 05 02 02 0004 00"         // bulk out
    "06 30 03 00 0000"
    "09 04 00 01 04 08 06 62 00"  // alternate setting 1: UAS
    "07 05 81 02 0004 00"
    "06 30 0f 05 0000"  // 32 streams
    "04 24 03 00"       // data-in
    "07 05 02 02 0004 00"
    "06 30 0f 05 0000"
    "04 24 04 00"  // data-out
    "07 05 83 02 0004 00"
    "06 30 00 05 0000"
    "04 24 02 00"  // status
    "07 05 04 02 0004 00"
    "06 30 00 00 0000"
    "04 24 01 00"_hex;  // command

// Two interfaces joined by an association, a class-specific descriptor in each place one can be.
constexpr auto kModem =
    "09 02 4400 02 03 04 a0 32"
    "03 ff 01"                    // unknown, before any interface
    "08 0b 00 02 02 02 01 05"     // association: interfaces 0 and 1
    "09 04 00 00 01 02 02 01 05"  // communications
    "05 24 00 10 01"              // class-specific: header
    "07 05 81 03 0800 10"         // interrupt in, 8 bytes
    "04 25 80 90"                 // class-specific, behind an endpoint
    "09 04 01 00 02 0a 00 00 00"  // data
    "07 05 82 02 0002 00"
    "07 05 01 02 0002 00"_hex;

std::vector<uint8_t> Bytes1(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// A configuration of the descriptors given, its lengths right.
std::vector<uint8_t> Chain(Bytes descriptors, uint8_t interfaces_count) {
  constexpr auto kHead = "09 02 0000 00 01 00 80 32"_hex;
  std::vector<uint8_t> chain(kHead.size() + descriptors.size());
  CopyBytes(Drop(MutableBytes(chain), CopyBytes(chain, kHead)), descriptors);
  chain[2] = static_cast<uint8_t>(chain.size());
  chain[3] = static_cast<uint8_t>(chain.size() >> 8);
  chain[4] = interfaces_count;
  return chain;
}

// What the header promises of every tree.
bool InvariantHolds(const Configuration& configuration) {
  for (const usb::Interface& interface : configuration.interfaces) {
    if (interface.alternates.empty()) return false;
    for (const usb::Alternate& alternate : interface.alternates) {
      if (FindAlternate(interface, alternate.setting) != &alternate) return false;
      for (const EndpointConfig& endpoint : alternate.endpoints) {
        const bool sized =
            endpoint.packet_size_max != 0 || endpoint.type == TransferType::kIsochronous;
        if (!sized || endpoint.address.number() == 0) return false;
        if (endpoint.burst_max > 15 || endpoint.pipe_usage > 4) return false;
        if (FindEndpoint(alternate, endpoint.address) != &endpoint) return false;
      }
    }
  }
  return true;
}

}  // namespace

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

// What may be wrong with a configuration, and how it is told.
struct Defect {
  const char* name;
  std::vector<uint8_t> chain;
  const char* text;  // the first defect
  size_t interfaces_count;
  size_t endpoints_count;  // of the first alternate setting
};
std::ostream& operator<<(std::ostream& out, const Defect& defect) {
  return out << defect.name;
}

const std::vector<Defect> kDefects{
    {"bLength zero", Chain("09 04 00 00 00 ff 00 00 00  00 05 81 02 4000 00"_hex, 1),
     "descriptor at offset 18 has bLength 0, 7 bytes are left", 1, 0},
    {"bLength one", Chain("09 04 00 00 00 ff 00 00 00  01"_hex, 1),
     "a single byte is left at offset 18", 1, 0},
    {"bLength past the end", Chain("09 04 00 00 01 ff 00 00 00  08 05 81 02 4000 00"_hex, 1),
     "descriptor at offset 18 has bLength 8, 7 bytes are left", 1, 0},
    {"interface descriptor too short", Chain("08 04 00 00 00 ff 00 00"_hex, 1),
     "interface descriptor at offset 9 has 8 bytes, 9 needed", 0, 0},
    {"what follows a dropped interface",
     Chain("08 04 00 00 00 ff 00 00  07 05 81 02 4000 00"
           "06 30 00 00 0000  03 ff 01"_hex,
           0),
     "interface descriptor at offset 9 has 8 bytes, 9 needed", 0, 0},
    {"endpoint descriptor too short", Chain("09 04 00 00 01 ff 00 00 00  06 05 81 02 4000"_hex, 1),
     "endpoint descriptor at offset 18 has 6 bytes, 7 needed", 1, 0},
    {"endpoint without interface", Chain("07 05 81 02 4000 00"_hex, 0),
     "endpoint descriptor at offset 9 belongs to no interface", 0, 0},
    {"endpoint zero", Chain("09 04 00 00 01 ff 00 00 00  07 05 80 02 4000 00"_hex, 1),
     "endpoint descriptor at offset 18 has address 128", 1, 0},
    {"endpoint without packets", Chain("09 04 00 00 01 ff 00 00 00  07 05 81 02 0000 00"_hex, 1),
     "endpoint address 129 at offset 18 moves packets of no bytes", 1, 0},
    {"endpoint twice",
     Chain("09 04 00 00 02 ff 00 00 00  07 05 81 02 4000 00"
           "07 05 f1 03 0800 00"_hex,
           1),  // reserved bits are no difference
     "endpoint address 129 again at offset 25", 1, 1},
    {"fewer endpoints than announced",
     Chain("09 04 00 00 02 ff 00 00 00"
           "07 05 81 02 4000 00"_hex,
           1),
     "interface at offset 9 has 1 endpoints, bNumEndpoints says 2", 1, 1},
    {"more endpoints than announced",
     Chain("09 04 00 00 00 ff 00 00 00"
           "07 05 81 02 4000 00"_hex,
           1),
     "interface at offset 9 has 1 endpoints, bNumEndpoints says 0", 1, 1},
    {"alternate setting twice",
     Chain("09 04 00 00 00 ff 00 00 00  09 04 00 00 01 08 06 50 00"
           "07 05 81 02 4000 00"_hex,
           1),
     "interface 0 has alternate setting 0 again at offset 18", 1, 0},
    {"no alternate setting 0", Chain("09 04 05 01 00 ff 00 00 00"_hex, 1),
     "interface 5 has no alternate setting 0", 1, 0},
    {"fewer interfaces than announced", Chain("09 04 00 00 00 ff 00 00 00"_hex, 255),
     "bNumInterfaces says 255, but 1 interfaces follow", 1, 0},
    {"companion without endpoint", Chain("09 04 00 00 00 ff 00 00 00  06 30 0f 05 0000"_hex, 1),
     "companion descriptor at offset 18 belongs to no endpoint", 1, 0},
    {"companion before any interface", Chain("06 30 0f 05 0000"_hex, 0),
     "companion descriptor at offset 9 belongs to no endpoint", 0, 0},
    {"companion twice",
     Chain("09 04 00 00 01 ff 00 00 00  07 05 81 02 0004 00"
           "06 30 00 00 0000  06 30 01 00 0000"_hex,
           1),
     "companion descriptor at offset 31 belongs to no endpoint", 1, 1},
    {"companion too short",
     Chain("09 04 00 00 01 ff 00 00 00  07 05 81 02 0004 00"
           "05 30 00 00 00"_hex,
           1),
     "companion descriptor at offset 25 has 5 bytes, 6 needed", 1, 1},
    {"bursts too long",
     Chain("09 04 00 00 01 ff 00 00 00  07 05 81 02 0004 00"
           "06 30 10 00 0000"_hex,
           1),
     "companion descriptor at offset 25 has bMaxBurst 16", 1, 1},
    {"too many streams",
     Chain("09 04 00 00 01 ff 00 00 00  07 05 81 02 0004 00"
           "06 30 00 1f 0000"_hex,
           1),
     "companion descriptor at offset 25 has 2 to the 31 streams", 1, 1},
    {"no such pipe", Chain("09 04 00 00 01 08 06 62 00  07 05 81 02 0002 00  04 24 05 00"_hex, 1),
     "pipe usage descriptor at offset 25 of 4 bytes names pipe 5", 1, 1},
    {"pipe usage without a pipe",
     Chain("09 04 00 00 01 08 06 62 00  07 05 81 02 0002 00"
           "02 24"_hex,
           1),
     "pipe usage descriptor at offset 25 of 2 bytes names pipe 0", 1, 1},
    {"association too short", Chain("07 0b 00 01 ff 00 00  09 04 00 00 00 ff 00 00 00"_hex, 1),
     "association descriptor at offset 9 has 7 bytes, 8 needed", 1, 0},
    {"association of nothing", Chain("08 0b 00 00 ff 00 00 00  09 04 00 00 00 ff 00 00 00"_hex, 1),
     "association descriptor at offset 9 names 0 interfaces from 0", 1, 0},
    {"association beyond the last number",
     Chain("08 0b ff 02 ff 00 00 00"
           "09 04 00 00 00 ff 00 00 00"_hex,
           1),
     "association descriptor at offset 9 names 2 interfaces from 255", 1, 0},
    {"association of what is not there",
     Chain("08 0b 00 02 ff 00 00 00"
           "09 04 00 00 00 ff 00 00 00"_hex,
           1),
     "an association names 2 interfaces from 0, 1 of them are free", 1, 0},
    {"configuration inside", Chain("09 02 0900 00 02 00 80 32  09 04 00 00 00 ff 00 00 00"_hex, 1),
     "descriptor of type 2 at offset 9 inside a configuration", 1, 0},
    {"wTotalLength too long", Bytes1("09 02 1300 01 01 00 80 32  09 04 00 00 00 ff 00 00 00"_hex),
     "wTotalLength is 19, but 18 bytes came", 1, 0},
    {"wTotalLength too short", Bytes1("09 02 0900 00 01 00 80 32  09 04 00 00 00 ff 00 00 00"_hex),
     "wTotalLength is 9, 9 bytes came after it", 0, 0},
    {"wTotalLength within a descriptor",
     Bytes1("09 02 1100 01 01 00 80 32  09 04 00 00 00 ff 00 00 00"_hex),
     "wTotalLength is 17, 1 bytes came after it", 0, 0},
    {"wTotalLength shorter than the head",
     Bytes1("09 02 0000 00 01 00 80 32  09 04 00 00 00 ff 00 00 00"_hex),
     "wTotalLength is 0, less than the head's 9", 0, 0},
    {"value zero", Bytes1("09 02 0900 00 00 00 80 32"_hex), "bConfigurationValue is 0", 0, 0},
};

BOOST_DATA_TEST_CASE(a_defect_is_told_and_worked_around, boost::unit_test::data::make(kDefects),
                     defect) {
  const Result<Configuration> configuration = ParseConfiguration(defect.chain);
  BOOST_REQUIRE(configuration);
  BOOST_REQUIRE(!configuration->defects.empty());
  BOOST_TEST(configuration->defects[0].Describe() == std::string("protocol error: ") + defect.text);
  BOOST_TEST(configuration->interfaces.size() == defect.interfaces_count);
  if (configuration->interfaces.empty()) return;
  BOOST_TEST(configuration->interfaces[0].alternates[0].endpoints.size() == defect.endpoints_count);
}

BOOST_AUTO_TEST_CASE(a_dropped_setting_takes_its_endpoints_along) {
  const auto chain = Chain(
      "09 04 00 00 01 ff 00 00 00  07 05 81 02 4000 00"
      "09 04 00 00 01 08 06 50 00  07 05 82 02 4000 00  06 30 00 00 0000  03 ff 01"_hex,
      1);
  const Result<Configuration> configuration = ParseConfiguration(chain);
  BOOST_TEST(configuration->defects.size() == 1u);
  BOOST_TEST(configuration->interfaces[0].alternates.size() == 1u);
  BOOST_TEST(configuration->interfaces[0].alternates[0].interface_class == 0xff);
  BOOST_TEST(configuration->interfaces[0].alternates[0].endpoints.size() == 1u);
  BOOST_TEST(configuration->extra.empty());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_configuration_are_refused) {
  const auto text = [](Bytes bytes) { return ParseConfiguration(bytes).error().Describe(); };
  BOOST_TEST(text({}) == "protocol error: 0 bytes are too few for a descriptor of 9");
  BOOST_TEST(text("09 02 0900 00 01 00 80"_hex) ==
             "protocol error: 8 bytes are too few for a descriptor of 9");
  BOOST_TEST(text("08 02 0900 00 01 00 80 32"_hex) ==
             "protocol error: bLength is 8, 9 needed, 9 bytes came");
  BOOST_TEST(text("0a 02 0900 00 01 00 80 32"_hex) ==
             "protocol error: bLength is 10, 9 needed, 9 bytes came");
  BOOST_TEST(text("09 01 0900 00 01 00 80 32"_hex) ==
             "protocol error: descriptor of type 1 where a configuration was asked for");
}

BOOST_AUTO_TEST_CASE(no_truncation_goes_unnoticed) {
  for (const Bytes blob : {Bytes(kDisk), Bytes(kModem)}) {
    for (size_t length = 0; length < blob.size(); ++length) {
      // A copy of its own, so that AddressSanitizer sees one byte too far.
      const std::vector<uint8_t> cut = Bytes1(blob.first(length));
      const Result<Configuration> configuration = ParseConfiguration(cut);
      BOOST_TEST((!configuration || !configuration->defects.empty()), "at length " << length);
    }
  }
}

BOOST_AUTO_TEST_CASE(no_single_changed_byte_breaks_the_invariant) {
  for (const Bytes blob : {Bytes(kDisk), Bytes(kModem)}) {
    for (size_t index = 0; index < blob.size(); ++index) {
      for (unsigned value = 0; value < 256; ++value) {
        std::vector<uint8_t> changed = Bytes1(blob);
        changed[index] = static_cast<uint8_t>(value);
        const Result<Configuration> configuration = ParseConfiguration(changed);
        if (!configuration) continue;
        BOOST_REQUIRE(InvariantHolds(*configuration));
      }
    }
  }
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

BOOST_AUTO_TEST_CASE(a_flood_of_defects_is_bounded) {
  std::vector<uint8_t> endpoints;
  while (endpoints.size() + 7 <= 65535 - 9) {
    const auto endpoint = "07 05 81 02 4000 00"_hex;
    endpoints.insert(endpoints.end(), endpoint.begin(), endpoint.end());
  }
  const std::vector<uint8_t> chain = Chain(endpoints, 0);
  const Result<Configuration> configuration = ParseConfiguration(chain);
  BOOST_TEST(configuration->defects.size() == Configuration::kDefectsMax);
  BOOST_TEST(configuration->interfaces.empty());
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
