// The sockets of this machine, as async/socket.h wants them. Addresses:
//   host:port, [IPv6]:port   TCP; to connect to, names are looked up on a thread of their own and
//                            all their addresses tried in turn. To listen at, an address as a
//                            number or "localhost"; port 0 is any free one, [::] takes IPv4 too
//   unix:/path               a socket file; one that nobody listens at any more is replaced
//   activated:0              to listen at: the first socket that whoever started this process has
//                            passed to it (LISTEN_PID, LISTEN_FDS); kNotFound beyond the last one
// The loop outlives the sockets, and these every socket and listener.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "async/socket.h"
#include "os/linux/socket_connect.h"
#include "os/linux/stream_socket.h"

namespace usbtwin::os {

class Sockets final : public async::SocketProvider, private ConnectorOwner {
 public:
  explicit Sockets(Loop& loop, SocketsOptions options = {});
  // No connect is under way. Waits for no resolver.
  ~Sockets();

  void Connect(async::SocketConnect& connect) override;
  void Cancel(async::SocketConnect& connect) override;
  Result<std::unique_ptr<async::Listener>, async::SocketError> Listen(
      const std::string& address) override;

  // A connected stream socket that somebody else opened. It stays as it is where it is shared: it
  // may be a blocking one.
  Result<std::unique_ptr<async::Socket>, async::SocketError> Adopt(FileDescriptor fd);
  Result<std::unique_ptr<async::Listener>, async::SocketError> AdoptListener(FileDescriptor fd);
  // A connection of which one end is given away, to the kernel for example: that one blocks.
  using Pair = std::pair<std::unique_ptr<async::Socket>, FileDescriptor>;
  Result<Pair, async::SocketError> MakePair();

 private:
  void Retire(Connector& connector) override;
  Result<std::unique_ptr<async::Listener>, async::SocketError> ListenActivated(
      const std::string& address);

  Loop& loop_;
  const SocketsOptions options_;
  Resolver resolver_;
  std::map<const Connector*, std::unique_ptr<Connector>> connectors_;
  std::set<int> activated_;  // descriptors that were taken
};

}  // namespace usbtwin::os
