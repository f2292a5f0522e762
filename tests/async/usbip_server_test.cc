// What becomes of connections when devices and the server go, at every moment.
#include "async/usbip_server.h"

#include <boost/test/data/test_case.hpp>

#include "tests/async/scripted_bench.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

bool Holds(const std::vector<std::string>& log, const std::string& text) {
  for (const std::string& line : log) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

// So many transfers that nothing answers: the disk has been given no command.
void SubmitSilent(RawPeer& peer, uint32_t count) {
  for (uint32_t index = 0; index < count; ++index) {
    peer.Send(SubmitMessage({.sequence = 100 + index, .endpoint = 1, .length = 512}));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_server)

BOOST_AUTO_TEST_CASE(one_importer_at_a_time) {
  ServerRig rig;
  rig.AddDisk();
  RawPeer& first = rig.ConnectAndImport("1-1");

  RawPeer& second = rig.Connect();
  second.Send(ImportMessage("1-1"));
  BOOST_REQUIRE(rig.Run([&] { return second.ended; }));

  BOOST_REQUIRE_EQUAL(second.received.size(), 8u);
  BOOST_TEST(second.received[7] == 2);
  BOOST_TEST(rig.Works(first, kDeviceId));
  BOOST_TEST(rig.Status().imports == 1u);
  rig.Leave(first);
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

// Programs that run one after the other must not meet their forerunner's device as busy.
BOOST_AUTO_TEST_CASE(an_importer_waits_for_the_one_that_leaves) {
  Bench bench;
  bench.socket->Leave();
  bench.rig.Settle();
  RawPeer& second = bench.rig.Connect();
  second.Send(ImportMessage("1-1"));
  bench.rig.Settle(5s);
  BOOST_TEST(second.received.empty());
  RawPeer& third = bench.rig.Connect();
  third.Send(ImportMessage("1-1"));
  bench.rig.Settle(1s);

  bench.AnswerPort();  // the reset for the next importer
  BOOST_REQUIRE(bench.rig.Run([&] { return second.received.size() == 320 && third.ended; }));

  BOOST_TEST(bench.rig.Status().imports == 2u);
  BOOST_REQUIRE_EQUAL(third.received.size(), 8u);
  BOOST_TEST(third.received[7] == 2);
  second.Stop();
  BOOST_REQUIRE(bench.rig.Run([&] { return second.idle(); }));
  second.socket.reset();
  bench.AnswerPort();
  BOOST_TEST(bench.rig.Run([&] { return bench.rig.server->connections_count() == 0; }));
}

BOOST_AUTO_TEST_CASE(an_importer_waits_only_so_long) {
  Bench bench;
  bench.socket->Leave();
  bench.rig.Settle();
  RawPeer& second = bench.rig.Connect();
  second.Send(ImportMessage("1-1"));

  bench.rig.Settle(11s);

  BOOST_TEST(second.ended);
  BOOST_REQUIRE_EQUAL(second.received.size(), 8u);
  BOOST_TEST(second.received[7] == 2);
  bench.AnswerPort();
  BOOST_TEST(bench.rig.Run([&] { return bench.rig.server->connections_count() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_stop_answers_what_is_under_way) {
  ServerRig rig;
  rig.AddDisk();
  RawPeer& peer = rig.ConnectAndImport("1-1");
  rig.Configure(peer);
  SubmitSilent(peer, 8);
  BOOST_REQUIRE(rig.Run([&] { return rig.Status().urbs_under_way == 8; }));

  rig.server->Stop();
  BOOST_REQUIRE(rig.Run([&] { return peer.ended && rig.server->idle(); }));

  BOOST_REQUIRE_EQUAL(peer.received.size(), 8u * 48);
  for (size_t index = 0; index < 8; ++index)
    BOOST_TEST(StatusIn(peer.received, index * 48) == -108);
  BOOST_TEST((peer.outcome == async::SocketOutcome::kEnd));
  BOOST_TEST(Holds(rig.log, "gave 1-1 back: the server stops"));
}

BOOST_AUTO_TEST_CASE(a_stop_waits_only_so_long_for_a_peer_that_takes_nothing) {
  ServerRig rig({}, {.buffer_length = 100});
  rig.AddDisk();
  RawPeer& peer = rig.ConnectAndImport("1-1");
  rig.Configure(peer);
  peer.stalled = true;
  SubmitSilent(peer, 8);
  BOOST_REQUIRE(rig.Run([&] { return rig.Status().urbs_under_way == 8; }));
  rig.server->Stop();

  rig.Settle(1s);
  BOOST_TEST(!rig.server->idle());
  rig.Settle(2s);
  BOOST_TEST(rig.server->idle());
}

BOOST_AUTO_TEST_CASE(a_device_is_unplugged_while_it_is_imported) {
  ServerRig rig;
  rig.AddDisk();
  rig.AddDisk();
  RawPeer& peer = rig.ConnectAndImport("1-1");
  RawPeer& other = rig.ConnectAndImport("1-2");
  rig.Configure(peer);
  SubmitSilent(peer, 3);
  BOOST_REQUIRE(rig.Run([&] { return rig.Status().urbs_under_way == 3; }));

  BOOST_TEST(rig.server->Remove("1-1"));
  BOOST_TEST(!rig.server->Remove("1-1"));
  BOOST_TEST(rig.released_count == 0);
  BOOST_REQUIRE(rig.Run([&] { return peer.ended; }));
  rig.Settle();

  BOOST_TEST(rig.released_count == 1);
  BOOST_TEST(peer.received.size() == 3u * 48);
  BOOST_TEST(rig.server->devices().size() == 1u);
  BOOST_TEST(rig.Works(other, 1 << 16 | 3));
  RawPeer& late = rig.Connect();
  late.Send(ImportMessage("1-1"));
  BOOST_REQUIRE(rig.Run([&] { return late.ended; }));
  BOOST_REQUIRE_EQUAL(late.received.size(), 8u);
  BOOST_TEST(late.received[7] == 4);
}

BOOST_AUTO_TEST_CASE(a_device_that_nobody_has_goes_at_once) {
  ServerRig rig;
  rig.AddDisk();

  BOOST_TEST(rig.server->Remove("1-1"));

  BOOST_TEST(rig.released_count == 1);
  BOOST_TEST(rig.server->devices().empty());
}

BOOST_AUTO_TEST_CASE(a_device_that_loses_its_power_ends_its_connection) {
  ServerRig rig;
  rig.AddDisk();
  RawPeer& peer = rig.ConnectAndImport("1-1");
  rig.Configure(peer);
  SubmitSilent(peer, 2);
  BOOST_REQUIRE(rig.Run([&] { return rig.Status().urbs_under_way == 2; }));

  rig.twins[0]->Unplug();
  BOOST_REQUIRE(rig.Run([&] { return peer.ended; }));

  BOOST_TEST(peer.received.size() == 2u * 48);
  BOOST_TEST(StatusIn(peer.received) == -108);
  BOOST_TEST(Holds(rig.log, "gave 1-1 back: the device is gone"));
  rig.twins[0]->Plug();
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

namespace {

enum Way { kStop, kRemove, kUnplug, kPeer };

// Everything that can be on its way when something ends, ended after so many steps.
bool EndAfter(size_t steps, Way way) {
  ServerRig rig({}, {.split = steps % 2 == 0});
  rig.AddDisk();
  RawPeer& peer = rig.Connect();
  const Message payload(20'000, 0x55);
  peer.Send(ImportMessage("1-1"));
  peer.Send(SubmitMessage({.sequence = 1, .in = 0, .setup = kSetConfiguration}));
  SubmitSilent(peer, 2);
  peer.Send(SubmitMessage({.sequence = 2, .endpoint = 1, .in = 0, .length = 20'000}) + payload);
  peer.Send(UnlinkMessage(3, 100));
  peer.Send(SubmitMessage({.sequence = 4, .length = 18, .setup = kGetDevice}));
  bool more = true;
  for (size_t step = 0; step < steps && more; ++step) more = rig.world.Step();
  switch (way) {
    case kStop: rig.server->Stop(); break;
    case kRemove: rig.server->Remove("1-1"); break;
    case kUnplug: rig.twins[0]->Unplug(); break;
    case kPeer:
      peer.Stop();
      if (rig.Run([&] { return peer.idle(); })) peer.socket.reset();
      break;
  }
  if (way == kPeer) {
    BOOST_TEST(rig.Run([&] { return rig.server->connections_count() == 0; }));
  } else if (way != kUnplug) {
    BOOST_TEST(rig.Run([&] { return peer.ended; }));
    BOOST_TEST(rig.world.Now().ns < 1'000'000'000);
  }
  return peer.received.size() < 320u + 48 + 48 + 66;
}

}  // namespace

BOOST_DATA_TEST_CASE(everything_can_end_at_every_moment,
                     data::make({kStop, kRemove, kUnplug, kPeer}), way) {
  size_t steps = 0;
  while (EndAfter(steps, way) && steps < 400) ++steps;
  BOOST_TEST(steps > 10u);
}

BOOST_AUTO_TEST_CASE(a_socket_that_somebody_else_made) {
  ServerRig rig;
  rig.AddDisk();
  auto [ours, theirs] = rig.town.MakePair();
  auto [spare, spare_theirs] = rig.town.MakePair();

  BOOST_TEST((rig.server->Attach("1-9", std::move(spare)).error().kind == ErrorKind::kNotFound));
  BOOST_TEST(rig.server->Attach("1-1", std::move(ours)).has_value());
  auto [second, second_theirs] = rig.town.MakePair();
  BOOST_TEST((rig.server->Attach("1-1", std::move(second)).error().kind == ErrorKind::kBusy));
  rig.peers.push_back(std::make_unique<RawPeer>(std::move(theirs)));
  rig.peers.back()->Listen();

  BOOST_TEST(rig.Works(*rig.peers.back(), kDeviceId));
}

BOOST_AUTO_TEST_CASE(bus_ids_are_held_to_their_rules) {
  ServerRig rig;
  rig.AddDisk();
  for (const std::string& bus_id : {std::string(), std::string(32, '1'), std::string("1 1")}) {
    async::UsbIpExport device;
    device.device.bus_id = bus_id;
    BOOST_TEST((rig.server->Add(std::move(device)).error().kind == ErrorKind::kInvalid));
  }
  async::UsbIpExport device;
  device.device.bus_id = "1-1";
  BOOST_TEST((rig.server->Add(std::move(device)).error().kind == ErrorKind::kBusy));
}

namespace {

// Lets nobody in at first, as a system without descriptors does.
class PoorListener final : public async::Listener {
 public:
  PoorListener(Clock& clock, std::unique_ptr<async::Listener> inner)
      : clock_(clock), inner_(std::move(inner)) {}
  void Accept(async::SocketAccept& accept) override {
    if (poor_) {
      poor_ = false;
      accept.outcome = async::SocketOutcome::kFault;
      accept.why = "no descriptors are left";
      return clock_.Post(accept);
    }
    inner_->Accept(accept);
  }
  void Cancel(async::SocketAccept& accept) override { inner_->Cancel(accept); }
  const std::string& address() const override { return inner_->address(); }

 private:
  Clock& clock_;
  std::unique_ptr<async::Listener> inner_;
  bool poor_ = true;
};

}  // namespace

// It once closed its listener for good.
BOOST_AUTO_TEST_CASE(a_listener_that_fails_for_a_while_is_kept) {
  ServerRig rig;
  rig.AddDisk();
  auto inner = rig.town.Listen("sim:poor");
  rig.server->Serve(std::make_unique<PoorListener>(rig.world, std::move(*inner)), {});

  BOOST_REQUIRE(rig.Run([&] { return Holds(rig.log, "no descriptors are left"); }));
  async::SocketConnect connect;
  connect.address = "sim:poor";
  struct Sink final : usb::Sink<async::SocketConnect> {
    void OnDone(async::SocketConnect&, uint64_t) override { done = true; }
    bool done = false;
  } sink;
  connect.Push(sink);
  rig.town.Connect(connect);
  BOOST_REQUIRE(rig.Run([&] { return sink.done; }));
  BOOST_REQUIRE((connect.outcome == async::SocketOutcome::kOk));
  rig.peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
  RawPeer& peer = *rig.peers.back();
  peer.Listen();
  peer.Send(ImportMessage("1-1"));

  BOOST_TEST(rig.Run([&] { return peer.received.size() == 320; }));
}

BOOST_AUTO_TEST_CASE(peers_and_imports_are_asked_for) {
  ServerRig rig;
  rig.AddDisk();
  std::string refusal = "its nose";
  auto listener = rig.town.Listen("sim:choosy");
  rig.server->Serve(std::move(*listener), [&](const std::string&) { return refusal; });
  async::SocketConnect connect;
  connect.address = "sim:choosy";
  struct Sink final : usb::Sink<async::SocketConnect> {
    void OnDone(async::SocketConnect&, uint64_t) override {}
  } sink;
  connect.Push(sink);
  rig.town.Connect(connect);
  rig.Settle();
  rig.peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
  rig.peers.back()->Listen();
  BOOST_TEST(rig.Run([&] { return rig.peers.back()->ended; }));

  BOOST_TEST(rig.peers.back()->received.empty());
  BOOST_REQUIRE_EQUAL(rig.log.size(), 1u);
  BOOST_TEST(rig.log[0] == "pipe:client: refused: its nose");
}

BOOST_AUTO_TEST_SUITE_END()
