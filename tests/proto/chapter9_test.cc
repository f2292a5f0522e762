#include "proto/chapter9.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/proto/chapter9_rig.h"

using namespace usbtwin;                   // NOLINT
using namespace usbtwin::tests::requests;  // NOLINT
using chapter9::State;

namespace {

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

BOOST_AUTO_TEST_SUITE_END()
