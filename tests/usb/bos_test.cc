#include "usb/bos.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;  // NOLINT
using usb::BinaryObjectStore;
using usb::ParseBos;

namespace {

constexpr auto kBos =
    "05 0f 5200 05"
    "07 10 02 02000000"                                  // USB 2.0 extension: link power management
    "0a 10 03 00 0e00 01 0a ff07"                        // SuperSpeed
    "14 10 0a 00 01000000 0111 0000 31400a00 b1400a00"   // SuperSpeedPlus: 10 Gb/s, both ways
    "14 10 04 00 000102030405060708090a0b0c0d0e0f"       // container id
    "14 10 05 00 df60ddd88945c74c9cd2659d9e648a9f"_hex;  // platform: nobody here knows it

std::vector<uint8_t> Copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bos)

BOOST_AUTO_TEST_CASE(capabilities_are_read) {
  const Result<BinaryObjectStore> store = ParseBos(kBos);
  BOOST_REQUIRE(store);
  BOOST_TEST(store->defects.empty());
  BOOST_TEST(store->usb2_attributes.value() == 2u);
  BOOST_TEST(store->super_speed.value().speeds == 0x0e);
  BOOST_TEST(store->super_speed.value().u2_exit_latency_us == 0x07ff);
  const usb::SuperSpeedPlusInfo plus{
      .speed_id = 1, .rx_lanes_min = 1, .tx_lanes_min = 1, .sublinks = {0x000a4031, 0x000a40b1}};
  BOOST_TEST((store->super_speed_plus == plus));
  BOOST_TEST(wire::usb::SublinkMantissa(plus.sublinks[0]) == 10u);
  BOOST_TEST(store->container_id.value()[15] == 15);
  BOOST_REQUIRE(store->others.size() == 1u);
  BOOST_TEST(store->others[0].type == 5);
  BOOST_TEST(store->others[0].bytes.size() == 17u);
}

BOOST_AUTO_TEST_CASE(capabilities_too_short_for_their_type_stay_bytes) {
  const auto text =
      "05 0f 1900 03  03 10 02  08 10 03 00 0e00 01 0a"
      "09 10 0a 00 1f000000 11"_hex;  // 32 sublink speeds announced, none there
  const Result<BinaryObjectStore> store = ParseBos(text);
  BOOST_TEST(store->defects.empty());
  BOOST_TEST(!store->usb2_attributes.has_value());
  BOOST_TEST(!store->super_speed.has_value());
  BOOST_TEST(!store->super_speed_plus.has_value());
  BOOST_TEST(store->others.size() == 3u);
}

BOOST_AUTO_TEST_CASE(defects_are_told) {
  const auto first = [](Bytes bytes) { return ParseBos(bytes)->defects.at(0).Describe(); };
  BOOST_TEST(first("05 0f 0500 01"_hex) == "protocol error: bNumDeviceCaps says 1, but 0 follow");
  BOOST_TEST(first("05 0f 0800 01 03 0f 02"_hex) ==
             "protocol error: descriptor at offset 5 of type 15 and 3 bytes is no capability");
  BOOST_TEST(first("05 0f 0700 01 02 10"_hex) ==
             "protocol error: descriptor at offset 5 of type 16 and 2 bytes is no capability");
  BOOST_TEST(first("05 0f 0800 01 00 10 02"_hex) ==
             "protocol error: descriptor at offset 5 has bLength 0, 3 bytes are left");
  BOOST_TEST(first("05 0f 0900 01 03 10 02"_hex) ==
             "protocol error: wTotalLength is 9, but 8 bytes came");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_store_are_refused) {
  BOOST_TEST(ParseBos("05 0f 0500"_hex).error().Describe() ==
             "protocol error: 4 bytes are too few for a descriptor of 5");
  BOOST_TEST(ParseBos("04 0f 0500 00"_hex).error().Describe() ==
             "protocol error: bLength is 4, 5 needed, 5 bytes came");
  BOOST_TEST(ParseBos("05 02 0500 00"_hex).error().Describe() ==
             "protocol error: descriptor of type 2 where a BOS was asked for");
}

BOOST_AUTO_TEST_CASE(no_truncation_goes_unnoticed) {
  for (size_t length = 0; length < kBos.size(); ++length) {
    const Result<BinaryObjectStore> store = ParseBos(Copy(Bytes(kBos).first(length)));
    BOOST_TEST((!store || !store->defects.empty()), "at length " << length);
  }
}

BOOST_AUTO_TEST_CASE(the_number_of_capabilities_is_bounded) {
  std::vector<uint8_t> flood = Copy("05 0f ffff ff"_hex);
  for (size_t count = 0; count < 20000; ++count) {
    const auto capability = "03 10 63"_hex;
    flood.insert(flood.end(), capability.begin(), capability.end());
  }
  BOOST_TEST(ParseBos(flood)->others.size() == 255u);
}

BOOST_AUTO_TEST_SUITE_END()
