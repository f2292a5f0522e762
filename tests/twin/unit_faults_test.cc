// Every fault of units and stores, met by a whole host: what the transport reports of it, what the
// block device makes of it when it happens once and when it happens every time, and that what was
// read and written is right.
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"
#include "tests/twin/unit_fault_rig.h"

using namespace usbtwin;  // NOLINT
using fault::Kind;
using std::chrono::milliseconds;
using tests::FaultStack;
using tests::Pattern;
using tests::Run;

namespace {

enum class Verb : uint8_t { kRead, kWrite, kFlush };

constexpr uint32_t kLba = 5;
constexpr uint32_t kCount = 4;
constexpr uint32_t kLength = kCount * 512;

struct Case {
  Kind kind;
  Verb verb;
  const char* command;  // the transport's answer to the command that meets it
  // The block device's with its default policy: "done", or its error without the command's name.
  const char* once;
  const char* always;  // when every command meets it
  int once_ms = 0;     // how long `once` took
};
std::ostream& operator<<(std::ostream& out, const Case& row) {
  return out << fault::Info(row.kind).name;
}

constexpr Case kCases[] = {
    {Kind::kNoSense, Verb::kRead, "check condition 00/00/00, 0 bytes, residue 2048", "done",
     ", tried 3 times: check condition, No Sense (00/00/00)"},
    {Kind::kRecoveredError, Verb::kRead, "check condition 01/17/00, 0 bytes, residue 2048", "done",
     ", tried 3 times: protocol error in data-in: short data: 0 of 2048 bytes moved"},
    {Kind::kRecoveredError, Verb::kWrite, "check condition 01/17/00, 0 bytes, residue 2048", "done",
     ", tried 3 times: protocol error in data-out: short data: 0 of 2048 bytes moved"},
    {Kind::kNotReady, Verb::kRead, "check condition 02/04/01, 0 bytes, residue 2048", "done",
     ", tried 65 times: check condition, Not Ready (02/04/01)", 140},
    {Kind::kMediumError, Verb::kRead, "check condition 03/11/00 at 7, 0 bytes, residue 2048",
     "done", ", tried 2 times: check condition, Medium Error (03/11/00)"},
    {Kind::kHardwareError, Verb::kRead, "check condition 04/44/00, 0 bytes, residue 2048", "done",
     ", tried 2 times: check condition, Hardware Error (04/44/00)"},
    {Kind::kIllegalRequest, Verb::kRead, "check condition 05/24/00, 0 bytes, residue 2048",
     ": check condition, Illegal Request (05/24/00)",
     ": check condition, Illegal Request (05/24/00)"},
    {Kind::kUnitAttention, Verb::kRead, "check condition 06/29/00, 0 bytes, residue 2048", "done",
     ", tried 9 times: check condition, Unit Attention (06/29/00)"},
    {Kind::kDataProtect, Verb::kWrite, "check condition 07/27/00, 0 bytes, residue 2048",
     ": check condition, Data Protect (07/27/00)", ": check condition, Data Protect (07/27/00)"},
    {Kind::kBlankCheck, Verb::kRead, "check condition 08/00/00, 0 bytes, residue 2048",
     ": check condition, Blank Check (08/00/00)", ": check condition, Blank Check (08/00/00)"},
    {Kind::kVendorSpecific, Verb::kRead, "check condition 09/80/00, 0 bytes, residue 2048",
     ": check condition, Vendor Specific (09/80/00)",
     ": check condition, Vendor Specific (09/80/00)"},
    {Kind::kCopyAborted, Verb::kRead, "check condition 0a/00/00, 0 bytes, residue 2048",
     ": check condition, Copy Aborted (0a/00/00)", ": check condition, Copy Aborted (0a/00/00)"},
    {Kind::kAbortedCommand, Verb::kWrite, "check condition 0b/47/00, 0 bytes, residue 2048", "done",
     ", tried 3 times: check condition, Aborted Command (0b/47/00)"},
    {Kind::kVolumeOverflow, Verb::kWrite, "check condition 0d/00/00, 0 bytes, residue 2048",
     ": check condition, Volume Overflow (0d/00/00)",
     ": check condition, Volume Overflow (0d/00/00)"},
    {Kind::kMiscompare, Verb::kRead, "check condition 0e/1d/00, 0 bytes, residue 2048",
     ": check condition, Miscompare (0e/1d/00)", ": check condition, Miscompare (0e/1d/00)"},
    {Kind::kMediumRemoved, Verb::kRead, "check condition 02/3a/00, 0 bytes, residue 2048",
     ": check condition, Not Ready (02/3a/00)", ": check condition, Not Ready (02/3a/00)"},
    {Kind::kUnitBusy, Verb::kRead, "check condition 00/00/00, 0 bytes, residue 2048", "done",
     ", tried 3 times: check condition, No Sense (00/00/00)"},
    {Kind::kUnitBusy, Verb::kFlush, "check condition 00/00/00, 0 bytes", "done",
     ", tried 3 times: check condition, No Sense (00/00/00)"},
    {Kind::kSlow, Verb::kRead, "good, 2048 bytes", "done", "done", 1000},
    {Kind::kNever, Verb::kRead, "timed out in data-in on endpoint 81", "done",
     ", tried 2 times: timed out in data-in on endpoint 81", 30000},
    {Kind::kNever, Verb::kWrite, "timed out in data-out on endpoint 01", "done",
     ", tried 2 times: timed out in data-out on endpoint 01", 30000},
    {Kind::kShortData, Verb::kRead, "good, 700 bytes, residue 1348", "done",
     ", tried 3 times: protocol error in data-in after 700 bytes: short data: 700 of 2048 bytes "
     "moved"},
    {Kind::kReadError, Verb::kRead, "check condition 03/11/00, 0 bytes, residue 2048", "done",
     ", tried 2 times: check condition, Medium Error (03/11/00)"},
    {Kind::kWriteError, Verb::kWrite, "check condition 03/0c/00, 2048 bytes, residue 2048", "done",
     ", tried 2 times: check condition, Medium Error (03/0c/00)"},
    {Kind::kNoSpace, Verb::kWrite, "check condition 07/27/07, 2048 bytes, residue 2048",
     ": check condition, Data Protect (07/27/07)", ": check condition, Data Protect (07/27/07)"},
    {Kind::kTornWrite, Verb::kWrite, "check condition 03/0c/00, 2048 bytes, residue 2048", "done",
     ", tried 2 times: check condition, Medium Error (03/0c/00)"},
    {Kind::kFlushError, Verb::kFlush, "check condition 03/0c/00, 0 bytes", "done",
     ", tried 2 times: check condition, Medium Error (03/0c/00)"},
    {Kind::kSlowStore, Verb::kRead, "good, 2048 bytes", "done", "done", 100},
    {Kind::kSlowStore, Verb::kWrite, "good, 2048 bytes", "done", "done", 100},
    {Kind::kSlowStore, Verb::kFlush, "good, 0 bytes", "done", "done", 100},
    {Kind::kPowerLoss, Verb::kWrite, "disconnected in data-out on endpoint 01", "done",
     ", tried 2 times: disconnected in data-out on endpoint 01", 1000},
    {Kind::kPowerLoss, Verb::kRead, "disconnected in data-in on endpoint 81", "done",
     ", tried 2 times: disconnected in data-in on endpoint 81", 1000},
};

std::string Expected(const Case& row, const std::string& text) {
  if (text == "done") return text;
  if (row.verb == Verb::kFlush) return "SYNCHRONIZE CACHE(10)" + text;
  const std::string lba = row.kind == Kind::kMediumError ? "7" : "5";
  return (row.verb == Verb::kRead ? "READ(10) at LBA " : "WRITE(10) at LBA ") + lba +
         " of a command of 4 blocks" + text;
}

fault::Rule RuleOf(const Case& row, bool once) {
  fault::Rule rule{.kind = row.kind};
  if (once) rule.times = 1;
  if (row.kind == Kind::kShortData) rule.length = 700;
  if (row.kind == Kind::kMediumError) rule.blocks = fault::BlockRange{kLba + 2, 100};
  if (fault::Info(row.kind).at(fault::Moment::kExecute)) {
    rule.opcode = row.verb == Verb::kRead ? 0x28 : row.verb == Verb::kWrite ? 0x2a : 0x35;
  }
  return rule;
}

// A stack whose blocks hold the pattern 1, and buffers for the command: a read finds the pattern, a
// write brings the pattern 2.
struct Trial {
  Trial(const Case& row, bool once) : stack({{RuleOf(row, once)}}), verb(row.verb) {
    stack.Write(kLba, before);
    const host::BlockResult flushed = Run(stack.clock, stack.block->Flush());
    BOOST_REQUIRE(flushed);
    stack.Arm();
  }
  std::string Command() {
    switch (verb) {
      case Verb::kRead: return stack.Execute(scsi::Read10(kLba, kCount), room, {});
      case Verb::kWrite: return stack.Execute(scsi::Write10(kLba, kCount), {}, after);
      case Verb::kFlush: return stack.Execute(scsi::SynchronizeCache10(0, 0), {}, {});
    }
    return "";
  }
  std::string Block() {
    const TimePoint start = stack.clock.Now();
    host::BlockResult result;
    switch (verb) {
      case Verb::kRead: result = Run(stack.clock, stack.block->Read(kLba, room)); break;
      case Verb::kWrite: result = Run(stack.clock, stack.block->Write(kLba, after)); break;
      case Verb::kFlush: result = Run(stack.clock, stack.block->Flush()); break;
    }
    took = std::chrono::duration_cast<milliseconds>(stack.clock.Now() - start);
    done = result.has_value();
    if (done && verb == Verb::kRead) BOOST_TEST(room == before);
    return FaultStack::Text(result);
  }
  // Each block is what it was or what was written; all of them the latter where that succeeded.
  void CheckMedium(bool written) {
    stack.player.Stop();
    stack.clock.Advance(std::chrono::seconds(2));
    const std::vector<uint8_t> found = stack.Read(kLba, kCount);
    for (size_t block = 0; block < kCount; ++block) {
      const Bytes bytes = Bytes(found).subspan(block * 512, 512);
      const bool old = SameBytes(bytes, Bytes(before).subspan(block * 512, 512));
      const bool fresh = SameBytes(bytes, Bytes(after).subspan(block * 512, 512));
      BOOST_TEST((written ? fresh : old || (verb == Verb::kWrite && fresh)));
    }
  }

