// An Exporter that is told to stop, or asked for its status, while a device of a silent server is
// opened: it waits for that server no longer.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "app/exporter.h"
#include "base/seeded.h"
#include "sim/pipes.h"
#include "tests/async/fake_server.h"
#include "tests/sim/world_system.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

constexpr char kFar[] = "127.0.0.1:4000";
constexpr char kDevice[] = "usbip://127.0.0.1:4000/1-1";
constexpr char kControl[] = "unix:/run/control";
constexpr char kOwn[] = "127.0.0.1:3240";

enum class Silence { kFromTheStart, kOnceItHasGrantedTheImport };

// Takes every connection and says no more than it was told to.
class SilentServer final : private usb::Sink<async::SocketAccept> {
 public:
  SilentServer(sim::Pipes& pipes, Silence silence) : silence_(silence) {
    auto made = pipes.Listen(kFar);
    BOOST_REQUIRE(made.has_value());
    listener_ = std::move(*made);
    Accept();
  }
  void Stop() {
    for (const auto& peer : peers) peer->Stop();
    listener_->Cancel(accept_);
  }
  bool idle() const {
    return !accepting_ &&
           std::all_of(peers.begin(), peers.end(), [](const auto& peer) { return peer->idle(); });
  }
  std::vector<std::unique_ptr<RawPeer>> peers;

 private:
  void Accept() {
    accepting_ = true;
    accept_.outcome = async::SocketOutcome::kPending;
    accept_.Push(*this);
    listener_->Accept(accept_);
  }
  void OnDone(async::SocketAccept& accept, uint64_t) override {
    accepting_ = false;
    if (accept.outcome != async::SocketOutcome::kOk) return;
    peers.push_back(std::make_unique<RawPeer>(std::move(accept.socket)));
    peers.back()->Listen();
    if (silence_ == Silence::kOnceItHasGrantedTheImport) peers.back()->Send(kGranted);
    Accept();
  }
  const Silence silence_;
  std::unique_ptr<async::Listener> listener_;
  async::SocketAccept accept_;
  bool accepting_ = false;
};

class StopScene : private Timer, private usb::Sink<async::SocketConnect> {
 public:
  explicit StopScene(Silence silence)
      : world(chooser), pipes(world, {}), system(world, &pipes), silent(pipes, silence) {
    app::ExporterOptions options;
    options.log = [](const std::string&) {};
    exporter.emplace(system, std::move(options));
    BOOST_REQUIRE(exporter->ListenForControl(kControl).has_value());
  }
  ~StopScene() {
    for (const auto& peer : peers) peer->Stop();
    silent.Stop();
    BOOST_TEST(system.RunUntil([this] {
      return silent.idle() &&
             std::all_of(peers.begin(), peers.end(), [](const auto& peer) { return peer->idle(); });
    }));
    world.Disarm(*this);
  }
  RawPeer& Connect(const char* address) {
    async::SocketConnect connect;
    connect.address = address;
    connected_ = false;
    connect.Push(*this);
    pipes.Connect(connect);
    BOOST_REQUIRE(system.RunUntil([this] { return connected_; }));
    BOOST_REQUIRE((connect.outcome == async::SocketOutcome::kOk));
    peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
    peers.back()->Listen();
    return *peers.back();
  }
  void Ask(RawPeer& peer, const std::string& line) { peer.Send({line.begin(), line.end()}); }
  // From now on; passed() says when it is over.
  void Start(Duration time) {
    passed_ = false;
    start_ = world.Now();
    world.Arm(*this, start_ + time);
  }
  bool passed() const { return passed_; }
  Duration elapsed() const { return world.Now() - start_; }
  // Runs the exporter for so long.
  void Serve(Duration time) {
    Start(time);
    exporter->Run([this] { return passed_; });
  }

  Seeded chooser{1};
  sim::World world;
  sim::Pipes pipes;
  WorldSystem system;
  SilentServer silent;
  std::vector<std::unique_ptr<RawPeer>> peers;
  std::optional<app::Exporter> exporter;

 private:
  void HandleTimer() override { passed_ = true; }
  void OnDone(async::SocketConnect&, uint64_t) override { connected_ = true; }
  TimePoint start_;
  bool passed_ = false;
  bool connected_ = false;
};

constexpr Silence kSilences[] = {Silence::kFromTheStart, Silence::kOnceItHasGrantedTheImport};

}  // namespace

