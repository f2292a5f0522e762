#include "os/linux/socket_listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "base/text.h"

namespace usbtwin::os {

using async::SocketAccept;
using async::SocketError;
using async::SocketOutcome;

namespace {

SocketError CannotListen(const std::string& address, ErrorKind kind, const std::string& why) {
  return {kind, Printable("cannot listen at " + address + ": " + why)};
}

SocketError SystemError(const std::string& address, int error) {
  switch (error) {
    case EADDRINUSE:
      return CannotListen(address, ErrorKind::kBusy,
                          "the address is in use; stop who listens there, or choose another port");
    case EADDRNOTAVAIL:
      return CannotListen(address, ErrorKind::kNotFound,
                          "this machine does not have that address; choose one of its own, or "
                          "0.0.0.0 for all of them");
    case EAFNOSUPPORT:
      return CannotListen(address, ErrorKind::kUnsupported,
                          "this machine has no such network; choose 127.0.0.1 or 0.0.0.0");
    case EACCES:
    case EPERM:
      return CannotListen(address, ErrorKind::kDenied,
                          address.starts_with("unix:")
                              ? "permission denied; choose a directory where you may write"
                              : "permission denied; choose a port from 1024 on");
    case ENOENT:
    case ENOTDIR:
      return CannotListen(address, ErrorKind::kNotFound,
                          "there is no such directory; make it, or choose another path");
    default: return CannotListen(address, ErrorKind::kFault, ErrorText(error));
  }
}

std::optional<FileIdentity> SocketFileAt(const std::string& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return {};
  return FileIdentity{status.st_dev, status.st_ino};
}

// 0 where somebody listens there (or may), ECONNREFUSED where nobody does.
int Knock(const Endpoint& endpoint) {
  const FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  if (connect(fd.get(), endpoint.get(), endpoint.length) == 0 || errno == EAGAIN) return 0;
  return errno;
}

// Removes the socket file that a server which is gone left behind.
Result<void, SocketError> RemoveStale(const std::string& address, const std::string& path,
                                      const Endpoint& endpoint) {
  const auto file = SocketFileAt(path);
  if (!file) {
    return CannotListen(address, ErrorKind::kBusy,
                        "there is a file of that name, and no socket; choose another path");
  }
  const int error = Knock(endpoint);
  if (error == 0) {
    return CannotListen(address, ErrorKind::kBusy,
                        "the address is in use; stop who listens there, or choose another path");
  }
  if (error != ECONNREFUSED) return SystemError(address, error);
  if (SocketFileAt(path) == file && unlink(path.c_str()) != 0 && errno != ENOENT) {
    return SystemError(address, errno);
  }
  return {};
}

// Between bind and listen a socket looks stale. Programs that start at once keep each other waiting
// by a lock on the directory, where it can be had.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& path)
      : fd_(open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        busy_(fd_ && flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {}
  bool busy() const { return busy_; }

 private:
  static std::string DirectoryOf(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
  }
  const FileDescriptor fd_;
  const bool busy_;
};

// Binds and listens; the descriptor of a socket that listens.
Result<FileDescriptor, SocketError> ListenUnix(const std::string& text, const Address& address,
                                               const SocketsOptions& options) {
  const Endpoint endpoint = UnixEndpoint(address);
  const DirectoryLock lock(address.path);
  FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return SystemError(text, errno);
  // The file is made with the mode of the socket: no moment in which others may connect.
  if (fchmod(fd.get(), options.unix_mode) != 0) return SystemError(text, errno);
  if (bind(fd.get(), endpoint.get(), endpoint.length) != 0) {
    if (errno != EADDRINUSE) return SystemError(text, errno);
    if (lock.busy()) {
      return CannotListen(text, ErrorKind::kBusy,
                          "another program is about to listen in that directory; try again");
    }
    const auto removed = RemoveStale(text, address.path, endpoint);
    if (!removed) return removed.error();
    if (bind(fd.get(), endpoint.get(), endpoint.length) != 0) return SystemError(text, errno);
  }
  if (listen(fd.get(), options.backlog) != 0) {
    const int error = errno;
    unlink(address.path.c_str());
    return SystemError(text, error);
  }
  return fd;
}

Result<FileDescriptor, SocketError> ListenTcp(const std::string& text, Address address,
                                              const SocketsOptions& options) {
  if (address.host == "localhost") address.host = "127.0.0.1";
  const auto endpoints = LookUp(address, LookUpKind::kNumeric);
  if (!endpoints || endpoints->empty()) {
    return CannotListen(text, ErrorKind::kInvalid,
                        "it is no address of a network; give this machine's own as a number, "
                        "localhost, or 0.0.0.0 for all of them");
  }
  const Endpoint& endpoint = endpoints->front();
  FileDescriptor fd(socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return SystemError(text, errno);
  const int on = 1;
  const int off = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // [::] takes IPv4 as well, whatever the system's default is.
  if (endpoint.family() == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (bind(fd.get(), endpoint.get(), endpoint.length) != 0) return SystemError(text, errno);
  if (listen(fd.get(), options.backlog) != 0) return SystemError(text, errno);
  return fd;
}

std::string OwnName(int fd) {
  Endpoint own;
  return getsockname(fd, own.get(), &own.length) == 0 ? NameOf(own) : "?";
}

// Of one connection that waited, or of the network it came through: the next one may do better.
bool IsPassing(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ETIMEDOUT:
    case EPERM: return true;  // a firewall says no
    default: return false;
  }
}

}  // namespace

Result<std::unique_ptr<async::Listener>, SocketError> StreamListener::Open(
    Loop& loop, const SocketsOptions& options, const std::string& address) {
  const auto parsed = ParseAddress(address);
  if (!parsed) return CannotListen(address, ErrorKind::kInvalid, parsed.error());
  auto fd = parsed->is_unix ? ListenUnix(address, *parsed, options)
                            : ListenTcp(address, *parsed, options);
  if (!fd) return fd.error();
  const int number = fd->get();
  const std::string name = parsed->is_unix ? address : OwnName(number);
  std::unique_ptr<StreamListener> listener(new StreamListener(loop, options, std::move(*fd), name));
  if (const auto file = parsed->is_unix ? SocketFileAt(parsed->path) : std::nullopt) {
    listener->own_path_ = parsed->path;
    listener->own_file_ = *file;
  }
  const int error = loop.Add(*listener, number);
  if (error != 0) return SystemError(address, error);
  return std::unique_ptr<async::Listener>(std::move(listener));
}

Result<std::unique_ptr<async::Listener>, SocketError> StreamListener::Adopt(
    Loop& loop, const SocketsOptions& options, FileDescriptor fd) {
  const std::string name = "descriptor " + std::to_string(fd.get());
  int type = 0;
  int listens = 0;
  socklen_t length = sizeof type;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    return CannotListen(name, ErrorKind::kInvalid, "it is no open socket");
  }
  length = sizeof listens;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0) listens = 0;
  if (type != SOCK_STREAM || listens == 0) {
    return CannotListen(name, ErrorKind::kInvalid,
                        "it is no stream socket that listens; pass one that does");
  }
  fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  const int number = fd.get();
  std::unique_ptr<StreamListener> listener(
      new StreamListener(loop, options, std::move(fd), OwnName(number)));
  const int error = loop.Add(*listener, number);
  if (error != 0) return SystemError(name, error);
  return std::unique_ptr<async::Listener>(std::move(listener));
}

StreamListener::~StreamListener() {
  CHECK(accept_ == nullptr);
  loop_.Remove(*this);
  if (!own_path_.empty() && SocketFileAt(own_path_) == own_file_) unlink(own_path_.c_str());
}

void StreamListener::Accept(SocketAccept& accept) {
  CHECK(accept_ == nullptr);
  accept.outcome = SocketOutcome::kPending;
  accept.why.clear();
  accept_ = &accept;
  loop_.BeginWait();
  if (loop_.Now() < resting_until_) {
    loop_.Arm(*this, resting_until_);
  } else if (acceptable_) {
    TryAccept();
  }
}

void StreamListener::Cancel(SocketAccept& accept) {
  if (accept_ == &accept) End(SocketOutcome::kCancelled);
}

void StreamListener::HandleReady(Readiness) {
  acceptable_ = true;
  if (accept_ != nullptr && !armed()) TryAccept();
}

void StreamListener::HandleTimer() {
  TryAccept();
}

void StreamListener::TryAccept() {
  constexpr int kTriesMax = 16;  // then a passing error does not pass
  for (int tries = 0;; ++tries) {
    Endpoint peer;
    FileDescriptor fd(accept4(fd_.get(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd && Take(std::move(fd), peer)) return;
    const int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK) {
      acceptable_ = false;
      return;
    }
    if (!IsPassing(error) || tries == kTriesMax) return HandleShortage(error);
  }
}

bool StreamListener::Take(FileDescriptor fd, const Endpoint& peer) {
  ConfigureSocket(fd.get(), options_);
  // Clients of a unix socket have no name of their own.
  auto socket =
      StreamSocket::Open(loop_, std::move(fd), peer.family() == AF_UNIX ? address_ : NameOf(peer));
  if (!socket) {
    errno = socket.error();
    return false;
  }
  accept_->socket = std::move(*socket);
  short_ = false;
  End(SocketOutcome::kOk);
  return true;
}

void StreamListener::HandleShortage(int error) {
  resting_until_ = loop_.Now() + options_.accept_pause;
  if (std::exchange(short_, true)) return loop_.Arm(*this, resting_until_);
  const bool descriptors = error == EMFILE || error == ENFILE;
  accept_->why =
      Printable("cannot accept connections at " + address_ + " for now: " +
                (descriptors ? "too many open files; close some, or raise the limit with: ulimit -n"
                             : ErrorText(error)));
  End(SocketOutcome::kFault);
}

void StreamListener::End(SocketOutcome outcome) {
  SocketAccept& accept = *std::exchange(accept_, nullptr);
  loop_.Disarm(*this);
  loop_.EndWait();
  accept.outcome = outcome;
  loop_.Post(accept);
}

}  // namespace usbtwin::os
