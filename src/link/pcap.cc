#include "link/pcap.h"

#include "base/check.h"
#include "wire/pcap.h"

namespace usbtwin::link {

namespace pcap = wire::pcap;
using wire::AsBytes;
using wire::Le32;

namespace {

constexpr std::string_view kApplication = "usbtwin";
constexpr uint32_t kTrailerLength = sizeof(Le32);  // a block's second length
constexpr int64_t kNanosecondsInSecond = 1'000'000'000;

constexpr uint32_t OptionLength(size_t value_length) {
  return static_cast<uint32_t>(sizeof(pcap::OptionHeader)) +
         pcap::Padded(static_cast<uint32_t>(value_length));
}
constexpr uint32_t kEndLength = sizeof(pcap::OptionHeader);

pcap::BlockHeader Header(pcap::BlockType type, uint32_t length) {
  return {.type = static_cast<uint32_t>(type), .length = length};
}

char Lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

PcapFormat PcapFormatOf(std::string_view file_name) {
  constexpr std::string_view kEnding = ".pcap";
  if (file_name.size() < kEnding.size()) return PcapFormat::kPcapng;
  const std::string_view ending = file_name.substr(file_name.size() - kEnding.size());
  for (size_t index = 0; index < kEnding.size(); ++index) {
    if (Lower(ending[index]) != kEnding[index]) return PcapFormat::kPcapng;
  }
  return PcapFormat::kPcap;
}

PcapWriter::PcapWriter(ByteSink& sink, PcapFormat format) : sink_(sink), format_(format) {
  if (format_ == PcapFormat::kPcap) {
    Write(AsBytes(pcap::FileHeader{.magic = pcap::kMagicMicroseconds,
                                   .version_major = uint16_t{2},
                                   .version_minor = uint16_t{4},
                                   .length_max = pcap::kPacketLengthMax,
                                   .link_type = pcap::kLinkTypeUsbLinuxMmapped}));
    return;
  }
  const uint32_t section_length =
      sizeof(pcap::SectionHeader) + OptionLength(kApplication.size()) + kEndLength + kTrailerLength;
  Write(
      AsBytes(pcap::SectionHeader{.block = Header(pcap::BlockType::kSectionHeader, section_length),
                                  .byte_order = pcap::kByteOrderMagic,
                                  .version_major = uint16_t{1},
                                  .version_minor = uint16_t{0},
                                  .section_length = UINT64_MAX}));
  WriteOption(pcap::kOptionApplication, TextBytes(kApplication));
  WriteOption(pcap::kOptionEnd, {});
  Write(AsBytes(Le32(section_length)));

  constexpr uint8_t kNanoseconds[] = {9};
  const uint32_t interface_length =
      sizeof(pcap::InterfaceDescription) + OptionLength(1) + kEndLength + kTrailerLength;
  Write(AsBytes(pcap::InterfaceDescription{
      .block = Header(pcap::BlockType::kInterfaceDescription, interface_length),
      .link_type = static_cast<uint16_t>(pcap::kLinkTypeUsbLinuxMmapped)}));
  WriteOption(pcap::kOptionTimeResolution, kNanoseconds);
  WriteOption(pcap::kOptionEnd, {});
  Write(AsBytes(Le32(interface_length)));
}

void PcapWriter::Begin(Duration time, uint32_t length, std::string_view comment) {
  CHECK(!open_);
  CHECK_LE(length, pcap::kPacketLengthMax);
  CHECK_LE(comment.size(), kCommentLengthMax);
  open_ = true;
  length_ = length_left_ = length;
  ++packets_count_;
  const int64_t ns = std::max<int64_t>(time.count(), 0);
  if (format_ == PcapFormat::kPcap) {
    Write(AsBytes(
        pcap::PacketHeader{.seconds = static_cast<uint32_t>(ns / kNanosecondsInSecond),
                           .fraction = static_cast<uint32_t>(ns % kNanosecondsInSecond / 1000),
                           .length_captured = length,
                           .length_original = length}));
    return;
  }
  comment_ = comment;
  block_length_ = static_cast<uint32_t>(sizeof(pcap::EnhancedPacket)) + pcap::Padded(length) +
                  (comment.empty() ? 0 : OptionLength(comment.size()) + kEndLength) +
                  kTrailerLength;
  Write(
      AsBytes(pcap::EnhancedPacket{.block = Header(pcap::BlockType::kEnhancedPacket, block_length_),
                                   .interface = 0u,
                                   .time_high = static_cast<uint32_t>(ns >> 32),
                                   .time_low = static_cast<uint32_t>(ns),
                                   .length_captured = length,
                                   .length_original = length}));
}

void PcapWriter::Append(Bytes bytes) {
  CHECK(open_);
  CHECK_LE(bytes.size(), length_left_);
  length_left_ -= static_cast<uint32_t>(bytes.size());
  Write(bytes);
}

void PcapWriter::End() {
  CHECK(open_);
  CHECK_EQ(length_left_, 0u);
  open_ = false;
  if (format_ == PcapFormat::kPcap) return;
  WritePadding(length_);
  if (!comment_.empty()) {
    WriteOption(pcap::kOptionComment, TextBytes(comment_));
    WriteOption(pcap::kOptionEnd, {});
  }
  Write(AsBytes(Le32(block_length_)));
}

bool PcapWriter::Flush() {
  if (!failed() && !sink_.Flush()) error_ = sink_.error();
  return !failed();
}

void PcapWriter::Write(Bytes bytes) {
  if (failed() || bytes.empty() || sink_.Write(bytes)) return;
  error_ = sink_.error();
  if (error_.empty()) error_ = "the capture cannot be written";
}

void PcapWriter::WritePadding(uint32_t length) {
  constexpr uint8_t kZeros[3] = {};
  Write(Take(Bytes(kZeros), pcap::Padded(length) - length));
}

void PcapWriter::WriteOption(uint16_t code, Bytes value) {
  const auto length = static_cast<uint16_t>(value.size());
  Write(AsBytes(pcap::OptionHeader{.code = code, .length = length}));
  Write(value);
  WritePadding(length);
}

}  // namespace usbtwin::link
