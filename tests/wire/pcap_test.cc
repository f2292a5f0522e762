#include "wire/pcap.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::wire;  // NOLINT

BOOST_AUTO_TEST_SUITE(pcap_layouts)

BOOST_AUTO_TEST_CASE(classic_headers) {
  constexpr auto kFile = "d4c3b2a1 0200 0400 00000000 00000000 00000008 dc000000"_hex;
  const auto& file = Read<pcap::FileHeader>(kFile);
  BOOST_TEST(file.magic == pcap::kMagicMicroseconds);
  BOOST_TEST(file.version_major == 2);
  BOOST_TEST(file.version_minor == 4);
  BOOST_TEST(file.length_max == pcap::kPacketLengthMax);
  BOOST_TEST(file.link_type == pcap::kLinkTypeUsbLinuxMmapped);
  CheckLayout(pcap::FileHeader{.magic = pcap::kMagicMicroseconds,
                               .version_major = uint16_t{2},
                               .version_minor = uint16_t{4},
                               .length_max = pcap::kPacketLengthMax,
                               .link_type = pcap::kLinkTypeUsbLinuxMmapped},
              kFile);

  constexpr auto kPacket = "01000000 02000000 40000000 60000000"_hex;
  const auto& packet = Read<pcap::PacketHeader>(kPacket);
  BOOST_TEST(packet.seconds == 1u);
  BOOST_TEST(packet.fraction == 2u);
  BOOST_TEST(packet.length_captured == 64u);
  BOOST_TEST(packet.length_original == 96u);
  CheckLayout(
      pcap::PacketHeader{
          .seconds = 1u, .fraction = 2u, .length_captured = 64u, .length_original = 96u},
      kPacket);
}

BOOST_AUTO_TEST_CASE(section_header) {
  constexpr auto kBytes = "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff"_hex;
  const auto& read = Read<pcap::SectionHeader>(kBytes);
  BOOST_TEST(read.block.type == static_cast<uint32_t>(pcap::BlockType::kSectionHeader));
  BOOST_TEST(read.block.length == 28u);
  BOOST_TEST(read.byte_order == pcap::kByteOrderMagic);
  BOOST_TEST(read.version_major == 1);
  BOOST_TEST(read.version_minor == 0);
  BOOST_TEST(read.section_length == UINT64_MAX);
  CheckLayout(pcap::SectionHeader{.block = {.type = 0x0a0d0d0au, .length = 28u},
                                  .byte_order = 0x1a2b3c4du,
                                  .version_major = uint16_t{1},
                                  .version_minor = uint16_t{0},
                                  .section_length = UINT64_MAX},
              kBytes);
}

BOOST_AUTO_TEST_CASE(interface_description) {
  constexpr auto kBytes = "01000000 14000000 dc00 0000 00100000"_hex;
  const auto& read = Read<pcap::InterfaceDescription>(kBytes);
  BOOST_TEST(read.block.type == 1u);
  BOOST_TEST(read.block.length == 20u);
  BOOST_TEST(read.link_type == 220);
  BOOST_TEST(read.length_max == 4096u);
  CheckLayout(pcap::InterfaceDescription{.block = {.type = 1u, .length = 20u},
                                         .link_type = uint16_t{220},
                                         .reserved = uint16_t{0},
                                         .length_max = 4096u},
              kBytes);
}

BOOST_AUTO_TEST_CASE(enhanced_packet) {
  constexpr auto kBytes = "06000000 60000000 01000000 02000000 03000000 40000000 41000000"_hex;
  const auto& read = Read<pcap::EnhancedPacket>(kBytes);
  BOOST_TEST(read.block.type == 6u);
  BOOST_TEST(read.block.length == 96u);
  BOOST_TEST(read.interface == 1u);
  BOOST_TEST(read.time_high == 2u);
  BOOST_TEST(read.time_low == 3u);
  BOOST_TEST(read.length_captured == 64u);
  BOOST_TEST(read.length_original == 65u);
  CheckLayout(pcap::EnhancedPacket{.block = {.type = 6u, .length = 96u},
                                   .interface = 1u,
                                   .time_high = 2u,
                                   .time_low = 3u,
                                   .length_captured = 64u,
                                   .length_original = 65u},
              kBytes);
}

BOOST_AUTO_TEST_CASE(small_parts) {
  CheckLayout(pcap::BlockHeader{.type = 3u, .length = 16u}, "03000000 10000000"_hex);
  CheckLayout(pcap::OptionHeader{.code = pcap::kOptionTimeResolution, .length = uint16_t{1}},
              "0900 0100"_hex);
  BOOST_TEST(pcap::Padded(0) == 0u);
  BOOST_TEST(pcap::Padded(1) == 4u);
  BOOST_TEST(pcap::Padded(4) == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
