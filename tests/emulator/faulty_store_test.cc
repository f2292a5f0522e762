#include "emulator/faulty_store.h"

#include <boost/test/unit_test.hpp>

#include "tests/emulator/fault_rig.h"

using namespace usbtwin;  // NOLINT
using fault::Kind;
using scsi::Status;
using std::chrono::milliseconds;
using tests::FaultRig;
using tests::Once;
using tests::Pattern;

namespace {

constexpr const char* kReadTwo = "28 00 00000004 00 0002 00";
constexpr const char* kReadOne = "28 00 00000004 00 0001 00";
constexpr const char* kWriteOne = "2a 00 00000004 00 0001 00";
constexpr const char* kWriteFour = "2a 00 00000004 00 0004 00";
constexpr const char* kFlush = "35 00 00000000 00 0000 00";
constexpr const char* kOnePlayed = "1 played, 1 observed";

std::vector<uint8_t> Filled(size_t length, uint8_t value) {
  return std::vector<uint8_t>(length, value);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faulty_store)

BOOST_AUTO_TEST_CASE(errors_change_nothing_and_are_told) {
  struct Row {
    Kind kind;
    const char* cdb;
    const char* codes;
    bool named;  // the block, where there is only one
  };
  for (const Row& row : {Row{Kind::kReadError, kReadOne, "03/11/00", true},
                         Row{Kind::kReadError, kReadTwo, "03/11/00", false},
                         Row{Kind::kWriteError, kWriteOne, "03/0c/00", true},
                         Row{Kind::kNoSpace, kWriteOne, "07/27/07", false},
                         Row{Kind::kFlushError, kFlush, "03/0c/00", false}}) {
    BOOST_TEST_CONTEXT(fault::Info(row.kind).name) {
      FaultRig rig({{Once(row.kind)}});
      const auto data = Filled(512, 0x11);
      rig.host.Do(row.cdb, data);
      BOOST_TEST(rig.host.codes() == row.codes);
      BOOST_TEST(rig.host.command.sense.information_valid == row.named);
      BOOST_TEST(rig.below.log == "");
      BOOST_TEST(rig.Account(row.kind) == kOnePlayed);
      rig.host.Do(kReadOne);
      BOOST_TEST(rig.host.in == Filled(512, 0));
      BOOST_TEST((rig.host.Do(row.cdb, data) == Status::kGood));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_torn_write_keeps_its_first_blocks) {
  std::array<int, 5> kept{};
  for (uint64_t seed = 0; seed < 40; ++seed) {
    FaultRig rig({{Once(Kind::kTornWrite)}}, {}, 64 << 10, seed);
    const auto data = Filled(4 * 512, 0x11);
    // One block is whole or not at all: the rule waits for a longer write.
    BOOST_TEST((rig.host.Do("2a 00 00000020 00 0001 00", Filled(512, 1)) == Status::kGood));
    rig.host.Do(kWriteFour, data);
    BOOST_TEST(rig.host.codes() == "03/0c/00");
    BOOST_TEST(rig.host.calls == "DTE");
    BOOST_TEST(rig.Account(Kind::kTornWrite) == kOnePlayed);
    rig.host.Do("28 00 00000004 00 0004 00");
    size_t count = 0;
    while (count < 4 && rig.host.in[count * 512] == 0x11) ++count;
    auto expected = Filled(4 * 512, 0);
    std::fill_n(expected.begin(), count * 512, uint8_t{0x11});
    BOOST_TEST(rig.host.in == expected);
    ++kept[count];
  }
  BOOST_TEST(kept[0] == 0);
  BOOST_TEST(kept[4] == 0);
  for (const size_t count : {1, 2, 3}) BOOST_TEST(kept[count] > 0);
}

BOOST_AUTO_TEST_CASE(a_torn_write_tears_between_the_units_blocks) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    FaultRig rig({{Once(Kind::kTornWrite)}}, {.block_size = 1024}, 64 << 10, seed);
    rig.host.Do(kWriteFour, Filled(4 * 512, 0x11));
    rig.host.Do("28 00 00000004 00 0004 00");
    auto expected = Filled(1024, 0x11);
    expected.resize(2048);
    BOOST_TEST(rig.host.in == expected);
  }
}

BOOST_AUTO_TEST_CASE(a_slow_store_answers_after_the_delay) {
  for (const char* cdb : {kReadTwo, kWriteOne, kFlush}) {
    FaultRig rig({{Once(Kind::kSlowStore)}});
    const auto data = Filled(512, 0x11);
    rig.host.Do(cdb, data);
    const std::string before = rig.host.calls;
    rig.clock.Advance(milliseconds(99));
    BOOST_TEST(rig.host.calls == before);
    BOOST_TEST(rig.below.log == "");
    BOOST_TEST(rig.Account(Kind::kSlowStore) == "1 played, 0 observed");
    rig.clock.Advance(milliseconds(1));
    BOOST_TEST(rig.host.executed == 1);
    BOOST_TEST((rig.host.command.status == Status::kGood));
    BOOST_TEST(rig.Account(Kind::kSlowStore) == kOnePlayed);
  }
}

BOOST_AUTO_TEST_CASE(rules_choose_their_blocks_and_their_unit) {
  fault::Rule elsewhere = Once(Kind::kReadError);
  elsewhere.blocks = fault::BlockRange{6, 9};
  fault::Rule other = Once(Kind::kReadError);
  other.lun = 1;
  FaultRig rig({{elsewhere, other}});
  BOOST_TEST((rig.host.Do(kReadTwo) == Status::kGood));  // blocks 4 and 5
  BOOST_TEST((rig.host.Do("28 00 00000004 00 0003 00") == Status::kCheckCondition));
}

BOOST_AUTO_TEST_CASE(a_store_that_answers_late_is_spoilt_as_well) {
  FaultRig rig({{Once(Kind::kTornWrite)}}, {.volatile_cache = true});
  rig.below.later = true;
  const auto data = Filled(4 * 512, 0x11);
  rig.host.Do(kWriteFour, data);
  while (!rig.below.held.empty()) {
    rig.below.Release();
    rig.clock.RunPosted();
  }
  BOOST_TEST(rig.below.log == "rw");
  BOOST_TEST(rig.host.codes() == "03/0c/00");
  BOOST_TEST(rig.store.idle());
}

BOOST_AUTO_TEST_CASE(what_meets_no_fault_goes_straight_through) {
  FaultRig rig({{Once(Kind::kReadError)}});
  rig.below.later = true;
  rig.host.Start(*ParseHex(kFlush));
  BOOST_REQUIRE(rig.below.held.size() == 1u);
  BOOST_TEST(rig.below.held.front() == &rig.host.command.store_op);
  rig.below.Release();
  rig.clock.RunPosted();
}

BOOST_AUTO_TEST_SUITE_END()
