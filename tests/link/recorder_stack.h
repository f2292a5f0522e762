// What the Recorder's tests start with: a Recorder over a Link that does as the test says, and the
// capture it wrote, read back packet by packet.
#pragma once

#include <boost/test/unit_test.hpp>

#include "link/recorder.h"
#include "tests/link/scripted_link.h"
#include "wire/pcap.h"

namespace usbtwin::tests::recording {

using namespace usbtwin::link;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;
using wire::usbmon::Record;

inline constexpr auto kConfiguration =
    "09 02 2700 01 01 00 80 32"
    "09 04 00 00 03 ff 00 00 00"
    "07 05 81 02 0002 00"
    "07 05 82 03 0800 0a"
    "07 05 03 01 c000 04"_hex;

struct Packet {
  uint64_t ns = 0;
  Record record;
  Bytes data;  // with isochronous descriptors
  std::string comment;
};

// What was written, read back byte by byte. Everything must be there.
inline std::vector<Packet> Packets(const MemorySink& sink) {
  using namespace wire::pcap;  // NOLINT
  std::vector<Packet> packets;
  Bytes rest = sink.written;
  while (!rest.empty()) {
    const auto* block = wire::View<BlockHeader>(rest);
    BOOST_REQUIRE(block != nullptr);
    BOOST_REQUIRE(block->length <= rest.size());
    const Bytes body = rest.first(block->length);
    rest = Drop(rest, body.size());
    if (block->type != static_cast<uint32_t>(BlockType::kEnhancedPacket)) continue;
    const auto& head = *wire::View<EnhancedPacket>(body);
    BOOST_REQUIRE(head.length_captured == head.length_original);
    const Bytes content = body.subspan(sizeof(head), head.length_captured);
    Packet packet;
    packet.ns = uint64_t{head.time_high} << 32 | head.time_low;
    packet.record = *wire::View<Record>(content);
    packet.data = Drop(content, sizeof(Record));
    BOOST_TEST(packet.record.length_captured == packet.data.size());
    const Bytes options = Drop(body, sizeof(head) + Padded(head.length_captured));
    if (options.size() > 4) {
      const auto& option = *wire::View<OptionHeader>(options);
      BOOST_TEST(option.code == kOptionComment);
      const Bytes text = options.subspan(sizeof(option), option.length);
      packet.comment.assign(text.begin(), text.end());
    }
    packets.push_back(packet);
  }
  return packets;
}

inline int32_t Status(const Packet& packet) {
  return static_cast<int32_t>(uint32_t{packet.record.status});
}

struct RecorderStack {
  explicit RecorderStack(usb::Speed speed = usb::Speed::kHigh) : link(clock) {
    link.link_caps.speed = speed;
    recorder.emplace(clock, link, writer, RecorderOptions{.bus = 3, .device = 7});
  }
  void Submit(usb::Transfer& transfer) {
    transfer.Push(host);
    recorder->Submit(transfer);
  }
  void Request(usb::PortOp& op) {
    op.Push(host);
    recorder->Request(op);
  }
  void Learn(Bytes configuration) {
    usb::Transfer read;
    read.setup = usb::SetupPacket{0x80, 6, uint16_t{0x0200}, uint16_t{0}, uint16_t{255}};
    read.in = room;
    read.in_length_max = 255;
    Submit(read);
    link.FinishIn(read, configuration);
    clock.RunPosted();
  }
  std::vector<Packet> packets() const { return Packets(sink); }

  ManualClock clock;
  ScriptedLink link;
  MemorySink sink;
  PcapWriter writer{sink, PcapFormat::kPcapng};
  Host host;
  std::array<uint8_t, 255> room{};
  std::optional<Recorder> recorder;
};

}  // namespace usbtwin::tests::recording
