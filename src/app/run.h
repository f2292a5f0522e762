// Blocking on a Task, for programs whose only business it is: drives the system's loop until the
// task has ended. Called from ordinary code above the loop, never from inside it.
#pragma once

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

}  // namespace usbtwin::app
