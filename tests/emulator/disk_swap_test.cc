#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::Disk;
using emulator::DiskOptions;
using emulator::StoreOp;
using emulator::StoreOutcome;
using scsi::Status;

namespace {

constexpr auto kOneBlock = "89 00 0000000000000001 000000 01 00 00";

std::vector<uint8_t> Both(Bytes first, Bytes second) {
  std::vector<uint8_t> both(first.begin(), first.end());
  both.insert(both.end(), second.begin(), second.end());
  return both;
}

std::vector<uint8_t> Content(DiskRig& rig, uint64_t lba, uint32_t blocks_count) {
  rig.host.Do(scsi::Read10(lba, blocks_count));
  return rig.host.in;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_swap)

// ---- COMPARE AND WRITE

BOOST_AUTO_TEST_CASE(what_is_as_expected_is_replaced) {
  DiskRig rig;
  const std::vector<uint8_t> old = Pattern(3 * 512);
  const std::vector<uint8_t> young = Pattern(3 * 512, 99);
  rig.host.Do(scsi::Write10(1, 3), old);
  rig.store.log.clear();
  for (const uint32_t piece_max : {uint32_t{700}, UINT32_MAX}) {
    rig.host.piece_max = piece_max;
    const bool first = piece_max == 700;
    const std::vector<uint8_t> data = first ? Both(old, young) : Both(young, old);
    BOOST_TEST((rig.host.Do("89 00 0000000000000001 000000 03 00 00", data) == Status::kGood));
    BOOST_TEST(rig.host.command.length_out == 6u * 512);
    BOOST_TEST(rig.store.log == (first ? "rw" : "rwrrw"));
    rig.host.piece_max = UINT32_MAX;
    BOOST_TEST((Content(rig, 1, 3) == (first ? young : old)));
  }
}

BOOST_AUTO_TEST_CASE(a_difference_is_told_by_its_place_and_nothing_is_written) {
  DiskRig rig;
  const std::vector<uint8_t> old = Pattern(2 * 512);
  rig.host.Do(scsi::Write10(1, 2), old);
  std::vector<uint8_t> expected = old;
  expected[0x203] ^= 1;
  const std::vector<uint8_t> data = Both(expected, Pattern(1024, 99));
  rig.host.Do("89 00 0000000000000001 000000 02 00 00", data);
  BOOST_TEST(rig.host.sense() == "f0 00 0e 00 00 02 03 0a 00 00 00 00 1d 00 00 00 00 00");
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST((Content(rig, 1, 2) == old));
}

BOOST_AUTO_TEST_CASE(its_limits_are_kept) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do("89 00 0000000000000001 000000 00 00 00") == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
  rig.host.Do("89 00 0000000000000000 000000 81 00 00");
  BOOST_TEST(rig.host.codes() == "05/21/00");
  DiskRig large({}, 1 << 20);
  large.host.Do("89 00 0000000000000000 000000 81 00 00");
  BOOST_TEST(large.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 0d");
  BOOST_TEST((large.host.Do("89 00 0000000000000000 000000 80 00 00",
                            std::vector<uint8_t>(128 << 10)) == Status::kGood));
  DiskRig fixed(DiskOptions{.read_only = true});
  fixed.host.Do(kOneBlock);
  BOOST_TEST(fixed.host.codes() == "07/27/00");
}

BOOST_AUTO_TEST_CASE(forced_access_flushes_what_was_written) {
  DiskRig rig;
  const std::vector<uint8_t> data = Both(std::vector<uint8_t>(512), Pattern(512));
  rig.host.Do("89 08 0000000000000001 000000 01 00 00", data);
  BOOST_TEST(rig.store.log == "rwf");
  BOOST_TEST(rig.store.lengths.back() == 512u);
}

BOOST_AUTO_TEST_CASE(store_failures_are_told) {
  for (const StoreOp::Kind kind : {StoreOp::Kind::kRead, StoreOp::Kind::kWrite}) {
    DiskRig rig;
    rig.store.broken = kind;
    rig.store.outcome =
        kind == StoreOp::Kind::kRead ? StoreOutcome::kReadError : StoreOutcome::kWriteError;
    rig.host.Do(kOneBlock, std::vector<uint8_t>(1024));
    BOOST_TEST(rig.store.faults == 1);
    BOOST_TEST(rig.host.codes() == (kind == StoreOp::Kind::kRead ? "03/11/00" : "03/0c/00"));
  }
}

// Two initiators take the same lock at the same time: one of them gets it.
BOOST_AUTO_TEST_CASE(nobody_comes_between_the_comparison_and_the_write) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  Initiator third(rig.clock, rig.disk, 2);
  other.ForgetAttentions();
  third.ForgetAttentions();
  const std::vector<uint8_t> free(512);
  const std::vector<uint8_t> mine = Both(free, Pattern(512, 1));
  const std::vector<uint8_t> theirs = Both(free, Pattern(512, 2));
  const std::vector<uint8_t> plain = Pattern(512, 3);
  rig.store.later = true;
  third.Start(scsi::Read10(1, 1).view());
  rig.host.Start(*ParseHex(kOneBlock), mine);
  other.Start(*ParseHex(kOneBlock), theirs);
  rig.clock.RunPosted();
  BOOST_TEST(rig.store.log == "r");  // the plain read; the others wait for it to end
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(third.calls == "E");
  third.Start(scsi::Write10(1, 1).view(), plain);
  rig.clock.RunPosted();
  BOOST_TEST(rig.store.log == "rr");
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(rig.store.log == "rrw");
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kGood));
  while (!rig.store.held.empty()) {
    rig.store.Release();
    rig.clock.RunPosted();
  }
  BOOST_TEST(other.codes() == "0e/1d/00");
  BOOST_TEST((third.command.status == Status::kGood));
}

