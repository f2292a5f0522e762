#include "os/linux/poller.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace usbtwin::os {
namespace {

constexpr uint32_t kReadEvents = EPOLLIN | EPOLLRDHUP | EPOLLET;

epoll_event EventFor(Watch* watch, bool writable) {
  epoll_event event{};
  event.events = writable ? kReadEvents | EPOLLOUT : kReadEvents;
  event.data.ptr = watch;
  return event;
}

}  // namespace

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(epoll_);
  CHECK(wake_);
  // Edge-triggered, so that nobody needs to read it: each Wake is an edge.
  epoll_event event = EventFor(nullptr, false);
  CHECK_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event), 0);
}

Poller::~Poller() {
  CHECK_EQ(watch_count_, 0u);
}

int Poller::Add(Watch& watch, int fd, bool writable) {
  CHECK(!watch.watched());
  epoll_event event = EventFor(&watch, writable);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return errno;
  watch.fd_ = fd;
  ++watch_count_;
  return 0;
}

void Poller::WantWritable(Watch& watch, bool writable) {
  CHECK(watch.watched());
  epoll_event event = EventFor(&watch, writable);
  CHECK_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, watch.fd_, &event), 0);
}

void Poller::Remove(Watch& watch) {
  if (!watch.watched()) return;
  epoll_event unused{};
  CHECK_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch.fd_, &unused), 0);
  watch.fd_ = -1;
  --watch_count_;
  // What was found and not told yet is not told any more.
  for (size_t index = 0; index < event_count_; ++index) {
    if (events_[index].data.ptr == &watch) events_[index].data.ptr = nullptr;
  }
}

void Poller::Wait(Duration timeout) {
  CHECK_EQ(event_count_, 0u);
  int count = -1;
  const int events_max = static_cast<int>(events_.size());
  if (exact_) {
    timespec time{};
    time.tv_sec = timeout.count() / 1'000'000'000;
    time.tv_nsec = timeout.count() % 1'000'000'000;
    count = epoll_pwait2(epoll_.get(), events_.data(), events_max,
                         timeout == kForever ? nullptr : &time, nullptr);
    // Older systems, and some sandboxes, have whole milliseconds only: late is better than early.
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) exact_ = false;
  }
  if (!exact_) {
    const int64_t whole_ms = timeout.count() / 1'000'000 + (timeout.count() % 1'000'000 != 0);
    const int timeout_ms =
        timeout == kForever ? -1 : static_cast<int>(std::min<int64_t>(whole_ms, INT_MAX));
    count = epoll_wait(epoll_.get(), events_.data(), events_max, timeout_ms);
  }
  CHECK(count >= 0 || errno == EINTR);  // a signal handler may have changed what done() sees
  event_count_ = static_cast<size_t>(std::max(count, 0));
}

void Poller::DispatchAll() {
  for (size_t index = 0; index < event_count_; ++index) {
    const epoll_event event = events_[index];
    if (event.data.ptr == nullptr) continue;
    static_cast<Watch*>(event.data.ptr)
        ->HandleReady({.readable = (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0,
                       .writable = (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0,
                       .ended = (event.events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0});
  }
  event_count_ = 0;
}

void Poller::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

}  // namespace usbtwin::os
