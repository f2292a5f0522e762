// A whole twin loses its power: what its host sees, what is left on the medium, and that the device
// starts anew.
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/twin/unit_fault_rig.h"

using namespace usbtwin;  // NOLINT
using fault::Kind;
using std::chrono::milliseconds;
using tests::FaultStack;
using tests::Run;

namespace {

// Power fails at the first READ after the rig is armed.
fault::Plan AtRead() {
  return {{{.kind = Kind::kPowerLoss, .opcode = 0x28, .times = 1}}};
}

std::vector<uint8_t> Filled(size_t blocks_count, uint8_t value) {
  return std::vector<uint8_t>(blocks_count * 512, value);
}

// The byte that fills each block.
std::vector<int> Values(Bytes bytes) {
  std::vector<int> values;
  for (size_t block = 0; block < bytes.size() / 512; ++block) {
    const Bytes one = bytes.subspan(block * 512, 512);
    BOOST_TEST(SameBytes(one, Filled(1, one[0])));
    values.push_back(one[0]);
  }
  return values;
}

std::string Ready(FaultStack& stack) {
  return stack.Execute(scsi::TestUnitReady(), {}, {});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(power_loss)

BOOST_AUTO_TEST_CASE(the_medium_holds_what_was_synchronised_and_some_of_the_rest) {
  std::set<std::vector<int>> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    FaultStack stack(AtRead(), {.seed = seed});
    stack.Write(8, Filled(4, 1));
    BOOST_TEST(Run(stack.clock, stack.block->Flush()).has_value());
    stack.Write(9, Filled(2, 2));
    stack.Write(10, Filled(1, 3));
    stack.Arm();

    const std::vector<int> values = Values(stack.Read(8, 4));

    BOOST_TEST(values[0] == 1);
    BOOST_TEST(values[3] == 1);
    seen.insert({values[1], values[2]});
    BOOST_TEST(stack.player.count(Kind::kPowerLoss).injected == 1u);
    BOOST_TEST(stack.player.count(Kind::kPowerLoss).observed == 1u);
    BOOST_TEST(Values(stack.Read(8, 4)) == values);
  }
  BOOST_TEST((seen == std::set<std::vector<int>>{{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}, {2, 3}}));
}

BOOST_AUTO_TEST_CASE(forced_writes_are_on_the_medium) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    FaultStack stack(AtRead(), {.seed = seed});
    const auto data = Filled(4, 1);
    const scsi::Caching forced{.force_unit_access = true};
    BOOST_TEST(Run(stack.clock, stack.block->Write(8, data, forced)).has_value());
    stack.Arm();
    BOOST_TEST(stack.Read(8, 4) == data);
    BOOST_TEST(stack.player.count(Kind::kPowerLoss).observed == 1u);
    BOOST_TEST(Run(stack.clock, stack.block->Flush()).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_flush_after_it_does_not_vouch_for_what_came_before) {
  FaultStack stack(AtRead());
  stack.Write(8, Filled(4, 1));
  stack.Arm();
  stack.Read(20, 1);
  BOOST_TEST(FaultStack::Text(Run(stack.clock, stack.block->Flush())) ==
             "SYNCHRONIZE CACHE(10): disconnected: the device was gone for a while; what was "
             "written before may be lost");
  // Said once; what is written from now on is another matter.
  stack.Write(8, Filled(4, 2));
  BOOST_TEST(FaultStack::Text(Run(stack.clock, stack.block->Flush())) == "done");
}

BOOST_AUTO_TEST_CASE(the_device_is_gone_for_the_delay_and_starts_anew) {
  fault::Plan plan = AtRead();
  plan.rules[0].delay = milliseconds(300);
  FaultStack stack(plan, {.removable = true});
  BOOST_TEST(stack.Execute(scsi::PreventAllowMediumRemoval(true), {}, {}) == "good, 0 bytes");
  BOOST_TEST(!stack.twin->disk(0).RemoveMedium());
  stack.Arm();
  std::vector<uint8_t> room(512);
  const TimePoint start = stack.clock.Now();
  BOOST_TEST(stack.Execute(scsi::Read10(0, 1), room, {}) ==
             "disconnected in data-in on endpoint 81");
  // The session looks for it every 100 ms.
  BOOST_TEST((stack.clock.Now() - start == milliseconds(300)));
  BOOST_TEST(Ready(stack) == "check condition 06/29/00, 0 bytes");
  BOOST_TEST(Ready(stack) == "good, 0 bytes");
  BOOST_TEST(stack.twin->disk(0).RemoveMedium());
}

BOOST_AUTO_TEST_CASE(a_device_that_is_gone_too_long_is_lost) {
  const std::string absent = ": no such device among the 1 twins of this process";
  fault::Plan plan = AtRead();
  plan.rules[0].delay = std::chrono::seconds(10);
  FaultStack stack(plan);
  stack.Arm();
  std::vector<uint8_t> room(512);
  BOOST_TEST(stack.Execute(scsi::Read10(0, 1), room, {}) ==
             "disconnected in data-in on endpoint 81" + absent);
  BOOST_TEST(stack.Execute(scsi::Read10(0, 1), room, {}) ==
             "disconnected in command on endpoint 01" + absent);
  // It comes back, and the next command finds it, though only by losing the old link again.
  stack.clock.Advance(std::chrono::seconds(10));
  BOOST_TEST(Ready(stack) == "disconnected in command on endpoint 01");
  BOOST_TEST(Ready(stack) == "check condition 06/29/00, 0 bytes");
}

BOOST_AUTO_TEST_CASE(power_may_be_back_before_the_host_looks) {
  fault::Plan plan = AtRead();
  plan.rules[0].delay = Duration(0);
  FaultStack stack(plan);
  stack.Write(8, Filled(1, 1));
  BOOST_TEST(Run(stack.clock, stack.block->Flush()).has_value());
  stack.Arm();
  BOOST_TEST(stack.Read(8, 1) == Filled(1, 1));
  BOOST_TEST(stack.player.count(Kind::kPowerLoss).observed == 1u);
}

BOOST_AUTO_TEST_CASE(nobody_plugs_in_what_was_unplugged_meanwhile) {
  FaultStack stack(AtRead());
  stack.Arm();
  std::vector<uint8_t> room(512);
  struct Pull final : private Timer {
    Pull(FaultStack& rig) : stack(rig) {
      stack.clock.Arm(*this, stack.clock.Now() + milliseconds(500));
    }
    void HandleTimer() override { stack.twin->Unplug(); }
    FaultStack& stack;
  } pull(stack);
  stack.Execute(scsi::Read10(0, 1), room, {});
  stack.clock.Advance(std::chrono::seconds(5));
  BOOST_TEST(!stack.twin->controller().attached());
  stack.twin->Plug();
  stack.clock.RunPosted();
  BOOST_TEST(stack.twin->controller().attached());
}

BOOST_AUTO_TEST_CASE(a_twin_may_be_destroyed_while_its_power_is_failing_or_gone) {
  for (const int steps : {3, 6, 9, 12, 15, 20, 30, 60}) {
    tests::ManualSystem system;
    tests::SeededChooser chooser;
    fault::Player player(system.clock(), chooser, {{{.kind = Kind::kPowerLoss}}});
    emulator::Profile profile;
    profile.units = {{.size = 1 << 20}};
    profile.configurations = {{.functions = {{.units = {0}}}}};
    auto twin = std::move(*app::Twin::Make(system, profile, &player));
    host::Session session(system.clock(), twin->bus(), twin->id());
    BOOST_REQUIRE(Run(system.manual_clock, session.Open()).has_value());
    const auto opened = Run(system.manual_clock, session.OpenStorage({}));
    BOOST_REQUIRE(opened.has_value());
    const scsi::Cdb ready = scsi::TestUnitReady();
    std::optional<Result<host::ScsiResult>> result;
    tests::RunAndCancel<Result<host::ScsiResult>>(
        system.manual_clock, (*opened)->Execute({.cdb = ready.view()}), steps, result);
    BOOST_TEST(Run(system.manual_clock, session.Close()).has_value());
    twin.reset();
    BOOST_TEST(system.manual_clock.idle());
  }
}

BOOST_AUTO_TEST_SUITE_END()
