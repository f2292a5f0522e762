// Every fault of UAS, played once on a twin at high speed and with streams: that it happened, that
// the host noticed, and exactly what the host made of it. A kind without a row fails.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/twin/uas_fault_rig.h"

using namespace usbtwin;                     // NOLINT
using namespace usbtwin::tests;              // NOLINT
using namespace usbtwin::tests::uas_faults;  // NOLINT

namespace {

const Case kCases[] = {
    // Without streams the first IU of a command is its ready IU, the second its SENSE IU.
    {{.kind = Kind::kLostStatusIu},
     kHigh,
     kRead,
     "timed out in data-in on endpoint 81: neither READ READY nor SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostStatusIu, .nth = 2},
     kHigh,
     kRead,
     "timed out in status on endpoint 82 after 4096 bytes: no SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostStatusIu},
     kHigh,
     kWrite,
     "timed out in data-out on endpoint 01: neither WRITE READY nor SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostStatusIu, .nth = 2},
     kHigh,
     kWrite,
     "timed out in status on endpoint 82 after 4096 bytes: no SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostStatusIu},
     kSuper,
     kRead,
     "timed out in status on endpoint 82 after 4096 bytes: no SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostStatusIu},
     kSuper,
     kWrite,
     "timed out in status on endpoint 82 after 4096 bytes: no SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLateStatusIu}, kHigh, kRead, "good, 4096 bytes", "", 100},
    {{.kind = Kind::kLateStatusIu, .nth = 2}, kHigh, kWrite, "good, 4096 bytes", "", 100},
    {{.kind = Kind::kLateStatusIu}, kSuper, kRead, "good, 4096 bytes", "", 100},
    {{.kind = Kind::kRepeatedStatusIu},
     kHigh,
     kRead,
     "protocol error in data-in on endpoint 81 after 4096 bytes: a second ready IU came for tag 7",
     "port reset",
     0},
    {{.kind = Kind::kRepeatedStatusIu},
     kHigh,
     kWrite,
     "protocol error in data-out on endpoint 01 after 4096 bytes: a second ready IU came for tag 7",
     "port reset",
     0},
    {{.kind = Kind::kForgedStatusIu},
     kHigh,
     kRead,
     "protocol error in status on endpoint 82: an IU of kind 03h came for tag 65533, which no "
     "command has",
     "port reset",
     0},
    {{.kind = Kind::kForgedStatusIu, .nth = 2},
     kHigh,
     kWrite,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU of kind 03h came for tag "
     "65533, which no command has",
     "port reset",
     0},
    {{.kind = Kind::kForgedStatusIu},
     kSuper,
     kRead,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU with tag 65533 came on "
     "stream 7",
     "port reset",
     0},
    {{.kind = Kind::kWrongIuTag},
     kHigh,
     kRead,
     "protocol error in status on endpoint 82: an IU of kind 06h came for tag 32775, which no "
     "command has",
     "port reset",
     0},
    {{.kind = Kind::kWrongIuTag},
     kSuper,
     kWrite,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU with tag 32775 came on "
     "stream 7",
     "port reset",
     0},
    {{.kind = Kind::kWrongStream},
     kSuper,
     kRead,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU with tag 8 came on stream 7",
     "port reset",
     0},
    {{.kind = Kind::kGarbageIu},
     kHigh,
     kRead,
     "protocol error in status on endpoint 82: an IU of kind ffh came for tag 7: devices send none "
     "of that kind",
     "port reset",
     0},
    {{.kind = Kind::kGarbageIu},
     kSuper,
     kRead,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU of kind ffh came for tag 7: "
     "devices send none of that kind",
     "port reset",
     0},
    {{.kind = Kind::kGarbageIu, .value = 0x01},
     kSuper,
     kRead,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU of kind 01h came for tag 7: "
     "devices send none of that kind",
     "port reset",
     0},
    {{.kind = Kind::kShortStatusIu},
     kHigh,
     kRead,
     "protocol error in status on endpoint 82: an IU of 3 bytes on the status pipe, 4 are its "
     "header alone",
     "port reset",
     0},
    {{.kind = Kind::kShortStatusIu, .length = 0},
     kSuper,
     kRead,
     "protocol error in status on endpoint 82 after 4096 bytes: an IU of 0 bytes on the status "
     "pipe, 4 are its header alone",
     "port reset",
     0},
    {{.kind = Kind::kShortStatusIu, .length = 15},
     kSuper,
     kRead,
     "protocol error in status on endpoint 82 after 4096 bytes: a SENSE IU of 15 bytes for tag 7 "
     "is cut short",
     "port reset",
     0},
    {{.kind = Kind::kStatusBeforeData}, kHigh, kRead, "good, 4096 bytes", "", 0},
    {{.kind = Kind::kStatusBeforeData}, kHigh, kWrite, "good, 4096 bytes", "", 0},
    {{.kind = Kind::kStatusBeforeData}, kSuper, kRead, "good, 4096 bytes", "", 0},
    {{.kind = Kind::kDataAborted},
     kHigh,
     kRead,
     "fault in data-in on endpoint 81",
     "port reset",
     0},
    {{.kind = Kind::kDataAborted, .length = 1000},
     kHigh,
     kWrite,
     "fault in data-out on endpoint 01 after 1000 bytes",
     "port reset",
     0},
    {{.kind = Kind::kDataAborted, .length = 1000},
     kSuper,
     kRead,
     "fault in data-in on endpoint 81 after 1000 bytes",
     "port reset",
     0},
    {{.kind = Kind::kLostCommandIu},
     kHigh,
     kRead,
     "timed out in data-in on endpoint 81: neither READ READY nor SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostCommandIu},
     kHigh,
     kWrite,
     "timed out in data-out on endpoint 01: neither WRITE READY nor SENSE IU came for tag 7",
     "abort task",
     30000},
    {{.kind = Kind::kLostCommandIu},
     kSuper,
     kRead,
     "timed out in data-in on endpoint 81: 0 of 4096 bytes moved for tag 7",
     "abort task",
     30000},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(uas_faults)

BOOST_DATA_TEST_CASE(one_command_over_the_transport, kCases, row) {
  Work work(row);
  std::vector<uint8_t> room(kLength, 0xa5);

  const std::string text =
      row.read ? work.stack.Read(kLba, room) : work.stack.Write(kLba, work.after);

  BOOST_TEST(text == row.transport);
  BOOST_TEST(work.stack.transport->last_recovery() == row.recovery);
  if (row.read && text == "good, 4096 bytes") BOOST_TEST((room == work.before));
  work.CheckAfterwards(row);
}

BOOST_DATA_TEST_CASE(one_command_of_a_block_device, kCases, row) {
  Work work(row);
  std::vector<uint8_t> room(kLength, 0xa5);
  const TimePoint start = work.stack.clock.Now();

  const host::BlockResult result = row.read
                                       ? Run(work.stack.clock, work.block->Read(kLba, room))
                                       : Run(work.stack.clock, work.block->Write(kLba, work.after));

  BOOST_TEST(result.has_value());
  BOOST_TEST((work.stack.clock.Now() - start) / milliseconds(1) == row.block_ms);
  if (row.read) BOOST_TEST((room == work.before));
  work.CheckAfterwards(row);
}

// Several at once: the others are aborted by a reset of the port, or end as if nothing had been.
BOOST_DATA_TEST_CASE(several_commands_at_once, kCases, row) {
  Work work(row);
  constexpr size_t kDepth = 8;
  std::vector<std::vector<uint8_t>> rooms(kDepth, std::vector<uint8_t>(kLength, 0xa5));
  std::vector<std::unique_ptr<UasStack::Job>> jobs;
  const scsi::Cdb read = scsi::Read10(kLba, 8), write = scsi::Write10(kLba + 8, 8);
  for (size_t index = 0; index < kDepth; ++index) {
    jobs.push_back(
        index % 2 == 0
            ? work.stack.Begin({.cdb = read.view(), .in = rooms[index], .in_length = kLength})
            : work.stack.Begin({.cdb = write.view(), .out = work.after}));
  }

  for (size_t index = 0; index < kDepth; ++index) {
    const Result<host::ScsiResult> result = work.stack.End(*jobs[index]);
    const bool whole = result && result->status == scsi::Status::kGood && result->residue == 0;
    if (whole && index % 2 == 0) BOOST_TEST((rooms[index] == work.before));
    BOOST_TEST((whole || !result || result->residue != 0));
  }

  work.CheckAfterwards(row);
}

BOOST_AUTO_TEST_CASE(every_kind_has_a_row) {
  for (const fault::KindInfo& info : fault::Kinds()) {
    if (!std::string_view(info.name).starts_with("uas.")) continue;
    const bool found = info.kind == Kind::kStreamRefused ||
                       std::any_of(std::begin(kCases), std::end(kCases),
                                   [&](const Case& row) { return row.rule.kind == info.kind; });
    BOOST_TEST(found, info.name << " has no row");
  }
}

BOOST_AUTO_TEST_SUITE_END()
