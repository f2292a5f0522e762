#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::BlockStore;
using emulator::DiskOptions;
using emulator::StoreOp;
using emulator::StoreOutcome;
using scsi::Status;

namespace {

// The disk has 128 blocks of 512 bytes.
constexpr auto kOutOfRange = "f0 00 05 00 00 00 80 0a 00 00 00 00 21 00 00 00 00 00";

struct TransferCase {
  const char* name;
  const char* write;
  const char* read;
  uint64_t lba;
  uint32_t blocks_count;
};
std::ostream& operator<<(std::ostream& out, const TransferCase& sample) {
  return out << sample.name;
}
const TransferCase kTransfers[] = {
    {"six", "0a 000003 02 00", "08 000003 02 00", 3, 2},
    {"ten", "2a 00 00000004 00 0003 00", "28 00 00000004 00 0003 00", 4, 3},
    {"ten_dpo", "2a 10 0000007f 00 0001 00", "28 10 0000007f 00 0001 00", 127, 1},
    {"twelve", "aa 00 00000000 00000080 00 00", "a8 00 00000000 00000080 00 00", 0, 128},
    {"sixteen", "8a 00 0000000000000010 00000004 00 00", "88 00 0000000000000010 00000004 00 00",
     16, 4},
};

struct RangeCase {
  const char* name;
  const char* cdb;
  const char* sense;
};
std::ostream& operator<<(std::ostream& out, const RangeCase& sample) {
  return out << sample.name;
}
const RangeCase kBeyond[] = {
    {"read_6", "08 000080 01 00", kOutOfRange},
    {"read_6_of_256", "08 000000 00 00", kOutOfRange},
    {"read_10_across_the_end", "28 00 0000007f 00 0002 00", kOutOfRange},
    {"read_10_far", "28 00 01020304 00 0001 00",
     "f0 00 05 01 02 03 04 0a 00 00 00 00 21 00 00 00 00 00"},
    {"read_10_of_nothing_beyond", "28 00 00000081 00 0000 00",
     "f0 00 05 00 00 00 81 0a 00 00 00 00 21 00 00 00 00 00"},
    {"read_16_sum_overflows", "88 00 ffffffffffffffff 00000002 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00"},
    {"read_16_bytes_overflow", "88 00 0080000000000000 00000001 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00"},
    {"read_12_of_everything", "a8 00 00000000 ffffffff 00 00", kOutOfRange},
    {"write_6", "0a 000080 01 00", kOutOfRange},
    {"write_10", "2a 00 00000080 00 0001 00", kOutOfRange},
    {"write_12", "aa 00 00000001 00000080 00 00", kOutOfRange},
    {"write_16", "8a 00 0000000000000080 00000001 00 00", kOutOfRange},
    {"verify_10", "2f 00 00000000 00 0081 00", kOutOfRange},
    {"verify_10_compare", "2f 02 00000000 00 0081 00", kOutOfRange},
    {"verify_16", "8f 00 0000000000000080 00000001 00 00", kOutOfRange},
    {"synchronize_10", "35 00 00000080 00 0001 00", kOutOfRange},
    {"synchronize_16", "91 00 0000000000000081 00000000 00 00",
     "f0 00 05 00 00 00 81 0a 00 00 00 00 21 00 00 00 00 00"},
};

struct FaultCase {
  const char* name;
  StoreOp::Kind kind;
  StoreOutcome outcome;
  const char* cdb;
  const char* sense;
  const char* calls;
};
std::ostream& operator<<(std::ostream& out, const FaultCase& sample) {
  return out << sample.name;
}
const FaultCase kFaults[] = {
    {"read_error_of_one_block", StoreOp::Kind::kRead, StoreOutcome::kReadError,
     "28 00 00000005 00 0001 00", "f0 00 03 00 00 00 05 0a 00 00 00 00 11 00 00 00 00 00", "E"},
    {"read_error_somewhere", StoreOp::Kind::kRead, StoreOutcome::kReadError,
     "28 00 00000005 00 0002 00", "70 00 03 00 00 00 00 0a 00 00 00 00 11 00 00 00 00 00", "E"},
    {"verify_meets_a_read_error", StoreOp::Kind::kRead, StoreOutcome::kReadError,
     "2f 00 00000005 00 0002 00", "70 00 03 00 00 00 00 0a 00 00 00 00 11 00 00 00 00 00", "E"},
    {"compare_meets_a_read_error", StoreOp::Kind::kRead, StoreOutcome::kReadError,
     "2f 02 00000005 00 0001 00", "f0 00 03 00 00 00 05 0a 00 00 00 00 11 00 00 00 00 00", "DTE"},
    {"no_space", StoreOp::Kind::kWrite, StoreOutcome::kNoSpace, "2a 00 00000005 00 0001 00",
     "70 00 07 00 00 00 00 0a 00 00 00 00 27 07 00 00 00 00", "DTE"},
    {"write_error", StoreOp::Kind::kWrite, StoreOutcome::kWriteError, "2a 00 00000005 00 0001 00",
     "f0 00 03 00 00 00 05 0a 00 00 00 00 0c 00 00 00 00 00", "DTE"},
    {"write_through_fails_to_flush", StoreOp::Kind::kFlush, StoreOutcome::kWriteError,
     "2a 08 00000005 00 0001 00", "70 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00", "DTE"},
    {"synchronize_fails", StoreOp::Kind::kFlush, StoreOutcome::kWriteError,
     "35 00 00000000 00 0000 00", "70 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00", "E"},
    {"synchronize_finds_no_space", StoreOp::Kind::kFlush, StoreOutcome::kNoSpace,
     "91 00 0000000000000000 00000000 00 00",
     "70 00 07 00 00 00 00 0a 00 00 00 00 27 07 00 00 00 00", "E"},
    {"read_past_the_cache_fails_to_flush", StoreOp::Kind::kFlush, StoreOutcome::kWriteError,
     "28 08 00000005 00 0001 00", "70 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00", "E"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_io)

// ---- Capacity

BOOST_AUTO_TEST_CASE(capacity_is_the_last_block_and_its_length) {
  DiskRig rig;
  rig.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(rig.host.in_hex() == "00 00 00 7f 00 00 02 00");
  DiskRig large(DiskOptions{.block_size = 4096}, (64 << 10) + 4095);
  large.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(large.host.in_hex() == "00 00 00 0f 00 00 10 00");
  large.host.Do("9e 10 0000000000000000 00000020 00 00");
  BOOST_TEST(large.host.in_hex() == Hex(*ParseHex("000000000000000f 00001000 00 00 c000"
                                                  "00000000000000000000000000000000")));
  large.host.Do("9e 10 0000000000000000 0000000c 00 00");
  BOOST_TEST(large.host.in_hex() == "00 00 00 00 00 00 00 0f 00 00 10 00");
}

BOOST_AUTO_TEST_CASE(a_capacity_beyond_32_bits_sends_to_the_longer_command) {
  DiskRig rig({}, uint64_t{512} << 32);  // the last block is FFFFFFFFh itself
  rig.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(rig.host.in_hex() == "ff ff ff ff 00 00 02 00");
  DiskRig larger({}, (uint64_t{512} << 32) + 512);
  larger.host.Do("25 00 00000000 0000 00 00");
  BOOST_TEST(larger.host.in_hex() == "ff ff ff ff 00 00 02 00");
  larger.host.Do("9e 10 0000000000000000 00000008 00 00");
  BOOST_TEST(larger.host.in_hex() == "00 00 00 01 00 00 00 00");
}

// ---- READ and WRITE

BOOST_DATA_TEST_CASE(what_was_written_is_read, boost::unit_test::data::make(kTransfers)) {
  DiskRig rig;
  const std::vector<uint8_t> data = Pattern(sample.blocks_count * 512);

  BOOST_TEST((rig.host.Do(sample.write, data) == Status::kGood));
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST(rig.host.wanted == data.size());
  BOOST_TEST(rig.host.command.length_out == data.size());
  BOOST_TEST(rig.host.command.length_in == 0u);

  BOOST_TEST((rig.host.Do(sample.read) == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.in == data);
  BOOST_TEST(rig.store.log == "wr");

  // And it is where the address says, with nothing beside it.
  rig.host.Do(scsi::Read10(0, 128));
  std::vector<uint8_t> all(128 * 512);
  std::copy(data.begin(), data.end(), all.begin() + static_cast<ptrdiff_t>(sample.lba * 512));
  BOOST_TEST((rig.host.in == all));
}

BOOST_AUTO_TEST_CASE(the_six_byte_commands_mean_256_blocks_by_zero) {
  DiskRig rig({}, 512 * 300);
  const std::vector<uint8_t> data = Pattern(256 * 512);
  BOOST_TEST((rig.host.Do("0a 000000 00 00", data) == Status::kGood));
  BOOST_TEST(rig.host.command.length_out == data.size());
  BOOST_TEST((rig.host.Do("08 000000 00 00") == Status::kGood));
  BOOST_TEST((rig.host.in == data));
}

BOOST_AUTO_TEST_CASE(blocks_of_4096_bytes_are_addressed_as_such) {
  DiskRig rig(DiskOptions{.block_size = 4096});
  const std::vector<uint8_t> data = Pattern(8192);
  BOOST_TEST((rig.host.Do("2a 00 0000000e 00 0002 00", data) == Status::kGood));
  BOOST_TEST((rig.host.Do("28 00 0000000e 00 0002 00") == Status::kGood));
  BOOST_TEST((rig.host.in == data));
  rig.host.Do("28 00 0000000f 00 0002 00");
  BOOST_TEST(rig.host.sense() == "f0 00 05 00 00 00 10 0a 00 00 00 00 21 00 00 00 00 00");
}

BOOST_DATA_TEST_CASE(beyond_the_end_is_refused, boost::unit_test::data::make(kBeyond)) {
  DiskRig rig;
  rig.host.Do(sample.cdb);
  BOOST_TEST(rig.host.sense() == sample.sense);
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.command.length_in == 0u);
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(the_wide_address_is_told_in_descriptor_format) {
  DiskRig rig;
  rig.host.Do("88 00 ffffffffffffffff 00000002 00 00");
  rig.host.Do("03 01 0000 ff 00");
  BOOST_TEST(rig.host.in_hex() == "72 05 21 00 00 00 00 0c 00 0a 80 00 ff ff ff ff ff ff ff ff");
}

BOOST_AUTO_TEST_CASE(no_blocks_are_no_error) {
  DiskRig rig;
  for (const char* cdb :
       {"28 00 00000000 00 0000 00", "28 00 00000080 00 0000 00", "2a 08 00000000 00 0000 00",
        "a8 00 00000000 00000000 00 00", "8a 00 0000000000000080 00000000 00 00",
        "2f 00 00000000 00 0000 00", "2f 02 00000000 00 0000 00"}) {
    BOOST_TEST((rig.host.Do(cdb) == Status::kGood));
    BOOST_TEST(rig.host.calls == "E");
  }
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(more_than_the_longest_transfer_is_a_bad_field) {
  DiskRig rig({}, uint64_t{1} << 40);
  rig.host.Do("88 00 0000000000000000 00400001 00 00");
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 0a");
  rig.host.Do("aa 00 00000000 00400001 00 00");
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 06");
}

BOOST_AUTO_TEST_CASE(a_write_protected_disk_takes_no_data) {
  DiskRig rig(DiskOptions{.read_only = true});
  for (const char* cdb :
       {"0a 000000 01 00", "2a 00 00000000 00 0001 00", "aa 00 00000000 00000001 00 00",
        "8a 00 0000000000000000 00000001 00 00"}) {
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.sense() == "70 00 07 00 00 00 00 0a 00 00 00 00 27 00 00 00 00 00");
    BOOST_TEST(rig.host.calls == "E");
  }
  BOOST_TEST((rig.host.Do("28 00 00000000 00 0001 00") == Status::kGood));
}

BOOST_AUTO_TEST_CASE(long_data_comes_in_windows) {
  const uint32_t window = BlockStore::kWindowMax;
  DiskRig rig({}, 4 * window);
  const std::vector<uint8_t> data = Pattern(2 * window + 512);
  const auto blocks_count = static_cast<uint32_t>(data.size() / 512);
  rig.host.piece_max = 300'001;  // whatever the transport hands over
  BOOST_TEST((rig.host.Do(scsi::Write10(7, blocks_count), data) == Status::kGood));
  BOOST_TEST(rig.host.calls == "DTTTTTTTE");
  BOOST_TEST(rig.host.command.length_out == data.size());

  rig.store.lengths.clear();
  BOOST_TEST((rig.host.Do(scsi::Read10(7, blocks_count)) == Status::kGood));
  BOOST_TEST(rig.host.calls == "EWW");
  BOOST_TEST((rig.host.in == data));
  BOOST_TEST(rig.store.lengths == (std::vector<uint64_t>{window, window, 512}));
}

BOOST_AUTO_TEST_CASE(a_window_that_fails_has_no_data) {
  const uint32_t window = BlockStore::kWindowMax;
  DiskRig rig({}, 4 * window);
  rig.store.outcome = StoreOutcome::kReadError;
  rig.store.broken_after = 1;
  rig.host.Do(scsi::Read10(0, 3 * window / 512));
  BOOST_TEST(rig.host.calls == "EW");
  BOOST_TEST(rig.host.codes() == "03/11/00");
  BOOST_TEST(rig.host.in.size() == window);
  BOOST_TEST(rig.host.command.data.empty());
  BOOST_TEST(rig.host.command.length_in == 3 * window);
  rig.host.Do("03 00 0000 12 00");
  BOOST_TEST(rig.host.in[12] == 0x11);
}

// ---- What the store answers

BOOST_DATA_TEST_CASE(store_failures_become_sense, boost::unit_test::data::make(kFaults)) {
  DiskRig rig;
  rig.store.broken = sample.kind;
  rig.store.outcome = sample.outcome;
  const std::vector<uint8_t> data(1024);
  rig.host.Do(sample.cdb, data);
  BOOST_TEST(rig.store.faults == 1);
  BOOST_TEST(rig.host.sense() == sample.sense);
  BOOST_TEST(rig.host.calls == sample.calls);
  BOOST_TEST(rig.host.command.length_in == 0u);
}

BOOST_AUTO_TEST_CASE(after_a_failed_piece_the_rest_is_taken_and_dropped) {
  DiskRig rig;
  rig.store.broken = StoreOp::Kind::kWrite;
  rig.store.outcome = StoreOutcome::kNoSpace;
  rig.store.broken_after = 1;
  rig.host.piece_max = 512;
  const std::vector<uint8_t> data = Pattern(4 * 512);
  rig.host.Do("2a 08 00000000 00 0004 00", data);
  BOOST_TEST(rig.host.calls == "DTTTTE");
  BOOST_TEST(rig.host.codes() == "07/27/07");
  BOOST_TEST(rig.host.command.length_out == 512u);
  BOOST_TEST(rig.store.log == "ww");  // nothing after the failure, no flush either
}

// ---- Caching

BOOST_AUTO_TEST_CASE(fua_and_a_missing_write_cache_flush_before_the_status) {
  const std::vector<uint8_t> data(1024);
  DiskRig cached;
  cached.host.Do("2a 08 00000002 00 0002 00", data);
  BOOST_TEST(cached.store.log == "wf");
  BOOST_TEST(cached.store.lengths == (std::vector<uint64_t>{1024, 1024}));
  DiskRig uncached(DiskOptions{.write_cache = false});
  uncached.host.piece_max = 512;
  uncached.host.Do("2a 00 00000002 00 0002 00", data);
  BOOST_TEST(uncached.store.log == "wwf");
}

BOOST_AUTO_TEST_CASE(the_status_waits_for_the_flush) {
  DiskRig rig;
  const std::vector<uint8_t> data(512);
  rig.store.later = true;
  rig.host.Do("2a 08 00000000 00 0001 00", data);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.executed == 0);
  BOOST_TEST(rig.store.log == "wf");
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST((rig.host.command.status == Status::kGood));
}

BOOST_AUTO_TEST_CASE(a_read_with_fua_flushes_first) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do("28 08 00000000 00 0001 00") == Status::kGood));
  BOOST_TEST(rig.store.log == "fr");
  BOOST_TEST(rig.host.in.size() == 512u);
}

