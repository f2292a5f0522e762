// A server whose device answers what the test says, and a peer whose socket the test is.
#pragma once

#include "tests/async/server_rig.h"
#include "tests/async/tight_socket.h"
#include "tests/link/scripted_link.h"

namespace usbtwin::tests {

// A device that does what the test says, exported as "1-1": bulk endpoints 1 (in) and 2 (out), an
// interrupt endpoint 3 (in) and isochronous ones 4 (in) and 5 (out).
class ScriptedBus final : public usb::Bus {
 public:
  explicit ScriptedBus(Clock& clock) : device(clock) {}
  Result<std::vector<usb::DeviceInfo>> Enumerate() override {
    return std::vector<usb::DeviceInfo>();
  }
  void Open(usb::OpenOp& op) override {
    usb::LinkStack stack;
    stack.top = &device;
    op.result = std::move(stack);
    device.clock.Post(op);
  }
  ScriptedLink device;
};

inline usb::Configuration Everything() {
  usb::Alternate alternate;
  const auto add = [&alternate](usb::EndpointAddress address, usb::TransferType type) {
    usb::EndpointConfig endpoint;
    endpoint.address = address;
    endpoint.type = type;
    endpoint.packet_size_max = 512;
    alternate.endpoints.push_back(endpoint);
  };
  add(usb::EndpointAddress::In(1), usb::TransferType::kBulk);
  add(usb::EndpointAddress::Out(2), usb::TransferType::kBulk);
  add(usb::EndpointAddress::In(3), usb::TransferType::kInterrupt);
  add(usb::EndpointAddress::In(4), usb::TransferType::kIsochronous);
  add(usb::EndpointAddress::Out(5), usb::TransferType::kIsochronous);
  usb::Interface interface;
  interface.alternates.push_back(alternate);
  usb::Configuration configuration;
  configuration.value = 1;
  configuration.interfaces.push_back(interface);
  return configuration;
}

// A server with that device, and the one peer that has imported and configured it.
struct Bench {
  explicit Bench(const async::UsbIpLimits& limits = {}) : rig(limits), bus(rig.world) {
    async::UsbIpExport exported;
    exported.device.bus_id = "1-1";
    exported.device.device_number = 2;
    exported.bus = &bus;
    exported.configurations.push_back(Everything());
    BOOST_REQUIRE(rig.server->Add(std::move(exported)).has_value());
    auto made = std::make_unique<TightSocket>(rig.world);
    socket = made.get();
    rig.server->Accept(std::move(made));
    socket->Take(SIZE_MAX / 2);
    socket->Say(ImportMessage("1-1") +
                SubmitMessage({.sequence = 1, .in = 0, .setup = kSetConfiguration}));
    AnswerPort();
    AnswerPort();  // the claim
    rig.Settle();
    BOOST_REQUIRE_EQUAL(socket->taken.size(), 320u + 48);
    socket->taken.clear();
    socket->places.clear();
  }
  ~Bench() {
    if (rig.server->connections_count() == 0) return;  // and with it the socket
    socket->Leave();
    rig.Settle();
    for (usb::Transfer* transfer : std::vector(bus.device.cancelled)) {
      bus.device.Finish(*transfer, usb::Outcome::kCancelled, 0);
    }
    if (rig.server->connections_count() != 0) AnswerPort();  // the reset
    BOOST_TEST(rig.Run([this] { return rig.server->connections_count() == 0; }));
  }
  void AnswerPort() {
    BOOST_REQUIRE(rig.Run([this] { return ports_answered < bus.device.ops.size(); }));
    bus.device.Finish(*bus.device.ops[ports_answered++], usb::Outcome::kOk);
  }
  usb::Transfer& NextTransfer(size_t count = 1) {
    BOOST_REQUIRE(rig.Run([&] { return bus.device.waiting.size() >= count; }));
    return *bus.device.waiting.back();
  }
  ServerRig rig;
  ScriptedBus bus;
  TightSocket* socket = nullptr;
  size_t ports_answered = 0;
};

}  // namespace usbtwin::tests
