#include "emulator/device_descriptors.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/emulator/device_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

BOOST_AUTO_TEST_SUITE(device_descriptors)

BOOST_AUTO_TEST_CASE(device_descriptors_say_what_holds_at_each_speed) {
  // Class EF/02/01: the modem's association demands it.
  BOOST_TEST(Rig(Speed::kFull).Ask("80 06 0001 0000 1200"_hex) ==
             Text("12 01 1002 ef 02 01 40 0912 0100 2301 01 02 00 02"_hex));
  BOOST_TEST(Rig(Speed::kHigh).Ask("80 06 0001 0000 1200"_hex) ==
             Text("12 01 1002 ef 02 01 40 0912 0100 2301 01 02 00 02"_hex));
  BOOST_TEST(Rig(Speed::kSuper).Ask("80 06 0001 0000 1200"_hex) ==
             Text("12 01 2003 ef 02 01 09 0912 0100 2301 01 02 00 02"_hex));
  BOOST_TEST(Rig(Speed::kSuperPlus).Ask("80 06 0001 0000 1200"_hex) ==
             Text("12 01 2003 ef 02 01 09 0912 0100 2301 01 02 00 02"_hex));
}

BOOST_AUTO_TEST_CASE(functions_are_renumbered_at_high_speed) {
  Rig rig(Speed::kHigh);
  BOOST_TEST(rig.Ask("80 06 0002 0000 ffff"_hex) ==
             Text("09 02 5d00 03 01 03 a0 fa"   // string 3, remote wakeup, 500 mA
                  "09 04 00 00 02 08 06 50 04"  // the disk, string 4
                  "07 05 81 02 0002 00  07 05 01 02 0002 00"
                  "08 0b 01 02 02 02 01 00"     // interfaces 1 and 2 are one function
                  "09 04 01 00 01 02 02 01 06"  // the modem, string 6
                  "05 24 00 1001"
                  "07 05 82 03 0800 10"
                  "09 04 02 00 00 0a 00 00 00"
                  "09 04 02 01 02 0a 00 00 05"
                  "07 05 83 02 0002 00  07 05 02 02 0002 00"_hex));
  BOOST_TEST(rig.Ask("80 06 0102 0000 ffff"_hex) ==
             Text("09 02 2000 01 02 00 a0 fa  09 04 00 00 02 08 06 50 04"
                  "07 05 81 02 0002 00  07 05 01 02 0002 00"_hex));
  BOOST_TEST(rig.Ask("80 06 0202 0000 ffff"_hex) == "stall");
}

BOOST_AUTO_TEST_CASE(full_and_high_speed_describe_each_other) {
  Rig full(Speed::kFull);
  Rig high(Speed::kHigh);
  BOOST_TEST(full.Ask("80 06 0006 0000 0a00"_hex) == Text("0a 06 1002 ef 02 01 40 02 00"_hex));
  BOOST_TEST(high.Ask("80 06 0006 0000 0a00"_hex) == Text("0a 06 1002 ef 02 01 40 02 00"_hex));
  BOOST_TEST(full.Ask("80 06 0107 0000 ffff"_hex) ==
             Text("09 07 2000 01 02 00 a0 fa  09 04 00 00 02 08 06 50 04"
                  "07 05 81 02 0002 00  07 05 01 02 0002 00"_hex));
  BOOST_TEST(high.Ask("80 06 0107 0000 ffff"_hex) ==
             Text("09 07 2000 01 02 00 a0 fa  09 04 00 00 02 08 06 50 04"
                  "07 05 81 02 4000 00  07 05 01 02 4000 00"_hex));
}

BOOST_AUTO_TEST_CASE(companions_are_added_at_super_speed) {
  Rig rig(Speed::kSuper);
  BOOST_TEST(rig.Ask("80 06 0002 0000 ffff"_hex) ==
             Text("09 02 7b00 03 01 03 a0 4b"  // 600 mA in units of 8
                  "09 04 00 00 02 08 06 50 04"
                  "07 05 81 02 0004 00  06 30 0f 00 0000"  // its own
                  "07 05 01 02 0004 00  06 30 0f 00 0000"
                  "08 0b 01 02 02 02 01 00"
                  "09 04 01 00 01 02 02 01 06"
                  "05 24 00 1001"
                  "07 05 82 03 0800 10  06 30 00 00 0800"  // added
                  "09 04 02 00 00 0a 00 00 00"
                  "09 04 02 01 02 0a 00 00 05"
                  "07 05 83 02 0004 00  06 30 00 00 0000"
                  "07 05 02 02 0004 00  06 30 00 00 0000"_hex));
  BOOST_TEST(rig.Ask("80 06 0006 0000 0a00"_hex) == "stall");
  BOOST_TEST(rig.Ask("80 06 0007 0000 0a00"_hex) == "stall");
}

