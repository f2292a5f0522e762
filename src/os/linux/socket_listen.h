// Listening sockets: opened at an address, or taken over from who opened them. A listener owns the
// socket file it made, and removes that one when it closes. Where the process runs out of
// descriptors it tells so once and rests, since the connection that waits would wake it for ever.
#pragma once

#include <string>

#include "async/socket.h"
#include "os/linux/socket_address.h"
#include "os/linux/stream_socket.h"

namespace usbtwin::os {

// A file in the file system, whatever its name is by then.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

class StreamListener final : public async::Listener, private Watch, private Timer {
 public:
  static Result<std::unique_ptr<async::Listener>, async::SocketError> Open(
      Loop& loop, const SocketsOptions& options, const std::string& address);
  // A listening stream socket of another maker. Its file, if it has one, stays when it is closed.
  static Result<std::unique_ptr<async::Listener>, async::SocketError> Adopt(
      Loop& loop, const SocketsOptions& options, FileDescriptor fd);
  ~StreamListener() override;

  void Accept(async::SocketAccept& accept) override;
  void Cancel(async::SocketAccept& accept) override;
  const std::string& address() const override { return address_; }

 private:
  StreamListener(Loop& loop, const SocketsOptions& options, FileDescriptor fd, std::string address)
      : loop_(loop), options_(options), fd_(std::move(fd)), address_(std::move(address)) {}
  void HandleReady(Readiness ready) override;
  void HandleTimer() override;
  void TryAccept();
  // Lets the connection in. False, with errno, where that cannot be.
  bool Take(FileDescriptor fd, const Endpoint& peer);
  void HandleShortage(int error);
  void End(async::SocketOutcome outcome);

  Loop& loop_;
  const SocketsOptions& options_;
  const FileDescriptor fd_;
  const std::string address_;
  std::string own_path_;  // of the file that goes with it
  FileIdentity own_file_;
  async::SocketAccept* accept_ = nullptr;
  bool acceptable_ = true;  // somebody may wait to be let in
  bool short_ = false;      // the shortage was told
  TimePoint resting_until_{INT64_MIN};
};

}  // namespace usbtwin::os
