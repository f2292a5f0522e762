// A block is written whole or not at all, however its bytes come and wherever they break off.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;
using scsi::Status;

namespace {

namespace data = boost::unit_test::data;

constexpr uint32_t kBlockSizes[] = {512, 4096};
constexpr uint32_t kPieces[] = {1, 100, 511, 512, 513, 700, 4095, 4097, 9000};

// All that is on the disk.
std::vector<uint8_t> Contents(DiskRig& rig) {
  Initiator reader(rig.clock, rig.disk, 1);
  reader.ForgetAttentions();
  reader.Do(scsi::Read10(0, static_cast<uint32_t>(rig.disk.blocks_count())));
  return reader.in;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_write)

BOOST_DATA_TEST_CASE(the_store_gets_whole_blocks_whatever_the_pieces,
                     data::make(kBlockSizes) * data::make(kPieces), block_size, piece_max) {
  DiskRig rig(DiskOptions{.block_size = block_size});
  const std::vector<uint8_t> written = Pattern(size_t{5} * block_size);
  rig.host.piece_max = piece_max;

  BOOST_TEST((rig.host.Do(scsi::Write10(2, 5), written) == Status::kGood));

  BOOST_TEST(rig.host.command.length_out == written.size());
  for (const uint64_t length : rig.store.lengths) BOOST_TEST(length % block_size == 0u);
  std::vector<uint8_t> expected(64 << 10);
  CopyBytes(MutableBytes(expected).subspan(size_t{2} * block_size), written);
  BOOST_TEST((Contents(rig) == expected));
}

BOOST_DATA_TEST_CASE(what_breaks_off_leaves_the_blocks_that_came_whole,
                     data::make(kBlockSizes) * data::make(kPieces) * data::make({false, true}),
                     block_size, piece, later) {
  DiskRig rig(DiskOptions{.block_size = block_size}, 256 << 10);
  const std::vector<uint8_t> before = Pattern(256 << 10, 0x80);
  rig.host.Do(scsi::Write10(0, static_cast<uint32_t>(rig.disk.blocks_count())), before);
  const std::vector<uint8_t> written = Pattern(size_t{36} * block_size);
  rig.host.feed_data = false;
  rig.host.piece_max = piece;
  rig.store.later = later;
  rig.host.Do(scsi::Write10(2, 36), written);

  // Two pieces come, then nothing more.
  for (int count = 0; count < 2; ++count) {
    rig.host.Feed();
    while (!rig.store.held.empty()) {
      rig.store.Release();
      rig.clock.RunPosted();
    }
    rig.clock.RunPosted();
  }
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  rig.store.later = false;

  const uint32_t came = 2 * piece;
  const uint32_t whole = came - came % block_size;
  BOOST_TEST(rig.host.executed == 1);
  BOOST_TEST(rig.host.command.length_out == whole);
  std::vector<uint8_t> expected = before;
  CopyBytes(MutableBytes(expected).subspan(size_t{2} * block_size), Take(Bytes(written), whole));
  BOOST_TEST((Contents(rig) == expected));
}

BOOST_AUTO_TEST_CASE(what_was_left_of_a_block_is_not_in_the_next_command) {
  DiskRig rig;
  const std::vector<uint8_t> first = Pattern(1024, 0x80);
  const std::vector<uint8_t> second = Pattern(1024);
  rig.host.feed_data = false;
  rig.host.piece_max = 700;
  rig.host.Do(scsi::Write10(0, 2), first);
  rig.host.Feed();
  rig.clock.RunPosted();
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();

  rig.host.feed_data = true;
  BOOST_TEST((rig.host.Do(scsi::Write10(1, 2), second) == Status::kGood));

  BOOST_TEST(SameBytes(Take(Contents(rig), 512), Take(first, 512)));
  BOOST_TEST(SameBytes(Take(Drop(Contents(rig), 512), 1024), second));
}

BOOST_AUTO_TEST_CASE(a_failed_block_drops_what_came_with_it) {
  DiskRig rig;
  rig.store.broken = emulator::StoreOp::Kind::kWrite;
  rig.store.outcome = emulator::StoreOutcome::kWriteError;
  rig.store.broken_after = 1;
  rig.host.piece_max = 300;
  const std::vector<uint8_t> written = Pattern(4 * 512);

  rig.host.Do(scsi::Write10(0, 4), written);

  BOOST_TEST(rig.store.faults == 1);
  BOOST_TEST(rig.host.sense() == "f0 00 03 00 00 00 01 0a 00 00 00 00 0c 00 00 00 00 00");
  BOOST_TEST(rig.host.command.length_out == 512u);
  BOOST_TEST(rig.store.log == "ww");
}

BOOST_AUTO_TEST_SUITE_END()
