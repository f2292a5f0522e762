// Pipes: the sockets of a simulated world. What one end writes the other reads, in pieces and at
// times that the Chooser decides; connections break, or go silent, where the options allow it. The
// systems at both ends ask silent peers whether they live, so that no connection stays silent for
// ever: both ends see it break.
//
// The invariant: nothing completes from inside a call, and a choice of 0 is what happens least.
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
  Duration keep_alive = std::chrono::seconds(45);  // until a silent one breaks; 0: never
};

// Of the whole life.
struct PipesCounts {
  uint64_t connections = 0;
  uint64_t broken = 0;
  uint64_t silenced = 0;
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

  // From now on no connection breaks or goes silent.
  void Calm() { calm_ = true; }
  const PipesCounts& counts() const { return counts_; }
  // Nobody holds an end of a connection that broke or went silent.
  bool sound() const { return unsound_count_ == 0; }

 private:
  class End;
  class SimListener;
  class Connection;

  bool Due(uint64_t& left, uint64_t one_in, std::string_view what);

  World& world_;
  const PipesOptions options_;
  PipesCounts counts_;
  uint64_t reset_left_ = 0;  // operations; 0: not drawn yet
  uint64_t silence_left_ = 0;
  size_t unsound_count_ = 0;
  bool calm_ = false;
  std::map<std::string, SimListener*> listeners_;
};

}  // namespace usbtwin::sim
