#include "app/size.h"

#include <boost/test/unit_test.hpp>

namespace app = usbtwin::app;

BOOST_AUTO_TEST_SUITE(size)

BOOST_AUTO_TEST_CASE(numbers_are_decimal_or_hexadecimal) {
  BOOST_TEST(app::ParseNumber("36").value() == 36u);
  BOOST_TEST(app::ParseNumber("0x24").value() == 36u);
  BOOST_TEST(app::ParseNumber("24h").value() == 36u);
  BOOST_TEST(app::ParseNumber("0X1f").value() == 31u);
  BOOST_TEST(app::ParseNumber("010").value() == 10u);
}

BOOST_AUTO_TEST_CASE(a_number_has_no_suffix_sign_or_space) {
  for (const char* text : {"", "k", "4k", "-1", "+1", " 1", "1 ", "0x", "h", "0x1g", "1.5"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(!app::ParseNumber(text).has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(suffixes_multiply) {
  BOOST_TEST(app::ParseSize("36").value() == 36u);
  BOOST_TEST(app::ParseSize("0x200").value() == 512u);
  BOOST_TEST(app::ParseSize("200h").value() == 512u);
  BOOST_TEST(app::ParseSize("2b").value() == 1024u);
  BOOST_TEST(app::ParseSize("64k").value() == 65536u);
  BOOST_TEST(app::ParseSize("64K").value() == 65536u);
  BOOST_TEST(app::ParseSize("64KiB").value() == 65536u);
  BOOST_TEST(app::ParseSize("2kB").value() == 2000u);
  BOOST_TEST(app::ParseSize("8m").value() == 8u << 20);
  BOOST_TEST(app::ParseSize("8M").value() == 8u << 20);
  BOOST_TEST(app::ParseSize("1GB").value() == 1'000'000'000u);
  BOOST_TEST(app::ParseSize("1T").value() == uint64_t{1} << 40);
  BOOST_TEST(app::ParseSize("1P").value() == uint64_t{1} << 50);
  BOOST_TEST(app::ParseSize("1PiB").value() == uint64_t{1} << 50);
  BOOST_TEST(app::ParseSize("2PB").value() == 2'000'000'000'000'000u);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_64_bits_is_refused) {
  BOOST_TEST(app::ParseSize("18446744073709551615").value() == UINT64_MAX);
  BOOST_TEST(!app::ParseSize("18446744073709551616").has_value());
  BOOST_TEST(app::ParseSize("16777215T").has_value());
  BOOST_TEST(!app::ParseSize("16777216T").has_value());
}

BOOST_AUTO_TEST_CASE(unknown_suffixes_are_refused) {
  for (const char* text : {"", "k", "64x", "64kk", "64 k", "-4k", "0x10k", "1.5M"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(!app::ParseSize(text).has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(sizes_are_described_to_a_tenth) {
  BOOST_TEST(app::DescribeSize(0) == "0 bytes");
  BOOST_TEST(app::DescribeSize(1) == "1 byte");
  BOOST_TEST(app::DescribeSize(1023) == "1023 bytes");
  BOOST_TEST(app::DescribeSize(1024) == "1 KiB");
  BOOST_TEST(app::DescribeSize(1536) == "1.5 KiB");
  BOOST_TEST(app::DescribeSize(64u << 20) == "64 MiB");
  BOOST_TEST(app::DescribeSize(UINT64_MAX) == "16383.9 PiB");
}

BOOST_AUTO_TEST_SUITE_END()
