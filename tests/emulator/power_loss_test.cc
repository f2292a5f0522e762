// The store as a volatile write cache that loses its power.
#include <boost/test/unit_test.hpp>
#include <set>

#include "emulator/faulty_store.h"
#include "tests/emulator/fault_rig.h"

using namespace usbtwin;  // NOLINT
using scsi::Status;
using std::chrono::milliseconds;
using tests::FaultRig;
using tests::Once;

namespace {

constexpr emulator::FaultyStoreOptions kCached{.volatile_cache = true};
constexpr const char* kFlush = "35 00 00000000 00 0000 00";

struct CacheRig : FaultRig {
  explicit CacheRig(uint64_t seed = 1, emulator::FaultyStoreOptions options = kCached)
      : FaultRig({}, options, 64 << 10, seed) {}

  void Write(uint8_t lba, uint8_t count, uint8_t value, bool force = false) {
    const std::vector<uint8_t> data(count * size_t{512}, value);
    host.Do(scsi::Write10(lba, count, {.force_unit_access = force}), data);
    BOOST_REQUIRE((host.command.status == Status::kGood));
  }
  // The byte that fills each block; 0xff where a block is a mixture.
  std::vector<int> Read(uint8_t lba, uint8_t count) {
    host.Do(scsi::Read10(lba, count));
    BOOST_REQUIRE(host.in.size() == count * 512u);
    std::vector<int> values;
    for (size_t block = 0; block < count; ++block) {
      const Bytes bytes = Bytes(host.in).subspan(block * 512, 512);
      const bool whole =
          std::all_of(bytes.begin(), bytes.end(), [&](uint8_t byte) { return byte == bytes[0]; });
      values.push_back(whole ? bytes[0] : 0xff);
    }
    return values;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(power_loss)

BOOST_AUTO_TEST_CASE(what_was_synchronised_survives) {
  for (uint64_t seed = 0; seed < 32; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 4, 1);
    rig.Write(4, 1, 2);
    rig.host.Do(kFlush);
    rig.store.LosePower(rig.chooser);
    BOOST_TEST((rig.Read(2, 6) == std::vector<int>{0, 1, 2, 1, 1, 0}));
    BOOST_TEST(rig.chooser.count == 0u);
  }
}

BOOST_AUTO_TEST_CASE(what_was_not_is_any_version_since_each_block_for_itself) {
  std::set<std::vector<int>> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 2, 1);
    rig.host.Do(kFlush);
    rig.Write(3, 2, 2);
    rig.Write(3, 1, 3);
    rig.store.LosePower(rig.chooser);
    BOOST_TEST(rig.store.cache_length() == 0u);
    seen.insert(rig.Read(3, 2));
    // What is left then is permanent.
    const auto left = rig.Read(3, 2);
    rig.store.LosePower(rig.chooser);
    BOOST_TEST((rig.Read(3, 2) == left));
  }
  const std::set<std::vector<int>> allowed{{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 1}, {3, 2}};
  BOOST_TEST((seen == allowed));
}

BOOST_AUTO_TEST_CASE(a_flush_of_some_blocks_makes_those_permanent) {
  std::set<std::vector<int>> seen;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 3, 1);
    rig.host.Do(scsi::SynchronizeCache10(4, 1));
    rig.store.LosePower(rig.chooser);
    seen.insert(rig.Read(3, 3));
  }
  BOOST_TEST((seen == std::set<std::vector<int>>{{0, 1, 0}, {0, 1, 1}, {1, 1, 0}, {1, 1, 1}}));
}

BOOST_AUTO_TEST_CASE(forced_writes_survive) {
  for (uint64_t seed = 0; seed < 16; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 3, 1, true);
    rig.store.LosePower(rig.chooser);
    BOOST_TEST((rig.Read(3, 3) == std::vector<int>{1, 1, 1}));
  }
}

BOOST_AUTO_TEST_CASE(a_flush_that_fails_makes_nothing_permanent) {
  CacheRig rig;
  rig.Write(3, 1, 1);
  rig.below.outcome = emulator::StoreOutcome::kWriteError;
  rig.below.broken = emulator::StoreOp::Kind::kFlush;
  BOOST_TEST((rig.host.Do(kFlush) == Status::kCheckCondition));
  BOOST_TEST(rig.store.cache_length() == 512u);
}

