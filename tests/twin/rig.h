// A whole twin and a host transport that drives it, in virtual time and under the Auditor: what the
// tests of this folder start from.
#pragma once

#include <memory>
#include <numeric>
#include <vector>

#include "base/manual_clock.h"
#include "emulator/bot_function.h"
#include "emulator/device.h"
#include "emulator/disk.h"
#include "emulator/memory_store.h"
#include "emulator/target.h"
#include "emulator/virtual_controller.h"
#include "host/bot_transport.h"
#include "link/auditor.h"
#include "link/fault_injector.h"

namespace usbtwin {

struct RigOptions {
  usb::Speed speed = usb::Speed::kHigh;
  uint64_t size = 1 << 20;  // bytes
  emulator::DiskOptions disk;
  bool audited = true;
  fault::Plan faults;  // an injector plays them, where there are any
};

// Always the first of what there is to choose.
class FirstChooser final : public Chooser {
 public:
  uint64_t Choose(uint64_t, std::string_view) override { return 0; }
};

class Rig {
 public:
  explicit Rig(RigOptions options = {})
      : store(options.size),
        disk(clock, store, options.disk),
        target(clock),
        controller(clock, options.speed) {
    target.AddUnit(disk);
    function = std::make_unique<emulator::BotFunction>(target, emulator::BotFunctionOptions{});
    emulator::DeviceOptions device_options;
    device_options.speeds = {options.speed};
    emulator::DeviceConfiguration configuration;
    configuration.functions = {function.get()};
    auto made = emulator::Device::Make(device_options, {configuration});
    CHECK(made.has_value());
    device = std::move(*made);
    CHECK(device->Bind(controller).has_value());
    controller.Attach(*device);
    if (!options.faults.rules.empty()) {
      player.emplace(clock, chooser, options.faults);
      injector = std::make_unique<link::FaultInjector>(clock, controller, *player);
    }
    if (options.audited) auditor = std::make_unique<link::Auditor>(unaudited());
    CHECK(Port(usb::SetConfiguration{1}) == usb::Outcome::kOk);
    const uint16_t packet = options.speed >= usb::Speed::kSuper  ? 1024
                            : options.speed == usb::Speed::kHigh ? 512
                                                                 : 64;
    transport_options.bulk_in = {.address = {0x81}, .packet_size_max = packet};
    transport_options.bulk_out = {.address = {0x01}, .packet_size_max = packet};
    transport = std::make_unique<host::BotTransport>(clock, link(), transport_options);
  }
  ~Rig() {
    controller.Detach();
    clock.RunPosted();
  }

  usb::Link& link() {
    if (auditor != nullptr) return *auditor;
    return unaudited();
  }
  usb::Link& unaudited() {
    if (injector != nullptr) return *injector;
    return controller;
  }

  usb::Outcome Port(usb::PortRequest request) {
    struct Done final : usb::PortSink {
      void OnDone(usb::PortOp&, uint64_t) override { called = true; }
      bool called = false;
    } done;
    usb::PortOp op;
    op.request = request;
    op.Push(done);
    link().Request(op);
    clock.RunPosted();
    CHECK(done.called);
    return op.outcome;
  }

  // One transfer, to its end or until nothing moves any more; then it is cancelled.
  struct Moved {
    usb::Outcome outcome;
    uint32_t length;
    std::vector<uint8_t> bytes;
  };
  Moved Out(Bytes bytes) {
    usb::Transfer transfer;
    transfer.endpoint = transport_options.bulk_out.address;
    transfer.out = bytes;
    return Move(transfer, {});
  }
  Moved In(uint32_t length) {
    std::vector<uint8_t> room(length, 0xa5);
    usb::Transfer transfer;
    transfer.endpoint = transport_options.bulk_in.address;
    transfer.in = room;
    transfer.in_length_max = length;
    return Move(transfer, room);
  }
  Moved Control(usb::SetupPacket setup, Bytes out = {}) {
    const bool in = (setup.request_type & wire::usb::kDirectionIn) != 0;
    std::vector<uint8_t> room(in ? uint16_t{setup.length} : 0, 0xa5);
    usb::Transfer transfer;
    transfer.setup = setup;
    transfer.out = out;
    transfer.in = room;
    transfer.in_length_max = static_cast<uint32_t>(room.size());
    return Move(transfer, room);
  }

  Result<host::ScsiResult> Execute(host::ScsiRequest request) {
    async::Job<Result<host::ScsiResult>> job(clock, transport->Execute(request));
    CHECK(clock.RunUntil([&] { return job.done(); }));
    return job.result();
  }
  Result<host::ScsiResult> Read(uint32_t lba, uint16_t blocks, MutableBytes in) {
    const auto cdb = Cdb(0x28, lba, blocks);
    return Execute({.cdb = cdb, .in = in, .in_length = static_cast<uint32_t>(in.size())});
  }
  Result<host::ScsiResult> Write(uint32_t lba, uint16_t blocks, Bytes out) {
    const auto cdb = Cdb(0x2a, lba, blocks);
    return Execute({.cdb = cdb, .out = out});
  }
  // TEST UNIT READY until the power-on unit attention is gone.
  void Settle() {
    const std::array<uint8_t, 6> ready{};
    auto first = Execute({.cdb = ready});
    CHECK(first.has_value());
    auto second = Execute({.cdb = ready});
    CHECK(second.has_value());
    CHECK(second->status == scsi::Status::kGood);
  }

  static std::array<uint8_t, 10> Cdb(uint8_t opcode, uint32_t lba, uint16_t blocks) {
    return {opcode,
            0,
            static_cast<uint8_t>(lba >> 24),
            static_cast<uint8_t>(lba >> 16),
            static_cast<uint8_t>(lba >> 8),
            static_cast<uint8_t>(lba),
            0,
            static_cast<uint8_t>(blocks >> 8),
            static_cast<uint8_t>(blocks),
            0};
  }
  static std::vector<uint8_t> Pattern(size_t length, uint8_t seed = 1) {
    std::vector<uint8_t> bytes(length);
    for (size_t index = 0; index < length; ++index) {
      bytes[index] = static_cast<uint8_t>(index * 7 + index / 251 + seed);
    }
    return bytes;
  }

  ManualClock clock;
  emulator::MemoryStore store;
  emulator::Disk disk;
  emulator::Target target;
  emulator::VirtualController controller;
  std::unique_ptr<emulator::BotFunction> function;
  std::unique_ptr<emulator::Device> device;
  FirstChooser chooser;
  std::optional<fault::Player> player;
  std::unique_ptr<link::FaultInjector> injector;
  std::unique_ptr<link::Auditor> auditor;
  host::BotTransportOptions transport_options;
  std::unique_ptr<host::BotTransport> transport;

 private:
  struct TransferDone final : usb::TransferSink {
    void OnDone(usb::Transfer&, uint64_t) override { called = true; }
    bool called = false;
  };
  Moved Move(usb::Transfer& transfer, std::vector<uint8_t> room) {
    TransferDone done;
    const MutableBytes in = transfer.in;
    transfer.Push(done);
    link().Submit(transfer);
    clock.RunPosted();
    if (!done.called) {
      link().Cancel(transfer);
      clock.RunPosted();
    }
    CHECK(done.called);
    if (!in.empty()) room.assign(in.begin(), in.begin() + transfer.length_actual);
    return {transfer.outcome, transfer.length_actual, std::move(room)};
  }
};

}  // namespace usbtwin
