// The same sockets three times: of a simulated world, over unix sockets and over TCP. A rig runs
// its loop, names addresses, and knows how much is more than any buffer holds. And operations that
// count how often they were done.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "async/socket.h"
#include "os/linux/sockets.h"
#include "sim/choosers.h"
#include "sim/pipes.h"
#include "tests/os/temp_dir.h"

namespace usbtwin::tests {

template <class Op>
struct Tracked final : usb::Sink<Op> {
  Op& Pushed() {
    op.Push(*this);
    return op;
  }
  void OnDone(Op&, uint64_t) override {
    ++done;
    if (then) then();
  }
  Op op;
  int done = 0;
  std::function<void()> then;
};

struct Reading {
  // Never from inside: it is pending when the call returns.
  void Start(async::Socket& socket, size_t length) {
    room.assign(length, 0xa5);
    read.op.room = room;
    socket.Read(read.Pushed());
    BOOST_TEST(read.done == 0);
  }
  std::vector<uint8_t> bytes() const {
    return {room.begin(), room.begin() + static_cast<std::ptrdiff_t>(read.op.length_actual)};
  }
  Tracked<async::SocketRead> read;
  std::vector<uint8_t> room;
};

struct Writing {
  void Start(async::Socket& socket, std::vector<Bytes> pieces_in) {
    pieces = std::move(pieces_in);
    write.op.pieces = pieces;
    socket.Write(write.Pushed());
    BOOST_TEST(write.done == 0);
  }
  Tracked<async::SocketWrite> write;
  std::vector<Bytes> pieces;
};

class SimRig {
 public:
  static constexpr size_t kMuch = 1 << 20;
  async::SocketProvider& provider() { return pipes_; }
  bool RunUntil(const std::function<bool()>& done) {
    return world_.RunUntil(done, 10'000'000).has_value();
  }
  // Until nothing happens any more.
  void Settle() {
    while (world_.Step()) {
    }
  }
  std::string ListenAddress() const { return "server:3240"; }
  std::string NobodysAddress() const { return "nobody:3240"; }

 private:
  sim::Seeded chooser_{7};
  sim::World world_{chooser_};
  sim::Pipes pipes_{world_, {.delay_max = std::chrono::milliseconds(1)}};
};

class RealRig {
 public:
  static constexpr size_t kMuch = 48 << 20;
  os::Sockets& provider() { return sockets_; }
  os::Loop& loop() { return loop_; }
  bool RunUntil(const std::function<bool()>& done) {
    Alarm alarm;
    loop_.Arm(alarm, loop_.Now() + std::chrono::seconds(30));
    const bool reached = loop_.RunUntil([&] { return alarm.rang || done(); }) && !alarm.rang;
    loop_.Disarm(alarm);
    return reached;
  }
  // Long enough for what happens at once on a machine with time.
  void Settle() {
    Alarm alarm;
    loop_.Arm(alarm, loop_.Now() + std::chrono::milliseconds(20));
    BOOST_TEST(loop_.RunUntil([&] { return alarm.rang; }));
  }

 protected:
  explicit RealRig(os::SocketsOptions options = {}) : sockets_(loop_, options) {}

 private:
  struct Alarm final : Timer {
    void HandleTimer() override { rang = true; }
    bool rang = false;
  };
  os::Loop loop_;
  os::Sockets sockets_;
};

// The outcome and why of one connect.
inline std::pair<async::SocketOutcome, std::string> Connect(RealRig& rig,
                                                            const std::string& address) {
  Tracked<async::SocketConnect> connect;
  connect.op.address = address;
  rig.provider().Connect(connect.Pushed());
  BOOST_TEST(connect.done == 0);
  BOOST_REQUIRE(rig.RunUntil([&] { return connect.done == 1; }));
  return {connect.op.outcome, connect.op.why};
}

inline bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class UnixRig : public RealRig {
 public:
  explicit UnixRig(os::SocketsOptions options = {}) : RealRig(options) {}
  std::string ListenAddress() const { return "unix:" + dir.path("server"); }
  std::string NobodysAddress() const { return "unix:" + dir.path("nobody"); }
  TempDir dir;
};

class TcpRig : public RealRig {
 public:
  explicit TcpRig(os::SocketsOptions options = {}) : RealRig(options) {}
  std::string ListenAddress() const { return "127.0.0.1:0"; }
  // A port that was somebody's a moment ago.
  std::string NobodysAddress() {
    const auto listener = provider().Listen("127.0.0.1:0");
    BOOST_REQUIRE(listener.has_value());
    return (*listener)->address();
  }
};

// A connection that was accepted, and its listener.
template <class Rig>
struct Connection {
  Connection() {
    auto opened = rig.provider().Listen(rig.ListenAddress());
    BOOST_REQUIRE(opened.has_value());
    listener = std::move(*opened);
    std::tie(client, server) = Connect();
  }
  std::pair<std::unique_ptr<async::Socket>, std::unique_ptr<async::Socket>> Connect() {
    Tracked<async::SocketAccept> accept;
    Tracked<async::SocketConnect> connect;
    listener->Accept(accept.Pushed());
    connect.op.address = listener->address();
    rig.provider().Connect(connect.Pushed());
    BOOST_TEST(accept.done + connect.done == 0);
    BOOST_REQUIRE(rig.RunUntil([&] { return accept.done + connect.done == 2; }));
    BOOST_REQUIRE(connect.op.outcome == async::SocketOutcome::kOk);
    BOOST_REQUIRE(accept.op.outcome == async::SocketOutcome::kOk);
    return {std::move(connect.op.socket), std::move(accept.op.socket)};
  }
  // A read of up to `length` bytes; its outcome.
  async::SocketOutcome Read(async::Socket& socket, Reading& reading, size_t length) {
    reading.read.done = 0;
    reading.Start(socket, length);
    BOOST_REQUIRE(rig.RunUntil([&] { return reading.read.done != 0; }));
    return reading.read.op.outcome;
  }
  async::SocketOutcome Write(async::Socket& socket, Bytes bytes) {
    Writing writing;
    writing.Start(socket, {bytes});
    BOOST_REQUIRE(rig.RunUntil([&] { return writing.write.done != 0; }));
    return writing.write.op.outcome;
  }
  // Everything up to `length` bytes, in reads of at most `at_most`.
  std::vector<uint8_t> ReadAll(async::Socket& socket, size_t length, size_t at_most) {
    std::vector<uint8_t> all;
    Reading reading;
    while (all.size() < length) {
      const async::SocketOutcome outcome = Read(socket, reading, at_most);
      BOOST_REQUIRE(outcome == async::SocketOutcome::kOk);
      const std::vector<uint8_t> bytes = reading.bytes();
      BOOST_REQUIRE(!bytes.empty());
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return all;
  }

  Rig rig;
  std::unique_ptr<async::Listener> listener;
  std::unique_ptr<async::Socket> client, server;
};

}  // namespace usbtwin::tests

BOOST_TEST_DONT_PRINT_LOG_VALUE(usbtwin::async::SocketOutcome)
BOOST_TEST_DONT_PRINT_LOG_VALUE(usbtwin::ErrorKind)
