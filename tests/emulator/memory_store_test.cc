#include "emulator/memory_store.h"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "tests/dies.h"

using namespace usbtwin;            // NOLINT
using namespace usbtwin::emulator;  // NOLINT

namespace {

constexpr uint64_t kPage = MemoryStore::kPageLength;
constexpr uint64_t kTebibyte = uint64_t{1} << 40;

struct NeverCalled final : StoreSink {
  void OnStoreDone(StoreOp&) override { BOOST_ERROR("the memory store answers within Submit"); }
} never_called;

StoreOutcome Submit(BlockStore& store, StoreOp& op) {
  op.sink = &never_called;
  BOOST_REQUIRE(store.Submit(op));
  return op.outcome;
}

StoreOutcome Write(BlockStore& store, uint64_t offset, Bytes data) {
  StoreOp op;
  op.kind = StoreOp::Kind::kWrite;
  op.offset = offset;
  op.length = data.size();
  op.data = data;
  return Submit(store, op);
}

StoreOutcome Unmap(BlockStore& store, uint64_t offset, uint64_t length) {
  StoreOp op;
  op.kind = StoreOp::Kind::kUnmap;
  op.offset = offset;
  op.length = length;
  return Submit(store, op);
}

Lease Borrow(BlockStore& store, uint64_t offset, uint64_t length) {
  StoreOp op;
  op.kind = StoreOp::Kind::kRead;
  op.offset = offset;
  op.length = length;
  BOOST_REQUIRE(Submit(store, op) == StoreOutcome::kOk);
  BOOST_REQUIRE(op.lease.length() == length);
  return std::move(op.lease);
}

std::vector<uint8_t> Content(const Lease& lease) {
  std::vector<uint8_t> bytes(lease.length(), 0xa5);
  lease.CopyTo(bytes);
  return bytes;
}

std::vector<uint8_t> Content(BlockStore& store, uint64_t offset, uint64_t length) {
  return Content(Borrow(store, offset, length));
}

// Bytes that differ from place to place and from seed to seed.
std::vector<uint8_t> Pattern(size_t length, uint32_t seed) {
  std::vector<uint8_t> bytes(length);
  for (size_t index = 0; index < length; ++index) {
    seed = seed * 1664525 + 1013904223;
    bytes[index] = static_cast<uint8_t>(seed >> 24);
  }
  return bytes;
}

std::vector<uint8_t> Filled(size_t length, uint8_t value) {
  return std::vector<uint8_t>(length, value);
}

size_t PiecesCount(const Lease& lease) {
  size_t count = 0;
  lease.ForEach([&](Bytes) { ++count; });
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_store)

BOOST_AUTO_TEST_CASE(holes_read_as_zeros_and_take_no_memory) {
  MemoryStore store(kTebibyte);

  BOOST_TEST(store.size() == kTebibyte);
  BOOST_TEST(store.writable());
  BOOST_TEST(Content(store, kTebibyte - 100, 100) == Filled(100, 0));
  BOOST_TEST(Content(store, 12345, BlockStore::kWindowMax) == Filled(BlockStore::kWindowMax, 0));
  BOOST_TEST(store.memory_used() == 0u);
}

BOOST_AUTO_TEST_CASE(a_first_write_fills_the_rest_of_its_page_with_zeros) {
  MemoryStore store(kTebibyte);
  const uint64_t place = kTebibyte / 2 + 1000;
  BOOST_TEST((Write(store, place, "0102030405"_hex) == StoreOutcome::kOk));

  std::vector<uint8_t> expected = Filled(kPage, 0);
  std::iota(expected.begin() + 1000, expected.begin() + 1005, uint8_t{1});
  BOOST_TEST(Content(store, kTebibyte / 2, kPage) == expected);
  BOOST_TEST(store.memory_used() == kPage);
}

BOOST_AUTO_TEST_CASE(the_largest_window_at_an_odd_offset_takes_seventeen_pieces) {
  MemoryStore store(4 << 20);
  const auto data = Pattern(3 << 20, 7);
  BOOST_TEST((Write(store, 0, data) == StoreOutcome::kOk));

  const Lease lease = Borrow(store, 513, BlockStore::kWindowMax);

  BOOST_TEST(PiecesCount(lease) == 17u);
  BOOST_TEST(SameBytes(Content(lease), Bytes(data).subspan(513, BlockStore::kWindowMax)));
}

BOOST_AUTO_TEST_CASE(writes_across_pages_and_leaves_come_back) {
  constexpr uint64_t kLeaf = kPage * 1024;
  MemoryStore store(3 * kLeaf + 777);
  const auto data = Pattern(200'000, 3);
  for (uint64_t place : {kLeaf - 100'000, 2 * kLeaf - 1, store.size() - data.size()}) {
    BOOST_TEST((Write(store, place, data) == StoreOutcome::kOk));
    BOOST_TEST(Content(store, place, data.size()) == data);
    BOOST_TEST(Content(store, place - 1, 1) == Filled(1, 0));
  }
}

BOOST_AUTO_TEST_CASE(a_full_memory_says_no_space_and_keeps_what_was_there) {
  MemoryStore store(kTebibyte, 2 * kPage);
  const auto data = Pattern(2 * kPage, 4);
  BOOST_TEST((Write(store, 0, data) == StoreOutcome::kOk));

  BOOST_TEST((Write(store, 9 * kPage, "01"_hex) == StoreOutcome::kNoSpace));
  BOOST_TEST((Write(store, kPage, "0708"_hex) == StoreOutcome::kOk));  // a page that is there

  BOOST_TEST(SameBytes(Content(store, 0, kPage), Take(Bytes(data), kPage)));
  BOOST_TEST(Content(store, 9 * kPage, 1) == Filled(1, 0));
  BOOST_TEST((Unmap(store, 0, kPage) == StoreOutcome::kOk));
  BOOST_TEST((Write(store, 9 * kPage, "01"_hex) == StoreOutcome::kOk));
  BOOST_TEST(store.memory_used() == 2 * kPage);
}

BOOST_AUTO_TEST_CASE(unmap_frees_whole_pages_and_zeros_partial_ones) {
  MemoryStore store(kTebibyte);
  const auto data = Pattern(4 * kPage, 5);
  BOOST_TEST((Write(store, 0, data) == StoreOutcome::kOk));

  BOOST_TEST((Unmap(store, 512, 3 * kPage) == StoreOutcome::kOk));

  auto expected = data;
  std::fill_n(expected.begin() + 512, 3 * kPage, uint8_t{0});
  BOOST_TEST(Content(store, 0, 4 * kPage) == expected);
  BOOST_TEST(store.memory_used() == 2 * kPage);
  BOOST_TEST((Unmap(store, 0, kTebibyte) == StoreOutcome::kOk));
  BOOST_TEST(store.memory_used() == 0u);
}

BOOST_AUTO_TEST_CASE(the_short_last_page_goes_when_its_end_is_unmapped) {
  MemoryStore store(kPage + 512);
  BOOST_TEST((Write(store, kPage, Filled(512, 1)) == StoreOutcome::kOk));
  BOOST_TEST((Unmap(store, kPage, 512) == StoreOutcome::kOk));
  BOOST_TEST(store.memory_used() == 0u);
}

BOOST_AUTO_TEST_CASE(a_lease_keeps_the_bytes_of_its_time) {
  MemoryStore store(1 << 20);
  const auto before = Pattern(kPage * 3, 1);
  BOOST_TEST((Write(store, 0, before) == StoreOutcome::kOk));
  const Lease lease = Borrow(store, 100, kPage * 2);

  // Overlapping the middle, the start, the end, and a byte on either side of the loan.
  const auto after = Pattern(kPage * 3, 2);
  for (auto [start, length] : {std::pair<size_t, size_t>{kPage - 5, 10},
                               {0, 101},
                               {kPage * 2 + 99, 50},
                               {99, 1},
                               {kPage * 2 + 100, 1},
                               {0, kPage * 3}}) {
    BOOST_TEST((Write(store, start, Bytes(after).subspan(start, length)) == StoreOutcome::kOk));
    BOOST_TEST(SameBytes(Content(lease), Bytes(before).subspan(100, kPage * 2)));
  }

  BOOST_TEST(Content(store, 0, after.size()) == after);
}

BOOST_AUTO_TEST_CASE(only_the_pieces_concerned_are_copied) {
  MemoryStore store(1 << 20);
  BOOST_TEST((Write(store, 0, Pattern(kPage * 3, 1)) == StoreOutcome::kOk));
  const Lease lease = Borrow(store, 0, kPage * 3);
  std::vector<const uint8_t*> before, after;
  lease.ForEach([&](Bytes piece) { before.push_back(piece.data()); });

  BOOST_TEST((Write(store, kPage + 5, "01"_hex) == StoreOutcome::kOk));

  lease.ForEach([&](Bytes piece) { after.push_back(piece.data()); });
  BOOST_TEST(after[0] == before[0]);
  BOOST_TEST(after[1] != before[1]);
  BOOST_TEST(after[2] == before[2]);
}

BOOST_AUTO_TEST_CASE(each_of_several_leases_keeps_its_own_time) {
  MemoryStore store(1 << 20);
  std::vector<std::vector<uint8_t>> versions;
  std::vector<Lease> leases;
  for (uint32_t version = 0; version < 20; ++version) {
    versions.push_back(Pattern(kPage, version));
    BOOST_TEST((Write(store, kPage / 2, versions.back()) == StoreOutcome::kOk));
    leases.push_back(Borrow(store, kPage / 2, kPage));
  }
  for (uint32_t version = 0; version < 20; ++version) {
    BOOST_TEST(Content(leases[version]) == versions[version]);
  }
}

BOOST_AUTO_TEST_CASE(a_slice_follows_its_pin_to_the_copy) {
  MemoryStore store(1 << 20);
  const auto before = Pattern(kPage, 8);
  BOOST_TEST((Write(store, 0, before) == StoreOutcome::kOk));
  Lease whole = Borrow(store, 0, kPage);
  const Lease slice = whole.Slice(1000, 24);
  whole.Reset();

  BOOST_TEST((Write(store, 0, Filled(kPage, 0xee)) == StoreOutcome::kOk));

  BOOST_TEST(SameBytes(Content(slice), Bytes(before).subspan(1000, 24)));
}

BOOST_AUTO_TEST_CASE(unmapping_leased_pages_leaves_the_lease_alone) {
  MemoryStore store(1 << 20);
  const auto before = Pattern(kPage * 2, 9);
  BOOST_TEST((Write(store, 0, before) == StoreOutcome::kOk));
  const Lease lease = Borrow(store, 10, kPage);

  BOOST_TEST((Unmap(store, 0, kPage * 2) == StoreOutcome::kOk));

  BOOST_TEST(store.memory_used() == 0u);
  BOOST_TEST(SameBytes(Content(lease), Bytes(before).subspan(10, kPage)));
  BOOST_TEST(Content(store, 10, kPage) == Filled(kPage, 0));
}

BOOST_AUTO_TEST_CASE(a_leased_hole_stays_a_hole) {
  MemoryStore store(1 << 20);
  const Lease lease = Borrow(store, 0, 2 * kPage);
  BOOST_TEST((Write(store, 0, Filled(2 * kPage, 0x11)) == StoreOutcome::kOk));
  BOOST_TEST((Write(store, 0, Filled(2 * kPage, 0x22)) == StoreOutcome::kOk));
  BOOST_TEST(Content(lease) == Filled(2 * kPage, 0));
}

BOOST_AUTO_TEST_CASE(pins_are_used_again) {
  constexpr auto kBytes = "0102"_hex;
  PinPool pool;
  RangePin* const pin = pool.Take(0);
  pin->Add(kBytes);
  Lease lease = pool.Lend(*pin);
  BOOST_TEST(!pool.empty());

  lease.Reset();

  BOOST_TEST(pool.empty());
  BOOST_TEST(pool.Take(5) == pin);
  BOOST_TEST(pool.Lend(*pin).empty());
}

BOOST_AUTO_TEST_CASE(a_store_that_goes_before_its_leases_is_a_bug) {
  BOOST_TEST(tests::Dies([] {
    auto store = std::make_unique<MemoryStore>(1 << 20);
    const Lease lease = Borrow(*store, 0, 512);
    store.reset();
  }));
  BOOST_TEST(!tests::Dies([] {
    auto store = std::make_unique<MemoryStore>(1 << 20);
    Borrow(*store, 0, 512).Reset();
    store.reset();
  }));
}

BOOST_AUTO_TEST_CASE(empty_operations_do_nothing) {
  MemoryStore store(1 << 20);
  BOOST_TEST((Write(store, 1 << 20, {}) == StoreOutcome::kOk));
  BOOST_TEST((Unmap(store, 1 << 20, 0) == StoreOutcome::kOk));
  BOOST_TEST(Borrow(store, 1 << 20, 0).empty());
}

BOOST_AUTO_TEST_CASE(random_work_matches_a_flat_copy) {
  constexpr size_t kSize = 6 * kPage + 512;
  MemoryStore store(kSize);
  std::vector<uint8_t> model(kSize, 0);
  struct Loan {
    Lease lease;
    std::vector<uint8_t> expected;
  };
  std::vector<Loan> loans(8);
  uint32_t state = 20240601;
  BOOST_TEST_MESSAGE("seed " << state);
  const auto choose = [&](size_t bound) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % bound;
  };

  for (int step = 0; step < 3000; ++step) {
    const size_t offset = choose(kSize);
    const size_t length =
        choose(std::min<size_t>(kSize - offset, step % 3 == 0 ? kSize : 5000) + 1);
    const auto place = model.begin() + static_cast<std::ptrdiff_t>(offset);
    Loan& loan = loans[choose(loans.size())];
    switch (choose(4)) {
      case 0:
      case 1: {
        const auto data = Pattern(length, state);
        BOOST_REQUIRE((Write(store, offset, data) == StoreOutcome::kOk));
        std::copy(data.begin(), data.end(), place);
        break;
      }
      case 2:
        BOOST_REQUIRE((Unmap(store, offset, length) == StoreOutcome::kOk));
        std::fill_n(place, length, uint8_t{0});
        break;
      default:
        loan = {Borrow(store, offset, length),
                {place, place + static_cast<std::ptrdiff_t>(length)}};
        break;
    }
    BOOST_REQUIRE((Content(loan.lease) == loan.expected));
  }
  BOOST_TEST(Content(store, 0, kSize) == model);
  for (const Loan& loan : loans) BOOST_TEST((Content(loan.lease) == loan.expected));
}

BOOST_AUTO_TEST_SUITE_END()
