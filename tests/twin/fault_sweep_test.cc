// Faults one after another: at each transfer of a small workload in turn, twice in a row, on the
// recovery's own traffic, and in commands of many transfers. Whatever happens, the work ends, and
// nothing wrong is taken for right.
#include <algorithm>
#include <boost/test/data/test_case.hpp>

#include "fault_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using fault::Kind;
using fault::Rule;

namespace {

constexpr uint32_t kLength = 4096;
constexpr uint64_t kLba = 64;
constexpr Duration kOpened = 1s;
const auto kNearAndFar = boost::unit_test::data::make(std::vector<bool>{false, true});

std::vector<std::string> Swept() {
  std::vector<std::string> names;
  for (const fault::KindInfo& info : fault::Kinds()) {
    const std::string_view name = info.name;
    const bool ours =
        name.starts_with("usb.") || name.starts_with("port.") || name.starts_with("bot.");
    if (ours) names.emplace_back(name);
  }
  return names;
}

// Opens, writes, synchronizes, reads. What was written is kept, or told to have failed.
void UseOnce(FaultRig& rig) {
  const std::vector<uint8_t> bytes = Pattern(kLength, 7);
  std::vector<uint8_t> room(kLength, 0xa5);
  if (!rig.Open()) return;
  rig.block.emplace(*rig.transport, BlockDeviceOptions{});
  if (!Run(rig.clock, rig.block->Open())) return;
  const bool written = rig.Write(kLba, bytes).has_value();
  const bool kept = Run(rig.clock, rig.block->Flush()).has_value();
  const bool read = rig.Read(kLba, room).has_value();
  const bool spoilt = rig.player.count(Kind::kCorruptIn).injected != 0 ||
                      rig.player.count(Kind::kCorruptOut).injected != 0;
  if (written && kept && read && !spoilt) BOOST_TEST((room == bytes));
}

// An open disk with a pattern, which the faults do not touch before.
struct Opened {
  explicit Opened(std::vector<Rule> rules, LinkKind kind = {})
      : rig(After(std::move(rules)), kind) {
    rig.Start();
    BOOST_REQUIRE(rig.Write(kLba, bytes).has_value());
    rig.clock.Advance(kOpened);
  }
  static std::vector<Rule> After(std::vector<Rule> rules) {
    for (Rule& rule : rules) rule.after = kOpened;
    return rules;
  }
  bool Read() { return Tell(rig.Read(kLba, room)); }
  bool Write() { return Tell(rig.Write(kLba, bytes)); }
  static bool Tell(const BlockResult& result) {
    if (!result) BOOST_TEST_MESSAGE(result.error().Describe());
    return result.has_value();
  }
  // The faults are over, and whoever was away is back: at the latest the second command works.
  void CheckAfterwards() {
    rig.player.Stop();
    rig.clock.Advance(1s);
    if (!Write()) BOOST_TEST(Write());
    BOOST_TEST(Read());
    BOOST_TEST((room == bytes));
  }
  std::string Execute(const scsi::Cdb& cdb, ScsiRequest request) {
    request.cdb = cdb.view();
    const Result<ScsiResult> result = rig.Execute(request);
    if (!result) return result.error().Describe();
    std::string text = result->status == scsi::Status::kGood ? "good, " : "failed, ";
    return text + std::to_string(result->length_actual) + " bytes, " +
           std::to_string(result->residue) + " left";
  }
  std::string ReadOnce() {
    room.assign(kLength, 0xa5);
    return Execute(scsi::Read10(kLba, kLength / 512, {}), {.in = room, .in_length = kLength});
  }
  std::string ReadBeyond() {
    return Execute(scsi::Read10(8192, kLength / 512, {}), {.in = room, .in_length = kLength});
  }
  std::string WriteOnce() {
    return Execute(scsi::Write10(kLba, kLength / 512, {}), {.out = bytes});
  }
  std::string ReadLent(LeaseList& lent) {
    return Execute(scsi::Read10(kLba, kLength / 512, {}), {.in_length = kLength, .lent = &lent});
  }
  // How many of the first bytes that came are right; the others are untouched.
  size_t CheckedLength() const {
    const auto place = std::mismatch(room.begin(), room.end(), bytes.begin()).first;
    BOOST_TEST(std::all_of(place, room.end(), [](uint8_t byte) { return byte == 0xa5; }));
    return static_cast<size_t>(place - room.begin());
  }

