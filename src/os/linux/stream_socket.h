// One end of a connection, TCP or unix. Calls are tried at once and wait for readiness only when
// the kernel has nothing (more) to give or no room (left): an exchange of request and reply costs
// one recv, one sendmsg and one wait on each side. A read that came back short has emptied the
// kernel's buffer, so the next one waits without asking; epoll tells of every byte that comes
// afterwards. (A peer that sends urgent data or descriptors, which no protocol here has, delays
// what follows them until it sends more: its own loss.) That a socket can be written is asked for
// only while a write waits, since unix sockets would tell it after each read of the peer. The
// descriptor need not be non-blocking.
#pragma once

#include <memory>
#include <string>

#include "async/socket.h"
#include "os/linux/loop.h"

namespace usbtwin::os {

struct SocketsOptions {
  // A silent TCP peer is asked after `keep_alive_idle`, then at each interval; after so many asks
  // without an answer the connection breaks: within 45 seconds. Whole seconds.
  Duration keep_alive_idle = std::chrono::seconds(30);
  Duration keep_alive_interval = std::chrono::seconds(5);
  int keep_alive_count = 3;
  // So long may bytes be under way without an acknowledgement. Whole milliseconds.
  Duration user_timeout = std::chrono::seconds(45);
  Duration connect_timeout = std::chrono::seconds(20);  // for each address of a name
  // Bytes a unix socket may hold in each direction, as far as the system allows it
  // (net.core.wmem_max). Its default of 208 KiB makes a transfer of 1 MiB take five turns on both
  // sides. TCP finds the length itself.
  int unix_buffer_length = 4 << 20;
  uint32_t unix_mode = 0600;  // of socket files: who may connect
  int backlog = 128;          // connections not yet accepted
  // For want of descriptors or memory, accepting rests so long before it tries again.
  Duration accept_pause = std::chrono::milliseconds(500);
};

// The defaults for a peer that counts as gone after so long: whole seconds, 5 to 32767.
SocketsOptions SocketsOptionsOf(Duration keep_alive_time);

// No delay and keep-alive for TCP, buffers for unix sockets. What the system refuses is left as is.
void ConfigureSocket(int fd, const SocketsOptions& options);

class StreamSocket final : public async::Socket, private Watch {
 public:
  // A connected and configured stream socket. The error is errno: descriptors that can be watched
  // are bounded.
  static Result<std::unique_ptr<async::Socket>, int> Open(Loop& loop, FileDescriptor fd,
                                                          std::string peer);
  ~StreamSocket() override;
  // Gives the descriptor away: of a socket of this class, with nothing under way. What arrived is
  // still in it.
  static FileDescriptor Release(std::unique_ptr<async::Socket> socket);

  void Read(async::SocketRead& read) override;
  void Write(async::SocketWrite& write) override;
  void Cancel(async::SocketRead& read) override;
  void Cancel(async::SocketWrite& write) override;
  void ShutDownWriting() override;
  const std::string& peer() const override { return peer_; }

 private:
  StreamSocket(Loop& loop, FileDescriptor fd, std::string peer)
      : loop_(loop), fd_(std::move(fd)), peer_(std::move(peer)) {}
  void HandleReady(Readiness ready) override;
  // kPending where it has to wait.
  async::SocketOutcome TryRead(async::SocketRead& read);
  async::SocketOutcome TryWrite(async::SocketWrite& write);
  async::SocketOutcome OutcomeOf(int error);
  void EndRead(async::SocketOutcome outcome);
  void EndWrite(async::SocketOutcome outcome);

  Loop& loop_;
  FileDescriptor fd_;
  const std::string peer_;
  async::SocketRead* read_ = nullptr;    // waits
  async::SocketWrite* write_ = nullptr;  // waits
  size_t piece_ = 0;                     // of write_: the first one not all taken,
  size_t piece_offset_ = 0;              // and how much of it was
  bool readable_ = true;                 // there may be something to read
  bool ended_ = false;                   // epoll has told all it ever will: always ask
  bool broken_ = false;                  // an end is no good end any more
  bool told_writable_ = false;           // epoll tells when there is room
  bool shut_down_ = false;
};

}  // namespace usbtwin::os
