#include "usb/descriptors.h"

namespace usbtwin::usb {
namespace {

using wire::View;
using wire::usb::ConfigurationDescriptor;
using wire::usb::DescriptorHeader;
using wire::usb::DescriptorType;
using wire::usb::DeviceDescriptor;
using wire::usb::EndpointDescriptor;
using wire::usb::InterfaceAssociationDescriptor;
using wire::usb::InterfaceDescriptor;
using wire::usb::PipeUsageDescriptor;
using wire::usb::SuperSpeedCompanionDescriptor;

constexpr uint8_t kBurstMax = 15;            // USB 3.2, 9.6.7: bMaxBurst 0 to 15
constexpr uint8_t kStreamsExponentMax = 16;  // USB 3.2, 9.6.7: 2^16 streams at most,
constexpr uint32_t kStreamIdMax = 65533;     // and USB 3.2, 8.12.1.4: ids above are reserved

Error Broken(const char* text, uint64_t first, uint64_t second = 0, uint64_t third = 0) {
  return {.kind = ErrorKind::kProtocol, .text = text, .values = {first, second, third}};
}

DescriptorType TypeOf(Bytes descriptor) {
  return static_cast<DescriptorType>(descriptor[1]);
}

void Append(std::vector<uint8_t>& target, Bytes bytes) {
  target.insert(target.end(), bytes.begin(), bytes.end());
}

Interface* FindMutable(std::vector<Interface>& interfaces, uint8_t number) {
  for (Interface& interface : interfaces) {
    if (interface.number == number) return &interface;
  }
  return nullptr;
}

// Collects the tree. Where the last interface or endpoint was dropped, what belongs to it is too.
class Reader {
 public:
  explicit Reader(Configuration& configuration) : configuration_(configuration) {}

  void HandleDescriptor(Bytes descriptor, size_t offset) {
    offset_ = offset;
    switch (TypeOf(descriptor)) {
      case DescriptorType::kInterface: return HandleInterface(descriptor);
      case DescriptorType::kEndpoint: return HandleEndpoint(descriptor);
      case DescriptorType::kInterfaceAssociation: return HandleAssociation(descriptor);
      case DescriptorType::kSuperSpeedCompanion: return HandleCompanion(descriptor);
      case DescriptorType::kPipeUsage: return HandlePipeUsage(descriptor);
      case DescriptorType::kDevice:
      case DescriptorType::kConfiguration:
      case DescriptorType::kOtherSpeedConfiguration:
        return Note("descriptor of type {} at offset {} inside a configuration", descriptor[1],
                    offset_);
      case DescriptorType::kString:
      case DescriptorType::kDeviceQualifier:
      case DescriptorType::kBos:
      case DescriptorType::kDeviceCapability:
      case DescriptorType::kSuperSpeedPlusIsochCompanion: break;
    }
    Keep(descriptor);
  }

  void Finish(uint8_t interfaces_count) {
    FinishAlternate();
    for (const Association& association : associations_) Associate(association);
    if (configuration_.interfaces.size() != interfaces_count) {
      Note("bNumInterfaces says {}, but {} interfaces follow", interfaces_count,
           configuration_.interfaces.size());
    }
    for (const Interface& interface : configuration_.interfaces) {
      if (FindAlternate(interface, 0) == nullptr) {
        Note("interface {} has no alternate setting 0", interface.number);
      }
    }
  }

  void Note(const char* text, uint64_t first, uint64_t second = 0, uint64_t third = 0) {
    if (configuration_.defects.size() == Configuration::kDefectsMax) return;
    configuration_.defects.push_back(Broken(text, first, second, third));
  }

 private:
  // What nobody here understands stays where a class driver looks for it.
  void Keep(Bytes descriptor) {
    if (alternate_ != nullptr) {
      Append(alternate_->extra, descriptor);
    } else if (!dropping_) {
      Append(configuration_.extra, descriptor);
    }
  }