BOOST_AUTO_TEST_CASE(the_store_lists_what_the_speeds_promise) {
  BOOST_TEST(Rig(Speed::kHigh).Ask("80 06 000f 0000 ffff"_hex) ==
             Text("05 0f 2a00 03"
                  "07 10 02 02000000"            // USB 2.0 extension: LPM
                  "0a 10 03 00 0e00 01 01 f401"  // full, high and gen 1; all from full speed on
                  "14 10 0a 00 01000000 0111 0000 31400a00 b1400a00"_hex));

  DeviceOptions options = AllSpeeds();
  options.speeds = {Speed::kHigh, Speed::kSuper};
  options.latency_messages = true;
  BOOST_TEST(Rig(Speed::kSuper, options).Ask("80 06 000f 0000 ffff"_hex) ==
             Text("05 0f 1600 02  07 10 02 02000000  0a 10 03 02 0c00 02 01 f401"_hex));

  options = {.usb_version = 0x0210};
  BOOST_TEST(Rig(Speed::kHigh, options).Ask("80 06 000f 0000 ffff"_hex) ==
             Text("05 0f 0c00 01  07 10 02 00000000"_hex));
  BOOST_TEST(Rig(Speed::kHigh, DeviceOptions{}).Ask("80 06 000f 0000 ffff"_hex) == "stall");
}

BOOST_AUTO_TEST_CASE(strings_come_in_utf_16) {
  Rig rig(Speed::kHigh);
  BOOST_TEST(rig.Ask("80 06 0003 0000 ff00"_hex) == Text("04 03 0904"_hex));
  BOOST_TEST(rig.Ask("80 06 0103 0904 ff00"_hex) ==
             Text("0e 03 4d00 fc00 6c00 6c00 6500 7200"_hex));
  BOOST_TEST(rig.Ask("80 06 0303 0904 ff00"_hex) == Text("0a 03 4d00 6100 6900 6e00"_hex));
  BOOST_TEST(rig.Ask("80 06 0403 0904 ff00"_hex) == Text("0a 03 4400 6900 7300 6b00"_hex));
  BOOST_TEST(rig.Ask("80 06 0703 0904 ff00"_hex) == "stall");
  BOOST_TEST(rig.Ask("80 06 0103 0704 ff00"_hex) == "stall");
}

BOOST_AUTO_TEST_CASE(a_device_without_strings_has_no_languages) {
  Journal journal(Speed::kHigh);
  Scripted silent("silent", {Copy("09 04 00 00 00 ff 00 00 00"_hex)}, {});
  auto device =
      Device::Make({.manufacturer = "", .product = "", .serial = ""}, {{.functions = {&silent}}});
  BOOST_REQUIRE((*device)->Bind(journal));
  const auto languages = "80 06 0003 0000 ff00"_hex;
  const ControlReply reply =
      (*device)->HandleSetup(*wire::View<usb::SetupPacket>(languages), {}, 1);
  BOOST_TEST((reply.kind == ControlReply::Kind::kStall));
}

BOOST_AUTO_TEST_CASE(the_language_table_quirk_keeps_the_strings) {
  Rig rig(Speed::kHigh, {.no_language_table = true});
  BOOST_TEST(rig.Ask("80 06 0003 0000 ff00"_hex) == "stall");
  BOOST_TEST(rig.Ask("80 06 0203 0904 ff00"_hex) == Text("0a 03 5400 7700 6900 6e00"_hex));
}

BOOST_AUTO_TEST_CASE(every_speed_reads_back_without_a_defect) {
  for (const Speed speed : kAllSpeeds) {
    Rig rig(speed);
    for (const SpeedDescriptors& at : rig.device->descriptors().speeds) {
      for (const auto& blob : at.configurations) {
        BOOST_TEST(usb::ParseConfiguration(blob)->defects.empty());
      }
      BOOST_TEST(usb::ParseDevice(at.device, at.speed).has_value());
    }
  }
}

