#include "base/seeded.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <vector>

using namespace usbtwin;  // NOLINT

BOOST_AUTO_TEST_SUITE(seeded)

BOOST_AUTO_TEST_CASE(a_seed_is_the_same_everywhere) {
  Seeded chooser(7);
  std::vector<uint64_t> values;
  for (int count = 0; count < 5; ++count) values.push_back(chooser.Choose(1000, ""));
  Seeded again(7);
  for (const uint64_t value : values) BOOST_TEST(again.Choose(1000, "") == value);
  Seeded other(8);
  std::vector<uint64_t> others;
  for (int count = 0; count < 5; ++count) others.push_back(other.Choose(1000, ""));
  BOOST_TEST(values != others);
}

BOOST_AUTO_TEST_CASE(a_seed_reaches_every_value_about_equally_often) {
  Seeded chooser(3);
  std::array<int, 7> counts{};
  for (int count = 0; count < 70000; ++count) ++counts[chooser.Choose(7, "")];
  for (const int count : counts) BOOST_TEST((count > 9600 && count < 10400));
}

BOOST_AUTO_TEST_SUITE_END()
