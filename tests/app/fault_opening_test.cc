// Fault plans behind a device string: one player through all openings, and what is told of it.
#include <boost/test/unit_test.hpp>

#include "app/send_cdb.h"
#include "tests/app/manual_system.h"

using namespace usbtwin;
using app::CdbOutcome;
using app::CdbResult;

namespace {

const std::vector<uint8_t> kInquiry{0x12, 0, 0, 0, 36, 0};

struct Rig {
  explicit Rig(const std::string& plan) { system.files["plan.toml"] = plan; }
  app::OpenResult Open() {
    return app::ScsiDevice::Open(
        system, {.device = "emu:?size=1M", .audit = true, .faults_path = "plan.toml"});
  }
  tests::ManualSystem system;
};

CdbResult Inquire(app::ScsiDevice& device) {
  return device.Send({.cdb = kInquiry, .data_in_length = 36});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_opening)

BOOST_AUTO_TEST_CASE(a_device_that_is_opened_anew_keeps_its_player) {
  Rig rig(
      "[[fault]]\nkind = \"port.disconnect\"\nopcode = 0x12\ndelay_ms = 100\n"
      "[[fault]]\nkind = \"bot.wrong-tag\"\nnth = 2\n");
  const app::OpenResult opened = rig.Open();
  BOOST_REQUIRE(opened.device != nullptr);
  // Unplugged and opened anew, for the next command; a new player would unplug it again.
  const CdbResult first = Inquire(*opened.device);
  BOOST_TEST((first.outcome == CdbOutcome::kTransport));
  BOOST_TEST(first.highest_rung == "reopen");
  const CdbResult second = Inquire(*opened.device);
  BOOST_TEST(second.good());
  BOOST_TEST(second.highest_rung == "");
  // The second status since the beginning.
  const CdbResult third = Inquire(*opened.device);
  BOOST_TEST((third.outcome == CdbOutcome::kTransport));
  BOOST_TEST(third.highest_rung == "bulk-only reset");
  BOOST_TEST(opened.device->Close() == "");
  const std::vector<app::FaultCount> counts = opened.device->fault_counts();
  BOOST_REQUIRE(counts.size() == 2u);
  for (const app::FaultCount& count : counts) {
    BOOST_TEST(count.injected == 1u);
    BOOST_TEST(count.observed == 1u);
    BOOST_TEST(count.idle_places.empty());
  }
  BOOST_TEST(counts[0].kind == "port.disconnect");
  BOOST_TEST(counts[1].kind == "bot.wrong-tag");
}

BOOST_AUTO_TEST_CASE(rules_of_one_kind_are_counted_together_and_missed_alone) {
  Rig rig(
      "[[fault]]\nkind = \"bot.stall-data\"\nopcode = 0x2a\n"
      "[[fault]]\nkind = \"bot.stall-data\"\n");
  const app::OpenResult opened = rig.Open();
  BOOST_REQUIRE(opened.device != nullptr);
  BOOST_TEST(Inquire(*opened.device).highest_rung == "clear halt");
  const std::vector<app::FaultCount> counts = opened.device->fault_counts();
  BOOST_REQUIRE(counts.size() == 1u);
  BOOST_TEST(counts[0].injected == 1u);
  BOOST_TEST((counts[0].idle_places == std::vector<std::string>{"plan.toml:1"}));
}

BOOST_AUTO_TEST_CASE(faults_of_units_and_stores_reach_the_twin) {
  Rig rig(
      "[[fault]]\nkind = \"scsi.hardware-error\"\nopcode = 0x12\n"
      "[[fault]]\nkind = \"store.read-error\"\nblocks = [0, 0]\n");
  const app::OpenResult opened = rig.Open();
  BOOST_REQUIRE(opened.device != nullptr);
  const CdbResult read =
      opened.device->Send({.cdb = {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, .data_in_length = 512});
  BOOST_REQUIRE(read.sense.has_value());
  BOOST_TEST(read.sense->key == 0x03);
  const CdbResult refused = Inquire(*opened.device);
  BOOST_REQUIRE(refused.sense.has_value());
  BOOST_TEST(refused.sense->key == 0x04);
  for (const app::FaultCount& count : opened.device->fault_counts()) {
    BOOST_TEST(count.observed == 1u);
  }
}

BOOST_AUTO_TEST_CASE(an_opening_that_fails_tells_its_faults) {
  Rig rig("[[fault]]\nkind = \"port.claim-fails\"\n");
  const app::OpenResult opened = rig.Open();
  BOOST_TEST((opened.device == nullptr));
  BOOST_TEST((opened.outcome == CdbOutcome::kCannotOpen));
  BOOST_REQUIRE(opened.faults.size() == 1u);
  BOOST_TEST(opened.faults[0].observed == 1u);
}

BOOST_AUTO_TEST_CASE(a_plan_of_no_use_opens_nothing) {
  Rig rig("[[fault]]\nkind = \"bot.x\"\n");
  BOOST_TEST((rig.Open().outcome == CdbOutcome::kUsage));
  rig.system.files.clear();
  BOOST_TEST((rig.Open().outcome == CdbOutcome::kFile));
}

BOOST_AUTO_TEST_SUITE_END()
