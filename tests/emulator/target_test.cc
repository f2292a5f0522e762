#include "emulator/target.h"

#include <boost/test/unit_test.hpp>

#include "tests/dies.h"
#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::Disk;
using emulator::DiskOptions;
using emulator::MemoryStore;
using emulator::Target;
using scsi::Status;

namespace {

constexpr auto kNoSense = "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00";
constexpr auto kAbsent = "70 00 05 00 00 00 00 0a 00 00 00 00 25 00 00 00 00 00";

struct TargetRig {
  TargetRig() {
    target.AddUnit(small);
    target.AddUnit(large);
    for (uint64_t lun = 0; lun < 2; ++lun) {
      host.command.lun = lun;
      host.ForgetAttentions();
    }
    host.command.lun = 0;
  }
  ManualClock clock;
  MemoryStore small_store{64 << 10};
  MemoryStore large_store{4 << 20};
  Disk small{clock, small_store, DiskOptions{.product = "Small"}};
  Disk large{clock, large_store, DiskOptions{.product = "Large"}};
  Target target{clock};
  Initiator host{clock, target};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(target)

BOOST_AUTO_TEST_CASE(commands_reach_the_unit_they_name) {
  TargetRig rig;
  rig.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(rig.host.in_hex() == "00 00 00 7f 00 00 02 00");
  rig.host.command.lun = 1;
  rig.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(rig.host.in_hex() == "00 00 1f ff 00 00 02 00");
}

BOOST_AUTO_TEST_CASE(data_windows_and_aborts_reach_it_too) {
  TargetRig rig;
  rig.host.command.lun = 1;
  const std::vector<uint8_t> data = Pattern(3 << 20);
  BOOST_TEST((rig.host.Do(scsi::Write10(0, 0x1800), data) == Status::kGood));
  BOOST_TEST((rig.host.Do(scsi::Read10(0, 0x1800)) == Status::kGood));
  BOOST_TEST(rig.host.calls == "EWW");
  BOOST_TEST((rig.host.in == data));
  rig.host.Start(scsi::Write10(0, 1).view());
  rig.target.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
}

BOOST_AUTO_TEST_CASE(report_luns_lists_the_units_for_any_lun) {
  TargetRig rig;
  for (const uint64_t lun : {uint64_t{0}, uint64_t{1}, uint64_t{9}, UINT64_MAX}) {
    rig.host.command.lun = lun;
    for (const char* cdb : {"a0 00 00 000000 000000ff 00 00", "a0 00 02 000000 000000ff 00 00"}) {
      BOOST_TEST((rig.host.Do(cdb) == Status::kGood));
      BOOST_TEST(rig.host.in_hex() ==
                 Hex(*ParseHex("00000010 00000000 0000000000000000 0001000000000000")));
    }
    rig.host.Do("a0 00 01 000000 000000ff 00 00");  // there are no well-known units
    BOOST_TEST(rig.host.in_hex() == "00 00 00 00 00 00 00 00");
  }
  rig.host.Do("a0 00 00 000000 0000000c 00 00");
  BOOST_TEST(rig.host.in_hex() == "00 00 00 10 00 00 00 00 00 00 00 00");
}

BOOST_AUTO_TEST_CASE(a_bad_report_luns_is_explained_to_request_sense) {
  TargetRig rig;
  rig.host.Do("a0 00 10 000000 000000ff 00 00");
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02");
  rig.host.Do("03 00 0000 12 00");
  BOOST_TEST(rig.host.in_hex() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02");
  rig.host.Do("03 00 0000 12 00");
  BOOST_TEST(rig.host.in_hex() == kNoSense);
}

BOOST_AUTO_TEST_CASE(report_luns_ends_the_sense_kept_for_its_nexus_alone) {
  TargetRig rig;
  Initiator other(rig.clock, rig.target, 1);
  other.ForgetAttentions();
  other.Do("28 00 00000080 00 0001 00");
  rig.host.Do("28 00 00000080 00 0001 00");
  BOOST_TEST(rig.host.codes() == "05/21/00");
  rig.host.Do("a0 00 00 000000 000000ff 00 00");
  rig.host.Do("03 00 0000 12 00");
  BOOST_TEST(rig.host.in_hex() == kNoSense);
  other.Do("03 00 0000 12 00");
  BOOST_TEST(other.in[12] == 0x21);
}

BOOST_AUTO_TEST_CASE(sense_is_kept_for_each_initiator_and_unit) {
  TargetRig rig;
  Initiator other(rig.clock, rig.target, 1);
  for (const uint64_t lun : {2, 3, 0}) {
    rig.host.command.lun = lun;
    rig.host.Do("a0 00 10 000000 000000ff 00 00");
    BOOST_TEST(rig.host.codes() == "05/24/00");
  }
  for (const uint64_t lun : {3, 0, 2}) {
    other.command.lun = lun;
    other.Do("12 00 00 0024 00");
    rig.host.command.lun = lun;
    rig.host.Do("03 00 0000 12 00");
    BOOST_TEST(rig.host.in[12] == 0x24);
  }
  for (const uint64_t lun : {2, 3}) {
    rig.host.command.lun = lun;
    rig.host.Do("03 00 0000 12 00");
    BOOST_TEST(rig.host.in_hex() == kAbsent);
  }
}

BOOST_AUTO_TEST_CASE(forgetting_reaches_what_the_target_and_its_units_keep) {
  TargetRig rig;
  rig.host.Do("28 00 00000080 00 0001 00");
  rig.host.command.lun = 1;
  rig.host.Do("a0 00 10 000000 000000ff 00 00");
  rig.target.ForgetSense(0);
  for (const uint64_t lun : {0, 1}) {
    rig.host.command.lun = lun;
    rig.host.Do("03 00 0000 12 00");
    BOOST_TEST(rig.host.in_hex() == kNoSense);
  }
}

BOOST_AUTO_TEST_CASE(an_absent_unit_says_so_in_every_way) {
  TargetRig rig;
  rig.host.command.lun = 2;
  BOOST_TEST((rig.host.Do("12 00 00 0024 00") == Status::kGood));
  BOOST_TEST(rig.host.in.size() == 36u);
  BOOST_TEST(Hex(Bytes(rig.host.in).first(8)) == "7f 00 06 02 1f 00 00 00");
  BOOST_TEST((rig.host.Do("03 00 0000 12 00") == Status::kGood));
  BOOST_TEST(rig.host.in_hex() == kAbsent);
  rig.host.Do("03 01 0000 12 00");
  BOOST_TEST(rig.host.in_hex() == "72 05 25 00 00 00 00 00");
  for (const char* cdb : {"00 00000000 00", "28 00 00000000 00 0001 00", "ff 00000000 00",
                          "2a 00 00000000 00 0001 00"}) {
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.sense() == kAbsent);
    BOOST_TEST(rig.host.calls == "E");
    BOOST_TEST(rig.host.entered == "");
  }
  rig.host.Do("12 01 00 0024 00");
  BOOST_TEST(rig.host.codes() == "05/24/00");
  rig.host.Do("03 00 0000 12 00");
  BOOST_TEST(rig.host.in[12] == 0x24);
}

BOOST_AUTO_TEST_CASE(aborting_what_is_answered_here_changes_nothing) {
  TargetRig rig;
  rig.host.Start(scsi::ReportLuns(0, 255).view());
  rig.target.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  rig.host.command.lun = 7;
  rig.host.Start(scsi::TestUnitReady().view());
  rig.target.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.sense() == kAbsent);
}

BOOST_AUTO_TEST_CASE(a_reset_reaches_every_unit) {
  TargetRig rig;
  rig.target.Reset();
  for (uint64_t lun = 0; lun < 2; ++lun) {
    rig.host.command.lun = lun;
    rig.host.Do("00 00000000 00");
    BOOST_TEST(rig.host.codes() == "06/29/00");
  }
}

BOOST_AUTO_TEST_CASE(sixteen_units_are_the_most) {
  ManualClock clock;
  MemoryStore store(64 << 10);
  Disk disk(clock, store, {});
  Target target(clock);
  for (size_t count = 0; count < Target::kUnitsMax; ++count) target.AddUnit(disk);
  Initiator host(clock, target);
  host.Do(scsi::ReportLuns(0, 255));
  BOOST_TEST(host.in.size() == 8u + 16 * 8);
  BOOST_TEST(host.in[8 + 15 * 8 + 1] == 15);
  BOOST_TEST(Dies([&] { target.AddUnit(disk); }));
}

BOOST_AUTO_TEST_SUITE_END()
