// One connect under way: has the name looked up, then tries the addresses one after the other, each
// without blocking and for a bounded time. Its owner drops it when it retires, and only then.
// Cancelled while the name's addresses are on their way, it lets its operation go at once and
// retires when they have come.
#pragma once

#include <vector>

#include "async/socket.h"
#include "os/linux/resolver.h"
#include "os/linux/stream_socket.h"

namespace usbtwin::os {

class Connector;

class ConnectorOwner {
 public:
  virtual void Retire(Connector& connector) = 0;  // and destroys it

 protected:
  ~ConnectorOwner() = default;
};

class Connector final : private NameLookup::Asker, private Watch, private Timer {
 public:
  Connector(Loop& loop, ConnectorOwner& owner, const SocketsOptions& options,
            async::SocketConnect& connect)
      : loop_(loop), owner_(owner), options_(options), connect_(&connect) {}
  ~Connector();

  // May retire at once.
  void Start(Resolver& resolver);
  void Cancel();
  const async::SocketConnect* operation() const { return connect_; }  // null once it was let go

 private:
  // NameLookup::Asker
  void HandleAnswer(NameLookup::Answer answer) override;
  // Watch
  void HandleReady(Readiness ready) override;
  // Timer
  void HandleTimer() override;

  void TryFirst();
  // Errno, 0 where it is connected, kWaits where that will be known later.
  int Try();
  // What came of the address at hand: goes on with the next one, or finishes.
  void Proceed(int error);
  void StopWaiting();
  void Succeed();
  void Finish(async::SocketOutcome outcome, std::string why);

  Loop& loop_;
  ConnectorOwner& owner_;
  const SocketsOptions& options_;
  async::SocketConnect* connect_;
  Address address_;
  std::shared_ptr<NameLookup> lookup_;  // while the name is being looked up
  Result<std::vector<Endpoint>, std::string> endpoints_ = std::string();
  size_t index_ = 0;
  FileDescriptor fd_;
  bool waiting_ = false;
  bool full_ = false;  // the other side's queue was; a unix socket does not tell when it has room
  TimePoint give_up_at_;
};

}  // namespace usbtwin::os