  FaultStack stack;
  const Verb verb;
  const std::vector<uint8_t> before = Pattern(kLength, 1);
  const std::vector<uint8_t> after = Pattern(kLength, 2);
  std::vector<uint8_t> room = std::vector<uint8_t>(kLength, 0xa5);
  milliseconds took{};
  bool done = false;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(unit_faults)

BOOST_AUTO_TEST_CASE(the_transport_reports_what_the_unit_says) {
  for (const Case& row : kCases) {
    BOOST_TEST_CONTEXT(row) {
      Trial trial(row, true);
      const std::string answer = trial.Command();
      BOOST_TEST(answer == row.command);
      BOOST_TEST(trial.stack.player.count(row.kind).injected == 1u);
      BOOST_TEST(trial.stack.player.count(row.kind).observed == 1u);
      trial.CheckMedium(row.verb == Verb::kWrite && answer.starts_with("good"));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_block_device_recovers_or_says_why_not) {
  for (const Case& row : kCases) {
    BOOST_TEST_CONTEXT(row) {
      Trial trial(row, true);
      BOOST_TEST(trial.Block() == Expected(row, row.once));
      BOOST_TEST(trial.took.count() == row.once_ms);
      BOOST_TEST(trial.stack.player.count(row.kind).injected == 1u);
      BOOST_TEST(trial.stack.player.count(row.kind).observed == 1u);
      trial.CheckMedium(row.verb == Verb::kWrite && trial.done);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_block_device_gives_up_in_the_end) {
  for (const Case& row : kCases) {
    BOOST_TEST_CONTEXT(row) {
      Trial trial(row, false);
      BOOST_TEST(trial.Block() == Expected(row, row.always));
      const fault::Player::Count& count = trial.stack.player.count(row.kind);
      BOOST_TEST(count.injected >= 1u);
      BOOST_TEST(count.observed == count.injected);
      trial.CheckMedium(row.verb == Verb::kWrite && trial.done);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_capacity_that_lies_shows_behind_the_end) {
  for (const bool long_capacity : {false, true}) {
    fault::Rule rule{.kind = Kind::kLyingCapacity, .times = 1};
    FaultStack stack({{rule}});
    stack.Arm();
    if (long_capacity) {
      std::vector<uint8_t> room(32, 0xa5);
      BOOST_TEST(stack.Execute(scsi::ReadCapacity16(32), room, {}) == "good, 32 bytes");
      BOOST_TEST(Hex(Bytes(room).first(12)) == Hex("0000000000000fff 00000200"_hex));
    } else {
      BOOST_TEST(FaultStack::Text(Run(stack.clock, stack.block->Open())) == "done");
      BOOST_TEST(stack.block->facts().blocks_count == 4096u);
      std::vector<uint8_t> room(512);
      BOOST_TEST(FaultStack::Text(Run(stack.clock, stack.block->Read(4095, room))) ==
                 "READ(10) at LBA 4095: check condition, Illegal Request (05/21/00)");
    }
    BOOST_TEST(stack.player.count(Kind::kLyingCapacity).injected == 1u);
    BOOST_TEST(stack.player.count(Kind::kLyingCapacity).observed == 1u);
  }
}

// The twin did its part, and another fault ate the answer that bears it.
BOOST_AUTO_TEST_CASE(what_does_not_reach_the_host_is_not_observed) {
  const std::vector<Kind> kinds{Kind::kUnitBusy, Kind::kSlow, Kind::kShortData, Kind::kReadError,
                                Kind::kSlowStore};
  for (const Kind kind : kinds) {
    for (const Kind eater : {Kind::kWrongTag, Kind::kLostCompletion, Kind::kDisconnect}) {
      BOOST_TEST_CONTEXT(fault::Info(kind).name << " and " << fault::Info(eater).name) {
        // The data is the first transfer there, the status the second, and the first of its kind.
        const uint64_t nth = eater == Kind::kWrongTag ? 1 : 2;
        FaultStack stack(
            {{{.kind = kind, .times = 1},
              {.kind = eater, .endpoint = 0x81, .opcode = 0x28, .nth = nth, .times = 1}}});
        stack.Arm();
        std::vector<uint8_t> room(kLength, 0xa5);
        const std::string text = stack.Execute(scsi::Read10(kLba, kCount), room, {});
        BOOST_TEST(text.find("good") == std::string::npos, text);
        BOOST_TEST(stack.player.count(eater).observed == 1u);
        BOOST_TEST(stack.player.count(kind).injected == 1u);
        BOOST_TEST(stack.player.count(kind).observed == 0u);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(every_kind_of_units_and_stores_is_here) {
  for (const fault::KindInfo& info : fault::Kinds()) {
    const std::string_view name = info.name;
    if (!name.starts_with("scsi.") && !name.starts_with("store.")) continue;
    const bool is_here = info.kind == Kind::kLyingCapacity ||
                         std::any_of(std::begin(kCases), std::end(kCases),
                                     [&info](const Case& row) { return row.kind == info.kind; });
    BOOST_TEST(is_here, name << " has no test");
  }
}

BOOST_AUTO_TEST_SUITE_END()
