#include "emulator/iso_loopback.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "base/manual_clock.h"
#include "emulator/device.h"
#include "emulator/virtual_controller.h"
#include "link/auditor.h"
#include "tests/iso_host.h"
#include "tests/link/recorder_stack.h"

using namespace usbtwin;            // NOLINT
using namespace usbtwin::emulator;  // NOLINT
using namespace usbtwin::tests;     // NOLINT
using usb::EndpointAddress;
using usb::Outcome;
using usb::Speed;
using wire::iso_loopback::Counters;
using wire::iso_loopback::PacketHeader;
using namespace std::chrono_literals;

namespace {

constexpr EndpointAddress kIn = EndpointAddress::In(1);
constexpr EndpointAddress kOut = EndpointAddress::Out(1);

struct Breaches final : link::BreachSink {
  void OnBreach(const link::Breach& breach) override { BOOST_TEST(breach.Describe() == ""); }
};

// A host of one loopback, below the Auditor's eye. Setting 1 is chosen; an interval is a
// millisecond.
struct Rig : usb::PortSink, usb::TransferSink {
  explicit Rig(const IsoLoopbackOptions& options = {.packet_size = 100}, Speed speed = Speed::kHigh)
      : function(clock, options), controller(clock, speed) {
    DeviceOptions device_options;
    device_options.speeds = {speed};
    auto made = Device::Make(device_options, {{.value = 1, .functions = {&function}}});
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().Describe()));
    device = std::move(*made);
    BOOST_REQUIRE(device->Bind(controller).has_value());
    controller.Attach(*device);
    recorder.emplace(clock, controller, writer, link::RecorderOptions{.bus = 1, .device = 2});
    auditor.emplace(*recorder, &breaches);
    Learn();
    BOOST_TEST((Port(usb::SetConfiguration{1}) == Outcome::kOk));
    BOOST_TEST((Port(usb::SetAlternate{0, 1}) == Outcome::kOk));
  }
  ~Rig() {
    controller.Detach();
    clock.RunPosted();
    BOOST_TEST(controller.idle());
    BOOST_TEST(function.idle());
    BOOST_TEST((clock.deadline() == kNever));
    auditor->CheckNothingInFlight();
  }
  void OnDone(usb::PortOp&, uint64_t) override {}
  void OnDone(usb::Transfer&, uint64_t) override {}

  Outcome Port(const usb::PortRequest& request) {
    usb::PortOp op;
    op.request = request;
    op.Push(*this);
    auditor->Request(op);
    clock.RunPosted();
    return op.outcome;
  }
  Outcome Control(const usb::SetupPacket& setup, MutableBytes in = {}) {
    usb::Transfer transfer;
    transfer.setup = setup;
    transfer.in = in;
    transfer.in_length_max = static_cast<uint32_t>(in.size());
    transfer.Push(*this);
    auditor->Submit(transfer);
    clock.RunPosted();
    return transfer.outcome;
  }
  // The Auditor knows endpoints from the descriptors a host reads.
  void Learn() {
    std::array<uint8_t, 200> room{};
    const Outcome outcome = Control(
        {.request_type = 0x80, .request = 6, .value = uint16_t{0x0200}, .length = uint16_t{200}},
        room);
    BOOST_TEST((outcome == Outcome::kOk));
    auto tree = usb::ParseConfiguration(Take(Bytes(room), room[2] | room[3] << 8));
    BOOST_REQUIRE(tree.has_value());
    BOOST_TEST(tree->defects.empty());
    configuration = *tree;
  }
  Counters AskCounters() {
    Counters counters{};
    const usb::SetupPacket setup{.request_type = 0xc1,
                                 .request = wire::iso_loopback::kRequestGetCounters,
                                 .length = uint16_t{sizeof counters}};
    std::array<uint8_t, sizeof counters> room{};
    BOOST_TEST((Control(setup, room) == Outcome::kOk));
    return *wire::View<Counters>(room);
  }
  void Run(IsoTransfer& transfer) {
    transfer.Submit(*auditor);
    Wait(transfer);
  }
  void Wait(IsoTransfer& transfer) {
    BOOST_REQUIRE(clock.RunUntil([&] { return transfer.done; }));
  }

  ManualClock clock;
  IsoLoopback function;
  VirtualController controller;
  std::unique_ptr<Device> device;
  MemorySink sink;
  link::PcapWriter writer{sink, link::PcapFormat::kPcapng};
  std::optional<link::Recorder> recorder;
  Breaches breaches;
  std::optional<link::Auditor> auditor;
  usb::Configuration configuration;
};

