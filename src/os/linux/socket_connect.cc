#include "os/linux/socket_connect.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace usbtwin::os {

using async::SocketOutcome;

namespace {

constexpr int kWaits = -1;
constexpr Duration kFullPause = std::chrono::milliseconds(10);

SocketOutcome OutcomeOf(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT: return SocketOutcome::kRefused;
    case ETIMEDOUT:
    case ECONNRESET:
    case EPIPE: return SocketOutcome::kReset;
    default: return SocketOutcome::kFault;
  }
}

std::string Why(int error, bool is_unix) {
  switch (error) {
    case ECONNREFUSED: return "nobody listens there; start the server, or check the address";
    case ENOENT: return "there is no such socket; start the server, or check the path";
    case EACCES:
    case EPERM:
      return is_unix ? "permission denied; its owner decides who may connect, with chmod and chown"
                     : "permission denied; a firewall of this machine may forbid it";
    case ETIMEDOUT:
      return is_unix ? "the server does not accept connections at present; try again"
                     : "no answer; check that the machine is up and no firewall is in between";
    case EMFILE: return "too many open files; close some, or raise the limit with: ulimit -n";
    default: return ErrorText(error);
  }
}

// A port of the range that the system gives away, on this machine, with nobody there: TCP may have
// connected us to ourselves.
bool IsOwnEnd(int fd) {
  Endpoint own, peer;
  if (getsockname(fd, own.get(), &own.length) != 0) return false;
  if (getpeername(fd, peer.get(), &peer.length) != 0) return false;
  return own.family() != AF_UNIX && own.length == peer.length &&
         std::memcmp(own.get(), peer.get(), own.length) == 0;
}

}  // namespace

Connector::~Connector() {
  StopWaiting();
}

void Connector::Start(Resolver& resolver) {
  auto address = ParseAddress(connect_->address);
  if (!address) return Finish(SocketOutcome::kFault, address.error());
  address_ = std::move(*address);
  if (address_.is_unix) {
    endpoints_ = std::vector<Endpoint>{UnixEndpoint(address_)};
    return TryFirst();
  }
  endpoints_ = LookUp(address_, LookUpKind::kNumeric);
  if (endpoints_) return TryFirst();
  auto lookup = resolver.Start(address_, *this);
  if (!lookup) return Finish(SocketOutcome::kFault, lookup.error());
  lookup_ = std::move(*lookup);
}

void Connector::Cancel() {
  connect_->looking_up = lookup_ != nullptr;
  if (lookup_ == nullptr || lookup_->Abandon()) {
    return Finish(SocketOutcome::kCancelled, "cancelled");
  }
  async::SocketConnect& connect = *std::exchange(connect_, nullptr);
  connect.outcome = SocketOutcome::kCancelled;
  loop_.Post(connect);
}

void Connector::HandleAnswer(NameLookup::Answer answer) {
  lookup_.reset();
  if (connect_ == nullptr) return owner_.Retire(*this);
  endpoints_ = std::move(answer);
  if (!endpoints_) return Finish(SocketOutcome::kFault, endpoints_.error());
  TryFirst();
}

void Connector::TryFirst() {
  if (endpoints_->empty()) return Finish(SocketOutcome::kFault, "it has no address");
  give_up_at_ = loop_.Now() + options_.connect_timeout;
  Proceed(Try());
}

int Connector::Try() {
  const Endpoint& endpoint = (*endpoints_)[index_];
  if (!fd_) {
    fd_ = FileDescriptor(socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_) return errno;
    ConfigureSocket(fd_.get(), options_);
  }
  if (connect(fd_.get(), endpoint.get(), endpoint.length) == 0) return 0;
  full_ = errno == EAGAIN && address_.is_unix;
  if (!full_) {
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    const int error = loop_.Add(*this, fd_.get(), true);
    if (error != 0) return error;
  }
  waiting_ = true;
  loop_.BeginWait();
  loop_.Arm(*this, full_ ? std::min(give_up_at_, loop_.Now() + kFullPause) : give_up_at_);
  return kWaits;
}

void Connector::Proceed(int error) {
  while (error != kWaits) {
    if (error == 0 && IsOwnEnd(fd_.get())) error = ECONNREFUSED;
    if (error == 0) return Succeed();
    fd_ = FileDescriptor();
    const bool no_descriptors = error == EMFILE || error == ENFILE;
    if (index_ + 1 == endpoints_->size() || no_descriptors) {
      return Finish(OutcomeOf(error), Why(error, address_.is_unix));
    }
    ++index_;
    give_up_at_ = loop_.Now() + options_.connect_timeout;
    error = Try();
  }
}

void Connector::StopWaiting() {
  if (!std::exchange(waiting_, false)) return;
  loop_.EndWait();
  loop_.Remove(*this);
  loop_.Disarm(*this);
}

void Connector::HandleReady(Readiness ready) {
  if (!ready.writable && !ready.ended) return;
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  Endpoint peer;
  if (error == 0 && getpeername(fd_.get(), peer.get(), &peer.length) != 0) return;  // not yet
  StopWaiting();
  Proceed(error);
}

void Connector::HandleTimer() {
  StopWaiting();
  Proceed(full_ && loop_.Now() < give_up_at_ ? Try() : ETIMEDOUT);
}

void Connector::Succeed() {
  auto socket = StreamSocket::Open(loop_, std::move(fd_), NameOf((*endpoints_)[index_]));
  if (!socket) return Finish(SocketOutcome::kFault, ErrorText(socket.error()));
  connect_->socket = std::move(*socket);
  Finish(SocketOutcome::kOk, "");
}

void Connector::Finish(SocketOutcome outcome, std::string why) {
  StopWaiting();
  async::SocketConnect& connect = *std::exchange(connect_, nullptr);
  connect.outcome = outcome;
  if (!why.empty()) {
    const bool several = endpoints_.has_value() && endpoints_->size() > 1;
    connect.why = Printable("cannot connect to " + connect.address + ": " + why +
                            (several ? " (all its addresses were tried)" : ""));
  }
  loop_.Post(connect);
  owner_.Retire(*this);
}

}  // namespace usbtwin::os
