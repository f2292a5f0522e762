// A twin on a bus that plays faults, and the whole host stack above it, in virtual time: what the
// tests of faults start from. One Auditor watches the host and the injector from above, another
// watches the injector from below.
#pragma once

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
#include "link/fault_bus.h"
#include "tests/host/run.h"

namespace usbtwin::tests {

struct LinkKind {
  uint32_t length_max = UINT32_MAX;  // bytes in one transfer; a few, and a command needs many
  bool far = false;                  // a command's transfers go out together
};

// Says that it is such a link.
class KindOfLink final : public usb::Link {
 public:
  KindOfLink(usb::Link& inner, LinkKind kind) : inner_(inner), kind_(kind) {}
  usb::LinkCaps caps() const override {
    usb::LinkCaps caps = inner_.caps();
    caps.transfer_length_max = std::min(caps.transfer_length_max, kind_.length_max);
    caps.far = kind_.far;
    return caps;
  }
  void Submit(usb::Transfer& transfer) override { inner_.Submit(transfer); }
  void Cancel(usb::Transfer& transfer) override { inner_.Cancel(transfer); }
  void Request(usb::PortOp& op) override { inner_.Request(op); }

 private:
  usb::Link& inner_;
  const LinkKind kind_;
};

// Puts an Auditor on every link the inner bus opens, below it a KindOfLink.
class AuditedBus final : public usb::Bus, private usb::Sink<usb::OpenOp> {
 public:
  explicit AuditedBus(usb::Bus& inner, LinkKind kind = {}) : inner_(inner), kind_(kind) {}
  Result<std::vector<usb::DeviceInfo>> Enumerate() override { return inner_.Enumerate(); }
  void Open(usb::OpenOp& op) override {
    op.Push(*this);
    inner_.Open(op);
  }

 private:
  void OnDone(usb::OpenOp& op, uint64_t) override {
    if (op.result) {
      usb::LinkStack& stack = *op.result;
      stack.owned.push_back(std::make_unique<KindOfLink>(*stack.top, kind_));
      stack.owned.push_back(std::make_unique<link::Auditor>(*stack.owned.back()));
      stack.top = stack.owned.back().get();
    }
    op.Complete();
  }
  usb::Bus& inner_;
  const LinkKind kind_;
};

// Always the last of what there is to choose, so that "on average" becomes "never sooner".
class LastChooser final : public Chooser {
 public:
  uint64_t Choose(uint64_t bound, std::string_view) override { return bound - 1; }
};

inline std::vector<uint8_t> Pattern(size_t length, unsigned seed) {
  std::vector<uint8_t> bytes(length);
  for (size_t index = 0; index < length; ++index) {
    bytes[index] = static_cast<uint8_t>(index * 13 + index / 509 + seed);
  }
  return bytes;
}

struct FaultRig {
  // The kind is that of the link that the injector plays on; the host meets the same.
  explicit FaultRig(std::vector<fault::Rule> rules = {}, LinkKind kind = {})
      : player(clock, chooser, fault::Plan{std::move(rules)}),
        below(twins, kind),
        bus(faults, kind) {
    target.AddUnit(disk);
    emulator::DeviceConfiguration configuration;
    configuration.functions = {&function};
    auto made = emulator::Device::Make({}, {configuration});
    CHECK(made.has_value());
    device = std::move(*made);
    CHECK(device->Bind(controller).has_value());
    controller.Attach(*device);
    twins.Add({.id = Id()}, controller);
  }
  ~FaultRig() {
    block.reset();
    player.Stop();
    if (session.is_open()) static_cast<void>(Run(clock, session.Close()).has_value());
    controller.Detach();
    clock.RunPosted();
  }
  static usb::DeviceId Id() { return {.port_path = "emu-1"}; }

  Result<void> Open() {
    const Result<void> opened = Run(clock, session.Open());
    if (!opened) return opened;
    const auto storage = Run(clock, session.OpenStorage({}));
    if (!storage) return storage.error();
    transport = *storage;
    return {};
  }
  // Opened, and past the unit attention of a device that was just powered on.
  void Start() {
    BOOST_REQUIRE(Open().has_value());
    block.emplace(*transport, host::BlockDeviceOptions{});
    const host::BlockResult opened = Run(clock, block->Open());
    if (!opened) BOOST_FAIL(opened.error().Describe());
  }
  host::BotTransport& bot() { return static_cast<host::BotTransport&>(*transport); }

  Result<host::ScsiResult> Execute(host::ScsiRequest request) {
    return Run(clock, transport->Execute(request));
  }
  host::BlockResult Read(uint64_t lba, MutableBytes room) {
    return Run(clock, block->Read(lba, room));
  }
  host::BlockResult Write(uint64_t lba, Bytes bytes) {
    return Run(clock, block->Write(lba, bytes));
  }

  ManualClock clock;
  LastChooser chooser;
  fault::Player player;
  emulator::MemoryStore store{4 << 20};
  emulator::Disk disk{clock, store, {}};
  emulator::Target target{clock};
  emulator::VirtualController controller{clock, usb::Speed::kHigh};
  emulator::BotFunction function{target, {}};
  std::unique_ptr<emulator::Device> device;
  emulator::TwinBus twins{clock};
  AuditedBus below;
  link::FaultBus faults{clock, below, player};
  AuditedBus bus;
  host::Session session{clock, bus, Id()};
  host::ScsiTransport* transport = nullptr;
  std::optional<host::BlockDevice> block;
};

}  // namespace usbtwin::tests
