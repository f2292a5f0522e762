#include "proto/bot_device.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::bot;  // NOLINT
using wire::bot::Status;

namespace {

constexpr uint16_t kPacket = 512;
constexpr auto kInquiry =
    "55534243 01000000 24000000 80 00 06"     // CBW, tag 1, 36 bytes in
    "120000002400 00000000000000000000"_hex;  // INQUIRY

std::vector<uint8_t> Command(uint32_t length, bool in, uint32_t tag = 7) {
  wire::bot::CommandBlockWrapper wrapper{.signature = wire::bot::kCommandSignature,
                                         .tag = tag,
                                         .data_length = length,
                                         .flags = static_cast<uint8_t>(in ? 0x80 : 0),
                                         .lun = 0,
                                         .command_length = 6,
                                         .command_block = {0x12}};
  const Bytes bytes = wire::AsBytes(wrapper);
  return {bytes.begin(), bytes.end()};
}

struct Fixture {
  Fixture() {
    engine.HandleEnabled(kPacket);
    Expect(ReceiveCommand{});
  }
  template <class Action>
  void Expect(const Action& expected) {
    const std::optional<DeviceAction> action = engine.Poll();
    BOOST_REQUIRE(action.has_value());
    BOOST_REQUIRE_MESSAGE(std::holds_alternative<Action>(*action),
                          "got alternative " << action->index());
    BOOST_TEST((std::get<Action>(*action) == expected));
  }
  void ExpectNothing() { BOOST_TEST(!engine.Poll().has_value()); }
  void Start(uint32_t length, bool in) {
    engine.HandleCommand(Command(length, in));
    Expect(Execute{});
    ExpectNothing();
  }
  void ExpectStatus(uint32_t residue, Status status) {
    Expect(SendStatus{.tag = 7, .residue = residue, .status = status});
    ExpectNothing();
    engine.HandleStatusSent();
    Expect(ReceiveCommand{});
    ExpectNothing();
  }
  DeviceEngine engine;
};

enum class Intent { kNone, kIn, kOut };

// One of the thirteen cases: what the host announced against what the unit intends. BOT 1.0, 6.7.
struct ThirteenCase {
  const char* name;
  uint32_t host;
  bool host_in;
  Intent intent;
  uint32_t device;
  // What must happen.
  uint32_t moved;  // bytes of data phase; 0 for none
  bool abort;
  Halt halt;
  uint32_t residue;
  Status status;
};
std::ostream& operator<<(std::ostream& out, const ThirteenCase& c) {
  return out << c.name;
}

const ThirteenCase kCases[] = {
    {"1: Hn = Dn", 0, false, Intent::kNone, 0, 0, false, {}, 0, Status::kPassed},
    {"2: Hn < Di", 0, false, Intent::kIn, 36, 0, true, {}, 0, Status::kPhaseError},
    {"3: Hn < Do", 0, false, Intent::kOut, 512, 0, true, {}, 0, Status::kPhaseError},
    {"4: Hi > Dn", 512, true, Intent::kNone, 0, 0, false, {.bulk_in = true}, 512, Status::kPassed},
    {"5: Hi > Di, seen by a short packet",
     512,
     true,
     Intent::kIn,
     36,
     36,
     false,
     {},
     476,
     Status::kPassed},
    {"5: Hi > Di, ending on a full packet",
     2048,
     true,
     Intent::kIn,
     1024,
     1024,
     false,
     {.bulk_in = true},
     1024,
     Status::kPassed},
    {"6: Hi = Di", 1024, true, Intent::kIn, 1024, 1024, false, {}, 0, Status::kPassed},
    {"7: Hi < Di", 512, true, Intent::kIn, 1024, 512, true, {}, 0, Status::kPhaseError},
    {"8: Hi <> Do",
     512,
     true,
     Intent::kOut,
     512,
     0,
     true,
     {.bulk_in = true},
     512,
     Status::kPhaseError},
    {"9: Ho > Dn",
     512,
     false,
     Intent::kNone,
     0,
     0,
     false,
     {.bulk_out = true},
     512,
     Status::kPassed},
    {"10: Ho <> Di",
     512,
     false,
     Intent::kIn,
     512,
     0,
     true,
     {.bulk_out = true},
     512,
     Status::kPhaseError},
    {"11: Ho > Do",
     2048,
     false,
     Intent::kOut,
     512,
     512,
     false,
     {.bulk_out = true},
     1536,
     Status::kPassed},
    {"11: Ho > Do, all in the last packet",
     512,
     false,
     Intent::kOut,
     4,
     4,
     false,
     {},
     508,
     Status::kPassed},
    {"11: Ho > Do, one byte in a packet of its own",
     513,
     false,
     Intent::kOut,
     4,
     4,
     false,
     {.bulk_out = true},
     509,
     Status::kPassed},
    {"12: Ho = Do", 512, false, Intent::kOut, 512, 512, false, {}, 0, Status::kPassed},
    {"13: Ho < Do",
     512,
     false,
     Intent::kOut,
     1024,
     0,
     true,
     {.bulk_out = true},
     512,
     Status::kPhaseError},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(bot_device)

BOOST_DATA_TEST_CASE_F(Fixture, the_thirteen_cases, boost::unit_test::data::make(kCases), c) {
  for (int twice = 0; twice < 2; ++twice) {
    Start(c.host, c.host_in);
    if (c.intent == Intent::kOut) {
      engine.HandleDataWanted(c.device);
    } else {
      engine.HandleExecuted(true, c.intent == Intent::kIn ? c.device : 0, 0);
    }
    if (c.moved != 0 && c.intent == Intent::kIn) {
      Expect(SendData{c.moved});
      engine.HandleDataMoved(c.moved, false);
    } else if (c.moved != 0) {
      Expect(ReceiveData{c.moved});
      engine.HandleDataMoved(c.moved, false);
      engine.HandleExecuted(true, 0, c.moved);
    }
    if (c.abort) {
      Expect(AbortCommand{});
      ExpectNothing();  // nothing before the unit has let go
      engine.HandleExecuted(false, 0, 0);
    }
    if (c.halt.bulk_in || c.halt.bulk_out) Expect(c.halt);
    ExpectStatus(c.residue, c.status);
  }
}

BOOST_FIXTURE_TEST_CASE(the_wrapper_is_kept_as_it_came, Fixture) {
  engine.HandleCommand(kInquiry);
  Expect(Execute{});
  BOOST_TEST(SameBytes(wire::AsBytes(engine.command()), kInquiry));
  engine.HandleExecuted(true, 36, 0);
  Expect(SendData{36});
  engine.HandleDataMoved(36, false);
  const auto action = engine.Poll();
  const auto status = Wrapper(std::get<SendStatus>(*action));
  constexpr auto kStatus = "55534253 01000000 00000000 00"_hex;  // CSW, tag 1, passed
  BOOST_TEST(SameBytes(wire::AsBytes(status), kStatus));
}

BOOST_FIXTURE_TEST_CASE(a_failed_read_stalls_and_tells_the_residue, Fixture) {
  Start(512, true);
  engine.HandleExecuted(false, 0, 0);
  Expect(Halt{.bulk_in = true});
  ExpectStatus(512, Status::kFailed);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_fails_half_way_counts_what_was_taken, Fixture) {
  Start(4096, false);
  engine.HandleDataWanted(4096);
  Expect(ReceiveData{4096});
  engine.HandleDataMoved(4096, false);
  engine.HandleExecuted(false, 0, 1024);
  ExpectStatus(3072, Status::kFailed);
}

BOOST_FIXTURE_TEST_CASE(a_window_that_fails_ends_data_in, Fixture) {
  Start(8192, true);
  engine.HandleExecuted(true, 8192, 0);
  Expect(SendData{8192});
  engine.HandleDataFailed(1024);
  Expect(Halt{.bulk_in = true});
  ExpectStatus(7168, Status::kFailed);
}

BOOST_FIXTURE_TEST_CASE(a_host_that_sends_less_than_it_announced_gets_a_phase_error, Fixture) {
  Start(1024, false);
  engine.HandleDataWanted(1024);
  Expect(ReceiveData{1024});
  engine.HandleDataMoved(700, true);
  Expect(AbortCommand{});
  engine.HandleExecuted(false, 0, 512);  // the one block that came whole
  ExpectStatus(512, Status::kPhaseError);
}

struct BadWrapper {
  const char* name;
  size_t offset;
  uint8_t value;
};
std::ostream& operator<<(std::ostream& out, const BadWrapper& c) {
  return out << c.name;
}
const BadWrapper kBadWrappers[] = {
    {"signature", 0, 0x54},
    {"flags with a reserved bit", 12, 0x81},
    {"LUN with a reserved bit", 13, 0x10},
    {"command block of no bytes", 14, 0},
    {"command block of 17 bytes", 14, 17},
    {"command block length with reserved bits", 14, 0x26},
};

BOOST_DATA_TEST_CASE_F(Fixture, an_invalid_wrapper_wedges,
                       boost::unit_test::data::make(kBadWrappers), c) {
  auto bytes = kInquiry;
  bytes[c.offset] = c.value;
  engine.HandleCommand(bytes);
  Expect(Halt{.bulk_in = true, .bulk_out = true, .wedge = true});
  ExpectNothing();
  BOOST_TEST(engine.wedged());
  engine.HandleReset();
  Expect(Halt{.bulk_in = true, .bulk_out = true});  // now an ordinary halt
  Expect(ReceiveCommand{});
  Start(0, false);
}

BOOST_FIXTURE_TEST_CASE(a_wrapper_of_any_other_length_wedges, Fixture) {
  for (size_t length = 0; length <= 64; ++length) {
    if (length == 31) continue;
    std::vector<uint8_t> bytes(64, 0);
    CopyBytes(bytes, kInquiry);
    bytes.resize(length);
    engine.HandleCommand(bytes);
    Expect(Halt{.bulk_in = true, .bulk_out = true, .wedge = true});
    engine.HandleReset();
    Expect(Halt{.bulk_in = true, .bulk_out = true});
    Expect(ReceiveCommand{});
  }
}

BOOST_FIXTURE_TEST_CASE(a_reset_in_mid_command_starts_anew_without_a_halt, Fixture) {
  Start(512, true);
  engine.HandleExecuted(true, 512, 0);
  Expect(SendData{512});
  engine.HandleReset();
  Expect(ReceiveCommand{});
  ExpectNothing();
  Start(0, false);
}

BOOST_AUTO_TEST_SUITE_END()