BOOST_AUTO_TEST_CASE(unmapped_blocks_may_come_back) {
  std::set<std::vector<int>> seen;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 2, 1);
    rig.host.Do(kFlush);
    struct Done final : emulator::StoreSink {
      void OnStoreDone(emulator::StoreOp&) override { done = true; }
      bool done = false;
    } sink;
    emulator::StoreOp op;
    op.kind = emulator::StoreOp::Kind::kUnmap;
    op.offset = 3 * 512;
    op.length = 512;
    op.sink = &sink;
    BOOST_TEST(!rig.store.Submit(op));
    rig.clock.RunPosted();
    BOOST_TEST(sink.done);
    rig.store.LosePower(rig.chooser);
    seen.insert(rig.Read(3, 2));
  }
  BOOST_TEST((seen == std::set<std::vector<int>>{{0, 1}, {1, 1}}));
}

BOOST_AUTO_TEST_CASE(a_full_cache_writes_through) {
  CacheRig rig(1, {.volatile_cache = true, .cache_length_max = 4 * 512});
  rig.Write(3, 3, 1);
  BOOST_TEST(rig.store.cache_length() == 3 * 512u);
  rig.Write(10, 2, 2);
  BOOST_TEST(rig.store.cache_length() == 0u);
  rig.store.LosePower(rig.chooser);
  BOOST_TEST((rig.Read(3, 3) == std::vector<int>{1, 1, 1}));
  BOOST_TEST((rig.Read(10, 2) == std::vector<int>{2, 2}));
  // One write that is longer than the whole of it.
  rig.Write(20, 8, 3);
  BOOST_TEST(rig.store.cache_length() == 0u);
}

BOOST_AUTO_TEST_CASE(the_same_contents_again_are_no_version) {
  CacheRig rig;
  for (int count = 0; count < 10; ++count) rig.Write(3, 1, 0);
  BOOST_TEST(rig.store.cache_length() == 512u);
}

BOOST_AUTO_TEST_CASE(leases_keep_their_bytes) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 2, 1);
    rig.host.Do(scsi::Read10(3, 2));
    const Lease lent = rig.host.command.data;
    rig.store.LosePower(rig.chooser);
    std::vector<uint8_t> bytes(1024, 0xa5);
    lent.CopyTo(bytes);
    BOOST_TEST(bytes == std::vector<uint8_t>(1024, 1));
    rig.host.command.data.Reset();
  }
}

BOOST_AUTO_TEST_CASE(operations_under_way_fail_and_later_ones_wait) {
  std::set<std::vector<int>> seen;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    CacheRig rig(seed);
    rig.Write(3, 2, 1);
    rig.below.later = true;
    const std::vector<uint8_t> twos(512, 2);
    const std::vector<uint8_t> threes(512, 3);
    tests::Initiator second(rig.clock, rig.unit, 1);
    tests::Initiator third(rig.clock, rig.unit, 2);
    for (tests::Initiator* host : {&second, &third}) host->ForgetAttentions();
    // One is with the store, one behind it.
    rig.host.Do(scsi::Write10(3, 1), twos);
    rig.below.Release();
    rig.clock.RunPosted();
    second.Do(scsi::Write10(4, 1), threes);
    BOOST_REQUIRE(rig.below.held.size() == 1u);
    rig.store.LosePower(rig.chooser);
    rig.clock.RunPosted();
    BOOST_TEST(second.codes() == "03/0c/00");
    BOOST_TEST(rig.host.executed == 0);
    third.Do(scsi::Read10(3, 2));
    while (!rig.below.held.empty()) {
      rig.below.Release();
      rig.clock.RunPosted();
    }
    BOOST_TEST(rig.host.codes() == "03/0c/00");
    rig.below.later = false;
    const auto left = rig.Read(3, 2);
    BOOST_TEST(third.in == rig.host.in);
    seen.insert(left);
  }
  BOOST_TEST((seen == std::set<std::vector<int>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}}));
}

BOOST_AUTO_TEST_CASE(a_slow_write_that_waits_changes_nothing) {
  FaultRig rig({{Once(fault::Kind::kSlowStore)}}, kCached);
  const std::vector<uint8_t> ones(512, 1);
  rig.host.Do(scsi::Write10(3, 1), ones);
  rig.store.LosePower(rig.chooser);
  rig.clock.Advance(milliseconds(200));
  BOOST_TEST(rig.host.codes() == "03/0c/00");
  rig.host.Do(scsi::Read10(3, 1));
  BOOST_TEST(rig.host.in == std::vector<uint8_t>(512, 0));
}

BOOST_AUTO_TEST_SUITE_END()
