#include "os/linux/stream_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace usbtwin::os {

using async::SocketOutcome;
using async::SocketRead;
using async::SocketWrite;

namespace {

bool Set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

int Seconds(Duration time) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

// Beyond the system's limit where we may.
void SetBuffer(int fd, int forced_name, int name, int length) {
  if (!Set(fd, SOL_SOCKET, forced_name, length)) Set(fd, SOL_SOCKET, name, length);
}

}  // namespace

SocketsOptions SocketsOptionsOf(Duration keep_alive_time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(keep_alive_time);
  SocketsOptions options;
  options.keep_alive_interval = std::max(seconds / 9, std::chrono::seconds(1));
  options.keep_alive_idle = seconds - options.keep_alive_count * options.keep_alive_interval;
  options.user_timeout = seconds;
  return options;
}

void ConfigureSocket(int fd, const SocketsOptions& options) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) return;
  if (family == AF_UNIX) {
    SetBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.unix_buffer_length);
    SetBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.unix_buffer_length);
    return;
  }
  const auto user_timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.user_timeout);
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(fd, IPPROTO_TCP, TCP_KEEPIDLE, Seconds(options.keep_alive_idle));
  Set(fd, IPPROTO_TCP, TCP_KEEPINTVL, Seconds(options.keep_alive_interval));
  Set(fd, IPPROTO_TCP, TCP_KEEPCNT, options.keep_alive_count);
  Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(user_timeout.count()));
}

Result<std::unique_ptr<async::Socket>, int> StreamSocket::Open(Loop& loop, FileDescriptor fd,
                                                               std::string peer) {
  std::unique_ptr<StreamSocket> socket(new StreamSocket(loop, std::move(fd), std::move(peer)));
  const int error = loop.Add(*socket, socket->fd_.get());
  if (error != 0) return error;
  return std::unique_ptr<async::Socket>(std::move(socket));
}

StreamSocket::~StreamSocket() {
  CHECK(read_ == nullptr);
  CHECK(write_ == nullptr);
  loop_.Remove(*this);
}

FileDescriptor StreamSocket::Release(std::unique_ptr<async::Socket> socket) {
  auto* own = dynamic_cast<StreamSocket*>(socket.get());
  CHECK(own != nullptr);
  CHECK(own->read_ == nullptr);
  CHECK(own->write_ == nullptr);
  own->loop_.Remove(*own);
  return std::move(own->fd_);
}

void StreamSocket::Read(SocketRead& read) {
  CHECK(read_ == nullptr);
  CHECK(!read.room.empty());
  read.outcome = SocketOutcome::kPending;
  read.length_actual = 0;
  read_ = &read;
  loop_.BeginWait();
  const SocketOutcome outcome = readable_ || ended_ ? TryRead(read) : SocketOutcome::kPending;
  if (outcome != SocketOutcome::kPending) EndRead(outcome);
}

void StreamSocket::Write(SocketWrite& write) {
  CHECK(write_ == nullptr);
  CHECK(!shut_down_);
  write.outcome = SocketOutcome::kPending;
  write.length_actual = 0;
  write_ = &write;
  piece_ = 0;
  piece_offset_ = 0;
  loop_.BeginWait();
  const SocketOutcome outcome = TryWrite(write);
  if (outcome != SocketOutcome::kPending) return EndWrite(outcome);
  if (told_writable_) return;
  told_writable_ = true;
  loop_.WantWritable(*this, true);
}

void StreamSocket::Cancel(SocketRead& read) {
  if (read_ == &read) EndRead(SocketOutcome::kCancelled);
}

void StreamSocket::Cancel(SocketWrite& write) {
  if (write_ == &write) EndWrite(SocketOutcome::kCancelled);
}

void StreamSocket::ShutDownWriting() {
  CHECK(write_ == nullptr);
  shut_down_ = true;
  shutdown(fd_.get(), SHUT_WR);  // fails only where the connection broke, which reading tells
}

void StreamSocket::HandleReady(Readiness ready) {
  if (ready.ended) ended_ = true;
  if (ready.readable || ready.ended) {
    readable_ = true;
    if (read_ != nullptr) {
      const SocketOutcome outcome = TryRead(*read_);
      if (outcome != SocketOutcome::kPending) EndRead(outcome);
    }
  }
  if (!ready.writable) return;
  if (write_ != nullptr) {
    const SocketOutcome outcome = TryWrite(*write_);
    if (outcome != SocketOutcome::kPending) EndWrite(outcome);
  } else if (told_writable_) {
    // Nobody waits any more. While writes wait one after the other, it stays on.
    told_writable_ = false;
    loop_.WantWritable(*this, false);
  }
}

SocketOutcome StreamSocket::TryRead(SocketRead& read) {
  while (true) {
    const ssize_t length = recv(fd_.get(), read.room.data(), read.room.size(), MSG_DONTWAIT);
    if (length > 0) {
      read.length_actual = static_cast<size_t>(length);
      readable_ = read.length_actual == read.room.size();
      return SocketOutcome::kOk;
    }
    if (length == 0) {
      ended_ = true;
      return broken_ ? SocketOutcome::kReset : SocketOutcome::kEnd;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return OutcomeOf(errno);
    readable_ = false;
    return SocketOutcome::kPending;
  }
}

SocketOutcome StreamSocket::TryWrite(SocketWrite& write) {
  std::array<iovec, IOV_MAX> vectors;
  while (true) {
    size_t offered = 0;
    size_t count = 0;
    const bool asks = write.source != nullptr;
    const auto pieces =
        asks ? write.source->PiecesFrom(write.length_actual) : write.pieces.subspan(piece_);
    size_t offset = asks ? 0 : piece_offset_;
    for (size_t index = 0; index < pieces.size() && count < vectors.size(); ++index) {
      const Bytes piece = pieces[index].subspan(std::exchange(offset, 0));
      if (piece.empty()) continue;
      vectors[count++] = {.iov_base = const_cast<uint8_t*>(piece.data()), .iov_len = piece.size()};
      offered += piece.size();
    }
    if (offered == 0) return SocketOutcome::kOk;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return SocketOutcome::kPending;
      return OutcomeOf(errno);
    }
    size_t left = static_cast<size_t>(sent);
    write.length_actual += left;
    while (!asks && piece_ < write.pieces.size()) {
      const size_t rest = write.pieces[piece_].size() - piece_offset_;
      if (left < rest) break;
      left -= rest;
      piece_offset_ = 0;
      ++piece_;
    }
    piece_offset_ += left;
    if (static_cast<size_t>(sent) < offered) return SocketOutcome::kPending;
  }
}

// Of an established connection. A peer that stopped answering may show as what the network said
// last about the way to it.
SocketOutcome StreamSocket::OutcomeOf(int error) {
  switch (error) {
    case EPIPE: return SocketOutcome::kReset;  // what the peer wrote before can still be read
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN: broken_ = true; return SocketOutcome::kReset;
    default: broken_ = true; return SocketOutcome::kFault;
  }
}

void StreamSocket::EndRead(SocketOutcome outcome) {
  SocketRead& read = *std::exchange(read_, nullptr);
  read.outcome = outcome;
  loop_.EndWait();
  loop_.Post(read);
}

void StreamSocket::EndWrite(SocketOutcome outcome) {
  SocketWrite& write = *std::exchange(write_, nullptr);
  write.outcome = outcome;
  loop_.EndWait();
  loop_.Post(write);
}

}  // namespace usbtwin::os
