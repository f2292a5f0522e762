#include "emulator/disk.h"

#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::Disk;
using emulator::DiskOptions;
using emulator::MemoryStore;
using scsi::Status;

namespace {

constexpr auto kTestUnitReady = "00 00000000 00";
constexpr auto kRequestSense = "03 00 0000 12 00";
constexpr auto kInquiry = "12 00 00 0024 00";
constexpr auto kReportLuns = "a0 00 00 000000 00000010 00 00";
constexpr auto kStart = "1b 00 00 00 01 00";
constexpr auto kStop = "1b 00 00 00 00 00";
constexpr auto kLoad = "1b 00 00 00 03 00";
constexpr auto kEject = "1b 00 00 00 02 00";
constexpr auto kPrevent = "1e 000000 01 00";
constexpr auto kAllow = "1e 000000 00 00";
constexpr auto kRead = "28 00 00000000 00 0001 00";

constexpr auto kNoSense = "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00";
constexpr auto kReset = "70 00 06 00 00 00 00 0a 00 00 00 00 29 00 00 00 00 00";
constexpr auto kStopped = "70 00 02 00 00 00 00 0a 00 00 00 00 04 02 00 00 00 00";
constexpr auto kNoMedium = "70 00 02 00 00 00 00 0a 00 00 00 00 3a 00 00 00 00 00";

const RefusedCase kRefused[] = {
    {"unknown_opcode", "ff 00000000 00", "70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 c0 00 00"},
    {"naca", "00 00000000 04", "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 05"},
    {"report_luns_select_3", "a0 00 03 000000 00000010 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02"},
    {"power_condition", "1b 00 00 00 50 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 04"},
    {"eject_of_a_fixed_disk", "1b 00 00 00 02 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c9 00 04"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk)

// ---- How a command ends

BOOST_AUTO_TEST_CASE(a_command_completes_once_and_never_from_inside_execute) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));
  BOOST_TEST(rig.host.entered == "");
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.command.length_in == 0u);
  BOOST_TEST(rig.store.log == "");
}

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  DiskRig rig;
  rig.host.Do(sample.cdb);
  BOOST_TEST(rig.host.sense() == sample.sense);
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.command.data.empty());
}

BOOST_AUTO_TEST_CASE(a_slow_reader_keeps_its_bytes_while_more_replies_than_slabs_are_made) {
  DiskRig rig;
  std::vector<Lease> slow;
  std::vector<std::vector<uint8_t>> expected;
  for (int round = 0; round < 20; ++round) {
    rig.host.Do(round % 2 == 0 ? kInquiry : "12 01 80 00ff 00");
    slow.push_back(std::move(rig.host.command.data));
    expected.push_back(rig.host.in);
  }
  for (size_t index = 0; index < slow.size(); ++index) {
    std::vector<uint8_t> bytes(slow[index].length(), 0xa5);
    slow[index].CopyTo(bytes);
    BOOST_TEST(bytes == expected[index]);
  }
  BOOST_TEST(expected[0] != expected[1]);
}

BOOST_AUTO_TEST_CASE(a_lone_disk_reports_one_unit) {
  DiskRig rig;
  rig.host.Do(kReportLuns);
  BOOST_TEST(rig.host.in_hex() == "00 00 00 08 00 00 00 00 00 00 00 00 00 00 00 00");
  rig.host.Do("a0 00 01 000000 00000010 00 00");
  BOOST_TEST(rig.host.in_hex() == "00 00 00 00 00 00 00 00");
}

// ---- Unit attention. SAM-5, 5.14