BOOST_AUTO_TEST_CASE(synchronize_cache_flushes_its_range_even_when_immediate) {
  DiskRig rig;
  for (const char* cdb :
       {"35 00 00000010 00 0008 00", "35 02 00000010 00 0008 00", "35 00 00000010 00 0000 00",
        "91 00 0000000000000000 00000000 00 00", "91 02 0000000000000001 00000002 00 00"}) {
    rig.store.later = true;
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.executed == 0);
    rig.store.Release();
    rig.clock.RunPosted();
    BOOST_TEST((rig.host.command.status == Status::kGood));
    BOOST_TEST(rig.host.executed == 1);
  }
  BOOST_TEST(rig.store.lengths ==
             (std::vector<uint64_t>{8 * 512, 8 * 512, 112 * 512, 65536, 1024}));
}

// ---- VERIFY

BOOST_AUTO_TEST_CASE(verify_reads_without_data) {
  DiskRig rig({}, 4 << 20);
  BOOST_TEST((rig.host.Do(scsi::Verify10(1, 0x1001, false)) == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.command.length_in == 0u);
  BOOST_TEST(rig.store.lengths == (std::vector<uint64_t>{1 << 20, 1 << 20, 512}));
}

BOOST_AUTO_TEST_CASE(verify_may_be_longer_than_any_transfer) {
  DiskRig rig({}, uint64_t{1} << 36);
  BOOST_TEST((rig.host.Do(scsi::Verify16({.range = {.blocks_count = 1 << 23}})) == Status::kGood));
  BOOST_TEST(rig.store.log.size() == 4096u);
}

BOOST_AUTO_TEST_CASE(a_long_verify_lets_others_run) {
  DiskRig rig({}, 64 << 20);
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  rig.host.Start(scsi::Verify10(0, 0xffff, false).view());
  other.Start(scsi::TestUnitReady().view());
  while (other.executed == 0) BOOST_REQUIRE(rig.clock.Step());
  BOOST_TEST(rig.host.executed == 0);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.executed == 1);
}

