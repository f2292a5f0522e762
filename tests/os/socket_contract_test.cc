// What async/socket.h promises, of each provider there is.
#include <boost/mpl/list.hpp>
#include <numeric>

#include "tests/os/socket_rigs.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using async::SocketOutcome;

namespace {

using Rigs = boost::mpl::list<SimRig, UnixRig, TcpRig>;
constexpr auto kThree = "010203"_hex;

std::vector<uint8_t> Pattern(size_t length) {
  std::vector<uint8_t> bytes(length);
  uint32_t state = 1;
  for (uint8_t& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

std::vector<uint8_t> Copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(socket_contract)

BOOST_AUTO_TEST_CASE_TEMPLATE(what_one_end_writes_the_other_reads, Rig, Rigs) {
  Connection<Rig> connection;
  BOOST_TEST(connection.Write(*connection.client, kThree) == SocketOutcome::kOk);
  BOOST_TEST(connection.ReadAll(*connection.server, 3, 3) == Copy(kThree));
  BOOST_TEST(connection.Write(*connection.server, kThree) == SocketOutcome::kOk);
  BOOST_TEST(connection.ReadAll(*connection.client, 3, 100) == Copy(kThree));
  BOOST_TEST(connection.client->peer() == connection.listener->address());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(operations_complete_once_and_never_from_inside, Rig, Rigs) {
  Connection<Rig> connection;
  Writing writing;
  writing.Start(*connection.client, {kThree});
  BOOST_TEST(writing.write.done == 0);
  connection.rig.Settle();
  BOOST_TEST(writing.write.done == 1);
  BOOST_TEST(writing.write.op.length_actual == 3u);

  // Even where the bytes are there already.
  Reading reading;
  reading.Start(*connection.server, 1);
  BOOST_TEST(reading.read.done == 0);
  connection.rig.Settle();
  BOOST_TEST(reading.read.done == 1);
  BOOST_TEST(reading.bytes() == std::vector<uint8_t>{1});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_of_nothing_is_done, Rig, Rigs) {
  Connection<Rig> connection;
  BOOST_TEST(connection.Write(*connection.client, {}) == SocketOutcome::kOk);
  Writing writing;
  writing.Start(*connection.client, {});
  BOOST_TEST(connection.rig.RunUntil([&] { return writing.write.done == 1; }));
  BOOST_TEST(writing.write.op.outcome == SocketOutcome::kOk);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(where_nobody_listens_connecting_is_refused, Rig, Rigs) {
  Rig rig;
  Tracked<async::SocketConnect> connect;
  connect.op.address = rig.NobodysAddress();
  rig.provider().Connect(connect.Pushed());
  BOOST_TEST(connect.done == 0);
  BOOST_TEST(rig.RunUntil([&] { return connect.done == 1; }));
  rig.Settle();
  BOOST_TEST(connect.done == 1);
  BOOST_TEST(connect.op.outcome == SocketOutcome::kRefused);
  BOOST_TEST(connect.op.socket == nullptr);
  BOOST_TEST(connect.op.why.find(connect.op.address) != std::string::npos);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_address_has_one_listener, Rig, Rigs) {
  Rig rig;
  auto first = rig.provider().Listen(rig.ListenAddress());
  BOOST_REQUIRE(first.has_value());
  const std::string address = (*first)->address();
  const auto second = rig.provider().Listen(address);
  BOOST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error().kind == ErrorKind::kBusy);
  BOOST_TEST(second.error().text.find(address) != std::string::npos);

  first->reset();
  BOOST_TEST(rig.provider().Listen(address).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_read_is_cancelled_and_loses_nothing, Rig, Rigs) {
  Connection<Rig> connection;
  Reading reading;
  reading.Start(*connection.server, 10);
  connection.rig.Settle();
  BOOST_TEST(reading.read.done == 0);

  connection.server->Cancel(reading.read.op);
  BOOST_TEST(reading.read.done == 0);
  connection.server->Cancel(reading.read.op);
  connection.rig.Settle();
  BOOST_TEST(reading.read.done == 1);
  BOOST_TEST(reading.read.op.outcome == SocketOutcome::kCancelled);

  connection.Write(*connection.client, kThree);
  BOOST_TEST(connection.ReadAll(*connection.server, 3, 10) == Copy(kThree));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_completes_when_the_peer_has_read_enough, Rig, Rigs) {
  Connection<Rig> connection;
  const std::vector<uint8_t> sent = Pattern(Rig::kMuch);
  Writing writing;
  writing.Start(*connection.client, {sent});
  connection.rig.Settle();
  BOOST_TEST(writing.write.done == 0);

  BOOST_TEST((connection.ReadAll(*connection.server, sent.size(), 1 << 20) == sent));

  BOOST_TEST(connection.rig.RunUntil([&] { return writing.write.done == 1; }));
  BOOST_TEST(writing.write.op.outcome == SocketOutcome::kOk);
  BOOST_TEST(writing.write.op.length_actual == sent.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_waiting_write_is_cancelled, Rig, Rigs) {
  Connection<Rig> connection;
  const std::vector<uint8_t> sent = Pattern(Rig::kMuch);
  Writing writing;
  writing.Start(*connection.client, {sent});
  connection.rig.Settle();
  connection.client->Cancel(writing.write.op);
  BOOST_TEST(writing.write.done == 0);
  connection.rig.Settle();
  BOOST_TEST(writing.write.done == 1);
  BOOST_TEST(writing.write.op.outcome == SocketOutcome::kCancelled);
  const size_t taken = writing.write.op.length_actual;
  BOOST_TEST(taken > 0u);
  BOOST_TEST(taken < sent.size());

  // What was taken arrives, and then the end.
  connection.client.reset();
  const std::vector<uint8_t> received = connection.ReadAll(*connection.server, taken, 1 << 20);
  BOOST_TEST(std::equal(received.begin(), received.end(), sent.begin()));
  BOOST_TEST(received.size() == taken);
  Reading end;
  BOOST_TEST(connection.Read(*connection.server, end, 1) == SocketOutcome::kEnd);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelling_what_is_decided_changes_nothing, Rig, Rigs) {
  Connection<Rig> connection;
  connection.Write(*connection.client, kThree);
  Reading reading;
  reading.Start(*connection.server, 1);
  connection.rig.RunUntil([&] { return reading.read.op.outcome != SocketOutcome::kPending; });
  connection.server->Cancel(reading.read.op);
  connection.rig.Settle();
  BOOST_TEST(reading.read.done == 1);
  BOOST_TEST(reading.read.op.outcome == SocketOutcome::kOk);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_accept_is_cancelled_and_the_next_one_works, Rig, Rigs) {
  Connection<Rig> connection;
  Tracked<async::SocketAccept> accept;
  connection.listener->Accept(accept.Pushed());
  connection.rig.Settle();
  connection.listener->Cancel(accept.op);
  BOOST_TEST(accept.done == 0);
  connection.rig.Settle();
  BOOST_TEST(accept.done == 1);
  BOOST_TEST(accept.op.outcome == SocketOutcome::kCancelled);
  BOOST_TEST(accept.op.socket == nullptr);

  const auto [client, server] = connection.Connect();
  BOOST_TEST(connection.Write(*client, kThree) == SocketOutcome::kOk);
  BOOST_TEST(connection.ReadAll(*server, 3, 3) == Copy(kThree));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_connect_that_is_cancelled_completes_once, Rig, Rigs) {
  Connection<Rig> connection;
  Tracked<async::SocketConnect> connect;
  connect.op.address = connection.listener->address();
  connection.rig.provider().Connect(connect.Pushed());
  connection.rig.provider().Cancel(connect.op);
  BOOST_TEST(connect.done == 0);
  connection.rig.Settle();
  BOOST_TEST(connect.done == 1);
  const bool connected = connect.op.outcome == SocketOutcome::kOk;
  BOOST_TEST((connected || connect.op.outcome == SocketOutcome::kCancelled));
  BOOST_TEST((connect.op.socket != nullptr) == connected);
  connect.op.socket.reset();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(after_the_end_of_one_direction_the_other_goes_on, Rig, Rigs) {
  Connection<Rig> connection;
  connection.Write(*connection.client, kThree);
  connection.client->ShutDownWriting();
  BOOST_TEST(connection.ReadAll(*connection.server, 3, 10) == Copy(kThree));
  Reading reading;
  BOOST_TEST(connection.Read(*connection.server, reading, 10) == SocketOutcome::kEnd);
  BOOST_TEST(connection.Read(*connection.server, reading, 10) == SocketOutcome::kEnd);

  BOOST_TEST(connection.Write(*connection.server, kThree) == SocketOutcome::kOk);
  BOOST_TEST(connection.ReadAll(*connection.client, 3, 10) == Copy(kThree));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_waiting_read_hears_of_the_end, Rig, Rigs) {
  Connection<Rig> connection;
  Reading reading;
  reading.Start(*connection.server, 10);
  connection.rig.Settle();
  connection.client.reset();
  BOOST_TEST(connection.rig.RunUntil([&] { return reading.read.done == 1; }));
  BOOST_TEST(reading.read.op.outcome == SocketOutcome::kEnd);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_written_outlives_its_writer, Rig, Rigs) {
  Connection<Rig> connection;
  connection.Write(*connection.client, kThree);
  connection.client.reset();
  BOOST_TEST(connection.ReadAll(*connection.server, 3, 1) == Copy(kThree));
  Reading reading;
  BOOST_TEST(connection.Read(*connection.server, reading, 1) == SocketOutcome::kEnd);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_left_bytes_unread_broke_the_connection, Rig, Rigs) {
  Connection<Rig> connection;
  Reading reading;
  reading.Start(*connection.client, 10);
  connection.Write(*connection.client, kThree);
  connection.rig.Settle();
  connection.server.reset();
  BOOST_TEST(connection.rig.RunUntil([&] { return reading.read.done == 1; }));
  BOOST_TEST(reading.read.op.outcome == SocketOutcome::kReset);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(writing_to_a_peer_that_is_gone_breaks, Rig, Rigs) {
  Connection<Rig> connection;
  connection.server.reset();
  SocketOutcome outcome = SocketOutcome::kOk;
  for (int tries = 0; tries < 10 && outcome == SocketOutcome::kOk; ++tries) {
    outcome = connection.Write(*connection.client, kThree);
    connection.rig.Settle();
  }
  BOOST_TEST(outcome == SocketOutcome::kReset);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_waiting_write_hears_that_the_peer_is_gone, Rig, Rigs) {
  Connection<Rig> connection;
  const std::vector<uint8_t> sent = Pattern(Rig::kMuch);
  Writing writing;
  writing.Start(*connection.client, {sent});
  connection.rig.Settle();
  connection.server.reset();
  BOOST_TEST(connection.rig.RunUntil([&] { return writing.write.done == 1; }));
  BOOST_TEST(writing.write.op.outcome == SocketOutcome::kReset);
}

// More pieces than the system takes at once, some of them empty, to a reader of odd lengths.
BOOST_AUTO_TEST_CASE_TEMPLATE(many_pieces_arrive_as_one_stream, Rig, Rigs) {
  Connection<Rig> connection;
  const std::vector<uint8_t> sent = Pattern(3'000'000);
  std::vector<Bytes> pieces;
  Bytes rest = sent;
  for (size_t index = 0; !rest.empty(); ++index) {
    const size_t length = index % 7 == 0 ? 0 : std::min(rest.size(), 1 + index * 37 % 2000);
    pieces.push_back(rest.first(length));
    rest = rest.subspan(length);
  }
  BOOST_TEST(pieces.size() > 2000u);
  Writing writing;
  writing.Start(*connection.client, pieces);
  BOOST_TEST((connection.ReadAll(*connection.server, sent.size(), 4093) == sent));
  BOOST_TEST(connection.rig.RunUntil([&] { return writing.write.done == 1; }));
  BOOST_TEST(writing.write.op.length_actual == sent.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(both_directions_move_at_once, Rig, Rigs) {
  Connection<Rig> connection;
  const std::vector<uint8_t> there = Pattern(Rig::kMuch / 8);
  const std::vector<uint8_t> back(there.rbegin(), there.rend());
  Writing client_writing, server_writing;
  client_writing.Start(*connection.client, {there});
  server_writing.Start(*connection.server, {back});
  BOOST_TEST((connection.ReadAll(*connection.server, there.size(), 1 << 16) == there));
  BOOST_TEST((connection.ReadAll(*connection.client, back.size(), 1 << 16) == back));
  const auto done = [&] { return client_writing.write.done + server_writing.write.done == 2; };
  BOOST_TEST(connection.rig.RunUntil(done));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_callback_may_close_its_socket, Rig, Rigs) {
  Connection<Rig> connection;
  Reading reading;
  reading.Start(*connection.server, 10);
  reading.read.then = [&] { connection.server.reset(); };
  connection.Write(*connection.client, Bytes(kThree).first(1));
  BOOST_TEST(connection.rig.RunUntil([&] { return reading.read.done == 1; }));
  Reading end;
  BOOST_TEST(connection.Read(*connection.client, end, 1) == SocketOutcome::kEnd);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(many_connections_keep_apart, Rig, Rigs) {
  constexpr size_t kCount = 100;
  Connection<Rig> connection;
  std::vector<std::pair<std::unique_ptr<async::Socket>, std::unique_ptr<async::Socket>>> pairs;
  for (size_t index = 0; index < kCount; ++index) pairs.push_back(connection.Connect());
  std::vector<Reading> readings(kCount);
  for (size_t index = 0; index < kCount; ++index) readings[index].Start(*pairs[index].second, 1);
  const std::vector<uint8_t> numbers = [] {
    std::vector<uint8_t> values(kCount);
    std::iota(values.begin(), values.end(), uint8_t{0});
    return values;
  }();
  std::vector<Writing> writings(kCount);
  for (size_t index = kCount; index-- > 0;) {
    writings[index].Start(*pairs[index].first, {Bytes(numbers).subspan(index, 1)});
  }
  BOOST_TEST(connection.rig.RunUntil([&] {
    return std::all_of(readings.begin(), readings.end(),
                       [](const Reading& reading) { return reading.read.done == 1; }) &&
           std::all_of(writings.begin(), writings.end(),
                       [](const Writing& writing) { return writing.write.done == 1; });
  }));
  for (size_t index = 0; index < kCount; ++index) {
    BOOST_TEST(readings[index].bytes() == std::vector<uint8_t>{numbers[index]});
  }
}

// All of them wait at once, and are let in one after the other.
BOOST_AUTO_TEST_CASE_TEMPLATE(connections_wait_to_be_accepted, Rig, Rigs) {
  constexpr size_t kCount = 20;
  Connection<Rig> connection;
  std::vector<Tracked<async::SocketConnect>> connects(kCount);
  for (auto& connect : connects) {
    connect.op.address = connection.listener->address();
    connection.rig.provider().Connect(connect.Pushed());
  }
  connection.rig.Settle();
  std::vector<std::unique_ptr<async::Socket>> accepted;
  while (accepted.size() < kCount) {
    Tracked<async::SocketAccept> accept;
    connection.listener->Accept(accept.Pushed());
    BOOST_REQUIRE(connection.rig.RunUntil([&] { return accept.done == 1; }));
    BOOST_REQUIRE(accept.op.outcome == SocketOutcome::kOk);
    accepted.push_back(std::move(accept.op.socket));
  }
  for (const auto& connect : connects) BOOST_TEST(connect.op.outcome == SocketOutcome::kOk);
}

BOOST_AUTO_TEST_SUITE_END()
