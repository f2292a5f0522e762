#include "app/sense_text.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;

namespace {

// Fixed format, current: LBA out of range, information 1234h, byte 2 of the command block.
constexpr auto kOutOfRange = "f0 00 05 00 00 12 34 0a 00 00 00 00 21 00 00 c0 00 02"_hex;

bool HasTables() {
  return !app::AdditionalSenseText(0x21, 0x00).empty();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sense_text)

BOOST_AUTO_TEST_CASE(numbers_key_and_details_are_always_there) {
  const std::string text = app::DescribeSense(kOutOfRange, false);
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST(text.starts_with("Illegal Request"));
    BOOST_TEST(text.find("(05/21/00)") != std::string::npos);
    BOOST_TEST(text.find("information 4660") != std::string::npos);
    BOOST_TEST(text.find("command byte 2") != std::string::npos);
    BOOST_TEST(text.find('\n') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(tables_name_what_the_standard_names) {
  if (!HasTables()) {
    BOOST_TEST_MESSAGE("skipped: this build has no libsgutils2");
    return;
  }
  BOOST_TEST(app::AdditionalSenseText(0x21, 0x00) == "Logical block address out of range");
  BOOST_TEST(app::AdditionalSenseText(0x24, 0x00) == "Invalid field in cdb");
  BOOST_TEST(app::CommandName("12"_hex) == "Inquiry");
  BOOST_TEST(app::CommandName("9e 10"_hex) == "Read capacity(16)");
  BOOST_TEST(app::CommandName("28 00"_hex) == "Read(10)");
}

BOOST_AUTO_TEST_CASE(vendor_codes_are_called_so) {
  BOOST_TEST(app::AdditionalSenseText(0x80, 0x01) == "vendor specific");
  BOOST_TEST(app::AdditionalSenseText(0x74, 0x81) == "vendor specific");
}

BOOST_AUTO_TEST_CASE(codes_no_table_knows_keep_their_numbers) {
  constexpr auto kUnknown = "70 00 06 00 00 00 00 0a 00 00 00 00 28 55 00 00 00 00"_hex;
  BOOST_TEST(app::DescribeSense(kUnknown, false) == "Unit Attention (06/28/55)");
}

BOOST_AUTO_TEST_CASE(descriptor_format_reads_the_same) {
  constexpr auto kDescriptor = "72 05 21 00 00 00 00 00"_hex;
  BOOST_TEST(app::DescribeSense(kDescriptor, false).find("(05/21/00)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(progress_is_told_in_hundredths) {
  constexpr auto kHalf = "70 00 02 00 00 00 00 0a 00 00 00 00 04 1b 00 80 80 00"_hex;
  BOOST_TEST(app::DescribeSense(kHalf, false).ends_with("(02/04/1b), 50 % done"));
}

BOOST_AUTO_TEST_CASE(deferred_sense_says_so) {
  constexpr auto kDeferred = "71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00"_hex;
  BOOST_TEST(app::DescribeSense(kDeferred, false).find("earlier command") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_sense_data_are_described_not_trusted) {
  BOOST_TEST(app::DescribeSense(Bytes(), false) == "no sense data");
  BOOST_TEST(app::DescribeSense(Bytes(), true) == "no sense data");
  constexpr auto kOther = "30 00 05"_hex;
  BOOST_TEST(app::DescribeSense(kOther, false) == "not sense data: response code 30h, 3 bytes");
  BOOST_TEST(!app::DescribeSense(kOther, true).empty());
}

BOOST_AUTO_TEST_CASE(any_bytes_can_be_described_in_full) {
  // Additional lengths that promise more than there is, in both formats.
  for (uint8_t code : "70 71 72 73 7f 00"_hex) {
    for (size_t length = 1; length <= 32; ++length) {
      std::vector<uint8_t> bytes(length, 0xff);
      bytes[0] = code;
      BOOST_TEST(!app::DescribeSense(bytes, true).empty());
      BOOST_TEST(!app::DescribeSense(bytes, false).empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_short_command_block_has_a_name_too) {
  const std::string name = app::CommandName("00"_hex);
  BOOST_TEST(name == (HasTables() ? "Test Unit Ready" : ""));
}

BOOST_AUTO_TEST_SUITE_END()
