// What a host has for isochronous transfers in tests: a transfer with its packets and bytes.
#pragma once

#include <string>
#include <vector>

#include "usb/transfer.h"
#include "wire/iso_loopback.h"

namespace usbtwin::tests {

struct IsoTransfer final : usb::TransferSink {
  // Packets of these lengths, one behind the other, each `apart` bytes from the one before it.
  IsoTransfer(usb::EndpointAddress endpoint, const std::vector<uint32_t>& lengths,
              uint32_t apart = 0) {
    uint32_t offset = 0;
    for (const uint32_t length : lengths) {
      packets.push_back({.offset = offset, .length = length});
      offset += length + apart;
    }
    bytes.assign(offset, 0xa5);
    transfer.endpoint = endpoint;
    if (endpoint.is_in()) {
      transfer.in = bytes;
      transfer.in_length_max = offset;
    } else {
      transfer.out = bytes;
    }
    transfer.packets = packets;
    transfer.flags.iso_asap = true;
  }
  IsoTransfer(const IsoTransfer&) = delete;
  IsoTransfer& operator=(const IsoTransfer&) = delete;
  void OnDone(usb::Transfer&, uint64_t) override { done = true; }

  template <class Link>
  void Submit(Link& link) {
    done = false;
    transfer.Rearm();
    transfer.Push(*this);
    link.Submit(transfer);
  }
  MutableBytes room(size_t index) {
    return MutableBytes(bytes).subspan(packets[index].offset, packets[index].length);
  }
  Bytes packet(size_t index) const {
    return Bytes(bytes).subspan(packets[index].offset, packets[index].length_actual);
  }
  // An OUT packet with a number, and bytes that follow from it.
  void Number(size_t index, uint32_t sequence) {
    const MutableBytes target = room(index);
    for (size_t at = 0; at < target.size(); ++at) {
      target[at] = static_cast<uint8_t>(3 * sequence + at);
    }
    wire::Emit(target,
               wire::iso_loopback::PacketHeader{
                   .magic = wire::iso_loopback::kHostMagic, .sequence = sequence, .frame = 0u});
  }
  // What came as a packet of the device's own or of a host; null for anything else.
  const wire::iso_loopback::PacketHeader* header(size_t index) const {
    return wire::View<wire::iso_loopback::PacketHeader>(packet(index));
  }
  // "ok 3, ok 0, overflow 0".
  std::string Told() const {
    std::string text;
    for (const usb::IsoPacket& packet : packets) {
      if (!text.empty()) text += ", ";
      text += std::string(usb::Name(packet.outcome)) + " " + std::to_string(packet.length_actual);
    }
    return text;
  }

  std::vector<uint8_t> bytes;
  std::vector<usb::IsoPacket> packets;
  usb::Transfer transfer;
  bool done = false;
};

inline std::vector<uint32_t> Lengths(size_t count, uint32_t length) {
  return std::vector<uint32_t>(count, length);
}

}  // namespace usbtwin::tests
