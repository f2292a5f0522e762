#include "usb/bos.h"

#include "usb/descriptors.h"

namespace usbtwin::usb {
namespace {

using wire::View;
using wire::usb::BosDescriptor;
using wire::usb::CapabilityHeader;
using wire::usb::CapabilityType;
using wire::usb::DescriptorType;

constexpr size_t kCapabilitiesMax = 255;  // bNumDeviceCaps is one byte

std::optional<SuperSpeedPlusInfo> ReadSuperSpeedPlus(Bytes descriptor) {
  const auto* view = View<wire::usb::SuperSpeedPlusCapability>(descriptor);
  if (view == nullptr) return std::nullopt;
  const uint16_t support = view->functional_from;
  SuperSpeedPlusInfo info{.speed_id = static_cast<uint8_t>(support & 0xf),
                          .rx_lanes_min = static_cast<uint8_t>(support >> 8 & 0xf),
                          .tx_lanes_min = static_cast<uint8_t>(support >> 12 & 0xf)};
  const size_t count = (view->attributes & 0x1f) + 1;
  Bytes sublinks = Drop(descriptor, sizeof(wire::usb::SuperSpeedPlusCapability));
  if (sublinks.size() < count * sizeof(wire::Le32)) return std::nullopt;
  for (size_t index = 0; index < count; ++index) {
    info.sublinks.push_back(*View<wire::Le32>(sublinks));
    sublinks = Drop(sublinks, sizeof(wire::Le32));
  }
  return info;
}

// False for a type that is not known here, or for too few bytes.
bool Understand(BinaryObjectStore& store, CapabilityType type, Bytes descriptor) {
  switch (type) {
    case CapabilityType::kUsb2Extension: {
      const auto* view = View<wire::usb::Usb2ExtensionCapability>(descriptor);
      if (view != nullptr) store.usb2_attributes = view->attributes;
      return view != nullptr;
    }
    case CapabilityType::kSuperSpeed: {
      const auto* view = View<wire::usb::SuperSpeedCapability>(descriptor);
      if (view != nullptr) store.super_speed = *view;
      return view != nullptr;
    }
    case CapabilityType::kContainerId: {
      const auto* view = View<wire::usb::ContainerIdCapability>(descriptor);
      if (view != nullptr) store.container_id = view->container_id;
      return view != nullptr;
    }
    case CapabilityType::kSuperSpeedPlus: {
      std::optional<SuperSpeedPlusInfo> info = ReadSuperSpeedPlus(descriptor);
      const bool understood = info.has_value();
      if (understood) store.super_speed_plus = std::move(info);
      return understood;
    }
    case CapabilityType::kPlatform: return false;
  }
  return false;
}

}  // namespace

Result<BinaryObjectStore> ParseBos(Bytes bytes) {
  const Result<size_t> head_length = HeadLength(bytes, sizeof(BosDescriptor));
  if (!head_length) return head_length.error();
  const BosDescriptor& head = *View<BosDescriptor>(bytes);
  if (head.type != static_cast<uint8_t>(DescriptorType::kBos)) {
    return Error{.kind = ErrorKind::kProtocol,
                 .text = "descriptor of type {} where a BOS was asked for",
                 .values = {head.type}};
  }
  BinaryObjectStore store;
  const auto note = [&store](const char* text, uint64_t first, uint64_t second, uint64_t third) {
    if (store.defects.size() == Configuration::kDefectsMax) return;
    store.defects.push_back(
        {.kind = ErrorKind::kProtocol, .text = text, .values = {first, second, third}});
  };
  DescriptorWalk walk(ChainAfter(bytes, *head_length, head.total_length, store.defects));
  size_t count = 0;
  while (const std::optional<Bytes> descriptor = walk.Next()) {
    const size_t offset = *head_length + walk.offset();
    const auto* header = View<CapabilityHeader>(*descriptor);
    if (header == nullptr ||
        header->type != static_cast<uint8_t>(DescriptorType::kDeviceCapability)) {
      note("descriptor at offset {} of type {} and {} bytes is no capability", offset,
           (*descriptor)[1], descriptor->size());
      continue;
    }
    if (++count > kCapabilitiesMax) break;
    if (Understand(store, static_cast<CapabilityType>(header->capability), *descriptor)) continue;
    const Bytes rest = Drop(*descriptor, sizeof(CapabilityHeader));
    store.others.push_back({header->capability, {rest.begin(), rest.end()}});
  }
  if (walk.error()) {
    note(walk.error()->text, *head_length + walk.error()->values[0], walk.error()->values[1],
         walk.error()->values[2]);
  }
  if (count != head.capabilities_count) {
    note("bNumDeviceCaps says {}, but {} follow", head.capabilities_count, count, 0);
  }
  return store;
}

}  // namespace usbtwin::usb