std::string Numbers(const IsoTransfer& in, uint32_t magic) {
  std::string text;
  for (size_t index = 0; index < in.packets.size(); ++index) {
    const PacketHeader* header = in.header(index);
    if (header == nullptr || header->magic != magic) continue;
    text += (text.empty() ? "" : " ") + std::to_string(header->sequence);
  }
  return text;
}

struct ShapeCase {
  const char* name;
  Speed speed;
  IsoLoopbackOptions options;
  usb::EndpointConfig endpoint;
  uint32_t interval_length;
  Duration interval;
};
std::ostream& operator<<(std::ostream& out, const ShapeCase& c) {
  return out << c.name;
}
const ShapeCase kShapes[] = {
    {"full speed",
     Speed::kFull,
     {.packet_size = 1024, .transactions = 3, .interval = 5},
     {.packet_size_max = 1023, .interval = 2},
     1023,
     2ms},
    {"full speed is no faster than a frame",
     Speed::kFull,
     {.packet_size = 16, .interval = 1},
     {.packet_size_max = 16, .interval = 1},
     16,
     1ms},
    {"high speed",
     Speed::kHigh,
     {.packet_size = 1024, .interval = 1},
     {.packet_size_max = 1024, .interval = 1},
     1024,
     125us},
    {"high bandwidth",
     Speed::kHigh,
     {.packet_size = 1000, .transactions = 3, .interval = 1},
     {.packet_size_max = 1000, .interval = 1, .transactions_extra = 2},
     3000,
     125us},
    {"SuperSpeed",
     Speed::kSuper,
     {.packet_size = 100, .interval = 2},
     {.packet_size_max = 100, .interval = 2, .bytes_per_interval = 100},
     100,
     250us},
    {"SuperSpeed bursts",
     Speed::kSuperPlus,
     {.packet_size = 700, .transactions = 3, .interval = 4},
     {.packet_size_max = 1024, .interval = 4, .burst_max = 2, .bytes_per_interval = 2100},
     2100,
     1ms},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(iso_loopback)

BOOST_DATA_TEST_CASE(its_shape_at_each_speed, kShapes, c) {
  Rig rig(c.options, c.speed);
  const auto& alternates = rig.configuration.interfaces.at(0).alternates;
  BOOST_REQUIRE(alternates.size() == 2u);
  BOOST_TEST(alternates[0].endpoints.empty());
  BOOST_REQUIRE(alternates[1].endpoints.size() == 2u);
  usb::EndpointConfig expected = c.endpoint;
  expected.type = usb::TransferType::kIsochronous;
  expected.address = kIn;
  BOOST_TEST((alternates[1].endpoints[0] == expected));
  expected.address = kOut;
  BOOST_TEST((alternates[1].endpoints[1] == expected));

  IsoTransfer in(kIn, Lengths(2, c.interval_length));
  const TimePoint before = rig.clock.Now();
  rig.Run(in);
  BOOST_TEST((rig.clock.Now() - before == 2 * c.interval));
  BOOST_TEST(in.packets[1].length_actual == c.interval_length);
}

BOOST_AUTO_TEST_CASE(its_own_packets_are_numbered) {
  Rig rig;
  rig.clock.Advance(5ms);
  IsoTransfer in(kIn, Lengths(10, 100));
  rig.Run(in);
  BOOST_TEST(in.transfer.error_count == 0u);
  BOOST_TEST(in.transfer.length_actual == 1000u);
  BOOST_TEST(Numbers(in, wire::iso_loopback::kDeviceMagic) == "0 1 2 3 4 5 6 7 8 9");
  BOOST_TEST(in.packet(7)[12] == 7 + 12);
  BOOST_TEST(in.packet(7)[99] == 7 + 99);
  // The first few were made when the setting was chosen.
  BOOST_TEST(in.header(0)->frame == 0u);
  BOOST_TEST(in.header(9)->frame == 5u + 9 - IsoLoopback::kDepth + 1);
}

BOOST_AUTO_TEST_CASE(what_is_sent_comes_back_in_order) {
  Rig rig;
  IsoTransfer out(kOut, {100, 12, 57, 0, 99});
  for (const size_t index : {0, 1, 2, 4}) out.Number(index, static_cast<uint32_t>(index));
  IsoTransfer in(kIn, Lengths(20, 100), 3);
  in.Submit(*rig.auditor);
  rig.Run(out);
  rig.Wait(in);

  BOOST_TEST(out.transfer.length_actual == 268u);
  BOOST_TEST(out.Told() == "ok 100, ok 12, ok 57, ok 0, ok 99");
  BOOST_TEST(Numbers(in, wire::iso_loopback::kHostMagic) == "0 1 2 4");
  size_t sent = 0;
  for (size_t index = 0; index < 20; ++index) {
    if (in.header(index)->magic != wire::iso_loopback::kHostMagic) continue;
    BOOST_TEST(SameBytes(in.packet(index), out.room(sent)));
    sent = sent == 2 ? 4 : sent + 1;
  }
  const Counters counters = rig.AskCounters();
  BOOST_TEST(counters.out_packets == 5u);
  BOOST_TEST(counters.in_echoes == 4u);
  BOOST_TEST(counters.in_made == 16u);
}

BOOST_AUTO_TEST_CASE(it_counts_lost_and_late_packets) {
  Rig rig;
  IsoTransfer out(kOut, Lengths(6, 20));
  const uint32_t numbers[] = {7, 8, 11, 9, 12, 0xffffffff};
  for (size_t index = 0; index < 6; ++index) out.Number(index, numbers[index]);
  rig.Run(out);
  Counters counters = rig.AskCounters();
  BOOST_TEST(counters.out_packets == 6u);
  BOOST_TEST(counters.out_lost == 2u);
  BOOST_TEST(counters.out_late == 2u);

  BOOST_TEST((rig.Control({.request_type = 0x41,
                           .request = wire::iso_loopback::kRequestResetCounters}) == Outcome::kOk));
  counters = rig.AskCounters();
  BOOST_TEST(counters.out_packets == 0u);
  BOOST_TEST((rig.Control({.request_type = 0x41, .request = 9}) == Outcome::kStall));
}

BOOST_AUTO_TEST_CASE(only_so_many_echoes_wait) {
  Rig rig;
  constexpr size_t kCount = IsoLoopback::kEchoesMax + 6;
  IsoTransfer out(kOut, Lengths(kCount, 16));
  for (size_t index = 0; index < kCount; ++index) out.Number(index, static_cast<uint32_t>(index));
  rig.Run(out);
  BOOST_TEST(rig.AskCounters().echoes_dropped == 6u);

  IsoTransfer in(kIn, Lengths(IsoLoopback::kDepth + kCount, 100));
  rig.Run(in);
  std::string expected;
  for (size_t index = 0; index < IsoLoopback::kEchoesMax; ++index) {
    expected += (index == 0 ? "" : " ") + std::to_string(index);
  }
  BOOST_TEST(Numbers(in, wire::iso_loopback::kHostMagic) == expected);
}

BOOST_AUTO_TEST_CASE(a_host_with_too_little_room_loses_a_packet) {
  Rig rig;
  IsoTransfer in(kIn, {100, 99, 100});
  rig.Run(in);
  BOOST_TEST(in.Told() == "ok 100, overflow 0, ok 100");
  BOOST_TEST(in.transfer.error_count == 1u);
  BOOST_TEST(Numbers(in, wire::iso_loopback::kDeviceMagic) == "0 2");
  BOOST_TEST(rig.AskCounters().in_overflows == 1u);
}

BOOST_AUTO_TEST_CASE(packets_longer_than_an_interval_do_not_move) {
  Rig rig;
  IsoTransfer out(kOut, {100, 101, 100});
  rig.Run(out);
  BOOST_TEST(out.Told() == "ok 100, fault 0, ok 100");
  BOOST_TEST(rig.AskCounters().out_packets == 2u);
}

BOOST_AUTO_TEST_CASE(more_packets_than_there_can_be_are_refused) {
  Rig rig({.packet_size = 16});
  IsoTransfer in(kIn, Lengths(1024, 16));
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kOk));
  BOOST_TEST(in.transfer.length_actual == 16u * 1024);
  IsoTransfer more(kIn, Lengths(1025, 16));
  rig.Run(more);
  BOOST_TEST((more.transfer.outcome == Outcome::kFault));
}

