#include "app/fault_config.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "base/manual_clock.h"
#include "base/seeded.h"
#include "link/fault_player.h"
#include "tests/app/manual_system.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::app;  // NOLINT
using fault::Kind;
using fault::Rule;
using std::chrono::milliseconds;

namespace {

FaultFile Parse(const std::string& text, const std::string& path = "plan.toml") {
  const Result<FaultFile, Failure> file = ParseFaults(text, path);
  BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().text));
  return *file;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_config)

BOOST_AUTO_TEST_CASE(a_kind_alone_happens_once) {
  const FaultFile file = Parse("[[fault]]\nkind = \"usb.stall\"\n");
  BOOST_TEST(file.seed == 1u);
  BOOST_REQUIRE(file.plan.rules.size() == 1u);
  const Rule& rule = file.plan.rules[0];
  BOOST_TEST((rule.kind == Kind::kStall));
  BOOST_TEST(rule.nth == 1u);
  BOOST_TEST(rule.times.value() == 1u);
  BOOST_TEST(!rule.one_in.has_value());
  BOOST_TEST(!rule.chance.has_value());
  BOOST_TEST(!rule.endpoint.has_value());
  BOOST_TEST(!rule.opcode.has_value());
  BOOST_TEST(!rule.lun.has_value());
  BOOST_TEST(!rule.blocks.has_value());
  BOOST_TEST(!rule.tag.has_value());
  BOOST_TEST(!rule.until.has_value());
  BOOST_TEST((rule.after == Duration(0)));
}

