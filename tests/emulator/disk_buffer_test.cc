#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using scsi::Status;

namespace {

const AnswerCase kAnswers[] = {
    {"buffer_0_has_4096_bytes", "3c 03 00 000000 0000ff 00", "00 001000"},
    {"there_is_no_buffer_1", "3c 03 01 000000 0000ff 00", "00 000000"},
    {"echo_has_4096_bytes_of_one_initiators", "3c 0b 00 000000 0000ff 00", "01 00 1000"},
    {"data_starts_as_zeros", "3c 02 00 000ffe 0000ff 00", "00 00"},
    {"no_defects", "37 00 1b 00000000 00ff 00", "00 1b 0000"},
    {"no_defects_in_twelve_bytes", "b7 0d 00000000 000000ff 00 00", "00 0d 0000 00000000"},
};

const RefusedCase kRefused[] = {
    {"reading_an_unknown_mode", "3c 1c 00 000000 000010 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cc 00 01"},
    {"reading_another_buffer", "3c 02 01 000000 000010 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02"},
    {"reading_behind_the_buffer", "3c 02 00 001001 000010 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 03"},
    {"echo_of_nothing", "3c 0a 00 000000 000010 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 2c 00 00 00 00 00"},
    {"microcode", "3b 05 00 000000 000010 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cc 00 01"},
    {"writing_another_buffer", "3b 02 07 000000 000010 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02"},
    {"writing_behind_the_buffer", "3b 02 00 ffffff 000001 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 03"},
    {"writing_more_than_there_is_room_for", "3b 02 00 000ffe 000003 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 06"},
    {"echo_too_long", "3b 0a 00 000000 001001 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 06"},
    {"a_reserved_defect_format", "37 00 19 00000000 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 02"},
    {"a_reserved_defect_format_in_twelve", "b7 1f 00000000 000000ff 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 01"},
    {"a_defect_that_is_not_there", "b7 08 00000001 000000ff 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_buffer)

BOOST_DATA_TEST_CASE(answers, boost::unit_test::data::make(kAnswers)) {
  Check(sample);
}

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  Check(sample);
}

BOOST_AUTO_TEST_CASE(each_initiator_has_an_echo_of_its_own) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  const std::vector<uint8_t> data = Pattern(4096);
  rig.host.piece_max = 1000;
  BOOST_TEST((rig.host.Do("3b 0a 00 000000 001000 00", data) == Status::kGood));
  BOOST_TEST(rig.host.calls == "DTTTTTE");
  BOOST_TEST(rig.host.command.length_out == 4096u);
  other.Do("3c 0a 00 000000 001000 00");
  BOOST_TEST(other.codes() == "05/2c/00");
  other.Do("3b 0a 00 000000 000002 00", "abcd"_hex);
  rig.host.Do("3c 0a 00 000000 002000 00");
  BOOST_TEST((rig.host.in == data));
  other.Do("3c 0a 00 000000 001000 00");
  BOOST_TEST(other.in_hex() == "ab cd");
  rig.disk.Reset();
  rig.host.ForgetAttentions();
  rig.host.Do("3c 0a 00 000000 002000 00");
  BOOST_TEST(rig.host.codes() == "05/2c/00");
}

BOOST_AUTO_TEST_CASE(the_data_buffer_is_everybodys) {
  DiskRig rig(emulator::DiskOptions{.removable = true});
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  rig.disk.RemoveMedium();  // it needs none
  rig.host.Do("3b 02 00 000ffc 000004 00", "01020304"_hex);
  other.Do("3c 02 00 000ffb 0000ff 00");
  BOOST_TEST(other.in_hex() == "00 01 02 03 04");
  BOOST_TEST((rig.host.Do("3b 02 00 001000 000000 00") == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
}

BOOST_AUTO_TEST_SUITE_END()
