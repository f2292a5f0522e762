// Capture files, both ways. The input is a file for the reader, and the packets of one that is
// written: of those every block must be where the file's own lengths say, and hold what was given.
#include "link/pcap.h"

#include <algorithm>

#include "base/check.h"
#include "input.h"
#include "wire/dump.h"
#include "wire/pcap.h"

namespace {

using namespace usbtwin;  // NOLINT
namespace pcap = wire::pcap;
using link::PcapFormat;

constexpr size_t kPacketsMax = 32;

class Sink final : public ByteSink {
 public:
  bool Write(Bytes bytes) override {
    file.insert(file.end(), bytes.begin(), bytes.end());
    return true;
  }
  bool Flush() override { return true; }
  std::string error() const override { return {}; }
  std::vector<uint8_t> file;
};

struct Packet {
  std::vector<uint8_t> bytes;
  Duration time{};
};

std::vector<Packet> WritePackets(fuzz::Input& input, PcapFormat format, Sink& sink) {
  std::vector<Packet> packets;
  link::PcapWriter writer(sink, format);
  while (!input.empty() && packets.size() < kPacketsMax) {
    const uint8_t shape = input.Byte();
    const Duration time(static_cast<int64_t>(uint64_t{input.Double()} << (shape & 0x1f)));
    const std::string comment(shape >> 5, 'c');
    const Bytes bytes = input.Piece(input.Byte());
    const Bytes head = Take(bytes, input.Byte());
    writer.Begin(time, static_cast<uint32_t>(bytes.size()), comment);
    writer.Append(head);
    writer.Append(Drop(bytes, head.size()));
    writer.End();
    packets.push_back({{bytes.begin(), bytes.end()}, std::max(time, Duration(0))});
  }
  CHECK(writer.Flush() && !writer.failed());
  CHECK_EQ(writer.packets_count(), packets.size());
  return packets;
}

void CheckClassic(Bytes file, const std::vector<Packet>& packets) {
  const auto* head = wire::View<pcap::FileHeader>(file);
  CHECK(head != nullptr);
  CHECK_EQ(head->link_type, pcap::kLinkTypeUsbLinuxMmapped);
  Bytes rest = Drop(file, sizeof(*head));
  for (const Packet& packet : packets) {
    const auto* record = wire::View<pcap::PacketHeader>(rest);
    CHECK(record != nullptr);
    CHECK_EQ(record->length_captured, packet.bytes.size());
    rest = Drop(rest, sizeof(*record));
    CHECK(SameBytes(Take(rest, packet.bytes.size()), packet.bytes));
    rest = Drop(rest, packet.bytes.size());
  }
  CHECK(rest.empty());
}

void CheckBlocks(Bytes file, const std::vector<Packet>& packets) {
  size_t count = 0;
  while (!file.empty()) {
    const auto* block = wire::View<pcap::BlockHeader>(file);
    CHECK(block != nullptr);
    const uint32_t length = block->length;
    CHECK_EQ(length % 4, 0u);
    CHECK_LE(sizeof(*block) + sizeof(wire::Le32), length);
    CHECK_LE(length, file.size());
    CHECK_EQ(*wire::View<wire::Le32>(Drop(file, length - sizeof(wire::Le32))), length);
    if (block->type == static_cast<uint32_t>(pcap::BlockType::kEnhancedPacket)) {
      CHECK_LT(count, packets.size());
      const Packet& packet = packets[count++];
      const auto& head = *wire::View<pcap::EnhancedPacket>(file);
      CHECK_EQ(head.length_captured, packet.bytes.size());
      const uint64_t time = uint64_t{head.time_high} << 32 | head.time_low;
      CHECK_EQ(time, static_cast<uint64_t>(packet.time.count()));
      CHECK(SameBytes(Take(Drop(file, sizeof(head)), packet.bytes.size()), packet.bytes));
    }
    file = Drop(file, length);
  }
  CHECK_EQ(count, packets.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  CHECK(size == 0 || !wire::DumpCapture(bytes).empty());
  const PcapFormat format = size % 2 == 0 ? PcapFormat::kPcapng : PcapFormat::kPcap;
  fuzz::Input input(bytes);
  Sink sink;
  const std::vector<Packet> packets = WritePackets(input, format, sink);
  if (format == PcapFormat::kPcap) CheckClassic(sink.file, packets);
  if (format == PcapFormat::kPcapng) CheckBlocks(sink.file, packets);
  return 0;
}
