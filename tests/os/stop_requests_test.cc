#include <boost/test/unit_test.hpp>
#include <csignal>
#include <thread>

#include "os/system.h"
#include "tests/os/child.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT

namespace {

struct Alarm final : Timer {
  void HandleTimer() override { fired = true; }
  bool fired = false;
};

// nohup has whoever starts the tests ignore one of the signals.
struct Heeding {
  Heeding() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stop_requests, Heeding)

BOOST_AUTO_TEST_CASE(each_of_the_three_signals_is_a_request) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const auto system = MakeSystem();
    const StopRequests stop(*system);
    BOOST_TEST(!stop.asked());
    BOOST_TEST(raise(number) == 0);
    BOOST_TEST(stop.asked());
    BOOST_TEST(stop.signal() == number);
    BOOST_TEST(system->RunUntil([&] { return stop.asked(); }));
  }
}

BOOST_AUTO_TEST_CASE(a_loop_that_sleeps_is_woken) {
  const auto system = MakeSystem();
  const StopRequests stop(*system);
  Alarm alarm;
  system->clock().Arm(alarm, system->clock().Now() + std::chrono::hours(1));
  const pthread_t sleeper = pthread_self();
  bool started = false;
  std::thread thread;
  const bool ended = system->RunUntil([&] {
    if (!started) thread = std::thread([&] { pthread_kill(sleeper, SIGTERM); });
    started = true;
    return stop.asked();
  });
  thread.join();
  BOOST_TEST(ended);
  BOOST_TEST(!alarm.fired);
  system->clock().Disarm(alarm);
}

BOOST_AUTO_TEST_CASE(the_first_signal_is_told_and_more_do_no_harm) {
  const auto system = MakeSystem();
  const StopRequests stop(*system);
  for (const int number : {SIGHUP, SIGINT, SIGINT, SIGTERM}) BOOST_TEST(raise(number) == 0);
  BOOST_TEST(stop.signal() == SIGHUP);
}

BOOST_AUTO_TEST_CASE(an_ignored_signal_stays_ignored) {
  BOOST_TEST(tests::Succeeds([] {
    std::signal(SIGHUP, SIG_IGN);
    const auto system = MakeSystem();
    {
      const StopRequests stop(*system);
      if (raise(SIGHUP) != 0 || stop.asked()) return false;
    }
    return std::signal(SIGHUP, SIG_DFL) == SIG_IGN;
  }));
}

BOOST_AUTO_TEST_CASE(afterwards_signals_do_what_they_did_before) {
  BOOST_TEST(tests::Succeeds([] {
    const auto system = MakeSystem();
    { const StopRequests stop(*system); }
    { const StopRequests stop(*system); }  // one after the other
    return std::signal(SIGTERM, SIG_IGN) == SIG_DFL;
  }));
}

BOOST_AUTO_TEST_SUITE_END()