// What a device cannot be.
struct Bad {
  const char* name;
  const char* text;
  DeviceOptions options;
  std::vector<uint8_t> function;  // the same at every speed
  std::vector<std::string> strings{};
  size_t functions_count = 1;
  uint8_t value = 1;
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  return out << bad.name;
}

const auto kNothing = Copy("09 04 00 00 00 ff 00 00 00"_hex);
const std::vector<Bad> kBad{
    {"no speed", "a device without a speed", {.speeds = {}}, kNothing},
    {"speed twice", "speed 2 is listed twice", {.speeds = {Speed::kHigh, Speed::kHigh}}, kNothing},
    {"low and full",
     "a low-speed device knows no other speed",
     {.speeds = {Speed::kLow, Speed::kFull}},
     kNothing},
    {"too much power", "501 mA is more than the 500 a bus gives", {.power_ma = 501}, kNothing},
    {"too much power at SuperSpeed",
     "901 mA is more than the 900 a bus gives",
     {.speeds = {Speed::kSuper}, .power_ma = 901},
     kNothing},
    {"SuperSpeed in USB 2.0",
     "usb_version 512 is too low for its speeds, at least 768",
     {.usb_version = 0x0200, .speeds = {Speed::kSuper}},
     kNothing},
    {"SuperSpeedPlus in USB 3.0",
     "usb_version 768 is too low for its speeds, at least 784",
     {.usb_version = 0x0300, .speeds = {Speed::kSuperPlus}},
     kNothing},
    {"string too long",
     "a string of 127 UTF-16 units, at most 126 fit into a descriptor",
     {.product = std::string(127, 'x')},
     kNothing},
    {"function's string too long",
     "a string of 127 UTF-16 units, at most 126 fit into a descriptor",
     {},
     kNothing,
     {std::string(127, 'x')}},
    {"too many strings", "more than 255 strings", {}, kNothing, std::vector<std::string>(253, "x")},
    {"value zero", "configuration value 0 means unconfigured", {}, kNothing, {}, 1, 0},
    {"no function", "configuration 1 has no function", {}, kNothing, {}, 0},
    {"no interface", "a function without an interface", {}, {}},
    {"bLength zero",
     "descriptor at offset 0 has bLength 0, 2 bytes are left",
     {},
     Copy("0004"_hex)},
    {"interface from 1",
     "a function's interface descriptor at offset 0 is not number 0",
     {},
     Copy("09 04 01 00 00 ff 00 00 00"_hex)},
    {"interface too short",
     "a function's interface descriptor at offset 0 is not number 0",
     {},
     Copy("08 04 00 00 00 ff 00 00"_hex)},
    {"missing string",
     "a function that lacks its string 2",
     {},
     Copy("09 04 00 00 00 ff 00 00 02"_hex),
     {"one"}},
    {"missing string of an association",
     "a function that lacks its string 1",
     {},
     Copy("08 0b 00 01 ff 00 00 01  09 04 00 00 00 ff 00 00 00"_hex)},
    {"association too short",
     "a function's association descriptor of 7 bytes",
     {},
     Copy("07 0b 00 01 ff 00 00  09 04 00 00 00 ff 00 00 00"_hex)},
    {"endpoint too short",
     "a function's endpoint descriptor of 6 bytes",
     {},
     Copy("09 04 00 00 01 ff 00 00 00  06 05 81 02 0002"_hex)},
    {"endpoint zero",
     "a function's endpoint number 0 would become 0, 1 to 15 are possible",
     {},
     Copy("09 04 00 00 01 ff 00 00 00  07 05 80 03 0800 10"_hex)},
    {"too many endpoints",
     "a function's endpoint number 5 would become 17, 1 to 15 are possible",
     {},
     Copy("09 04 00 00 02 ff 00 00 00  07 05 85 03 0800 10  07 05 86 03 0800 10"_hex),
     {},
     3},
    {"companion at high speed",
     "a function with a companion descriptor below SuperSpeed",
     {},
     Copy("09 04 00 00 01 ff 00 00 00  07 05 81 02 0002 00  06 30 00 00 0000"_hex)},
    {"bulk at low speed",
     "endpoint address 129 of type 2 cannot have packets of 8 bytes at its speed",
     {.speeds = {Speed::kLow}},
     Copy("09 04 00 00 01 ff 00 00 00  07 05 81 02 0800 00"_hex)},
    {"bulk packets of 63 bytes",
     "endpoint address 129 of type 2 cannot have packets of 63 bytes at its speed",
     {.speeds = {Speed::kFull}},
     Copy("09 04 00 00 01 ff 00 00 00  07 05 81 02 3f00 00"_hex)},
    {"full-speed packets at high speed",
     "endpoint address 129 of type 2 cannot have packets of 64 bytes at its speed",
     {.speeds = {Speed::kHigh}},
     Copy("09 04 00 00 01 ff 00 00 00  07 05 81 02 4000 00"_hex)},
    {"high-speed packets at SuperSpeed",
     "endpoint address 129 of type 2 cannot have packets of 512 bytes at its speed",
     {.speeds = {Speed::kSuper}},
     Copy("09 04 00 00 01 ff 00 00 00  07 05 81 02 0002 00"_hex)},
    {"endpoint count",
     "interface at offset 9 has 1 endpoints, bNumEndpoints says 2",
     {},
     Copy("09 04 00 00 02 ff 00 00 00  07 05 81 03 0800 10"_hex)},
    {"setting twice",
     "interface 0 has alternate setting 0 again at offset 18",
     {},
     Copy("09 04 00 00 00 ff 00 00 00  09 04 00 00 00 ff 00 00 00"_hex)},
};

