// Capture files: the classic pcap file, and the blocks of pcapng that hold packets. Either may be
// in any byte order; these layouts are the little-endian ones, which is what we write.
// draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng ("PCAPNG").
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::pcap {

inline constexpr uint32_t kLinkTypeUsbLinux = 189;         // usbmon records of 48 bytes
inline constexpr uint32_t kLinkTypeUsbLinuxMmapped = 220;  // usbmon records of 64 bytes
inline constexpr uint32_t kLinkTypeUsbPcap = 249;

// What libpcap and Wireshark take as one packet of a USB link type.
inline constexpr uint32_t kPacketLengthMax = 128 << 20;

// Classic pcap.
inline constexpr uint32_t kMagicMicroseconds = 0xa1b2c3d4;
inline constexpr uint32_t kMagicNanoseconds = 0xa1b23c4d;

struct FileHeader {
  Le32 magic;
  Le16 version_major;  // 2
  Le16 version_minor;  // 4
  Le32 zone;           // always zero
  Le32 accuracy;       // always zero
  Le32 length_max;     // SnapLen
  Le32 link_type;
};
static_assert(WireStruct<FileHeader> && sizeof(FileHeader) == 24);

struct PacketHeader {
  Le32 seconds;
  Le32 fraction;  // in what the magic number says
  Le32 length_captured;
  Le32 length_original;
};
static_assert(WireStruct<PacketHeader> && sizeof(PacketHeader) == 16);

// pcapng. A block is its head, its body, padding to four bytes, and its length once more.
enum class BlockType : uint32_t {
  kInterfaceDescription = 1,
  kSimplePacket = 3,
  kEnhancedPacket = 6,
  kSectionHeader = 0x0a0d0d0a,  // the same in both byte orders
};
inline constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;

struct BlockHeader {
  Le32 type;
  Le32 length;  // of the whole block
};
static_assert(WireStruct<BlockHeader> && sizeof(BlockHeader) == 8);

// PCAPNG, 4.1.
struct SectionHeader {
  BlockHeader block;
  Le32 byte_order;      // kByteOrderMagic
  Le16 version_major;   // 1
  Le16 version_minor;   // 0
  Le64 section_length;  // all ones: not known
};
static_assert(WireStruct<SectionHeader> && sizeof(SectionHeader) == 24);

// PCAPNG, 4.2.
struct InterfaceDescription {
  BlockHeader block;
  Le16 link_type;
  Le16 reserved;
  Le32 length_max;  // SnapLen: 0 for none
};
static_assert(WireStruct<InterfaceDescription> && sizeof(InterfaceDescription) == 16);

// PCAPNG, 4.3. The packet follows, padded to four bytes, then options.
struct EnhancedPacket {
  BlockHeader block;
  Le32 interface;  // index of its interface description
  Le32 time_high;  // in the interface's resolution
  Le32 time_low;
  Le32 length_captured;
  Le32 length_original;
};
static_assert(WireStruct<EnhancedPacket> && sizeof(EnhancedPacket) == 28);

// What each option begins with; its value follows, padded to four bytes. PCAPNG, 3.5.
struct OptionHeader {
  Le16 code;
  Le16 length;  // of the value, without padding
};
static_assert(WireStruct<OptionHeader> && sizeof(OptionHeader) == 4);
inline constexpr uint16_t kOptionEnd = 0;
inline constexpr uint16_t kOptionComment = 1;
inline constexpr uint16_t kOptionApplication = 4;     // shb_userappl
inline constexpr uint16_t kOptionTimeResolution = 9;  // if_tsresol: a power of ten

// Blocks and options are padded to four bytes.
constexpr uint32_t Padded(uint32_t length) {
  return (length + 3) & ~3u;
}

}  // namespace usbtwin::wire::pcap
