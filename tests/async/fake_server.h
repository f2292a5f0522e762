// A server that says what a test tells it to, and the client's links to it.
#pragma once

#include <boost/test/unit_test.hpp>

#include "async/usbip_bus.h"
#include "base/seeded.h"
#include "sim/pipes.h"
#include "tests/async/raw_peer.h"
#include "tests/sim/world_system.h"

namespace usbtwin::tests {

inline constexpr uint16_t kVersion = 0x0111;

inline Message Record(const std::string& bus_id, uint32_t speed = 3, size_t interfaces_count = 1) {
  wire::usbip::DeviceRecord record{};
  CopyBytes(record.path, TextBytes("/sys/somewhere"));
  CopyBytes(record.bus_id, TextBytes(bus_id));
  record.bus_number = 1;
  record.device_number = 2;
  record.speed = speed;
  record.interfaces_count = static_cast<uint8_t>(interfaces_count);
  return ToMessage(record);
}
inline const Message kGranted = OpMessage(kVersion, 3) + Record("1-1");

class FakeServer : private usb::Sink<async::SocketAccept>,
                   private usb::Sink<usb::OpenOp>,
                   private usb::TransferSink,
                   private Timer {
 public:
  explicit FakeServer(uint64_t seed = 1)
      : chooser(seed), world(chooser), pipes(world, {}), bus(world, pipes, "sim:server", {}) {
    auto made = pipes.Listen("sim:server");
    BOOST_REQUIRE(made.has_value());
    listener = std::move(*made);
    Accept();
  }
  ~FakeServer() {
    for (const auto& peer : peers) peer->Stop();
    listener->Cancel(accept_);
    BOOST_TEST(Run([this] {
      for (const auto& peer : peers) {
        if (!peer->idle()) return false;
      }
      return !accepting_;
    }));
    world.Disarm(*this);
  }
  template <class Done>
  bool Run(Done done) {
    return world.RunUntil(done, kStepsMax).has_value();
  }
  void Settle(Duration time) {
    settled_ = false;
    world.Arm(*this, world.Now() + time);
    BOOST_REQUIRE(Run([this] { return settled_; }));
  }
  // The peer of the next opening, once it has asked.
  RawPeer& NextPeer() {
    const size_t count = peers.size();
    open.id = {"1-1"};
    open.result = Error{};
    opened = false;
    open.Push(*this);
    bus.Open(open);
    BOOST_REQUIRE(Run([&] { return peers.size() > count && peers.back()->received.size() == 40; }));
    peers.back()->received.clear();
    return *peers.back();
  }
  // A link, and its other end.
  std::pair<usb::LinkStack, RawPeer*> Open() {
    RawPeer& peer = NextPeer();
    peer.Send(kGranted);
    BOOST_REQUIRE(Run([this] { return opened; }));
    BOOST_REQUIRE(open.result.has_value());
    return {std::move(*open.result), &peer};
  }
  void Submit(usb::Link& link, usb::Transfer& transfer, MutableBytes in) {
    transfer.endpoint = usb::EndpointAddress::In(1);
    transfer.in = in;
    transfer.in_length_max = static_cast<uint32_t>(in.size());
    transfer.Rearm();
    transfer.Push(*this);
    ++under_way;
    link.Submit(transfer);
  }
  void SubmitOut(usb::Link& link, usb::Transfer& transfer, Bytes out) {
    transfer.endpoint = usb::EndpointAddress::Out(2);
    transfer.out = out;
    transfer.Rearm();
    transfer.Push(*this);
    ++under_way;
    link.Submit(transfer);
  }

  Seeded chooser;
  sim::World world;
  sim::Pipes pipes;
  async::UsbIpBus bus;
  std::unique_ptr<async::Listener> listener;
  std::vector<std::unique_ptr<RawPeer>> peers;
  usb::OpenOp open;
  bool opened = false;
  int under_way = 0;

 private:
  void Accept() {
    accepting_ = true;
    accept_.outcome = async::SocketOutcome::kPending;
    accept_.Push(*this);
    listener->Accept(accept_);
  }
  void OnDone(async::SocketAccept& accept, uint64_t) override {
    accepting_ = false;
    if (accept.outcome != async::SocketOutcome::kOk) return;
    peers.push_back(std::make_unique<RawPeer>(std::move(accept.socket)));
    peers.back()->Listen();
    Accept();
  }
  void OnDone(usb::OpenOp&, uint64_t) override { opened = true; }
  void OnDone(usb::Transfer&, uint64_t) override { --under_way; }
  void HandleTimer() override { settled_ = true; }
  async::SocketAccept accept_;
  bool accepting_ = false;
  bool settled_ = false;
};

}  // namespace usbtwin::tests
