#include "sim/expected_data.h"

#include <boost/test/unit_test.hpp>

#include "proto/scsi_command.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT

namespace {

emulator::Profile TwoUnits() {
  emulator::Profile profile;
  emulator::UnitProfile first;
  first.size = 0x1000 * 512;
  emulator::UnitProfile second;
  second.disk = {.block_size = 4096,
                 .product = "Other",
                 .serial = "77",
                 .removable = true,
                 .read_only = true,
                 .write_cache = false};
  second.size = 0x20000 * uint64_t{4096};
  profile.units = {first, second};
  return profile;
}

struct Fixture {
  bool Is(uint8_t lun, const scsi::Cdb& cdb, Bytes bytes) {
    return SameBytes(data.Find(lun, cdb.view()), bytes);
  }
  const ExpectedData data{TwoUnits()};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(expected_data, Fixture)

BOOST_AUTO_TEST_CASE(units_say_who_they_are) {
  BOOST_TEST(Is(0, scsi::Inquiry(false, 0, 36),
                "00 00 06 02 45 000000"
                "5553425457494e20"                  // "USBTWIN "
                "4469736b202020202020202020202020"  // "Disk"
                "30303031"_hex));
  BOOST_TEST(Is(1, scsi::Inquiry(false, 0, 36),
                "00 80 06 02 45 000000"
                "5553425457494e20"
                "4f746865722020202020202020202020"  // "Other"
                "30303031"_hex));
  BOOST_TEST(Is(1, scsi::Inquiry(true, 0x80, 64), "00 80 0002 3737"_hex));
  BOOST_TEST(
      Is(1, scsi::ReportLuns(0, 64), "00000010 00000000 0000000000000000 0001000000000000"_hex));
}

BOOST_AUTO_TEST_CASE(units_say_what_they_are) {
  const scsi::Cdb sense = scsi::ModeSense6({.page = 0x3f, .allocation_length = 192});
  BOOST_TEST(Is(0, sense,
                "37 00 10 08  00001000 00000200"
                "88 12 04 0000000000000000000000000000000000"
                "8a 0a 02 10 00400000 ffff 0000"
                "9c 0a 08 00 0000000000000000"_hex));
  BOOST_TEST(Is(1, sense,
                "37 00 90 08  00020000 00001000"
                "88 12 00 0000000000000000000000000000000000"
                "8a 0a 02 10 00400000 ffff 0000"
                "9c 0a 08 00 0000000000000000"_hex));
  BOOST_TEST(Is(1, scsi::ReadCapacity10(), "0001ffff 00001000"_hex));
  BOOST_TEST(Is(1, scsi::ReadCapacity16(32),
                "000000000001ffff 00001000 0000c000 00000000000000000000000000000000"_hex));
  BOOST_TEST(SameBytes(data.FindLie(1, scsi::ReadCapacity10().view()), "0003ffff 00001000"_hex));
  BOOST_TEST(SameBytes(data.FindLie(1, scsi::ReadCapacity16(32).view()).first(12),
                       "000000000003ffff 00001000"_hex));
  BOOST_TEST(data.Find(2, scsi::Inquiry(false, 0, 36).view()).empty());  // there is no such unit
  BOOST_TEST(data.Find(0, scsi::TestUnitReady().view()).empty());
}

BOOST_AUTO_TEST_CASE(answers_are_the_first_bytes_of_what_is_expected) {
  const auto expected = "01020304"_hex;
  const auto complaint = [&](Bytes came) {
    return ExpectedData::Compare(expected, came).value_or("");
  };
  BOOST_TEST(complaint("01020304"_hex) == "");
  BOOST_TEST(complaint("0102"_hex) == "");
  BOOST_TEST(complaint({}) == "");
  BOOST_TEST(complaint("01020305"_hex) == "byte 3 is 05, expected 04");
  BOOST_TEST(complaint("ff020304"_hex) == "byte 0 is ff, expected 01");
  BOOST_TEST(complaint("0102030400"_hex) == "5 bytes, expected 4");
}

BOOST_AUTO_TEST_SUITE_END()
