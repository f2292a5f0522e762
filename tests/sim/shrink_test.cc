#include "sim/shrink.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT

namespace {

constexpr RunOptions kShort{.commands = 60};
// A run in which all is well "fails" like every other such run.
const RunResult kWell;

}  // namespace

BOOST_AUTO_TEST_SUITE(shrink)

BOOST_AUTO_TEST_CASE(what_always_fails_needs_no_choices) {
  const ChoiceList smaller = Shrink(ListOf(3, kShort), kWell);
  BOOST_TEST(smaller.values.size() == 0u);
  BOOST_TEST(smaller.commands == 1u);
  BOOST_TEST(RunList(smaller).failure == "");
}

BOOST_AUTO_TEST_CASE(there_is_a_bound_of_tries_and_each_is_told) {
  const ChoiceList list = ListOf(3, kShort);
  uint64_t told = 0;
  const ShrinkOptions few{.tries_max = 5, .progress = [&told](uint64_t tries, size_t) {
                            told = tries;
                            return true;
                          }};
  const ChoiceList smaller = Shrink(list, kWell, few);
  BOOST_TEST(told < 5u);
  BOOST_TEST(smaller.values.size() <= list.values.size());
  const ChoiceList same = Shrink(list, kWell, {.tries_max = 0});
  BOOST_TEST(same.commands == list.commands);
  BOOST_TEST(RunList(same).report.history == RunList(list).report.history);
}

BOOST_AUTO_TEST_CASE(the_caller_can_end_it) {
  uint64_t asked = 0;
  const ChoiceList list = ListOf(3, kShort);
  const ChoiceList same = Shrink(list, kWell, {.progress = [&asked](uint64_t, size_t) {
                                   ++asked;
                                   return false;
                                 }});
  BOOST_TEST(asked == 1u);
  BOOST_TEST(RunList(same).report.history == RunList(list).report.history);
}

BOOST_AUTO_TEST_CASE(another_failure_is_not_taken_for_it) {
  const ChoiceList list = ListOf(3, kShort);
  RunResult other;
  other.failure = "something that no run says";
  other.law = Law::kLoan;
  other.failed_command = 30;
  const ChoiceList same = Shrink(list, other, {.tries_max = 100});
  BOOST_TEST(same.commands == list.commands);
  BOOST_TEST(RunList(same).report.history == RunList(list).report.history);
}

BOOST_AUTO_TEST_SUITE_END()
