#include "tests/os/socket_calls.h"

#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <string_view>

namespace usbtwin::tests {

CallCounts call_counts;
FailingCall failing_epoll_pwait2, failing_accept4;
std::mutex slow_resolver;
std::atomic<int> slow_answers = 0;

}  // namespace usbtwin::tests

// The linker's names, as in failing_calls.cc.
// NOLINTBEGIN(bugprone-reserved-identifier)
using namespace usbtwin::tests;  // NOLINT
extern "C" {
int __real_epoll_pwait2(int fd, epoll_event* events, int events_max, const timespec* timeout,
                        const sigset_t* mask);
int __real_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept;
ssize_t __real_recv(int fd, void* data, size_t length, int flags);
ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
int __real_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int __real_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found);

int __wrap_epoll_pwait2(int fd, epoll_event* events, int events_max, const timespec* timeout,
                        const sigset_t* mask) {
  ++call_counts.waits;
  if (failing_epoll_pwait2.Fails()) return -1;
  return __real_epoll_pwait2(fd, events, events_max, timeout, mask);
}
int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  ++call_counts.controls;
  return __real_epoll_ctl(epoll, operation, fd, event);
}
ssize_t __wrap_recv(int fd, void* data, size_t length, int flags) {
  ++call_counts.receives;
  return __real_recv(fd, data, length, flags);
}
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  ++call_counts.sends;
  return __real_sendmsg(fd, message, flags);
}
int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  ++call_counts.accepts;
  if (failing_accept4.Fails()) return -1;
  return __real_accept4(fd, address, length, flags);
}
int __wrap_getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                       addrinfo** found) {
  const std::string_view name = host;
  const bool numeric = (hints->ai_flags & AI_NUMERICHOST) != 0;
  if (!numeric && name == "none.test") return EAI_NONAME;
  if (!numeric && name == "slow.test") {
    const std::lock_guard lock(slow_resolver);
    const int error = __real_getaddrinfo("127.0.0.1", port, hints, found);
    ++slow_answers;
    slow_answers.notify_all();
    return error;
  }
  if (numeric || name != "two.test") return __real_getaddrinfo(host, port, hints, found);
  const int error = __real_getaddrinfo("127.0.0.2", port, hints, found);
  return error != 0 ? error : __real_getaddrinfo("127.0.0.1", port, hints, &(*found)->ai_next);
}
}
// NOLINTEND(bugprone-reserved-identifier)
