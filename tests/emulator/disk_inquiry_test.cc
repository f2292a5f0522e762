#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;

namespace {

struct PageCase {
  const char* name;
  DiskOptions options;
  const char* cdb;
  const char* data;
};
std::ostream& operator<<(std::ostream& out, const PageCase& sample) {
  return out << sample.name;
}

const PageCase kPages[] = {
    {"standard",
     {},
     "12 00 00 00ff 00",
     "00 00 06 02 45 00 00 00 5553425457494e20"
     "4469736b202020202020202020202020 30303031"
     "0000000000000000000000000000000000000000 0000"
     "00a0 0460 04c0 0000 0000 0000 0000 0000"},  // SAM-5, SPC-4, SBC-3
    {"standard_removable", {.removable = true}, "12 00 00 0005 00", "00 80 06 02 45"},
    {"long_names_are_cut",
     {.vendor = "VENDORXYZ", .product = "A PRODUCT OF SEVENTEEN", .revision = "12345"},
     "12 00 00 0024 00",
     "00 00 06 02 45 00 00 00 56454e444f525859"
     "412050524f44554354204f4620534556 31323334"},
    {"cut_to_nothing", {}, "12 00 00 0000 00", ""},
    {"supported_pages", {}, "12 01 00 00ff 00", "00 00 0007 00 80 83 8a b0 b1 b2"},
    {"serial", {.serial = "ABC123"}, "12 01 80 00ff 00", "00 80 0006 414243313233"},
    // standby_y and standby_z, idle_a to idle_c, none of which takes time to leave
    {"power_conditions", {}, "12 01 8a 00ff 00", "00 8a 000e 03 07 0000 0000 0000 0000 0000 0000"},
    {"block_limits",
     {},
     "12 01 b0 00ff 00",
     // WSNZ, 128 blocks at most for COMPARE AND WRITE; transfers; UNMAP of at most 512 MiB in at
     // most 255 descriptors, by 64 KiB from block 0 on; WRITE SAME of at most 1 GiB; WRITE ATOMIC
     // of at most 128 KiB by 4 KiB from block 0 on, with a boundary and without one
     "00 b0 003c 01 80 0008 00400000 00000800 00000000 00100000 000000ff 00000080 80000000"
     "0000000000200000 00000100 00000008 00000008 00000100 00000100"},
    {"block_limits_of_4096",
     {.block_size = 4096},
     "12 01 b0 0010 00",
     "00 b0 003c 01 10 0001 00080000 00000100"},
    // WABEREQ 01b: what was erased can be read
    {"characteristics", {}, "12 01 b1 000a 00", "00 b1 003c 0001 00 40 00 00"},
    {"provisioning", {}, "12 01 b2 00ff 00", "00 b2 0004 00 e4 02 00"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_inquiry)

BOOST_DATA_TEST_CASE(answers, boost::unit_test::data::make(kPages)) {
  DiskRig rig(sample.options);
  BOOST_TEST((rig.host.Do(sample.cdb) == scsi::Status::kGood));
  BOOST_TEST(rig.host.in_hex() == Hex(*ParseHex(sample.data)));
  BOOST_TEST(rig.host.command.length_in == rig.host.in.size());
}

BOOST_AUTO_TEST_CASE(command_queueing_is_what_the_transport_can_do) {
  DiskRig rig;
  rig.host.Do("12 00 00 0024 00");
  BOOST_TEST(rig.host.in[7] == 0x00);
  rig.host.command.queueing = true;
  rig.host.Do("12 00 00 0024 00");
  BOOST_TEST(rig.host.in[7] == 0x02);
}

BOOST_AUTO_TEST_CASE(identification_holds_a_number_and_a_text) {
  DiskRig rig(DiskOptions{.serial = "S1"});
  rig.host.Do("12 01 83 00ff 00");
  const Bytes page = rig.host.in;
  BOOST_REQUIRE(page.size() == 4u + 12 + 4 + 26);
  BOOST_TEST(Hex(page.first(8)) == "00 83 00 2a 01 03 00 08");
  BOOST_TEST(page[8] >> 4 == 3);  // NAA: locally assigned
  BOOST_TEST(Hex(page.subspan(16, 4)) == "02 01 00 1a");
  BOOST_TEST(SameBytes(page.subspan(20), TextBytes("USBTWIN Disk            S1")));
}

BOOST_AUTO_TEST_CASE(units_with_other_serial_numbers_have_other_names) {
  DiskRig first(DiskOptions{.serial = "S1"});
  DiskRig same(DiskOptions{.serial = "S1"});
  DiskRig other(DiskOptions{.serial = "S2"});
  for (DiskRig* rig : {&first, &same, &other}) rig->host.Do("12 01 83 0010 00");
  BOOST_TEST(first.host.in == same.host.in);
  BOOST_TEST(first.host.in != other.host.in);
}

BOOST_AUTO_TEST_CASE(the_longest_serial_number_fits) {
  DiskRig rig(DiskOptions{.serial = std::string(70, 'x')});
  rig.host.Do("12 01 80 0100 00");
  BOOST_TEST(rig.host.in.size() == 4u + 64);
  rig.host.Do("12 01 83 0100 00");
  BOOST_TEST(rig.host.in.size() == 4u + 12 + 4 + 24 + 64);
}

BOOST_AUTO_TEST_CASE(an_unknown_page_is_a_bad_field) {
  DiskRig rig;
  for (int page = 0; page < 256; ++page) {
    const std::array<uint8_t, 6> cdb{0x12, 1, static_cast<uint8_t>(page), 0, 0xff, 0};
    rig.host.Do(Bytes(cdb));
    const bool known =
        page == 0 || page == 0x80 || page == 0x83 || page == 0x8a || (page >= 0xb0 && page <= 0xb2);
    BOOST_TEST((rig.host.command.status == scsi::Status::kGood) == known);
    if (!known) {
      BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02");
    }
  }
}

BOOST_AUTO_TEST_CASE(inquiry_needs_no_medium) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.disk.RemoveMedium();
  BOOST_TEST((rig.host.Do("12 00 00 0024 00") == scsi::Status::kGood));
}

BOOST_AUTO_TEST_SUITE_END()
