// Every fault of units and stores at once, with commands aborted and power lost at any moment: each
// command still ends exactly once, and nothing is left under way.
#include <boost/test/unit_test.hpp>

#include "tests/emulator/fault_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using fault::Kind;
using std::chrono::milliseconds;

namespace {

fault::Plan Storm() {
  fault::Plan plan;
  for (const fault::KindInfo& info : fault::Kinds()) {
    const std::string_view name = info.name;
    if (!name.starts_with("scsi.") && !name.starts_with("store.")) continue;
    plan.rules.push_back(
        {.kind = info.kind, .one_in = 40, .delay = milliseconds(5), .length = 600});
  }
  return plan;
}

scsi::Cdb Draw(Chooser& chooser) {
  const uint64_t lba = chooser.Choose(100, "block");
  const auto count = static_cast<uint32_t>(chooser.Between(1, 4, "blocks"));
  const scsi::Caching forced{.force_unit_access = chooser.Choose(4, "forced") == 0};
  switch (chooser.Choose(8, "command")) {
    case 0: return scsi::TestUnitReady();
    case 1: return scsi::Inquiry(false, 0, 36);
    case 2: return scsi::ReadCapacity10();
    case 3: return scsi::SynchronizeCache10(0, 0);
    case 4: return scsi::RequestSense(false, 18);
    case 5: return scsi::ReadCapacity16(32);
    case 6: return scsi::Write10(lba, count, forced);
    default: return scsi::Read10(lba, count, forced);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_storm)

BOOST_AUTO_TEST_CASE(every_command_ends_once) {
  const std::vector<uint8_t> data = Pattern(4 * 512);
  uint64_t aborts = 0;
  uint64_t losses = 0;
  std::array<fault::Player::Count, fault::kKindsCount> total{};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    FaultRig rig(Storm(), {.volatile_cache = true, .cache_length_max = 32 << 10}, 64 << 10, seed);
    SeededChooser chooser(seed + 1000);
    rig.host.command.autosense = seed % 2 != 0;
    for (int round = 0; round < 2000; ++round) {
      rig.below.later = chooser.Choose(3, "late answers") == 0;
      const scsi::Cdb cdb = Draw(chooser);
      rig.host.Start(cdb.view(), data);
      BOOST_REQUIRE(rig.host.entered == "");
      uint64_t patience = chooser.Choose(60, "steps until the host gives up");
      for (int step = 0; rig.host.executed == 0 && step < 400; ++step) {
        if (!rig.below.held.empty() && chooser.Choose(2, "the store answers") == 0) {
          rig.below.Release();
        }
        if (chooser.Choose(1000, "power fails") == 0) {
          rig.store.LosePower(rig.chooser);
          rig.unit.Reset();
          ++losses;
        }
        if (patience-- == 0) {
          rig.unit.Abort(rig.host.command);
          ++aborts;
        }
        rig.clock.Step();
      }
      while (!rig.below.held.empty()) {
        rig.below.Release();
        rig.clock.RunPosted();
      }
      rig.clock.RunPosted();
      BOOST_REQUIRE(rig.host.executed == 1);
      BOOST_REQUIRE(rig.host.command.sink == &rig.host);
      rig.host.command.data.Reset();
      rig.clock.Advance(milliseconds(chooser.Choose(4, "pause")));
    }
    rig.below.later = false;
    rig.clock.Advance(milliseconds(10));
    BOOST_TEST(rig.store.idle());
    for (const fault::KindInfo& info : fault::Kinds()) {
      const fault::Player::Count& count = rig.player.count(info.kind);
      BOOST_TEST(count.observed <= count.injected);
      total[static_cast<size_t>(info.kind)].injected += count.injected;
      total[static_cast<size_t>(info.kind)].observed += count.observed;
    }
    // No more of it, and the disk is as good as ever.
    rig.player.Stop();
    rig.host.ForgetAttentions();
    BOOST_TEST((rig.host.Do(scsi::Write10(0, 4), data) == scsi::Status::kGood));
    BOOST_TEST((rig.host.Do(scsi::Read10(0, 4)) == scsi::Status::kGood));
    BOOST_TEST(rig.host.in == data);
  }
  for (const fault::Rule& rule : Storm().rules) {
    const fault::Player::Count& count = total[static_cast<size_t>(rule.kind)];
    BOOST_TEST(count.observed > 0u, fault::Info(rule.kind).name << ": " << count.injected);
  }
  BOOST_TEST(aborts > 100u);
  BOOST_TEST(losses > 20u);
}

BOOST_AUTO_TEST_SUITE_END()