BOOST_AUTO_TEST_CASE(each_initiator_hears_of_power_on_once) {
  ManualClock clock;
  MemoryStore store(64 << 10);
  Disk disk(clock, store, {});
  Initiator first(clock, disk, 0);
  Initiator last(clock, disk, scsi::kInitiatorsMax - 1);

  first.Do(kRead);
  BOOST_TEST(first.sense() == kReset);
  BOOST_TEST((first.Do(kTestUnitReady) == Status::kGood));
  last.Do(kTestUnitReady);
  BOOST_TEST(last.sense() == kReset);
  BOOST_TEST((last.Do(kTestUnitReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(attention_comes_before_any_other_complaint) {
  ManualClock clock;
  MemoryStore store(64 << 10);
  Disk disk(clock, store, {});
  Initiator host(clock, disk);
  host.Do("ff 00000000 00");
  BOOST_TEST(host.codes() == "06/29/00");
  host.Do("ff 00000000 00");
  BOOST_TEST(host.codes() == "05/20/00");
}

BOOST_AUTO_TEST_CASE(inquiry_and_report_luns_leave_attention_waiting) {
  ManualClock clock;
  MemoryStore store(64 << 10);
  Disk disk(clock, store, {});
  Initiator host(clock, disk);
  BOOST_TEST((host.Do(kInquiry) == Status::kGood));
  BOOST_TEST(host.in.size() == 36u);
  BOOST_TEST((host.Do(kReportLuns) == Status::kGood));
  host.Do("12 00 ff 0024 00");
  BOOST_TEST(host.codes() == "05/24/00");
  host.Do(kTestUnitReady);
  BOOST_TEST(host.codes() == "06/29/00");
}

BOOST_AUTO_TEST_CASE(request_sense_takes_attention_as_data) {
  ManualClock clock;
  MemoryStore store(64 << 10);
  Disk disk(clock, store, {});
  Initiator host(clock, disk);
  BOOST_TEST((host.Do(kRequestSense) == Status::kGood));
  BOOST_TEST(host.in_hex() == kReset);
  BOOST_TEST((host.Do(kTestUnitReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(several_attentions_come_one_by_one_reset_first) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.disk.SetWriteProtected(true);
  BOOST_TEST(rig.disk.RemoveMedium());
  rig.disk.InsertMedium();
  rig.disk.Reset();
  rig.disk.SetWriteProtected(false);
  BOOST_TEST(rig.disk.RemoveMedium());
  rig.disk.InsertMedium();
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.codes() == "06/29/00");
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.codes() == "06/28/00");
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.codes() == "06/2a/01");
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(write_protection_that_does_not_change_is_no_news) {
  DiskRig rig;
  rig.disk.SetWriteProtected(false);
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));
}

// ---- REQUEST SENSE

BOOST_AUTO_TEST_CASE(request_sense_tells_what_the_last_command_met_once) {
  DiskRig rig;
  rig.host.Do("28 00 00000080 00 0001 00");
  BOOST_TEST((rig.host.Do(kRequestSense) == Status::kGood));
  BOOST_TEST(rig.host.in_hex() == "f0 00 05 00 00 00 80 0a 00 00 00 00 21 00 00 00 00 00");
  rig.host.Do(kRequestSense);
  BOOST_TEST(rig.host.in_hex() == kNoSense);
}

BOOST_AUTO_TEST_CASE(request_sense_speaks_descriptor_format_when_asked) {
  DiskRig rig;
  rig.host.Do("28 00 00000080 00 0001 00");
  rig.host.Do("03 01 0000 ff 00");
  BOOST_TEST(rig.host.in_hex() == "72 05 21 00 00 00 00 0c 00 0a 80 00 00 00 00 00 00 00 00 80");
}

BOOST_AUTO_TEST_CASE(request_sense_is_cut_to_the_allocation_length) {
  DiskRig rig;
  rig.host.Do("ff 00000000 00");
  rig.host.Do("03 00 0000 04 00");
  BOOST_TEST(rig.host.in_hex() == "70 00 05 00");
  rig.host.Do("03 00 0000 00 00");
  BOOST_TEST(rig.host.in.empty());
  BOOST_TEST((rig.host.command.status == Status::kGood));
}

BOOST_AUTO_TEST_CASE(any_other_command_drops_the_sense) {
  DiskRig rig;
  rig.host.Do("ff 00000000 00");
  rig.host.Do(kInquiry);
  rig.host.Do(kRequestSense);
  BOOST_TEST(rig.host.in_hex() == kNoSense);
}

BOOST_AUTO_TEST_CASE(sense_belongs_to_its_initiator) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  rig.host.Do("ff 00000000 00");
  other.Do(kRequestSense);
  BOOST_TEST(other.in_hex() == kNoSense);
  rig.host.Do(kRequestSense);
  BOOST_TEST(rig.host.in_hex() == "70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 c0 00 00");
}

BOOST_AUTO_TEST_CASE(sense_that_the_transport_delivered_is_not_kept) {
  DiskRig rig;
  rig.host.command.autosense = true;
  rig.host.Do("ff 00000000 00");
  BOOST_TEST(rig.host.codes() == "05/20/00");
  rig.host.Do(kRequestSense);
  BOOST_TEST(rig.host.in_hex() == kNoSense);
}

BOOST_AUTO_TEST_CASE(request_sense_polls_why_the_unit_is_not_ready) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.host.Do(kStop);
  rig.host.Do(kRequestSense);
  BOOST_TEST(rig.host.in_hex() == kStopped);
  rig.host.Do(kEject);
  rig.host.Do(kRequestSense);
  BOOST_TEST(rig.host.in_hex() == kNoMedium);
}

// ---- START STOP UNIT, medium removal

BOOST_AUTO_TEST_CASE(a_stopped_unit_wants_to_be_started) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do(kStop) == Status::kGood));
  BOOST_TEST(rig.store.log == "f");
  for (const char* cdb : {kTestUnitReady, kRead, "25 00 00000000 0000 00 00",
                          "35 00 00000000 00 0000 00", "2a 00 00000000 00 0001 00"}) {
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.sense() == kStopped);
  }
  BOOST_TEST((rig.host.Do(kStart) == Status::kGood));
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));  // starting is no news
}