BOOST_AUTO_TEST_CASE(every_key_is_read) {
  const FaultFile file = Parse(R"(
seed = 7
[[fault]]
kind = "bot.stall-data"
endpoint = 0x81
opcode = 0x28
lun = 1
blocks = [5, 5]
tag = 0xffffffff
nth = 2
times = 3
one_in = 100
after_ms = 10
until_ms = 5000
length = 512
[[fault]]
kind = "usb.delay-request"
probability = 0.25
delay_ms = 40
[[fault]]
kind = "bot.reserved-status"
value = 255
times = 2
)");
  BOOST_TEST(file.seed == 7u);
  BOOST_TEST(
      (file.places == std::vector<std::string>{"plan.toml:3", "plan.toml:16", "plan.toml:20"}));
  BOOST_REQUIRE(file.plan.rules.size() == 3u);
  const Rule& stall = file.plan.rules[0];
  BOOST_TEST(stall.endpoint.value() == 0x81);
  BOOST_TEST(stall.opcode.value() == 0x28);
  BOOST_TEST(stall.lun.value() == 1);
  BOOST_TEST(stall.blocks.value().first == 5u);
  BOOST_TEST(stall.blocks.value().last == 5u);
  BOOST_TEST(stall.tag.value() == UINT32_MAX);
  BOOST_TEST(stall.nth == 2u);
  BOOST_TEST(stall.times.value() == 3u);
  BOOST_TEST(stall.one_in.value() == 100u);
  BOOST_TEST((stall.after == milliseconds(10)));
  BOOST_TEST((stall.until.value() == milliseconds(5000)));
  BOOST_TEST(stall.length.value() == 512u);
  const Rule& delay = file.plan.rules[1];
  BOOST_TEST(delay.chance.value() == Rule::kCertain / 4);
  BOOST_TEST(!delay.times.has_value());
  BOOST_TEST((delay.delay.value() == milliseconds(40)));
  const Rule& reserved = file.plan.rules[2];
  BOOST_TEST(reserved.value.value() == 255u);
  BOOST_TEST(reserved.times.value() == 2u);
  BOOST_TEST(!reserved.one_in.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_whole_may_be_a_probability_too) {
  const FaultFile file = Parse("[[fault]]\nkind = \"usb.stall\"\nprobability = 1\n");
  BOOST_TEST(file.plan.rules[0].chance.value() == Rule::kCertain);
}

BOOST_AUTO_TEST_CASE(each_kind_can_be_asked_for) {
  for (const fault::KindInfo& info : fault::Kinds()) {
    BOOST_TEST_CONTEXT(info.name) {
      std::string text = "[[fault]]\nkind = \"" + std::string(info.name) + "\"\n";
      const std::string key = KeyOf(info.parameter);
      if (!key.empty()) text += key + " = 3\n";
      const Rule rule = Parse(text).plan.rules[0];
      BOOST_TEST((rule.kind == info.kind));
      const bool has = rule.delay.has_value() || rule.length.has_value() || rule.value.has_value();
      BOOST_TEST(has == !key.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_chance_is_drawn_each_time) {
  const FaultFile file =
      Parse("seed = 5\n[[fault]]\nkind = \"usb.stall\"\nprobability = 0.7\nnth = 11\n");
  ManualClock clock;
  Seeded chooser(file.seed);
  fault::Player player(clock, chooser, file.plan);
  for (int count = 0; count < 10; ++count) {
    BOOST_TEST(player.Draw({.moment = fault::Moment::kDataIn}) == nullptr);
  }
  for (int count = 0; count < 10000; ++count) player.Draw({.moment = fault::Moment::kDataIn});
  BOOST_TEST(player.played(0) > 6800u);
  BOOST_TEST(player.played(0) < 7200u);
  BOOST_TEST(player.injected() == player.played(0));
}

BOOST_AUTO_TEST_CASE(a_plan_is_read_from_its_file) {
  tests::ManualSystem system;
  system.files["dir/plan.toml"] = "[[fault]]\nkind = \"usb.stall\"\n";
  BOOST_TEST(LoadFaults(system, "dir/plan.toml")->places[0] == "dir/plan.toml:1");
  const auto missing = LoadFaults(system, "none.toml");
  BOOST_REQUIRE(!missing);
  BOOST_TEST((missing.error().kind == Failure::Kind::kFile));
}

BOOST_AUTO_TEST_CASE(what_begins_in_a_twin_is_refused_for_other_devices) {
  const FaultFile outside = Parse(
      "[[fault]]\nkind = \"usb.stall\"\n[[fault]]\nkind = \"port.disconnect\"\n"
      "[[fault]]\nkind = \"bot.wrong-tag\"\n");
  BOOST_TEST(CheckWithoutTwin(outside, "1234:5678").has_value());
  const auto unit = CheckWithoutTwin(
      Parse("[[fault]]\nkind = \"usb.stall\"\n[[fault]]\nkind = \"scsi.slow\"\n"), "1234:5678");
  BOOST_REQUIRE(!unit);
  BOOST_TEST((unit.error().kind == Failure::Kind::kUsage));
  BOOST_TEST(unit.error().text ==
             "plan.toml:3: scsi.slow begins inside an emulated device, and 1234:5678 is none; "
             "usb., port., bot. and uas. faults are possible there");
  BOOST_TEST(!CheckWithoutTwin(Parse("[[fault]]\nkind = \"store.no-space\"\n"), "3:7"));
}

// What is wrong with a plan, word for word.
struct Bad {
  const char* name;
  std::string text;
  std::string failure;
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  return out << bad.name;
}

// Line 2, and so line 3 for what follows.
std::string Fault(const char* kind, const char* rest) {
  return std::string("\n[[fault]]\nkind = \"") + kind + "\"\n" + rest + "\n";
}

const std::vector<Bad> kBad{
    {"empty", "", "plan.toml:1: key 'fault': 0 tables [[fault]], 1 to 256 are possible"},
    {"no array", "[fault]\nkind = \"usb.stall\"\n",
     "plan.toml:1: key 'fault': a table, and not an array of tables: [[fault]]"},
    {"unknown key of the file", "sed = 1\n" + Fault("usb.stall", ""),
     "plan.toml:1: key 'sed': unknown; known are seed, fault"},
    {"seed as text", "seed = \"1\"\n" + Fault("usb.stall", ""),
     "plan.toml:1: key 'seed': a string, and not an integer"},
    {"negative seed", "seed = -1\n" + Fault("usb.stall", ""),
     "plan.toml:1: key 'seed': -1 is not within 0 to 9223372036854775807"},
    {"no kind", "[[fault]]\nnth = 2\n",
     "plan.toml:1: key 'fault.kind': missing; `usbtwin faults` lists what is possible"},
    {"kind as a number", "[[fault]]\nkind = 3\n",
     "plan.toml:2: key 'fault.kind': an integer, and not a string"},
    {"unknown group", Fault("stall", ""),
     "plan.toml:3: key 'fault.kind': \"stall\" is no kind of fault; they begin with usb., port., "
     "bot., uas., scsi., store.; `usbtwin faults` lists them"},
    {"unknown kind", Fault("store.slwo", ""),
     "plan.toml:3: key 'fault.kind': \"store.slwo\" is no kind of fault; known are "
     "store.read-error, store.write-error, store.no-space, store.torn-write, store.flush-error, "
     "store.slow, store.power-loss"},
    {"unknown key", Fault("usb.stall", "delay = 1"),
     "plan.toml:4: key 'fault.delay': unknown; known are kind, endpoint, opcode, lun, blocks, tag, "
     "nth, times, probability, one_in, after_ms, until_ms, delay_ms, length, value"},
    {"endpoint with reserved bits", Fault("usb.stall", "endpoint = 0x10"),
     "plan.toml:4: key 'fault.endpoint': 16 is no endpoint address: 0 to 0x0f are OUT, 0x80 to "
     "0x8f are IN"},
    {"endpoint too large", Fault("usb.stall", "endpoint = 256"),
     "plan.toml:4: key 'fault.endpoint': 256 is not within 0 to 255"},
    {"opcode too large", Fault("usb.stall", "opcode = 256"),
     "plan.toml:4: key 'fault.opcode': 256 is not within 0 to 255"},
    {"lun too large", Fault("usb.stall", "lun = 16"),
     "plan.toml:4: key 'fault.lun': 16 is not within 0 to 15"},
    {"tag too large", Fault("usb.stall", "tag = 4294967296"),
     "plan.toml:4: key 'fault.tag': 4294967296 is not within 0 to 4294967295"},
    {"blocks as a number", Fault("usb.stall", "blocks = 4"),
     "plan.toml:4: key 'fault.blocks': not two integers such as [0, 99], the first and the last"},
    {"three blocks", Fault("usb.stall", "blocks = [1, 2, 3]"),
     "plan.toml:4: key 'fault.blocks': not two integers such as [0, 99], the first and the last"},
    {"blocks as text", Fault("usb.stall", "blocks = [1, \"2\"]"),
     "plan.toml:4: key 'fault.blocks': not two integers such as [0, 99], the first and the last"},
    {"blocks backwards", Fault("usb.stall", "blocks = [2, 1]"),
     "plan.toml:4: key 'fault.blocks': [2, 1] is no range within 0 to 9223372036854775807"},
    {"negative blocks", Fault("usb.stall", "blocks = [-1, 1]"),
     "plan.toml:4: key 'fault.blocks': [-1, 1] is no range within 0 to 9223372036854775807"},
    {"nth of nothing", Fault("usb.stall", "nth = 0"),
     "plan.toml:4: key 'fault.nth': 0 is not within 1 to 1000000000"},
    {"no times", Fault("usb.stall", "times = 0"),
     "plan.toml:4: key 'fault.times': 0 is not within 1 to 1000000000"},
    {"one in none", Fault("usb.stall", "one_in = 0"),
     "plan.toml:4: key 'fault.one_in': 0 is not within 1 to 1000000000"},
    {"no probability", Fault("usb.stall", "probability = 0"),
     "plan.toml:4: key 'fault.probability': not within 0.000000001 and 1"},
    {"too much probability", Fault("usb.stall", "probability = 1.5"),
     "plan.toml:4: key 'fault.probability': not within 0.000000001 and 1"},
    {"probability that is no number", Fault("usb.stall", "probability = nan"),
     "plan.toml:4: key 'fault.probability': not within 0.000000001 and 1"},
    {"probability as text", Fault("usb.stall", "probability = \"1%\""),
     "plan.toml:4: key 'fault.probability': a string, and not a number"},
    {"two chances", Fault("usb.stall", "probability = 0.5\none_in = 2"),
     "plan.toml:5: key 'fault.one_in': and probability: give one of the two"},
    {"negative time", Fault("usb.stall", "after_ms = -1"),
     "plan.toml:4: key 'fault.after_ms': -1 is not within 0 to 31536000000"},
    {"an end before its beginning", Fault("usb.stall", "after_ms = 10\nuntil_ms = 9"),
     "plan.toml:5: key 'fault.until_ms': 9 is before after_ms = 10"},
    {"delay too long", Fault("usb.delay-request", "delay_ms = 86400001"),
     "plan.toml:4: key 'fault.delay_ms': 86400001 is not within 0 to 86400000"},
    {"length too large", Fault("bot.stall-data", "length = 4294967296"),
     "plan.toml:4: key 'fault.length': 4294967296 is not within 0 to 4294967295"},
    {"value too large", Fault("usb.corrupt-in", "value = 4294967296"),
     "plan.toml:4: key 'fault.value': 4294967296 is not within 0 to 4294967295"},
    {"a status that is not reserved", Fault("bot.reserved-status", "value = 2"),
     "plan.toml:4: key 'fault.value': 2 is not within 3 to 255"},
    {"a parameter where there is none", Fault("usb.stall", "length = 1"),
     "plan.toml:4: key 'fault.length': usb.stall takes no parameter"},
    {"another parameter", Fault("bot.stall-data", "delay_ms = 1"),
     "plan.toml:4: key 'fault.delay_ms': bot.stall-data takes length, and no other"},
    {"a tag inside a twin", Fault("scsi.slow", "tag = 1"),
     "plan.toml:4: key 'fault.tag': where scsi.slow begins, none is known"},
    {"an endpoint inside a twin", Fault("scsi.slow", "endpoint = 1"),
     "plan.toml:4: key 'fault.endpoint': where scsi.slow begins, none is known"},
    {"a command in a store", Fault("store.slow", "opcode = 0x28"),
     "plan.toml:4: key 'fault.opcode': where store.slow begins, none is known"},
    {"a unit while opening", Fault("port.open-fails", "lun = 0"),
     "plan.toml:4: key 'fault.lun': where port.open-fails begins, none is known"},
    {"blocks while opening", Fault("port.open-fails", "blocks = [0, 1]"),
     "plan.toml:4: key 'fault.blocks': where port.open-fails begins, none is known"},
    {"an endpoint of a port", Fault("port.reset-fails", "endpoint = 1"),
     "plan.toml:4: key 'fault.endpoint': where port.reset-fails begins, none is known"},
    {"a header that is no key", "[{fault]]\n", "plan.toml:1: "},
    {"an endless text", "[[fault]]\nkind = \"usb\n",
     "plan.toml:2: "},  // here and above, the rest is the parser's
};

BOOST_DATA_TEST_CASE(what_is_wrong_is_told_with_file_line_and_key,
                     boost::unit_test::data::make(kBad), bad) {
  const Result<FaultFile, Failure> file = ParseFaults(bad.text, "plan.toml");
  BOOST_REQUIRE(!file);
  BOOST_TEST((file.error().kind == Failure::Kind::kUsage));
  const bool exact = !bad.failure.ends_with(": ");
  BOOST_TEST((exact ? file.error().text : file.error().text.substr(0, bad.failure.size())) ==
             bad.failure);
}

BOOST_AUTO_TEST_CASE(rules_have_a_bound) {
  std::string text;
  for (size_t count = 0; count < FaultFile::kRulesMax; ++count) text += Fault("usb.stall", "");
  BOOST_TEST(Parse(text).plan.rules.size() == FaultFile::kRulesMax);
  text += Fault("usb.stall", "");
  BOOST_TEST(!ParseFaults(text, "plan.toml"));
}

BOOST_AUTO_TEST_SUITE_END()
