#include "os/linux/worker.h"

#include "os/linux/thread.h"

namespace usbtwin::os {

Worker::~Worker() {
  CHECK_EQ(away_count_, 0u);
  if (!started_) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  CHECK_EQ(pthread_join(thread_, nullptr), 0);
}

bool Worker::Start() {
  if (started_) return true;
  const auto run = [](void* worker) -> void* {
    static_cast<Worker*>(worker)->RunThread();
    return nullptr;
  };
  started_ = StartThread(thread_, run, this);
  return started_;
}

bool Worker::Submit(Job& job) {
  CHECK(!job.away());
  if (!Start()) return false;
  job.worker_ = this;
  ++away_count_;
  loop_.BeginWork();
  {
    const std::lock_guard lock(mutex_);
    jobs_.PushBack(job);
  }
  changed_.notify_one();
  return true;
}

void Worker::RunThread() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job& job = static_cast<Job&>(jobs_.PopFront());
    lock.unlock();
    job.Work();
    loop_.PostFromThread(job);
    lock.lock();
  }
}

void Job::Run() {
  CHECK(away());
  Worker& worker = *std::exchange(worker_, nullptr);
  --worker.away_count_;
  worker.loop_.EndWork();
  HandleHome();
}

}  // namespace usbtwin::os
