// One helper thread for system calls that block (flushing, reading pages in). Jobs run in the order
// they were submitted and come home to the loop's thread when they are done; until then the loop
// counts them as outstanding work. Each job is intrusive, so submitting one allocates nothing. The
// thread is made for the first job: most programs need none, and where the system gives none away
// (a limit of processes) it is that job that fails. All jobs must be home when the worker goes; the
// destructor CHECKs it.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>

#include "base/intrusive_list.h"
#include "os/linux/loop.h"

namespace usbtwin::os {

class Worker;

class Job : public Deferred {
 public:
  bool away() const { return worker_ != nullptr; }  // submitted and not yet home

 protected:
  Job() = default;
  ~Job() { CHECK(!away()); }

 private:
  friend class Worker;
  virtual void Work() = 0;        // on the helper thread
  virtual void HandleHome() = 0;  // on the loop's thread, from its queue
  void Run() final;

  Worker* worker_ = nullptr;  // while away
};

class Worker {
 public:
  explicit Worker(Loop& loop) : loop_(loop) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // From the loop's thread. The job may be submitted again from HandleHome on. False where there is
  // no thread to be had: nothing happened then, and another try may fare better.
  [[nodiscard]] bool Submit(Job& job);

 private:
  friend class Job;
  bool Start();
  void RunThread();

  Loop& loop_;
  size_t away_count_ = 0;  // the loop's thread only
  std::mutex mutex_;       // guards what follows
  std::condition_variable changed_;
  IntrusiveList<Deferred> jobs_;
  bool stopping_ = false;

  bool started_ = false;  // the loop's thread only
  pthread_t thread_{};    // once started
};

}  // namespace usbtwin::os
