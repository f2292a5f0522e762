// What the isochronous loopback function says: a protocol of our own, for tests of hosts. All
// fields little-endian.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::iso_loopback {

inline constexpr uint32_t kDeviceMagic = 0x64637369;  // "iscd": made by the device
inline constexpr uint32_t kHostMagic = 0x68637369;    // "isch": made by a host that counts

// Vendor requests to the interface: bmRequestType C1h and 41h, wValue 0, wIndex the interface.
inline constexpr uint8_t kRequestGetCounters = 0x01;    // IN: Counters
inline constexpr uint8_t kRequestResetCounters = 0x02;  // no data: all of them are 0 again

// What a packet of the device begins with, and what a packet of the host may begin with. In the
// device's packets each byte after it is the low byte of the sequence number plus its own offset.
struct PacketHeader {
  Le32 magic;
  Le32 sequence;  // 0 for the first packet after the alternate setting was chosen
  Le32 frame;     // when the packet was made, in ms of the device's clock; a host writes anything
};
static_assert(WireStruct<PacketHeader> && sizeof(PacketHeader) == 12);

// Since the device was plugged in, or the counters were reset.
struct Counters {
  Le32 out_packets;     // came, of any kind
  Le32 out_lost;        // sequence numbers of the host that were passed over
  Le32 out_late;        // packets of the host with a number that was passed already
  Le32 out_overflows;   // were longer than the endpoint's interval
  Le32 echoes_dropped;  // came when as many waited as can, and were not sent back
  Le32 in_echoes;       // were sent back
  Le32 in_made;         // were sent because nothing had come
  Le32 in_overflows;    // met a host with too little room, and were lost
};
static_assert(WireStruct<Counters> && sizeof(Counters) == 32);

}  // namespace usbtwin::wire::iso_loopback