BOOST_AUTO_TEST_CASE(stopping_without_flush_touches_no_store) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do("1b 00 00 00 04 00") == Status::kGood));
  BOOST_TEST(rig.store.log == "");
  BOOST_TEST(!rig.disk.ready());
}

BOOST_AUTO_TEST_CASE(a_failed_flush_keeps_the_unit_running) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.store.broken = emulator::StoreOp::Kind::kFlush;
  rig.store.outcome = emulator::StoreOutcome::kWriteError;
  rig.host.Do(kEject);
  BOOST_TEST(rig.host.codes() == "03/0c/00");
  BOOST_TEST(rig.store.faults == 1);
  BOOST_TEST(rig.disk.ready());
}

BOOST_AUTO_TEST_CASE(ejecting_and_loading_is_news_to_everybody) {
  DiskRig rig(DiskOptions{.removable = true});
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  BOOST_TEST((rig.host.Do(kEject) == Status::kGood));
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.sense() == kNoMedium);
  rig.host.Do(kStart);
  BOOST_TEST(rig.host.sense() == kNoMedium);
  BOOST_TEST((rig.host.Do(kEject) == Status::kGood));  // it is out already
  BOOST_TEST((rig.host.Do(kLoad) == Status::kGood));
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.codes() == "06/28/00");
  other.Do(kTestUnitReady);
  BOOST_TEST(other.codes() == "06/28/00");
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_medium_the_user_took_cannot_be_loaded) {
  DiskRig rig(DiskOptions{.removable = true});
  BOOST_TEST(rig.disk.RemoveMedium());
  rig.host.Do(kLoad);
  BOOST_TEST(rig.host.sense() == kNoMedium);
  rig.disk.InsertMedium();
  rig.host.Do(kRead);
  BOOST_TEST(rig.host.codes() == "06/28/00");
  BOOST_TEST((rig.host.Do(kRead) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(prevention_holds_until_every_initiator_allows) {
  DiskRig rig(DiskOptions{.removable = true});
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  BOOST_TEST((rig.host.Do(kPrevent) == Status::kGood));
  BOOST_TEST((other.Do(kPrevent) == Status::kGood));
  BOOST_TEST((rig.host.Do(kAllow) == Status::kGood));
  rig.host.Do(kEject);
  BOOST_TEST(rig.host.codes() == "05/53/02");
  BOOST_TEST(!rig.disk.RemoveMedium());
  BOOST_TEST((rig.host.Do(kStop) == Status::kGood));  // stopping is no removal
  BOOST_TEST((rig.host.Do(kStart) == Status::kGood));
  BOOST_TEST((other.Do(kAllow) == Status::kGood));
  BOOST_TEST((rig.host.Do(kEject) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_reset_starts_the_unit_and_lifts_prevention) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.host.Do(kPrevent);
  rig.host.Do(kStop);
  rig.disk.Reset();
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.sense() == kReset);
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));
  BOOST_TEST(rig.disk.RemoveMedium());
}

BOOST_AUTO_TEST_CASE(a_fixed_medium_stays_inside) {
  DiskRig rig;
  BOOST_TEST(!rig.disk.RemoveMedium());
  rig.disk.InsertMedium();
  BOOST_TEST((rig.host.Do(kTestUnitReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_store_of_less_than_a_block_is_no_medium) {
  DiskRig rig({}, 511);
  rig.host.Do(kTestUnitReady);
  BOOST_TEST(rig.host.sense() == kNoMedium);
  rig.disk.InsertMedium();
  rig.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(rig.host.sense() == kNoMedium);
}

BOOST_AUTO_TEST_SUITE_END()
