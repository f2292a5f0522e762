#include "emulator/disk_log.h"

#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using scsi::Status;

namespace {

const AnswerCase kAnswers[] = {
    {"pages", "4d 00 40 00 00 0000 00ff 00", "80 00 0007 00 02 03 05 0d 0e 2f"},
    {"pages_whatever_the_page_control", "4d 00 00 00 00 0000 00ff 00",
     "80 00 0007 00 02 03 05 0d 0e 2f"},
    {"pages_and_subpages", "4d 00 40 ff 00 0000 00ff 00",
     "c0 ff 0010 0000 00ff 0200 0300 0500 0d00 0e00 2f00"},
    {"write_errors", "4d 00 42 00 00 0000 00ff 00",
     "82 00 001c 0003 20 04 00000000 0005 20 08 0000000000000000 0006 20 04 00000000"},
    {"from_a_parameter_on", "4d 00 43 00 00 0004 00ff 00",
     "83 00 0014 0005 20 08 0000000000000000 0006 20 04 00000000"},
    {"no_thermometer", "4d 00 4d 00 00 0000 00ff 00", "8d 00 000c 0000 23 02 00ff 0001 23 02 00ff"},
    {"no_exceptions", "4d 00 6f 00 00 0000 00ff 00", "af 00 0008 0000 23 04 0000 ff 00"},
    {"cut", "4d 00 45 00 00 0000 0004 00", "85 00 001c"},
    {"cut_to_nothing", "4d 00 45 00 00 0000 0000 00", ""},
};

const RefusedCase kRefused[] = {
    {"saving", "4d 01 42 00 00 0000 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c8 00 01"},
    {"thresholds", "4d 00 02 00 00 0000 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 02"},
    {"an_unknown_page", "4d 00 58 00 00 0000 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cd 00 02"},
    {"an_unknown_subpage", "4d 00 42 01 00 0000 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 03"},
    {"beyond_the_last_parameter", "4d 00 42 00 00 0007 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 05"},
    {"a_parameter_of_the_list_of_pages", "4d 00 40 00 00 0001 00ff 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 05"},
};

uint64_t Counted(Initiator& host, const char* cdb, size_t offset) {
  host.Do(cdb);
  return *wire::View<wire::Be64>(Bytes(host.in).subspan(offset));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_log)

BOOST_DATA_TEST_CASE(answers, boost::unit_test::data::make(kAnswers)) {
  Check(sample);
}

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  Check(sample);
}

BOOST_AUTO_TEST_CASE(bytes_and_errors_are_counted_by_what_was_done) {
  DiskRig rig;
  rig.host.Do(scsi::Write10(0, 4), Pattern(2048));
  rig.host.Do(scsi::Read10(0, 3));
  rig.host.Do(scsi::Verify10(0, 2, false));
  rig.host.Do(scsi::Verify10(0, 1, true), Pattern(512));
  BOOST_TEST(Counted(rig.host, "4d 00 42 00 00 0005 00ff 00", 8) == 2048u);
  BOOST_TEST(Counted(rig.host, "4d 00 43 00 00 0005 00ff 00", 8) == 1536u);
  BOOST_TEST(Counted(rig.host, "4d 00 45 00 00 0005 00ff 00", 8) == 1536u);
  rig.store.broken = emulator::StoreOp::Kind::kRead;
  rig.store.outcome = emulator::StoreOutcome::kReadError;
  rig.host.Do(scsi::Read10(0, 3));
  BOOST_TEST(rig.store.faults == 1);
  rig.host.Do("4d 00 43 00 00 0006 00ff 00");
  BOOST_TEST(rig.host.in_hex() == "83 00 00 08 00 06 20 04 00 00 00 01");
}

BOOST_AUTO_TEST_CASE(starts_are_counted) {
  DiskRig rig;
  rig.host.Do("1b 00 00 00 01 00");  // it runs already
  rig.host.Do("1b 00 00 00 00 00");
  rig.host.Do("1b 00 00 00 01 00");
  rig.host.Do("4d 00 4e 00 00 0000 00ff 00");
  BOOST_TEST(rig.host.in_hex() == "8e 00 00 08 00 04 20 04 00 00 00 01");
}

BOOST_AUTO_TEST_SUITE_END()