BOOST_AUTO_TEST_CASE(an_abort_while_it_waits_for_the_store_lets_the_others_go_on) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  const std::vector<uint8_t> data(1024);
  rig.store.later = true;
  rig.host.Start(*ParseHex(kOneBlock), data);
  rig.clock.RunPosted();
  other.Start(scsi::Read10(0, 1).view());
  rig.clock.RunPosted();
  BOOST_TEST(rig.store.held.size() == 1u);
  rig.disk.Abort(other.command);
  rig.disk.Abort(rig.host.command);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.host.calls == "DTE");
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST((other.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.store.log == "rr");
}

// ---- ORWRITE

BOOST_AUTO_TEST_CASE(bits_are_added_to_what_is_there) {
  DiskRig rig({}, 1 << 20);
  const std::vector<uint8_t> old = Pattern(300 * 512);
  const std::vector<uint8_t> more = Pattern(300 * 512, 77);
  std::vector<uint8_t> expected(old);
  for (size_t index = 0; index < more.size(); ++index) expected[index] |= more[index];
  for (const uint32_t piece_max : {uint32_t{777}, uint32_t{100 << 10}, UINT32_MAX}) {
    rig.host.Do(scsi::Write10(5, 300), old);
    rig.store.log.clear();
    rig.host.piece_max = piece_max;
    BOOST_TEST((rig.host.Do(scsi::OrWrite16({.range = {.lba = 5, .blocks_count = 300}}), more) ==
                Status::kGood));
    rig.host.piece_max = UINT32_MAX;
    BOOST_TEST(rig.store.log == "rwrwrw");  // by 64 KiB
    BOOST_TEST(rig.host.command.length_out == 300u * 512);
    BOOST_TEST((Content(rig, 5, 300) == expected));
  }
}

BOOST_AUTO_TEST_CASE(or_write_flushes_and_fails_as_write_does) {
  DiskRig rig;
  rig.host.Do("8b 08 0000000000000001 00000002 00 00", Pattern(1024));
  BOOST_TEST(rig.store.log == "rwf");
  rig.store.broken = StoreOp::Kind::kWrite;
  rig.store.outcome = StoreOutcome::kNoSpace;
  rig.host.Do("8b 08 0000000000000001 00000002 00 00", Pattern(1024));
  BOOST_TEST(rig.host.codes() == "07/27/07");
  BOOST_TEST(rig.host.command.length_out == 0u);
  rig.host.Do("8b 00 000000000000007f 00000002 00 00");
  BOOST_TEST(rig.host.codes() == "05/21/00");
  BOOST_TEST((rig.host.Do("8b 00 0000000000000000 00000000 00 00") == Status::kGood));
}

// ---- WRITE AND VERIFY

BOOST_AUTO_TEST_CASE(what_is_written_is_read_again_and_flushed) {
  DiskRig rig({}, 4 << 20);
  const std::vector<uint8_t> data = Pattern(3 << 20);
  for (const char* cdb : {"2e 00 00000000 00 1800 00", "ae 02 00000000 00001800 00 00",
                          "8e 02 0000000000000000 00001800 00 00"}) {
    rig.store.log.clear();
    BOOST_TEST((rig.host.Do(cdb, data) == Status::kGood));
    BOOST_TEST(rig.store.log == "wrrrf");  // read by windows of 1 MiB
    BOOST_TEST(rig.host.command.length_out == data.size());
  }
  BOOST_TEST((Content(rig, 0, 0x1800) == data));
  rig.host.piece_max = 1000;
  BOOST_TEST((rig.host.Do("2e 02 00000000 00 0008 00", data) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_block_that_cannot_be_read_again_is_told) {
  DiskRig rig;
  rig.store.broken = StoreOp::Kind::kRead;
  rig.store.outcome = StoreOutcome::kReadError;
  rig.host.Do("2e 00 00000007 00 0001 00", Pattern(512));
  BOOST_TEST(rig.host.sense() == "f0 00 03 00 00 00 07 0a 00 00 00 00 11 00 00 00 00 00");
  BOOST_TEST(rig.store.log == "wr");
}

BOOST_AUTO_TEST_CASE(verify_12_compares_as_its_siblings_do) {
  DiskRig rig;
  const std::vector<uint8_t> data = Pattern(1024);
  rig.host.Do(scsi::Write10(4, 2), data);
  BOOST_TEST((rig.host.Do("af 02 00000004 00000002 00 00", data) == Status::kGood));
  BOOST_TEST((rig.host.Do("af 00 00000004 00000002 00 00") == Status::kGood));
  rig.host.Do("af 02 00000003 00000002 00 00", data);
  BOOST_TEST(rig.host.codes() == "0e/1d/00");
}

// ---- PRE-FETCH

BOOST_AUTO_TEST_CASE(pre_fetch_checks_its_range_and_fetches_nothing) {
  DiskRig rig;
  for (const char* cdb : {"34 00 00000000 00 0000 00", "34 02 0000007f 00 0001 00",
                          "90 00 0000000000000080 00000000 00 00"}) {
    BOOST_TEST((rig.host.Do(cdb) == Status::kGood));
  }
  rig.host.Do("90 02 000000000000007f 00000002 00 00");
  BOOST_TEST(rig.host.sense() == "f0 00 05 00 00 00 80 0a 00 00 00 00 21 00 00 00 00 00");
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_SUITE_END()
