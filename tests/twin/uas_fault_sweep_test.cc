// Faults of UAS at every occasion of a workload, streams that are refused, and what units and
// stores show to a host that speaks UAS.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/twin/uas_fault_rig.h"

using namespace usbtwin;                     // NOLINT
using namespace usbtwin::tests;              // NOLINT
using namespace usbtwin::tests::uas_faults;  // NOLINT

BOOST_TEST_DONT_PRINT_LOG_VALUE(Speed)
BOOST_TEST_DONT_PRINT_LOG_VALUE(Kind)

BOOST_AUTO_TEST_SUITE(uas_fault_sweep)

// At each occasion of a small workload in turn. Nothing hangs, breaks the contract of links or is
// taken for right where it is not, and the disk works afterwards.
BOOST_DATA_TEST_CASE(each_moment_of_a_small_workload, kSpeeds* Swept(), speed, kind) {
  constexpr uint64_t kMomentsMax = 60;
  uint64_t played_count = 0;
  for (uint64_t nth = 1; nth < kMomentsMax; ++nth) {
    BOOST_TEST_CONTEXT("at " << nth) {
      Work work({{.kind = kind, .nth = nth}, speed, kRead, "", "", 0});
      std::vector<std::unique_ptr<UasStack::Job>> jobs;
      std::vector<std::vector<uint8_t>> rooms(6, std::vector<uint8_t>(kLength, 0xa5));
      const scsi::Cdb read = scsi::Read10(kLba, 8), write = scsi::Write10(kLba + 8, 8);
      const std::array<uint8_t, 6> ready{};
      for (std::vector<uint8_t>& room : rooms) {
        jobs.push_back(work.stack.Begin({.cdb = read.view(), .in = room, .in_length = kLength}));
        jobs.push_back(work.stack.Begin({.cdb = write.view(), .out = work.after}));
        jobs.push_back(work.stack.Begin({.cdb = ready}));
      }
      jobs[3]->Cancel();
      for (size_t index = 0; index < jobs.size(); ++index) {
        const Result<host::ScsiResult> result = work.stack.End(*jobs[index]);
        const bool whole = result && result->status == scsi::Status::kGood && result->residue == 0;
        if (whole && index % 3 == 0) BOOST_TEST((rooms[index / 3] == work.before));
      }
      if (work.stack.player.injected() == 0) break;
      ++played_count;
      work.CheckDisk();
    }
  }
  const bool without =
      speed == kSuper ? kind == Kind::kRepeatedStatusIu : kind == Kind::kWrongStream;
  BOOST_TEST((played_count == 0) == (without || kind == Kind::kStreamRefused));
}

// ---- Streams ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(streams_that_are_refused_are_named) {
  UasStack stack({.speed = kSuper, .faults = {{.kind = Kind::kStreamRefused, .times = 1}}});
  const auto opened =
      Run(stack.clock, stack.session->OpenStorage({.protocol = host::StorageProtocol::kUas}));
  BOOST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().Describe() ==
             "stalled in open: 32 bulk streams were asked for and not granted");
  BOOST_TEST(stack.player.count(Kind::kStreamRefused).observed == 1u);
  stack.Open({.protocol = host::StorageProtocol::kUas});
  stack.Settle();
}

BOOST_AUTO_TEST_CASE(streams_that_are_refused_in_recovery_cost_an_opening) {
  UasStack stack({.speed = kSuper,
                  .faults = {{.kind = Kind::kWrongIuTag, .times = 1, .after = kArmed},
                             {.kind = Kind::kStreamRefused, .times = 1, .after = kArmed}}});
  stack.Open({.protocol = host::StorageProtocol::kUas});
  stack.Settle();
  stack.clock.Advance(kArmed);
  std::vector<uint8_t> room(kLength);
  BOOST_TEST(stack.Read(kLba, room).starts_with("protocol error in status"));
  BOOST_TEST(stack.transport->last_recovery() == "reopen");
  BOOST_TEST(stack.player.count(Kind::kStreamRefused).observed == 1u);
  BOOST_TEST(stack.Read(kLba, room).starts_with("check condition 06/29/00"));
  BOOST_TEST(stack.Read(kLba, room) == "good, 4096 bytes");
}

// ---- Units and stores -------------------------------------------------------------------------

// Their faults were played and never counted as observed: nothing followed IUs.
BOOST_DATA_TEST_CASE(what_units_and_stores_show_is_observed, kSpeeds, speed) {
  const struct {
    Kind kind;
    bool read;
    const char* text;
  } kUnits[] = {
      {Kind::kMediumError, kRead, "check condition 03/11/00, 0 bytes, residue 4096"},
      {Kind::kUnitBusy, kRead, "busy, 0 bytes, residue 4096"},
      {Kind::kSlow, kRead, "good, 4096 bytes"},
      {Kind::kNever, kRead, "timed out"},
      {Kind::kShortData, kRead, "good, 0 bytes, residue 4096"},
      {Kind::kReadError, kRead, "check condition 03/11/00, 0 bytes, residue 4096"},
      {Kind::kWriteError, kWrite, "check condition 03/0c/00, 4096 bytes"},
      {Kind::kSlowStore, kWrite, "good, 4096 bytes"},
  };
  for (const auto& unit : kUnits) {
    BOOST_TEST_CONTEXT(fault::Info(unit.kind).name) {
      Rule rule{.kind = unit.kind, .blocks = fault::BlockRange{kLba, kLba + 7}};
      Work work({rule, speed, unit.read, "", "", 0});
      std::vector<uint8_t> room(kLength), other(kLength);
      const scsi::Cdb read = scsi::Read10(kLba + 64, 8);
      auto beside = work.stack.Begin({.cdb = read.view(), .in = other, .in_length = kLength});
      const std::string text =
          unit.read ? work.stack.Read(kLba, room) : work.stack.Write(kLba, work.after);
      BOOST_TEST(text.starts_with(unit.text), text);
      BOOST_TEST(UasStack::Text(work.stack.End(*beside)) == "good, 4096 bytes");
      work.CheckAfterwards({rule, speed, unit.read, "", "", 0});
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
