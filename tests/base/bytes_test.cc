#include "base/bytes.h"

#include <boost/test/unit_test.hpp>

#include "base/error.h"

using namespace usbtwin;  // NOLINT

BOOST_AUTO_TEST_SUITE(bytes)

BOOST_AUTO_TEST_CASE(hex_literal_skips_separators) {
  constexpr auto kBytes = "55534243 01-ff"_hex;
  static_assert(kBytes.size() == 6);
  BOOST_TEST(kBytes[0] == 0x55);
  BOOST_TEST(kBytes[5] == 0xff);
}

BOOST_AUTO_TEST_CASE(hex_text_is_read_as_people_write_it) {
  const auto expected = std::vector<uint8_t>{0x12, 0x00, 0xff};
  for (const char* text : {"12 00 ff", "1200FF", "0x12,0x0,0xff", "12:00:ff", " 12 0 ff\n"}) {
    const auto bytes = ParseHex(text);
    BOOST_REQUIRE_MESSAGE(bytes.has_value(), text);
    BOOST_TEST(*bytes == expected, text);
  }
  BOOST_TEST(ParseHex("")->empty());
}

BOOST_AUTO_TEST_CASE(bad_hex_text_is_refused) {
  for (const char* text : {"zz", "123", "12 0g", "0x", "12 345", "-1"}) {
    BOOST_TEST(!ParseHex(text).has_value(), text);
  }
}

BOOST_AUTO_TEST_CASE(take_and_drop_never_pass_the_end) {
  constexpr auto kBytes = "010203"_hex;
  BOOST_TEST(Take(Bytes(kBytes), 9).size() == 3u);
  BOOST_TEST(Drop(Bytes(kBytes), 2).size() == 1u);
  BOOST_TEST(Drop(Bytes(kBytes), 9).empty());
}

BOOST_AUTO_TEST_CASE(an_error_names_the_thing_and_the_numbers) {
  const Error error{.kind = ErrorKind::kProtocol,
                    .phase = Phase::kStatus,
                    .endpoint = 0x81,
                    .length_actual = 13,
                    .text = "CSW tag {}, expected {}",
                    .values = {7, 6, 0}};
  BOOST_TEST(error.Describe() ==
             "protocol error in status on endpoint 81 after 13 bytes: CSW tag 7, expected 6");
}

BOOST_AUTO_TEST_SUITE_END()
