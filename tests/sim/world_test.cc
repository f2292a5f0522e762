#include "sim/world.h"

#include <boost/test/unit_test.hpp>
#include <map>

#include "sim/choosers.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT
using namespace std::chrono_literals;

namespace {

struct Note final : Timer {
  Note(std::string& to, char text) : log(to), letter(text) {}
  void HandleTimer() override { log += letter; }
  std::string& log;
  char letter;
};
struct Posted final : Deferred {
  Posted(std::string& to, char text) : log(to), letter(text) {}
  void Run() override { log += letter; }
  std::string& log;
  char letter;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(world)

BOOST_AUTO_TEST_CASE(time_moves_to_the_next_timer_and_only_when_nothing_is_posted) {
  Seeded chooser(1);
  World world(chooser);
  std::string log;
  Note late(log, 'l'), early(log, 'e');
  Posted posted(log, 'p');
  world.Arm(late, TimePoint{2000});
  world.Arm(early, TimePoint{1000});
  world.Post(posted);
  BOOST_TEST(world.Step());
  BOOST_TEST(log == "p");
  BOOST_TEST(world.Now().ns == 0);
  BOOST_TEST(world.Step());
  BOOST_TEST(world.Now().ns == 1000);
  BOOST_TEST(world.Step());
  BOOST_TEST(log == "pel");
  BOOST_TEST(!world.Step());
}

BOOST_AUTO_TEST_CASE(whatever_is_due_at_the_same_time_happens_in_every_order) {
  Exhaustive chooser;
  std::map<std::string, int> seen;
  do {
    World world(chooser);
    std::string log;
    Note a(log, 'a'), b(log, 'b'), c(log, 'c'), later(log, 'd');
    for (Note* note : {&a, &b, &c}) world.Arm(*note, TimePoint{5});
    world.Arm(later, TimePoint{6});
    while (world.Step()) {
    }
    ++seen[log];
  } while (chooser.Next());
  BOOST_TEST(chooser.count() == 6u);
  BOOST_TEST(seen.size() == 6u);  // abcd acbd bacd bcad cabd cbad
  for (const auto& [log, count] : seen) BOOST_TEST(log.back() == 'd');
}

BOOST_AUTO_TEST_CASE(a_world_without_events_is_stuck_and_says_who_waits) {
  Seeded chooser(1);
  World world(chooser);
  world.AddWitness("the host", [] { return "waits for a status"; });
  world.AddWitness("the device", [] { return ""; });
  const auto ended = world.RunUntil([] { return false; }, 100);
  BOOST_REQUIRE(!ended.has_value());
  BOOST_CHECK(ended.error() == World::Trouble::kStuck);
  BOOST_TEST(world.Waiting() == "the host: waits for a status\n");
}

BOOST_AUTO_TEST_CASE(a_world_that_never_comes_to_an_end_is_endless) {
  struct Again final : Timer {
    explicit Again(Clock& of) : clock(of) {}
    void HandleTimer() override { clock.Arm(*this, clock.Now() + 1ms); }
    Clock& clock;
  };
  Seeded chooser(1);
  World world(chooser);
  Again again(world);
  world.Arm(again, TimePoint{1});
  const auto ended = world.RunUntil([] { return false; }, 100);
  BOOST_REQUIRE(!ended.has_value());
  BOOST_CHECK(ended.error() == World::Trouble::kEndless);
  world.Disarm(again);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(choosers)

BOOST_AUTO_TEST_CASE(bytes_are_taken_as_wide_as_the_bound_and_zeros_follow) {
  constexpr auto kBytes = "05 0201 0a"_hex;
  FromBytes chooser{Bytes(kBytes)};
  BOOST_TEST(chooser.Choose(1, "") == 0u);  // asks for no byte
  BOOST_TEST(chooser.Choose(8, "") == 5u);
  BOOST_TEST(chooser.Choose(1000, "") == 0x0102u);
  BOOST_TEST(chooser.Choose(256, "") == 10u);
  BOOST_TEST(chooser.empty());
  BOOST_TEST(chooser.Choose(256, "") == 0u);
}

BOOST_AUTO_TEST_CASE(a_recording_replays_and_a_cut_one_is_still_a_list) {
  Seeded seeded(5);
  Recording recording(seeded);
  std::vector<uint64_t> values;
  for (uint64_t bound = 1; bound < 20; ++bound) values.push_back(recording.Choose(bound, "x"));
  BOOST_TEST(recording.values() == values);
  Replayed replayed(values);
  for (uint64_t bound = 1; bound < 20; ++bound) {
    BOOST_TEST(replayed.Choose(bound, "x") == values[bound - 1]);
  }
  Replayed cut({9});
  BOOST_TEST(cut.Choose(4, "") == 1u);
  BOOST_TEST(cut.Choose(4, "") == 0u);
  BOOST_TEST(cut.used() == 2u);
}

BOOST_AUTO_TEST_CASE(exhaustive_lists_end_where_the_run_ends) {
  Exhaustive chooser;
  std::vector<std::string> runs;
  do {
    std::string run = std::to_string(chooser.Choose(2, ""));
    if (run == "1") run += std::to_string(chooser.Choose(3, ""));
    runs.push_back(run);
  } while (chooser.Next());
  BOOST_TEST(runs == (std::vector<std::string>{"0", "10", "11", "12"}));
  BOOST_TEST(chooser.count() == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
