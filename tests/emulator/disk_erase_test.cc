// SANITIZE and FORMAT UNIT.
#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;
using emulator::StoreOp;
using emulator::StoreOutcome;
using scsi::Status;

namespace {

constexpr auto kReady = "00 00000000 00";
constexpr auto kRequestSense = "03 00 0000 12 00";
constexpr auto kBlockErase = "48 02 0000000000 0000 00";
constexpr auto kBlockEraseAtOnce = "48 82 0000000000 0000 00";
constexpr auto kExitFailureMode = "48 1f 0000000000 0000 00";
constexpr auto kFormat = "04 00 000000 00";

struct EraseRig : DiskRig {
  explicit EraseRig(DiskOptions options = {}, uint64_t size = 64 << 10) : DiskRig(options, size) {
    host.Do(scsi::Write10(0, 8), Pattern(4096));
    store.log.clear();
  }
  void LetItEnd() { clock.Advance(std::chrono::seconds(1)); }
  std::vector<uint8_t> Content(uint32_t blocks_count) {
    host.Do(scsi::Read10(0, blocks_count));
    return host.in;
  }
};

const RefusedListCase kRefused[] = {
    {"block_erase_with_a_list", "48 02 0000000000 0004 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 07"},
    {"exit_failure_mode_with_a_list", "48 1f 0000000000 0008 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 07"},
    {"overwrite_without_a_pattern", "48 01 0000000000 0004 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 07"},
    {"overwrite_with_more_than_a_block", "48 01 0000000000 0205 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 07"},
    {"overwrite_tested", "48 01 0000000000 0005 00", "21 00 0001 ff",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8e 00 00"},
    {"overwrite_of_no_passes", "48 01 0000000000 0005 00", "00 00 0001 ff",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8c 00 00"},
    {"overwrite_pattern_of_another_length", "48 01 0000000000 0005 00", "01 00 0002 ff",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 02"},
    {"format_of_a_complete_list_that_is_not_sent", "04 08 000000 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cb 00 01"},
    {"format_of_a_list_format_that_is_not_sent", "04 04 000000 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 01"},
    {"format_with_protection_fields", "04 10 000000 00", "01 00 0000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8a 00 00"},
    {"format_with_a_pattern", "04 10 000000 00", "00 08 0000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8b 00 01"},
    {"format_with_defects", "04 10 000000 00", "00 00 0008",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 02"},
    {"format_with_defects_in_a_long_list", "04 30 000000 00", "00 00 00 00 00000001",
     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 04"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_erase)

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  EraseRig rig;
  rig.host.Do(*ParseHex(sample.cdb), *ParseHex(sample.list));
  BOOST_TEST(rig.host.sense() == sample.sense);
  rig.LetItEnd();
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(erased_blocks_are_holes_when_the_status_comes) {
  for (const char* cdb : {kBlockErase, kFormat}) {
    EraseRig rig;
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.calls == "");
    rig.LetItEnd();
    BOOST_TEST(rig.host.calls == "E");
    BOOST_TEST((rig.host.command.status == Status::kGood));
    BOOST_TEST(rig.store.log == "uf");
    BOOST_TEST((rig.Content(8) == std::vector<uint8_t>(4096)));
    BOOST_TEST(rig.store.ExtentAt(0).mapped == false);
  }
}

BOOST_AUTO_TEST_CASE(nothing_else_can_be_done_meanwhile_and_request_sense_tells_how_far_it_is) {
  EraseRig rig({}, 256 << 20);  // four steps, and a flush
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  BOOST_TEST((rig.host.Do(kBlockEraseAtOnce) == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
  rig.clock.Step();
  for (const char* cdb :
       {kReady, "28 00 00000000 00 0001 00", "25 00 00000000 0000 00 00", "1b 00 00 00 01 00",
        kBlockErase, kFormat, "15 10 0000 00 00", "16 00 000000 00", "42 00 00000000 00 0000 00"}) {
    other.Do(cdb);
    BOOST_TEST(other.sense() == "70 00 02 00 00 00 00 0a 00 00 00 00 04 1b 00 80 40 00");
  }
  for (const char* cdb : {"12 00 00 0024 00", "4d 00 40 00 00 0000 00ff 00", "1a 08 3f 00 ff 00",
                          "a0 00 00 000000 00000010 00 00", "a3 0c 00 00 0000 00000010 00 00"}) {
    BOOST_TEST((other.Do(cdb) == Status::kGood));
  }
  rig.clock.Step();
  other.Do(kRequestSense);
  BOOST_TEST(other.in_hex() == "70 00 02 00 00 00 00 0a 00 00 00 00 04 1b 00 80 80 00");
  rig.LetItEnd();
  BOOST_TEST((other.Do(kReady) == Status::kGood));
  BOOST_TEST(rig.store.log == "uuuuf");
}

BOOST_AUTO_TEST_CASE(a_format_in_progress_has_a_name_of_its_own) {
  EraseRig rig;
  BOOST_TEST((rig.host.Do("04 10 000000 00", "00 02 0000"_hex) == Status::kGood));  // IMMED
  BOOST_TEST(rig.host.calls == "DTE");
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.sense() == "70 00 02 00 00 00 00 0a 00 00 00 00 04 04 00 80 00 00");
  rig.LetItEnd();
  BOOST_TEST((rig.host.Do("04 30 000000 00", "0000000000000000"_hex) == Status::kGood));
  rig.LetItEnd();
  BOOST_TEST(rig.host.calls == "DTE");
}

BOOST_AUTO_TEST_CASE(overwriting_repeats_the_pattern_in_every_block) {
  EraseRig rig({}, 100 << 10);
  std::vector<uint8_t> list = *ParseHex("01 00 0003 a1b2c3");
  rig.host.Do("48 01 0000000000 0007 00", list);
  rig.LetItEnd();
  BOOST_TEST((rig.host.command.status == Status::kGood));
  BOOST_TEST(rig.store.log == "wwf");
  const std::vector<uint8_t> content = rig.Content(200);
  for (size_t index = 0; index < content.size(); ++index) {
    BOOST_REQUIRE(content[index] == list[4 + index % 512 % 3]);
  }
}

BOOST_AUTO_TEST_CASE(passes_can_be_inverted_and_tell_their_progress) {
  EraseRig rig;  // one step a pass
  rig.host.Do("48 81 0000000000 0005 00", "82 00 0001 0f"_hex);
  BOOST_TEST((rig.host.command.status == Status::kGood));
  rig.clock.Step();
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.sense() == "70 00 02 00 00 00 00 0a 00 00 00 00 04 1b 00 80 80 00");
  rig.LetItEnd();
  BOOST_TEST(rig.store.log == "wwf");
  BOOST_TEST((rig.Content(1) == std::vector<uint8_t>(512, 0xf0)));
}

BOOST_AUTO_TEST_CASE(an_abort_ends_the_wait_and_not_the_erasure) {
  EraseRig rig;
  rig.host.Do(kBlockErase);
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  rig.disk.Reset();
  rig.host.ForgetAttentions();
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.codes() == "02/04/1b");
  rig.LetItEnd();
  BOOST_TEST(rig.store.log == "uf");
  BOOST_TEST((rig.host.Do(kReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_sanitize_that_failed_locks_the_medium_until_one_succeeds) {
  EraseRig rig;
  rig.store.broken = StoreOp::Kind::kUnmap;
  rig.store.outcome = StoreOutcome::kWriteError;
  rig.host.Do(kBlockErase);
  rig.LetItEnd();
  BOOST_TEST(rig.host.codes() == "03/31/03");
  BOOST_TEST(rig.store.faults == 1);
  rig.host.Do("28 00 00000000 00 0001 00");
  BOOST_TEST(rig.host.codes() == "03/31/03");
  rig.host.Do(kExitFailureMode);  // which AUSE would have allowed
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cc 00 01");
  rig.store.outcome = StoreOutcome::kOk;
  rig.host.Do(kBlockErase);
  rig.LetItEnd();
  BOOST_TEST((rig.host.command.status == Status::kGood));
  BOOST_TEST((rig.host.Do(kReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(failure_mode_can_be_left_where_that_was_allowed) {
  EraseRig rig;
  BOOST_TEST((rig.host.Do(kExitFailureMode) == Status::kGood));  // there is none
  rig.store.broken = StoreOp::Kind::kFlush;
  rig.store.outcome = StoreOutcome::kWriteError;
  rig.host.Do("48 a2 0000000000 0000 00");
  rig.LetItEnd();
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.codes() == "03/31/03");
  BOOST_TEST((rig.host.Do(kExitFailureMode) == Status::kGood));
  BOOST_TEST((rig.host.Do(kReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_format_that_failed_is_told_and_locks_nothing) {
  EraseRig rig;
  rig.store.broken = StoreOp::Kind::kUnmap;
  rig.store.outcome = StoreOutcome::kWriteError;
  rig.host.Do(kFormat);
  rig.LetItEnd();
  BOOST_TEST(rig.host.codes() == "03/31/01");
  BOOST_TEST((rig.host.Do(kReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_protected_medium_cannot_be_erased_nor_taken_out_while_it_is) {
  EraseRig rig(DiskOptions{.removable = true});
  rig.host.Do(kBlockEraseAtOnce);
  BOOST_TEST(!rig.disk.RemoveMedium());
  rig.LetItEnd();
  rig.disk.SetWriteProtected(true);
  rig.host.ForgetAttentions();
  for (const char* cdb : {kBlockErase, kFormat}) {
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.codes() == "07/27/00");
  }
}

BOOST_AUTO_TEST_CASE(a_disk_can_be_put_away_while_it_is_erased) {
  EraseRig rig({}, 256 << 20);
  rig.store.later = true;
  rig.host.Do(kBlockEraseAtOnce);
  rig.clock.Step();
  BOOST_TEST(rig.store.held.size() == 1u);
  BOOST_TEST(!rig.disk.idle());
  rig.disk.StopErasing();
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(rig.disk.idle());
  rig.LetItEnd();
  BOOST_TEST(rig.store.log == "u");
}

BOOST_AUTO_TEST_SUITE_END()
