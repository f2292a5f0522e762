#include "os/linux/stream_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/test/data/test_case.hpp>

#include "tests/os/socket_calls.h"
#include "tests/os/socket_rigs.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::os;     // NOLINT
using namespace usbtwin::tests;  // NOLINT
using async::SocketOutcome;
using std::chrono::milliseconds;
namespace data = boost::unit_test::data;

namespace {

constexpr auto kThree = "010203"_hex;

// Sends what it reads back, or asks again, for a number of rounds.
class Player {
 public:
  Player(async::Socket& socket, int rounds, bool serves)
      : socket_(socket), rounds_(rounds), serves_(serves) {
    reading_.read.then = [this] {
      ++played_;
      if (played_ < rounds_) Read();
      if (played_ < rounds_ || serves_) Write();
    };
    if (!serves) Write();
    Read();
  }
  bool finished() const { return played_ == rounds_ && writing_.write.done == rounds_; }

 private:
  void Read() {
    reading_.room.assign(64, 0xa5);
    reading_.read.op.room = reading_.room;
    socket_.Read(reading_.read.Pushed());
  }
  void Write() {
    writing_.pieces = {kThree, kThree};
    writing_.write.op.pieces = writing_.pieces;
    socket_.Write(writing_.write.Pushed());
  }
  async::Socket& socket_;
  const int rounds_;
  const bool serves_;
  int played_ = 0;
  Reading reading_;
  Writing writing_;
};

template <class Rig>
void PlayPingPong() {
  constexpr int kRounds = 1000;
  Connection<Rig> connection;
  call_counts.Reset();
  Player server(*connection.server, kRounds, true);
  Player client(*connection.client, kRounds, false);
  BOOST_TEST(connection.rig.RunUntil([&] { return server.finished() && client.finished(); }));
  // The first read of a new socket has to ask.
  BOOST_TEST(call_counts.receives <= 2 * kRounds + 2);
  BOOST_TEST(call_counts.sends == 2 * kRounds);
  BOOST_TEST(call_counts.waits <= 2 * kRounds + 2);
  BOOST_TEST(call_counts.controls == 0);
}

int Option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  BOOST_TEST(getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

// Descriptors of this process that are ends of TCP connections.
std::vector<int> TcpConnections() {
  std::vector<int> found;
  for (int fd = 0; fd < 1024; ++fd) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0) continue;
    sockaddr_storage peer{};
    length = sizeof peer;
    void* const start = &peer;
    const bool connected = getpeername(fd, static_cast<sockaddr*>(start), &length) == 0;
    if (protocol == IPPROTO_TCP && connected) found.push_back(fd);
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_socket)

BOOST_AUTO_TEST_CASE(request_and_reply_cost_three_calls_a_side_over_unix_sockets) {
  PlayPingPong<UnixRig>();
}

BOOST_AUTO_TEST_CASE(request_and_reply_cost_three_calls_a_side_over_tcp) {
  PlayPingPong<TcpRig>();
}

BOOST_AUTO_TEST_CASE(idle_connections_cost_nothing) {
  Connection<UnixRig> connection;
  std::vector<std::pair<std::unique_ptr<async::Socket>, std::unique_ptr<async::Socket>>> pairs;
  for (int index = 0; index < 64; ++index) pairs.push_back(connection.Connect());
  std::vector<Reading> readings(64);
  for (size_t index = 0; index < 64; ++index) readings[index].Start(*pairs[index].second, 1);
  connection.rig.Settle();

  call_counts.Reset();
  for (int count = 0; count < 5; ++count) connection.rig.Settle();  // a timer each
  BOOST_TEST(call_counts.waits <= 10);
  BOOST_TEST(call_counts.receives == 0);

  for (size_t index = 0; index < 64; ++index) pairs[index].second->Cancel(readings[index].read.op);
  connection.rig.Settle();
}

BOOST_AUTO_TEST_CASE(bytes_that_nobody_reads_cost_nothing) {
  Connection<UnixRig> connection;
  connection.Write(*connection.client, kThree);
  connection.rig.Settle();
  call_counts.Reset();
  for (int count = 0; count < 5; ++count) connection.rig.Settle();
  BOOST_TEST(call_counts.waits <= 10);
}

BOOST_AUTO_TEST_CASE(after_a_long_write_readiness_for_writing_is_not_told_any_more) {
  Connection<UnixRig> connection;
  const std::vector<uint8_t> sent(UnixRig::kMuch, 7);
  Writing writing;
  writing.Start(*connection.client, {sent});
  connection.ReadAll(*connection.server, sent.size(), 1 << 20);
  BOOST_TEST(connection.rig.RunUntil([&] { return writing.write.done == 1; }));
  connection.rig.Settle();

  constexpr int kRounds = 1000;
  call_counts.Reset();
  Player server(*connection.server, kRounds, true);
  Player client(*connection.client, kRounds, false);
  BOOST_TEST(connection.rig.RunUntil([&] { return server.finished() && client.finished(); }));
  BOOST_TEST(call_counts.waits <= 2 * kRounds + 4);
  BOOST_TEST(call_counts.controls <= 1);
}

// A transfer of a mebibyte goes into the kernel as a whole.
BOOST_AUTO_TEST_CASE(unix_sockets_hold_a_long_transfer) {
  Connection<UnixRig> connection;
  const std::vector<uint8_t> sent(1 << 20, 7);
  call_counts.Reset();
  BOOST_TEST(connection.Write(*connection.client, sent) == SocketOutcome::kOk);
  if (call_counts.sends != 1) {
    BOOST_TEST_MESSAGE("SKIP: unix_sockets_hold_a_long_transfer: net.core.wmem_max is small here");
  }
}

BOOST_AUTO_TEST_CASE(tcp_does_not_delay_and_finds_out_about_dead_peers) {
  TcpRig rig;
  auto listener = rig.provider().Listen("127.0.0.1:0");
  BOOST_REQUIRE(listener.has_value());
  FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ConfigureSocket(fd.get(), {.keep_alive_idle = std::chrono::seconds(7),
                             .keep_alive_interval = std::chrono::seconds(2),
                             .keep_alive_count = 4,
                             .user_timeout = milliseconds(15500)});
  BOOST_TEST(Option(fd.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
  BOOST_TEST(Option(fd.get(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  BOOST_TEST(Option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 7);
  BOOST_TEST(Option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 2);
  BOOST_TEST(Option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT) == 4);
  BOOST_TEST(Option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT) == 15500);
}

BOOST_AUTO_TEST_CASE(a_time_for_dead_peers_is_silence_and_asks) {
  for (const int seconds : {5, 17, 45, 32767}) {
    const SocketsOptions options = SocketsOptionsOf(std::chrono::seconds(seconds));
    BOOST_TEST_CONTEXT(seconds) {
      BOOST_TEST((options.keep_alive_interval >= std::chrono::seconds(1)));
      BOOST_TEST((options.keep_alive_idle >= std::chrono::seconds(2)));
      BOOST_TEST(
          (options.keep_alive_idle + options.keep_alive_count * options.keep_alive_interval ==
           std::chrono::seconds(seconds)));
      BOOST_TEST((options.user_timeout == std::chrono::seconds(seconds)));
    }
  }
  const SocketsOptions options = SocketsOptionsOf(std::chrono::seconds(45));
  BOOST_TEST((options.keep_alive_idle == SocketsOptions().keep_alive_idle));
  BOOST_TEST((options.keep_alive_interval == SocketsOptions().keep_alive_interval));
}

// Not of a descriptor that was configured here, but of those that a connection has.
BOOST_DATA_TEST_CASE(both_ends_of_a_tcp_connection_find_out_about_dead_peers,
                     data::make({"127.0.0.1:0", "[::1]:0"}), address) {
  TcpRig rig({.keep_alive_idle = std::chrono::seconds(7),
              .keep_alive_interval = std::chrono::seconds(2),
              .keep_alive_count = 4,
              .user_timeout = milliseconds(15500)});
  auto listener = rig.provider().Listen(address);
  if (!listener && std::string_view(address).starts_with('[')) {
    BOOST_TEST_MESSAGE("SKIP: both_ends_of_a_tcp_connection: " << listener.error().text);
    return;
  }
  BOOST_REQUIRE(listener.has_value());
  BOOST_TEST(TcpConnections().empty());
  Tracked<async::SocketAccept> accept;
  Tracked<async::SocketConnect> connect;
  connect.op.address = (*listener)->address();
  (*listener)->Accept(accept.Pushed());
  rig.provider().Connect(connect.Pushed());
  BOOST_REQUIRE(rig.RunUntil([&] { return accept.done + connect.done == 2; }));
  BOOST_REQUIRE(accept.op.outcome == SocketOutcome::kOk);
  BOOST_REQUIRE(connect.op.outcome == SocketOutcome::kOk);

  const std::vector<int> ends = TcpConnections();
  BOOST_REQUIRE_EQUAL(ends.size(), 2u);
  for (const int end : ends) {
    BOOST_TEST(Option(end, IPPROTO_TCP, TCP_NODELAY) == 1);
    BOOST_TEST(Option(end, SOL_SOCKET, SO_KEEPALIVE) == 1);
    BOOST_TEST(Option(end, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
    BOOST_TEST(Option(end, IPPROTO_TCP, TCP_KEEPINTVL) == 2);
    BOOST_TEST(Option(end, IPPROTO_TCP, TCP_KEEPCNT) == 4);
    BOOST_TEST(Option(end, IPPROTO_TCP, TCP_USER_TIMEOUT) == 15500);
  }
}

BOOST_AUTO_TEST_CASE(an_adopted_descriptor_is_used_as_it_is) {
  UnixRig rig;
  int ends[2] = {-1, -1};
  BOOST_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const FileDescriptor other(ends[1]);
  {
    auto socket = rig.provider().Adopt(FileDescriptor(ends[0]));
    BOOST_REQUIRE(socket.has_value());
    BOOST_TEST((fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0);
    BOOST_TEST((fcntl(ends[0], F_GETFD) & FD_CLOEXEC) != 0);

    Reading reading;
    reading.Start(**socket, 10);  // and does not block
    rig.Settle();
    BOOST_TEST(reading.read.done == 0);
    BOOST_REQUIRE(write(other.get(), kThree.data(), 3) == 3);
    BOOST_TEST(rig.RunUntil([&] { return reading.read.done == 1; }));
    BOOST_TEST(reading.read.op.length_actual == 3u);
  }
  char byte = 0;
  BOOST_TEST(read(other.get(), &byte, 1) == 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_connected_stream_socket_is_not_adopted) {
  UnixRig rig;
  int ends[2] = {-1, -1};
  BOOST_REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  const FileDescriptor other(ends[1]);
  BOOST_TEST(!rig.provider().Adopt(FileDescriptor(ends[0])).has_value());
  FileDescriptor lonely(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  BOOST_TEST(!rig.provider().Adopt(std::move(lonely)).has_value());
  const auto file = rig.provider().Adopt(FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)));
  BOOST_REQUIRE(!file.has_value());
  BOOST_TEST(file.error().text.find("no connected stream socket") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_end_of_a_pair_is_given_away) {
  UnixRig rig;
  auto pair = rig.provider().MakePair();
  BOOST_REQUIRE(pair.has_value());
  auto& [kept, given] = *pair;
  BOOST_TEST((fcntl(given.get(), F_GETFL) & O_NONBLOCK) == 0);
  BOOST_REQUIRE(write(given.get(), kThree.data(), 3) == 3);
  Reading reading;
  reading.Start(*kept, 10);
  BOOST_TEST(rig.RunUntil([&] { return reading.read.done == 1; }));
  BOOST_TEST(reading.read.op.length_actual == 3u);
  given = FileDescriptor();
  reading.read.done = 0;
  reading.Start(*kept, 10);
  BOOST_TEST(rig.RunUntil([&] { return reading.read.done == 1; }));
}

// The kernel gets the connection of an import like this.
BOOST_AUTO_TEST_CASE(a_socket_is_given_away_with_what_is_in_it) {
  Connection<TcpRig> connection;
  BOOST_REQUIRE(connection.Write(*connection.server, kThree) == SocketOutcome::kOk);
  connection.rig.Settle();
  const FileDescriptor given = StreamSocket::Release(std::move(connection.client));
  std::array<uint8_t, 10> room{};
  BOOST_REQUIRE(read(given.get(), room.data(), room.size()) == 3);
  BOOST_TEST(Take(Bytes(room), 3) == kThree, boost::test_tools::per_element());

  // What comes now is nothing to the loop.
  call_counts.Reset();
  BOOST_REQUIRE(connection.Write(*connection.server, kThree) == SocketOutcome::kOk);
  connection.rig.Settle();
  BOOST_TEST(call_counts.receives == 0);
  BOOST_TEST(read(given.get(), room.data(), room.size()) == 3);
  BOOST_TEST(write(given.get(), kThree.data(), 3) == 3);
  Reading reading;
  reading.Start(*connection.server, 10);
  BOOST_TEST(connection.rig.RunUntil([&] { return reading.read.done == 1; }));
  BOOST_TEST(reading.read.op.length_actual == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
