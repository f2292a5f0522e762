#include "app/config.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/app/manual_system.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::app;  // NOLINT
using emulator::Profile;

namespace {

std::string Fixture(const std::string& name) {
  std::ifstream file(std::string(USBTWIN_PROFILES) + "/" + name);
  BOOST_REQUIRE_MESSAGE(file, "cannot read " << name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::string kFunctions16 = [] {
  std::string text;
  for (int count = 0; count < 16; ++count) text += "[[function]]\n";
  return text;
}();
const std::string kUnit = "[[unit]]\nsize = \"1M\"\n";

std::string Times(size_t count, const char* part) {
  std::string text;
  while (count-- != 0) text += part;
  return text;
}

Profile Parse(const std::string& text, const std::string& path = "profile.toml") {
  const Result<Profile, Failure> profile = ParseProfile(text, path);
  BOOST_REQUIRE_MESSAGE(profile, (profile ? "" : profile.error().text));
  return *profile;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(a_unit_is_all_that_is_needed) {
  const Profile profile = Parse("[[unit]]\nsize = \"64M\"\n");
  BOOST_TEST((profile.speed == usb::Speed::kHigh));
  BOOST_TEST(
      (profile.device.speeds == std::vector<usb::Speed>{usb::Speed::kFull, usb::Speed::kHigh}));
  BOOST_REQUIRE(profile.units.size() == 1u);
  BOOST_TEST(profile.units[0].size == 64u << 20);
  BOOST_TEST(profile.units[0].disk.block_size == 512u);
  BOOST_REQUIRE(profile.configurations.size() == 1u);
  BOOST_TEST(profile.configurations[0].value == 1);
  BOOST_REQUIRE(profile.configurations[0].functions.size() == 1u);
  BOOST_TEST(profile.configurations[0].functions[0].interface_class == 0x08);
  BOOST_TEST(profile.configurations[0].functions[0].units == std::vector<size_t>{0});
}

BOOST_AUTO_TEST_CASE(every_key_is_read) {
  const Profile profile = Parse(R"(
speed = "super-plus"
[device]
vendor_id = 0xabcd
product_id = 4660
version = "12.34"
usb_version = "3.1"
manufacturer = "Müller"
product = ""
serial = "0123456789AB"
self_powered = true
remote_wakeup = true
power_ma = 900
quirks = ["no_language_table"]
[[unit]]
image = "images/disk.img"
block_size = 4096
vendor = "ACME"
product = "Disk 2000"
revision = "1.0"
serial = "S1"
removable = true
read_only = true
write_cache = false
[[unit]]
size = 1048576
[[function]]
kind = "bot"
class = "vendor"
units = [1, 0]
name = "Tool"
quirks = ["wrong_tag", "odd_signature"]
[[function]]
units = [1]
quirks = ["max_lun_stall", "wrong_residue"]
configuration = 7
[[configuration]]
value = 7
name = "Other"
)",
                                "/profiles/profile.toml");
  BOOST_TEST((profile.speed == usb::Speed::kSuperPlus));
  BOOST_TEST(profile.device.speeds.size() == 4u);
  BOOST_TEST(profile.device.vendor_id == 0xabcd);
  BOOST_TEST(profile.device.product_id == 0x1234);
  BOOST_TEST(profile.device.device_version == 0x1234);
  BOOST_TEST(profile.device.usb_version.value() == 0x0310);
  BOOST_TEST(profile.device.manufacturer == "M\xc3\xbcller");
  BOOST_TEST(profile.device.product == "");
  BOOST_TEST(profile.device.serial == "0123456789AB");
  BOOST_TEST(profile.device.self_powered);
  BOOST_TEST(profile.device.remote_wakeup);
  BOOST_TEST(profile.device.power_ma == 900);
  BOOST_TEST(profile.device.no_language_table);

  BOOST_REQUIRE(profile.units.size() == 2u);
  const emulator::UnitProfile& unit = profile.units[0];
  BOOST_TEST(unit.image_path == "/profiles/images/disk.img");
  BOOST_TEST(unit.disk.block_size == 4096u);
  BOOST_TEST(unit.disk.vendor == "ACME");
  BOOST_TEST(unit.disk.product == "Disk 2000");
  BOOST_TEST(unit.disk.revision == "1.0");
  BOOST_TEST(unit.disk.serial == "S1");
  BOOST_TEST(unit.disk.removable);
  BOOST_TEST(unit.disk.read_only);
  BOOST_TEST(!unit.disk.write_cache);
  BOOST_TEST(profile.units[1].size == 1048576u);
  BOOST_TEST(profile.units[1].image_path == "");

  BOOST_REQUIRE(profile.configurations.size() == 2u);
  const emulator::FunctionProfile& tool = profile.configurations[0].functions[0];
  BOOST_TEST(profile.configurations[0].value == 1);
  BOOST_TEST(profile.configurations[0].name == "");
  BOOST_TEST(tool.interface_class == 0xff);
  BOOST_TEST(tool.name == "Tool");
  BOOST_TEST((tool.units == std::vector<size_t>{1, 0}));
  BOOST_TEST((tool.quirks == emulator::BotQuirks{.wrong_tag = true, .odd_signature = true}));
  BOOST_TEST(profile.configurations[1].value == 7);
  BOOST_TEST(profile.configurations[1].name == "Other");
  BOOST_TEST((profile.configurations[1].functions[0].quirks ==
              emulator::BotQuirks{.max_lun_stall = true, .wrong_residue = true}));
}

BOOST_AUTO_TEST_CASE(images_lie_beside_their_profile) {
  const auto image = [](const char* written, const char* path) {
    return Parse("[[unit]]\nimage = \"" + std::string(written) + "\"\n", path).units[0].image_path;
  };
  BOOST_TEST(image("a.img", "profile.toml") == "a.img");
  BOOST_TEST(image("a.img", "dir/profile.toml") == "dir/a.img");
  BOOST_TEST(image("../a.img", "dir/profile.toml") == "dir/../a.img");
  BOOST_TEST(image("/srv/a.img", "dir/profile.toml") == "/srv/a.img");
}

BOOST_AUTO_TEST_CASE(the_profiles_that_come_along_are_good) {
  for (const char* name : {"vendor-scsi.toml", "card-reader.toml", "superspeed-4k.toml",
                           "locked-stick.toml", "iso-loopback.toml"}) {
    BOOST_TEST_CONTEXT(name) {
      Parse(Fixture(name), name);
    }
  }
  const Profile both = Parse(Fixture("vendor-scsi.toml"));
  const auto& functions = both.configurations.at(0).functions;
  BOOST_REQUIRE(functions.size() == 2u);
  BOOST_TEST(functions[0].interface_class == 0x08);
  BOOST_TEST(functions[1].interface_class == 0xff);
  BOOST_TEST(functions[0].units == functions[1].units);
}

BOOST_AUTO_TEST_CASE(a_profile_is_read_from_its_file) {
  tests::ManualSystem system;
  system.files["dir/profile.toml"] = "[[unit]]\nimage = \"a.img\"\n";
  BOOST_TEST(LoadProfile(system, "dir/profile.toml")->profile.units[0].image_path == "dir/a.img");
  const auto missing = LoadProfile(system, "none.toml");
  BOOST_REQUIRE(!missing);
  BOOST_TEST((missing.error().kind == Failure::Kind::kFile));
}

// toml++ calls itself for each part of a key, and 250000 of them were the end of the stack.
BOOST_AUTO_TEST_CASE(what_would_exhaust_the_stack_is_not_parsed) {
  const std::string too_deep =
      "nested too deep: a key has at most 16 parts, and so many brackets may be open at once";
  const std::string three(3, '\'');
  const std::string key = Times(16, "a.") + "a=1";
  for (const std::string& text :
       {key, Times(30'000, "a.") + "a=1", Times(16, "a . ") + "a=1", Times(16, "\"a\".") + "a=1",
        "[" + Times(16, "a.") + "a]", "[[" + Times(16, "'a'.") + "a]]", "k=1 # \"\"\"\n" + key,
        "a={k=1," + key + "}", "a=" + Times(17, "["), "a=" + Times(17, "{a="),
        "k=\"\"\"\\\"\\\n\"\"\"\"\"\n" + key, "k=" + three + "\\" + three + "\n" + key}) {
    const auto line = 1 + std::count(text.begin(), text.end(), '\n');
    const Result<Profile, Failure> profile = ParseProfile(text, "p.toml");
    BOOST_REQUIRE(!profile);
    BOOST_TEST(profile.error().text == "p.toml:" + std::to_string(line) + ": " + too_deep);
  }
}

BOOST_AUTO_TEST_CASE(depth_is_of_keys_and_not_of_what_is_written_into_strings) {
  const std::string three(3, '\'');
  for (const std::string& text :
       {"\"" + Times(40, "a.[") + "\"", three + Times(40, "a.[{\n") + three,
        "\"\" #" + Times(40, "a.["), "\"" + Times(16, "[") + "\" # '" + Times(16, "{")}) {
    const Result<Profile, Failure> profile = ParseProfile("speed=" + text + "\n", "p.toml");
    BOOST_REQUIRE(!profile);
    BOOST_TEST(profile.error().text.find("is not one of low, full") != std::string::npos);
  }
  const std::string key = "unknown." + Times(14, "a.") + "a=[" + Times(40, "[1.5],") + "]";
  BOOST_TEST(ParseProfile(key, "p.toml").error().text.find("'unknown'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_profile_has_64_kib_at_most) {
  BOOST_TEST(ParseProfile(kUnit + Times(65'536 - kUnit.size(), "#"), "p.toml").has_value());
  BOOST_TEST(ParseProfile(Times(65'537, "#"), "p.toml").error().text ==
             "p.toml:1: the text has 65537 bytes, at most 65536 are possible");
}

// What is wrong with a profile, word for word. The unit stands last where it does not matter.
struct Bad {
  const char* name;
  std::string text;
  const char* failure;
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  return out << bad.name;
}

const std::vector<Bad> kBad{
    {"misspelt speed", "speed = \"hihg\"\n" + kUnit,
     "profile.toml:1: key 'speed': \"hihg\" is not one of low, full, high, super, super-plus"},
    {"speed as a number", "speed = 480\n" + kUnit,
     "profile.toml:1: key 'speed': an integer, and not a string"},
    {"low speed", "\nspeed = \"low\"\n" + kUnit,
     "profile.toml:2: key 'speed': its functions need endpoints of kinds that there are from full "
     "speed on"},
    {"unknown key of the file", "sped = \"high\"\n" + kUnit,
     "profile.toml:1: key 'sped': unknown; known are speed, device, unit, function, configuration"},
    {"unknown table", kUnit + "[hub]\nports = 4\n",
     "profile.toml:3: key 'hub': unknown; known are speed, device, unit, function, configuration"},
    {"unknown key of the device", "[device]\nvid = 1\n" + kUnit,
     "profile.toml:2: key 'device.vid': unknown; known are vendor_id, product_id, version, "
     "usb_version, manufacturer, product, serial, self_powered, remote_wakeup, power_ma, quirks"},
    {"unknown key of a unit", kUnit + "writable = true\n",
     "profile.toml:3: key 'unit.writable': unknown; known are image, size, block_size, vendor, "
     "product, revision, serial, removable, read_only, write_cache"},
    {"unknown key of a function", kUnit + "[[function]]\nlun = 0\n",
     "profile.toml:4: key 'function.lun': unknown; known are kind, class, units, name, quirks, "
     "configuration"},
    {"unknown key of a configuration", kUnit + "[[configuration]]\nvalue = 1\npower = 1\n",
     "profile.toml:5: key 'configuration.power': unknown; known are value, name"},
    {"device as a value", "device = 1\n" + kUnit,
     "profile.toml:1: key 'device': an integer, and not a table: [device]"},
    {"unit as a table", "[unit]\nsize = \"1M\"\n",
     "profile.toml:1: key 'unit': a table, and not an array of tables: [[unit]]"},
    {"unit as an array of numbers", "unit = [1]\n",
     "profile.toml:1: key 'unit': an integer, and not an array of tables: [[unit]]"},
    {"vendor too large", "[device]\nvendor_id = 0x10000\n" + kUnit,
     "profile.toml:2: key 'device.vendor_id': 65536 is not within 0 to 65535"},
    {"vendor as text", "[device]\nvendor_id = \"1209\"\n" + kUnit,
     "profile.toml:2: key 'device.vendor_id': a string, and not an integer"},
    {"product negative", "[device]\nproduct_id = -1\n" + kUnit,
     "profile.toml:2: key 'device.product_id': -1 is not within 0 to 65535"},
    {"version without dot", "[device]\nversion = \"2\"\n" + kUnit,
     "profile.toml:2: key 'device.version': \"2\" is no version such as \"2.0\" or \"1.05\""},
    {"version as a number", "[device]\nusb_version = 2.0\n" + kUnit,
     "profile.toml:2: key 'device.usb_version': a floating-point number, and not a string"},
    {"version of letters", "[device]\nusb_version = \"2.x\"\n" + kUnit,
     "profile.toml:2: key 'device.usb_version': \"2.x\" is no version such as \"2.0\" or "
     "\"1.05\""},
    {"SuperSpeed in USB 2.0", "speed = \"super\"\n[device]\nusb_version = \"2.0\"\n" + kUnit,
     "profile.toml:3: key 'device.usb_version': \"2.0\" is below \"3.0\", which speed \"super\" "
     "needs"},
    {"SuperSpeedPlus in USB 3.0",
     "speed = \"super-plus\"\n[device]\nusb_version = \"3.0\"\n" + kUnit,
     "profile.toml:3: key 'device.usb_version': \"3.0\" is below \"3.1\", which speed "
     "\"super-plus\" needs"},
    {"string too long", "[device]\nproduct = \"" + std::string(127, 'x') + "\"\n" + kUnit,
     "profile.toml:2: key 'device.product': 127 characters, at most 126 fit into a string "
     "descriptor"},
    {"switch as text", "[device]\nself_powered = \"yes\"\n" + kUnit,
     "profile.toml:2: key 'device.self_powered': a string, and not true or false"},
    {"too much power", "[device]\npower_ma = 501\n" + kUnit,
     "profile.toml:2: key 'device.power_ma': 501 is not within 0 to 500"},
    {"unknown device quirk", "[device]\nquirks = [\"slow\"]\n" + kUnit,
     "profile.toml:2: key 'device.quirks': \"slow\" is not one of no_language_table"},
    {"quirks as text", "[device]\nquirks = \"no_language_table\"\n" + kUnit,
     "profile.toml:2: key 'device.quirks': a string, and not an array of strings"},
    {"quirk as a number", "[device]\nquirks = [1]\n" + kUnit,
     "profile.toml:2: key 'device.quirks': an integer is not one of no_language_table"},
    {"quirk twice", kUnit + "[[function]]\nquirks = [\"wrong_tag\",\n  \"wrong_tag\"]\n",
     "profile.toml:5: key 'function.quirks': \"wrong_tag\" is there twice"},
    {"no unit", "speed = \"high\"\n",
     "profile.toml:1: key 'unit': 0 tables [[unit]], 1 to 16 are possible"},
    {"unit without bytes", "[[unit]]\nremovable = true\n",
     "profile.toml:1: key 'unit.size': missing, and so is 'unit.image': give one of the two"},
    {"image and size", kUnit + "image = \"a.img\"\n",
     "profile.toml:2: key 'unit.size': an image is as long as its file: give one of the two"},
    {"image without name", "[[unit]]\nimage = \"\"\n",
     "profile.toml:2: key 'unit.image': \"\" is no file"},
    {"image as a number", "[[unit]]\nimage = 7\n",
     "profile.toml:2: key 'unit.image': an integer, and not a string"},
    {"no size", "[[unit]]\nsize = \"64Q\"\n",
     "profile.toml:2: key 'unit.size': \"64Q\" is no size such as \"64M\", \"512k\" or \"1GiB\""},
    {"negative size", "[[unit]]\nsize = -512\n",
     "profile.toml:2: key 'unit.size': -512 is no size"},
    {"size as a switch", "[[unit]]\nsize = true\n",
     "profile.toml:2: key 'unit.size': a boolean, and not a size such as \"64M\""},
    {"size zero", "[[unit]]\nsize = 0\n",
     "profile.toml:2: key 'unit.size': 0 bytes are not a whole number of blocks of 512"},
    {"unit of one byte", "[[unit]]\nsize = 1\n",
     "profile.toml:2: key 'unit.size': 1 byte is not a whole number of blocks of 512"},
    {"half a block", "[[unit]]\nsize = 6144\nblock_size = 4096\n",
     "profile.toml:2: key 'unit.size': 6144 bytes are not a whole number of blocks of 4096"},
    {"too large", "[[unit]]\nsize = \"2048T\"\n",
     "profile.toml:2: key 'unit.size': 2 PiB are more than the 1 PiB memory can stand for"},
    {"odd blocks", kUnit + "block_size = 520\n",
     "profile.toml:3: key 'unit.block_size': 520 is not one of 512, 4096"},
    {"blocks of no bytes", kUnit + "block_size = 0\n",
     "profile.toml:3: key 'unit.block_size': 0 is not one of 512, 4096"},
    {"blocks beyond 32 bits", kUnit + "block_size = 4294967808\n",
     "profile.toml:3: key 'unit.block_size': 4294967808 is not one of 512, 4096"},
    {"vendor too long", kUnit + "vendor = \"123456789\"\n",
     "profile.toml:3: key 'unit.vendor': \"123456789\" is not at most 8 printable ASCII "
     "characters"},
    {"product not printable", kUnit + "product = \"a\\tb\"\n",
     "profile.toml:3: key 'unit.product': \"a?b\" is not at most 16 printable ASCII characters"},
    {"revision not ASCII", kUnit + "revision = \"\xc3\xbc\"\n",
     "profile.toml:3: key 'unit.revision': \"\xc3\xbc\" is not at most 4 printable ASCII "
     "characters"},
    {"unknown kind", kUnit + "[[function]]\nkind = \"hid\"\n",
     "profile.toml:4: key 'function.kind': \"hid\" is not one of bot, uas, iso-loopback"},
    {"unknown class", kUnit + "[[function]]\nclass = \"scsi\"\n",
     "profile.toml:4: key 'function.class': \"scsi\" is not one of mass-storage, vendor"},
    {"functions without end", kUnit + kFunctions16,
     "profile.toml:18: key 'function.kind': 16 functions of configuration 1 have 16 endpoints in "
     "each direction, and a device at most 15"},
    {"no such unit", kUnit + "[[function]]\nunits = [0, 1]\n",
     "profile.toml:4: key 'function.units': 1 is not within 0 to 0"},
    {"unit twice", kUnit + "[[function]]\nunits = [0, 0]\n",
     "profile.toml:4: key 'function.units': 0 is there twice"},
    {"unit by name", kUnit + "[[function]]\nunits = [\"disk\"]\n",
     "profile.toml:4: key 'function.units': a string, and not an integer"},
    {"units as a number", kUnit + "[[function]]\nunits = 0\n",
     "profile.toml:4: key 'function.units': an integer, and not an array of integers"},
    {"units empty", kUnit + "[[function]]\nunits = []\n",
     "profile.toml:4: key 'function.units': [] names no unit, at least one is needed"},
    {"unknown function quirk", kUnit + "[[function]]\nquirks = [\"slow\"]\n",
     "profile.toml:4: key 'function.quirks': \"slow\" is not one of max_lun_stall, wrong_residue, "
     "wrong_tag, odd_signature"},
    {"stall with two units", kUnit + kUnit + "[[function]]\nquirks = [\"max_lun_stall\"]\n",
     "profile.toml:6: key 'function.quirks': \"max_lun_stall\" is for a function with one unit, "
     "this one has 2"},
    {"configuration zero", kUnit + "[[function]]\nconfiguration = 0\n",
     "profile.toml:4: key 'function.configuration': 0 is not within 1 to 255"},
    {"configuration without function", kUnit + "[[configuration]]\nvalue = 2\n",
     "profile.toml:4: key 'configuration.value': no function has configuration = 2"},
    {"configuration without value", kUnit + "[[configuration]]\nname = \"x\"\n",
     "profile.toml:3: key 'configuration.value': missing; 1 to 255 are possible"},
};

BOOST_DATA_TEST_CASE(what_is_wrong_is_told_with_file_line_and_key,
                     boost::unit_test::data::make(kBad), bad) {
  const Result<Profile, Failure> profile = ParseProfile(bad.text, "profile.toml");
  BOOST_REQUIRE(!profile);
  BOOST_TEST((profile.error().kind == Failure::Kind::kUsage));
  BOOST_TEST(profile.error().text == bad.failure);
}

BOOST_AUTO_TEST_CASE(too_many_units_and_functions_are_refused) {
  std::string units;
  for (int count = 0; count < 17; ++count) units += kUnit;
  BOOST_TEST(ParseProfile(units, "p").error().text ==
             "p:1: key 'unit': 17 tables [[unit]], 1 to 16 are possible");
  std::string functions = kUnit;
  for (int count = 0; count < 17; ++count) functions += "[[function]]\n";
  BOOST_TEST(ParseProfile(functions, "p").error().text ==
             "p:3: key 'function': 17 tables [[function]], at most 16 are possible");
}

BOOST_AUTO_TEST_CASE(what_is_no_toml_is_told_with_its_line) {
  const auto begins = [](const std::string& text, const std::string& start) {
    const Result<Profile, Failure> profile = ParseProfile(text, "profile.toml");
    BOOST_REQUIRE(!profile);
    BOOST_TEST(profile.error().text.substr(0, start.size()) == start);
    BOOST_TEST(profile.error().text.size() > start.size());
  };
  begins("speed = \"high\"\nspeed high\n", "profile.toml:2: ");
  begins("[[unit]]\nsize = 1\nsize = 2\n", "profile.toml:3: ");
  begins(std::string("a = \"\xff\"\n"), "profile.toml:1: ");
  begins("a = " + std::string(1000, '['), "profile.toml:1: ");
  begins("[[[function]]]\n", "profile.toml:1: ");
}

BOOST_AUTO_TEST_CASE(keys_too_deep_for_a_recursive_parser_are_refused) {
  std::string deep;
  for (int level = 0; level < 20'000; ++level) deep += "a.";
  for (const std::string& text :
       {"[" + deep + "a]\n", deep + "a = 1\n", "'#'." + deep + "a = 1\n"}) {
    const Result<Profile, Failure> profile = ParseProfile("speed = 'high'\n" + text, "p.toml");
    BOOST_REQUIRE(!profile);
    BOOST_TEST(profile.error().text.starts_with("p.toml:2: nested too deep"));
  }
  const std::string comment = "# " + std::string(500, '.') + "\n[[unit]]\nsize = 512\n";
  BOOST_TEST(ParseProfile(comment, "p.toml").has_value());
}

BOOST_AUTO_TEST_CASE(characters_beyond_ascii_are_for_strings_and_comments) {
  const auto text_of = [](const std::string& text) {
    const Result<Profile, Failure> profile = ParseProfile(text + "[[unit]]\nsize = 1\n", "p.toml");
    return profile ? std::string("read") : profile.error().text.substr(0, 8);
  };
  for (const char* text :
       {"\u00e9 = 1\n", "speed =\u00e9'high'\n", "a = 6'\u0425'\n", "a = \"\"\"\\\ufec1\"\"\"\n"}) {
    BOOST_TEST(text_of(text) == "p.toml:1");
  }
  BOOST_TEST(text_of("# \u00e9\n[device]\nproduct = '\u00e9'\n") == "p.toml:5");  // the size
}

BOOST_AUTO_TEST_SUITE_END()
