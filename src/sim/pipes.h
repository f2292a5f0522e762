// Pipes: the sockets of a simulated world. What one end writes the other reads, in pieces and at
// times that the Chooser decides; connections break, or go silent, where the options allow it.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "async/socket.h"
#include "sim/world.h"

namespace usbtwin::sim {

struct PipesOptions {
  size_t buffer_length = 64 << 10;  // bytes on their way in one direction; then writers wait
  bool split = true;                // a read gets any number of the bytes that are there
  Duration delay_max{};             // of each piece on its way
  uint64_t reset_one_in = 0;        // on average each n-th operation breaks its connection
  uint64_t silence_one_in = 0;      // or makes it half-open: nothing arrives any more
};

class Pipes final : public async::SocketProvider {
 public:
  // The world outlives the pipes, and these every socket and listener.
  Pipes(World& world, PipesOptions options) : world_(world), options_(options) {}
  ~Pipes() override;

  void Connect(async::SocketConnect& connect) override;
  void Cancel(async::SocketConnect& connect) override;
  Result<std::unique_ptr<async::Listener>, async::SocketError> Listen(
      const std::string& address) override;
  // Both ends of a connection that nobody listened for.
  std::pair<std::unique_ptr<async::Socket>, std::unique_ptr<async::Socket>> MakePair();

 private:
  class End;
  class SimListener;
  struct Connection;

  World& world_;
  const PipesOptions options_;
  std::map<std::string, SimListener*> listeners_;
};

}  // namespace usbtwin::sim
