#include "os/linux/loop.h"

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <ctime>
#include <thread>

#include "tests/dies.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

struct Note final : Deferred {
  void Run() override {
    ++runs;
    seen = clock == nullptr ? TimePoint{} : clock->Now();
    if (again > 0 && again-- > 0) clock->Post(*this);
  }
  Clock* clock = nullptr;
  int runs = 0;
  int again = 0;  // posts itself so many times more
  TimePoint seen;
};

struct Alarm final : Timer {
  explicit Alarm(Clock& clock_in) : clock(clock_in) {}
  void HandleTimer() override {
    ++fired;
    seen = clock.Now();
    if (again > 0 && again-- > 0) clock.Arm(*this, clock.Now());
  }
  Clock& clock;
  int fired = 0;
  int again = 0;
  TimePoint seen;
};

bool Never() {
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loop)

BOOST_AUTO_TEST_CASE(an_idle_loop_says_that_nothing_is_left) {
  Loop loop;
  BOOST_TEST(!loop.RunUntil(Never));
  BOOST_TEST(loop.RunUntil([] { return true; }));
}

BOOST_AUTO_TEST_CASE(a_posted_item_runs_later_and_once) {
  Loop loop;
  Note note;
  loop.Post(note);
  BOOST_TEST(note.runs == 0);
  BOOST_TEST(loop.RunUntil([&] { return note.runs == 1; }));
  BOOST_TEST(!loop.RunUntil([&] { return note.runs == 2; }));
}

BOOST_AUTO_TEST_CASE(timers_wait_for_their_time) {
  Loop loop;
  Alarm late(loop), early(loop);
  const TimePoint start = loop.Now();
  loop.Arm(late, start + milliseconds(5));
  loop.Arm(early, start + milliseconds(1));

  BOOST_TEST(loop.RunUntil([&] { return early.fired == 1; }));
  BOOST_TEST(late.fired == 0);
  BOOST_TEST(loop.RunUntil([&] { return late.fired == 1; }));

  BOOST_TEST((early.seen >= start + milliseconds(1)));
  BOOST_TEST((late.seen >= start + milliseconds(5)));
}

BOOST_AUTO_TEST_CASE(a_disarmed_timer_leaves_nothing_to_wait_for) {
  Loop loop;
  Alarm alarm(loop);
  loop.Arm(alarm, loop.Now() + std::chrono::hours(1));
  loop.Disarm(alarm);
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(an_item_that_posts_itself_for_ever_does_not_starve_timers) {
  Loop loop;
  Note note;
  note.clock = &loop;
  note.again = INT_MAX;
  loop.Post(note);
  Alarm alarm(loop);
  loop.Arm(alarm, loop.Now() + microseconds(100));

  BOOST_TEST(loop.RunUntil([&] { return alarm.fired == 1; }));

  note.again = 0;
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(a_timer_armed_for_now_for_ever_does_not_starve_threads) {
  Loop loop;
  Alarm alarm(loop);
  alarm.again = INT_MAX;
  loop.Arm(alarm, loop.Now());
  Note note;
  std::thread thread([&] { loop.PostFromThread(note); });

  BOOST_TEST(loop.RunUntil([&] { return note.runs == 1; }));

  thread.join();
  alarm.again = 0;
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(time_stands_still_within_a_turn_only) {
  Loop loop;
  Note first, second;
  first.clock = second.clock = &loop;
  loop.Post(first);
  loop.Post(second);
  BOOST_TEST(loop.RunUntil([&] { return second.runs == 1; }));
  BOOST_TEST((first.seen == second.seen));

  const TimePoint before = loop.Now();
  while (loop.Now() == before) {
  }
  BOOST_TEST((loop.Now() > before));
}

BOOST_AUTO_TEST_CASE(a_sleeping_loop_waits_for_outstanding_work) {
  Loop loop;
  Note note;
  loop.BeginWork();
  std::thread thread([&] {
    // By then the loop sleeps, or it does not: both must do. Most often it does.
    const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
    nanosleep(&pause, nullptr);
    loop.PostFromThread(note);
  });

  BOOST_TEST(loop.RunUntil([&] { return note.runs == 1; }));

  loop.EndWork();
  thread.join();
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(posts_from_several_threads_all_arrive) {
  constexpr size_t kThreads = 4;
  constexpr size_t kNotes = 2000;
  Loop loop;
  std::vector<std::unique_ptr<Note[]>> notes;
  std::vector<std::thread> threads;
  loop.BeginWork();
  for (size_t index = 0; index < kThreads; ++index) {
    notes.push_back(std::make_unique<Note[]>(kNotes));
    threads.emplace_back([&loop, own = notes.back().get()] {
      for (size_t note = 0; note < kNotes; ++note) loop.PostFromThread(own[note]);
    });
  }
  const auto arrived = [&] {
    size_t count = 0;
    for (const auto& own : notes) count += static_cast<size_t>(own[kNotes - 1].runs);
    return count == kThreads;
  };

  BOOST_TEST(loop.RunUntil(arrived));

  for (std::thread& thread : threads) thread.join();
  loop.EndWork();
  BOOST_TEST(!loop.RunUntil(Never));
  for (const auto& own : notes) {
    for (size_t note = 0; note < kNotes; ++note) BOOST_TEST_REQUIRE(own[note].runs == 1);
  }
}

namespace {
Loop* interrupted_loop = nullptr;
volatile std::sig_atomic_t interrupted = 0;
}  // namespace

BOOST_AUTO_TEST_CASE(a_signal_handler_can_end_a_sleep) {
  Loop loop;
  loop.BeginWork();
  interrupted_loop = &loop;
  std::signal(SIGALRM, [](int) {
    interrupted = 1;
    interrupted_loop->Wake();
  });
  timer_t timer{};
  BOOST_REQUIRE(timer_create(CLOCK_MONOTONIC, nullptr, &timer) == 0);
  const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 2'000'000}};
  timer_settime(timer, 0, &soon, nullptr);

  BOOST_TEST(loop.RunUntil([] { return interrupted != 0; }));

  timer_delete(timer);
  std::signal(SIGALRM, SIG_DFL);
  loop.EndWork();
}

BOOST_AUTO_TEST_CASE(running_inside_a_run_is_a_bug) {
  BOOST_TEST(tests::Dies([] {
    Loop loop;
    loop.RunUntil([&] { return loop.RunUntil(Never); });
  }));
}

BOOST_AUTO_TEST_CASE(a_loop_that_goes_while_work_is_outstanding_is_a_bug) {
  BOOST_TEST(tests::Dies([] {
    Loop loop;
    loop.BeginWork();
  }));
}

BOOST_AUTO_TEST_SUITE_END()