  void FinishAlternate() {
    if (alternate_ != nullptr && endpoints_seen_ != endpoints_announced_) {
      Note("interface at offset {} has {} endpoints, bNumEndpoints says {}", interface_offset_,
           endpoints_seen_, endpoints_announced_);
    }
    alternate_ = nullptr;
    endpoint_ = nullptr;
  }

  void HandleInterface(Bytes descriptor) {
    FinishAlternate();
    dropping_ = true;
    const auto* view = View<InterfaceDescriptor>(descriptor);
    if (view == nullptr) {
      return Note("interface descriptor at offset {} has {} bytes, {} needed", offset_,
                  descriptor.size(), sizeof(InterfaceDescriptor));
    }
    Interface* interface = FindMutable(configuration_.interfaces, view->number);
    if (interface == nullptr) {
      configuration_.interfaces.push_back({.number = view->number});
      interface = &configuration_.interfaces.back();
    } else if (FindAlternate(*interface, view->alternate_setting) != nullptr) {
      return Note("interface {} has alternate setting {} again at offset {}", view->number,
                  view->alternate_setting, offset_);
    }
    interface->alternates.push_back({.setting = view->alternate_setting,
                                     .interface_class = view->interface_class,
                                     .interface_subclass = view->interface_subclass,
                                     .interface_protocol = view->interface_protocol,
                                     .string_index = view->string_index});
    alternate_ = &interface->alternates.back();
    dropping_ = false;
    interface_offset_ = offset_;
    endpoints_announced_ = view->endpoints_count;
    endpoints_seen_ = 0;
  }

  void HandleEndpoint(Bytes descriptor) {
    endpoint_ = nullptr;
    if (alternate_ == nullptr) {
      if (!dropping_) Note("endpoint descriptor at offset {} belongs to no interface", offset_);
      return;
    }
    ++endpoints_seen_;
    const auto* view = View<EndpointDescriptor>(descriptor);
    if (view == nullptr) {
      return Note("endpoint descriptor at offset {} has {} bytes, {} needed", offset_,
                  descriptor.size(), sizeof(EndpointDescriptor));
    }
    // USB 2.0, table 9-13: bits 6..4 are reserved.
    const EndpointAddress address{static_cast<uint8_t>(view->address & 0x8f)};
    if (address.number() == 0) {
      return Note("endpoint descriptor at offset {} has address {}", offset_, view->address);
    }
    if (FindEndpoint(*alternate_, address) != nullptr) {
      return Note("endpoint address {} again at offset {}", address.value, offset_);
    }
    const auto type = static_cast<TransferType>(view->attributes & 3);
    const uint16_t packet_size_max = view->packet_size_max & 0x7ff;
    if (packet_size_max == 0 && type != TransferType::kIsochronous) {
      return Note("endpoint address {} at offset {} moves packets of no bytes", address.value,
                  offset_);
    }
    alternate_->endpoints.push_back(
        {.address = address,
         .type = type,
         .packet_size_max = packet_size_max,
         .interval = view->interval,
         .transactions_extra = static_cast<uint8_t>(view->packet_size_max >> 11 & 3)});
    endpoint_ = &alternate_->endpoints.back();
    companion_seen_ = false;
  }

