#include "sim/run_disk.h"

#include <boost/test/unit_test.hpp>

#include "sim/choice_list.h"
#include "sim/choosers.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT

namespace {

constexpr RunOptions kShort{.commands = 300};

struct Text final : ByteSink {
  bool Write(Bytes bytes) override {
    text.insert(text.end(), bytes.begin(), bytes.end());
    return true;
  }
  bool Flush() override { return true; }
  std::string error() const override { return ""; }
  std::vector<uint8_t> text;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(run_disk)

BOOST_AUTO_TEST_CASE(a_seed_is_one_history_and_another_seed_is_another) {
  const RunResult first = RunSeed(7, kShort);
  BOOST_TEST(first.failure == "");
  BOOST_TEST(first.report.commands == 300u);
  const RunResult again = RunSeed(7, kShort);
  BOOST_TEST(again.report.history == first.report.history);
  BOOST_TEST(again.report.bytes_compared == first.report.bytes_compared);
  BOOST_TEST(RunSeed(8, kShort).report.history != first.report.history);
}

BOOST_AUTO_TEST_CASE(without_faults_nothing_is_injected_and_every_command_succeeds) {
  RunReport all;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const RunResult result = RunSeed(seed, {.commands = 300, .swarm = {.faults = false}});
    BOOST_TEST(result.failure == "");
    all.Add(result.report);
  }
  BOOST_TEST(all.runs == 10u);
  BOOST_TEST(all.usbip.broken == 0u);
  BOOST_TEST(all.usbip.silenced == 0u);
  for (const FaultCount& count : all.faults) BOOST_TEST(count.injected == 0u);
  // The mix: seven of ten commands at least move blocks.
  BOOST_TEST((all.reads + all.writes) * 10 >= all.commands * 7);
  BOOST_TEST(all.bytes_compared > 1'000'000u);
}

BOOST_AUTO_TEST_CASE(commands_that_were_cancelled_end_because_of_it) {
  RunReport all;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const RunResult result = RunSeed(seed, {.commands = 1000, .swarm = {.faults = false}});
    BOOST_TEST(result.failure == "", "seed " << seed << ": " << result.failure);
    all.Add(result.report);
  }
  BOOST_TEST(all.interrupted > 10u);
  BOOST_TEST(all.cancelled > 5u);
  BOOST_TEST(all.cancelled < all.interrupted);  // some had ended before
}

BOOST_AUTO_TEST_CASE(faults_happen_are_noticed_and_are_recovered_from_or_told) {
  RunReport all;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const RunResult result = RunSeed(seed, kShort);
    BOOST_TEST(result.failure == "", "seed " << seed << ": " << result.failure);
    all.Add(result.report);
  }
  FaultCount sum;
  for (const fault::KindInfo& info : fault::Kinds()) {
    const FaultCount& count = all.faults[static_cast<size_t>(info.kind)];
    BOOST_TEST_CONTEXT(info.name) {
      BOOST_TEST(count.injected >= count.observed);
      BOOST_TEST(count.observed == count.recovered + count.reported + count.passed_on +
                                       count.cancelled + count.outside);
    }
    sum.Add(count);
  }
  BOOST_TEST(sum.recovered > 10u);
  BOOST_TEST(sum.reported > 10u);
  BOOST_TEST(sum.passed_on > 0u);
  // What nothing on the way can mend is never recovered from by chance.
  BOOST_TEST(all.faults[static_cast<size_t>(fault::Kind::kLyingCapacity)].recovered == 0u);
}

BOOST_AUTO_TEST_CASE(some_devices_are_far_away_and_their_connections_break) {
  RunReport all;
  for (uint64_t seed = 1; seed <= 80; ++seed) {
    const RunResult result = RunSeed(seed, kShort);
    BOOST_TEST(result.failure == "", "seed " << seed << ": " << result.failure);
    const UsbIpCount& count = result.report.usbip;
    BOOST_TEST((count.runs == 0) == (count.connections == 0));
    if (count.broken + count.silenced != 0) {
      BOOST_TEST(RunSeed(seed, kShort).report.history == result.report.history);
    }
    all.Add(result.report);
  }
  BOOST_TEST(all.usbip.runs > 2u);
  BOOST_TEST(all.usbip.runs < 40u);
  BOOST_TEST(all.usbip.broken > 0u);
  BOOST_TEST(all.usbip.silenced > 0u);
}

BOOST_AUTO_TEST_CASE(the_choices_of_a_run_replay_it) {
  const ChoiceList list = ListOf(9, kShort);
  const RunResult result = RunList(list);
  BOOST_TEST(result.report.history == RunSeed(9, kShort).report.history);
  const Result<ChoiceList, app::Failure> read = ParseChoices(Print(list), "x");
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->commands == list.commands);
  BOOST_TEST(RunList(*read).report.history == result.report.history);
}

BOOST_AUTO_TEST_CASE(a_run_can_be_recorded) {
  Text record;
  const ChoiceList list = ListOf(3, kShort);
  const RunResult result = RunList(list, &record);
  BOOST_TEST(result.report.history == RunList(list).report.history);
  BOOST_TEST(record.text.size() > 10'000u);
  BOOST_TEST(SameBytes(Bytes(record.text).first(4), "0a0d0d0a"_hex));  // a pcapng section
}

BOOST_AUTO_TEST_CASE(whatever_list_of_choices_there_is_it_is_a_run) {
  for (const std::vector<uint64_t>& values :
       {std::vector<uint64_t>{}, {UINT64_MAX}, std::vector<uint64_t>(500, UINT64_MAX / 3)}) {
    BOOST_TEST(RunList({.commands = 20, .values = values}).failure == "");
  }
}

BOOST_AUTO_TEST_CASE(a_bad_list_is_refused_with_its_line) {
  const auto text = [](const char* list) {
    const Result<ChoiceList, app::Failure> parsed = ParseChoices(list, "x.choices");
    return parsed ? std::string("fine") : parsed.error().text;
  };
  BOOST_TEST(text("usbtwin choices 1\ncommands 5\n1 # of 2: why\n\n7\n") == "fine");
  BOOST_TEST(text("") == "x.choices:2: the line \"commands N\" is missing");
  BOOST_TEST(text("1\n").starts_with("x.choices:1: no list of choices"));
  BOOST_TEST(text("usbtwin choices 1\ncommands five\n") ==
             "x.choices:2: the number of commands is no number");
  BOOST_TEST(text("usbtwin choices 1\ncommands 5\n-1\n") ==
             "x.choices:3: a choice is a number, then # and what it was for");
  BOOST_TEST(text("usbtwin choices 1\ncommands 5\n99999999999999999999\n")
                 .starts_with("x.choices:3: a choice"));
}

BOOST_AUTO_TEST_CASE(small_worlds_are_all_tried_and_none_fails) {
  // All of them are tried by `usbtwin sim --exhaustive`; here as many as take a moment.
  uint64_t seen = 0;
  const Exhausted all = RunAll([&seen](const Exhausted& so_far) {
    seen = so_far.schedules;
    return so_far.schedules < 2000;
  });
  BOOST_TEST(all.failed.failure == "");
  BOOST_TEST(all.schedules >= 2000u);
  BOOST_TEST(seen == all.schedules);
}

BOOST_AUTO_TEST_SUITE_END()
