#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::Disk;
using emulator::DiskOptions;
using emulator::StoreOp;
using emulator::StoreOutcome;
using scsi::Status;

namespace {

std::vector<uint8_t> List(const char* hex) {
  return *ParseHex(hex);
}

// An UNMAP parameter list of these ranges.
std::vector<uint8_t> ListOf(std::initializer_list<scsi::cdb::Range> ranges) {
  const auto length = static_cast<uint16_t>(16 * ranges.size());
  wire::scsi::UnmapHeader header{};
  header.data_length = static_cast<uint16_t>(length + 6);
  header.descriptors_length = length;
  std::vector<uint8_t> list(8 + length);
  MutableBytes rest = wire::Emit(MutableBytes(list), header);
  for (const scsi::cdb::Range& range : ranges) {
    wire::scsi::UnmapDescriptor descriptor{};
    descriptor.lba = range.lba;
    descriptor.blocks_count = range.blocks_count;
    rest = wire::Emit(rest, descriptor);
  }
  return list;
}

Status DoUnmap(DiskRig& rig, const std::vector<uint8_t>& list) {
  const auto length = static_cast<uint16_t>(list.size());
  return rig.host.Do(scsi::Unmap({.parameter_list_length = length}), list);
}

// The disk has 128 blocks.
const RefusedListCase kRefused[] = {
    {"header_cut_short", "42 00 00000000 00 0007 00", "00 06 00 00 00 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"descriptors_longer_than_the_list", "42 00 00000000 00 0018 00",
     "0016 0011 00000000 0000000000000000 00000001 00000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 1a 00 00 00 00 00"},
    {"beyond_the_end", "42 00 00000000 00 0018 00",
     "0016 0010 00000000 000000000000007f 00000002 00000000",
     "f0 00 05 00 00 00 80 0a 00 00 00 00 21 00 00 00 00 00"},
    {"an_lba_that_would_overflow", "42 00 00000000 00 0018 00",
     "0016 0010 00000000 ffffffffffffffff ffffffff 00000000",
     "70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00"},
    {"write_same_of_none", "41 00 00000000 00 0000 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 07"},
    {"write_same_16_of_none", "93 01 0000000000000000 00000000 00 00", "",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 0a"},
    {"write_same_beyond_the_end", "93 01 000000000000007f 00000002 00 00", "",
     "f0 00 05 00 00 00 80 0a 00 00 00 00 21 00 00 00 00 00"},
    {"status_beyond_the_end", "9e 12 0000000000000080 00000018 00 00", "",
     "f0 00 05 00 00 00 80 0a 00 00 00 00 21 00 00 00 00 00"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_unmap)

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  DiskRig rig;
  rig.host.Do(List(sample.cdb), List(sample.list));
  BOOST_TEST(rig.host.sense() == sample.sense);
  BOOST_TEST(rig.store.log == "");
}

// ---- UNMAP

BOOST_AUTO_TEST_CASE(what_is_unmapped_reads_as_zeros_and_nothing_else_changes) {
  DiskRig rig;
  const std::vector<uint8_t> data = Pattern(64 << 10);
  rig.host.Do(scsi::Write10(0, 128), data);
  BOOST_TEST((DoUnmap(rig, ListOf({{.lba = 3, .blocks_count = 2},
                                   {.lba = 9, .blocks_count = 0},
                                   {.lba = 127, .blocks_count = 1}})) == Status::kGood));
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST(rig.host.command.length_out == 8u + 3 * 16);
  std::vector<uint8_t> expected = data;
  std::fill_n(expected.begin() + 3 * 512, 2 * 512, uint8_t{0});
  std::fill_n(expected.begin() + 127 * 512, 512, uint8_t{0});
  rig.host.Do(scsi::Read10(0, 128));
  BOOST_TEST((rig.host.in == expected));
}

BOOST_AUTO_TEST_CASE(a_list_that_comes_in_pieces_is_the_same) {
  DiskRig rig;
  rig.host.Do(scsi::Write10(0, 128), Pattern(64 << 10));
  rig.host.piece_max = 5;
  BOOST_TEST((DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = 128}})) == Status::kGood));
  BOOST_TEST(rig.host.calls == "DTTTTTE");
  rig.host.piece_max = UINT32_MAX;
  rig.host.Do(scsi::Read10(0, 128));
  BOOST_TEST((rig.host.in == std::vector<uint8_t>(64 << 10)));
}

BOOST_AUTO_TEST_CASE(one_bad_descriptor_spoils_the_list_before_anything_is_unmapped) {
  DiskRig rig;
  DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = 128}, {.lba = 128, .blocks_count = 1}}));
  BOOST_TEST(rig.host.codes() == "05/21/00");
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(an_incomplete_last_descriptor_is_ignored) {
  DiskRig rig;
  BOOST_TEST((DoUnmap(rig, List("001d 0017 00000000 0000000000000000 00000001 00000000"
                                "00000000000000")) == Status::kGood));
  BOOST_TEST(rig.store.log == "u");
}

