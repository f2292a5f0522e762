// The control socket of an Exporter: how long a connection may be silent, and how many there are.
#include <boost/test/unit_test.hpp>

#include "app/exporter.h"
#include "base/seeded.h"
#include "sim/pipes.h"
#include "tests/async/raw_peer.h"
#include "tests/sim/world_system.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;

namespace {

constexpr char kPlace[] = "unix:/run/control";
constexpr char kLate[] = "the control socket: no whole request within 10 s; closed";
constexpr size_t kConnectionsMax = 16;

Message Bytewise(const std::string& text) {
  return {text.begin(), text.end()};
}
const Message kStatus = Bytewise("{\"request\": \"status\"}\n");

class ControlScene : private Timer, private usb::Sink<async::SocketConnect> {
 public:
  explicit ControlScene(size_t buffer_length = 64 << 10)
      : world(chooser), pipes(world, {.buffer_length = buffer_length}), system(world, &pipes) {
    app::ExporterOptions options;
    options.log = [this](const std::string& line) { log.push_back(line); };
    exporter.emplace(system, std::move(options));
    BOOST_REQUIRE(exporter->ListenForControl(kPlace).has_value());
  }
  // The exporter ends within, whoever is still connected.
  ~ControlScene() {
    for (const auto& peer : peers) peer->Stop();
    exporter->Run([] { return true; });
    BOOST_TEST(system.RunUntil([this] {
      return std::all_of(peers.begin(), peers.end(), [](const auto& peer) { return peer->idle(); });
    }));
    world.Disarm(*this);
  }
  RawPeer& Connect() {
    async::SocketConnect connect;
    connect.address = kPlace;
    connected_ = false;
    connect.Push(*this);
    pipes.Connect(connect);
    BOOST_REQUIRE(system.RunUntil([this] { return connected_; }));
    BOOST_REQUIRE((connect.outcome == async::SocketOutcome::kOk));
    peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
    peers.back()->Listen();
    return *peers.back();
  }
  void Pass(Duration time) {
    passed_ = false;
    world.Arm(*this, world.Now() + time);
    BOOST_REQUIRE(system.RunUntil([this] { return passed_; }));
  }
  // Whether a status is answered: one line.
  bool Answers(RawPeer& peer) {
    peer.received.clear();
    peer.Send(kStatus);
    BOOST_REQUIRE(system.RunUntil(
        [&] { return peer.ended || (!peer.received.empty() && peer.received.back() == '\n'); }));
    return !peer.ended;
  }

  Seeded chooser{1};
  sim::World world;
  sim::Pipes pipes;
  WorldSystem system;
  std::vector<std::string> log;
  std::vector<std::unique_ptr<RawPeer>> peers;
  std::optional<app::Exporter> exporter;

 private:
  void HandleTimer() override { passed_ = true; }
  void OnDone(async::SocketConnect&, uint64_t) override { connected_ = true; }
  bool passed_ = false;
  bool connected_ = false;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(exporter_control)

BOOST_AUTO_TEST_CASE(who_asks_nothing_is_closed) {
  ControlScene scene;
  RawPeer& peer = scene.Connect();
  scene.Pass(9900ms);
  BOOST_TEST(!peer.ended);
  BOOST_TEST(scene.log.empty());
  scene.Pass(200ms);
  BOOST_TEST(peer.ended);
  BOOST_TEST(scene.log == std::vector<std::string>{kLate}, boost::test_tools::per_element());
}

// A byte a second makes no request either.
BOOST_AUTO_TEST_CASE(who_asks_slowly_is_closed) {
  ControlScene scene;
  RawPeer& peer = scene.Connect();
  for (int second = 0; second < 9; ++second) {
    peer.Send({'{'});
    scene.Pass(1s);
    BOOST_TEST(!peer.ended);
  }
  scene.Pass(1100ms);
  BOOST_TEST(peer.ended);
  BOOST_TEST(peer.received.empty());
}

BOOST_AUTO_TEST_CASE(who_does_not_take_the_answer_is_closed) {
  ControlScene scene(64);  // less than an answer
  RawPeer& peer = scene.Connect();
  peer.stalled = true;
  for (int count = 0; count < 10; ++count) peer.Send(kStatus);
  scene.Pass(9900ms);
  BOOST_TEST(scene.log.empty());
  scene.Pass(200ms);
  BOOST_TEST(scene.log == std::vector<std::string>{kLate}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_answer_starts_the_time_anew) {
  ControlScene scene;
  RawPeer& peer = scene.Connect();
  for (int count = 0; count < 5; ++count) {
    scene.Pass(9s);
    BOOST_TEST(scene.Answers(peer));
  }
  scene.Pass(10100ms);
  BOOST_TEST(peer.ended);
  BOOST_TEST(scene.log.size() == 1u);
}

BOOST_AUTO_TEST_CASE(who_leaves_in_time_is_not_told_of) {
  ControlScene scene;
  RawPeer& peer = scene.Connect();
  BOOST_TEST(scene.Answers(peer));
  peer.Stop();
  BOOST_REQUIRE(scene.system.RunUntil([&peer] { return peer.idle(); }));
  peer.socket.reset();
  scene.Pass(60s);
  BOOST_TEST(scene.log.empty());
}

BOOST_AUTO_TEST_CASE(one_too_many_is_closed_at_once_until_the_silent_have_gone) {
  ControlScene scene;
  for (size_t count = 0; count < kConnectionsMax; ++count) scene.Connect();
  RawPeer& late = scene.Connect();
  scene.Pass(1ms);
  BOOST_TEST(late.ended);
  for (size_t index = 0; index < kConnectionsMax; ++index) BOOST_TEST(!scene.peers[index]->ended);
  BOOST_TEST(scene.Answers(*scene.peers[0]));

  scene.Pass(11s);
  for (size_t count = 0; count < kConnectionsMax; ++count) {
    BOOST_TEST(scene.Answers(scene.Connect()));
  }
}

BOOST_AUTO_TEST_SUITE_END()
