// A device of two functions with literal descriptors, and a controller that writes down what the
// device does to it: what the tests of Device start from.
#pragma once

#include <boost/test/unit_test.hpp>

#include "base/overloaded.h"
#include "emulator/device.h"

namespace usbtwin::tests {

using namespace usbtwin::emulator;  // NOLINT
using usb::Speed;

inline std::vector<uint8_t> Copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Writes down what the device does to it.
class Journal final : public Controller {
 public:
  explicit Journal(Speed speed) : speed_(speed) {}
  Speed speed() const override { return speed_; }
  void Enable(const usb::EndpointConfig& endpoint) override {
    Write("enable " + Hex({&endpoint.address.value, 1}) + "/" +
          std::to_string(endpoint.packet_size_max));
  }
  void Disable(usb::EndpointAddress endpoint) override {
    Write("disable " + Hex({&endpoint.value, 1}));
  }
  void Queue(usb::InRequest&) override { Write("queue in"); }
  void Queue(usb::OutRequest&) override { Write("queue out"); }
  void Release(usb::OutRequest&) override { Write("release"); }
  void CancelAll(usb::EndpointAddress) override { Write("cancel"); }
  void CancelStream(usb::EndpointAddress, uint16_t) override { Write("cancel stream"); }
  void SetHalt(usb::EndpointAddress endpoint, HaltState state) override {
    halts[endpoint.index()] = state;
    Write("halt " + Hex({&endpoint.value, 1}) + "=" + std::to_string(static_cast<int>(state)));
  }
  HaltState halt(usb::EndpointAddress endpoint) const override { return halts[endpoint.index()]; }
  void CompleteControl(ControlTicket ticket, ControlReply) override {
    Write("complete " + std::to_string(ticket));
  }
  void RemoteWakeup() override { Write("wake"); }

  void Write(const std::string& line) { lines += (lines.empty() ? "" : ", ") + line; }
  std::string Take() { return std::exchange(lines, {}); }

  std::array<HaltState, usb::kEndpointIndexCount> halts{};
  std::string lines;

 private:
  Speed speed_;
};

// A function of literal descriptors, which writes into the same journal.
class Scripted final : public Function {
 public:
  Scripted(std::string name, std::vector<std::vector<uint8_t>> by_speed,
           std::vector<std::string> strings)
      : name_(std::move(name)), by_speed_(std::move(by_speed)), strings_(std::move(strings)) {}

  Bytes descriptors(Speed speed) const override {
    const size_t index = std::min(static_cast<size_t>(speed), by_speed_.size() - 1);
    return by_speed_[index];
  }
  std::span<const std::string> strings() const override { return strings_; }
  void HandleBind(Controller& controller) override {
    journal_ = static_cast<Journal*>(&controller);
    journal_->Write(name_ + " bound");
  }
  ControlReply HandleControl(const ControlRequest& request) override {
    journal_->Write(name_ + " asked " + std::to_string(request.interface_index) + " " +
                    Hex(wire::AsBytes(request.setup), 0) + " ticket " +
                    std::to_string(request.ticket) + " out " + Hex(request.out, 0));
    return reply;
  }
  void HandleEvent(const BusEvent& event) override {
    journal_->Write(
        name_ + " " +
        std::visit(Overloaded{[](const InterfaceEnabled& enabled) {
                                std::string text = "gets " +
                                                   std::to_string(enabled.interface_index) + "." +
                                                   std::to_string(enabled.alternate_setting);
                                for (const usb::EndpointConfig& endpoint : enabled.endpoints) {
                                  text += " " + Hex({&endpoint.address.value, 1});
                                }
                                return text;
                              },
                              [](const InterfaceDisabled& disabled) {
                                return "loses " + std::to_string(disabled.interface_index);
                              },
                              [](const HaltCleared& cleared) {
                                return "cleared " + Hex({&cleared.endpoint.value, 1});
                              },
                              [](const Suspended&) { return std::string("suspended"); },
                              [](const Resumed&) { return std::string("resumed"); },
                              [](const BusReset&) { return std::string("reset"); }},
                   event));
  }

