// A server in a simulated world, with devices behind it, and peers that speak to it in bytes.
#pragma once

#include <boost/test/unit_test.hpp>

#include "app/decorated_bus.h"
#include "app/export_device.h"
#include "async/usbip_server.h"
#include "base/seeded.h"
#include "tests/async/raw_peer.h"
#include "tests/async/town.h"
#include "tests/sim/world_system.h"

namespace usbtwin::tests {

class ServerRig : private Timer {
 public:
  static constexpr char kAddress[] = "sim:usbip";

  explicit ServerRig(const async::UsbIpLimits& limits = {}, const sim::PipesOptions& pipes_in = {},
                     uint64_t seed = 1)
      : chooser(seed), world(chooser), system(world), town(world, pipes_in) {
    server.emplace(world, limits, [this](const std::string& line) { log.push_back(line); });
    auto listener = town.Listen(kAddress);
    BOOST_REQUIRE(listener.has_value());
    server->Serve(std::move(*listener), {});
  }
  ~ServerRig() {
    for (const auto& peer : peers) peer->Stop();
    server->Stop();
    BOOST_TEST(Run([this] { return server->idle() && PeersIdle(); }));
    world.Disarm(*this);
  }

  // A disk of its own; audited, so that a breach of the link's contract ends the test, but where
  // the Auditor's own work would be too much. Returns the bus id.
  std::string AddDisk(uint64_t size = 1 << 20, bool audit = true) {
    auto made = app::Twin::Make(system, OneDisk(size));
    BOOST_REQUIRE(made.has_value());
    twins.push_back(std::move(*made));
    buses.push_back(std::make_unique<app::DecoratedBus>(world, twins.back()->bus(),
                                                        app::Decorations{.audit = audit}));
    const std::string bus_id = "1-" + std::to_string(twins.size());
    app::ExportPlace place{.bus_id = bus_id};
    place.device_number = static_cast<uint32_t>(twins.size()) + 1;
    async::Job<Result<async::UsbIpExport>> job(
        world, app::DescribeExport(world, *buses.back(), twins.back()->id(), place));
    BOOST_REQUIRE(Run([&job] { return job.done(); }));
    auto exported = job.result();
    BOOST_REQUIRE(exported.has_value());
    exported->released = [this] { ++released_count; };
    BOOST_REQUIRE(server->Add(std::move(*exported)).has_value());
    return bus_id;
  }
  RawPeer& Connect(const std::string& from = "") {
    town.from = from;
    async::SocketConnect connect;
    Connected sink;
    connect.address = kAddress;
    connect.Push(sink);
    town.Connect(connect);
    BOOST_REQUIRE(Run([&sink] { return sink.done; }));
    BOOST_REQUIRE((connect.outcome == async::SocketOutcome::kOk));
    peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
    peers.back()->Listen();
    return *peers.back();
  }
  // A peer that has imported the device and heard so.
  RawPeer& ConnectAndImport(const std::string& bus_id) {
    RawPeer& peer = Connect();
    peer.Send(ImportMessage(bus_id));
    BOOST_REQUIRE(Run([&] { return peer.received.size() == 320 || peer.ended; }));
    BOOST_REQUIRE_EQUAL(peer.received.size(), 320u);
    peer.received.clear();
    return peer;
  }
  // One control transfer that reads the device descriptor: whether it came.
  bool Works(RawPeer& peer, uint32_t device_id, uint32_t sequence = 0x7000) {
    peer.received.clear();
    peer.Send(SubmitMessage(
        {.sequence = sequence, .length = 18, .setup = kGetDevice, .device_id = device_id}));
    const bool answered = Run([&] { return peer.received.size() >= 66 || peer.ended; });
    const bool right = answered && peer.received.size() == 66 && StatusIn(peer.received) == 0 &&
                       peer.received[49] == 1;
    peer.received.clear();
    return right;
  }
  // Whether the device can be imported anew and works.
  bool WorksAnew(const std::string& bus_id, uint32_t device_id) {
    RawPeer& peer = ConnectAndImport(bus_id);
    const bool works = Works(peer, device_id);
    Leave(peer);
    return works;
  }
  // SET_CONFIGURATION(1).
  void Configure(RawPeer& peer) {
    peer.Send(SubmitMessage({.sequence = 0x6000, .in = 0, .setup = kSetConfiguration}));
    BOOST_REQUIRE(Run([&] { return peer.received.size() >= 48 || peer.ended; }));
    BOOST_REQUIRE_EQUAL(peer.received.size(), 48u);
    BOOST_TEST(StatusIn(peer.received) == 0);
    peer.received.clear();
  }
  // Closes its end, and waits until the server is done with it.
  void Leave(RawPeer& peer) {
    const size_t count = server->connections_count();
    peer.Stop();
    BOOST_REQUIRE(Run([&peer] { return peer.idle(); }));
    const bool known = !peer.ended;
    peer.socket.reset();
    if (known) BOOST_TEST(Run([&] { return server->connections_count() < count; }));
  }
  template <class Done>
  bool Run(Done done) {
    return world.RunUntil(done, kStepsMax).has_value();
  }
  // Until nothing more happens at this time, and for so long.
  void Settle(Duration time = std::chrono::milliseconds(1)) {
    settled_ = false;
    world.Arm(*this, world.Now() + time);
    BOOST_REQUIRE(Run([this] { return settled_; }));
  }
  bool PeersIdle() const {
    for (const auto& peer : peers) {
      if (!peer->idle()) return false;
    }
    return true;
  }
  async::UsbIpDeviceStatus Status(size_t index = 0) const { return server->devices()[index]; }
  std::string LogText() const {
    std::string text;
    for (const std::string& line : log) text += line + "\n";
    return text;
  }

  Seeded chooser;
  sim::World world;
  WorldSystem system;
  std::vector<std::unique_ptr<app::Twin>> twins;
  std::vector<std::unique_ptr<app::DecoratedBus>> buses;
  Town town;
  std::vector<std::string> log;
  int released_count = 0;
  std::optional<async::UsbIpServer> server;
  std::vector<std::unique_ptr<RawPeer>> peers;

 private:
  struct Connected final : usb::Sink<async::SocketConnect> {
    void OnDone(async::SocketConnect&, uint64_t) override { done = true; }
    bool done = false;
  };
  void HandleTimer() override { settled_ = true; }
  bool settled_ = false;
};

}  // namespace usbtwin::tests
