// What devices get wrong in their descriptors.
#include "usb/descriptors.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/usb/configurations.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::Configuration;
using usb::EndpointConfig;
using usb::ParseConfiguration;
using usb::TransferType;

namespace {

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

}  // namespace

BOOST_AUTO_TEST_SUITE(descriptors_defect)

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

BOOST_AUTO_TEST_SUITE_END()
