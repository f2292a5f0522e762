// START STOP UNIT: power conditions. What it does to the medium is in disk_test.cc.
#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;
using scsi::Status;

namespace {

constexpr auto kRequestSense = "03 00 0000 12 00";

struct ConditionCase {
  const char* name;
  const char* cdb;
  const char* sense;  // ASC and ASCQ that REQUEST SENSE then reports
};
std::ostream& operator<<(std::ostream& out, const ConditionCase& sample) {
  return out << sample.name;
}
const ConditionCase kConditions[] = {
    {"idle_a", "1b 00 00 00 20 00", "5e 03"},       {"idle_b", "1b 00 00 01 20 00", "5e 06"},
    {"idle_c", "1b 00 00 02 20 00", "5e 08"},       {"standby_z", "1b 00 00 00 30 00", "5e 04"},
    {"standby_y", "1b 00 00 01 30 00", "5e 0a"},    {"force_idle", "1b 00 00 00 a0 00", "5e 03"},
    {"force_standby", "1b 00 00 00 b0 00", "5e 04"}};

const RefusedCase kRefused[] = {
    {"sleep", "1b 00 00 00 50 00", "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 04"},
    {"idle_d", "1b 00 00 03 20 00", "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cb 00 03"},
    {"standby_x", "1b 00 00 02 30 00", "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cb 00 03"},
    {"active_b", "1b 00 00 01 10 00", "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cb 00 03"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_power)

BOOST_DATA_TEST_CASE(conditions_are_told_and_left_by_themselves,
                     boost::unit_test::data::make(kConditions)) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do(sample.cdb) == Status::kGood));
  BOOST_TEST((rig.host.Do("00 00000000 00") == Status::kGood));  // which needs no medium
  rig.host.Do(kRequestSense);
  BOOST_TEST(Hex(Bytes(rig.host.in).subspan(12, 2)) == sample.sense);
  BOOST_TEST(rig.host.in[2] == 0);  // no sense
  BOOST_TEST((rig.host.Do(scsi::Read10(0, 1)) == Status::kGood));
  rig.host.Do(kRequestSense);
  BOOST_TEST(Hex(Bytes(rig.host.in).subspan(12, 2)) == "00 00");
}

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  Check(sample);
}

BOOST_AUTO_TEST_CASE(active_and_a_reset_end_a_condition) {
  DiskRig rig;
  for (const bool reset : {false, true}) {
    rig.host.Do("1b 00 00 00 30 00");
    if (reset) {
      rig.disk.Reset();
      rig.host.ForgetAttentions();
    } else {
      BOOST_TEST((rig.host.Do("1b 00 00 00 10 00") == Status::kGood));
    }
    rig.host.Do(kRequestSense);
    BOOST_TEST(Hex(Bytes(rig.host.in).subspan(12, 2)) == "00 00");
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_unit_is_started_by_a_condition) {
  DiskRig rig;
  rig.host.Do("1b 00 00 00 00 00");
  BOOST_TEST((rig.host.Do("1b 00 00 00 70 00") == Status::kCheckCondition));  // not by LU_CONTROL
  BOOST_TEST(!rig.disk.ready());
  BOOST_TEST((rig.host.Do("1b 00 00 00 20 00") == Status::kGood));
  BOOST_TEST(rig.disk.ready());
  DiskRig empty(DiskOptions{.removable = true});
  empty.disk.RemoveMedium();
  empty.host.Do("1b 00 00 00 10 00");
  BOOST_TEST(empty.host.codes() == "02/3a/00");
}

BOOST_AUTO_TEST_SUITE_END()
