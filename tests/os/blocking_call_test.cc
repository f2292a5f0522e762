#include "os/linux/blocking_call.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <thread>

#include "tests/os/failing_calls.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
using tests::failing_thread;

namespace {

// Reads one byte from a pipe, for as long as it takes.
class Reader final : private BlockingCall {
 public:
  explicit Reader(Loop& loop) : BlockingCall(loop) { BOOST_REQUIRE(pipe(ends_) == 0); }
  ~Reader() {
    close(ends_[0]);
    close(ends_[1]);
  }
  void Write(char given) { CHECK_EQ(write(ends_[1], &given, 1), 1); }  // any thread
  using BlockingCall::away;
  using BlockingCall::Interrupt;
  using BlockingCall::Submit;

  int home = 0;
  int home_wanted = 1;
  ssize_t result = 0;
  int error = 0;
  char byte = 0;
  std::thread::id worked_on;

 private:
  void Work() override {
    worked_on = std::this_thread::get_id();
    do {
      result = interrupted() ? -1 : read(ends_[0], &byte, 1);
      error = interrupted() ? EINTR : errno;
    } while (result < 0 && error == EINTR && !interrupted());
  }
  void HandleHome() override {
    BOOST_TEST(!away());
    if (++home < home_wanted) BOOST_TEST(Submit());
  }

  int ends_[2] = {-1, -1};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(blocking_call)

BOOST_AUTO_TEST_CASE(a_call_blocks_elsewhere_and_comes_home) {
  Loop loop;
  Reader reader(loop);

  BOOST_TEST(reader.Submit());
  BOOST_TEST(reader.away());
  reader.Write('x');
  BOOST_TEST(loop.RunUntil([&] { return reader.home == 1; }));

  BOOST_TEST(reader.result == 1);
  BOOST_TEST(reader.byte == 'x');
  BOOST_TEST((reader.worked_on != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(the_loop_waits_for_a_call) {
  Loop loop;
  Reader reader(loop);

  BOOST_TEST(reader.Submit());
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    reader.Write('x');
  });

  BOOST_TEST(loop.RunUntil([&] { return reader.home == 1; }));
  writer.join();
}

// The first signals find the thread before, in and behind its system call.
BOOST_AUTO_TEST_CASE(an_interrupted_call_comes_home_without_a_byte) {
  Loop loop;
  Reader reader(loop);

  for (int turn = 1; turn <= 300; ++turn) {
    BOOST_REQUIRE(reader.Submit());
    if (turn % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (turn % 3 == 1) std::this_thread::yield();
    reader.Interrupt();
    reader.Interrupt();
    BOOST_REQUIRE(loop.RunUntil([&] { return reader.home == turn; }));
    BOOST_REQUIRE(reader.result == -1);
    BOOST_REQUIRE(reader.error == EINTR);
  }
  reader.Write('y');
  BOOST_TEST(reader.Submit());
  BOOST_TEST(loop.RunUntil([&] { return reader.home == 301; }));
  BOOST_TEST(reader.byte == 'y');
}

BOOST_AUTO_TEST_CASE(a_call_can_be_made_again_from_home) {
  Loop loop;
  Reader reader(loop);
  reader.home_wanted = 3;

  reader.Write('1');
  reader.Write('2');
  reader.Write('3');
  BOOST_TEST(reader.Submit());
  BOOST_TEST(loop.RunUntil([&] { return reader.home == 3; }));

  BOOST_TEST(reader.byte == '3');
}

BOOST_AUTO_TEST_CASE(interrupting_nothing_does_nothing) {
  Loop loop;
  Reader reader(loop);

  reader.Interrupt();
  reader.Write('x');
  BOOST_TEST(reader.Submit());
  BOOST_TEST(loop.RunUntil([&] { return reader.home == 1; }));
  reader.Interrupt();

  BOOST_TEST(reader.result == 1);
}

BOOST_AUTO_TEST_CASE(without_a_thread_nothing_happened) {
  Loop loop;
  Reader reader(loop);

  failing_thread.Arm(EAGAIN);
  BOOST_TEST(!reader.Submit());
  BOOST_TEST(failing_thread.failed == 1);
  BOOST_TEST(!reader.away());
  reader.Write('x');
  BOOST_TEST(reader.Submit());
  BOOST_TEST(loop.RunUntil([&] { return reader.home == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
