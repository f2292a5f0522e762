// Readiness: which descriptors can be read or written again, as epoll tells it, and the one wait in
// the kernel that a loop sleeps in. A Watch is registered once for each descriptor and is told when
// something changed (edge-triggered), so that neither waiting nor giving up costs a system call and
// a socket that nobody reads wakes nobody twice. Whoever is told tries the call itself: an event is
// a hint. The Loop owns the one poller and alone calls Wait and Dispatch.
#pragma once

#include <sys/epoll.h>

#include <array>

#include "base/clock.h"
#include "os/linux/file_descriptor.h"

namespace usbtwin::os {

struct Readiness {
  bool readable = false;  // or accepting
  bool writable = false;  // or connected; only where the watch wants to know
  bool ended = false;     // the peer writes no more, or the connection broke: reading tells which
};

// One descriptor and who wants to know of it. Removed before it is destroyed, and before its
// descriptor is closed.
class Watch {
 public:
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // From the loop's thread and between its callbacks. May remove this watch or any other.
  virtual void HandleReady(Readiness ready) = 0;
  bool watched() const { return fd_ >= 0; }

 protected:
  Watch() = default;
  ~Watch() { CHECK(!watched()); }

 private:
  friend class Poller;
  int fd_ = -1;
};

class Poller {
 public:
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller();

  // What is ready already is told as well. Answers errno, 0 where all is well: the system bounds
  // how many descriptors are watched. `fd` stays the caller's.
  [[nodiscard]] int Add(Watch& watch, int fd, bool writable);
  // Whether `watch` is told that it can be written; if so and it can be now, it is told that.
  void WantWritable(Watch& watch, bool writable);
  // It is told nothing any more. No harm where it is not watched.
  void Remove(Watch& watch);

  // Sleeps until something is ready, Wake, a signal, or until `timeout` is over; kForever, or zero
  // for a look. Everything that was ready before has been dispatched.
  static constexpr Duration kForever = Duration::max();
  void Wait(Duration timeout);
  // Tells those whom the last Wait found. They may lack time of their own: it does not pass here.
  void Dispatch() {
    if (event_count_ != 0) DispatchAll();
  }
  // Ends a Wait, now or when it begins. Thread-safe, and safe in a signal handler.
  void Wake();

 private:
  void DispatchAll();

  const FileDescriptor epoll_;
  const FileDescriptor wake_;
  size_t watch_count_ = 0;
  bool exact_ = true;  // the system waits for nanoseconds
  std::array<epoll_event, 64> events_;
  size_t event_count_ = 0;
};

}  // namespace usbtwin::os
