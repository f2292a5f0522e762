// Every fault of transfers, ports and Bulk-Only devices, played once on a twin: that it happened,
// that the host noticed, and exactly what the host made of it. Each row names one kind, and a kind
// without a row fails.
#include <boost/test/data/test_case.hpp>

#include "fault_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using fault::Kind;
using fault::Rule;

namespace {

constexpr uint8_t kRead10 = 0x28;
constexpr uint8_t kWrite10 = 0x2a;
constexpr uint32_t kLength = 4096;  // bytes of the command with the fault
constexpr uint64_t kLba = 64;

struct Row {
  const char* name;        // of the kind
  uint8_t opcode;          // of the command with the fault
  Rule rule;               // beside the kind; once
  const char* transport;   // what one command over the transport comes to, and the highest rung
  const char* block;       // what the block device makes of it, in how many milliseconds
  std::vector<Rule> also;  // faults that lead there; once
};
std::ostream& operator<<(std::ostream& stream, const Row& row) {
  return stream << row.name << " in " << (row.opcode == kRead10 ? "READ" : "WRITE");
}

const std::vector<Row> kRows{
    {"usb.stall", kRead10, {}, "stalled in command; bulk-only reset", "good, 0 ms", {}},
    {"usb.stall", kRead10, {.nth = 2}, "overflow in status; bulk-only reset", "good, 0 ms", {}},
    {"usb.stall", kRead10, {.nth = 3}, "good; second status read", "good, 0 ms", {}},
    {"usb.stall",
     kWrite10,
     {.nth = 2},
     "timed out in status; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.stall-late",
     kRead10,
     {.nth = 1},
     "stalled in command; bulk-only reset",
     "good, 0 ms",
     {}},
    {"usb.stall-late", kRead10, {.nth = 2}, "good; clear halt", "good, 0 ms", {}},
    {"usb.stall-late",
     kRead10,
     {.nth = 3},
     "timed out in status; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.stall-late", kWrite10, {.nth = 2}, "good; clear halt", "good, 0 ms", {}},
    {"usb.lost-request",
     kRead10,
     {.nth = 1},
     "timed out in command; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-request",
     kRead10,
     {.nth = 2},
     "timed out in data-in; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-request",
     kRead10,
     {.nth = 3},
     "timed out in status; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-request",
     kWrite10,
     {.nth = 2},
     "timed out in data-out; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-completion",
     kRead10,
     {.nth = 1},
     "timed out in command; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-completion",
     kRead10,
     {.nth = 2},
     "timed out in data-in; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-completion",
     kRead10,
     {.nth = 3},
     "timed out in status; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.lost-completion",
     kWrite10,
     {.nth = 2},
     "timed out in data-out; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.delay-request", kRead10, {.nth = 1}, "good; none", "good, 100 ms", {}},
    {"usb.delay-request", kRead10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"usb.delay-request", kRead10, {.nth = 3}, "good; none", "good, 100 ms", {}},
    {"usb.delay-request", kWrite10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"usb.delay-completion", kRead10, {.nth = 1}, "good; none", "good, 100 ms", {}},
    {"usb.delay-completion", kRead10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"usb.delay-completion", kRead10, {.nth = 3}, "good; none", "good, 100 ms", {}},
    {"usb.delay-completion", kWrite10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"usb.reorder", kRead10, {.nth = 1}, "good; none", "good, 100 ms", {}},
    {"usb.reorder", kRead10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"usb.reorder", kRead10, {.nth = 3}, "good; none", "good, 100 ms", {}},
    {"usb.reorder", kWrite10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"usb.fault", kRead10, {.nth = 1}, "fault in command; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault", kRead10, {.nth = 2}, "fault in data-in; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault", kRead10, {.nth = 3}, "fault in status; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault", kWrite10, {.nth = 2}, "fault in data-out; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault-late", kRead10, {.nth = 1}, "fault in command; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault-late", kRead10, {.nth = 2}, "fault in data-in; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault-late", kRead10, {.nth = 3}, "fault in status; bulk-only reset", "good, 0 ms", {}},
    {"usb.fault-late",
     kWrite10,
     {.nth = 2},
     "fault in data-out; bulk-only reset",
     "good, 0 ms",
     {}},
    {"usb.stall",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.stall-late",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.lost-request",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 5000 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.lost-completion",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 5000 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.delay-request",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; bulk-only reset",
     "good, 100 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.delay-completion",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; bulk-only reset",
     "good, 100 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.fault",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.fault-late",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}}},
    {"port.disconnect",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; reopen",
     "good, 500 ms",
     {{.kind = Kind::kStallCommand}}},
    {"port.reset-by-other",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; port reset",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}}},
    {"port.suspend",
     kRead10,
     {.endpoint = uint8_t{0}},
     "stalled in command; bulk-only reset",
     "good, 100 ms",
     {{.kind = Kind::kStallCommand}}},
    {"usb.short-in",
     kRead10,
     {.length = 1000},
     "good, 1000 bytes, residue 0; none",
     "good, 0 ms",
     {}},
    {"usb.short-in",
     kRead10,
     {.nth = 2},
     "timed out in status; bulk-only reset",
     "good, 30000 ms",
     {}},
    {"usb.short-out", kWrite10, {}, "fault in command; bulk-only reset", "good, 0 ms", {}},
    {"usb.short-out",
     kWrite10,
     {.nth = 2, .length = 1024},
     "fault in data-out; bulk-only reset",
     "good, 0 ms",
     {}},
    {"usb.overflow", kRead10, {}, "overflow in data-in; bulk-only reset", "good, 0 ms", {}},
    {"usb.overflow", kRead10, {.nth = 2}, "overflow in status; bulk-only reset", "good, 0 ms", {}},
    {"usb.corrupt-in",
     kRead10,
     {.nth = 2},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"usb.corrupt-in", kRead10, {.value = 77}, "good; none", "good, 0 ms, spoilt", {}},
    {"usb.corrupt-out", kRead10, {}, "stalled in status; bulk-only reset", "good, 0 ms", {}},
    {"usb.corrupt-out", kWrite10, {.nth = 2, .value = 77}, "good; none", "good, 0 ms, spoilt", {}},
    {"usb.silent", kRead10, {}, "timed out in command; bulk-only reset", "timed out, 60000 ms", {}},
    {"usb.silent",
     kRead10,
     {.nth = 2},
     "timed out in data-in; bulk-only reset",
     "timed out, 60000 ms",
     {}},
    {"usb.silent",
     kWrite10,
     {.nth = 2},
     "timed out in data-out; bulk-only reset",
     "timed out, 60000 ms",
     {}},
    {"usb.cancel-late",
     kRead10,
     {},
     "timed out in data-in; bulk-only reset",
     "good, 30100 ms",
     {{.kind = Kind::kLostRequest, .nth = 2}}},
    {"port.disconnect", kRead10, {.nth = 1}, "disconnected in command; reopen", "good, 500 ms", {}},
    {"port.disconnect", kRead10, {.nth = 2}, "disconnected in data-in; reopen", "good, 500 ms", {}},
    {"port.disconnect", kRead10, {.nth = 3}, "disconnected in status; reopen", "good, 500 ms", {}},
    {"port.disconnect",
     kWrite10,
     {.nth = 2},
     "disconnected in data-out; reopen",
     "good, 500 ms",
     {}},
    {"port.reset-by-other",
     kRead10,
     {.nth = 1},
     "fault in command; bulk-only reset",
     "good, 0 ms",
     {}},
    {"port.reset-by-other",
     kRead10,
     {.nth = 2},
     "fault in data-in; bulk-only reset",
     "good, 0 ms",
     {}},
    {"port.reset-by-other",
     kRead10,
     {.nth = 3},
     "fault in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"port.reset-by-other",
     kWrite10,
     {.nth = 2},
     "fault in data-out; bulk-only reset",
     "good, 0 ms",
     {}},
    {"port.suspend", kRead10, {.nth = 1}, "good; none", "good, 100 ms", {}},
    {"port.suspend", kRead10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"port.suspend", kRead10, {.nth = 3}, "good; none", "good, 100 ms", {}},
    {"port.suspend", kWrite10, {.nth = 2}, "good; none", "good, 100 ms", {}},
    {"port.clear-halt-fails",
     kRead10,
     {},
     "stalled in status; bulk-only reset",
     "good, 0 ms",
     {{.kind = Kind::kStallStatus}}},
    {"port.clear-halt-fails",
     kRead10,
     {},
     "stalled in status; bulk-only reset",
     "good, 0 ms",
     {{.kind = Kind::kStallStatusTwice}}},
    {"port.clear-halt-fails",
     kRead10,
     {},
     "stalled in command; port reset",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}}},
    {"port.reset-fails",
     kRead10,
     {},
     "stalled in command; reopen",
     "good, 0 ms",
     {{.kind = Kind::kStallCommand}, {.kind = Kind::kStall, .endpoint = uint8_t{0}}}},
    {"port.slow",
     kRead10,
     {},
     "good; second status read",
     "good, 1000 ms",
     {{.kind = Kind::kStallStatus}}},
    {"bot.stall-command", kRead10, {}, "stalled in command; bulk-only reset", "good, 0 ms", {}},
    {"bot.stall-command", kWrite10, {}, "stalled in command; bulk-only reset", "good, 0 ms", {}},
    {"bot.stall-data", kRead10, {}, "good; clear halt", "good, 0 ms", {}},
    {"bot.stall-data",
     kRead10,
     {.length = 1000},
     "good, 1000 bytes, residue 3096; clear halt",
     "good, 0 ms",
     {}},
    {"bot.stall-data",
     kRead10,
     {.length = 0},
     "good, 0 bytes, residue 4096; clear halt",
     "good, 0 ms",
     {}},
    {"bot.stall-data", kWrite10, {}, "good; clear halt", "good, 0 ms", {}},
    {"bot.stall-data",
     kWrite10,
     {.length = 1024},
     "check condition No Sense, 1024 bytes, residue 3072; clear halt",
     "good, 0 ms",
     {}},
    {"bot.stall-data",
     kWrite10,
     {.length = 0},
     "check condition No Sense, 0 bytes, residue 4096; clear halt",
     "good, 0 ms",
     {}},
    {"bot.stall-status", kRead10, {}, "good; second status read", "good, 0 ms", {}},
    {"bot.stall-status", kWrite10, {}, "good; second status read", "good, 0 ms", {}},
    {"bot.stall-status-twice", kRead10, {}, "stalled in status; bulk-only reset", "good, 0 ms", {}},
    {"bot.stall-status-twice",
     kWrite10,
     {},
     "stalled in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.wrong-tag", kRead10, {}, "protocol error in status; bulk-only reset", "good, 0 ms", {}},
    {"bot.wrong-tag", kWrite10, {}, "protocol error in status; bulk-only reset", "good, 0 ms", {}},
    {"bot.wrong-signature",
     kRead10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.wrong-signature",
     kWrite10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.short-status",
     kRead10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.short-status",
     kWrite10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.long-status", kRead10, {}, "overflow in status; bulk-only reset", "good, 0 ms", {}},
    {"bot.long-status", kWrite10, {}, "overflow in status; bulk-only reset", "good, 0 ms", {}},
    {"bot.reserved-status",
     kRead10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.reserved-status",
     kWrite10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.phase-error", kRead10, {}, "protocol error in status; bulk-only reset", "good, 0 ms", {}},
    {"bot.phase-error",
     kWrite10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.residue-lie", kRead10, {}, "good, 4096 bytes, residue 4096; none", "good, 0 ms", {}},
    {"bot.residue-lie", kWrite10, {}, "good, 4096 bytes, residue 4096; none", "good, 0 ms", {}},
    {"bot.stale-status",
     kRead10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.stale-status",
     kWrite10,
     {},
     "protocol error in status; bulk-only reset",
     "good, 0 ms",
     {}},
    {"bot.no-status", kRead10, {}, "timed out in status; bulk-only reset", "good, 30000 ms", {}},
    {"bot.no-status", kWrite10, {}, "timed out in status; bulk-only reset", "good, 30000 ms", {}},
    {"bot.zero-packet", kRead10, {}, "good; second status read", "good, 0 ms", {}},
    {"bot.zero-packet", kWrite10, {}, "good; second status read", "good, 0 ms", {}},
    {"bot.failed-no-sense", kRead10, {}, "check condition No Sense; none", "good, 0 ms", {}},
    {"bot.failed-no-sense", kWrite10, {}, "check condition No Sense; none", "good, 0 ms", {}},
    {"bot.status-for-data", kRead10, {}, "good, 0 bytes, residue 4096; none", "good, 0 ms", {}},
};

// Nothing happens until the device is open and has been written to.
constexpr Duration kOpened = 1s;

std::vector<Rule> Rules(const Row& row) {
  std::vector<Rule> rules{row.rule};
  rules[0].kind = *fault::ParseKind(row.name);
  rules.insert(rules.end(), row.also.begin(), row.also.end());
  for (Rule& rule : rules) {
    rule.times = 1;
    rule.after = kOpened;
  }
  return rules;
}

std::string Say(const Result<ScsiResult>& result, bot::Rung rung) {
  std::string text;
  if (!result) {
    text = std::string(Name(result.error().kind)) + " in " + Name(result.error().phase);
  } else if (result->status != scsi::Status::kGood) {
    text = std::string(scsi::Name(result->status)) + " " + scsi::Name(result->sense.key);
  } else {
    text = "good";
  }
  if (result && (result->length_actual != kLength || result->residue != 0)) {
    text += ", " + std::to_string(result->length_actual) + " bytes, residue " +
            std::to_string(result->residue);
  }
  return text + "; " + Name(rung);
}

std::string Say(const BlockResult& result, Duration time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  std::string text = "good";
  if (!result && result.error().kind == BlockError::Kind::kTransport) {
    text = Name(result.error().error.kind);
  } else if (!result) {
    text = std::string(scsi::Name(result.error().sense.key));
  }
  return text + ", " + std::to_string(ms) + " ms";
}

struct Work {
  explicit Work(const Row& row) : rig(Rules(row)), opcode(row.opcode) {
    rig.Start();
    if (opcode == kRead10) BOOST_REQUIRE(rig.Write(kLba, bytes).has_value());
    rig.clock.Advance(kOpened);
  }
  std::string OverTransport() {
    const scsi::Cdb cdb = opcode == kRead10 ? scsi::Read10(kLba, kLength / 512, {})
                                            : scsi::Write10(kLba, kLength / 512, {});
    ScsiRequest request{.cdb = cdb.view()};
    if (opcode == kRead10) {
      request.in = room;
      request.in_length = kLength;
    } else {
      request.out = bytes;
    }
    const Result<ScsiResult> result = rig.Execute(request);
    return Say(result, rig.bot().last_rung());
  }
  std::string OverBlocks() {
    const TimePoint start = rig.clock.Now();
    const BlockResult result = opcode == kRead10 ? rig.Read(kLba, room) : rig.Write(kLba, bytes);
    const std::string text = Say(result, rig.clock.Now() - start);
    if (!result) return text;
    if (opcode == kWrite10) BOOST_TEST(rig.Read(kLba, room).has_value());
    return room == bytes ? text : text + ", spoilt";
  }
  // Whatever was made of the fault, it is over.
  void CheckAfterwards(Kind kind) {
    BOOST_TEST(rig.player.count(kind).injected == 1u);
    BOOST_TEST(rig.player.count(kind).observed == 1u);
    rig.player.Stop();
    if (opcode == kWrite10) BOOST_TEST(rig.Write(kLba, bytes).has_value());
    const BlockResult read = rig.Read(kLba, room);
    if (!read) BOOST_ERROR(read.error().Describe());
    BOOST_TEST((room == bytes));
  }

  FaultRig rig;
  const uint8_t opcode;
  std::vector<uint8_t> bytes = Pattern(kLength, 3);
  std::vector<uint8_t> room = std::vector<uint8_t>(kLength, 0xa5);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_kinds)

BOOST_DATA_TEST_CASE(one_command_over_the_transport, kRows, row) {
  Work work(row);

  BOOST_TEST(work.OverTransport() == row.transport);

  work.CheckAfterwards(*fault::ParseKind(row.name));
}

BOOST_DATA_TEST_CASE(one_command_of_a_block_device, kRows, row) {
  Work work(row);

  BOOST_TEST(work.OverBlocks() == row.block);

  work.CheckAfterwards(*fault::ParseKind(row.name));
}

BOOST_AUTO_TEST_SUITE_END()
