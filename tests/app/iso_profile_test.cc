// Profiles with isochronous loopback functions.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "app/config.h"
#include "app/twin.h"
#include "tests/app/manual_system.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::app;  // NOLINT
using emulator::FunctionProfile;
using emulator::IsoLoopbackOptions;

namespace {

const std::string kIso = "[[function]]\nkind = \"iso-loopback\"\n";
const std::string kUnit = "[[unit]]\nsize = \"1M\"\n";

struct BadCase {
  const char* name;
  std::string text;
  std::string told;
};
std::ostream& operator<<(std::ostream& out, const BadCase& c) {
  return out << c.name;
}
const BadCase kBad[] = {
    {"packets too small", kIso + "packet_size = 15\n",
     "p:3: key 'function.packet_size': 15 is not within 16 to 1024"},
    {"packets too large", kIso + "packet_size = 1025\n",
     "p:3: key 'function.packet_size': 1025 is not within 16 to 1024"},
    {"packets too large for full speed", "speed = \"full\"\n" + kIso + "packet_size = 1024\n",
     "p:4: key 'function.packet_size': 1024 is not within 16 to 1023"},
    {"several packets at full speed", "speed = \"full\"\n" + kIso + "transactions = 2\n",
     "p:4: key 'function.transactions': 2 is not within 1 to 1"},
    {"two small packets in an interval", kIso + "packet_size = 512\ntransactions = 2\n",
     "p:3: key 'function.packet_size': 512 bytes, but an endpoint with 2 packets in an interval "
     "has at least 513 in each"},
    {"three small packets in an interval", kIso + "packet_size = 682\ntransactions = 3\n",
     "p:3: key 'function.packet_size': 682 bytes, but an endpoint with 3 packets in an interval "
     "has at least 683 in each"},
    {"no interval", kIso + "interval = 0\n",
     "p:3: key 'function.interval': 0 is not within 1 to 16"},
    {"units", kUnit + kIso + "units = [0]\n",
     "p:5: key 'function.units': unknown; known are kind, packet_size, transactions, interval, "
     "name, configuration"},
    {"packets of a bot function", kUnit + "[[function]]\npacket_size = 512\n",
     "p:4: key 'function.packet_size': unknown; known are kind, class, units, name, quirks, "
     "configuration"},
    {"a bot function without units", kIso + "[[function]]\nkind = \"bot\"\n",
     "p:1: key 'unit': 0 tables [[unit]], 1 to 16 are possible"},
    {"too many units that nobody needs",
     [] {
       std::string text = kIso;
       for (int count = 0; count < 17; ++count) text += kUnit;
       return text;
     }(),
     "p:3: key 'unit': 17 tables [[unit]], at most 16 are possible"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(iso_profile)

BOOST_AUTO_TEST_CASE(every_key_is_read) {
  const auto profile = ParseProfile(kIso +
                                        "packet_size = 1000\ntransactions = 3\ninterval = 1\n"
                                        "name = \"Loop\"\nconfiguration = 2\n",
                                    "p");
  BOOST_REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().text));
  BOOST_TEST(profile->units.empty());
  BOOST_REQUIRE(profile->configurations.size() == 1u);
  BOOST_TEST(profile->configurations[0].value == 2);
  const FunctionProfile& function = profile->configurations[0].functions.at(0);
  BOOST_TEST((function.kind == FunctionProfile::Kind::kIsoLoopback));
  BOOST_TEST(function.iso_loopback.packet_size == 1000);
  BOOST_TEST(function.iso_loopback.transactions == 3);
  BOOST_TEST(function.iso_loopback.interval == 1);
  BOOST_TEST(function.iso_loopback.name == "Loop");
}

BOOST_AUTO_TEST_CASE(every_key_can_be_left_out) {
  const auto profile = ParseProfile("speed = \"full\"\n" + kIso, "p");
  BOOST_REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().text));
  const IsoLoopbackOptions& options = profile->configurations[0].functions[0].iso_loopback;
  BOOST_TEST(options.packet_size == IsoLoopbackOptions().packet_size);
  BOOST_TEST(options.transactions == 1);
}

BOOST_DATA_TEST_CASE(what_cannot_be_is_refused, kBad, c) {
  const auto profile = ParseProfile(c.text, "p");
  BOOST_REQUIRE(!profile);
  BOOST_TEST(profile.error().text == c.told);
}

BOOST_AUTO_TEST_CASE(a_twin_can_have_a_disk_beside_it) {
  tests::ManualSystem system;
  auto profile = ParseProfile(kUnit + "[[function]]\n" + kIso, "p");
  BOOST_REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().text));
  const auto twin = Twin::Make(system, std::move(*profile));
  BOOST_REQUIRE(twin);
  BOOST_TEST((*twin)->IsInMemory({.interface_number = 0}));
  BOOST_TEST(!(*twin)->IsInMemory({.interface_number = 1}));
}

BOOST_AUTO_TEST_SUITE_END()
