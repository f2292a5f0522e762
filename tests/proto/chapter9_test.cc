#include "proto/chapter9.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "base/overloaded.h"

using namespace usbtwin;  // NOLINT
using chapter9::DeviceEngine;
using chapter9::Model;
using chapter9::State;

namespace {

std::vector<uint8_t> Copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Configuration 1: a disk, and a vendor's interface with isochronous and interrupt endpoints in its
// alternate setting 1; may wake its host. The two are one function.
constexpr auto kFirst =
    "09 02 4800 02 01 00 e0 32"
    "08 0b 00 02 08 06 50 00"
    "09 04 00 00 02 08 06 50 00  07 05 81 02 0002 00  07 05 02 02 0002 00"
    "09 04 01 00 00 ff 00 00 00"
    "09 04 01 01 02 ff 00 00 00  07 05 82 01 0001 01  07 05 83 03 0800 10"_hex;
// Configuration 5: nothing but an interface 3.
constexpr auto kSecond = "09 02 1200 01 05 00 c0 32  09 04 03 00 00 ff 00 00 00"_hex;
constexpr auto kDevice = "12 01 0002 00 00 00 40 1d6b 0401 0001 01 00 00 02"_hex;
constexpr auto kQualifier = "0a 06 0002 00 00 00 40 02 00"_hex;
constexpr auto kBos = "05 0f 0500 00"_hex;

// The model and its engine, brought to a state.
struct Rig {
  explicit Rig(usb::Speed speed, State state = State::kDefault) {
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
    if (state != State::kDefault) BOOST_REQUIRE(Ask("00 05 0700 0000 0000"_hex) == "ack");
    if (state == State::kConfigured) Ask("00 09 0100 0000 0000"_hex);
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
  Model model;
  DeviceEngine engine{model};
};

// One request and what comes of it in each state; "-" is a refusal.
struct Row {
  const char* name;
  std::array<uint8_t, 8> setup;
  const char* in_default;
  const char* in_address;
  const char* in_configured;
  std::vector<uint8_t> out{};
};
std::ostream& operator<<(std::ostream& stream, const Row& row) {
  return stream << row.name;
}

void Check(const Row& row, usb::Speed speed) {
  const auto answer = [&](State state) {
    Rig rig(speed, state);
    return rig.Ask(row.setup, row.out);
  };
  BOOST_TEST(answer(State::kDefault) == row.in_default);
  BOOST_TEST(answer(State::kAddress) == row.in_address);
  BOOST_TEST(answer(State::kConfigured) == row.in_configured);
}

constexpr const char* kDisableAll = "disable 0:0.0, disable 0:1.0, ack";
constexpr const char* kEnableAll = "enable 0:0.0, enable 0:1.0, ack";

const std::vector<Row> kHighSpeed{
    // GET_STATUS
    {"device status", "80 00 0000 0000 0200"_hex, "-", "send 0100", "send 0100"},
    {"device status with wValue", "80 00 0100 0000 0200"_hex, "-", "-", "-"},
    {"device status with wIndex", "80 00 0000 0100 0200"_hex, "-", "-", "-"},
    {"device status of one byte", "80 00 0000 0000 0100"_hex, "-", "-", "-"},
    {"device status the wrong way", "00 00 0000 0000 0000"_hex, "-", "-", "-"},
    {"interface status", "81 00 0000 0100 0200"_hex, "-", "-", "send 0000"},
    {"status of no interface", "81 00 0000 0200 0200"_hex, "-", "-", "-"},
    {"interface status with a high byte", "81 00 0000 0001 0200"_hex, "-", "-", "-"},
    {"endpoint status", "82 00 0000 8100 0200"_hex, "-", "-", "send halt 81"},
    {"status of endpoint zero out", "82 00 0000 0000 0200"_hex, "-", "send 0000", "send 0000"},
    {"status of endpoint zero in", "82 00 0000 8000 0200"_hex, "-", "send 0000", "send 0000"},
    {"status of the other direction", "82 00 0000 0100 0200"_hex, "-", "-", "-"},
    {"status of a setting not chosen", "82 00 0000 8300 0200"_hex, "-", "-", "-"},
    {"endpoint status with reserved bits", "82 00 0000 9100 0200"_hex, "-", "-", "-"},
    {"status of an unknown recipient", "83 00 0000 0000 0200"_hex, "-", "-", "-"},
    // CLEAR_FEATURE
    {"clear remote wakeup", "00 01 0100 0000 0000"_hex, "-", "ack", "ack"},
    {"clear remote wakeup with wIndex", "00 01 0100 0100 0000"_hex, "-", "-", "-"},
    {"clear remote wakeup with data", "00 01 0100 0000 0100"_hex, "-", "-", "-", {0}},
    {"clear test mode", "00 01 0200 0001 0000"_hex, "-", "-", "-"},
    {"clear no device feature", "00 01 0700 0000 0000"_hex, "-", "-", "-"},
    {"clear U1 below SuperSpeed", "00 01 3000 0000 0000"_hex, "-", "-", "-"},
    {"clear halt", "02 01 0000 8100 0000"_hex, "-", "-", "clear 81 of 0, ack"},
    {"clear halt of endpoint zero", "02 01 0000 0000 0000"_hex, "-", "ack", "ack"},
    {"clear halt of no endpoint", "02 01 0000 8400 0000"_hex, "-", "-", "-"},
    {"clear no endpoint feature", "02 01 0100 8100 0000"_hex, "-", "-", "-"},
    {"clear function suspend", "01 01 0000 0000 0000"_hex, "-", "-", "-"},
    {"clear the wrong way", "80 01 0100 0000 0000"_hex, "-", "-", "-"},
    // SET_FEATURE
    {"set remote wakeup", "00 03 0100 0000 0000"_hex, "-", "ack", "ack"},
    {"set test mode packet", "00 03 0200 0004 0000"_hex, "ack", "ack", "ack"},
    {"set test mode zero", "00 03 0200 0000 0000"_hex, "-", "-", "-"},
    {"set test mode force enable", "00 03 0200 0005 0000"_hex, "-", "-", "-"},
    {"set test mode with a low byte", "00 03 0200 0104 0000"_hex, "-", "-", "-"},
    {"set halt", "02 03 0000 0200 0000"_hex, "-", "-", "halt 02 of 0, ack"},
    {"set halt of endpoint zero", "02 03 0000 0000 0000"_hex, "-", "-", "-"},
    {"set halt of no endpoint", "02 03 0000 0300 0000"_hex, "-", "-", "-"},
    {"set halt with reserved bits", "02 03 0000 8101 0000"_hex, "-", "-", "-"},
    {"set function suspend", "01 03 0000 0001 0000"_hex, "-", "-", "-"},
    {"set the wrong way", "82 03 0000 0200 0000"_hex, "-", "-", "-"},
    // SET_ADDRESS
    {"set address", "00 05 7f00 0000 0000"_hex, "ack", "ack", "-"},
    {"set address zero", "00 05 0000 0000 0000"_hex, "ack", "ack", "-"},
    {"set address 128", "00 05 8000 0000 0000"_hex, "-", "-", "-"},
    {"set address with wIndex", "00 05 0300 0100 0000"_hex, "-", "-", "-"},
    {"set address with data", "00 05 0300 0000 0100"_hex, "-", "-", "-", {0}},
    {"set address of an interface", "01 05 0300 0000 0000"_hex, "-", "-", "-"},
    // GET_DESCRIPTOR
    {"device descriptor", "80 06 0001 0000 1200"_hex, "send 18 of type 1", "send 18 of type 1",
     "send 18 of type 1"},
    {"eight bytes of it", "80 06 0001 0000 0800"_hex, "send 18 of type 1", "send 18 of type 1",
     "send 18 of type 1"},  // the controller cuts
    {"device descriptor 1", "80 06 0101 0000 1200"_hex, "-", "-", "-"},
    {"configuration 0", "80 06 0002 0000 ffff"_hex, "send 72 of type 2", "send 72 of type 2",
     "send 72 of type 2"},
    {"configuration 1", "80 06 0102 0000 0900"_hex, "send 18 of type 2", "send 18 of type 2",
     "send 18 of type 2"},
    {"configuration 2", "80 06 0202 0000 0900"_hex, "-", "-", "-"},
    {"languages", "80 06 0003 0000 ff00"_hex, "send 4 of type 3", "send 4 of type 3",
     "send 4 of type 3"},
    {"string 1", "80 06 0103 0904 ff00"_hex, "send 4 of type 3", "send 4 of type 3",
     "send 4 of type 3"},
    {"string 1 in German", "80 06 0103 0704 ff00"_hex, "-", "-", "-"},
    {"string without language", "80 06 0103 0000 ff00"_hex, "-", "-", "-"},
    {"string that is not there", "80 06 0203 0904 ff00"_hex, "-", "-", "-"},
    {"string beyond the last", "80 06 ee03 0904 ff00"_hex, "-", "-", "-"},
    {"qualifier", "80 06 0006 0000 0a00"_hex, "send 10 of type 6", "send 10 of type 6",
     "send 10 of type 6"},
    {"other speed", "80 06 0107 0000 0900"_hex, "send 9 of type 7", "send 9 of type 7",
     "send 9 of type 7"},
    {"other speed beyond the last", "80 06 0207 0000 0900"_hex, "-", "-", "-"},
    {"store", "80 06 000f 0000 0500"_hex, "send 5 of type 15", "send 5 of type 15",
     "send 5 of type 15"},
    {"interface descriptor", "80 06 0004 0000 0900"_hex, "-", "-", "-"},
    {"endpoint descriptor", "80 06 0005 0000 0700"_hex, "-", "-", "-"},
    {"unknown descriptor", "80 06 0042 0000 0700"_hex, "-", "-", "-"},
    {"a class's descriptor", "81 06 0022 0100 4000"_hex, "-", "-", "ask 1"},
    {"a class's descriptor of no interface", "81 06 0022 0300 4000"_hex, "-", "-", "-"},
    {"an endpoint's descriptor", "82 06 0005 8100 0700"_hex, "-", "-", "-"},
    {"descriptor the wrong way", "00 06 0001 0000 0000"_hex, "-", "-", "-"},
    // SET_DESCRIPTOR
    {"set descriptor", "00 07 0001 0000 0100"_hex, "-", "-", "-", {0}},
    // GET_CONFIGURATION
    {"get configuration", "80 08 0000 0000 0100"_hex, "-", "send 00", "send 01"},
    {"get configuration of two bytes", "80 08 0000 0000 0200"_hex, "-", "-", "-"},
    {"get configuration with wValue", "80 08 0100 0000 0100"_hex, "-", "-", "-"},
    {"get configuration with wIndex", "80 08 0000 0100 0100"_hex, "-", "-", "-"},
    {"get configuration of an interface", "81 08 0000 0000 0100"_hex, "-", "-", "-"},
    // SET_CONFIGURATION
    {"set configuration", "00 09 0100 0000 0000"_hex, "-", kEnableAll,
     "disable 0:0.0, disable 0:1.0, enable 0:0.0, enable 0:1.0, ack"},
    {"set another", "00 09 0500 0000 0000"_hex, "-", "enable 1:3.0, ack",
     "disable 0:0.0, disable 0:1.0, enable 1:3.0, ack"},
    {"set configuration 0", "00 09 0000 0000 0000"_hex, "-", "ack", kDisableAll},
    {"set one that is not there", "00 09 0200 0000 0000"_hex, "-", "-", "-"},
    {"set with a high byte", "00 09 0101 0000 0000"_hex, "-", "-", "-"},
    {"set with wIndex", "00 09 0100 0100 0000"_hex, "-", "-", "-"},
    {"set with data", "00 09 0100 0000 0100"_hex, "-", "-", "-", {0}},
    {"set configuration of an interface", "01 09 0100 0000 0000"_hex, "-", "-", "-"},
    // GET_INTERFACE
    {"get interface", "81 0a 0000 0100 0100"_hex, "-", "-", "send 00"},
    {"get no interface", "81 0a 0000 0200 0100"_hex, "-", "-", "-"},
    {"get interface with wValue", "81 0a 0100 0100 0100"_hex, "-", "-", "-"},
    {"get interface of two bytes", "81 0a 0000 0100 0200"_hex, "-", "-", "-"},
    {"get interface of the device", "80 0a 0000 0100 0100"_hex, "-", "-", "-"},
    // SET_INTERFACE
    {"set interface", "01 0b 0100 0100 0000"_hex, "-", "-", "disable 0:1.0, enable 0:1.1, ack"},
    {"set the setting it has", "01 0b 0000 0000 0000"_hex, "-", "-",
     "disable 0:0.0, enable 0:0.0, ack"},
    {"set a setting it has not", "01 0b 0200 0100 0000"_hex, "-", "-", "-"},
    {"set a setting past 255", "01 0b 0101 0100 0000"_hex, "-", "-", "-"},
    {"set no interface", "01 0b 0000 0300 0000"_hex, "-", "-", "-"},
    {"set interface with data", "01 0b 0100 0100 0100"_hex, "-", "-", "-", {0}},
    {"set interface of the device", "00 0b 0100 0100 0000"_hex, "-", "-", "-"},
    // SYNCH_FRAME
    {"synch frame of a bulk endpoint", "82 0c 0000 8100 0200"_hex, "-", "-", "-"},
    {"synch frame of a setting not chosen", "82 0c 0000 8200 0200"_hex, "-", "-", "-"},
    // SuperSpeed's own
    {"set sel", "00 30 0000 0000 0600"_hex, "-", "-", "-", {1, 2, 3, 4, 5, 6}},
    {"set isoch delay", "00 31 2800 0000 0000"_hex, "-", "-", "-"},
    // What is nobody's
    {"standard request 2", "80 02 0000 0000 0200"_hex, "-", "-", "-"},
    {"standard request 255", "00 ff 0000 0000 0000"_hex, "-", "-", "-"},
    {"reserved type", "e0 06 0001 0000 1200"_hex, "-", "-", "-"},
    {"data shorter than wLength", "21 09 0002 0000 0300"_hex, "-", "-", "-", {1, 2}},
    {"data longer than wLength", "21 09 0002 0000 0100"_hex, "-", "-", "-", {1, 2}},
    // Class and vendor
    {"class request", "a1 fe 0000 0000 0100"_hex, "-", "-", "ask 0"},
    {"class request with an entity", "a1 82 0001 0105 0100"_hex, "-", "-", "ask 1"},
    {"class request to no interface", "a1 fe 0000 0200 0100"_hex, "-", "-", "-"},
    {"class request with data", "21 09 0002 0100 0200"_hex, "-", "-", "ask 1", {1, 2}},
    {"class request to an endpoint", "22 01 0001 8100 0000"_hex, "-", "-", "ask 0"},
    {"class request to no endpoint", "22 01 0001 8400 0000"_hex, "-", "-", "-"},
    {"class request to endpoint zero", "22 01 0001 0000 0000"_hex, "-", "-", "-"},
    {"class request to the device", "a0 fe 0000 0000 0100"_hex, "-", "-", "-"},
    {"class request to a port", "23 03 0400 0100 0000"_hex, "-", "-", "-"},
    {"vendor request", "c1 01 0000 0100 0400"_hex, "-", "-", "ask 1"},
    {"vendor request to the device", "40 01 0000 0000 0000"_hex, "-", "-", "-"},
};

const std::vector<Row> kSuperSpeed{
    {"device status", "80 00 0000 0000 0200"_hex, "-", "send 0100", "send 0100"},
    {"status of the first interface", "81 00 0000 0000 0200"_hex, "-", "-", "send 0100"},
    {"status of the second", "81 00 0000 0100 0200"_hex, "-", "-", "send 0000"},
    {"set remote wakeup", "00 03 0100 0000 0000"_hex, "-", "-", "-"},
    {"set test mode", "00 03 0200 0004 0000"_hex, "-", "-", "-"},
    {"set U1", "00 03 3000 0000 0000"_hex, "-", "-", "ack"},
    {"set U2", "00 03 3100 0000 0000"_hex, "-", "-", "ack"},
    {"set LTM", "00 03 3200 0000 0000"_hex, "-", "-", "ack"},
    {"set U1 with wIndex", "00 03 3000 0100 0000"_hex, "-", "-", "-"},
    {"clear U1", "00 01 3000 0000 0000"_hex, "-", "-", "ack"},
    {"clear U2", "00 01 3100 0000 0000"_hex, "-", "-", "ack"},
    {"clear LTM", "00 01 3200 0000 0000"_hex, "-", "-", "ack"},
    {"no such feature", "00 03 3300 0000 0000"_hex, "-", "-", "-"},
    {"suspend a function", "01 03 0000 0001 0000"_hex, "-", "-", "suspend 0, ack"},
    {"suspend and let it wake", "01 03 0000 0003 0000"_hex, "-", "-", "suspend 0, ack"},
    {"suspend with reserved options", "01 03 0000 0004 0000"_hex, "-", "-", "-"},
    {"suspend not the first interface", "01 03 0000 0101 0000"_hex, "-", "-", "-"},
    {"suspend no function", "01 03 0000 0701 0000"_hex, "-", "-", "-"},
    {"resume what does not sleep", "01 03 0000 0000 0000"_hex, "-", "-", "ack"},
    {"clear function suspend", "01 01 0000 0000 0000"_hex, "-", "-", "ack"},
    {"no interface feature", "01 03 0100 0000 0000"_hex, "-", "-", "-"},
    {"qualifier", "80 06 0006 0000 0a00"_hex, "-", "-", "-"},
    {"other speed", "80 06 0007 0000 0900"_hex, "-", "-", "-"},
    {"store", "80 06 000f 0000 0500"_hex, "send 5 of type 15", "send 5 of type 15",
     "send 5 of type 15"},
    {"set sel", "00 30 0000 0000 0600"_hex, "-", "ack", "ack", {1, 2, 3, 4, 5, 6}},
    {"set sel of five bytes", "00 30 0000 0000 0500"_hex, "-", "-", "-", {1, 2, 3, 4, 5}},
    {"set sel with wValue", "00 30 0100 0000 0600"_hex, "-", "-", "-", {1, 2, 3, 4, 5, 6}},
    {"set sel with wIndex", "00 30 0000 0100 0600"_hex, "-", "-", "-", {1, 2, 3, 4, 5, 6}},
    {"set sel without its data", "00 30 0000 0000 0600"_hex, "-", "-", "-"},
    {"set isoch delay", "00 31 2800 0000 0000"_hex, "ack", "ack", "ack"},
    {"set isoch delay with wIndex", "00 31 2800 0100 0000"_hex, "-", "-", "-"},
    {"set isoch delay with data", "00 31 2800 0000 0100"_hex, "-", "-", "-", {0}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(chapter9_engine)

BOOST_DATA_TEST_CASE(at_high_speed, boost::unit_test::data::make(kHighSpeed), row) {
  Check(row, usb::Speed::kHigh);
}

BOOST_DATA_TEST_CASE(at_super_speed, boost::unit_test::data::make(kSuperSpeed), row) {
  Check(row, usb::Speed::kSuper);
}

BOOST_AUTO_TEST_CASE(an_address_leads_from_state_to_state) {
  Rig rig(usb::Speed::kHigh);
  BOOST_TEST((rig.engine.state() == State::kDefault));
  rig.Ask("00 05 0700 0000 0000"_hex);
  BOOST_TEST((rig.engine.state() == State::kAddress));
  BOOST_TEST(rig.engine.address() == 7);
  rig.Ask("00 05 0900 0000 0000"_hex);
  BOOST_TEST(rig.engine.address() == 9);
  rig.Ask("00 05 0000 0000 0000"_hex);
  BOOST_TEST((rig.engine.state() == State::kDefault));
}

BOOST_AUTO_TEST_CASE(a_refused_configuration_leaves_the_old_one) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  BOOST_TEST(rig.Ask("00 09 0200 0000 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "send 01");
  BOOST_TEST(rig.Ask("00 09 0500 0000 0000"_hex) ==
             "disable 0:0.0, disable 0:1.0, enable 1:3.0, ack");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "send 05");
  BOOST_TEST(rig.Ask("82 00 0000 8100 0200"_hex) == "-");
  BOOST_TEST(rig.Ask("00 09 0000 0000 0000"_hex) == "disable 1:3.0, ack");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "send 00");
}

BOOST_AUTO_TEST_CASE(an_alternate_setting_brings_its_endpoints) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("01 0b 0100 0100 0000"_hex);
  BOOST_TEST(rig.Ask("81 0a 0000 0100 0100"_hex) == "send 01");
  BOOST_TEST(rig.Ask("82 00 0000 8300 0200"_hex) == "send halt 83");
  BOOST_TEST(rig.Ask("02 03 0000 8300 0000"_hex) == "halt 83 of 1, ack");
  // An isochronous endpoint cannot halt, but may have a pattern.
  BOOST_TEST(rig.Ask("02 03 0000 8200 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("02 01 0000 8200 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("82 0c 0000 8200 0200"_hex) == "ask 1");
  BOOST_TEST(rig.Ask("82 0c 0100 8200 0200"_hex) == "-");
  BOOST_TEST(rig.Ask("82 0c 0000 8200 0100"_hex) == "-");
  BOOST_TEST(rig.Ask("82 0c 0000 8300 0200"_hex) == "-");
  // Another SET_CONFIGURATION begins with alternate setting 0 again.
  BOOST_TEST(rig.Ask("00 09 0100 0000 0000"_hex) ==
             "disable 0:0.0, disable 0:1.1, enable 0:0.0, enable 0:1.0, ack");
}

BOOST_AUTO_TEST_CASE(remote_wakeup_needs_the_hosts_leave_and_sleep) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.engine.HandleSuspend();
  BOOST_TEST(!rig.engine.may_wake());
  rig.engine.HandleResume();
  rig.Ask("00 03 0100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0300");
  BOOST_TEST(!rig.engine.may_wake());
  rig.engine.HandleSuspend();
  BOOST_TEST(rig.engine.suspended());
  BOOST_TEST(rig.engine.may_wake());
  rig.engine.HandleResume();
  rig.Ask("00 01 0100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0100");
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_wake_refuses_the_feature) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("00 09 0500 0000 0000"_hex);
  BOOST_TEST(rig.Ask("00 03 0100 0000 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("00 01 0100 0000 0000"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(functions_sleep_and_wake_at_super_speed) {
  Rig rig(usb::Speed::kSuper, State::kConfigured);
  BOOST_TEST(rig.Ask("01 03 0000 0003 0000"_hex) == "suspend 0, ack");
  BOOST_TEST(rig.Ask("81 00 0000 0000 0200"_hex) == "send 0300");
  BOOST_TEST(rig.Ask("01 03 0000 0003 0000"_hex) == "ack");
  rig.engine.HandleSuspend();
  BOOST_TEST(rig.engine.may_wake());
  rig.engine.HandleResume();
  BOOST_TEST(rig.Ask("01 03 0000 0000 0000"_hex) == "resume 0, ack");
  BOOST_TEST(rig.Ask("81 00 0000 0000 0200"_hex) == "send 0100");
  rig.engine.HandleSuspend();
  BOOST_TEST(!rig.engine.may_wake());
  rig.engine.HandleResume();
  BOOST_TEST(rig.Ask("01 03 0000 0001 0000"_hex) == "suspend 0, ack");
  BOOST_TEST(rig.Ask("01 01 0000 0000 0000"_hex) == "resume 0, ack");
  // Where the configuration cannot wake, its functions cannot either.
  rig.Ask("00 09 0500 0000 0000"_hex);
  BOOST_TEST(rig.Ask("01 03 0000 0302 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("01 03 0000 0301 0000"_hex) == "suspend 3, ack");
  BOOST_TEST(rig.Ask("81 00 0000 0300 0200"_hex) == "send 0000");
}

BOOST_AUTO_TEST_CASE(link_power_features_show_and_end_with_the_configuration) {
  Rig rig(usb::Speed::kSuper, State::kConfigured);
  rig.Ask("00 03 3000 0000 0000"_hex);
  rig.Ask("00 03 3100 0000 0000"_hex);
  rig.Ask("00 03 3200 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 1d00");
  rig.Ask("00 01 3100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 1500");
  rig.Ask("00 09 0100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0100");
}

BOOST_AUTO_TEST_CASE(latency_messages_are_refused_where_they_are_not_offered) {
  Rig rig(usb::Speed::kSuper, State::kConfigured);
  rig.model.latency_messages = false;
  BOOST_TEST(rig.Ask("00 03 3200 0000 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("00 01 3200 0000 0000"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(exit_latencies_and_delay_are_kept_until_reset) {
  Rig rig(usb::Speed::kSuper, State::kAddress);
  rig.Ask("00 30 0000 0000 0600"_hex, "0a 05 0002 0001"_hex);
  rig.Ask("00 31 2800 0000 0000"_hex);
  BOOST_TEST((rig.engine.exit_latencies() == chapter9::ExitLatencies{10, 5, 512, 256}));
  BOOST_TEST(rig.engine.isochronous_delay_ns() == 40);
  rig.engine.HandleBusReset();
  BOOST_TEST((rig.engine.exit_latencies() == chapter9::ExitLatencies{}));
  BOOST_TEST(rig.engine.isochronous_delay_ns() == 0);
}

BOOST_AUTO_TEST_CASE(a_bus_reset_takes_everything_back) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("00 03 0100 0000 0000"_hex);
  rig.Ask("01 0b 0100 0100 0000"_hex);
  rig.engine.HandleSuspend();
  rig.engine.HandleBusReset();
  BOOST_TEST(rig.Drain() == "disable 0:0.0, disable 0:1.1");
  BOOST_TEST((rig.engine.state() == State::kDefault));
  BOOST_TEST(rig.engine.address() == 0);
  BOOST_TEST(!rig.engine.suspended());
  rig.Ask("00 05 0700 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0100");
}

BOOST_AUTO_TEST_CASE(test_mode_ends_with_the_power) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("00 03 0200 0004 0000"_hex);
  BOOST_TEST(rig.engine.test_mode() == 4);
  BOOST_TEST(rig.Ask("80 06 0001 0000 1200"_hex) == "-");
  rig.engine.HandleBusReset();
  BOOST_TEST(rig.Drain() == "disable 0:0.0, disable 0:1.0");
  BOOST_TEST(rig.Ask("80 06 0001 0000 1200"_hex) == "-");
  rig.engine.HandleDisconnect();
  BOOST_TEST(rig.Drain() == "");
  BOOST_TEST(rig.Ask("80 06 0001 0000 1200"_hex) == "send 18 of type 1");
}

BOOST_AUTO_TEST_CASE(there_is_no_test_mode_below_high_speed) {
  Rig rig(usb::Speed::kFull, State::kConfigured);
  BOOST_TEST(rig.Ask("00 03 0200 0004 0000"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(what_the_model_lacks_is_refused) {
  Rig rig(usb::Speed::kFull, State::kAddress);
  rig.model.qualifier = {};
  rig.model.other_speed = {};
  rig.model.bos = {};
  rig.model.strings = {};
  BOOST_TEST(rig.Ask("80 06 0006 0000 0a00"_hex) == "-");
  BOOST_TEST(rig.Ask("80 06 0007 0000 0900"_hex) == "-");
  BOOST_TEST(rig.Ask("80 06 000f 0000 0500"_hex) == "-");
  BOOST_TEST(rig.Ask("80 06 0003 0000 ff00"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(every_setup_is_answered_exactly_once) {
  // Every request type and request, with a few values each, in every state.
  for (const State state : {State::kDefault, State::kAddress, State::kConfigured}) {
    Rig rig(usb::Speed::kSuper, state);
    for (unsigned type = 0; type < 256; ++type) {
      for (unsigned request = 0; request < 64; ++request) {
        for (const uint32_t value : {0x0000u, 0x0001u, 0x0002u, 0x0100u, 0x0300u, 0xffffu}) {
          const usb::SetupPacket setup{.request_type = static_cast<uint8_t>(type),
                                       .request = static_cast<uint8_t>(request),
                                       .value = static_cast<uint16_t>(value),
                                       .index = static_cast<uint16_t>(value),
                                       .length = uint16_t{0}};
          rig.engine.HandleSetup(setup, {});
          size_t answers = 0;
          while (const std::optional<chapter9::Action> action = rig.engine.Poll()) {
            answers += std::holds_alternative<chapter9::Send>(*action) ||
                       std::holds_alternative<chapter9::SendHalt>(*action) ||
                       std::holds_alternative<chapter9::Acknowledge>(*action) ||
                       std::holds_alternative<chapter9::Refuse>(*action) ||
                       std::holds_alternative<chapter9::AskFunction>(*action);
          }
          if (answers != 1) BOOST_FAIL("setup " << Hex(wire::AsBytes(setup)));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
