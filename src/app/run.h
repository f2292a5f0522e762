// Blocking on a Task, for programs whose only business it is: drives the system's loop until the
// task has ended. Called from ordinary code above the loop, never from inside it.
#pragma once

#include <functional>

#include "app/system.h"
#include "async/task.h"

namespace usbtwin::app {

template <class T>
T Run(System& system, async::Task<T> task) {
  async::Job<T> job(system.clock(), std::move(task));
  const bool ended = system.RunUntil([&job] { return job.done(); });
  CHECK(ended);
  return job.result();
}

// The same for who may be told to stop meanwhile: once `stop()`, which is asked at every turn of
// the loop, the task is cancelled and `give_up` called, which sees to it that nothing waits for
// somebody silent.
template <class T>
T RunUnlessStopped(System& system, async::Task<T> task, const std::function<bool()>& stop,
                   const std::function<void()>& give_up) {
  async::Job<T> job(system.clock(), std::move(task));
  CHECK(system.RunUntil([&] { return job.done() || stop(); }));
  if (!job.done()) {
    job.Cancel();
    give_up();
    CHECK(system.RunUntil([&job] { return job.done(); }));
  }
  return job.result();
}

}  // namespace usbtwin::app