BOOST_AUTO_TEST_CASE(nothing_to_unmap_is_no_error) {
  DiskRig rig;
  BOOST_TEST((DoUnmap(rig, {}) == Status::kGood));
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST((DoUnmap(rig, List("0006 0000 00000000")) == Status::kGood));
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(the_limits_of_the_vpd_page_are_kept) {
  DiskRig rig({}, uint64_t{512} << 30);
  const auto most = static_cast<uint32_t>(Disk::kUnmapMax / 512);
  BOOST_TEST((DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = most}})) == Status::kGood));
  // The second descriptor's NUMBER OF LOGICAL BLOCKS is one too many: bytes 32 to 35 of the list.
  DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = most}, {.lba = 0, .blocks_count = 1}}));
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 20");

  std::vector<uint8_t> list(8 + 16 * 256);
  wire::scsi::UnmapHeader header{};
  header.descriptors_length = uint16_t{16 * 255};
  wire::Emit(MutableBytes(list), header);
  BOOST_TEST((DoUnmap(rig, list) == Status::kGood));
  header.descriptors_length = uint16_t{16 * 256};
  wire::Emit(MutableBytes(list), header);
  DoUnmap(rig, list);
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 02");
  list.push_back(0);
  DoUnmap(rig, list);
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 07");
}

BOOST_AUTO_TEST_CASE(without_a_write_cache_it_is_flushed_before_the_status) {
  DiskRig rig(DiskOptions{.write_cache = false});
  DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = 1}, {.lba = 5, .blocks_count = 1}}));
  BOOST_TEST(rig.store.log == "uuf");
}

BOOST_AUTO_TEST_CASE(a_store_that_fails_is_told_and_ends_it) {
  DiskRig rig;
  rig.store.broken = StoreOp::Kind::kUnmap;
  rig.store.outcome = StoreOutcome::kWriteError;
  rig.store.broken_after = 1;
  DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = 1},
                       {.lba = 5, .blocks_count = 1},
                       {.lba = 7, .blocks_count = 1}}));
  BOOST_TEST(rig.store.faults == 1);
  BOOST_TEST(rig.store.log == "uu");
  BOOST_TEST(rig.host.sense() == "f0 00 03 00 00 00 05 0a 00 00 00 00 0c 00 00 00 00 00");
}

BOOST_AUTO_TEST_CASE(a_protected_medium_is_left_alone) {
  DiskRig rig(DiskOptions{.read_only = true});
  DoUnmap(rig, ListOf({{.lba = 0, .blocks_count = 1}}));
  BOOST_TEST(rig.host.codes() == "07/27/00");
  rig.host.Do(scsi::WriteSame16({.range = {.lba = 0, .blocks_count = 1}, .no_data = true}));
  BOOST_TEST(rig.host.codes() == "07/27/00");
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(a_medium_that_goes_before_the_list_has_come_is_not_touched) {
  DiskRig rig(DiskOptions{.removable = true});
  const std::vector<uint8_t> list = ListOf({{.lba = 0, .blocks_count = 1}});
  rig.host.feed_data = false;
  rig.host.Start(scsi::Unmap({.parameter_list_length = 24}).view(), list);
  rig.clock.RunPosted();
  rig.disk.RemoveMedium();
  rig.host.Feed();
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.codes() == "02/3a/00");
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(an_abort_between_two_descriptors_ends_it) {
  DiskRig rig;
  rig.store.later = true;
  const std::vector<uint8_t> list =
      ListOf({{.lba = 0, .blocks_count = 1}, {.lba = 5, .blocks_count = 1}});
  rig.host.Start(scsi::Unmap({.parameter_list_length = 40}).view(), list);
  rig.clock.RunPosted();
  rig.disk.Abort(rig.host.command);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST(rig.store.log == "u");
}

// ---- WRITE SAME

BOOST_AUTO_TEST_CASE(write_same_repeats_one_block) {
  for (const uint32_t block_size : {512u, 4096u}) {
    DiskRig rig({.block_size = block_size}, 1 << 20);
    const std::vector<uint8_t> block = Pattern(block_size);
    const uint32_t blocks_count = (200 << 10) / block_size;  // more than three pieces
    BOOST_TEST((rig.host.Do(scsi::WriteSame10({.range = {.lba = 1, .blocks_count = blocks_count}}),
                            block) == Status::kGood));
    BOOST_TEST(rig.host.calls == "DTE");
    BOOST_TEST(rig.host.wanted == block_size);
    BOOST_TEST(rig.store.log == "wwww");
    rig.host.Do(scsi::Read10(0, blocks_count + 2));
    std::vector<uint8_t> expected(block_size);
    for (uint32_t count = 0; count < blocks_count; ++count) {
      expected.insert(expected.end(), block.begin(), block.end());
    }
    expected.resize(expected.size() + block_size);
    BOOST_TEST((rig.host.in == expected));
  }
}

BOOST_AUTO_TEST_CASE(zeros_may_be_unmapped_and_other_bytes_may_not) {
  DiskRig rig;
  rig.host.Do(scsi::Write10(0, 128), Pattern(64 << 10));
  rig.store.log.clear();
  const scsi::cdb::Range range{.lba = 1, .blocks_count = 2};
  std::vector<uint8_t> block(512);
  rig.host.Do(scsi::WriteSame16({.range = range, .unmap = true}), block);
  BOOST_TEST(rig.store.log == "u");
  rig.host.Do(scsi::WriteSame16({.range = range}), block);
  BOOST_TEST(rig.store.log == "uw");
  block[511] = 1;
  rig.host.Do(scsi::WriteSame10({.range = range, .unmap = true}), block);
  BOOST_TEST(rig.store.log == "uww");
  rig.host.Do(scsi::Read10(2, 1));
  BOOST_TEST((rig.host.in == block));
}

BOOST_AUTO_TEST_CASE(no_data_out_buffer_means_zeros) {
  DiskRig rig;
  rig.host.Do(scsi::Write10(0, 128), Pattern(64 << 10));
  rig.store.log.clear();
  for (const bool unmap : {false, true}) {
    const scsi::cdb::Range range{.lba = unmap ? 4u : 2u, .blocks_count = 1};
    rig.host.Do(scsi::WriteSame16({.range = range, .unmap = unmap, .no_data = true}));
    BOOST_TEST(rig.host.calls == "E");
    rig.host.Do(scsi::Read10(range.lba, 1));
    BOOST_TEST((rig.host.in == std::vector<uint8_t>(512)));
  }
  BOOST_TEST(rig.store.log == "wrur");
}

BOOST_AUTO_TEST_CASE(write_same_lets_others_run_and_can_be_aborted) {
  DiskRig rig({}, 1 << 20);
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  const std::vector<uint8_t> block = Pattern(512);
  rig.store.later = true;
  rig.host.Start(scsi::WriteSame10({.range = {.lba = 0, .blocks_count = 2000}}).view(), block);
  rig.clock.RunPosted();
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(rig.store.log == "ww");
  rig.store.later = false;
  other.Do(scsi::Read10(0, 128));
  BOOST_TEST(SameBytes(Bytes(other.in).last(512), block));
  rig.disk.Abort(rig.host.command);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.host.calls == "DTE");
}