  FaultRig rig;
  std::vector<uint8_t> bytes = Pattern(kLength, 3);
  std::vector<uint8_t> room = std::vector<uint8_t>(kLength, 0xa5);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_sweep)

BOOST_DATA_TEST_CASE(each_moment_of_a_small_workload, Swept() * kNearAndFar, name, far) {
  const Kind kind = *fault::ParseKind(name);
  constexpr uint64_t kMomentsMax = 300;
  uint64_t played_count = 0;
  for (uint64_t nth = 1;; ++nth) {
    BOOST_REQUIRE(nth < kMomentsMax);
    BOOST_TEST_CONTEXT(name << " at " << nth) {
      FaultRig rig({{.kind = kind, .nth = nth, .times = 1}}, {.far = far});
      UseOnce(rig);
      if (rig.player.injected() == 0) break;
      ++played_count;

      // Once the faults are over, a fresh session works.
      rig.player.Stop();
      rig.block.reset();
      if (rig.session.is_open()) static_cast<void>(Run(rig.clock, rig.session.Close()));
      rig.clock.Advance(1s);
      if (!rig.Open()) {
        static_cast<void>(Run(rig.clock, rig.session.Close()));
        BOOST_TEST(rig.Open().has_value());
      }
    }
  }
  BOOST_TEST((played_count != 0 || kind == Kind::kCancelLate || kind == Kind::kClearHaltFails ||
              kind == Kind::kResetFails));
}

// Twice in a row: the second one meets the recovery from the first, or the command sent again.
BOOST_DATA_TEST_CASE(each_kind_twice, Swept() * kNearAndFar, name, far) {
  const Kind kind = *fault::ParseKind(name);
  std::vector<Rule> rules{{.kind = kind, .times = 2}};
  if (kind == Kind::kCancelLate) rules.push_back({.kind = Kind::kNoStatus, .times = 2});
  if (kind == Kind::kClearHaltFails || kind == Kind::kResetFails || kind == Kind::kPortSlow) {
    rules.push_back({.kind = Kind::kStallCommand, .times = kind == Kind::kResetFails ? 1u : 2u});
  }
  if (kind == Kind::kResetFails) {
    rules.push_back({.kind = Kind::kClearHaltFails, .times = 2});
    rules.push_back({.kind = Kind::kStallCommand, .nth = 10, .times = 1});
  }
  if (kind == Kind::kClaimFails || kind == Kind::kOpenFails || kind == Kind::kConfigureFails) {
    rules.push_back({.kind = Kind::kDisconnect, .times = 1});
  }
  Opened opened(rules, {.far = far});
  const uint64_t due = kind == Kind::kConfigureFails ? 0 : 2;  // it is configured still

  for (int attempt = 0; attempt < 12 && opened.rig.player.count(kind).injected < due; ++attempt) {
    if (attempt % 2 == 0) {
      static_cast<void>(opened.Read());
    } else {
      static_cast<void>(opened.Write());
    }
  }

  BOOST_TEST(opened.rig.player.count(kind).injected == due);
  // Of two in one command that went out together, only the first one may be noticed.
  const uint64_t observed = opened.rig.player.count(kind).observed;
  BOOST_TEST(observed <= due);
  BOOST_TEST(observed >= (far ? std::min<uint64_t>(due, 1) : due));
  opened.CheckAfterwards();
}

// Two faults, the second one in what the host does about the first.
BOOST_DATA_TEST_CASE(each_kind_and_then_one_in_its_recovery, Swept() * kNearAndFar, name, far) {
  for (const std::string& second : Swept()) {
    const Rule rule{.kind = *fault::ParseKind(second), .times = 1};
    std::vector<Rule> seconds;
    if (fault::Info(rule.kind).at(fault::Moment::kControl)) {
      seconds.push_back(rule);
      seconds.back().endpoint = uint8_t{0};
    } else {
      seconds.assign({rule, rule});
      seconds.back().nth = 2;
    }
    for (const Rule& then : seconds) {
      for (uint64_t nth = 1; nth <= 3; ++nth) {
        BOOST_TEST_CONTEXT(name << " at " << nth << ", then " << second << " at " << then.nth) {
          Opened opened({{.kind = *fault::ParseKind(name), .nth = nth, .times = 1}, then},
                        {.far = far});
          static_cast<void>(opened.Read());
          static_cast<void>(opened.Write());
          opened.CheckAfterwards();
        }
      }
    }
  }
}

// The data of one command in four transfers.
BOOST_AUTO_TEST_CASE(a_stall_among_many_transfers) {
  constexpr uint32_t kPiece = 1024;
  {
    Opened opened({{.kind = Kind::kStallData, .nth = 2, .times = 1, .length = 1000}},
                  {.length_max = kPiece});
    BOOST_TEST(opened.ReadOnce() == "good, 2024 bytes, 2072 left");
    BOOST_TEST(opened.CheckedLength() == 2024u);
    opened.CheckAfterwards();
  }
  {
    Opened opened({{.kind = Kind::kStallData, .nth = 2, .times = 1}}, {.length_max = kPiece});
    BOOST_TEST(opened.ReadOnce() == "good, 2048 bytes, 2048 left");
    BOOST_TEST(opened.CheckedLength() == 2048u);
    opened.CheckAfterwards();
  }
  {
    Opened opened({{.kind = Kind::kStallData, .times = 1, .length = 2500}}, {.length_max = kPiece});
    BOOST_TEST(opened.WriteOnce() == "failed, 2500 bytes, 1596 left");
    BOOST_TEST(opened.rig.player.count(Kind::kStallData).observed == 1u);
    opened.CheckAfterwards();
  }
  {
    Opened opened({{.kind = Kind::kStallData, .times = 1, .length = 5000}}, {.length_max = kPiece});
    BOOST_TEST(opened.WriteOnce() == "good, 4096 bytes, 0 left");
    BOOST_TEST(opened.rig.player.count(Kind::kStallData).observed == 1u);
    opened.CheckAfterwards();
  }
  {
    Opened opened({{.kind = Kind::kStatusForData, .times = 1}}, {.length_max = kPiece});
    BOOST_TEST(opened.ReadOnce() == "good, 0 bytes, 4096 left");
    BOOST_TEST(opened.rig.player.count(Kind::kStatusForData).observed == 1u);
    opened.CheckAfterwards();
  }
}

// A device that halts data-out early fails the command, and says in its status what it took. Where
// that was asked for together with the data, it used to be answered before the data.
BOOST_DATA_TEST_CASE(data_out_that_is_stalled_early, kNearAndFar, far) {
  for (const uint32_t length : {0u, 1000u}) {
    Opened opened({{.kind = Kind::kStallData, .times = 1, .length = length}}, {.far = far});
    BOOST_TEST(opened.WriteOnce() == "failed, " + std::to_string(length) + " bytes, " +
                                         std::to_string(kLength - length) + " left");
    BOOST_TEST(opened.rig.player.count(Kind::kStallData).observed == 1u);
    opened.CheckAfterwards();
  }
}

// The data that had gone out behind it used to be the next thing that the device saw.
BOOST_DATA_TEST_CASE(data_does_not_go_in_place_of_a_wrapper_that_was_taken_back, kNearAndFar, far) {
  Opened opened({{.kind = Kind::kLostRequest, .times = 1}}, {.far = far});
  std::optional<BlockResult> result;
  BOOST_TEST(
      RunAndCancel(opened.rig.clock, opened.rig.block->Write(kLba, opened.bytes), 0, result));
  BOOST_TEST(opened.rig.player.count(Kind::kLostRequest).observed == 1u);
  BOOST_TEST(opened.ReadOnce() == "good, 4096 bytes, 0 left");
  BOOST_TEST(opened.rig.bot().last_recovery() == "");
}

// A status that is never looked at shows nothing: the device itself stalls the data before it.
BOOST_AUTO_TEST_CASE(what_is_queued_behind_a_stall_is_not_noticed) {
  const std::vector<Kind> kinds{Kind::kNoStatus,     Kind::kStallStatus, Kind::kStallStatusTwice,
                                Kind::kDelayRequest, Kind::kZeroPacket,  Kind::kFault};
  for (const Kind kind : kinds) {
    BOOST_TEST_CONTEXT(fault::Info(kind).name) {
      // Where the kind is one of any transfer, the status is the second one on its endpoint.
      const uint64_t nth = kind == Kind::kDelayRequest || kind == Kind::kFault ? 2 : 1;
      Opened opened({{.kind = kind, .endpoint = uint8_t{0x81}, .nth = nth, .times = 1}},
                    {.far = true});
      BOOST_TEST(opened.ReadBeyond() == "failed, 0 bytes, 4096 left");
      BOOST_TEST(opened.rig.player.count(kind).injected == 1u);
      BOOST_TEST(opened.rig.player.count(kind).observed == 0u);
      opened.CheckAfterwards();
    }
  }
}

// Data that is lent is cut and changed in a copy, never in its owner's memory.
BOOST_DATA_TEST_CASE(lent_data, kNearAndFar, far) {
  const auto check = [far](const Rule& rule, const std::string& text, size_t right) {
    Opened opened({rule}, {.far = far});
    LeaseList lent;
    BOOST_TEST(opened.ReadLent(lent) == text);
    std::vector<uint8_t> came(lent.length());
    lent.CopyTo(came);
    const auto place = std::mismatch(came.begin(), came.end(), opened.bytes.begin()).first;
    BOOST_TEST(static_cast<size_t>(place - came.begin()) == right);
    lent.Clear();
    BOOST_TEST(opened.rig.player.count(rule.kind).observed == 1u);
    BOOST_TEST(opened.Read());
    BOOST_TEST((opened.room == opened.bytes));
    opened.CheckAfterwards();
  };
  check({.kind = Kind::kShortIn, .times = 1, .length = 1000}, "good, 1000 bytes, 0 left", 1000);
  check({.kind = Kind::kStallData, .times = 1, .length = 1000}, "good, 1000 bytes, 3096 left",
        1000);
  check({.kind = Kind::kStatusForData, .times = 1}, "good, 0 bytes, 4096 left", 0);
  check({.kind = Kind::kCorruptIn, .times = 1, .value = 8 * 4000}, "good, 4096 bytes, 0 left",
        4000);
  check({.kind = Kind::kStallLate, .endpoint = uint8_t{0x81}, .times = 1},
        "good, 4096 bytes, 0 left", 4096);
}

// A command whose caller gives up is ended, and the device is fit for the next one.
BOOST_DATA_TEST_CASE(a_command_cancelled_at_every_step_of_a_fault, Swept() * kNearAndFar, name,
                     far) {
  for (uint64_t nth = 1; nth <= 3; ++nth) {
    for (size_t steps = 1;; ++steps) {
      BOOST_REQUIRE(steps < 300u);
      Opened opened({{.kind = *fault::ParseKind(name), .nth = nth, .times = 1}}, {.far = far});
      std::optional<BlockResult> result;
      const bool running =
          RunAndCancel(opened.rig.clock, opened.rig.block->Read(kLba, opened.room), steps, result);
      opened.CheckAfterwards();
      if (!running) break;
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
