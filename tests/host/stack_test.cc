// Session, transport and block device over a whole twin, under the Auditor.
#include <boost/test/unit_test.hpp>

#include "tests/host/stack_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using scsi::SenseKey;

BOOST_AUTO_TEST_SUITE(stack)

BOOST_AUTO_TEST_CASE(what_was_written_is_read) {
  Stack stack;
  BlockDevice& block = stack.Open();
  BOOST_TEST(block.facts().vendor == "USBTWIN");
  BOOST_TEST(block.facts().size() == 4u << 20);

  for (const size_t blocks_count : {1u, 7u, 256u, 257u, 4096u}) {
    const auto bytes = Pattern(blocks_count * 512, static_cast<unsigned>(blocks_count));
    stack.Write(8, bytes);
    BOOST_TEST((stack.Read(8, bytes.size()) == bytes));
  }
  BOOST_TEST(Run(stack.clock, block.Verify(0, 8192)).has_value());
  BOOST_TEST(Run(stack.clock, block.Flush()).has_value());
  BOOST_TEST(stack.twin.store.flushes_count == 1u);
}

BOOST_AUTO_TEST_CASE(the_session_describes_the_twin_and_configures_it) {
  Stack stack;
  BOOST_REQUIRE(Run(stack.clock, stack.session.Open()).has_value());
  BOOST_TEST(*stack.session.description().manufacturer == "usbtwin");
  BOOST_TEST(*stack.session.description().serial == "0123456789AB");
  BOOST_TEST(*stack.session.description().active_value == 0);
  BOOST_TEST(stack.session.description().defects.empty());

  BOOST_TEST(Run(stack.clock, stack.session.OpenStorage({})).has_value());

  BOOST_TEST(*stack.session.description().active_value == 1);
  BOOST_TEST(Run(stack.clock, ReadActiveValue(stack.session.control(), 5s)).value() == 1);
}

BOOST_AUTO_TEST_CASE(a_vendor_specific_interface_is_a_disk_as_well) {
  Stack stack({.function = {.interface_class = 0xff}});
  stack.Open();
  BOOST_TEST(stack.session.storage().interface_class == 0xff);
}

BOOST_AUTO_TEST_CASE(a_device_that_stalls_get_max_lun_has_one_unit) {
  Stack stack({.function = {.stall_get_max_lun = true}});
  stack.Open();
  BOOST_TEST(stack.session.luns_count() == 1);
  BOOST_TEST(stack.session.defects().empty());
}

BOOST_AUTO_TEST_CASE(every_unit_is_a_disk_of_its_own) {
  Stack stack({.units_count = 2});
  stack.OpenStorage();
  BOOST_TEST(stack.session.luns_count() == 2);
  stack.Open();
  BlockDevice second(*stack.transport, {.lun = 1});
  BOOST_TEST(Run(stack.clock, second.Open()).has_value());
  BOOST_TEST(second.facts().size() == 1u << 20);
  const auto bytes = Pattern(512, 1);

  BOOST_TEST(Run(stack.clock, second.Write(0, bytes)).has_value());

  BOOST_TEST((stack.Read(0, 512) == std::vector<uint8_t>(512)));
  BlockDevice third(*stack.transport, {.lun = 2});
  BOOST_TEST((Run(stack.clock, third.Open()).error().error.kind == ErrorKind::kNotFound));
}

BOOST_AUTO_TEST_CASE(a_disk_beyond_two_tebibytes_is_used_to_its_end) {
  Stack stack({.size = uint64_t{3} << 40});
  BlockDevice& block = stack.Open();
  BOOST_TEST(block.facts().long_capacity);
  BOOST_TEST(block.facts().blocks_count == uint64_t{3} << 31);
  const auto bytes = Pattern(4096, 5);
  for (const uint64_t lba :
       {uint64_t{0xfffffffc}, uint64_t{0x100000000}, (uint64_t{3} << 31) - 8}) {
    stack.Write(lba, bytes);
    BOOST_TEST((stack.Read(lba, bytes.size()) == bytes));
  }
}

BOOST_AUTO_TEST_CASE(blocks_of_4_kib_are_counted_as_such) {
  Stack stack({.disk = {.block_size = 4096}});
  BlockDevice& block = stack.Open();
  BOOST_TEST(block.facts().blocks_count == 1024u);
  BOOST_TEST(block.blocks_max() == 32u);
  const auto bytes = Pattern(40 * 4096, 3);
  stack.Write(984, bytes);
  BOOST_TEST((stack.Read(984, bytes.size()) == bytes));
}

