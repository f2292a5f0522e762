// Bulk streams as the in-process bus has them, and what becomes of a host that gets none.
#include <boost/test/unit_test.hpp>

#include "base/manual_clock.h"
#include "emulator/device.h"
#include "emulator/disk.h"
#include "emulator/memory_store.h"
#include "emulator/target.h"
#include "emulator/uas_function.h"
#include "emulator/virtual_controller.h"
#include "host/uas_transport.h"
#include "tests/host/run.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;

namespace {

constexpr EndpointAddress kCommand{0x02}, kStatus{0x82}, kDataIn{0x81}, kDataOut{0x01};

// The twin's link, with another word on streams.
class Grudging final : public usb::Link {
 public:
  explicit Grudging(Clock& clock, usb::Link& inner) : clock_(clock), inner_(inner) {}
  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override { inner_.Submit(transfer); }
  void Cancel(usb::Transfer& transfer) override { inner_.Cancel(transfer); }
  void Request(usb::PortOp& op) override {
    auto* const ask = std::get_if<usb::AllocateStreams>(&op.request);
    if (ask == nullptr || count != 0) {
      if (ask != nullptr) ask->count = count;
      return inner_.Request(op);
    }
    op.outcome = outcome;
    op.granted = 0;
    clock_.Post(op);
  }

  uint16_t count = 0;                       // that it asks for in the host's stead; 0: none
  Outcome outcome = Outcome::kUnsupported;  // with none

 private:
  Clock& clock_;
  usb::Link& inner_;
};

struct Bench {
  Bench() {
    target.AddUnit(disk);
    emulator::DeviceOptions options;
    options.speeds = {usb::Speed::kSuper};
    emulator::DeviceConfiguration configuration;
    configuration.functions = {&function};
    auto made = emulator::Device::Make(options, {configuration});
    BOOST_REQUIRE(made.has_value());
    device = std::move(*made);
    BOOST_REQUIRE(device->Bind(controller).has_value());
    controller.Attach(*device);
    BOOST_REQUIRE(Port(usb::SetConfiguration{1}) == Outcome::kOk);
    BOOST_REQUIRE(Port(usb::SetAlternate{0, 1}) == Outcome::kOk);
  }
  ~Bench() {
    controller.Detach();
    clock.RunPosted();
  }
  Outcome Port(usb::PortRequest request) {
    struct Done final : usb::PortSink {
      void OnDone(usb::PortOp&, uint64_t) override {}
    } done;
    usb::PortOp op;
    op.request = request;
    op.Push(done);
    controller.Request(op);
    clock.RunPosted();
    granted = op.granted;
    return op.outcome;
  }
  Outcome Allocate(uint16_t count, std::vector<EndpointAddress> endpoints) {
    return Port(usb::AllocateStreams{count, endpoints});
  }
  // How a read of a status ends that nobody answers: at once, or when it is cancelled.
  Outcome ReadStatus(uint16_t stream_id, bool halt = false) {
    struct Done final : usb::TransferSink {
      void OnDone(usb::Transfer&, uint64_t) override {}
    } done;
    std::array<uint8_t, 64> room{};
    usb::Transfer transfer;
    transfer.endpoint = kStatus;
    transfer.stream_id = stream_id;
    transfer.in = room;
    transfer.in_length_max = room.size();
    transfer.Push(done);
    controller.Submit(transfer);
    clock.RunPosted();
    if (halt) controller.SetHalt(kStatus, emulator::HaltState::kHalted);
    clock.RunPosted();
    controller.Cancel(transfer);
    clock.RunPosted();
    return transfer.outcome;
  }
  static host::UasTransportOptions Pipes() {
    const auto pipe = [](EndpointAddress address, uint16_t streams_max) {
      return usb::EndpointConfig{
          .address = address, .packet_size_max = 1024, .streams_max = streams_max};
    };
    return {.command = pipe(kCommand, 0),
            .status = pipe(kStatus, 32),
            .data_in = pipe(kDataIn, 32),
            .data_out = pipe(kDataOut, 32)};
  }