BOOST_AUTO_TEST_CASE(write_same_keeps_to_its_maximum_length) {
  DiskRig rig({}, uint64_t{4} << 30);
  const auto most = static_cast<uint32_t>(Disk::kWriteSameMax / 512);
  BOOST_TEST((rig.host.Do(scsi::WriteSame16(
                  {.range = {.lba = 0, .blocks_count = most}, .unmap = true, .no_data = true})) ==
              Status::kGood));
  rig.host.Do(scsi::WriteSame16(
      {.range = {.lba = 0, .blocks_count = most + 1}, .unmap = true, .no_data = true}));
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 0a");
}

BOOST_AUTO_TEST_CASE(write_same_flushes_its_range_where_there_is_no_cache) {
  DiskRig rig(DiskOptions{.write_cache = false});
  rig.host.Do(scsi::WriteSame10({.range = {.lba = 0, .blocks_count = 2}}), Pattern(512));
  BOOST_TEST(rig.store.log == "wf");
  BOOST_TEST(rig.store.lengths.back() == 1024u);
}

// ---- GET LBA STATUS

BOOST_AUTO_TEST_CASE(status_tells_holes_from_what_was_written) {
  DiskRig rig({}, 512 << 10);  // 1024 blocks; the store gives back 128 at a time
  rig.host.Do("9e 12 0000000000000000 000000ff 00 00");
  BOOST_TEST(rig.host.in_hex() ==
             Hex(*ParseHex("00000014 00000000 0000000000000000 00000400 01 000000")));
  rig.host.Do(scsi::Write10(300, 1), Pattern(512));
  rig.host.Do("9e 12 0000000000000005 000000ff 00 00");
  BOOST_TEST(rig.host.in_hex() == Hex(*ParseHex("00000034 00000000"
                                                "0000000000000005 000000fb 01 000000"
                                                "0000000000000100 00000080 00 000000"
                                                "0000000000000180 00000280 01 000000")));
  // One descriptor at least, and no more than fit.
  rig.host.Do("9e 12 000000000000012c 00000018 00 00");
  BOOST_TEST(Hex(Bytes(rig.host.in).subspan(8)) ==
             Hex(*ParseHex("000000000000012c 00000054 00 000000")));
  DoUnmap(rig, ListOf({{.lba = 256, .blocks_count = 128}}));
  rig.host.Do("9e 12 0000000000000000 000000ff 00 00");
  BOOST_TEST(rig.host.in_hex() ==
             Hex(*ParseHex("00000014 00000000 0000000000000000 00000400 01 000000")));
}

BOOST_AUTO_TEST_CASE(the_capacity_says_that_the_disk_is_thin) {
  DiskRig rig;
  rig.host.Do(scsi::ReadCapacity16(32));
  // 128 blocks of 512 bytes; LBPME and LBPRZ.
  BOOST_TEST(Hex(Bytes(rig.host.in).first(16)) ==
             Hex(*ParseHex("000000000000007f 00000200 00 00 c000")));
}

BOOST_AUTO_TEST_SUITE_END()
