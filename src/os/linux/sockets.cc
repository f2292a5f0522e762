#include "os/linux/sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "os/linux/signals.h"
#include "os/linux/socket_address.h"
#include "os/linux/socket_listen.h"

namespace usbtwin::os {

using async::SocketError;

namespace {

constexpr std::string_view kActivated = "activated:";
constexpr int kFirstActivated = 3;  // sd_listen_fds(3)

std::optional<int> Number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return {};
  return number;
}

int NumberInEnvironment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : Number(text).value_or(0);
}

}  // namespace

Sockets::Sockets(Loop& loop, SocketsOptions options)
    : loop_(loop), options_(options), resolver_(loop) {}

Sockets::~Sockets() {
  // Cancelled ones whose addresses have been posted home.
  for (const auto& [connector, owned] : connectors_) CHECK(connector->operation() == nullptr);
  if (!connectors_.empty()) CHECK(loop_.RunUntil([this] { return connectors_.empty(); }));
}

void Sockets::Connect(async::SocketConnect& connect) {
  connect.outcome = async::SocketOutcome::kPending;
  connect.why.clear();
  connect.looking_up = false;
  ConnectorOwner& owner = *this;
  auto owned = std::make_unique<Connector>(loop_, owner, options_, connect);
  Connector& connector = *owned;
  connectors_.emplace(&connector, std::move(owned));
  connector.Start(resolver_);
}

void Sockets::Cancel(async::SocketConnect& connect) {
  const auto found = std::find_if(connectors_.begin(), connectors_.end(), [&](const auto& entry) {
    return entry.first->operation() == &connect;
  });
  if (found != connectors_.end()) found->second->Cancel();
}

void Sockets::Retire(Connector& connector) {
  CHECK_EQ(connectors_.erase(&connector), 1u);
}

Result<std::unique_ptr<async::Listener>, SocketError> Sockets::Listen(const std::string& address) {
  if (address.starts_with(kActivated)) return ListenActivated(address);
  return StreamListener::Open(loop_, options_, address);
}

Result<std::unique_ptr<async::Listener>, SocketError> Sockets::ListenActivated(
    const std::string& address) {
  const std::string name = Printable("cannot listen at " + address + ": ");
  const auto index = Number(std::string_view(address).substr(kActivated.size()));
  if (!index) {
    return SocketError{ErrorKind::kInvalid, name + "write activated:0 for the first one"};
  }
  const int count =
      NumberInEnvironment("LISTEN_PID") == getpid() ? NumberInEnvironment("LISTEN_FDS") : 0;
  if (*index >= count) {
    return SocketError{ErrorKind::kNotFound,
                       name + "this process was started with " +
                           Count(static_cast<uint64_t>(count), "socket") +
                           "; start it from a socket unit, or give an address"};
  }
  const int fd = kFirstActivated + *index;
  if (!activated_.insert(fd).second) {
    return SocketError{ErrorKind::kBusy, name + "it was taken already; name each one once"};
  }
  return AdoptListener(FileDescriptor(fd));
}

Result<std::unique_ptr<async::Listener>, SocketError> Sockets::AdoptListener(FileDescriptor fd) {
  return StreamListener::Adopt(loop_, options_, std::move(fd));
}

Result<std::unique_ptr<async::Socket>, SocketError> Sockets::Adopt(FileDescriptor fd) {
  const std::string name = "cannot use descriptor " + std::to_string(fd.get()) + ": ";
  int type = 0;
  socklen_t length = sizeof type;
  Endpoint peer;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM ||
      getpeername(fd.get(), peer.get(), &peer.length) != 0) {
    return SocketError{ErrorKind::kInvalid, name + "it is no connected stream socket"};
  }
  fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ConfigureSocket(fd.get(), options_);
  auto socket = StreamSocket::Open(loop_, std::move(fd), NameOf(peer));
  if (!socket) return SocketError{ErrorKind::kFault, name + ErrorText(socket.error())};
  return std::move(*socket);
}

Result<Sockets::Pair, SocketError> Sockets::MakePair() {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SocketError{ErrorKind::kFault, "cannot make a pair of sockets: " + ErrorText(errno)};
  }
  FileDescriptor given(ends[1]);
  ConfigureSocket(given.get(), options_);
  auto kept = Adopt(FileDescriptor(ends[0]));
  if (!kept) return kept.error();
  return Pair(std::move(*kept), std::move(given));
}

}  // namespace usbtwin::os