  ManualClock clock;
  emulator::MemoryStore store{1 << 20};
  emulator::Disk disk{clock, store, {}};
  emulator::Target target{clock};
  emulator::UasFunction function{target, {}};
  emulator::VirtualController controller{clock, usb::Speed::kSuper};
  std::unique_ptr<emulator::Device> device;
  uint32_t granted = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(streams, Bench)

BOOST_AUTO_TEST_CASE(all_endpoints_get_as_many_or_none_does) {
  BOOST_CHECK(Allocate(8, {kStatus, kCommand}) == Outcome::kUnsupported);  // it has none
  BOOST_TEST(granted == 0u);
  BOOST_CHECK(Allocate(8, {EndpointAddress{0x85}}) == Outcome::kNotFound);
  BOOST_CHECK(Allocate(8, {}) == Outcome::kUnsupported);
  BOOST_CHECK(Allocate(0, {kStatus}) == Outcome::kUnsupported);
  BOOST_CHECK(Allocate(100, {kStatus, kDataIn}) == Outcome::kOk);
  BOOST_TEST(granted == 32u);  // as the descriptors have it
  BOOST_CHECK(Allocate(8, {kDataOut, kStatus}) == Outcome::kBusy);
  BOOST_CHECK(Allocate(8, {kDataOut}) == Outcome::kOk);
  BOOST_TEST(granted == 8u);
}

BOOST_AUTO_TEST_CASE(a_transfer_names_a_stream_that_was_granted) {
  BOOST_CHECK(ReadStatus(0) == Outcome::kCancelled);
  BOOST_CHECK(ReadStatus(1) == Outcome::kFault);
  BOOST_REQUIRE(Allocate(4, {kStatus}) == Outcome::kOk);
  BOOST_CHECK(ReadStatus(0) == Outcome::kFault);
  BOOST_CHECK(ReadStatus(4) == Outcome::kCancelled);
  BOOST_CHECK(ReadStatus(5) == Outcome::kFault);
}

BOOST_AUTO_TEST_CASE(streams_go_with_being_freed_a_setting_or_a_reset) {
  std::array endpoints{kStatus};
  BOOST_CHECK(Port(usb::FreeStreams{endpoints}) == Outcome::kNotFound);
  for (const usb::PortRequest& request : std::initializer_list<usb::PortRequest>{
           usb::FreeStreams{}, usb::SetAlternate{0, 1}, usb::ResetPort{}}) {
    BOOST_REQUIRE(Allocate(4, {kStatus}) == Outcome::kOk);
    usb::PortRequest ask = request;
    if (auto* const free = std::get_if<usb::FreeStreams>(&ask)) free->endpoints = endpoints;
    BOOST_CHECK(Port(ask) == Outcome::kOk);
    BOOST_CHECK(ReadStatus(1) == Outcome::kFault);
    BOOST_CHECK(ReadStatus(0) == Outcome::kCancelled);
  }
}

BOOST_AUTO_TEST_CASE(a_halt_concerns_every_stream) {
  BOOST_REQUIRE(Allocate(4, {kStatus}) == Outcome::kOk);
  BOOST_CHECK(ReadStatus(1, true) == Outcome::kStall);
  BOOST_CHECK(ReadStatus(3) == Outcome::kStall);
  BOOST_CHECK(Port(usb::ClearHalt{kStatus}) == Outcome::kOk);
  BOOST_CHECK(ReadStatus(3) == Outcome::kCancelled);
}

// ---- Hosts that get none ----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(streams_that_are_refused_are_an_error) {
  Grudging grudging(clock, controller);
  const auto ask = [&] {
    return Run(clock, host::UasTransport::AllocateStreams(grudging, Pipes()));
  };
  BOOST_TEST(ask().error().Describe() ==
             "not supported in open: 32 bulk streams were asked for and not granted");
  grudging.outcome = Outcome::kOk;  // but none is granted
  BOOST_CHECK(ask().error().kind == ErrorKind::kUnsupported);
  host::UasTransportOptions without = Pipes();
  without.data_in.streams_max = 0;
  const auto refused = Run(clock, host::UasTransport::AllocateStreams(grudging, without));
  BOOST_CHECK(refused.error().kind == ErrorKind::kUnsupported);
}

// One stream: one command at a time, and no tag to abort it with.
BOOST_AUTO_TEST_CASE(few_streams_are_few_commands) {
  for (const uint16_t count : std::initializer_list<uint16_t>{1, 2, 3, 5}) {
    Grudging grudging(clock, controller);
    grudging.count = count;
    host::UasTransportOptions options = Pipes();
    const auto streams = Run(clock, host::UasTransport::AllocateStreams(grudging, options));
    BOOST_REQUIRE(streams.has_value());
    options.streams_count = *streams;
    {
      host::UasTransport transport(clock, grudging, options);
      BOOST_TEST(transport.queue_depth() == (count <= 2 ? count : count - 2));
      std::array<uint8_t, 36> room{};
      const std::array<uint8_t, 6> inquiry{0x12, 0, 0, 0, 36, 0};
      for (int round = 0; round < 5; ++round) {
        const host::ScsiRequest request{.cdb = inquiry, .in = room, .in_length = 36};
        const auto result = Run(clock, transport.Execute(request));
        BOOST_REQUIRE(result.has_value());
        BOOST_TEST(result->length_actual == 36u);
      }
    }
    BOOST_REQUIRE(Port(usb::SetAlternate{0, 1}) == Outcome::kOk);
  }
}

BOOST_AUTO_TEST_SUITE_END()
