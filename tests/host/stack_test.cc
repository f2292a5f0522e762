// Session, transport and block device over a whole twin, under the Auditor.
#include <boost/test/unit_test.hpp>

#include "emulator/bot_function.h"
#include "emulator/device.h"
#include "emulator/disk.h"
#include "emulator/memory_store.h"
#include "emulator/target.h"
#include "emulator/twin_bus.h"
#include "host/block_device.h"
#include "host/session.h"
#include "link/auditor.h"
#include "tests/host/run.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using scsi::SenseKey;

namespace {

// A store that fails where it is told to.
class FaultyStore final : public emulator::BlockStore {
 public:
  explicit FaultyStore(uint64_t size, uint64_t memory_max) : inner_(size, memory_max) {}
  uint64_t size() const override { return inner_.size(); }
  bool writable() const override { return true; }
  bool Submit(emulator::StoreOp& op) override {
    using Kind = emulator::StoreOp::Kind;
    const bool touched = bad_offset < op.offset + op.length && op.offset <= bad_offset;
    if (touched && op.kind == Kind::kRead && bad_reads_left > 0) {
      --bad_reads_left;
      op.outcome = emulator::StoreOutcome::kReadError;
      return true;
    }
    if (op.kind == Kind::kFlush) ++flushes_count;
    return inner_.Submit(op);
  }
  uint64_t bad_offset = 0;
  unsigned bad_reads_left = 0;
  unsigned flushes_count = 0;

 private:
  emulator::MemoryStore inner_;
};

// Puts an Auditor on top of every link the inner bus opens.
class AuditedBus final : public usb::Bus, private usb::Sink<usb::OpenOp> {
 public:
  explicit AuditedBus(usb::Bus& inner) : inner_(inner) {}
  Result<std::vector<usb::DeviceInfo>> Enumerate() override { return inner_.Enumerate(); }
  void Open(usb::OpenOp& op) override {
    op.Push(*this);
    inner_.Open(op);
  }

 private:
  void OnDone(usb::OpenOp& op, uint64_t) override {
    if (op.result) {
      op.result->owned.push_back(std::make_unique<link::Auditor>(*op.result->top));
      op.result->top = op.result->owned.back().get();
    }
    op.Complete();
  }
  usb::Bus& inner_;
};

struct TwinOptions {
  uint64_t size = 4 << 20;  // bytes
  uint64_t memory_max = UINT64_MAX;
  emulator::DiskOptions disk;
  emulator::BotFunctionOptions function;
  unsigned units_count = 1;
};

class Twin {
 public:
  explicit Twin(Clock& clock, TwinOptions options = {})
      : store(options.size, options.memory_max),
        disk(clock, store, options.disk),
        spare_store(1 << 20),
        spare_disk(clock, spare_store, options.disk),
        target(clock),
        controller(clock, usb::Speed::kHigh),
        twins(clock),
        bus(twins) {
    target.AddUnit(disk);
    if (options.units_count == 2) target.AddUnit(spare_disk);
    options.function.luns_count = static_cast<uint8_t>(options.units_count);
    function = std::make_unique<emulator::BotFunction>(target, options.function);
    emulator::DeviceConfiguration configuration;
    configuration.functions = {function.get()};
    auto made = emulator::Device::Make({}, {configuration});
    CHECK(made.has_value());
    device = std::move(*made);
    CHECK(device->Bind(controller).has_value());
    controller.Attach(*device);
    twins.Add({.id = Id()}, controller);
  }
  static usb::DeviceId Id() { return {.port_path = "emu-1"}; }

  FaultyStore store;
  emulator::Disk disk;
  emulator::MemoryStore spare_store;
  emulator::Disk spare_disk;
  emulator::Target target;
  emulator::VirtualController controller;
  std::unique_ptr<emulator::BotFunction> function;
  std::unique_ptr<emulator::Device> device;
  emulator::TwinBus twins;
  AuditedBus bus;
};

// Calls back once, at a time.
class Later final : private Timer {
 public:
  Later(Clock& clock, Duration delay, std::function<void()> work) : work_(std::move(work)) {
    clock.Arm(*this, clock.Now() + delay);
  }

 private:
  void HandleTimer() override { work_(); }
  std::function<void()> work_;
};

std::vector<uint8_t> Pattern(size_t length, unsigned seed) {
  std::vector<uint8_t> bytes(length);
  for (size_t index = 0; index < length; ++index) {
    bytes[index] = static_cast<uint8_t>(index * 13 + index / 509 + seed);
  }
  return bytes;
}

struct Stack {
  explicit Stack(TwinOptions twin_options = {}, BlockDeviceOptions block_options = {})
      : options(block_options), twin(clock, std::move(twin_options)) {}
  ~Stack() {
    block.reset();
    if (session.is_open()) BOOST_TEST(Run(clock, session.Close()).has_value());
    twin.controller.Detach();
    clock.RunPosted();
  }
  void OpenStorage(StorageOptions storage = {}) {
    BOOST_REQUIRE(Run(clock, session.Open()).has_value());
    auto opened = Run(clock, session.OpenStorage(storage));
    BOOST_REQUIRE(opened.has_value());
    transport = *opened;
  }
  BlockDevice& Open() {
    if (transport == nullptr) OpenStorage();
    block.emplace(*transport, options);
    const BlockResult opened = Run(clock, block->Open());
    if (!opened) BOOST_FAIL(opened.error().Describe());
    return *block;
  }
  std::vector<uint8_t> Read(uint64_t lba, size_t length) {
    std::vector<uint8_t> room(length, 0xa5);
    const BlockResult read = Run(clock, block->Read(lba, room));
    if (!read) BOOST_FAIL(read.error().Describe());
    return room;
  }
  void Write(uint64_t lba, Bytes bytes) {
    const BlockResult written = Run(clock, block->Write(lba, bytes));
    if (!written) BOOST_FAIL(written.error().Describe());
  }
  void Replug() { twin.controller.Attach(*twin.device); }

  ManualClock clock;
  BlockDeviceOptions options;
  Twin twin;
  Session session{clock, twin.bus, Twin::Id()};
  ScsiTransport* transport = nullptr;
  std::optional<BlockDevice> block;
};

}  // namespace

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
