#include "sim/pipes.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "sim/choosers.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT
using namespace std::chrono_literals;
using async::SocketOutcome;

namespace {

template <class Op>
struct Done final : usb::Sink<Op> {
  void OnDone(Op&, uint64_t) override { ++count; }
  int count = 0;
};

// A pair of ends and one operation of each kind.
struct Rig {
  explicit Rig(Chooser& chooser, PipesOptions options = {})
      : world(chooser), pipes(world, options) {
    std::tie(left, right) = pipes.MakePair();
  }
  // Both sides are at rest afterwards.
  ~Rig() {
    if (reading) right->Cancel(read);
    if (writing) left->Cancel(write);
    Run();
  }
  void Run() {
    while (world.Step()) {
    }
  }
  void Write(Bytes bytes) {
    piece = bytes;
    write.pieces = {&piece, 1};
    write.outcome = SocketOutcome::kPending;
    write.Push(written);
    left->Write(write);
    BOOST_TEST(write.outcome == SocketOutcome::kPending);  // never from inside
  }
  void Read(size_t length) {
    room.assign(length, 0);
    read.room = room;
    read.outcome = SocketOutcome::kPending;
    read.Push(done);
    right->Read(read);
    BOOST_TEST(read.outcome == SocketOutcome::kPending);
  }
  bool reading = false;
  bool writing = false;
  World world;
  Pipes pipes;
  std::unique_ptr<async::Socket> left, right;
  async::SocketRead read;
  async::SocketWrite write;
  Done<async::SocketRead> done;
  Done<async::SocketWrite> written;
  Bytes piece;
  std::vector<uint8_t> room;
};

}  // namespace

BOOST_TEST_DONT_PRINT_LOG_VALUE(SocketOutcome)

BOOST_AUTO_TEST_SUITE(pipes)

BOOST_AUTO_TEST_CASE(bytes_arrive_in_order_however_they_are_split) {
  std::vector<uint8_t> sent(1000);
  for (size_t index = 0; index < sent.size(); ++index) sent[index] = static_cast<uint8_t>(index);
  std::set<size_t> lengths;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Seeded chooser(seed);
    Rig rig(chooser, {.buffer_length = 64, .delay_max = 1ms});
    std::vector<uint8_t> received;
    rig.Write(sent);
    while (received.size() < sent.size()) {
      rig.Read(100);
      while (rig.read.outcome == SocketOutcome::kPending) BOOST_REQUIRE(rig.world.Step());
      BOOST_REQUIRE(rig.read.outcome == SocketOutcome::kOk);
      BOOST_REQUIRE(rig.read.length_actual >= 1);
      lengths.insert(rig.read.length_actual);
      received.insert(received.end(), rig.room.begin(),
                      rig.room.begin() + static_cast<std::ptrdiff_t>(rig.read.length_actual));
    }
    rig.Run();
    BOOST_TEST(received == sent);
    BOOST_TEST(rig.write.outcome == SocketOutcome::kOk);
    BOOST_TEST(rig.write.length_actual == sent.size());
    BOOST_TEST(rig.world.Now().ns > 0);
  }
  BOOST_TEST(lengths.size() > 20u);
}

BOOST_AUTO_TEST_CASE(every_split_of_three_bytes_happens) {
  constexpr auto kBytes = "010203"_hex;
  std::set<std::string> splits;
  Exhaustive chooser;
  do {
    Rig rig(chooser);
    rig.Write(kBytes);
    std::string split;
    for (size_t length = 0; length < 3; length += rig.read.length_actual) {
      rig.Read(3);
      rig.Run();
      split += std::to_string(rig.read.length_actual);
    }
    splits.insert(split);
  } while (chooser.Next());
  BOOST_TEST(splits == (std::set<std::string>{"111", "12", "21", "3"}));
}

BOOST_AUTO_TEST_CASE(a_full_buffer_makes_the_writer_wait) {
  Seeded chooser(1);
  Rig rig(chooser, {.buffer_length = 10, .split = false});
  const std::vector<uint8_t> sent(15, 7);
  rig.Write(sent);
  rig.Run();
  BOOST_TEST(rig.written.count == 0);
  rig.Read(10);
  rig.Run();
  BOOST_TEST(rig.written.count == 1);
  BOOST_TEST(rig.read.length_actual == 10u);
}

BOOST_AUTO_TEST_CASE(what_was_written_is_read_before_the_end) {
  Seeded chooser(1);
  Rig rig(chooser, {.split = false});
  constexpr auto kBytes = "0102"_hex;
  rig.Write(kBytes);
  rig.Run();
  rig.left->ShutDownWriting();
  rig.Read(5);
  rig.Run();
  BOOST_TEST(rig.read.length_actual == 2u);
  rig.Read(5);
  rig.Run();
  BOOST_TEST(rig.read.outcome == SocketOutcome::kEnd);
}

