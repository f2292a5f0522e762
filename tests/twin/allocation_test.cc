// No command allocates, on either side, once the pools are warm: coroutine frames included. Its own
// executable, because it replaces the global operator new.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <new>

#include "emulator/uas_function.h"
#include "host/uas_transport.h"
#include "rig.h"
#include "tests/emulator/fault_rig.h"

namespace {
size_t allocations = 0;
}  // namespace

// Not inlined: the compiler would see malloc meet delete, and free meet new.
#define USBTWIN_NOINLINE __attribute__((noinline))

USBTWIN_NOINLINE void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
USBTWIN_NOINLINE void* operator new(size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<size_t>(alignment);
  void* memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) std::abort();
  return memory;
}
USBTWIN_NOINLINE void operator delete(void* memory) noexcept {
  std::free(memory);
}
USBTWIN_NOINLINE void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
USBTWIN_NOINLINE void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
USBTWIN_NOINLINE void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

using namespace usbtwin;  // NOLINT

namespace {

// A twin that speaks UAS and the transport that drives it: four pipes, with streams or without.
class UasRig {
 public:
  explicit UasRig(usb::Speed speed) : controller(clock, speed) {
    target.AddUnit(disk);
    emulator::DeviceOptions options;
    options.speeds = {speed};
    emulator::DeviceConfiguration configuration;
    configuration.functions = {&function};
    auto made = emulator::Device::Make(options, {configuration});
    CHECK(made.has_value());
    device = std::move(*made);
    CHECK(device->Bind(controller).has_value());
    controller.Attach(*device);
    Port(usb::SetConfiguration{1});
    Port(usb::SetAlternate{0, 1});
    const bool super = speed >= usb::Speed::kSuper;
    const auto pipe = [super](usb::EndpointAddress address) {
      return usb::EndpointConfig{.address = address,
                                 .packet_size_max = super ? uint16_t{1024} : uint16_t{512},
                                 .streams_max = super ? uint16_t{32} : uint16_t{0}};
    };
    host::UasTransportOptions pipes{.command = pipe({0x02}),
                                    .status = pipe({0x82}),
                                    .data_in = pipe({0x81}),
                                    .data_out = pipe({0x01})};
    if (super) {
      async::Job<Result<uint16_t>> job(clock,
                                       host::UasTransport::AllocateStreams(controller, pipes));
      CHECK(clock.RunUntil([&] { return job.done(); }));
      pipes.streams_count = *job.result();
    }
    transport = std::make_unique<host::UasTransport>(clock, controller, pipes);
  }
  ~UasRig() {
    transport.reset();
    controller.Detach();
    clock.RunPosted();
  }
  void Settle() {
    const std::array<uint8_t, 6> ready{};
    CHECK(Execute({.cdb = ready})->status == scsi::Status::kCheckCondition);
  }
  Result<host::ScsiResult> Execute(host::ScsiRequest request) {
    async::Job<Result<host::ScsiResult>> job(clock, transport->Execute(request));
    CHECK(clock.RunUntil([&] { return job.done(); }));
    return job.result();
  }
  Result<host::ScsiResult> Read(uint32_t lba, uint16_t blocks, MutableBytes in) {
    const auto cdb = Rig::Cdb(0x28, lba, blocks);
    return Execute({.cdb = cdb, .in = in, .in_length = static_cast<uint32_t>(in.size())});
  }
  Result<host::ScsiResult> Write(uint32_t lba, uint16_t blocks, Bytes out) {
    const auto cdb = Rig::Cdb(0x2a, lba, blocks);
    return Execute({.cdb = cdb, .out = out});
  }

 private:
  void Port(usb::PortRequest request) {
    struct Done final : usb::PortSink {
      void OnDone(usb::PortOp&, uint64_t) override {}
    } done;
    usb::PortOp op;
    op.request = request;
    op.Push(done);
    controller.Request(op);
    clock.RunPosted();
    CHECK(op.outcome == usb::Outcome::kOk);
  }

