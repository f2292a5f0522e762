// MODE SELECT, and what the parameters it changes do.
#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;
using scsi::Status;

namespace {

// The control page with D_SENSE, with SWP, and as it was.
constexpr auto kDescriptorSense = "00 00 00 00 0a 0a 06 10 00 40 0000 ffff 0000";
constexpr auto kProtected = "00 00 00 00 0a 0a 02 10 08 40 0000 ffff 0000";
constexpr auto kPlain = "00 00 00 00 0a 0a 02 10 00 40 0000 ffff 0000";
// The caching page without WCE.
constexpr auto kUncached = "00 00 00 00 08 12 00 00 0000 0000 0000 0000 00 00 0000 00 000000";

Status Select(Initiator& host, const char* list, bool save = false) {
  const std::vector<uint8_t> bytes = *ParseHex(list);
  const auto length = static_cast<uint16_t>(bytes.size());
  return host.Do(scsi::ModeSelect6({.save = save, .parameter_list_length = length}), bytes);
}

std::string Page(Initiator& host, const char* cdb, size_t first, size_t length) {
  host.Do(cdb);
  return Hex(Bytes(host.in).subspan(first, length));
}

// The disk has 128 blocks of 512 bytes.
const RefusedListCase kRefused[] = {
    {"header_cut", "15 10 0000 03 00", "000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"header_of_ten_cut", "55 10 0000000000 0007 00", "00000000000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"medium_type", "15 10 0000 04 00", "00 01 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 01"},
    {"medium_type_of_ten", "55 10 0000000000 0008 00", "0000 01 00 00 00 0000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 02"},
    {"descriptor_of_another_length", "15 10 0000 0b 00", "00 00 00 07 00000000000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 03"},
    {"long_descriptor_that_is_not_announced", "55 10 0000000000 0018 00",
     "0000 00 00 00 00 0010 0000000000000080 00000000 00000200",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 06"},
    {"descriptor_cut", "15 10 0000 0b 00", "00 00 00 08 00000080 000002",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"other_number_of_blocks", "15 10 0000 0c 00", "00 00 00 08 00000081 00 000200",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 04"},
    {"other_block_length", "15 10 0000 0c 00", "00 00 00 08 00000080 00 001000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 09"},
    {"other_block_length_in_a_long_descriptor", "55 10 0000000000 0018 00",
     "0000 00 00 01 00 0010 0000000000000080 00000000 00001000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 14"},
    {"page_header_cut", "15 10 0000 05 00", "00 00 00 00 08",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"page_cut", "15 10 0000 0f 00", "00 00 00 00 0a 0a 02 10 00 40 0000 ffff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"unknown_page", "15 10 0000 06 00", "00 00 00 00 02 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8d 00 04"},
    {"subpage", "15 10 0000 08 00", "00 00 00 00 4a 01 0000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8e 00 04"},
    {"page_of_another_length", "15 10 0000 0e 00", "00 00 00 00 0a 08 02 10 00 40 0000 ffff",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 05"},
    {"fixed_bit", "15 10 0000 10 00", "00 00 00 00 0a 0a 02 10 30 40 0000 ffff 0000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8d 00 08"},
    {"fixed_byte_behind_a_descriptor", "15 10 0000 18 00",
     "00 00 00 08 00000000 00 000200 0a 0a 02 10 00 40 0000 7fff 0000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8f 00 14"},
    {"test_of_what_is_disabled", "15 10 0000 10 00", "00 00 00 00 1c 0a 0c 06 00000000 00000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8a 00 06"},
    {"method_that_fails_commands", "15 10 0000 10 00", "00 00 00 00 1c 0a 00 04 00000000 00000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8b 00 07"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_select)

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  DiskRig rig;
  rig.host.Do(*ParseHex(sample.cdb), *ParseHex(sample.list));
  BOOST_TEST(rig.host.sense() == sample.sense);
  BOOST_TEST(rig.host.calls == "DTE");
}

BOOST_AUTO_TEST_CASE(what_mode_sense_said_can_be_sent_back) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  for (const char* cdb :
       {"1a 00 3f 00 ff 00", "5a 00 3f 00 000000 00ff 00", "5a 10 3f 00 000000 00ff 00"}) {
    rig.host.Do(cdb);
    const std::vector<uint8_t> list = rig.host.in;
    const bool ten = cdb[0] == '5';
    const scsi::cdb::ModeSelect what{.ten = ten,
                                     .parameter_list_length = static_cast<uint16_t>(list.size())};
    BOOST_TEST((rig.host.Do(ten ? scsi::ModeSelect10(what) : scsi::ModeSelect6(what), list) ==
                Status::kGood));
  }
  BOOST_TEST((other.Do("00 00000000 00") == Status::kGood));  // nothing changed: no news
}

BOOST_AUTO_TEST_CASE(nothing_to_select_is_no_error) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do("15 10 0000 00 00") == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST((Select(rig.host, "00 00 00 00") == Status::kGood));
}

BOOST_AUTO_TEST_CASE(one_bad_page_spoils_the_others) {
  DiskRig rig;
  Select(rig.host, "00 00 00 00 0a 0a 06 10 00 40 0000 ffff 0000 02 00");
  BOOST_TEST(rig.host.codes() == "05/26/00");
  BOOST_TEST(Page(rig.host, "1a 08 0a 00 ff 00", 6, 1) == "02");
}

BOOST_AUTO_TEST_CASE(the_others_hear_of_a_change_and_the_one_who_made_it_does_not) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  BOOST_TEST((Select(rig.host, kDescriptorSense) == Status::kGood));
  BOOST_TEST(rig.host.command.length_out == 16u);
  BOOST_TEST((rig.host.Do("00 00000000 00") == Status::kGood));
  other.Do("00 00000000 00");
  BOOST_TEST(other.codes() == "06/2a/01");
}

BOOST_AUTO_TEST_CASE(saved_values_outlive_a_reset_and_others_do_not) {
  DiskRig rig;
  Select(rig.host, kDescriptorSense);
  BOOST_TEST(Page(rig.host, "1a 08 0a 00 ff 00", 6, 1) == "06");
  BOOST_TEST(Page(rig.host, "1a 08 ca 00 ff 00", 6, 1) == "02");
  rig.disk.Reset();
  rig.host.ForgetAttentions();
  BOOST_TEST(Page(rig.host, "1a 08 0a 00 ff 00", 6, 1) == "02");
  Select(rig.host, kDescriptorSense, true);
  rig.disk.Reset();
  rig.host.ForgetAttentions();
  BOOST_TEST(Page(rig.host, "1a 08 0a 00 ff 00", 6, 1) == "06");
  BOOST_TEST(Page(rig.host, "1a 08 ca 00 ff 00", 6, 1) == "06");
  BOOST_TEST(Page(rig.host, "1a 08 8a 00 ff 00", 6, 1) == "02");  // the default
}

BOOST_AUTO_TEST_CASE(without_the_cache_a_write_is_flushed) {
  DiskRig rig;
  rig.host.Do(scsi::Write10(0, 1), Pattern(512));
  BOOST_TEST(rig.store.log == "w");
  BOOST_TEST((Select(rig.host, kUncached) == Status::kGood));
  BOOST_TEST(rig.store.log == "wf");  // what was cached is not lost
  BOOST_TEST(rig.store.lengths.back() == 0u);
  rig.host.Do(scsi::Write10(0, 1), Pattern(512));
  BOOST_TEST(rig.store.log == "wfwf");
  BOOST_TEST((Select(rig.host, kUncached) == Status::kGood));
  BOOST_TEST(rig.store.log == "wfwf");
}

BOOST_AUTO_TEST_CASE(descriptor_sense_is_for_transports_that_deliver_it) {
  DiskRig rig;
  rig.host.Do("ff 00000000 00");
  BOOST_TEST(!rig.host.command.descriptor_sense);
  Select(rig.host, kDescriptorSense);
  rig.host.Do("ff 00000000 00");
  BOOST_TEST(rig.host.command.descriptor_sense);
  rig.host.Do("03 00 0000 12 00");  // REQUEST SENSE asks for its format itself
  BOOST_TEST(rig.host.in_hex() == "70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 c0 00 00");
}

BOOST_AUTO_TEST_CASE(software_write_protection_holds_until_it_is_lifted) {
  DiskRig rig;
  Select(rig.host, kProtected);
  BOOST_TEST(rig.store.log == "f");
  BOOST_TEST(Page(rig.host, "1a 08 08 00 04 00", 0, 4) == "17 00 90 00");
  for (const char* cdb :
       {"2a 00 00000000 00 0001 00", "42 00 00000000 00 0018 00",
        "93 01 0000000000000000 00000001 00 00", "89 00 0000000000000000 000000 01 00 00"}) {
    rig.host.Do(cdb, Pattern(1024));
    BOOST_TEST(rig.host.codes() == "07/27/02");
  }
  Select(rig.host, kPlain);
  BOOST_TEST((rig.host.Do(scsi::Write10(0, 1), Pattern(512)) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_test_of_informational_exceptions_is_reported_on_request) {
  DiskRig rig;
  // TEST, MRIE 6.
  BOOST_TEST((Select(rig.host, "00 00 00 00 1c 0a 04 06 00000000 00000000") == Status::kGood));
  BOOST_TEST((rig.host.Do("00 00000000 00") == Status::kGood));
  rig.host.Do("03 00 0000 12 00");
  BOOST_TEST(rig.host.in_hex() == "70 00 00 00 00 00 00 0a 00 00 00 00 5d ff 00 00 00 00");
  rig.host.Do("4d 00 6f 00 00 0000 00ff 00");
  BOOST_TEST(rig.host.in_hex() == "af 00 00 08 00 00 23 04 5d ff ff 00");
}

BOOST_AUTO_TEST_SUITE_END()