  void HandleCompanion(Bytes descriptor) {
    if (endpoint_ == nullptr || companion_seen_) {
      if (!dropping_) Note("companion descriptor at offset {} belongs to no endpoint", offset_);
      return;
    }
    const auto* view = View<SuperSpeedCompanionDescriptor>(descriptor);
    if (view == nullptr) {
      return Note("companion descriptor at offset {} has {} bytes, {} needed", offset_,
                  descriptor.size(), sizeof(SuperSpeedCompanionDescriptor));
    }
    companion_seen_ = true;
    if (view->burst_max > kBurstMax) {
      Note("companion descriptor at offset {} has bMaxBurst {}", offset_, view->burst_max);
    }
    endpoint_->burst_max = std::min(view->burst_max, kBurstMax);
    const bool periodic = endpoint_->type == TransferType::kIsochronous ||
                          endpoint_->type == TransferType::kInterrupt;
    if (periodic) endpoint_->bytes_per_interval = view->bytes_per_interval;
    const uint8_t exponent = view->attributes & 0x1f;
    if (endpoint_->type != TransferType::kBulk || exponent == 0) return;
    if (exponent > kStreamsExponentMax) {
      return Note("companion descriptor at offset {} has 2 to the {} streams", offset_, exponent);
    }
    endpoint_->streams_max = static_cast<uint16_t>(std::min(uint32_t{1} << exponent, kStreamIdMax));
  }

  // The type is class-specific, so it means a pipe usage only in a UAS interface's endpoints.
  void HandlePipeUsage(Bytes descriptor) {
    const bool uas = endpoint_ != nullptr && alternate_->interface_subclass == 0x06 &&
                     alternate_->interface_protocol == 0x62;
    if (!uas) return Keep(descriptor);
    const auto* view = View<PipeUsageDescriptor>(descriptor);
    if (view == nullptr || view->pipe_id == 0 || view->pipe_id > 4) {
      Note("pipe usage descriptor at offset {} of {} bytes names pipe {}", offset_,
           descriptor.size(), descriptor.size() > 2 ? descriptor[2] : 0);
      return Keep(descriptor);
    }
    endpoint_->pipe_usage = view->pipe_id;
  }

  void HandleAssociation(Bytes descriptor) {
    FinishAlternate();
    const auto* view = View<InterfaceAssociationDescriptor>(descriptor);
    if (view == nullptr) {
      return Note("association descriptor at offset {} has {} bytes, {} needed", offset_,
                  descriptor.size(), sizeof(InterfaceAssociationDescriptor));
    }
    if (view->interfaces_count == 0 || view->interface_first + view->interfaces_count > 256) {
      return Note("association descriptor at offset {} names {} interfaces from {}", offset_,
                  view->interfaces_count, view->interface_first);
    }
    // More associations than interfaces there can be is an attempt to waste time.
    if (associations_.size() == 256) return;
    associations_.push_back({.interface_first = view->interface_first,
                             .interfaces_count = view->interfaces_count,
                             .function_class = view->function_class,
                             .function_subclass = view->function_subclass,
                             .function_protocol = view->function_protocol,
                             .string_index = view->string_index});
  }

  void Associate(const Association& association) {
    size_t found = 0;
    for (Interface& interface : configuration_.interfaces) {
      const bool inside =
          interface.number >= association.interface_first &&
          interface.number - association.interface_first < association.interfaces_count;
      if (!inside || interface.association) continue;
      interface.association = association;
      ++found;
    }
    if (found != association.interfaces_count) {
      Note("an association names {} interfaces from {}, {} of them are free",
           association.interfaces_count, association.interface_first, found);
    }
  }