BOOST_AUTO_TEST_CASE(a_read_can_be_cancelled_and_completes_once) {
  Seeded chooser(1);
  Rig rig(chooser);
  rig.Read(5);
  rig.Run();
  BOOST_TEST(rig.done.count == 0);
  rig.right->Cancel(rig.read);
  BOOST_TEST(rig.done.count == 0);
  rig.Run();
  BOOST_TEST(rig.done.count == 1);
  BOOST_TEST(rig.read.outcome == SocketOutcome::kCancelled);
}

BOOST_AUTO_TEST_CASE(a_peer_that_closes_with_bytes_unread_resets_the_connection) {
  Seeded chooser(1);
  Rig rig(chooser);
  constexpr auto kBytes = "0102"_hex;
  rig.Write(kBytes);
  rig.Run();
  rig.right.reset();
  rig.Write(kBytes);
  rig.Run();
  BOOST_TEST(rig.write.outcome == SocketOutcome::kReset);
}

BOOST_AUTO_TEST_CASE(connections_break_and_go_silent_where_the_options_say_so) {
  int resets = 0;
  int silences = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Seeded chooser(seed);
    Rig rig(chooser, {.reset_one_in = 8, .silence_one_in = 8, .keep_alive = {}});
    constexpr auto kBytes = "01"_hex;
    rig.Write(kBytes);
    rig.Read(1);
    rig.Run();
    resets += rig.read.outcome == SocketOutcome::kReset;
    silences += rig.read.outcome == SocketOutcome::kPending;
    rig.reading = rig.read.outcome == SocketOutcome::kPending;
  }
  BOOST_TEST(resets > 10);
  BOOST_TEST(silences > 10);
}

BOOST_AUTO_TEST_CASE(a_silent_connection_breaks_when_nobody_answers_for_a_while) {
  Seeded chooser(1);
  Rig rig(chooser, {.silence_one_in = 1, .keep_alive = 45s});
  constexpr auto kBytes = "01"_hex;
  rig.Write(kBytes);
  rig.Read(1);
  BOOST_TEST(rig.pipes.counts().silenced != 0u);
  BOOST_TEST(!rig.pipes.sound());
  while (rig.read.outcome == SocketOutcome::kPending) BOOST_REQUIRE(rig.world.Step());
  BOOST_TEST(rig.read.outcome == SocketOutcome::kReset);
  BOOST_TEST(rig.world.Now().ns == Duration(45s).count());
  BOOST_TEST(rig.write.outcome == SocketOutcome::kOk);  // the buffer took it, and told nobody
  rig.left.reset();
  rig.right.reset();
  BOOST_TEST(rig.pipes.sound());
}

BOOST_AUTO_TEST_CASE(a_silent_peer_that_closes_is_not_heard_of) {
  Seeded chooser(1);
  Rig rig(chooser, {.silence_one_in = 1, .keep_alive = 45s});
  rig.Read(1);
  rig.left.reset();
  while (rig.read.outcome == SocketOutcome::kPending) BOOST_REQUIRE(rig.world.Step());
  BOOST_TEST(rig.read.outcome == SocketOutcome::kReset);
  BOOST_TEST(rig.world.Now().ns == Duration(45s).count());
}

BOOST_AUTO_TEST_CASE(when_it_is_calm_nothing_breaks) {
  Seeded chooser(1);
  Rig rig(chooser, {.split = false, .reset_one_in = 1, .silence_one_in = 1});
  rig.pipes.Calm();
  constexpr auto kBytes = "01"_hex;
  rig.Write(kBytes);
  rig.Read(1);
  rig.Run();
  BOOST_TEST(rig.read.outcome == SocketOutcome::kOk);
  BOOST_TEST(rig.pipes.counts().broken == 0u);
  BOOST_TEST(rig.pipes.sound());
}

BOOST_AUTO_TEST_CASE(a_listener_accepts_and_nobody_else_answers) {
  Seeded chooser(1);
  World world(chooser);
  Pipes pipes(world, {});
  Done<async::SocketConnect> connected;
  Done<async::SocketAccept> accepted;
  async::SocketConnect connect;
  connect.address = "localhost:3240";
  connect.Push(connected);
  pipes.Connect(connect);
  while (world.Step()) {
  }
  BOOST_TEST(connect.outcome == SocketOutcome::kRefused);
  {
    auto listener = pipes.Listen("localhost:3240");
    BOOST_REQUIRE(listener.has_value());
    BOOST_TEST(!pipes.Listen("localhost:3240").has_value());
    async::SocketAccept accept;
    accept.Push(accepted);
    (*listener)->Accept(accept);
    connect.Push(connected);
    pipes.Connect(connect);
    while (world.Step()) {
    }
    BOOST_TEST(connect.outcome == SocketOutcome::kOk);
    BOOST_TEST(accept.outcome == SocketOutcome::kOk);
    BOOST_TEST(connect.socket->peer() == "localhost:3240");
    connect.socket.reset();
    accept.socket.reset();
  }
}

BOOST_AUTO_TEST_SUITE_END()
