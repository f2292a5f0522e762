#include "app/hex_dump.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;

BOOST_AUTO_TEST_SUITE(hex_dump)

BOOST_AUTO_TEST_CASE(no_bytes_are_no_lines) {
  BOOST_TEST(app::HexDump({}) == "");
}

BOOST_AUTO_TEST_CASE(a_full_line_has_offset_two_groups_and_ascii) {
  constexpr auto kBytes = "00 00 06 02 1f 00 00 00 55 53 42 54 57 49 4e 7f"_hex;
  BOOST_TEST(app::HexDump(kBytes) ==
             "00000000  00 00 06 02 1f 00 00 00  55 53 42 54 57 49 4e 7f  |........USBTWIN.|\n");
}

BOOST_AUTO_TEST_CASE(a_short_last_line_keeps_its_columns) {
  std::vector<uint8_t> bytes(17, 0x41);
  bytes[16] = 0xff;
  BOOST_TEST(app::HexDump(bytes) ==
             "00000000  41 41 41 41 41 41 41 41  41 41 41 41 41 41 41 41  |AAAAAAAAAAAAAAAA|\n"
             "00000010  ff                                                |.|\n");
}

BOOST_AUTO_TEST_CASE(offsets_beyond_32_bits_widen_every_line) {
  const std::vector<uint8_t> bytes(32, 0x20);
  const std::string text = app::HexDump(bytes, 0xfffffff0);
  BOOST_TEST(text.substr(0, 11) == "0fffffff0  ");
  BOOST_TEST(text.find("\n100000000  ") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