// ---- What a disk may refuse ----

BOOST_AUTO_TEST_CASE(a_block_that_cannot_be_read_is_named) {
  Stack stack;
  BlockDevice& block = stack.Open();
  stack.twin.store.bad_offset = 100 * 512;
  stack.twin.store.bad_reads_left = 100;
  std::vector<uint8_t> room(64 * 512);

  const BlockResult read = Run(stack.clock, block.Read(80, room));

  BOOST_TEST((read.error().sense.key == SenseKey::kMediumError));
  BOOST_TEST(*read.error().lba >= 80u);
  BOOST_TEST(*read.error().lba <= 100u);
  BOOST_TEST(read.error().attempts_count == 2u);
}

BOOST_AUTO_TEST_CASE(a_block_that_can_be_read_the_second_time_is_read) {
  Stack stack;
  stack.Open();
  stack.Write(96, Pattern(8 * 512, 9));
  stack.twin.store.bad_offset = 100 * 512;
  stack.twin.store.bad_reads_left = 1;

  BOOST_TEST((stack.Read(96, 8 * 512) == Pattern(8 * 512, 9)));

  BOOST_TEST(stack.twin.store.bad_reads_left == 0u);
}

BOOST_AUTO_TEST_CASE(a_protected_disk_refuses_to_be_written) {
  Stack stack({.disk = {.read_only = true}});
  BlockDevice& block = stack.Open();
  const auto bytes = Pattern(512, 1);

  const BlockResult written = Run(stack.clock, block.Write(0, bytes));

  BOOST_TEST((written.error().sense.key == SenseKey::kDataProtect));
  BOOST_TEST(written.error().attempts_count == 1u);
}

BOOST_AUTO_TEST_CASE(a_full_store_is_told_with_what_was_done) {
  Stack stack({.memory_max = 256 << 10}, {.command_length_max = 64 << 10});
  BlockDevice& block = stack.Open();
  const auto bytes = Pattern(1 << 20, 1);

  const BlockResult written = Run(stack.clock, block.Write(0, bytes));

  BOOST_TEST((written.error().kind == BlockError::Kind::kSense));
  BOOST_TEST(written.error().blocks_done == 512u);
}

BOOST_AUTO_TEST_CASE(a_medium_taken_out_and_put_back_is_opened_again) {
  Stack stack({.disk = {.removable = true}});
  BlockDevice& block = stack.Open();
  BOOST_TEST(block.facts().removable);
  const auto bytes = Pattern(512, 1);
  BOOST_REQUIRE(stack.twin.disk.RemoveMedium());

  // Out, then in again: neither is passed over in silence.
  const BlockResult without = Run(stack.clock, block.Write(0, bytes));
  BOOST_TEST((without.error().kind == BlockError::Kind::kSense));
  BOOST_TEST(Run(stack.clock, block.Open()).error().sense.asc == 0x3a);
  BOOST_TEST(!block.is_open());
  stack.twin.disk.InsertMedium();
  BOOST_TEST(Run(stack.clock, block.Open()).has_value());
  stack.Write(0, bytes);

  BOOST_REQUIRE(stack.twin.disk.RemoveMedium());
  stack.twin.disk.InsertMedium();
  const BlockResult changed = Run(stack.clock, block.Write(0, bytes));
  BOOST_TEST((changed.error().sense.key == SenseKey::kUnitAttention));
  BOOST_TEST(changed.error().sense.asc == 0x28);
}

BOOST_AUTO_TEST_CASE(a_stopped_disk_is_started) {
  Stack stack;
  stack.Open();
  stack.Write(0, Pattern(512, 4));
  const scsi::Cdb stop = scsi::StartStopUnit({.start = false});
  const ScsiRequest request{.cdb = stop.view()};
  BOOST_REQUIRE(Run(stack.clock, stack.transport->Execute(request)).has_value());
  BOOST_REQUIRE(!stack.twin.disk.ready());

  BOOST_TEST((stack.Read(0, 512) == Pattern(512, 4)));

  BOOST_TEST(stack.twin.disk.ready());
}

