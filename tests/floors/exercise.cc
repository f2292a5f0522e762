// The one symbol of the floors library: a coroutine that sleeps in virtual time and text that goes
// through hex and back, called from a process that knows no C++.
#include <cstring>

#include "async/perform.h"
#include "base/bytes.h"
#include "base/manual_clock.h"

namespace {

using namespace std::chrono_literals;

usbtwin::async::Task<size_t> ParseLater(const char* text) {
  const bool slept = co_await usbtwin::async::Sleep(3s);
  const auto bytes = usbtwin::ParseHex(text);
  co_return slept&& bytes ? bytes->size() : 0;
}

usbtwin::async::Task<size_t> ParseTwice(const char* text) {
  const size_t first = co_await ParseLater(text);
  const size_t second = co_await ParseLater(text);
  co_return first + second;
}

}  // namespace

// Parses hex text twice, three virtual seconds apart. How many bytes that gave, or -1.
extern "C" __attribute__((visibility("default"))) int usbtwin_exercise_floors(const char* text) {
  usbtwin::ManualClock clock;
  usbtwin::async::Job<size_t> job(clock, ParseTwice(text));
  clock.Advance(10s);
  return job.done() ? static_cast<int>(job.result()) : -1;
}