  ManualClock clock;
  emulator::MemoryStore store{4 << 20};
  emulator::Disk disk{clock, store, {}};
  emulator::Target target{clock};
  emulator::UasFunction function{target, {}};
  emulator::VirtualController controller;
  std::unique_ptr<emulator::Device> device;
  std::unique_ptr<host::UasTransport> transport;
};

// One of each kind of command that a busy disk sees.
template <class AnyRig>
void RunMix(AnyRig& rig, MutableBytes room, LeaseList& lent) {
  const auto check = [](const Result<host::ScsiResult>& result) {
    CHECK(result.has_value());
    CHECK(result->status == scsi::Status::kGood);
  };
  const std::array<uint8_t, 6> ready{};
  check(rig.Execute({.cdb = ready}));
  const auto inquiry = "120000002400"_hex;
  check(rig.Execute({.cdb = inquiry, .in = room.first(36), .in_length = 36}));
  check(rig.Read(8, 8, room.first(4096)));
  check(rig.Write(8, 8, room.first(4096)));
  check(rig.Read(0, 2048, room.first(1 << 20)));
  check(rig.Write(0, 2048, room.first(1 << 20)));
  const auto cdb = Rig::Cdb(0x28, 8, 8);
  check(rig.Execute({.cdb = cdb, .in_length = 4096, .lent = &lent}));
  lent.Clear();
  const auto flush = Rig::Cdb(0x35, 0, 0);
  check(rig.Execute({.cdb = flush}));
  // A failing one, with its REQUEST SENSE.
  const auto failed = rig.Read(0xffffffff, 1, room.first(512));
  CHECK(failed.has_value());
  CHECK(failed->sense_valid);
}

void CountMix(bool audited, fault::Plan faults = {}) {
  Rig rig({.size = 4 << 20, .audited = audited, .faults = std::move(faults)});
  rig.Settle();
  std::vector<uint8_t> room(1 << 20);
  LeaseList lent;
  for (int warm = 0; warm < 3; ++warm) RunMix(rig, room, lent);
  const size_t before = allocations;
  for (int round = 0; round < 100; ++round) RunMix(rig, room, lent);
  BOOST_TEST(allocations - before == 0u);
  // The counter itself must be able to fail.
  ::operator delete(::operator new(8));
  BOOST_TEST(allocations - before != 0u);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(allocation)

BOOST_AUTO_TEST_CASE(the_steady_state_allocates_nothing) {
  CountMix(false);
}
// Each tag is new once.
BOOST_AUTO_TEST_CASE(neither_does_a_transport_of_many_commands) {
  for (const usb::Speed speed : {usb::Speed::kHigh, usb::Speed::kSuper}) {
    UasRig rig(speed);
    rig.Settle();
    std::vector<uint8_t> room(1 << 20);
    LeaseList lent;
    for (int warm = 0; warm < 10; ++warm) RunMix(rig, room, lent);
    const size_t before = allocations;
    for (int round = 0; round < 100; ++round) RunMix(rig, room, lent);
    BOOST_TEST(allocations - before == 0u);
  }
}
BOOST_AUTO_TEST_CASE(neither_does_the_auditor) {
  CountMix(true);
}
// It watches every moment, and plays nothing.
BOOST_AUTO_TEST_CASE(nor_the_injector_where_no_fault_is_played) {
  fault::Plan plan;
  for (const fault::KindInfo& info : fault::Kinds()) {
    plan.rules.push_back({.kind = info.kind, .nth = UINT64_MAX / 2});
  }
  CountMix(true, plan);
}

// Rules that are asked at every command and never due.
BOOST_AUTO_TEST_CASE(neither_do_faults_that_do_not_happen) {
  constexpr uint64_t kNeverDue = UINT64_MAX;
  tests::FaultRig rig({{{.kind = fault::Kind::kHardwareError, .nth = kNeverDue},
                        {.kind = fault::Kind::kLyingCapacity, .nth = kNeverDue},
                        {.kind = fault::Kind::kSlowStore, .nth = kNeverDue}}});
  const std::vector<uint8_t> data(4096, 0x11);
  const scsi::Cdb read = scsi::Read10(8, 8);
  const scsi::Cdb write = scsi::Write10(8, 8);
  const scsi::Cdb flush = scsi::SynchronizeCache10(0, 0);
  const scsi::Cdb beyond = scsi::Read10(0x7fffffff, 1);
  const scsi::Cdb sense = scsi::RequestSense(false, 18);
  const auto mix = [&] {
    rig.below.log.clear();
    rig.below.lengths.clear();
    CHECK(rig.host.Do(write, data) == scsi::Status::kGood);
    CHECK(rig.host.Do(read) == scsi::Status::kGood);
    CHECK(rig.host.Do(flush) == scsi::Status::kGood);
    CHECK(rig.host.Do(beyond) == scsi::Status::kCheckCondition);
    CHECK(rig.host.Do(sense) == scsi::Status::kGood);
  };
  for (int warm = 0; warm < 3; ++warm) mix();
  const size_t before = allocations;
  for (int round = 0; round < 100; ++round) mix();
  BOOST_TEST(allocations - before == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