BOOST_AUTO_TEST_CASE(a_host_that_comes_too_late_leaves_a_gap_in_time_only) {
  Rig rig;
  IsoTransfer first(kIn, Lengths(2, 100));
  rig.Run(first);
  rig.clock.Advance(100ms);
  IsoTransfer second(kIn, Lengths(2, 100));
  rig.Run(second);
  BOOST_TEST(Numbers(second, wire::iso_loopback::kDeviceMagic) == "2 3");
  BOOST_TEST(second.transfer.start_frame == first.transfer.start_frame + 8 * 102);
}

BOOST_AUTO_TEST_CASE(without_bandwidth_there_are_no_endpoints) {
  Rig rig;
  BOOST_TEST((rig.Port(usb::SetAlternate{0, 0}) == Outcome::kOk));
  IsoTransfer in(kIn, Lengths(2, 100));
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kFault));
  BOOST_TEST(rig.function.idle());

  // Chosen again, it begins anew; twice at once as well.
  BOOST_TEST((rig.Port(usb::SetAlternate{0, 1}) == Outcome::kOk));
  BOOST_TEST((rig.Port(usb::SetAlternate{0, 1}) == Outcome::kOk));
  IsoTransfer again(kIn, Lengths(12, 100));
  rig.Run(again);
  BOOST_TEST(Numbers(again, wire::iso_loopback::kDeviceMagic) == "0 1 2 3 4 5 6 7 8 9 10 11");
}

