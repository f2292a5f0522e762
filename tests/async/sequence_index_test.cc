#include "async/sequence_index.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <numeric>
#include <vector>

#include "base/seeded.h"

using namespace usbtwin;  // NOLINT
using async::SequenceIndex;
namespace data = boost::unit_test::data;

namespace {

struct Counting {
  bool operator()(uint32_t left, uint32_t right) const {
    ++comparisons;
    return left < right;
  }
  static inline uint64_t comparisons = 0;
};

struct Item {
  SequenceIndex<Item, Counting>::Place place;
};

constexpr uint32_t kCount = 100'000;
// Of one entry or search among so many: 2 log2(n + 1) levels of a red-black tree, and one more.
constexpr uint64_t kComparisonsMax = 2 * 17 + 1;

enum class Numbers { kAscending, kDescending, kShuffled, kAllTheSame, kMultiplesOfAPrime };
enum class Order { kFirstToLast, kLastToFirst, kShuffled };

void Shuffle(std::vector<uint32_t>& values) {
  Seeded chooser(1);
  for (size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[chooser.Choose(left, "place")]);
  }
}

std::vector<uint32_t> Make(Numbers numbers) {
  std::vector<uint32_t> values(kCount);
  std::iota(values.begin(), values.end(), 1u);
  switch (numbers) {
    case Numbers::kAscending: break;
    case Numbers::kDescending: std::reverse(values.begin(), values.end()); break;
    case Numbers::kShuffled: Shuffle(values); break;
    case Numbers::kAllTheSame: std::fill(values.begin(), values.end(), 7u); break;
    case Numbers::kMultiplesOfAPrime:
      for (uint32_t& value : values) value *= 42'043;  // buckets of a hash table of that size
      break;
  }
  return values;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sequence_index)

BOOST_DATA_TEST_CASE(a_storm_of_unlinks_costs_a_logarithm_each, data::xrange(5) * data::xrange(3),
                     numbers, order) {
  const std::vector<uint32_t> sequences = Make(static_cast<Numbers>(numbers));
  std::vector<uint32_t> victims = sequences;
  if (static_cast<Order>(order) == Order::kLastToFirst) {
    std::reverse(victims.begin(), victims.end());
  } else if (static_cast<Order>(order) == Order::kShuffled) {
    Shuffle(victims);
  }
  std::vector<Item> items(kCount);
  SequenceIndex<Item, Counting> index;
  for (int round = 0; round < 2; ++round) {  // with new entries, then with used ones
    Counting::comparisons = 0;
    for (uint32_t number = 0; number < kCount; ++number) {
      index.Add(sequences[number], items[number], items[number].place);
    }
    BOOST_TEST(Counting::comparisons == 0u);
    BOOST_TEST(index.Find(0) == nullptr);
    const bool ascending = static_cast<Numbers>(numbers) == Numbers::kAscending;
    BOOST_TEST(Counting::comparisons <= kCount * (ascending ? 3 : kComparisonsMax));
    Counting::comparisons = 0;
    for (const uint32_t victim : victims) {
      Item* const item = index.Find(victim);
      if (item == nullptr) BOOST_FAIL("no " << victim);
      index.Remove(item->place);
    }
    BOOST_TEST(Counting::comparisons <= kCount * kComparisonsMax);
    BOOST_TEST(index.Find(victims[0]) == nullptr);
    BOOST_TEST(index.Find(victims[kCount / 2]) == nullptr);
  }
}

BOOST_AUTO_TEST_CASE(of_the_same_number_the_first_is_meant) {
  SequenceIndex<Item, Counting> index;
  std::array<Item, 4> items;
  index.Add(5, items[0], items[0].place);
  index.Add(9, items[1], items[1].place);
  index.Add(5, items[2], items[2].place);
  BOOST_TEST(index.Find(5) == &items[0]);
  BOOST_TEST(index.Find(9) == &items[1]);
  BOOST_TEST(index.Find(4) == nullptr);
  BOOST_TEST(index.Find(10) == nullptr);

  index.Remove(items[0].place);
  index.Remove(items[0].place);
  index.Remove(items[3].place);
  BOOST_TEST(index.Find(5) == &items[2]);
  index.Add(5, items[0], items[0].place);
  BOOST_TEST(index.Find(5) == &items[2]);
  index.Remove(items[2].place);
  BOOST_TEST(index.Find(5) == &items[0]);
  index.Remove(items[0].place);
  index.Remove(items[1].place);
  BOOST_TEST(index.Find(5) == nullptr);
  BOOST_TEST(index.Find(9) == nullptr);
}

// Each is sorted once, however submits and searches take turns.
BOOST_AUTO_TEST_CASE(searches_between_submits_cost_a_logarithm_each) {
  std::vector<Item> items(kCount);
  SequenceIndex<Item, Counting> index;
  Counting::comparisons = 0;
  for (uint32_t number = 0; number < kCount; ++number) {
    index.Add(kCount - number, items[number], items[number].place);
    BOOST_REQUIRE(index.Find(kCount - number) == &items[number]);
    BOOST_REQUIRE(index.Find(0) == nullptr);
  }
  BOOST_TEST(Counting::comparisons <= 3 * kCount * kComparisonsMax);
  for (Item& item : items) index.Remove(item.place);
}

// What most transfers do.
BOOST_AUTO_TEST_CASE(who_unlinks_nothing_compares_nothing) {
  std::vector<Item> items(32);
  SequenceIndex<Item, Counting> index;
  Counting::comparisons = 0;
  for (uint32_t number = 0; number < 1000; ++number) {
    Item& item = items[number % items.size()];
    index.Remove(item.place);
    index.Add(number, item, item.place);
  }
  BOOST_TEST(Counting::comparisons == 0u);
  BOOST_TEST(index.Find(999) == &items[999 % 32]);
  for (Item& item : items) index.Remove(item.place);
}

BOOST_AUTO_TEST_SUITE_END()
