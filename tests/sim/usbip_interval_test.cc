// The service interval in a UsbIpLink's commands, as a server reads it.
#include <boost/test/unit_test.hpp>

#include "async/usbip_link.h"
#include "base/seeded.h"
#include "sim/pipes.h"
#include "wire/usbip.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT
using usb::EndpointAddress;
using usb::Speed;
using usb::Transfer;

namespace {

// Bulk IN 1, interrupt IN 2 with bInterval 10, isochronous OUT 3 with bInterval 4.
constexpr auto kConfiguration =
    "09 02 2700 01 01 00 80 32"
    "09 04 00 00 03 ff 00 00 00"
    "07 05 81 02 0002 00"
    "07 05 82 03 0800 0a"
    "07 05 03 01 c000 04"_hex;

// A link, and the far end of its socket: a server of literal bytes.
struct Rig : usb::TransferSink, usb::Sink<async::SocketRead>, usb::Sink<async::SocketWrite> {
  explicit Rig(Speed speed) : chooser(1), world(chooser), pipes(world, {}) {
    auto [near, far] = pipes.MakePair();
    server = std::move(far);
    usbip::Device device;
    device.speed = speed;
    link.emplace(world, std::move(near), device, async::UsbIpLinkOptions{});
  }
  // The link closes its end when nothing is under way.
  ~Rig() {
    server.reset();
    while (world.Step()) continue;
  }
  void OnDone(Transfer&, uint64_t) override { ++done_count; }
  void OnDone(async::SocketRead&, uint64_t) override { moved = true; }
  void OnDone(async::SocketWrite&, uint64_t) override { moved = true; }

  void Wait() {
    while (!moved) BOOST_REQUIRE(world.Step());
  }
  std::vector<uint8_t> Read(size_t length) {
    std::vector<uint8_t> bytes;
    while (bytes.size() != length) {
      std::vector<uint8_t> room(length - bytes.size());
      async::SocketRead read;
      read.room = room;
      read.Push(*this);
      moved = false;
      server->Read(read);
      Wait();
      BOOST_REQUIRE((read.outcome == async::SocketOutcome::kOk));
      bytes.insert(bytes.end(), room.begin(),
                   room.begin() + static_cast<ptrdiff_t>(read.length_actual));
    }
    return bytes;
  }
  void Write(Bytes bytes) {
    async::SocketWrite write;
    write.pieces = {&bytes, 1};
    write.Push(*this);
    moved = false;
    server->Write(write);
    Wait();
  }
  // The command for a transfer, answered with `data`.
  wire::usbip::Submit Serve(Transfer& transfer, Bytes data) {
    transfer.Push(*this);
    link->Submit(transfer);
    const std::vector<uint8_t> header = Read(wire::usbip::kHeaderLength);
    const auto submit = *wire::View<wire::usbip::Submit>(header);
    if (!transfer.is_in()) Read(transfer.out.size() + 16 * transfer.packets.size());
    wire::usbip::SubmitReply reply{};
    reply.basic.command = uint32_t{3};
    reply.basic.sequence = uint32_t{submit.basic.sequence};
    reply.length_actual = static_cast<uint32_t>(data.size());
    reply.packets_count = uint32_t{submit.packets_count};
    Write(wire::AsBytes(reply));
    Write(data);
    if (!transfer.packets.empty()) Write(std::vector<uint8_t>(16 * transfer.packets.size()));
    const size_t before = done_count;
    while (done_count == before) BOOST_REQUIRE(world.Step());
    return submit;
  }
  uint32_t IntervalOf(EndpointAddress endpoint) {
    std::array<uint8_t, 4> room{};
    std::array<usb::IsoPacket, 1> packets{{{0, 4}}};
    Transfer transfer;
    transfer.endpoint = endpoint;
    if (endpoint.is_in()) {
      transfer.in = room;
      transfer.in_length_max = 4;
      return Serve(transfer, room).interval;
    }
    transfer.out = room;
    transfer.packets = packets;
    return Serve(transfer, {}).interval;
  }
  void ReadDescriptors() {
    std::array<uint8_t, 39> room{};
    static_assert(sizeof(kConfiguration) == sizeof(room));
    Transfer transfer;
    transfer.setup = {.request_type = 0x80,
                      .request = 6,
                      .value = uint16_t{0x0200},
                      .index = uint16_t{0},
                      .length = uint16_t{39}};
    transfer.in = room;
    transfer.in_length_max = 39;
    BOOST_TEST(Serve(transfer, kConfiguration).interval == 0u);
  }

  Seeded chooser;
  World world;
  Pipes pipes;
  std::unique_ptr<async::Socket> server;
  std::optional<async::UsbIpLink> link;
  bool moved = false;
  size_t done_count = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_interval)

// It was always 0, and Linux takes no periodic transfer with that.
BOOST_AUTO_TEST_CASE(commands_say_the_interval_of_periodic_endpoints) {
  Rig rig(Speed::kHigh);
  rig.ReadDescriptors();
  BOOST_TEST(rig.IntervalOf(EndpointAddress::In(1)) == 0u);
  BOOST_TEST(rig.IntervalOf(EndpointAddress::In(2)) == 512u);
  BOOST_TEST(rig.IntervalOf(EndpointAddress::Out(3)) == 8u);
}

BOOST_AUTO_TEST_CASE(below_high_speed_it_counts_frames) {
  Rig rig(Speed::kFull);
  rig.ReadDescriptors();
  BOOST_TEST(rig.IntervalOf(EndpointAddress::In(2)) == 8u);
  BOOST_TEST(rig.IntervalOf(EndpointAddress::Out(3)) == 8u);
}

BOOST_AUTO_TEST_CASE(an_endpoint_nobody_told_of_may_be_periodic) {
  Rig rig(Speed::kHigh);
  BOOST_TEST(rig.IntervalOf(EndpointAddress::In(2)) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