  Configuration& configuration_;
  std::vector<Association> associations_;
  Alternate* alternate_ = nullptr;      // into configuration_: valid until the next interface
  EndpointConfig* endpoint_ = nullptr;  // into *alternate_: valid until the next endpoint
  bool dropping_ = false;               // inside an interface that was dropped
  bool companion_seen_ = false;
  size_t offset_ = 0;
  size_t interface_offset_ = 0;
  uint32_t endpoints_announced_ = 0;
  uint32_t endpoints_seen_ = 0;
};

bool PacketSize0Valid(uint8_t size, Speed speed) {
  switch (speed) {  // USB 2.0, 5.5.3; USB 3.2, 9.6.1
    case Speed::kLow: return size == 8;
    case Speed::kFull: return size == 8 || size == 16 || size == 32 || size == 64;
    case Speed::kHigh: return size == 64;
    case Speed::kSuper:
    case Speed::kSuperPlus: return size == 9;
  }
  return false;
}

}  // namespace

Result<size_t> HeadLength(Bytes bytes, size_t needed) {
  if (bytes.size() < needed) {
    return Broken("{} bytes are too few for a descriptor of {}", bytes.size(), needed);
  }
  const size_t length = bytes[0];
  if (length < needed || length > bytes.size()) {
    return Broken("bLength is {}, {} needed, {} bytes came", length, needed, bytes.size());
  }
  return length;
}

Bytes ChainAfter(Bytes bytes, size_t head_length, size_t total, std::vector<Error>& defects) {
  if (total < head_length) {
    defects.push_back(Broken("wTotalLength is {}, less than the head's {}", total, head_length));
    total = head_length;
  } else if (total > bytes.size()) {
    defects.push_back(Broken("wTotalLength is {}, but {} bytes came", total, bytes.size()));
  } else if (total < bytes.size()) {
    defects.push_back(
        Broken("wTotalLength is {}, {} bytes came after it", total, bytes.size() - total));
  }
  return Drop(Take(bytes, total), head_length);
}

std::optional<Bytes> DescriptorWalk::Next() {
  if (error_ || next_ == chain_.size()) return std::nullopt;
  const Bytes left = Drop(chain_, next_);
  if (left.size() < sizeof(DescriptorHeader)) {
    error_ = Broken("a single byte is left at offset {}", next_);
    return std::nullopt;
  }
  const size_t length = left[0];
  if (length < sizeof(DescriptorHeader) || length > left.size()) {
    error_ = Broken("descriptor at offset {} has bLength {}, {} bytes are left", next_, length,
                    left.size());
    return std::nullopt;
  }
  offset_ = next_;
  next_ += length;
  return left.first(length);
}

Result<Configuration> ParseConfiguration(Bytes bytes) {
  const Result<size_t> head_length = HeadLength(bytes, sizeof(ConfigurationDescriptor));
  if (!head_length) return head_length.error();
  const ConfigurationDescriptor& head = *View<ConfigurationDescriptor>(bytes);
  const auto type = static_cast<DescriptorType>(head.type);
  if (type != DescriptorType::kConfiguration && type != DescriptorType::kOtherSpeedConfiguration) {
    return Broken("descriptor of type {} where a configuration was asked for", head.type);
  }
  Configuration configuration{.value = head.value,
                              .attributes = head.attributes,
                              .power_max = head.power_max,
                              .string_index = head.string_index};
  const Bytes chain = ChainAfter(bytes, *head_length, head.total_length, configuration.defects);
  Reader reader(configuration);
  if (head.value == 0) reader.Note("bConfigurationValue is {}", 0);
  DescriptorWalk walk(chain);
  while (const std::optional<Bytes> descriptor = walk.Next()) {
    reader.HandleDescriptor(*descriptor, *head_length + walk.offset());
  }
  if (walk.error()) {
    reader.Note(walk.error()->text, *head_length + walk.error()->values[0], walk.error()->values[1],
                walk.error()->values[2]);
  }
  reader.Finish(head.interfaces_count);
  return configuration;
}

Result<DeviceDescriptor> ParseDevice(Bytes bytes, std::optional<Speed> speed) {
  const Result<size_t> length = HeadLength(bytes, sizeof(DeviceDescriptor));
  if (!length) return length.error();
  const DeviceDescriptor& device = *View<DeviceDescriptor>(bytes);
  if (device.type != static_cast<uint8_t>(DescriptorType::kDevice)) {
    return Broken("descriptor of type {} where a device's was asked for", device.type);
  }
  if (speed && !PacketSize0Valid(device.packet_size_max0, *speed)) {
    return Broken("bMaxPacketSize0 is {}", device.packet_size_max0);
  }
  if (device.configurations_count == 0) return Broken("bNumConfigurations is {}", 0);
  return device;
}

}  // namespace usbtwin::usb
