// The server's limits: what happens at each of them.
#include <boost/test/data/test_case.hpp>

#include "tests/async/scripted_bench.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

// The replies of 48 bytes in what was heard: command and status by number.
std::map<uint32_t, std::vector<std::pair<uint32_t, int32_t>>> Replies(const Message& received) {
  std::map<uint32_t, std::vector<std::pair<uint32_t, int32_t>>> replies;
  for (Bytes rest = received; rest.size() >= 48; rest = Drop(rest, 48)) {
    const auto& reply = *wire::View<wire::usbip::SubmitReply>(rest);
    const auto status = static_cast<int32_t>(uint32_t{reply.status});
    replies[reply.basic.sequence].emplace_back(uint32_t{reply.basic.command}, status);
  }
  return replies;
}

constexpr uint32_t kStormCount = 100'000;

// So many submits, numbered from 1, and unlinks of all of them.
Message Storm(SubmitFields fields, bool backwards) {
  Message all;
  const auto say = [&all](const Message& message) {
    all.insert(all.end(), message.begin(), message.end());
  };
  for (fields.sequence = 1; fields.sequence <= kStormCount; ++fields.sequence) {
    say(SubmitMessage(fields));
  }
  for (uint32_t number = 1; number <= kStormCount; ++number) {
    const uint32_t victim = backwards ? kStormCount + 1 - number : number;
    say(UnlinkMessage(kStormCount + number, victim));
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_limits)

BOOST_DATA_TEST_CASE(one_transfer_too_many_and_then_all_are_unlinked, data::xrange(8), seed) {
  async::UsbIpLimits limits;
  limits.urbs_max = 16;
  ServerRig rig(limits, {}, static_cast<uint64_t>(seed) + 1);
  rig.AddDisk();
  RawPeer& peer = rig.ConnectAndImport("1-1");
  rig.Configure(peer);

  for (uint32_t sequence = 1; sequence <= 17; ++sequence) {
    peer.Send(SubmitMessage({.sequence = sequence, .endpoint = 1, .length = 4096}));
  }
  BOOST_REQUIRE(rig.Run([&] { return peer.received.size() == 48; }));
  BOOST_TEST(rig.Status().urbs_under_way == 16u);
  for (uint32_t sequence = 1; sequence <= 17; ++sequence) {
    peer.Send(UnlinkMessage(100 + sequence, sequence));
  }
  BOOST_REQUIRE(rig.Run([&] { return peer.received.size() == 48 * 18; }));
  rig.Settle();

  auto replies = Replies(peer.received);
  using Said = std::vector<std::pair<uint32_t, int32_t>>;
  BOOST_TEST((replies[17] == Said{{3, -12}}));
  BOOST_TEST((replies[117] == Said{{4, 0}}));
  for (uint32_t sequence = 1; sequence <= 16; ++sequence) {
    BOOST_TEST((replies[sequence] == Said{}));
    BOOST_TEST((replies[100 + sequence] == Said{{4, -104}}));
  }
  BOOST_TEST(rig.Status().urbs_under_way == 0u);
  BOOST_TEST(rig.Status().refused == 1u);
  BOOST_TEST(rig.Status().unlinks == 17u);
  BOOST_TEST(rig.Works(peer, kDeviceId));
}

// Also backwards, where each is at the end of every list. What finding them costs is counted in
// sequence_index_test.cc; a list that is searched here shows as a test that takes minutes.
BOOST_DATA_TEST_CASE(a_storm_of_unlinks, data::make({false, true}), backwards) {
  async::UsbIpLimits limits;
  limits.urbs_max = kStormCount;
  ServerRig rig(limits, {.split = false});
  rig.AddDisk(1 << 20, false);
  RawPeer& peer = rig.ConnectAndImport("1-1");
  rig.Configure(peer);
  peer.Send(Storm({.endpoint = 1, .length = 18}, backwards));
  BOOST_REQUIRE(rig.Run([&] { return peer.received.size() == size_t{kStormCount} * 48; }));
  BOOST_TEST(rig.Status().urbs == kStormCount + 1);
  BOOST_TEST(rig.Status().unlinks == kStormCount);
  BOOST_TEST(rig.Status().refused == 0u);
  BOOST_TEST(rig.Status().urbs_under_way == 0u);
  size_t cancelled_count = 0;
  for (size_t offset = 0; offset < peer.received.size(); offset += 48) {
    cancelled_count += StatusIn(peer.received, offset) == -104 ? 1 : 0;
  }
  BOOST_TEST(cancelled_count == kStormCount);
}

// The same behind a request that the device does not answer.
BOOST_DATA_TEST_CASE(a_storm_of_unlinks_of_requests, data::make({false, true}), backwards) {
  async::UsbIpLimits limits;
  limits.urbs_max = kStormCount + 1;
  Bench bench(limits);
  bench.socket->Say(SubmitMessage({.sequence = 9'000'000, .length = 18, .setup = kGetDevice}));
  bench.NextTransfer();
  bench.socket->Say(Storm({.length = 18, .setup = kGetDevice}, backwards));
  BOOST_REQUIRE(
      bench.rig.Run([&] { return bench.socket->taken.size() == size_t{kStormCount} * 48; }));
  BOOST_TEST(bench.rig.Status().refused == 0u);
  BOOST_TEST(bench.rig.Status().urbs_under_way == 1u);
  BOOST_TEST(bench.bus.device.waiting.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_peer_that_takes_no_replies_is_not_heard_for_a_while) {
  async::UsbIpLimits limits;
  limits.reply_bytes_max = 10'000;
  ServerRig rig(limits, {.buffer_length = 8192, .split = false});
  rig.AddDisk();
  rig.AddDisk();
  RawPeer& other = rig.ConnectAndImport("1-2");
  RawPeer& peer = rig.ConnectAndImport("1-1");
  constexpr uint32_t kCount = 5000;
  peer.stalled = true;
  for (uint32_t sequence = 1; sequence <= kCount; ++sequence) {
    peer.Send(SubmitMessage({.sequence = sequence, .length = 18, .setup = kGetDevice}));
  }

  rig.Settle(10s);
  // What the sockets hold, what may be queued, and what was read at once.
  const uint64_t urbs = rig.Status().urbs;
  BOOST_TEST(urbs < (4096u + 8192 + 10'000 + 16'384) / 48);
  BOOST_TEST(rig.Status().bytes_held < 100'000u);
  rig.Settle(60s);
  BOOST_TEST(rig.Status().urbs == urbs);
  BOOST_TEST(rig.Works(other, 1 << 16 | 3));

  peer.stalled = false;
  peer.Listen();
  BOOST_REQUIRE(rig.Run([&] { return peer.received.size() == size_t{kCount} * 66; }));
  BOOST_TEST(rig.Status().urbs == kCount);
  BOOST_TEST(rig.Status().refused == 0u);
}

BOOST_AUTO_TEST_CASE(refusals_for_a_peer_that_takes_none_are_bounded_too) {
  ServerRig rig({}, {.buffer_length = 8192, .split = false});
  rig.AddDisk();
  RawPeer& peer = rig.ConnectAndImport("1-1");
  peer.stalled = true;
  for (uint32_t index = 0; index < 20'000; ++index) peer.Send(UnlinkMessage(index, 1));

  rig.Settle(10s);

  BOOST_TEST(rig.Status().unlinks < 5000u);
  peer.stalled = false;
  peer.Listen();
  BOOST_TEST(rig.Run([&] { return peer.received.size() == size_t{20'000} * 48; }));
}

BOOST_AUTO_TEST_CASE(one_connection_too_many) {
  async::UsbIpLimits limits;
  limits.connections_max = 2;
  ServerRig rig(limits);
  rig.AddDisk();
  rig.AddDisk();
  RawPeer& first = rig.ConnectAndImport("1-1");
  RawPeer& second = rig.ConnectAndImport("1-2");
  rig.log.clear();

  RawPeer& third = rig.Connect();
  BOOST_REQUIRE(rig.Run([&] { return third.ended; }));
  BOOST_REQUIRE_EQUAL(rig.log.size(), 1u);
  BOOST_TEST(rig.log[0] == "pipe:client: refused: there are 2 connections already");
  BOOST_TEST(rig.server->connections_count() == 2u);
  BOOST_TEST(rig.Works(first, kDeviceId));
  BOOST_TEST(rig.Works(second, 1 << 16 | 3));

  rig.Leave(first);
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

BOOST_AUTO_TEST_CASE(one_handshake_too_many) {
  async::UsbIpLimits limits;
  limits.handshakes_max = 3;
  ServerRig rig(limits);
  rig.AddDisk();
  RawPeer& importer = rig.ConnectAndImport("1-1");
  rig.log.clear();
  for (int count = 0; count < 3; ++count) rig.Connect();

  RawPeer& late = rig.Connect();
  BOOST_REQUIRE(rig.Run([&] { return late.ended; }));
  BOOST_REQUIRE_EQUAL(rig.log.size(), 1u);
  BOOST_TEST(rig.log[0] == "pipe:client: refused: 3 connections have not yet said what they want");
  BOOST_TEST(rig.Works(importer, kDeviceId));

  // Their time passes.
  rig.Settle(11s);
  BOOST_TEST(rig.server->connections_count() == 1u);
  rig.Leave(importer);
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

// A place of whoever has most of them is another peer's; who has as many as anybody is refused.
BOOST_AUTO_TEST_CASE(one_peer_alone_does_not_hold_all_handshakes) {
  async::UsbIpLimits limits;
  limits.handshakes_max = 4;
  ServerRig rig(limits);
  rig.AddDisk();
  std::vector<RawPeer*> hoard;
  for (int port = 1; port <= 4; ++port) {
    hoard.push_back(&rig.Connect("10.0.0.1:" + std::to_string(port)));
  }
  RawPeer& one_more = rig.Connect("10.0.0.1:5");
  BOOST_REQUIRE(rig.Run([&] { return one_more.ended; }));
  BOOST_TEST(!hoard[0]->ended);

  RawPeer& other = rig.Connect("10.0.0.2:1");
  BOOST_REQUIRE(rig.Run([&] { return hoard[0]->ended; }));
  rig.Settle();
  BOOST_TEST(!hoard[1]->ended);
  BOOST_TEST(!other.ended);
  RawPeer& its_second = rig.Connect("10.0.0.2:2");
  BOOST_REQUIRE(rig.Run([&] { return hoard[1]->ended; }));
  RawPeer& its_third = rig.Connect("10.0.0.2:3");
  BOOST_REQUIRE(rig.Run([&] { return its_third.ended; }));

  BOOST_TEST(!hoard[2]->ended);
  BOOST_TEST(!hoard[3]->ended);
  BOOST_TEST(!its_second.ended);
  const std::vector<std::string> told = {
      "10.0.0.1:5: refused: 4 connections have not yet said what they want",
      "10.0.0.1:1: closed for another peer: nobody has more connections that have not yet said "
      "what they want",
      "10.0.0.1:2: closed for another peer: nobody has more connections that have not yet said "
      "what they want",
      "10.0.0.2:3: refused: 4 connections have not yet said what they want"};
  BOOST_TEST(rig.log == told, boost::test_tools::per_element());
  other.Send(ImportMessage("1-1"));
  BOOST_TEST(rig.Run([&] { return other.received.size() == 320; }));
}

// Nor all connections, where those are fewer.
BOOST_AUTO_TEST_CASE(one_peer_alone_does_not_hold_all_connections) {
  async::UsbIpLimits limits;
  limits.connections_max = 3;
  ServerRig rig(limits);
  rig.AddDisk();
  RawPeer& importer = rig.ConnectAndImport("1-1");
  std::vector<RawPeer*> hoard;
  for (int port = 1; port <= 2; ++port) {
    hoard.push_back(&rig.Connect("10.0.0.1:" + std::to_string(port)));
  }
  RawPeer& other = rig.Connect("10.0.0.2:1");
  BOOST_REQUIRE(rig.Run([&] { return hoard[0]->ended; }));
  rig.Settle();
  BOOST_TEST(!hoard[1]->ended);
  BOOST_TEST(!other.ended);
  BOOST_TEST(rig.server->connections_count() == 3u);
  BOOST_TEST(rig.Works(importer, kDeviceId));
  // Who imports a device has no place to give.
  RawPeer& third = rig.Connect("10.0.0.3:1");
  RawPeer& fourth = rig.Connect("10.0.0.4:1");
  rig.Settle();
  BOOST_TEST(!third.ended);
  BOOST_TEST(!fourth.ended);
  BOOST_TEST(rig.Works(importer, kDeviceId));
}

struct Neighbours {
  const char* first;
  const char* second;
  bool are_one;
};
constexpr Neighbours kNeighbours[] = {
    {"10.0.0.1:1", "10.0.0.1:2", true},
    {"10.0.0.1:1", "10.0.0.2:1", false},
    {"10.0.0.1:1", "[::ffff:10.0.0.1]:2", true},
    {"127.0.0.1:1", "127.9.9.9:1", true},               // all of them are this machine
    {"[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true},  // a host has its /64 to itself
    {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
    {"[fe80::1%eth0]:1", "[fe80::2%eth0]:1", false},  // but on the link
    {"[fe80::1%eth0]:1", "[fe80::1%eth0]:2", true},
    {"unix:/run/a", "unix:/run/a", true},  // they are the file's owner's
    {"unix:/run/a", "127.0.0.1:1", false},
};
std::ostream& operator<<(std::ostream& out, const Neighbours& one) {
  return out << one.first << " and " << one.second;
}

BOOST_DATA_TEST_CASE(which_peers_share_their_places, data::make(kNeighbours), one) {
  async::UsbIpLimits limits;
  limits.handshakes_max = 2;
  ServerRig rig(limits);
  RawPeer& oldest = rig.Connect(one.first);
  rig.Connect(one.first);
  RawPeer& late = rig.Connect(one.second);
  rig.Settle();
  BOOST_TEST(late.ended == one.are_one);
  BOOST_TEST(oldest.ended == !one.are_one);
}

// Those that have their answer count as well, and must leave.
BOOST_AUTO_TEST_CASE(a_peer_that_stays_after_its_answer_is_sent_away) {
  async::UsbIpLimits limits;
  limits.handshakes_max = 2;
  ServerRig rig(limits);
  rig.AddDisk();
  for (int count = 0; count < 2; ++count) {
    RawPeer& asker = rig.Connect();
    asker.Send(OpMessage(wire::usbip::kVersion, wire::usbip::kRequestDevices));
  }
  rig.Settle(100ms);
  BOOST_TEST(rig.server->connections_count() == 2u);
  RawPeer& refused = rig.Connect();
  BOOST_REQUIRE(rig.Run([&] { return refused.ended; }));

  rig.Settle(1s);
  BOOST_TEST(rig.server->connections_count() == 0u);
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

BOOST_AUTO_TEST_CASE(the_log_of_refused_peers_is_bounded_each_second) {
  async::UsbIpLimits limits;
  limits.connections_max = 1;
  ServerRig rig(limits, {.split = false});
  rig.AddDisk();
  RawPeer& importer = rig.ConnectAndImport("1-1");
  const auto count = [&rig](const std::string& text) {
    return std::count_if(rig.log.begin(), rig.log.end(), [&text](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  };
  for (int second = 0; second < 3; ++second) {
    rig.log.clear();
    for (int peer = 0; peer < 100; ++peer) rig.Connect();
    BOOST_TEST(rig.Run([&rig] { return rig.PeersIdle() || rig.log.size() >= 10; }));
    rig.Settle();
    BOOST_TEST(count("refused: there are 1 connections already") == 10);
    BOOST_TEST(rig.log.size() == 10u);
    rig.Settle(1s);
    BOOST_REQUIRE_EQUAL(rig.log.size(), 11u);
    BOOST_TEST(rig.log.back() ==
               "90 more lines about peers that imported nothing within a second: left out");
  }
  // One that is alone is told, and nothing after it.
  rig.log.clear();
  rig.Connect();
  rig.Settle(5s);
  BOOST_TEST(rig.log.size() == 1u);
  // The importer's are not counted among them.
  rig.Leave(importer);
  BOOST_TEST(count("gave 1-1 back") == 1);
}

BOOST_AUTO_TEST_CASE(the_log_of_handshakes_that_never_come_is_bounded) {
  ServerRig rig;
  for (int peer = 0; peer < 16; ++peer) rig.Connect();
  rig.Settle(12s);
  BOOST_REQUIRE_EQUAL(rig.log.size(), 11u);
  BOOST_TEST(rig.log[9] ==
             "pipe:client: said nothing that makes a request; the connection is closed");
  BOOST_TEST(rig.log[10] ==
             "6 more lines about peers that imported nothing within a second: left out");
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_tells_what_it_left_out) {
  async::UsbIpLimits limits;
  limits.connections_max = 1;
  limits.stranger_lines_max = 2;
  ServerRig rig(limits);
  for (int peer = 0; peer < 4; ++peer) rig.Connect();
  BOOST_TEST(rig.Run([&rig] { return rig.log.size() == 2; }));
  rig.Settle();
  rig.server->Stop();
  BOOST_REQUIRE_EQUAL(rig.log.size(), 3u);
  BOOST_TEST(rig.log[2] ==
             "1 more line about peers that imported nothing within a second: left out");
}

BOOST_AUTO_TEST_SUITE_END()