BOOST_AUTO_TEST_CASE(an_endpoint_without_handshakes_cannot_be_halted) {
  Rig rig;
  BOOST_TEST((rig.Port(usb::ClearHalt{kIn}) == Outcome::kStall));
  rig.controller.SetHalt(kIn, HaltState::kHalted);
  BOOST_TEST((rig.controller.halt(kIn) == HaltState::kNone));
}

BOOST_AUTO_TEST_CASE(transfers_end_with_what_ends_them) {
  Rig rig;
  IsoTransfer in(kIn, Lengths(4, 100));
  in.Submit(*rig.auditor);
  rig.clock.Advance(2ms);
  rig.auditor->Cancel(in.transfer);
  rig.Wait(in);
  BOOST_TEST(in.Told() == "ok 100, ok 100, pending 0, pending 0");
  BOOST_TEST((in.transfer.outcome == Outcome::kCancelled));

  IsoTransfer out(kOut, Lengths(4, 100));
  in.Submit(*rig.auditor);
  out.Submit(*rig.auditor);
  BOOST_TEST(in.Told() == "pending 0, pending 0, pending 0, pending 0");
  BOOST_TEST((rig.Port(usb::ResetPort{}) == Outcome::kOk));
  BOOST_TEST((in.transfer.outcome == Outcome::kCancelled));
  BOOST_TEST((out.transfer.outcome == Outcome::kCancelled));
  // The setting came back with the configuration.
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kOk));

  in.Submit(*rig.auditor);
  out.Submit(*rig.auditor);
  rig.controller.Detach();
  rig.clock.RunPosted();
  BOOST_TEST((in.transfer.outcome == Outcome::kDisconnected));
  BOOST_TEST((out.transfer.outcome == Outcome::kDisconnected));
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kDisconnected));
}

