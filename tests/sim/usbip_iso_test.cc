// Isochronous transfers of a loopback, beside it and with USB/IP in between.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "app/config.h"
#include "app/decorated_bus.h"
#include "base/seeded.h"
#include "sim/usbip_path.h"
#include "sim/world.h"
#include "tests/iso_host.h"
#include "tests/sim/world_system.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::sim;    // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

constexpr EndpointAddress kIn = EndpointAddress::In(1);
constexpr EndpointAddress kOut = EndpointAddress::Out(1);
constexpr uint32_t kRoom = 200;  // bytes in one interval of 125 us

// A host of the loopback, far away or beside it. Setting 1 is chosen.
struct IsoRig : usb::Sink<usb::OpenOp>, usb::PortSink {
  IsoRig(uint64_t seed, bool far, const UsbIpPathOptions& options = {})
      : chooser(seed), world(chooser), system(world) {
    auto profile = app::ParseProfile(
        "[[function]]\nkind = \"iso-loopback\"\npacket_size = 200\ninterval = 1\n", "profile");
    BOOST_REQUIRE(profile.has_value());
    auto made = app::Twin::Make(system, std::move(*profile));
    BOOST_REQUIRE(made.has_value());
    twin = std::move(*made);
    if (far) {
      path.emplace(world, twin->bus(), twin->id(), options);
      BOOST_REQUIRE(path->Start(kStepsMax));
    }
    usb::Bus& bus = far ? path->bus() : twin->bus();
    audited.emplace(world, bus, app::Decorations{.audit = true});
    usb::OpenOp open;
    open.id = far ? path->id() : twin->id();
    open.Push(*this);
    audited->Open(open);
    Wait([&] { return opened; });
    BOOST_REQUIRE(open.result);
    stack = std::move(*open.result);
    BOOST_TEST((Port(usb::SetConfiguration{1}) == Outcome::kOk));
    BOOST_TEST((Port(usb::SetAlternate{0, 1}) == Outcome::kOk));
  }
  ~IsoRig() {
    stack.Close();
    if (!path) return;
    path->Stop();
    Wait([&] { return path->idle(); });
  }
  void OnDone(usb::OpenOp&, uint64_t) override { opened = true; }
  void OnDone(usb::PortOp&, uint64_t) override { port_done = true; }

  usb::Link& link() { return *stack.top; }
  template <class DoneFunction>
  void Wait(DoneFunction done) {
    BOOST_REQUIRE(world.RunUntil(done, kStepsMax).has_value());
  }
  Outcome Port(const usb::PortRequest& request) {
    usb::PortOp op;
    port_done = false;
    op.request = request;
    op.Push(*this);
    link().Request(op);
    Wait([&] { return port_done; });
    return op.outcome;
  }
  void Run(IsoTransfer& transfer) {
    transfer.Submit(link());
    Wait([&] { return transfer.done; });
  }

  Seeded chooser;
  World world;
  WorldSystem system;
  std::unique_ptr<app::Twin> twin;
  std::optional<UsbIpPath> path;
  std::optional<app::DecoratedBus> audited;
  usb::LinkStack stack;
  bool opened = false;
  bool port_done = false;
};

UsbIpPathOptions Options(uint64_t seed) {
  UsbIpPathOptions options;
  options.pipes.delay_max = seed % 3 == 0 ? 0ms : 1ms;
  options.pipes.buffer_length = seed % 2 == 0 ? 64 << 10 : 997;
  return options;
}

// What a device was sent and what it sent, as one host saw it. What lies between the packets' bytes
// is nobody's.
struct Story {
  std::vector<std::string> told;
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<uint32_t> lengths;
  std::vector<uint32_t> errors;
  void Add(const IsoTransfer& transfer) {
    told.push_back(transfer.Told());
    bytes.emplace_back();
    for (size_t index = 0; index < transfer.packets.size(); ++index) {
      const Bytes packet = transfer.packet(index);
      bytes.back().insert(bytes.back().end(), packet.begin(), packet.end());
    }
    lengths.push_back(transfer.transfer.length_actual);
    errors.push_back(transfer.transfer.error_count);
  }
  bool operator==(const Story&) const = default;
};

