// Descriptors as lines.
#include <cstdio>

#include "wire/dump.h"
#include "wire/dump_lines.h"
#include "wire/usb.h"

namespace usbtwin::wire::dump {
namespace {

using usb::DescriptorType;

constexpr unsigned kBcdShift = 8;

// The least bLength of a type; 0 for one we do not know.
size_t LengthMin(uint8_t type) {
  switch (static_cast<DescriptorType>(type)) {
    case DescriptorType::kDevice: return sizeof(usb::DeviceDescriptor);
    case DescriptorType::kConfiguration:
    case DescriptorType::kOtherSpeedConfiguration: return sizeof(usb::ConfigurationDescriptor);
    case DescriptorType::kString: return sizeof(usb::StringDescriptor);
    case DescriptorType::kInterface: return sizeof(usb::InterfaceDescriptor);
    case DescriptorType::kEndpoint: return sizeof(usb::EndpointDescriptor);
    case DescriptorType::kDeviceQualifier: return sizeof(usb::DeviceQualifierDescriptor);
    case DescriptorType::kInterfaceAssociation: return sizeof(usb::InterfaceAssociationDescriptor);
    case DescriptorType::kBos: return sizeof(usb::BosDescriptor);
    case DescriptorType::kDeviceCapability: return sizeof(usb::CapabilityHeader);
    case DescriptorType::kPipeUsage: return sizeof(usb::PipeUsageDescriptor);
    case DescriptorType::kSuperSpeedCompanion: return sizeof(usb::SuperSpeedCompanionDescriptor);
    case DescriptorType::kSuperSpeedPlusIsochCompanion:
      return sizeof(usb::SuperSpeedPlusIsochCompanionDescriptor);
  }
  return 0;
}

const char* FunctionName(uint8_t of_class, uint8_t subclass, uint8_t protocol) {
  switch (of_class) {
    case 0x01: return " (audio)";
    case 0x02: return " (communications)";
    case 0x03: return " (HID)";
    case 0x07: return " (printer)";
    case 0x08:
      if (subclass == 6 && protocol == 0x50) return " (mass storage, SCSI, bulk-only)";
      if (subclass == 6 && protocol == 0x62) return " (mass storage, SCSI, UAS)";
      return " (mass storage)";
    case 0x09: return " (hub)";
    case 0x0a: return " (data)";
    case 0x0e: return " (video)";
    case 0xff: return " (vendor)";
  }
  return "";
}

// A walk over descriptors that follow each other, and what it must remember to find contradictions.
class Walk {
 public:
  explicit Walk(Lines& lines) : lines_(lines) {}
  void Run(Bytes bytes);

 private:
  void Descriptor(const usb::DescriptorHeader& header, Bytes bytes);
  void Device(const usb::DeviceDescriptor& device);
  void Configuration(const usb::ConfigurationDescriptor& configuration, const char* name);
  void Interface(const usb::InterfaceDescriptor& interface);
  void Endpoint(const usb::EndpointDescriptor& endpoint);
  void Qualifier(const usb::DeviceQualifierDescriptor& qualifier);
  void Association(const usb::InterfaceAssociationDescriptor& association);
  void String(Bytes bytes);
  void Capability(Bytes bytes);
  void SpeedPlus(Bytes bytes);
  void PipeUsage(Bytes bytes);
  void CountEndpoints();