BOOST_AUTO_TEST_CASE(time_stands_still_while_the_bus_is_suspended) {
  Rig rig;
  IsoTransfer in(kIn, Lengths(4, 100));
  in.Submit(*rig.auditor);
  rig.clock.Advance(1ms);
  BOOST_TEST((rig.Port(usb::Suspend{}) == Outcome::kOk));
  rig.clock.Advance(1s);
  BOOST_TEST(in.Told() == "ok 100, pending 0, pending 0, pending 0");
  // What follows another waits behind it.
  IsoTransfer more(kIn, Lengths(1, 100));
  more.Submit(*rig.auditor);
  BOOST_TEST((rig.Port(usb::Resume{}) == Outcome::kOk));
  rig.Wait(more);
  BOOST_TEST(in.Told() == "ok 100, ok 100, ok 100, ok 100");
}

// As Linux would have captured it: gaps, a lost packet and all.
BOOST_AUTO_TEST_CASE(a_capture_shows_each_packet) {
  Rig rig({.packet_size = 16});
  IsoTransfer out(kOut, {16, 0});
  out.Number(0, 5);
  rig.Run(out);
  IsoTransfer in(kIn, {16, 15, 16}, 4);
  rig.Run(in);

  const std::vector<recording::Packet> packets = recording::Packets(rig.sink);
  BOOST_REQUIRE(packets.size() >= 4u);
  const recording::Packet* last = &packets.back() - 3;
  BOOST_TEST(last[0].record.transfer_type == 0);
  BOOST_TEST(last[0].record.packets_count == 2u);
  BOOST_TEST(last[0].record.interval == 8u);
  BOOST_TEST(Hex(last[0].data, 0) ==
             "eeffffff000000001000000000000000"
             "eeffffff100000000000000000000000"
             "6973636805000000000000001b1c1d1e");
  BOOST_TEST(Hex(last[1].data, 0) ==
             "00000000000000001000000000000000"
             "00000000100000000000000000000000");
  BOOST_TEST(last[3].record.length == 32u);
  BOOST_TEST(last[3].record.start_frame == in.transfer.start_frame);
  BOOST_TEST(Hex(last[3].record.setup, 0) == "0100000003000000");  // one error, three packets
  BOOST_TEST(Hex(Take(last[3].data, 48), 0) ==
             "00000000000000001000000000000000"
             "b5ffffff140000000000000000000000"
             "00000000270000001000000000000000");
  BOOST_TEST(SameBytes(last[3].data.subspan(48, 16), in.packet(0)));
  BOOST_TEST(SameBytes(last[3].data.subspan(48 + 0x27, 16), in.packet(2)));
}

BOOST_AUTO_TEST_CASE(an_idle_twin_has_no_timers) {
  Rig rig;
  BOOST_TEST((rig.clock.deadline() == kNever));
  IsoTransfer in(kIn, Lengths(1, 100));
  in.Submit(*rig.auditor);
  BOOST_TEST((rig.clock.deadline() != kNever));
  rig.Wait(in);
  BOOST_TEST((rig.clock.deadline() == kNever));
}

BOOST_AUTO_TEST_SUITE_END()
