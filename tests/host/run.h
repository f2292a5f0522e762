// Runs a task to its end in virtual time. A task that gets stuck fails the test that started it.
#pragma once

#include <boost/test/unit_test.hpp>

#include "async/task.h"
#include "base/manual_clock.h"

namespace usbtwin::tests {

template <class T>
T Run(ManualClock& clock, async::Task<T> task) {
  async::Job<T> job(clock, std::move(task));
  if (!clock.RunUntil([&] { return job.done(); })) BOOST_FAIL("nothing is left to happen");
  return job.result();
}

// Lets `steps_count` steps of the clock pass, cancels the task and waits for its end. False where
// it had ended before.
template <class T>
bool RunAndCancel(ManualClock& clock, async::Task<T> task, size_t steps_count,
                  std::optional<T>& result) {
  async::Job<T> job(clock, std::move(task));
  for (size_t step = 0; step < steps_count && !job.done(); ++step) {
    if (!clock.Step()) BOOST_FAIL("nothing is left to happen");
  }
  const bool running = !job.done();
  if (running) job.Cancel();
  if (!clock.RunUntil([&] { return job.done(); })) BOOST_FAIL("nothing is left to happen");
  result = job.result();
  return running;
}

}  // namespace usbtwin::tests