// ---- What a bus may do ----

BOOST_AUTO_TEST_CASE(a_reset_between_two_commands_is_passed_over) {
  Stack stack;
  stack.Open();
  stack.Write(3, Pattern(512, 2));

  BOOST_TEST(Run(stack.clock, stack.session.control().Request(usb::ResetPort{})).has_value());

  BOOST_TEST((stack.Read(3, 512) == Pattern(512, 2)));
}

BOOST_AUTO_TEST_CASE(a_device_that_is_replugged_in_mid_command_is_used_on) {
  Stack stack;
  BlockDevice& block = stack.Open();
  const auto bytes = Pattern(1 << 20, 2);
  async::Job<BlockResult> job(stack.clock, block.Write(0, bytes));
  for (int step = 0; step < 20; ++step) BOOST_REQUIRE(stack.clock.Step());
  BOOST_REQUIRE(!job.done());
  stack.twin.controller.Detach();
  Later replug(stack.clock, 500ms, [&] { stack.Replug(); });

  BOOST_REQUIRE(stack.clock.RunUntil([&] { return job.done(); }));

  const BlockResult written = job.result();
  if (!written) BOOST_FAIL(written.error().Describe());
  BOOST_TEST((stack.Read(0, bytes.size()) == bytes));
}

BOOST_AUTO_TEST_CASE(a_device_may_be_unplugged_at_any_step_of_opening_and_reading) {
  size_t steps_count = 0;
  for (bool complete = false; !complete; ++steps_count) {
    Stack stack;
    struct All {
      static async::Task<bool> Use(Stack& stack, MutableBytes room) {
        const Result<void> opened = co_await stack.session.Open();
        if (!opened) co_return false;
        const StorageOptions storage;
        const Result<ScsiTransport*> transport = co_await stack.session.OpenStorage(storage);
        if (!transport) co_return false;
        stack.block.emplace(**transport, stack.options);
        const BlockResult known = co_await stack.block->Open();
        if (!known) co_return false;
        const BlockResult read = co_await stack.block->Read(0, room);
        if (!read) co_return false;
        const BlockResult written = co_await stack.block->Write(0, room);
        co_return written.has_value();
      }
    };
    std::vector<uint8_t> room(4096);
    async::Job<bool> job(stack.clock, All::Use(stack, room));
    for (size_t step = 0; step < steps_count && !job.done(); ++step) {
      BOOST_REQUIRE(stack.clock.Step());
    }
    stack.twin.controller.Detach();
    BOOST_REQUIRE(stack.clock.RunUntil([&] { return job.done(); }));
    complete = job.result();
    BOOST_TEST(((stack.clock.Now() - TimePoint{}) < 5s));
  }
  BOOST_TEST(steps_count > 30u);
}

BOOST_AUTO_TEST_CASE(a_write_may_be_cancelled_at_any_step_and_the_next_command_works) {
  size_t steps_count = 0;
  for (bool running = true; running; ++steps_count) {
    Stack stack;
    BlockDevice& block = stack.Open();
    const auto bytes = Pattern(512 << 10, 6);
    std::optional<BlockResult> written;

    running = RunAndCancel(stack.clock, block.Write(0, bytes), steps_count, written);

    if (running && !*written) {
      BOOST_TEST((written->error().error.kind == ErrorKind::kCancelled));
    }
    stack.Write(0, bytes);
    BOOST_TEST((stack.Read(0, bytes.size()) == bytes));
  }
  BOOST_TEST(steps_count > 10u);
}

// ---- Lent data ----

BOOST_AUTO_TEST_CASE(lent_data_is_what_was_written_even_after_it_is_overwritten) {
  Stack stack;
  BlockDevice& block = stack.Open();
  BOOST_TEST(block.lends_data());
  const auto before = Pattern(64 << 10, 1);
  const auto after = Pattern(64 << 10, 2);
  stack.Write(16, before);
  LeaseList lent;

  BOOST_TEST(Run(stack.clock, block.ReadLent(16, 128, lent)).has_value());
  stack.Write(16, after);

  std::vector<uint8_t> copy(before.size());
  lent.CopyTo(copy);
  BOOST_TEST((copy == before));
  BOOST_TEST((stack.Read(16, after.size()) == after));
}

BOOST_AUTO_TEST_SUITE_END()