BOOST_DATA_TEST_CASE(what_does_not_fit_is_refused, boost::unit_test::data::make(kBad), bad) {
  std::vector<std::unique_ptr<Scripted>> functions;
  DeviceConfiguration configuration{.value = bad.value};
  while (functions.size() < bad.functions_count) {
    functions.push_back(std::make_unique<Scripted>(
        "function", std::vector<std::vector<uint8_t>>{bad.function}, bad.strings));
    configuration.functions.push_back(functions.back().get());
  }
  const auto made = Device::Make(bad.options, {configuration});
  BOOST_REQUIRE(!made);
  const std::string text = made.error().Describe();
  BOOST_TEST(text.substr(text.find(": ") + 2) == bad.text);
}

BOOST_AUTO_TEST_CASE(configurations_must_differ) {
  Scripted disk("disk", kDisk, {"Disk"});
  BOOST_TEST(Device::Make({}, {}).error().Describe() ==
             "invalid argument: 0 configurations, 1 to 255 are possible");
  BOOST_TEST(
      Device::Make({}, {{.functions = {&disk}}, {.functions = {&disk}}}).error().Describe() ==
      "invalid argument: configuration value 1 is used twice");
  BOOST_TEST(Device::Make({}, {{.functions = {&disk, &disk}}}).error().Describe() ==
             "invalid argument: configuration 1 has a function twice");
}

BOOST_AUTO_TEST_CASE(the_limits_of_a_configuration_hold) {
  // 255 interfaces fit, and one more does not.
  std::vector<std::unique_ptr<Scripted>> functions;
  DeviceConfiguration configuration;
  const auto add = [&](std::vector<uint8_t> descriptors) {
    functions.push_back(
        std::make_unique<Scripted>("f", std::vector<std::vector<uint8_t>>{std::move(descriptors)},
                                   std::vector<std::string>{}));
    configuration.functions.push_back(functions.back().get());
  };
  while (functions.size() < 255) add(kNothing);
  BOOST_TEST(Device::Make({}, {configuration}).has_value());
  add(kNothing);
  BOOST_TEST(Device::Make({}, {configuration}).error().Describe() ==
             "invalid argument: more than 255 interfaces");

  // 65535 bytes fit: the head, an interface, 256 unknown descriptors of 255 and one of 237 bytes.
  functions.clear();
  configuration.functions.clear();
  std::vector<uint8_t> full = kNothing;
  while (full.size() < 9 + 256 * 255) full.push_back((full.size() - 9) % 255 == 0 ? 255 : 0xf0);
  full.push_back(237);
  while (full.size() < 65535 - 9) full.push_back(0xf0);
  add(full);
  BOOST_TEST(Device::Make({.speeds = {Speed::kHigh}}, {configuration}).has_value());
  full[9 + 256 * 255] = 238;
  full.push_back(0xf0);
  functions.clear();
  configuration.functions.clear();
  add(full);
  BOOST_TEST(Device::Make({.speeds = {Speed::kHigh}}, {configuration}).error().Describe() ==
             "invalid argument: a configuration of 65536 bytes, at most 65535 are possible");
}

BOOST_AUTO_TEST_SUITE_END()
