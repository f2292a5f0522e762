#include "os/linux/file_store.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/dies.h"
#include "tests/os/store_fixture.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

namespace {

constexpr uint64_t kPiece = emulator::kPieceLengthMax;
constexpr uint64_t kMebi = 1 << 20;

uint64_t DiskUse(const std::string& path) {
  struct stat status = {};
  BOOST_TEST_REQUIRE(stat(path.c_str(), &status) == 0);
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

std::vector<Bytes> PiecesOf(const Lease& lease) {
  std::vector<Bytes> pieces;
  lease.ForEach([&](Bytes piece) { pieces.push_back(piece); });
  return pieces;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(file_store, StoreFixture)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_and_is_in_the_file) {
  const std::string path = dir.Sparse("disk.img", 4 * kMebi);
  const auto store = Open(path);
  const auto data = Pattern(200'000, 1);

  BOOST_TEST((Write(*store, 12345, data) == StoreOutcome::kOk));

  BOOST_TEST(Read(*store, 12345, data.size()) == data);
  BOOST_TEST(Read(*store, 0, 100) == Filled(100, 0));
  const auto content = FileContent(path);
  BOOST_TEST(SameBytes(Bytes(content).subspan(12345, data.size()), data));
}

BOOST_AUTO_TEST_CASE(a_window_may_begin_and_end_anywhere) {
  const auto content = Pattern(3 * kMebi + 512, 2);
  const auto store = Open(dir.File("disk.img", content));
  for (auto [offset, length] : {std::pair<uint64_t, uint64_t>{513, kMebi},
                                {0, kMebi},
                                {3 * kMebi + 511, 1},
                                {2 * kMebi + 512, kMebi},
                                {kPiece - 1, 2},
                                {17, 0}}) {
    Operation read(StoreOp::Kind::kRead, offset, length);
    BOOST_TEST((Do(*store, read) == StoreOutcome::kOk));
    BOOST_TEST(SameBytes(read.content(), Bytes(content).subspan(offset, length)));
  }
}

BOOST_AUTO_TEST_CASE(resident_pages_are_lent_at_once_and_never_copied) {
  const auto store = Open(dir.File("disk.img", Pattern(kMebi, 3)));
  Operation first(StoreOp::Kind::kRead, 100, kMebi - 100);
  Operation second(StoreOp::Kind::kRead, 100, kMebi - 100);
  Do(*store, first);

  BOOST_TEST(second.Submit(*store));

  const auto pieces = PiecesOf(second.op.lease);
  BOOST_TEST(pieces.size() == 16u);
  BOOST_TEST(pieces[0].data() == PiecesOf(first.op.lease)[0].data());
  for (size_t index = 1; index < pieces.size(); ++index) {  // one contiguous mapping
    BOOST_TEST(pieces[index].data() == pieces[index - 1].data() + pieces[index - 1].size());
  }
}

BOOST_AUTO_TEST_CASE(pages_not_in_memory_are_read_by_the_helper) {
  const auto store = Open(dir.Sparse("disk.img", 64 * kMebi));
  Operation cold(StoreOp::Kind::kRead, 32 * kMebi, 4096);

  BOOST_TEST(!cold.Submit(*store));
  BOOST_TEST(cold.answers == 0);
  Finish(cold);

  BOOST_TEST((cold.op.outcome == StoreOutcome::kOk));
  BOOST_TEST(cold.content() == Filled(4096, 0));
  BOOST_TEST(store->helped_reads_count() == 1u);
  Operation warm(StoreOp::Kind::kRead, 32 * kMebi, 4096);
  BOOST_TEST(warm.Submit(*store));
  // Nothing was read ahead at a random place.
  Operation behind(StoreOp::Kind::kRead, 32 * kMebi + 2 * kMebi, 4096);
  BOOST_TEST(!behind.Submit(*store));
  Finish(behind);
}

BOOST_AUTO_TEST_CASE(a_sequential_scan_of_a_cold_image_hops_once_a_stretch_at_most) {
  constexpr uint64_t kSize = 32 * kMebi;
  const auto store = Open(dir.Sparse("disk.img", kSize));
  for (uint64_t offset = 0; offset < kSize; offset += kPiece) {
    BOOST_TEST_REQUIRE((ReadOutcome(*store, offset, kPiece) == StoreOutcome::kOk));
  }
  BOOST_TEST(store->helped_reads_count() >= 1u);
  BOOST_TEST(store->helped_reads_count() <= kSize / kMebi);
}

BOOST_AUTO_TEST_CASE(many_reads_in_flight_are_each_answered_once) {
  const auto content = Pattern(16 * kMebi, 4);
  const auto store = Open(dir.File("disk.img", content));
  std::vector<std::unique_ptr<Operation>> reads;
  for (uint64_t index = 0; index < 100; ++index) {
    const uint64_t offset = index * 7919 * 512 % (15 * kMebi);
    reads.push_back(std::make_unique<Operation>(StoreOp::Kind::kRead, offset, 40'000));
    reads.back()->Submit(*store);
  }
  BOOST_TEST(loop.RunUntil([&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& read) { return read->answers == 1; });
  }));
  BOOST_TEST(!loop.RunUntil([] { return false; }));
  for (const auto& read : reads) {
    BOOST_TEST(read->answers == 1);
    BOOST_TEST(SameBytes(read->content(), Bytes(content).subspan(read->op.offset, 40'000)));
  }
}

BOOST_AUTO_TEST_CASE(a_flush_is_answered_later_and_only_for_changes) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  Operation first(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(!first.Submit(*store));  // somebody else's changes may wait in the cache
  Operation beside(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(!beside.Submit(*store));  // the first has not returned, so nothing is known yet
  Finish(first);
  Finish(beside);

  Operation nothing_new(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(nothing_new.Submit(*store));
  BOOST_TEST((Write(*store, 0, "01"_hex) == StoreOutcome::kOk));
  Operation something_new(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(!something_new.Submit(*store));
  Finish(something_new);
  BOOST_TEST((something_new.op.outcome == StoreOutcome::kOk));
}

BOOST_AUTO_TEST_CASE(a_write_during_a_flush_needs_another_one) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  Operation flush(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(!flush.Submit(*store));
  BOOST_TEST((Write(*store, 0, "01"_hex) == StoreOutcome::kOk));
  Finish(flush);
  Operation again(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(!again.Submit(*store));
  Finish(again);
}

BOOST_AUTO_TEST_CASE(unmap_gives_the_space_back_and_reads_as_zeros) {
  const std::string path = dir.File("disk.img", Filled(4 * kMebi, 0x66));
  const auto store = Open(path);
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
  const uint64_t before = DiskUse(path);

  BOOST_TEST((Unmap(*store, kMebi + 100, 2 * kMebi) == StoreOutcome::kOk));

  auto expected = Filled(kMebi, 0x66);
  std::fill(expected.begin() + 100, expected.end(), uint8_t{0});
  BOOST_TEST(Read(*store, kMebi, kMebi) == expected);
  BOOST_TEST(Read(*store, 3 * kMebi, 200)[99] == 0);
  BOOST_TEST(Read(*store, 3 * kMebi, 200)[100] == 0x66);
  BOOST_TEST(FileContent(path).size() == 4 * kMebi);
  BOOST_TEST(DiskUse(path) <= before - kMebi);
}

BOOST_AUTO_TEST_CASE(holes_are_told_from_data_where_the_file_system_knows) {
  const std::string path = dir.Sparse("disk.img", 4 * kMebi);
  const auto store = Open(path);
  const std::vector<uint8_t> data(kMebi, 7);
  BOOST_TEST((Write(*store, kMebi, data) == StoreOutcome::kOk));
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
  if (store->ExtentAt(0).mapped) {
    std::puts("SKIP: holes: this file system tells of none");
    return;
  }
  BOOST_TEST(!store->ExtentAt(0).mapped);
  BOOST_TEST(store->ExtentAt(0).length == kMebi);
  BOOST_TEST(store->ExtentAt(kMebi + 5).mapped);
  BOOST_TEST(store->ExtentAt(kMebi + 5).length == kMebi - 5);
  BOOST_TEST(!store->ExtentAt(2 * kMebi).mapped);
  BOOST_TEST(store->ExtentAt(2 * kMebi).length == 2 * kMebi);
  BOOST_TEST(store->ExtentAt(4 * kMebi).length == 0u);
}

BOOST_AUTO_TEST_CASE(what_overlaps_an_unmap_takes_effect_after_it) {
  const auto store = Open(dir.File("disk.img", Filled(kMebi, 0x66)));
  Read(*store, 0, kMebi);  // all resident now
  const auto data = Filled(512, 0x11);
  Operation unmap(StoreOp::Kind::kUnmap, 0, kMebi / 2);
  Operation write(StoreOp::Kind::kWrite, 512, 512, data);
  Operation read(StoreOp::Kind::kRead, 0, 2048);
  Operation elsewhere(StoreOp::Kind::kRead, kMebi / 2, 512);

  BOOST_TEST(!unmap.Submit(*store));
  BOOST_TEST(!write.Submit(*store));
  BOOST_TEST(!read.Submit(*store));
  BOOST_TEST(elsewhere.Submit(*store));
  Finish(unmap);
  Finish(write);
  Finish(read);

  auto expected = Filled(2048, 0);
  std::fill_n(expected.begin() + 512, 512, uint8_t{0x11});
  BOOST_TEST(read.content() == expected);
  BOOST_TEST(Read(*store, 0, 2048) == expected);
}

BOOST_AUTO_TEST_CASE(a_read_on_its_way_waits_for_an_unmap_that_came_meanwhile) {
  const auto store = Open(dir.Sparse("disk.img", 4 * kMebi));
  Operation read(StoreOp::Kind::kRead, 2 * kMebi, 4096);
  Operation unmap(StoreOp::Kind::kUnmap, 2 * kMebi, kMebi);
  Operation unmap_again(StoreOp::Kind::kUnmap, 2 * kMebi, kMebi);
  BOOST_TEST(!read.Submit(*store));
  BOOST_TEST(!unmap.Submit(*store));
  BOOST_TEST(!unmap_again.Submit(*store));
  Finish(read);
  Finish(unmap);
  Finish(unmap_again);
  BOOST_TEST(read.content() == Filled(4096, 0));
}

BOOST_AUTO_TEST_CASE(a_lease_keeps_the_bytes_of_its_time) {
  const auto before = Pattern(kMebi, 5);
  const auto store = Open(dir.File("disk.img", before));
  Operation read(StoreOp::Kind::kRead, 100, 3 * kPiece);
  Operation part(StoreOp::Kind::kRead, kPiece, 512);
  Do(*store, read);
  Do(*store, part);

  const auto after = Pattern(kMebi, 6);
  for (auto [offset, length] : {std::pair<uint64_t, uint64_t>{kPiece - 5, 10},
                                {0, 101},
                                {3 * kPiece + 99, 1},
                                {0, kMebi}}) {
    BOOST_TEST((Write(*store, offset, Bytes(after).subspan(offset, length)) == StoreOutcome::kOk));
    BOOST_TEST(SameBytes(read.content(), Bytes(before).subspan(100, 3 * kPiece)));
    BOOST_TEST(SameBytes(part.content(), Bytes(before).subspan(kPiece, 512)));
  }
  BOOST_TEST(Read(*store, 0, kMebi) == after);
}

BOOST_AUTO_TEST_CASE(a_lease_outlives_the_unmapping_of_its_bytes) {
  const auto before = Pattern(kMebi, 7);
  const auto store = Open(dir.File("disk.img", before));
  Operation read(StoreOp::Kind::kRead, 100, 3 * kPiece);
  Do(*store, read);

  BOOST_TEST((Unmap(*store, 0, kMebi) == StoreOutcome::kOk));

  BOOST_TEST(SameBytes(read.content(), Bytes(before).subspan(100, 3 * kPiece)));
  BOOST_TEST(Read(*store, 0, kMebi) == Filled(kMebi, 0));
}

BOOST_AUTO_TEST_CASE(sixty_five_images_work_though_only_sixty_four_are_mapped) {
  std::vector<std::unique_ptr<os::FileStore>> stores;
  for (int index = 0; index < 65; ++index) {
    stores.push_back(Open(dir.Sparse(std::to_string(index), kMebi)));
  }
  os::FileStore& last = *stores.back();
  const auto data = Pattern(5000, 8);
  BOOST_TEST((Write(last, 333, data) == StoreOutcome::kOk));
  Operation read(StoreOp::Kind::kRead, 333, 5000);
  BOOST_TEST((Do(last, read) == StoreOutcome::kOk));
  BOOST_TEST((Write(last, 0, Filled(kMebi, 1)) == StoreOutcome::kOk));
  BOOST_TEST(read.content() == data);
}

BOOST_AUTO_TEST_CASE(random_work_matches_a_flat_copy) {
  constexpr size_t kSize = 6 * kPiece + 512;
  const std::string path = dir.Sparse("disk.img", kSize);
  const auto store = Open(path);
  std::vector<uint8_t> model(kSize, 0);
  struct Loan {
    std::unique_ptr<Operation> read;
    std::vector<uint8_t> expected;
  };
  std::vector<Loan> loans(8);
  uint32_t state = 20240602;
  BOOST_TEST_MESSAGE("seed " << state);
  const auto choose = [&](size_t bound) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % bound;
  };

  for (int step = 0; step < 1500; ++step) {
    const size_t offset = choose(kSize);
    const size_t length = choose(std::min<size_t>(kSize - offset, 3 * kPiece) + 1);
    const auto place = model.begin() + static_cast<std::ptrdiff_t>(offset);
    Loan& loan = loans[choose(loans.size())];
    switch (choose(5)) {
      case 0:
      case 1: {
        const auto data = Pattern(length, state);
        BOOST_TEST_REQUIRE((Write(*store, offset, data) == StoreOutcome::kOk));
        std::copy(data.begin(), data.end(), place);
        break;
      }
      case 2:
        BOOST_TEST_REQUIRE((Unmap(*store, offset, length) == StoreOutcome::kOk));
        std::fill_n(place, length, uint8_t{0});
        break;
      default:
        loan.read = std::make_unique<Operation>(StoreOp::Kind::kRead, offset, length);
        BOOST_TEST_REQUIRE((Do(*store, *loan.read) == StoreOutcome::kOk));
        loan.expected.assign(place, place + static_cast<std::ptrdiff_t>(length));
        break;
    }
    if (loan.read != nullptr) BOOST_TEST_REQUIRE((loan.read->content() == loan.expected));
  }
  BOOST_TEST((FileContent(path) == model));
}

BOOST_AUTO_TEST_CASE(a_store_that_goes_while_an_operation_is_out_is_a_bug) {
  auto store = Open(dir.Sparse("disk.img", kMebi));
  Operation flush(StoreOp::Kind::kFlush, 0, 0);
  BOOST_TEST(Dies([&] {
    flush.Submit(*store);
    store.reset();
  }));
  BOOST_TEST(!Dies([&] { store.reset(); }));
}

BOOST_AUTO_TEST_SUITE_END()