BOOST_AUTO_TEST_CASE(verify_compares_what_the_host_sends) {
  DiskRig rig;
  std::vector<uint8_t> data = Pattern(8 * 512);
  rig.host.Do(scsi::Write10(0x10, 8), data);
  rig.host.piece_max = 700;
  BOOST_TEST((rig.host.Do(scsi::Verify10(0x10, 8, true), data) == Status::kGood));
  BOOST_TEST(rig.host.command.length_out == data.size());

  data[5 * 512 + 1] ^= 0x80;
  rig.host.Do(scsi::Verify10(0x10, 8, true), data);
  BOOST_TEST(rig.host.sense() == "f0 00 0e 00 00 00 15 0a 00 00 00 00 1d 00 00 00 00 00");
  BOOST_TEST(rig.host.calls == "DTTTTTTE");
  rig.host.Do(scsi::Verify16({.range = {.lba = 0x10, .blocks_count = 8}, .compare = true}), data);
  BOOST_TEST(rig.host.codes() == "0e/1d/00");
}

BOOST_AUTO_TEST_CASE(one_piece_longer_than_a_window_is_compared_whole) {
  const uint32_t window = BlockStore::kWindowMax;
  DiskRig rig({}, 4 * window);
  std::vector<uint8_t> data = Pattern(2 * window + 512);
  const auto blocks_count = static_cast<uint32_t>(data.size() / 512);
  rig.host.Do(scsi::Write10(0, blocks_count), data);
  rig.store.log.clear();
  BOOST_TEST((rig.host.Do(scsi::Verify10(0, blocks_count, true), data) == Status::kGood));
  BOOST_TEST(rig.store.log == "rrr");
  data.back() ^= 1;
  rig.host.Do(scsi::Verify10(0, blocks_count, true), data);
  BOOST_TEST(rig.host.sense() == "f0 00 0e 00 00 10 00 0a 00 00 00 00 1d 00 00 00 00 00");
}

BOOST_AUTO_TEST_SUITE_END()