  ControlReply reply = ControlReply::Ack();

 private:
  std::string name_;
  std::vector<std::vector<uint8_t>> by_speed_;  // low, full, high, super, super-plus
  std::vector<std::string> strings_;
  Journal* journal_ = nullptr;
};

// One interface, bulk both ways; brings its companions at SuperSpeed.
inline const std::vector<std::vector<uint8_t>> kDisk{
    {},
    Copy("09 04 00 00 02 08 06 50 01  07 05 81 02 4000 00  07 05 01 02 4000 00"_hex),
    Copy("09 04 00 00 02 08 06 50 01  07 05 81 02 0002 00  07 05 01 02 0002 00"_hex),
    Copy("09 04 00 00 02 08 06 50 01"
         "07 05 81 02 0004 00  06 30 0f 00 0000  07 05 01 02 0004 00  06 30 0f 00 0000"_hex)};
// Two interfaces, the second with an alternate setting; class descriptors; no companions.
inline const std::vector<std::vector<uint8_t>> kModem{
    {},
    Copy("09 04 00 00 01 02 02 01 02  05 24 00 1001  07 05 81 03 0800 10"
         "09 04 01 00 00 0a 00 00 00"
         "09 04 01 01 02 0a 00 00 01  07 05 82 02 4000 00  07 05 01 02 4000 00"_hex),
    Copy("09 04 00 00 01 02 02 01 02  05 24 00 1001  07 05 81 03 0800 10"
         "09 04 01 00 00 0a 00 00 00"
         "09 04 01 01 02 0a 00 00 01  07 05 82 02 0002 00  07 05 01 02 0002 00"_hex),
    Copy("09 04 00 00 01 02 02 01 02  05 24 00 1001  07 05 81 03 0800 10"
         "09 04 01 00 00 0a 00 00 00"
         "09 04 01 01 02 0a 00 00 01  07 05 82 02 0004 00  07 05 01 02 0004 00"_hex)};

inline const std::vector<Speed> kAllSpeeds{Speed::kFull, Speed::kHigh, Speed::kSuper,
                                           Speed::kSuperPlus};

inline DeviceOptions AllSpeeds() {
  return {.device_version = 0x0123,
          .manufacturer = "M\xc3\xbcller",
          .product = "Both",
          .serial = "",
          .speeds = kAllSpeeds,
          .remote_wakeup = true,
          .power_ma = 600};
}

// A disk and a modem, at a speed, addressed.
struct Rig {
  explicit Rig(Speed speed, const DeviceOptions& options = AllSpeeds()) : journal(speed) {
    auto made = Device::Make(options, {{.value = 1, .name = "Main", .functions = {&disk, &modem}},
                                       {.value = 2, .functions = {&disk}}});
    BOOST_REQUIRE(made);
    device = std::move(*made);
    BOOST_REQUIRE(device->Bind(journal));
    Ask("00 05 0700 0000 0000"_hex);
    journal.Take();
  }
  void Configure() {
    BOOST_REQUIRE(Ask("00 09 0100 0000 0000"_hex) == "ack");
    journal.Take();
  }

  std::string Ask(const std::array<uint8_t, 8>& setup, Bytes out = {}, ControlTicket ticket = 1) {
    const ControlReply reply =
        device->HandleSetup(*wire::View<usb::SetupPacket>(setup), out, ticket);
    switch (reply.kind) {
      case ControlReply::Kind::kData: return Hex(reply.data, 0);
      case ControlReply::Kind::kAck: return "ack";
      case ControlReply::Kind::kStall: return "stall";
      case ControlReply::Kind::kLater: return "later";
    }
    return "?";
  }

  Journal journal;
  Scripted disk{"disk", kDisk, {"Disk"}};
  Scripted modem{"modem", kModem, {"Data", "Modem"}};
  std::unique_ptr<Device> device;
};

inline std::string Text(Bytes bytes) {
  return Hex(bytes, 0);
}

}  // namespace usbtwin::tests
