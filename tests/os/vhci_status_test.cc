#include "os/linux/vhci_status.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
namespace data = boost::unit_test::data;

namespace {

using enum PortState;
constexpr PortHub kHigh = PortHub::kHigh;
constexpr PortHub kSuper = PortHub::kSuper;

struct Row {
  const char* name;
  const char* text;
  std::vector<VirtualPort> ports;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

const std::vector<Row> kRows{
    {"nothing", "", {}},
    {"the header alone", "hub port sta spd dev      sockfd local_busid\n", {}},
    {"linux 6.12",
     "hub port sta spd dev      sockfd local_busid\n"
     "hs  0000 006 003 00010002 000006 3-1\n"
     "hs  0001 004 000 00000000 000000 0-0\n"
     "hs  0002 005 000 00000000 000000 0-0\n"
     "ss  0008 006 005 00ff0003 000112 4-1\n"
     "ss  0009 007 000 00000000 000000 0-0\n",
     {{.number = 0,
       .state = kUsed,
       .speed = usb::Speed::kHigh,
       .device_id = 0x10002,
       .name = "3-1"},
      {.number = 1},
      {.number = 2, .state = kAttached},
      {.number = 8,
       .hub = kSuper,
       .state = kUsed,
       .speed = usb::Speed::kSuper,
       .device_id = 0xff0003,
       .name = "4-1"},
      {.number = 9, .hub = kSuper, .state = kBroken}}},
    {"a later controller",
     "hub port sta spd dev      sockfd local_busid\n"
     "hs  0016 006 001 0000000a 000006 5-1.2\n",
     {{.number = 16, .state = kUsed, .speed = usb::Speed::kLow, .device_id = 10, .name = "5-1.2"}}},
    {"a controller that is not ready: 16 zeros",
     "hub port sta spd dev      sockfd local_busid\n"
     "hs  0000 005 000 00000000 0000000000000000 0-0\n"
     "ss  0008 005 000 00000000 0000000000000000 0-0\n",
     {{.number = 0, .hub = kHigh, .state = kNotReady},
      {.number = 8, .hub = kSuper, .state = kNotReady}}},
    {"linux 4.13, with a pointer for a socket",
     "hub port sta spd dev      socket           local_busid\n"
     "hs  0000 006 002 00010003 00000000c5a7bb80 1-1\n"
     "hs  0001 004 000 00000000 0000000000000000 0-0\n",
     {{.number = 0,
       .state = kUsed,
       .speed = usb::Speed::kFull,
       .device_id = 0x10003,
       .name = "1-1"},
      {.number = 1}}},
    {"linux 3.17, without hubs: free rows have a word more",
     "prt sta spd bus dev socket           local_busid\n"
     "000 006 003 00010002         c5a7bb80 3-1\n"
     "001 004 000 000 000 0000000000000000 0-0\n"
     "002 005 000 000 000 0000000000000000 0-0\n",
     {{.number = 0,
       .state = kUsed,
       .speed = usb::Speed::kHigh,
       .device_id = 0x10002,
       .name = "3-1"},
      {.number = 1},
      {.number = 2, .state = kAttached}}},
    {"a speed that is not known",
     "hs  0000 006 009 00010002 000006 3-1\n",
     {{.number = 0, .state = kUsed, .device_id = 0x10002, .name = "3-1"}}},
    {"without the last newline", "hs  0003 004 000 00000000 000000 0-0", {{.number = 3}}},
    {"empty lines", "\n\nhs  0003 004 000 00000000 000000 0-0\n\n", {{.number = 3}}},
};

const std::vector<std::string> kNonsense{
    "hs",
    "hs  0000 004 000 00000000",
    "hs  0000 004 000 00000000 0-0",
    "hs  xxxx 004 000 00000000 000000 0-0",
    "hs  -001 004 000 00000000 000000 0-0",
    "hs  99999999999 004 000 00000000 000000 0-0",
    "hs  0000 003 000 00000000 000000 0-0",
    "hs  0000 004 00x 00000000 000000 0-0",
    "hs  0000 004 000 0000000g 000000 0-0",
    "us  0000 004 000 00000000 000000 0-0",
    "hs  0000 006 003 00010002 000006 ../../../etc",
};

}  // namespace

BOOST_AUTO_TEST_SUITE(vhci_status)

BOOST_DATA_TEST_CASE(a_status_file_is_read, data::make(kRows), row) {
  std::vector<VirtualPort> ports;
  const Result<void, std::string> parsed = ParseVhciStatus(row.text, ports);
  BOOST_REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error()));
  BOOST_TEST((ports == row.ports));
}

BOOST_DATA_TEST_CASE(a_line_without_sense_is_told, data::make(kNonsense), line) {
  std::vector<VirtualPort> ports;
  const auto parsed =
      ParseVhciStatus("hs  0000 004 000 00000000 000000 0-0\n" + line + "\n", ports);
  BOOST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error() == line);
}

BOOST_AUTO_TEST_CASE(further_files_append) {
  std::vector<VirtualPort> ports;
  BOOST_TEST(ParseVhciStatus("hs  0000 004 000 00000000 000000 0-0\n", ports).has_value());
  BOOST_TEST(ParseVhciStatus("hs  0016 004 000 00000000 000000 0-0\n", ports).has_value());
  BOOST_REQUIRE(ports.size() == 2u);
  BOOST_TEST(ports[1].number == 16u);
}

BOOST_AUTO_TEST_SUITE_END()
