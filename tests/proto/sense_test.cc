#include "proto/sense.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;        // NOLINT
using namespace usbtwin::scsi;  // NOLINT

namespace {

struct SenseCase {
  const char* name;
  Sense sense;
  const char* fixed;       // as EmitFixedSense writes it
  const char* descriptor;  // as EmitDescriptorSense writes it
  bool fixed_tells_all = true;
};
std::ostream& operator<<(std::ostream& out, const SenseCase& sample) {
  return out << sample.name;
}

const SenseCase kCases[] = {
    {"no_sense", Sense{}, "70 00 00 00000000 0a 00000000 00 00 00 000000", "72 00 00 00 000000 00"},
    {"unit_attention_after_reset", Sense{.key = SenseKey::kUnitAttention, .asc = 0x29},
     "70 00 06 00000000 0a 00000000 29 00 00 000000", "72 06 29 00 000000 00"},
    {"lba_out_of_range_names_the_lba",
     Sense{.key = SenseKey::kIllegalRequest,
           .asc = 0x21,
           .information_valid = true,
           .information = 0x01020304},
     "f0 00 05 01020304 0a 00000000 21 00 00 000000",
     "72 05 21 00 000000 0c 00 0a 80 00 0000000001020304"},
    {"information_wider_than_fixed_format",
     Sense{.key = SenseKey::kMediumError,
           .asc = 0x11,
           .information_valid = true,
           .information = 0x0102030405060708},
     "70 00 03 00000000 0a 00000000 11 00 00 000000",
     "72 03 11 00 000000 0c 00 0a 80 00 0102030405060708", false},
    {"field_pointer_to_a_bit_of_the_command",
     Sense{.key = SenseKey::kIllegalRequest,
           .asc = 0x24,
           .field_valid = true,
           .field = {.bit_valid = true, .bit = 7, .byte = 1}},
     "70 00 05 00000000 0a 00000000 24 00 00 cf0001", "72 05 24 00 000000 08 02 06 0000 cf0001 00"},
    {"field_pointer_to_a_byte_of_the_parameters",
     Sense{.key = SenseKey::kIllegalRequest,
           .asc = 0x26,
           .field_valid = true,
           .field = {.in_command = false, .byte = 0x0102}},
     "70 00 05 00000000 0a 00000000 26 00 00 800102", "72 05 26 00 000000 08 02 06 0000 800102 00"},
    {"progress_of_what_goes_on",
     Sense{.key = SenseKey::kNotReady,
           .asc = 0x04,
           .ascq = 0x1b,
           .progress_valid = true,
           .progress = 0x4001},
     "70 00 02 00000000 0a 00000000 04 1b 00 804001", "72 02 04 1b 000000 08 02 06 0000 804001 00"},
    {"deferred_with_everything",
     Sense{.key = SenseKey::kIllegalRequest,
           .asc = 0x21,
           .ascq = 0x05,
           .deferred = true,
           .information_valid = true,
           .information = 0xffffffff,
           .field_valid = true,
           .field = {.byte = 2}},
     "f1 00 05 ffffffff 0a 00000000 21 05 00 c00002",
     "73 05 21 05 000000 14 00 0a 80 00 00000000ffffffff 02 06 0000 c00002 00"},
};

std::vector<uint8_t> FromHex(const char* text) {
  return *ParseHex(text);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sense)

BOOST_DATA_TEST_CASE(fixed_format_is_written_and_read, boost::unit_test::data::make(kCases)) {
  std::vector<uint8_t> bytes(kFixedSenseLength + 2, 0xa5);
  BOOST_TEST(EmitFixedSense(sample.sense, bytes) == kFixedSenseLength);
  BOOST_TEST(bytes[kFixedSenseLength] == 0xa5);
  bytes.resize(kFixedSenseLength);
  BOOST_TEST(bytes == FromHex(sample.fixed));

  const std::optional<Sense> read = ParseSense(bytes);
  BOOST_REQUIRE(read.has_value());
  Sense expected = sample.sense;
  if (!sample.fixed_tells_all) {
    expected.information_valid = false;
    expected.information = 0;
  }
  BOOST_TEST((*read == expected));
}

BOOST_DATA_TEST_CASE(descriptor_format_is_written_and_read, boost::unit_test::data::make(kCases)) {
  std::vector<uint8_t> bytes(kDescriptorSenseLengthMax + 2, 0xa5);
  const uint32_t length = EmitDescriptorSense(sample.sense, bytes);
  BOOST_TEST(bytes[length] == 0xa5);
  bytes.resize(length);
  BOOST_TEST(bytes == FromHex(sample.descriptor));

  const std::optional<Sense> read = ParseSense(bytes);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST((*read == sample.sense));
}

BOOST_AUTO_TEST_CASE(what_is_no_sense_data_is_refused) {
  BOOST_TEST(!ParseSense({}).has_value());
  BOOST_TEST(!ParseSense("00 00 05 00000000 0a 00000000 24 00 00 000000"_hex).has_value());
  BOOST_TEST(!ParseSense("7f 00 05 00000000 0a 00000000 24 00 00 000000"_hex).has_value());
  BOOST_TEST(!ParseSense("70 00 05 00000000 0a 00000000 24"_hex).has_value());  // ASCQ is missing
  BOOST_TEST(!ParseSense("72 05 24"_hex).has_value());
}

BOOST_AUTO_TEST_CASE(short_fixed_data_leaves_the_rest_at_defaults) {
  const auto sense = ParseSense("f0 00 05 00000007 0a 00000000 24 01"_hex);
  BOOST_REQUIRE(sense.has_value());
  BOOST_TEST(sense->ascq == 1);
  BOOST_TEST(sense->information == 7u);
  BOOST_TEST(!sense->field_valid);
}

BOOST_AUTO_TEST_CASE(bytes_beyond_the_additional_length_are_not_believed) {
  // Eight bytes follow the length at most: neither codes nor field pointer are the device's.
  const auto none = ParseSense("70 00 02 00000000 00 a5a5a5a5 a5 a5 a5 cf0001"_hex);
  BOOST_REQUIRE(none.has_value());
  BOOST_TEST((none->key == SenseKey::kNotReady));
  BOOST_TEST(none->asc == 0);
  BOOST_TEST(none->ascq == 0);
  const auto codes = ParseSense("70 00 05 00000000 06 00000000 24 02 a5 cf0001"_hex);
  BOOST_REQUIRE(codes.has_value());
  BOOST_TEST(codes->ascq == 2);
  BOOST_TEST(!codes->field_valid);
  const auto descriptors = ParseSense("72 05 24 00 000000 00 02 06 0000 cf0001 00"_hex);
  BOOST_REQUIRE(descriptors.has_value());
  BOOST_TEST(!descriptors->field_valid);
}

BOOST_AUTO_TEST_CASE(unknown_and_cut_descriptors_are_passed_over) {
  const auto known = ParseSense(
      "72 05 24 00 000000 12"
      "09 06 0102030405060708"  // ATA status return, cut short by its own length
      "02 06 0000 cf0001 00"_hex);
  BOOST_REQUIRE(known.has_value());
  BOOST_TEST(known->field_valid == false);  // the first descriptor's length ends two bytes early

  const auto skipped = ParseSense("72 05 24 00 000000 0c 03 02 0000 02 06 0000 cf0001 00"_hex);
  BOOST_REQUIRE(skipped.has_value());
  BOOST_TEST(skipped->field_valid);

  const auto cut = ParseSense("72 05 24 00 000000 0c 00 0a 80 00 01020304"_hex);
  BOOST_REQUIRE(cut.has_value());
  BOOST_TEST(!cut->information_valid);
}

BOOST_AUTO_TEST_CASE(an_information_descriptor_without_valid_says_nothing) {
  const auto sense = ParseSense(
      "72 03 11 00 000000 18"
      "00 0a 80 00 0000000000000007"
      "00 0a 00 00 0000000000000009"_hex);
  BOOST_REQUIRE(sense.has_value());
  BOOST_TEST(sense->information_valid);
  BOOST_TEST(sense->information == 7u);
}

BOOST_AUTO_TEST_CASE(key_specific_bytes_are_a_field_pointer_for_illegal_request_only) {
  // For Not Ready they are a progress indication. SPC-4, 4.5.2.4.4.
  const auto sense = ParseSense("70 00 02 00000000 0a 00000000 04 04 00 808000"_hex);
  BOOST_REQUIRE(sense.has_value());
  BOOST_TEST(!sense->field_valid);
}

BOOST_AUTO_TEST_CASE(keys_have_the_names_of_the_standard) {
  BOOST_TEST(Name(SenseKey::kIllegalRequest) == std::string_view("Illegal Request"));
  BOOST_TEST(Name(SenseKey::kCompleted) == std::string_view("Completed"));
}

BOOST_AUTO_TEST_SUITE_END()
