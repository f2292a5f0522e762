// A twin on an audited bus, and a session, a transport and a block device on top of it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

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

namespace usbtwin::tests {

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

inline std::vector<uint8_t> Pattern(size_t length, unsigned seed) {
  std::vector<uint8_t> bytes(length);
  for (size_t index = 0; index < length; ++index) {
    bytes[index] = static_cast<uint8_t>(index * 13 + index / 509 + seed);
  }
  return bytes;
}

struct Stack {
  explicit Stack(TwinOptions twin_options = {}, host::BlockDeviceOptions block_options = {})
      : options(block_options), twin(clock, std::move(twin_options)) {}
  ~Stack() {
    block.reset();
    if (session.is_open()) BOOST_TEST(Run(clock, session.Close()).has_value());
    twin.controller.Detach();
    clock.RunPosted();
  }
  void OpenStorage(host::StorageOptions storage = {}) {
    BOOST_REQUIRE(Run(clock, session.Open()).has_value());
    auto opened = Run(clock, session.OpenStorage(storage));
    BOOST_REQUIRE(opened.has_value());
    transport = *opened;
  }
  host::BlockDevice& Open() {
    if (transport == nullptr) OpenStorage();
    block.emplace(*transport, options);
    const host::BlockResult opened = Run(clock, block->Open());
    if (!opened) BOOST_FAIL(opened.error().Describe());
    return *block;
  }
  std::vector<uint8_t> Read(uint64_t lba, size_t length) {
    std::vector<uint8_t> room(length, 0xa5);
    const host::BlockResult read = Run(clock, block->Read(lba, room));
    if (!read) BOOST_FAIL(read.error().Describe());
    return room;
  }
  void Write(uint64_t lba, Bytes bytes) {
    const host::BlockResult written = Run(clock, block->Write(lba, bytes));
    if (!written) BOOST_FAIL(written.error().Describe());
  }
  void Replug() { twin.controller.Attach(*twin.device); }

  ManualClock clock;
  host::BlockDeviceOptions options;
  Twin twin;
  host::Session session{clock, twin.bus, Twin::Id()};
  host::ScsiTransport* transport = nullptr;
  std::optional<host::BlockDevice> block;
};

}  // namespace usbtwin::tests
