#include "app/device_string.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "emulator/memory_store.h"

namespace app = usbtwin::app;
namespace usb = usbtwin::usb;
namespace data = boost::unit_test::data;

namespace {

struct Good {
  const char* text;
  app::DeviceString meaning;
};
std::ostream& operator<<(std::ostream& out, const Good& good) {
  return out << good.text;
}

const Good kGood[] = {
    {"1234:5678", app::UsbIds{0x1234, 0x5678}},
    {"ABCD:00ff", app::UsbIds{0xabcd, 0x00ff}},
    {"0x1234:0x5678", app::UsbIds{0x1234, 0x5678}},
    {"0x1:0X2", app::UsbIds{1, 2}},
    {"0x781:5581", app::UsbIds{0x0781, 0x5581}},
    {"0003:0007", app::UsbIds{3, 7}},  // four digits each: ids, not bus and address
    {"3:7", app::UsbAddress{3, 7}},
    {"003:007", app::UsbAddress{3, 7}},
    {"/dev/bus/usb/003/127", app::UsbAddress{3, 127}},
    {"emu:disk.img", app::EmulatedDisk{.image_path = "disk.img"}},
    {"emu:/a b/disk.img?", app::EmulatedDisk{.image_path = "/a b/disk.img"}},
    {"emu:./bot", app::EmulatedDisk{.image_path = "./bot"}},
    {"emu:odd?name?", app::EmulatedDisk{.image_path = "odd?name"}},
    {"emu:odd?name?ro=1", app::EmulatedDisk{.image_path = "odd?name", .read_only = true}},
    {"emu:d.img?block=4096&speed=super&ro=1&removable=yes",
     app::EmulatedDisk{.image_path = "d.img",
                       .block_size = 4096,
                       .speed = usb::Speed::kSuper,
                       .read_only = true,
                       .removable = true}},
    {"emu:?", app::EmulatedDisk{.size = 64u << 20}},
    {"emu:bot", app::EmulatedDisk{.size = 64u << 20}},
    {"emu:?size=8M&luns=3", app::EmulatedDisk{.size = 8u << 20, .luns_count = 3}},
    {"emu:?size=1P", app::EmulatedDisk{.size = usbtwin::emulator::MemoryStore::kSizeMax}},
    {"emu:?size=1024T", app::EmulatedDisk{.size = usbtwin::emulator::MemoryStore::kSizeMax}},
    {"emu:bot?size=0x1000", app::EmulatedDisk{.size = 4096}},
    {"emu:uas?size=1M",
     app::EmulatedDisk{.protocol = app::EmulatedDisk::Protocol::kUas, .size = 1u << 20}},
    {"emu:disk.img?uas=1",
     app::EmulatedDisk{.protocol = app::EmulatedDisk::Protocol::kUas, .image_path = "disk.img"}},
    {"emu:uas?uas=0", app::EmulatedDisk{.size = 64u << 20}},
    {"emu:profiles/stick.toml", app::EmulatedProfile{"profiles/stick.toml"}},
    {"usbip://host/1-1", app::UsbIpDevice{.host = "host", .bus_id = "1-1"}},
    {"usbip://10.0.0.1:4000/3-2.4.1",
     app::UsbIpDevice{.host = "10.0.0.1", .port = 4000, .bus_id = "3-2.4.1"}},
    {"usbip://[::1]:3241/1-1", app::UsbIpDevice{.host = "::1", .port = 3241, .bus_id = "1-1"}},
    {"usbip://[fe80::2]/1-1", app::UsbIpDevice{.host = "fe80::2", .bus_id = "1-1"}},
    // What Linux's emulated device controller is called.
    {"usbip://host/usbip-vudc.0", app::UsbIpDevice{.host = "host", .bus_id = "usbip-vudc.0"}},
    {"usbip+unix:/run/a#b.sock#1-1",
     app::UsbIpDevice{.socket_path = "/run/a#b.sock", .bus_id = "1-1"}},
    {"replay:trace.pcapng", app::Trace{"trace.pcapng"}},
    {"sg:/dev/sdb", app::ScsiNode{"/dev/sdb"}},
};

struct Bad {
  const char* text;
  const char* complaint;  // part of the failure's text
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  return out << bad.text;
}

const Bad kBad[] = {
    {"", "empty"},
    {"disk", "no colon"},
    {"disk.img", "emu:disk.img"},
    {"./disk", "emu:./disk"},
    {"/dev/sg1", "sg:/dev/sg1"},
    {"123:5678", "neither vid:pid"},
    {"12345:5678", "neither vid:pid"},
    {"0x12345:0x1", "neither vid:pid"},
    {"0x:0x1", "neither vid:pid"},
    {"12g4:5678", "neither vid:pid"},
    {"ab:cd", "neither vid:pid"},
    {"0:7", "neither vid:pid"},
    {"3:256", "neither vid:pid"},
    {"3:7:1", "neither vid:pid"},
    {"/dev/bus/usb/003", "three decimal digits"},
    {"/dev/bus/usb/003/x", "three decimal digits"},
    {"emu:", "emu:?size=64M"},
    {"emu:d.img?size=8M", "truncate -s 64M d.img"},
    {"emu:d.img?luns=2", "a profile"},
    {"emu:p.toml?ro=1", "into the file"},
    {"emu:?size=0", "size must be"},
    {"emu:?size=lots", "\"lots\""},
    {"emu:?size=1025T", "1 byte to 1 PiB"},
    {"emu:?size=1000", "whole number of blocks of 512"},
    {"emu:?size=512&block=4096", "whole number of blocks of 4096"},
    {"emu:?size=1M&size=2M", "option \"size\" is there twice"},
    {"emu:d.img?ro=1&block=512&ro=1", "option \"ro\" is there twice"},
    {"emu:?&ro=1", "an option is empty"},
    {"emu:?ro=1&", "an option is empty"},
    {"emu:?ro=1&&block=512", "an option is empty"},
    {"emu:?&", "an option is empty"},
    {"emu:d.img?ro", "option \"ro\" has no value: write ro=..."},
    {"emu:?block=1024", "block must be 512 or 4096"},
    {"emu:?speed=warp", "\"warp\""},
    {"emu:?luns=0", "luns must be 1 to 16"},
    {"emu:?luns=17", "luns must be 1 to 16"},
    {"emu:?ro=maybe", "ro must be 1 or 0"},
    {"emu:?colour=red", "no option \"colour\""},
    {"usbip://host", "bus id"},
    {"usbip:///1-1", "no host"},
    {"usbip://host:/1-1", "no port"},
    {"usbip://host:65536/1-1", "port \"65536\" is not 1 to 65535"},
    {"usbip://33300/1-1", "a number alone is no host"},
    {"usbip://::1/1-1", "brackets"},
    {"usbip://[::1/1-1", "without"},
    {"usbip://[::1]x/1-1", ":PORT"},
    {"usbip://host/", "bus id"},
    {"usbip://host/1 1", "bus id"},
    {"usbip://host/12345678901234567890123456789012", "1 to 31 letters"},
    {"usbip+unix:#1-1", "no socket path"},
    {"usbip+unix:/run/s", "#1-1"},
    {"replay:", "no path"},
    {"sg:", "no path"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(device_string)

BOOST_DATA_TEST_CASE(a_device_string_means, data::make(kGood)) {
  const auto parsed = app::ParseDeviceString(sample.text);
  BOOST_TEST_REQUIRE(parsed.has_value());
  BOOST_TEST((*parsed == sample.meaning));
}

BOOST_AUTO_TEST_CASE(the_hint_names_devices_far_away) {
  const std::string hint = app::DeviceStringHint();
  BOOST_TEST(hint.find("usbip://host/1-1") != std::string::npos);
  BOOST_TEST(hint.find("usbip+unix:/path.sock#1-1") != std::string::npos);
}

BOOST_DATA_TEST_CASE(a_bad_device_string_names_what_is_wrong, data::make(kBad)) {
  const auto parsed = app::ParseDeviceString(sample.text);
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST((parsed.error().kind == app::Failure::Kind::kUsage));
  const std::string text = parsed.error().text;
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST(text.find(sample.complaint) != std::string::npos);
    BOOST_TEST(text.ends_with(app::DeviceStringHint()));
    BOOST_TEST(text.find('\n') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_complaint_cannot_steer_a_terminal) {
  const auto parsed = app::ParseDeviceString("emu:?\x1b[2J\u202e=1");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error().text.starts_with(
      "device \"emu:??[2J?=1\": no option \"?[2J?\": the options are"));
}

BOOST_AUTO_TEST_CASE(a_zero_byte_never_reaches_a_path) {
  using namespace std::string_view_literals;
  BOOST_TEST(!app::ParseDeviceString("emu:disk.img\0.txt"sv).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
