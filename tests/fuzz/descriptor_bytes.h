// Descriptor trees as bytes, for what the parsers understood: a parser that reads them again must
// come to the same tree. Not for devices, which know more than a tree keeps.
#pragma once

#include <algorithm>
#include <vector>

#include "usb/bos.h"
#include "usb/descriptors.h"
#include "wire/usb.h"

namespace usbtwin::fuzz {

using Buffer = std::vector<uint8_t>;

inline void Append(Buffer& target, Bytes bytes) {
  target.insert(target.end(), bytes.begin(), bytes.end());
}
template <class T>
constexpr uint8_t Low(T value) {
  return static_cast<uint8_t>(value);
}
template <class T>
constexpr uint8_t High(T value) {
  return static_cast<uint8_t>(value >> 8);
}
inline void SetTotalLength(Buffer& set) {
  set[2] = Low(set.size());
  set[3] = High(set.size());
}

inline void AppendEndpoint(Buffer& bytes, const usb::EndpointConfig& endpoint) {
  const int size = endpoint.packet_size_max | endpoint.transactions_extra << 11;
  Append(bytes, Buffer{7, 5, endpoint.address.value, Low(endpoint.type), Low(size), High(size),
                       endpoint.interval});
  const uint16_t periodic = endpoint.bytes_per_interval;
  if (endpoint.burst_max != 0 || endpoint.streams_max != 0 || periodic != 0) {
    uint8_t exponent = 0;
    while (exponent < 16 && 1u << exponent < endpoint.streams_max) ++exponent;
    Append(bytes, Buffer{6, 0x30, endpoint.burst_max, exponent, Low(periodic), High(periodic)});
  }
  if (endpoint.pipe_usage != 0) Append(bytes, Buffer{4, 0x24, endpoint.pipe_usage, 0});
}

// Associations come first, in the order of their interfaces.
inline Buffer ConfigurationBytes(const usb::Configuration& configuration) {
  Buffer bytes{9,
               2,
               0,
               0,
               Low(configuration.interfaces.size()),
               configuration.value,
               configuration.string_index,
               configuration.attributes,
               configuration.power_max};
  Append(bytes, configuration.extra);
  std::vector<usb::Association> written;
  for (const usb::Interface& interface : configuration.interfaces) {
    const auto& joined = interface.association;
    if (!joined || std::find(written.begin(), written.end(), *joined) != written.end()) continue;
    written.push_back(*joined);
    Append(bytes, Buffer{8, 0x0b, joined->interface_first, joined->interfaces_count,
                         joined->function_class, joined->function_subclass,
                         joined->function_protocol, joined->string_index});
  }
  for (const usb::Interface& interface : configuration.interfaces) {
    for (const usb::Alternate& alternate : interface.alternates) {
      Append(bytes,
             Buffer{9, 4, interface.number, alternate.setting, Low(alternate.endpoints.size()),
                    alternate.interface_class, alternate.interface_subclass,
                    alternate.interface_protocol, alternate.string_index});
      Append(bytes, alternate.extra);
      for (const auto& endpoint : alternate.endpoints) AppendEndpoint(bytes, endpoint);
    }
  }
  SetTotalLength(bytes);
  return bytes;
}

inline void AppendCapability(Buffer& set, uint8_t type, Bytes rest) {
  Append(set, Buffer{Low(rest.size() + 3), 0x10, type});
  Append(set, rest);
  ++set[4];
}

// Four bytes each, little-endian.
inline Buffer Doubles(const std::vector<uint32_t>& values) {
  Buffer bytes;
  for (const uint32_t value : values) {
    Append(bytes, Buffer{Low(value), High(value), Low(value >> 16), High(value >> 16)});
  }
  return bytes;
}

inline Buffer BosBytes(const usb::BinaryObjectStore& store) {
  Buffer set{5, 0x0f, 0, 0, 0};
  if (store.usb2_attributes) AppendCapability(set, 2, Doubles({*store.usb2_attributes}));
  if (store.super_speed) {
    AppendCapability(set, 3, Drop(wire::AsBytes(*store.super_speed), 3));
  }
  if (store.super_speed_plus) {
    const usb::SuperSpeedPlusInfo& info = *store.super_speed_plus;
    Buffer rest{0, Low(info.sublinks.size() - 1), 0, 0, 0, info.speed_id};
    rest.push_back(Low(info.rx_lanes_min | info.tx_lanes_min << 4));
    Append(rest, Buffer{0, 0});
    Append(rest, Doubles(info.sublinks));
    AppendCapability(set, 10, rest);
  }
  if (store.container_id) {
    Buffer rest{0};
    Append(rest, *store.container_id);
    AppendCapability(set, 4, rest);
  }
  for (const usb::Capability& other : store.others) {
    if (set[4] == 255) break;
    AppendCapability(set, other.type, other.bytes);
  }
  SetTotalLength(set);
  return set;
}

}  // namespace usbtwin::fuzz