// Transfers one after the other, drawn from the seed; what they do does not depend on time but for
// the frame in the device's own packets, which is wiped out.
Story Tell(IsoRig& rig, uint64_t seed) {
  Seeded draw(seed);
  Story story;
  uint32_t sequence = 0;
  for (int count = 0; count < 12; ++count) {
    const bool in = draw.Choose(2, "in") == 0;
    std::vector<uint32_t> lengths(1 +
                                  draw.Choose(draw.Choose(8, "long") == 0 ? 1024 : 20, "count"));
    for (uint32_t& length : lengths) {
      const uint64_t kind = draw.Choose(8, "kind");
      length = kind == 0 ? static_cast<uint32_t>(draw.Choose(kRoom, "length")) : kRoom;
      if (kind == 1) length = 0;
      if (kind == 2) length = kRoom + 1;
    }
    IsoTransfer transfer(in ? kIn : kOut, lengths, static_cast<uint32_t>(draw.Choose(4, "apart")));
    for (size_t index = 0; !in && index < lengths.size(); ++index) {
      if (lengths[index] >= 12) transfer.Number(index, sequence++);
    }
    rig.Run(transfer);
    BOOST_TEST((transfer.transfer.outcome == Outcome::kOk));
    for (size_t index = 0; in && index < lengths.size(); ++index) {
      const auto* header = transfer.header(index);
      if (header == nullptr || header->magic != wire::iso_loopback::kDeviceMagic) continue;
      std::fill_n(transfer.room(index).begin() + 8, 4, uint8_t{0});
    }
    story.Add(transfer);
  }
  return story;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_iso_path)

BOOST_DATA_TEST_CASE(a_loopback_far_away_is_the_same_loopback, data::xrange(40), number) {
  const auto seed = static_cast<uint64_t>(number);
  IsoRig near(seed, false);
  IsoRig far(seed, true, Options(seed));
  const Story expected = Tell(near, seed);
  const Story story = Tell(far, seed);
  for (size_t index = 0; index < expected.told.size(); ++index) {
    BOOST_TEST(story.told[index] == expected.told[index]);
    BOOST_TEST(story.lengths[index] == expected.lengths[index]);
    BOOST_TEST(story.errors[index] == expected.errors[index]);
    BOOST_TEST((story.bytes[index] == expected.bytes[index]), "bytes of transfer " << index);
  }
}

// Several in both directions at once: nothing is lost on the way, and nothing changes its order.
BOOST_DATA_TEST_CASE(both_directions_flow_at_once, data::xrange(20), number) {
  const auto seed = static_cast<uint64_t>(number);
  IsoRig rig(seed, true, Options(seed));
  std::vector<std::unique_ptr<IsoTransfer>> outs;
  std::vector<std::unique_ptr<IsoTransfer>> ins;
  uint32_t sequence = 0;
  for (size_t count = 0; count < 6; ++count) {
    outs.push_back(
        std::make_unique<IsoTransfer>(kOut, Lengths(8, 13 + static_cast<uint32_t>(number)), 1));
    for (size_t index = 0; index < 8; ++index) outs.back()->Number(index, sequence++);
    ins.push_back(std::make_unique<IsoTransfer>(kIn, Lengths(40, kRoom), 1));
  }
  for (size_t count = 0; count < 6; ++count) {
    ins[count]->Submit(rig.link());
    outs[count]->Submit(rig.link());
  }
  rig.Wait([&] {
    return std::all_of(ins.begin(), ins.end(), [](const auto& in) { return in->done; }) &&
           std::all_of(outs.begin(), outs.end(), [](const auto& out) { return out->done; });
  });
  uint32_t made = 0;
  uint32_t echoed = 0;
  for (const auto& in : ins) {
    BOOST_TEST(in->transfer.error_count == 0u);
    for (size_t index = 0; index < in->packets.size(); ++index) {
      const auto* header = in->header(index);
      BOOST_REQUIRE(header != nullptr);
      if (header->magic == wire::iso_loopback::kDeviceMagic) {
        BOOST_TEST(header->sequence == made++);
      } else {
        BOOST_TEST(header->sequence == echoed);
        const IsoTransfer& out = *outs[echoed / 8];
        BOOST_TEST(SameBytes(in->packet(index), out.packet(echoed % 8)));
        ++echoed;
      }
    }
  }
  BOOST_TEST(echoed == 48u);
  BOOST_TEST(made == 6 * 40u - 48);
}

