#include "os/bare_exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "os/linux/file_descriptor.h"

namespace usbtwin::os {
namespace {

constexpr uint32_t kLengthMax = 16 << 20;  // bytes

// What the peer is told before each run.
struct Order {
  std::array<BareExchange::Step, BareExchange::kStepsMax> steps;
  uint32_t steps_count;
  uint32_t count;
};

// What is long goes through the same piece of memory again and again, as the buffers of whoever
// moves much do: a stream is to measure sockets, not caches.
size_t PieceOf(size_t length) {
  constexpr size_t kPieceMax = 256 << 10;
  return std::min(length, kPieceMax);
}

bool ReadAll(int fd, void* room, size_t length) {
  while (length != 0) {
    const ssize_t got = read(fd, room, PieceOf(length));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    length -= static_cast<size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const void* data, size_t length) {
  while (length != 0) {
    const ssize_t put = send(fd, data, PieceOf(length), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    length -= static_cast<size_t>(put);
  }
  return true;
}

bool ReadOrder(int fd, Order& order) {
  const ssize_t got = recv(fd, &order, sizeof order, MSG_WAITALL);
  return got == static_cast<ssize_t>(sizeof order);
}

// The other process. It was forked from one with threads, so it allocates nothing: its room was
// made before.
[[noreturn]] void Answer(int fd, uint8_t* room) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Order order{};
  while (ReadOrder(fd, order)) {
    for (uint32_t index = 0; index < order.count * order.steps_count; ++index) {
      const BareExchange::Step& step = order.steps[index % order.steps_count];
      if (!ReadAll(fd, room, step.request_length)) _exit(0);
      if (!WriteAll(fd, room, step.reply_length)) _exit(0);
    }
  }
  _exit(0);
}

using Pair = std::pair<FileDescriptor, FileDescriptor>;

void NoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// A connection to ourselves. What fails leaves a descriptor out.
Pair MakeTcpPair() {
  const FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.get(), name, length) != 0 || listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), name, &length) != 0) {
    return {};
  }
  FileDescriptor near(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(near.get(), name, length) != 0) return {};
  FileDescriptor far(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  NoDelay(near.get());
  NoDelay(far.get());
  return {std::move(near), std::move(far)};
}

Pair MakeUnixPair() {
  std::array<int, 2> fds{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return {};
  constexpr int kBufferLength = 4 << 20;  // as our own unix sockets have it
  for (const int fd : fds) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBufferLength, sizeof kBufferLength);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kBufferLength, sizeof kBufferLength);
  }
  return {FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

class ForkedExchange final : public BareExchange {
 public:
  ForkedExchange(FileDescriptor fd, pid_t child) : fd_(std::move(fd)), child_(child) {}
  ~ForkedExchange() override {
    kill(child_, SIGKILL);
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  bool Run(std::span<const Step> steps, uint32_t count) override {
    CHECK_LE(steps.size(), kStepsMax);
    Order order{};
    for (const Step& step : steps) {
      CHECK_LE(std::max(step.request_length, step.reply_length), kLengthMax);
      order.steps[order.steps_count++] = step;
    }
    order.count = count;
    if (!WriteAll(fd_.get(), &order, sizeof order)) return false;
    for (uint32_t index = 0; index < count * order.steps_count; ++index) {
      const Step& step = order.steps[index % order.steps_count];
      if (!WriteAll(fd_.get(), room_.data(), step.request_length)) return false;
      if (!ReadAll(fd_.get(), room_.data(), step.reply_length)) return false;
    }
    return true;
  }

 private:
  const FileDescriptor fd_;
  const pid_t child_;
  std::vector<uint8_t> room_ = std::vector<uint8_t>(kLengthMax);
};

}  // namespace

Result<std::unique_ptr<BareExchange>, app::Failure> BareExchange::Start(Kind kind) {
  auto [near, far] = kind == Kind::kTcp ? MakeTcpPair() : MakeUnixPair();
  const auto failed = [](const char* what) {
    return app::Failure{app::Failure::Kind::kCannotOpen,
                        std::string("no ") + what + " to measure with: " + ErrorText(errno)};
  };
  if (!near || !far) return failed("socket");
  std::vector<uint8_t> room(kLengthMax);
  const pid_t child = fork();
  if (child < 0) return failed("process");
  if (child == 0) Answer(far.get(), room.data());
  return std::unique_ptr<BareExchange>(std::make_unique<ForkedExchange>(std::move(near), child));
}

bool PinToCpu(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace usbtwin::os
