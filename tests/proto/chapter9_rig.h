// A device with two configurations, its engine brought to a state, and requests to it as bytes.
#pragma once

#include <boost/test/unit_test.hpp>

#include "base/overloaded.h"
#include "proto/chapter9.h"

namespace usbtwin::tests::requests {

inline std::vector<uint8_t> Copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Configuration 1: a disk, and a vendor's interface with isochronous and interrupt endpoints in its
// alternate setting 1; may wake its host. The two are one function.
inline constexpr auto kFirst =
    "09 02 4800 02 01 00 e0 32"
    "08 0b 00 02 08 06 50 00"
    "09 04 00 00 02 08 06 50 00  07 05 81 02 0002 00  07 05 02 02 0002 00"
    "09 04 01 00 00 ff 00 00 00"
    "09 04 01 01 02 ff 00 00 00  07 05 82 01 0001 01  07 05 83 03 0800 10"_hex;
// Configuration 5: nothing but an interface 3.
inline constexpr auto kSecond = "09 02 1200 01 05 00 c0 32  09 04 03 00 00 ff 00 00 00"_hex;
inline constexpr auto kDevice = "12 01 0002 00 00 00 40 1d6b 0401 0001 01 00 00 02"_hex;
inline constexpr auto kQualifier = "0a 06 0002 00 00 00 40 02 00"_hex;
inline constexpr auto kBos = "05 0f 0500 00"_hex;

// The model and its engine, brought to a state.
struct Rig {
  explicit Rig(usb::Speed speed, chapter9::State state = chapter9::State::kDefault) {
    configurations = {Copy(kFirst), Copy(kSecond)};
    other_speed = {Copy("09 07 0900 00 01 00 e0 32"_hex), Copy("09 07 0900 00 05 00 c0 32"_hex)};
    strings = {Copy("04 03 0904"_hex), Copy("04 03 4100"_hex), {}};
    for (const auto& blob : configurations) {
      trees.push_back(*usb::ParseConfiguration(blob));
      BOOST_REQUIRE(trees.back().defects.empty());
    }
    const bool super_speed = speed >= usb::Speed::kSuper;
    model = {.speed = speed,
             .self_powered = true,
             .latency_messages = true,
             .device = kDevice,
             .bos = kBos,
             .configurations = configurations,
             .strings = strings,
             .trees = trees};
    if (!super_speed) {
      model.qualifier = kQualifier;
      model.other_speed = other_speed;
    }
    if (state != chapter9::State::kDefault) BOOST_REQUIRE(Ask("00 05 0700 0000 0000"_hex) == "ack");
    if (state == chapter9::State::kConfigured) Ask("00 09 0100 0000 0000"_hex);
  }

  // What the engine does, as text: "disable 0.0, enable 0.1, ack".
  std::string Drain() {
    std::string text;
    while (const std::optional<chapter9::Action> action = engine.Poll()) {
      if (!text.empty()) text += ", ";
      text += std::visit([](const auto& one) { return Text(one); }, *action);
    }
    return text;
  }
  std::string Ask(const std::array<uint8_t, 8>& setup, Bytes out = {}) {
    engine.HandleSetup(*wire::View<usb::SetupPacket>(setup), out);
    return Drain();
  }

  static std::string Interface(size_t configuration, unsigned number,
                               const usb::Alternate* alternate) {
    return std::to_string(configuration) + ":" + std::to_string(number) + "." +
           std::to_string(alternate->setting);
  }
  static std::string Text(const chapter9::Send& send) {
    return send.data.size() > 2 ? "send " + std::to_string(send.data.size()) + " of type " +
                                      std::to_string(send.data[1])
                                : "send " + Hex(send.data, 0);
  }
  static std::string Text(const chapter9::SendHalt& send) {
    return "send halt " + Hex({&send.endpoint.value, 1});
  }
  static std::string Text(const chapter9::Acknowledge&) { return "ack"; }
  static std::string Text(const chapter9::Refuse&) { return "-"; }
  static std::string Text(const chapter9::AskFunction& ask) {
    return "ask " + std::to_string(ask.interface);
  }
  static std::string Text(const chapter9::DisableInterface& disable) {
    return "disable " +
           Interface(disable.configuration_index, disable.interface, disable.alternate);
  }
  static std::string Text(const chapter9::EnableInterface& enable) {
    return "enable " + Interface(enable.configuration_index, enable.interface, enable.alternate);
  }
  static std::string Text(const chapter9::SetHalt& halt) {
    return "halt " + Hex({&halt.endpoint.value, 1}) + " of " + std::to_string(halt.interface);
  }
  static std::string Text(const chapter9::ClearHalt& clear) {
    return "clear " + Hex({&clear.endpoint.value, 1}) + " of " + std::to_string(clear.interface);
  }
  static std::string Text(const chapter9::SuspendFunction& suspend) {
    return "suspend " + std::to_string(suspend.interface);
  }
  static std::string Text(const chapter9::ResumeFunction& resume) {
    return "resume " + std::to_string(resume.interface);
  }

  std::vector<std::vector<uint8_t>> configurations;
  std::vector<std::vector<uint8_t>> other_speed;
  std::vector<std::vector<uint8_t>> strings;
  std::vector<usb::Configuration> trees;
  chapter9::Model model;
  chapter9::DeviceEngine engine{model};
};

}  // namespace usbtwin::tests::requests