namespace std {
ostream& operator<<(ostream& out, Silence one) {
  return out << (one == Silence::kFromTheStart ? "from the start" : "after the import");
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(exporter_stop)

BOOST_DATA_TEST_CASE(a_stop_ends_the_opening_at_the_start, data::make(kSilences), one) {
  StopScene scene(one);
  scene.Start(100ms);

  const auto plugged = scene.exporter->PlugFirst(kDevice, [&scene] { return scene.passed(); });

  BOOST_REQUIRE(!plugged.has_value());
  BOOST_TEST((scene.elapsed() <= 200ms));
  BOOST_TEST(scene.silent.peers.size() == 1u);
  scene.exporter->Run([] { return true; });
  BOOST_TEST((scene.elapsed() <= 200ms));
}

BOOST_DATA_TEST_CASE(a_stop_ends_a_plug, data::make(kSilences), one) {
  StopScene scene(one);
  RawPeer& plugger = scene.Connect(kControl);
  scene.Ask(plugger, std::string("{\"request\": \"plug\", \"device\": \"") + kDevice + "\"}\n");

  scene.Serve(100ms);

  BOOST_TEST((scene.elapsed() <= 200ms));
  BOOST_TEST(scene.silent.peers.size() == 1u);
  BOOST_TEST(plugger.received.empty());
}

BOOST_DATA_TEST_CASE(a_status_is_answered_during_a_plug, data::make(kSilences), one) {
  StopScene scene(one);
  RawPeer& plugger = scene.Connect(kControl);
  RawPeer& asker = scene.Connect(kControl);
  scene.Ask(plugger, std::string("{\"request\": \"plug\", \"device\": \"") + kDevice + "\"}\n");
  scene.Ask(asker, "{\"request\": \"status\"}\n");

  scene.Serve(100ms);

  BOOST_TEST(!asker.received.empty());
  BOOST_TEST(plugger.received.empty());
}

BOOST_DATA_TEST_CASE(a_status_is_answered_while_the_first_devices_are_opened, data::make(kSilences),
                     one) {
  StopScene scene(one);
  RawPeer& asker = scene.Connect(kControl);
  scene.Ask(asker, "{\"request\": \"status\"}\n");

  const auto plugged =
      scene.exporter->PlugFirst(kDevice, [&asker] { return !asker.received.empty(); });

  BOOST_TEST(!plugged.has_value());
  BOOST_TEST(!asker.received.empty());
  scene.exporter->Run([] { return true; });
}

// A plug waits its turn until the first devices are open, so that these have the first numbers; it
// is not begun any more where a stop comes.
BOOST_AUTO_TEST_CASE(a_plug_that_waited_is_not_begun) {
  StopScene scene(Silence::kFromTheStart);
  RawPeer& plugger = scene.Connect(kControl);
  scene.Ask(plugger, std::string("{\"request\": \"plug\", \"device\": \"") + kDevice + "\"}\n");
  scene.Start(100ms);
  BOOST_REQUIRE(!scene.exporter->PlugFirst(kDevice, [&scene] { return scene.passed(); }));

  scene.exporter->Run([] { return true; });

  BOOST_TEST((scene.elapsed() <= 200ms));
  BOOST_TEST(scene.silent.peers.size() == 1u);
}

// The device was there when it was plugged, and its server fell silent afterwards: an importer
// waits for it. It has the time for last replies.
BOOST_AUTO_TEST_CASE(a_stop_ends_an_import_that_waits_for_a_silent_server) {
  Seeded chooser{1};
  sim::World world(chooser);
  sim::Pipes pipes(world, {});
  WorldSystem system(world, &pipes);
  app::ExporterOptions options;
  options.log = [](const std::string&) {};
  app::Exporter near(system, options);
  {
    // A whole server, for as long as the opening takes.
    app::Exporter far(system, options);
    BOOST_REQUIRE(far.PlugFirst("emu:?size=1M").has_value());
    BOOST_REQUIRE(far.Listen(kFar).has_value());
    BOOST_REQUIRE(near.PlugFirst(kDevice).has_value());
    far.Run([] { return true; });
  }
  SilentServer silent(pipes, Silence::kFromTheStart);
  BOOST_REQUIRE(near.Listen(kOwn).has_value());
  async::SocketConnect connect;
  struct Sink final : usb::Sink<async::SocketConnect> {
    void OnDone(async::SocketConnect&, uint64_t) override {}
  } sink;
  connect.address = kOwn;
  connect.Push(sink);
  pipes.Connect(connect);
  BOOST_REQUIRE(system.RunUntil([&] { return connect.socket != nullptr; }));
  RawPeer importer(std::move(connect.socket));
  importer.Send(ImportMessage("1-1"));

  const auto asked = [&] { return !silent.peers.empty(); };
  TimePoint start;
  near.Run([&] {
    if (asked()) start = world.Now();
    return asked();
  });

  BOOST_TEST((world.Now() - start <= 2100ms));
  silent.Stop();
  importer.Stop();
  BOOST_TEST(system.RunUntil([&] { return silent.idle() && importer.idle(); }));
}

BOOST_AUTO_TEST_SUITE_END()
