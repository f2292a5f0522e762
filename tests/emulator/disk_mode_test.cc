#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;

namespace {

struct ModeCase {
  const char* name;
  DiskOptions options;
  const char* cdb;
  const char* data;
};
std::ostream& operator<<(std::ostream& out, const ModeCase& sample) {
  return out << sample.name;
}

#define CACHING "88 12 04 00 0000 0000 0000 0000 00 00 0000 00 000000"
#define CONTROL "8a 0a 02 10 00 40 0000 ffff 0000"
#define EXCEPTIONS "9c 0a 08 00 00000000 00000000"

// The disk has 128 blocks of 512 bytes, or 16 of 4096.
const ModeCase kModes[] = {
    {"caching", {}, "1a 08 08 00 ff 00", "17 00 10 00" CACHING},
    {"caching_without_write_cache",
     {.write_cache = false},
     "1a 08 08 00 08 00",
     "17 00 10 00 88 12 00 00"},
    {"caching_with_block_descriptor",
     {},
     "1a 00 08 00 ff 00",
     "1f 00 10 08 00000080 00 000200" CACHING},
    {"caching_defaults", {}, "1a 08 88 00 ff 00", "17 00 10 00" CACHING},
    {"caching_saved", {}, "1a 08 c8 00 ff 00", "17 00 10 00" CACHING},
    // WCE; D_SENSE and SWP; DEXCPT, TEST and MRIE.
    {"changeable",
     {},
     "1a 08 7f 00 ff 00",
     "2f 00 10 00 88 12 04 00 0000 0000 0000 0000 00 00 0000 00 000000"
     "8a 0a 04 00 08 00 0000 0000 0000 9c 0a 0c 0f 00000000 00000000"},
    {"all_subpages_of_a_page", {}, "1a 08 08 ff ff 00", "17 00 10 00" CACHING},
    {"control", {}, "1a 08 0a 00 ff 00", "0f 00 10 00" CONTROL},
    {"exceptions", {}, "1a 08 1c 00 ff 00", "0f 00 10 00" EXCEPTIONS},
    {"all_pages",
     {},
     "1a 00 3f 00 ff 00",
     "37 00 10 08 00000080 00 000200" CACHING CONTROL EXCEPTIONS},
    {"write_protected", {.read_only = true}, "1a 08 08 00 04 00", "17 00 90 00"},
    {"blocks_of_4096", {.block_size = 4096}, "1a 00 0a 00 0c 00", "17 00 10 08 00000010 00 001000"},
    {"ten", {}, "5a 08 0a 00 000000 00ff 00", "0012 00 10 00 00 0000" CONTROL},
    {"ten_with_block_descriptor",
     {},
     "5a 00 0a 00 000000 0010 00",
     "001a 00 10 00 00 0008 00000080 00 000200"},
    {"ten_with_long_block_descriptor",
     {},
     "5a 10 3f ff 000000 00ff 00",
     "0042 00 10 01 00 0010 0000000000000080 00000000 00000200" CACHING CONTROL EXCEPTIONS},
    {"ten_long_but_disabled", {}, "5a 18 0a 00 000000 0008 00", "0012 00 10 00 00 0000"},
    {"cut_to_nothing", {}, "1a 00 3f 00 00 00", ""},
};

const RefusedCase kRefused[] = {
    {"unknown_page", "1a 08 02 00 ff 00", "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cd 00 02"},
    {"vendor_page_zero", "1a 08 00 00 ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cd 00 02"},
    {"unknown_subpage", "5a 08 0a 01 000000 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 03"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_mode)

BOOST_DATA_TEST_CASE(answers, boost::unit_test::data::make(kModes)) {
  DiskRig rig(sample.options);
  BOOST_TEST((rig.host.Do(sample.cdb) == scsi::Status::kGood));
  BOOST_TEST(rig.host.in_hex() == Hex(*ParseHex(sample.data)));
}

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  Check(sample);
}

BOOST_AUTO_TEST_CASE(the_switch_and_the_store_show_as_write_protection) {
  DiskRig rig;
  rig.disk.SetWriteProtected(true);
  rig.host.ForgetAttentions();
  rig.host.Do("1a 08 08 00 04 00");
  BOOST_TEST(rig.host.in_hex() == "17 00 90 00");
  rig.disk.SetWriteProtected(false);
  rig.host.ForgetAttentions();
  rig.store.writable_value = false;
  rig.host.Do("1a 08 08 00 04 00");
  BOOST_TEST(rig.host.in_hex() == "17 00 90 00");
}

BOOST_AUTO_TEST_CASE(a_disk_too_large_for_the_short_descriptor_says_so) {
  DiskRig rig({}, uint64_t{512} << 33);
  rig.host.Do("1a 00 0a 00 0c 00");
  BOOST_TEST(rig.host.in_hex() == "17 00 10 08 ff ff ff ff 00 00 02 00");
  rig.host.Do("5a 10 0a 00 000000 0018 00");
  BOOST_TEST(rig.host.in_hex() ==
             "00 22 00 10 01 00 00 10 00 00 00 02 00 00 00 00 00 00 00 00 00 00 02 00");
}

BOOST_AUTO_TEST_CASE(without_medium_there_are_no_blocks) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.disk.RemoveMedium();
  rig.host.Do("1a 00 0a 00 0c 00");
  BOOST_TEST(rig.host.in_hex() == "17 00 10 08 00 00 00 00 00 00 02 00");
}

BOOST_AUTO_TEST_SUITE_END()
