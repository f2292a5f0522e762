#include "os/linux/poller.h"

#include <sys/eventfd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>

#include "os/linux/loop.h"
#include "tests/dies.h"
#include "tests/os/socket_calls.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
using std::chrono::milliseconds;
using tests::call_counts;
using tests::failing_epoll_pwait2;

namespace {

// A descriptor that becomes readable on demand, and a wait for it.
struct Bell final : Watch {
  explicit Bell(Loop& loop_in) : loop(loop_in), fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    BOOST_REQUIRE(loop.Add(*this, fd.get()) == 0);
  }
  ~Bell() { loop.Remove(*this); }
  void Ring() {
    const uint64_t one = 1;
    BOOST_REQUIRE(write(fd.get(), &one, sizeof one) == sizeof one);
  }
  void HandleReady(Readiness ready) override {
    told += ready.readable;
    if (victim != nullptr) loop.Remove(*victim);
    if (again) Ring();
  }
  Loop& loop;
  FileDescriptor fd;
  int told = 0;
  Watch* victim = nullptr;
  bool again = false;  // rings for ever
};

struct Alarm final : Timer {
  void HandleTimer() override { rang = true; }
  bool rang = false;
};

struct Poster final : Deferred {
  explicit Poster(Clock& clock_in) : clock(clock_in) {}
  void Run() override {
    ++runs;
    if (again) clock.Post(*this);
  }
  Clock& clock;
  int runs = 0;
  bool again = true;
};

bool Never() {
  return false;
}

// For so long in real time.
void RunFor(Loop& loop, Duration time) {
  Alarm alarm;
  loop.Arm(alarm, loop.Now() + time);
  BOOST_TEST(loop.RunUntil([&] { return alarm.rang; }));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(poller)

BOOST_AUTO_TEST_CASE(the_loop_stays_only_while_somebody_waits) {
  Loop loop;
  Bell bell(loop);
  BOOST_TEST(!loop.RunUntil(Never));

  loop.BeginWait();
  bell.Ring();
  BOOST_TEST(loop.RunUntil([&] { return bell.told == 1; }));

  loop.EndWait();
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(what_was_ready_before_is_told) {
  Loop loop;
  const FileDescriptor fd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  Bell bell(loop);
  loop.Remove(bell);
  bell.Ring();
  BOOST_REQUIRE(loop.Add(bell, bell.fd.get()) == 0);
  RunFor(loop, milliseconds(1));
  BOOST_TEST(bell.told == 1);
}

BOOST_AUTO_TEST_CASE(what_nobody_reads_wakes_nobody_twice) {
  Loop loop;
  Bell bell(loop);
  bell.Ring();
  call_counts.Reset();
  RunFor(loop, milliseconds(50));
  BOOST_TEST(bell.told == 1);
  BOOST_TEST(call_counts.waits <= 4);
}

BOOST_AUTO_TEST_CASE(whoever_is_removed_by_a_callback_is_not_told) {
  Loop loop;
  Bell first(loop), second(loop);
  first.victim = &second;
  second.victim = &first;
  first.Ring();
  second.Ring();
  RunFor(loop, milliseconds(5));
  BOOST_TEST(first.told + second.told == 1);
}

BOOST_AUTO_TEST_CASE(a_callback_may_remove_its_own_watch) {
  Loop loop;
  Bell bell(loop);
  bell.victim = &bell;
  bell.Ring();
  RunFor(loop, milliseconds(5));
  BOOST_TEST(bell.told == 1);
  BOOST_TEST(!bell.watched());
}

BOOST_AUTO_TEST_CASE(more_than_fit_into_one_look_are_all_told) {
  Loop loop;
  std::vector<std::unique_ptr<Bell>> bells;
  for (int index = 0; index < 200; ++index) {
    bells.push_back(std::make_unique<Bell>(loop));
    bells.back()->Ring();
  }
  RunFor(loop, milliseconds(20));
  for (const auto& bell : bells) BOOST_TEST(bell->told == 1);
}

BOOST_AUTO_TEST_CASE(posted_work_for_ever_does_not_starve_descriptors) {
  Loop loop;
  Bell bell(loop);
  Poster poster(loop);
  loop.Post(poster);
  loop.BeginWait();
  bell.Ring();
  BOOST_TEST(loop.RunUntil([&] { return bell.told == 1; }));
  loop.EndWait();
  poster.again = false;
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_always_ready_starves_neither_posts_nor_timers) {
  Loop loop;
  Bell bell(loop);
  bell.again = true;
  bell.Ring();
  Poster poster(loop);
  loop.Post(poster);
  loop.BeginWait();
  RunFor(loop, milliseconds(2));
  loop.EndWait();
  BOOST_TEST(poster.runs > 1);
  BOOST_TEST(bell.told > 1);
  poster.again = bell.again = false;
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(a_busy_loop_looks_once_a_turn_and_only_for_somebody) {
  Loop loop;
  Bell bell(loop);
  Poster poster(loop);
  loop.Post(poster);
  call_counts.Reset();
  BOOST_TEST(loop.RunUntil([&] { return poster.runs >= 6400; }));
  BOOST_TEST(call_counts.waits == 0);

  loop.BeginWait();
  BOOST_TEST(loop.RunUntil([&] { return poster.runs >= 2 * 6400; }));
  BOOST_TEST(call_counts.waits <= 101);
  BOOST_TEST(call_counts.waits >= 99);
  loop.EndWait();
  poster.again = false;
  BOOST_TEST(!loop.RunUntil(Never));
}

BOOST_AUTO_TEST_CASE(a_system_of_whole_milliseconds_is_late_and_never_early) {
  for (const int error : {ENOSYS, EPERM}) {
    failing_epoll_pwait2.Arm(error, INT_MAX);
    Loop loop;
    Bell bell(loop);
    const TimePoint start = loop.Now();
    call_counts.Reset();
    RunFor(loop, std::chrono::microseconds(1500));
    BOOST_TEST((loop.Now() - start >= std::chrono::microseconds(1500)));
    BOOST_TEST(call_counts.waits == 1);  // it is not asked again
    loop.BeginWait();
    bell.Ring();
    BOOST_TEST(loop.RunUntil([&] { return bell.told == 1; }));
    loop.EndWait();
    BOOST_TEST(failing_epoll_pwait2.failed == 1);
    failing_epoll_pwait2.Arm(0, 0);
  }
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_cannot_be_watched_is_refused) {
  Loop loop;
  Bell bell(loop);
  loop.Remove(bell);
  BOOST_TEST(loop.Add(bell, -1) == EBADF);
  BOOST_TEST(!bell.watched());
}

BOOST_AUTO_TEST_CASE(a_watch_that_is_forgotten_is_a_bug) {
  BOOST_TEST(tests::Dies([] {
    auto loop = std::make_unique<Loop>();
    Bell bell(*loop);
    loop.reset();
  }));
  BOOST_TEST(tests::Dies([] {
    Loop loop;
    loop.BeginWait();
  }));
}

BOOST_AUTO_TEST_SUITE_END()