  Lines& lines_;
  size_t total_length_ = 0;        // what a configuration or BOS at the start says
  unsigned endpoints_wanted_ = 0;  // of the current interface
  unsigned endpoints_seen_ = 0;
  bool in_interface_ = false;
  bool pipe_usage_possible_ = true;  // type 24h means something else in other interfaces
  size_t length_known_ = 0;          // bytes of the current descriptor that its line explains
};

void Walk::Run(Bytes bytes) {
  const size_t size = bytes.size();
  bool whole = true;
  while (!bytes.empty() && !lines_.full()) {
    const auto* header = View<usb::DescriptorHeader>(bytes);
    if (header == nullptr) {
      lines_.Leftover(bytes);
      whole = false;
      break;
    }
    if (header->length < sizeof(*header)) {
      lines_.Add("odd: a descriptor of length %u ends the walk", header->length);
      lines_.Hex(bytes);
      return;
    }
    const char* name = DescriptorTypeName(header->type);
    if (header->length > bytes.size()) {
      char text[32];
      std::snprintf(text, sizeof(text), "descriptor type %02x", header->type);
      lines_.Truncated(name != nullptr ? name : text, bytes, header->length);
      whole = false;
      break;
    }
    Descriptor(*header, bytes.first(header->length));
    bytes = Drop(bytes, header->length);
  }
  if (whole && !lines_.full()) CountEndpoints();
  if (total_length_ > size) {
    lines_.Add("truncated: total length %zu, %zu bytes here", total_length_, size);
  } else if (total_length_ != 0 && total_length_ < size && !lines_.full()) {
    lines_.Add("odd: total length %zu, %zu bytes here", total_length_, size);
  }
}

void Walk::Descriptor(const usb::DescriptorHeader& header, Bytes bytes) {
  const size_t needed = LengthMin(header.type);
  if (needed == 0) {
    lines_.Add("descriptor type %02x, %u bytes", header.type, header.length);
    lines_.Hex(bytes);
    return;
  }
  if (bytes.size() < needed) {
    lines_.Add("odd: %s of %u bytes, needs %zu", DescriptorTypeName(header.type), header.length,
               needed);
    lines_.Hex(bytes);
    return;
  }
  length_known_ = needed;
  switch (static_cast<DescriptorType>(header.type)) {
    case DescriptorType::kDevice: Device(*View<usb::DeviceDescriptor>(bytes)); break;
    case DescriptorType::kConfiguration:
    case DescriptorType::kOtherSpeedConfiguration:
      Configuration(*View<usb::ConfigurationDescriptor>(bytes), DescriptorTypeName(header.type));
      break;
    case DescriptorType::kString: String(bytes); break;
    case DescriptorType::kInterface: Interface(*View<usb::InterfaceDescriptor>(bytes)); break;
    case DescriptorType::kEndpoint: Endpoint(*View<usb::EndpointDescriptor>(bytes)); break;
    case DescriptorType::kDeviceQualifier:
      Qualifier(*View<usb::DeviceQualifierDescriptor>(bytes));
      break;
    case DescriptorType::kInterfaceAssociation:
      Association(*View<usb::InterfaceAssociationDescriptor>(bytes));
      break;
    case DescriptorType::kBos: {
      const auto& bos = *View<usb::BosDescriptor>(bytes);
      lines_.Add("BOS: total %u, capabilities %u", unsigned{bos.total_length},
                 bos.capabilities_count);
      total_length_ = bos.total_length;
      break;
    }
    case DescriptorType::kDeviceCapability: Capability(bytes); break;
    case DescriptorType::kPipeUsage: PipeUsage(bytes); break;
    case DescriptorType::kSuperSpeedCompanion: {
      const auto& companion = *View<usb::SuperSpeedCompanionDescriptor>(bytes);
      lines_.Add("companion: burst %u, attributes %02x, %u bytes per interval", companion.burst_max,
                 companion.attributes, unsigned{companion.bytes_per_interval});
      break;
    }
    case DescriptorType::kSuperSpeedPlusIsochCompanion:
      lines_.Add(
          "isochronous companion: %u bytes per interval",
          unsigned{View<usb::SuperSpeedPlusIsochCompanionDescriptor>(bytes)->bytes_per_interval});
      break;
  }
  if (bytes.size() > length_known_) {
    lines_.More(", then %zu bytes", bytes.size() - length_known_);
    lines_.Hex(Drop(bytes, length_known_));
  }
}

void Walk::Device(const usb::DeviceDescriptor& device) {
  const unsigned usb_version = device.usb_version;
  const unsigned version = device.device_version;
  lines_.Add(
      "device: %04x:%04x version %x.%02x, USB %x.%02x, class %02x/%02x/%02x%s, packet %u, "
      "strings %u %u %u, configurations %u",
      unsigned{device.vendor_id}, unsigned{device.product_id}, version >> kBcdShift, version & 0xff,
      usb_version >> kBcdShift, usb_version & 0xff, device.device_class, device.device_subclass,
      device.device_protocol,
      FunctionName(device.device_class, device.device_subclass, device.device_protocol),
      device.packet_size_max0, device.manufacturer_index, device.product_index, device.serial_index,
      device.configurations_count);
}

void Walk::Configuration(const usb::ConfigurationDescriptor& configuration, const char* name) {
  CountEndpoints();
  in_interface_ = false;
  if (total_length_ == 0) total_length_ = configuration.total_length;
  lines_.Add("%s %u: total %u, interfaces %u, string %u, attributes %02x, power %u", name,
             configuration.value, unsigned{configuration.total_length},
             configuration.interfaces_count, configuration.string_index, configuration.attributes,
             configuration.power_max);
}

void Walk::CountEndpoints() {
  if (!in_interface_ || endpoints_seen_ == endpoints_wanted_) return;
  lines_.Add("odd: the interface says %u endpoints, %u follow it", endpoints_wanted_,
             endpoints_seen_);
}

void Walk::Interface(const usb::InterfaceDescriptor& interface) {
  CountEndpoints();
  in_interface_ = true;
  endpoints_wanted_ = interface.endpoints_count;
  endpoints_seen_ = 0;
  pipe_usage_possible_ = interface.interface_class == 8 && interface.interface_protocol == 0x62;
  lines_.Add("interface %u alternate %u: class %02x/%02x/%02x%s, endpoints %u, string %u",
             interface.number, interface.alternate_setting, interface.interface_class,
             interface.interface_subclass, interface.interface_protocol,
             FunctionName(interface.interface_class, interface.interface_subclass,
                          interface.interface_protocol),
             interface.endpoints_count, interface.string_index);
}

void Walk::Endpoint(const usb::EndpointDescriptor& endpoint) {
  constexpr const char* kTypes[] = {"control", "isochronous", "bulk", "interrupt"};
  ++endpoints_seen_;
  const unsigned packet = endpoint.packet_size_max;
  lines_.Add("endpoint %02x: %s %s, packet %u", endpoint.address, kTypes[endpoint.attributes & 3],
             (endpoint.address & usb::kDirectionIn) != 0 ? "in" : "out", packet & 0x7ff);
  if ((packet & 0x1800) != 0) lines_.More(" times %u", (packet >> 11 & 3) + 1);
  lines_.More(", interval %u", endpoint.interval);
}

void Walk::Qualifier(const usb::DeviceQualifierDescriptor& qualifier) {
  const unsigned usb_version = qualifier.usb_version;
  lines_.Add("device qualifier: USB %x.%02x, class %02x/%02x/%02x, packet %u, configurations %u",
             usb_version >> kBcdShift, usb_version & 0xff, qualifier.device_class,
             qualifier.device_subclass, qualifier.device_protocol, qualifier.packet_size_max0,
             qualifier.configurations_count);
}

void Walk::Association(const usb::InterfaceAssociationDescriptor& association) {
  lines_.Add("interface association: %u from interface %u, class %02x/%02x/%02x%s, string %u",
             association.interfaces_count, association.interface_first, association.function_class,
             association.function_subclass, association.function_protocol,
             FunctionName(association.function_class, association.function_subclass,
                          association.function_protocol),
             association.string_index);
}

void Walk::String(Bytes bytes) {
  length_known_ = bytes.size() & ~size_t{1};
  const Bytes units = Drop(bytes, sizeof(usb::StringDescriptor));
  const auto* first = View<Le16>(units);
  if (first != nullptr && *first == usb::kLanguageEnglishUs) {
    lines_.Add("string: languages");
  } else {
    lines_.Add("string: \"");
    first = nullptr;
  }
  for (Bytes rest = units; const auto* unit = View<Le16>(rest); rest = Drop(rest, 2)) {
    const unsigned code = *unit;
    if (first != nullptr) {
      lines_.More(" %04x", code);
    } else if (code >= 0x20 && code < 0x7f && code != '"' && code != '\\') {
      lines_.More("%c", static_cast<char>(code));
    } else {
      lines_.More("\\u%04x", code);
    }
  }
  if (first == nullptr) lines_.More("\"");
}

void Walk::Capability(Bytes bytes) {
  const auto& header = *View<usb::CapabilityHeader>(bytes);
  switch (static_cast<usb::CapabilityType>(header.capability)) {
    case usb::CapabilityType::kUsb2Extension:
      if (const auto* extension = View<usb::Usb2ExtensionCapability>(bytes)) {
        length_known_ = sizeof(*extension);
        lines_.Add("capability USB 2.0 extension: attributes %08x",
                   unsigned{extension->attributes});
        return;
      }
      break;
    case usb::CapabilityType::kSuperSpeed:
      if (const auto* super = View<usb::SuperSpeedCapability>(bytes)) {
        length_known_ = sizeof(*super);
        lines_.Add(
            "capability SuperSpeed: attributes %02x, speeds %04x, functional from %u, "
            "exit latency U1 %u us, U2 %u us",
            super->attributes, unsigned{super->speeds}, super->functional_from,
            super->u1_exit_latency_us, unsigned{super->u2_exit_latency_us});
        return;
      }
      break;
    case usb::CapabilityType::kContainerId:
      if (const auto* container = View<usb::ContainerIdCapability>(bytes)) {
        length_known_ = sizeof(*container);
        lines_.Add("capability container id");
        lines_.Hex(container->container_id);
        return;
      }
      break;
    case usb::CapabilityType::kSuperSpeedPlus: SpeedPlus(bytes); return;
    case usb::CapabilityType::kPlatform: break;
  }
  length_known_ = bytes.size();
  lines_.Add("capability type %02x, %zu bytes", header.capability, bytes.size());
  lines_.Hex(bytes);
}

void Walk::SpeedPlus(Bytes bytes) {
  constexpr const char* kUnits[] = {"b/s", "kb/s", "Mb/s", "Gb/s"};
  const auto* plus = View<usb::SuperSpeedPlusCapability>(bytes);
  if (plus == nullptr) {
    length_known_ = bytes.size();
    lines_.Add("odd: capability SuperSpeedPlus of %zu bytes, needs %zu", bytes.size(),
               sizeof(*plus));
    lines_.Hex(bytes);
    return;
  }
  const unsigned count = (plus->attributes & 0x1f) + 1;
  lines_.Add("capability SuperSpeedPlus: attributes %08x, functional from %04x,",
             unsigned{plus->attributes}, unsigned{plus->functional_from});
  length_known_ = sizeof(*plus);
  for (unsigned index = 0; index < count; ++index) {
    const auto* speed = View<Le32>(Drop(bytes, length_known_));
    if (speed == nullptr) {
      lines_.More(" odd: %u of %u speeds", index, count);
      return;
    }
    length_known_ += sizeof(*speed);
    lines_.More(" %u %s", usb::SublinkMantissa(*speed), kUnits[usb::SublinkExponent(*speed)]);
  }
}

void Walk::PipeUsage(Bytes bytes) {
  constexpr const char* kNames[] = {"?", "command", "status", "data in", "data out"};
  const auto& usage = *View<usb::PipeUsageDescriptor>(bytes);
  if (pipe_usage_possible_ && usage.pipe_id >= 1 && usage.pipe_id <= 4) {
    lines_.Add("pipe usage: %s", kNames[usage.pipe_id]);
    return;
  }
  length_known_ = bytes.size();
  lines_.Add("descriptor type %02x, %zu bytes", usage.type, bytes.size());
  lines_.Hex(bytes);
}

}  // namespace

void AddDescriptors(Lines& lines, Bytes bytes) {
  Walk(lines).Run(bytes);
}

bool LooksLikeDescriptors(Bytes bytes) {
  if (bytes.size() < sizeof(usb::DescriptorHeader)) return false;
  const size_t needed = LengthMin(bytes[1]);
  if (needed == 0 || bytes[0] < needed) return false;
  if (bytes[1] == static_cast<uint8_t>(DescriptorType::kString)) {
    return bytes[0] == bytes.size() && bytes.size() % 2 == 0;
  }
  // A first read of eight bytes cuts a device descriptor short; anything else comes whole.
  return bytes[0] <= bytes.size() || (bytes[0] == needed && bytes.size() == 8 &&
                                      bytes[1] == static_cast<uint8_t>(DescriptorType::kDevice));
}

}  // namespace usbtwin::wire::dump
