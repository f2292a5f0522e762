#include "base/event_queue.h"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "base/manual_clock.h"

using namespace usbtwin;  // NOLINT
using std::chrono::milliseconds;

namespace {

struct Note final : Deferred {
  Note(std::vector<int>& notes_in, int value_in) : notes(notes_in), value(value_in) {}
  void Run() override {
    notes.push_back(value);
    if (again != nullptr) again->Post(*this);
  }
  std::vector<int>& notes;
  int value;
  Clock* again = nullptr;
};

struct Alarm final : Timer {
  Alarm(std::vector<int>& notes_in, int value_in) : notes(notes_in), value(value_in) {}
  void HandleTimer() override { notes.push_back(value); }
  std::vector<int>& notes;
  int value;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(event_queue)

BOOST_AUTO_TEST_CASE(posted_items_run_in_order) {
  ManualClock clock;
  std::vector<int> notes;
  Note first(notes, 1), second(notes, 2);
  clock.Post(first);
  clock.Post(second);
  BOOST_TEST(notes.empty());
  clock.RunPosted();
  BOOST_TEST(notes == (std::vector<int>{1, 2}));
}

BOOST_AUTO_TEST_CASE(an_item_that_posts_itself_does_not_starve_timers) {
  EventQueue queue;
  std::vector<int> notes;
  struct Again final : Deferred {
    explicit Again(EventQueue& queue_in) : queue(queue_in) {}
    void Run() override {
      if (++runs < 5) queue.Post(*this);
    }
    EventQueue& queue;
    int runs = 0;
  } again(queue);
  queue.Post(again);
  BOOST_TEST(queue.RunPosted() == 1u);
  BOOST_TEST(again.runs == 1);
  while (queue.RunPosted() != 0) {
  }
  BOOST_TEST(again.runs == 5);
}

BOOST_AUTO_TEST_CASE(timers_fire_by_time_then_by_order) {
  ManualClock clock;
  std::vector<int> notes;
  Alarm late(notes, 3), first(notes, 1), second(notes, 2), gone(notes, 9);
  clock.Arm(late, clock.Now() + milliseconds(20));
  clock.Arm(first, clock.Now() + milliseconds(10));
  clock.Arm(second, clock.Now() + milliseconds(10));
  clock.Arm(gone, clock.Now() + milliseconds(5));
  clock.Disarm(gone);
  while (clock.Step()) {
  }
  BOOST_TEST(notes == (std::vector<int>{1, 2, 3}));
  BOOST_TEST(clock.Now().ns == 20'000'000);
}

BOOST_AUTO_TEST_CASE(arming_again_moves_a_timer_both_ways) {
  ManualClock clock;
  std::vector<int> notes;
  Alarm moved(notes, 1), other(notes, 2);
  clock.Arm(moved, clock.Now() + milliseconds(30));
  clock.Arm(other, clock.Now() + milliseconds(10));
  clock.Arm(moved, clock.Now() + milliseconds(5));
  clock.Arm(other, clock.Now() + milliseconds(2));
  clock.Arm(moved, clock.Now() + milliseconds(8));
  clock.Advance(milliseconds(8));
  BOOST_TEST(notes == (std::vector<int>{2, 1}));
}

BOOST_AUTO_TEST_CASE(many_timers_keep_their_order_under_disarming) {
  ManualClock clock;
  std::vector<int> notes;
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int index = 0; index < 100; ++index) {
    alarms.push_back(std::make_unique<Alarm>(notes, (index * 37) % 100));
    clock.Arm(*alarms.back(), TimePoint{(index * 37) % 100 + 1});
  }
  for (int index = 0; index < 100; index += 3) clock.Disarm(*alarms[static_cast<size_t>(index)]);
  while (clock.Step()) {
  }
  BOOST_TEST(notes.size() == 66u);
  BOOST_TEST(std::is_sorted(notes.begin(), notes.end()));
}

BOOST_AUTO_TEST_SUITE_END()