BOOST_AUTO_TEST_CASE(one_packet_and_as_many_as_there_can_be) {
  IsoRig rig(1, true);
  for (const size_t count : {1, 2, 1023, 1024}) {
    IsoTransfer in(kIn, Lengths(count, kRoom));
    rig.Run(in);
    BOOST_TEST((in.transfer.outcome == Outcome::kOk));
    BOOST_TEST(in.transfer.error_count == 0u);
    BOOST_TEST(in.packets.back().length_actual != 0u);
    IsoTransfer out(kOut, Lengths(count, 17));
    rig.Run(out);
    BOOST_TEST(out.transfer.length_actual == count * 17);
  }
  // More than USB/IP carries.
  IsoTransfer in(kIn, Lengths(1025, 16));
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kFault));
}

// The packets of the last flight said kOk when the transfer was submitted again and cancelled.
BOOST_AUTO_TEST_CASE(a_cancelled_transfer_says_nothing_of_its_last_flight) {
  for (const bool far : {false, true}) {
    IsoRig rig(1, far);
    IsoTransfer in(kIn, Lengths(3, kRoom));
    rig.Run(in);
    BOOST_TEST(in.Told() == "ok 200, ok 200, ok 200");
    in.transfer.flags.iso_asap = false;
    in.transfer.start_frame += 8000;  // a second ahead, more or less
    in.Submit(rig.link());
    rig.link().Cancel(in.transfer);
    rig.Wait([&] { return in.done; });
    BOOST_TEST((in.transfer.outcome == Outcome::kCancelled));
    BOOST_TEST(in.Told() == "pending 0, pending 0, pending 0");
    BOOST_TEST(in.transfer.length_actual == 0u);
    BOOST_TEST(in.transfer.error_count == 3u);
    in.transfer.flags.iso_asap = true;
    rig.Run(in);
    BOOST_TEST(in.transfer.error_count == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_start_frame_travels_both_ways) {
  IsoRig rig(1, true);
  IsoTransfer in(kIn, Lengths(1, kRoom));
  rig.Run(in);
  const uint32_t first = in.transfer.start_frame;
  in.transfer.flags.iso_asap = false;
  in.transfer.start_frame = first + 4000;
  rig.Run(in);
  BOOST_TEST(in.transfer.start_frame == first + 4000);
  in.transfer.flags.iso_asap = true;
  rig.Run(in);
  BOOST_TEST(in.transfer.start_frame > first + 4000);
  BOOST_TEST(in.transfer.start_frame < first + 4100);
}

// A transfer to a setting without endpoints is refused by the device, not by the protocol.
BOOST_AUTO_TEST_CASE(without_bandwidth_transfers_fail_and_the_connection_stays) {
  IsoRig rig(1, true);
  BOOST_TEST((rig.Port(usb::SetAlternate{0, 0}) == Outcome::kOk));
  IsoTransfer in(kIn, Lengths(3, kRoom));
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kFault));
  IsoTransfer out(kOut, Lengths(3, kRoom));
  rig.Run(out);
  BOOST_TEST((out.transfer.outcome == Outcome::kFault));
  BOOST_TEST((rig.Port(usb::SetAlternate{0, 1}) == Outcome::kOk));
  rig.Run(in);
  BOOST_TEST((in.transfer.outcome == Outcome::kOk));
}

BOOST_AUTO_TEST_CASE(packets_that_overlap_are_refused_and_the_connection_stays) {
  for (const bool far : {false, true}) {
    IsoRig rig(1, far);
    IsoTransfer in(kIn, Lengths(3, kRoom));
    for (usb::IsoPacket& packet : in.packets) packet.offset = 0;
    in.transfer.in = in.transfer.in.first(kRoom);
    in.transfer.in_length_max = kRoom;
    rig.Run(in);
    BOOST_TEST((in.transfer.outcome == Outcome::kFault));
    IsoTransfer good(kIn, Lengths(3, kRoom));
    rig.Run(good);
    BOOST_TEST((good.transfer.outcome == Outcome::kOk));
  }
}

BOOST_AUTO_TEST_CASE(an_unplugged_device_ends_them) {
  for (const bool far : {false, true}) {
    IsoRig rig(1, far);
    IsoTransfer in(kIn, Lengths(1000, kRoom));
    IsoTransfer out(kOut, Lengths(1000, kRoom));
    in.Submit(rig.link());
    out.Submit(rig.link());
    rig.Wait([&] { return rig.world.Now() > TimePoint{} + 50ms; });
    rig.twin->Unplug();
    rig.Wait([&] { return in.done && out.done; });
    BOOST_TEST((in.transfer.outcome == Outcome::kDisconnected));
    BOOST_TEST((out.transfer.outcome == Outcome::kDisconnected));
  }
}

BOOST_AUTO_TEST_SUITE_END()
