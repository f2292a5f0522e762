// A system call that blocks for as long as somebody else likes, on a thread of its own: submitted
// from the loop's thread, it comes home there when it returns, and it can be interrupted. One call
// at a time; the thread is made for the first and kept. Made for ioctls that know no timeout and no
// readiness.
//
// Interrupting is a signal whose handler does nothing, sent again until the call is home: the first
// may come before the thread is in the kernel. The signal is SIGURG, which nobody notices who does
// not ask for it.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "os/linux/loop.h"

namespace usbtwin::os {

class BlockingCall : private Deferred, private Timer {
 public:
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;

  bool away() const { return away_; }  // submitted and not yet home
  // What is away comes home soon. Nothing where nothing is away.
  void Interrupt();

 protected:
  explicit BlockingCall(Loop& loop) : loop_(loop) {}
  ~BlockingCall();  // nothing is away

  // False where there is no thread to be had: nothing happened then.
  [[nodiscard]] bool Submit();
  // On the thread: ask before each system call, and after each that EINTR ended.
  bool interrupted() const { return interrupted_.load(); }
  Loop& loop() { return loop_; }

 private:
  virtual void Work() = 0;        // on the thread
  virtual void HandleHome() = 0;  // on the loop's thread, from its queue
  void Run() final;
  void HandleTimer() final;
  bool Start();
  void RunThread();

  Loop& loop_;
  bool away_ = false;
  bool started_ = false;
  pthread_t thread_{};
  std::atomic<bool> interrupted_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool submitted_ = false;
  bool stopping_ = false;
};

}  // namespace usbtwin::os
