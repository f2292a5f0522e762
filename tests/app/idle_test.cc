// What a server costs while nothing moves: 64 devices, each imported over a real socket. Its own
// executable, so that nothing else allocates in between.
#include <malloc.h>

#include <boost/test/unit_test.hpp>

#include "app/exporter.h"
#include "os/linux/system.h"
#include "tests/async/raw_peer.h"
#include "tests/os/temp_dir.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

namespace {

constexpr uint32_t kDevicesCount = 64;
constexpr int64_t kDeviceBytesMax = 64 << 10;
constexpr auto kIdleTime = std::chrono::milliseconds(300);

// Bytes that malloc has given out.
int64_t BytesLive() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

struct Alarm final : Timer {
  void HandleTimer() override { rang = true; }
  bool rang = false;
};

// A server in this process, and its peers.
class Idle : private usb::Sink<async::SocketConnect> {
 public:
  Idle() {
    app::ExporterOptions options;
    options.log = [](const std::string&) {};
    exporter.emplace(system, std::move(options));
    BOOST_REQUIRE(exporter->Listen("unix:" + dir_.path("server")).has_value());
  }
  // The exporter ends within.
  ~Idle() {
    Leave();
    exporter->Run([] { return true; });
  }
  void Plug() { BOOST_REQUIRE(exporter->PlugFirst("emu:?size=1M").has_value()); }
  // What a kernel does before it rests: imports a device and configures it.
  void Import(uint32_t number) {
    async::SocketConnect connect;
    connect.address = "unix:" + dir_.path("server");
    connected_ = false;
    connect.Push(*this);
    system.sockets().Connect(connect);
    BOOST_REQUIRE(Run([this] { return connected_; }));
    BOOST_REQUIRE((connect.outcome == async::SocketOutcome::kOk));
    peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
    RawPeer& peer = *peers.back();
    peer.Send(ImportMessage("1-" + std::to_string(number)));
    peer.Listen();
    BOOST_REQUIRE(Run([&peer] { return peer.received.size() == 320; }));
    Ask(peer, number, kSetConfiguration, 0);
  }
  // One control transfer: whether it ended well.
  void Ask(RawPeer& peer, uint32_t number, const std::array<uint8_t, 8>& setup, uint32_t length) {
    peer.received.clear();
    peer.Send(SubmitMessage({.sequence = ++sequence_,
                             .in = length == 0 ? 0u : 1u,
                             .length = length,
                             .setup = setup,
                             .device_id = 1 << 16 | (number + 1)}));
    BOOST_REQUIRE(Run([&] { return peer.received.size() == 48 + length; }));
    BOOST_TEST(StatusIn(peer.received) == 0);
  }
  void Leave() {
    for (const auto& peer : peers) peer->Stop();
    BOOST_REQUIRE(Run([this] {
      return std::all_of(peers.begin(), peers.end(), [](const auto& peer) { return peer->idle(); });
    }));
    peers.clear();
    BOOST_REQUIRE(Run(
        [this] { return exporter->StatusLine().find("\"connections\":0") != std::string::npos; }));
  }
  // How often the loop looked up in this time.
  int LooksWithin(Duration time) {
    Alarm alarm;
    int looks = 0;
    system.clock().Arm(alarm, system.clock().Now() + time);
    BOOST_REQUIRE(system.RunUntil([&] {
      ++looks;
      return alarm.rang;
    }));
    return looks;
  }
  bool Run(const std::function<bool()>& done) {
    Alarm alarm;
    system.clock().Arm(alarm, system.clock().Now() + std::chrono::seconds(30));
    const bool reached = system.RunUntil([&] { return alarm.rang || done(); }) && !alarm.rang;
    system.clock().Disarm(alarm);
    return reached;
  }

  os::LinuxSystem system;
  std::optional<app::Exporter> exporter;
  std::vector<std::unique_ptr<RawPeer>> peers;

 private:
  void OnDone(async::SocketConnect&, uint64_t) override { connected_ = true; }
  TempDir dir_;
  bool connected_ = false;
  uint32_t sequence_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(idle)

BOOST_AUTO_TEST_CASE(imported_devices_at_rest_wake_nobody) {
  Idle idle;
  for (uint32_t number = 1; number <= kDevicesCount; ++number) {
    idle.Plug();
    idle.Import(number);
  }
  (void)idle.LooksWithin(kIdleTime);  // what was begun ends

  const int looks = idle.LooksWithin(kIdleTime);

  // Before it sleeps, and when the alarm has rung: a few for each of the two.
  BOOST_TEST_MESSAGE("looks of the loop with 64 imported devices: " << looks);
  BOOST_TEST(looks <= 8);
  for (uint32_t number = 1; number <= kDevicesCount; ++number) {
    idle.Ask(*idle.peers[number - 1], number, kGetDevice, 18);
  }
}

BOOST_AUTO_TEST_CASE(a_device_at_rest_takes_little_memory) {
  Idle idle;
  idle.Plug();  // and what all of them share
  idle.Import(1);
  const int64_t live_before = BytesLive();
  for (uint32_t number = 2; number <= kDevicesCount + 1; ++number) idle.Plug();
  const int64_t plugged = (BytesLive() - live_before) / kDevicesCount;
  BOOST_TEST_MESSAGE("bytes of a device that is exported: " << plugged);
  BOOST_TEST(plugged > 0);
  BOOST_TEST(plugged < kDeviceBytesMax);
  // Of 64 connections one is taken already.
  for (uint32_t number = 2; number <= kDevicesCount; ++number) idle.Import(number);
  (void)idle.LooksWithin(kIdleTime);

  const int64_t imported = (BytesLive() - live_before) / (kDevicesCount - 1);
  BOOST_TEST_MESSAGE("bytes of one that is imported, its peer's included: " << imported);
  BOOST_TEST(imported > plugged);
  BOOST_TEST(imported < kDeviceBytesMax);

  // And gives it back.
  idle.Leave();
  const int64_t left = (BytesLive() - live_before) / kDevicesCount;
  BOOST_TEST_MESSAGE("bytes of one that was imported: " << left);
  BOOST_TEST(left < plugged + 4096);
}

BOOST_AUTO_TEST_SUITE_END()
