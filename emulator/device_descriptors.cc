#include "emulator/device_descriptors.h"

#include "emulator/configuration_builder.h"

namespace usbtwin::emulator {
namespace {

using usb::Configuration;
using usb::EndpointConfig;
using usb::Speed;
using usb::TransferType;
using wire::usb::ConfigurationDescriptor;
using wire::usb::DescriptorType;
using wire::usb::DeviceDescriptor;
using wire::usb::DeviceQualifierDescriptor;

Error Invalid(const char* text, uint64_t first = 0, uint64_t second = 0, uint64_t third = 0) {
  return {.kind = ErrorKind::kInvalid, .text = text, .values = {first, second, third}};
}

bool IsSuper(Speed speed) {
  return speed >= Speed::kSuper;
}

bool Supports(const DeviceOptions& options, Speed speed) {
  return std::find(options.speeds.begin(), options.speeds.end(), speed) != options.speeds.end();
}

bool SupportsSuper(const DeviceOptions& options) {
  return Supports(options, Speed::kSuper) || Supports(options, Speed::kSuperPlus);
}

uint8_t Type(DescriptorType type) {
  return static_cast<uint8_t>(type);
}

void Append(std::vector<uint8_t>& target, Bytes bytes) {
  target.insert(target.end(), bytes.begin(), bytes.end());
}

// bcdUSB. A device that has SuperSpeed says 2.10 elsewhere, which promises a BOS. USB 3.2, 9.6.1.
uint16_t UsbVersion(const DeviceOptions& options, Speed speed) {
  const uint16_t fastest = options.usb_version.value_or(SupportsSuper(options) ? 0x0320 : 0x0200);
  return IsSuper(speed) ? fastest : std::min(fastest, uint16_t{0x0210});
}

// bMaxPacketSize0: an exponent at SuperSpeed. USB 2.0, 5.5.3; USB 3.2, 9.6.1.
uint8_t PacketSize0(Speed speed) {
  switch (speed) {
    case Speed::kLow: return 8;
    case Speed::kFull:
    case Speed::kHigh: return 64;
    case Speed::kSuper:
    case Speed::kSuperPlus: return 9;
  }
  return 64;
}

// USB 2.0, 5.6.3, 5.7.3 and 5.8.3; USB 3.2, 9.6.6.
bool PacketSizeFits(const EndpointConfig& endpoint, Speed speed) {
  const uint16_t size = endpoint.packet_size_max;
  const bool bulk = endpoint.type == TransferType::kBulk;
  const bool interrupt = endpoint.type == TransferType::kInterrupt;
  switch (speed) {
    case Speed::kLow: return interrupt && size <= 8;
    case Speed::kFull:
      if (bulk) return size == 8 || size == 16 || size == 32 || size == 64;
      return size <= (interrupt ? 64 : 1023);
    case Speed::kHigh: return bulk ? size == 512 : size <= 1024;
    case Speed::kSuper:
    case Speed::kSuperPlus: return bulk ? size == 1024 : size <= 1024;
  }
  return false;
}

std::optional<Error> CheckOptions(const DeviceOptions& options,
                                  const std::vector<DeviceConfiguration>& configurations) {
  const bool super_speed = SupportsSuper(options);
  const uint16_t power_max = super_speed ? 900 : 500;
  if (options.speeds.empty()) return Invalid("a device without a speed");
  for (const Speed speed : options.speeds) {
    if (std::count(options.speeds.begin(), options.speeds.end(), speed) != 1) {
      return Invalid("speed {} is listed twice", static_cast<uint64_t>(speed));
    }
  }
  // USB 2.0, 7.1: a low-speed device pulls the other wire up.
  if (Supports(options, Speed::kLow) && options.speeds.size() != 1) {
    return Invalid("a low-speed device knows no other speed");
  }
  if (options.power_ma > power_max) {
    return Invalid("{} mA is more than the {} a bus gives", options.power_ma, power_max);
  }
  const uint16_t version = options.usb_version.value_or(0x0320);
  const uint16_t version_min = Supports(options, Speed::kSuperPlus) ? 0x0310 : 0x0300;
  if (super_speed && version < version_min) {
    return Invalid("usb_version {} is too low for its speeds, at least {}", version, version_min);
  }
  if (configurations.empty() || configurations.size() > 255) {
    return Invalid("{} configurations, 1 to 255 are possible", configurations.size());
  }
  for (const DeviceConfiguration& configuration : configurations) {
    const auto same = [&](const DeviceConfiguration& other) {
      return other.value == configuration.value;
    };
    if (configuration.value == 0) return Invalid("configuration value 0 means unconfigured");
    if (std::count_if(configurations.begin(), configurations.end(), same) != 1) {
      return Invalid("configuration value {} is used twice", configuration.value);
    }
    const auto& functions = configuration.functions;
    if (functions.empty()) return Invalid("configuration {} has no function", configuration.value);
    for (const Function* function : functions) {
      if (std::count(functions.begin(), functions.end(), function) != 1) {
        return Invalid("configuration {} has a function twice", configuration.value);
      }
    }
  }
  return std::nullopt;
}

// The Binary Object Store. USB 3.2, 9.6.2; exit latencies are those of a device that is software.
std::vector<uint8_t> BuildBos(const DeviceOptions& options) {
  using wire::usb::CapabilityType;
  constexpr uint32_t kLinkPowerManagement = 0x02;
  constexpr uint8_t kU1ExitLatency_us = 1;
  constexpr uint16_t kU2ExitLatency_us = 500;
  const bool super_speed = SupportsSuper(options);
  std::vector<uint8_t> bos(sizeof(wire::usb::BosDescriptor));
  uint8_t capabilities_count = 1;
  // USB 3.2, 9.6.2.1: a SuperSpeed device supports LPM at high speed, too.
  Append(bos, wire::AsBytes(wire::usb::Usb2ExtensionCapability{
                  .length = sizeof(wire::usb::Usb2ExtensionCapability),
                  .type = Type(DescriptorType::kDeviceCapability),
                  .capability = static_cast<uint8_t>(CapabilityType::kUsb2Extension),
                  .attributes = super_speed ? kLinkPowerManagement : 0u}));
  if (super_speed) {
    uint16_t speeds = 0x08;
    uint8_t lowest = 3;
    for (const Speed speed : {Speed::kHigh, Speed::kFull}) {
      const auto bit = static_cast<uint8_t>(speed == Speed::kHigh ? 2 : 1);
      if (!Supports(options, speed)) continue;
      speeds = static_cast<uint16_t>(speeds | 1 << bit);
      lowest = bit;
    }
    ++capabilities_count;
    Append(bos, wire::AsBytes(wire::usb::SuperSpeedCapability{
                    .length = sizeof(wire::usb::SuperSpeedCapability),
                    .type = Type(DescriptorType::kDeviceCapability),
                    .capability = static_cast<uint8_t>(CapabilityType::kSuperSpeed),
                    .attributes = static_cast<uint8_t>(options.latency_messages ? 0x02 : 0),
                    .speeds = speeds,
                    .functional_from = lowest,
                    .u1_exit_latency_us = kU1ExitLatency_us,
                    .u2_exit_latency_us = kU2ExitLatency_us}));
  }
  if (Supports(options, Speed::kSuperPlus)) {
    // One lane of 10 Gb/s each way, as speed id 1: two sublink speeds, one speed id.
    constexpr uint32_t kReceive = 10u << 16 | 1u << 14 | 3u << 4 | 1u;
    constexpr uint32_t kTransmit = kReceive | 1u << 7;
    constexpr uint16_t kFunctionality = 1u << 12 | 1u << 8 | 1u;
    ++capabilities_count;
    Append(bos, wire::AsBytes(wire::usb::SuperSpeedPlusCapability{
                    .length = sizeof(wire::usb::SuperSpeedPlusCapability) + 2 * sizeof(wire::Le32),
                    .type = Type(DescriptorType::kDeviceCapability),
                    .capability = static_cast<uint8_t>(CapabilityType::kSuperSpeedPlus),
                    .reserved = 0,
                    .attributes = 1u,
                    .functional_from = kFunctionality,
                    .reserved_too = uint16_t{0}}));
    Append(bos, wire::AsBytes(wire::Le32(kReceive)));
    Append(bos, wire::AsBytes(wire::Le32(kTransmit)));
  }
  wire::Emit(MutableBytes(bos),
             wire::usb::BosDescriptor{.length = sizeof(wire::usb::BosDescriptor),
                                      .type = Type(DescriptorType::kBos),
                                      .total_length = static_cast<uint16_t>(bos.size()),
                                      .capabilities_count = capabilities_count});
  return bos;
}

// The indexes of the strings that belong to the device itself.
struct OwnStrings {
  uint8_t manufacturer = 0;
  uint8_t product = 0;
  uint8_t serial = 0;
  std::vector<uint8_t> configurations;  // one each
};

// bMaxPower. USB 2.0, table 9-10: units of 2 mA; USB 3.2, table 9-24: of 8 mA. What a SuperSpeed
// bus gives is cut to what USB 2.0 does.
uint8_t PowerMax(const DeviceOptions& options, Speed speed) {
  if (IsSuper(speed)) return static_cast<uint8_t>((options.power_ma + 7) / 8);
  return static_cast<uint8_t>((std::min<uint16_t>(options.power_ma, 500) + 1) / 2);
}

// The parser's opinion of what was built, and of the packet sizes.
Result<Configuration> ReadBack(Bytes blob, Speed speed) {
  Result<Configuration> tree = usb::ParseConfiguration(blob);
  if (!tree) return tree;
  if (!tree->defects.empty()) return tree->defects.front();
  for (const usb::Interface& interface : tree->interfaces) {
    for (const usb::Alternate& alternate : interface.alternates) {
      for (const EndpointConfig& endpoint : alternate.endpoints) {
        if (PacketSizeFits(endpoint, speed)) continue;
        return Invalid(
            "endpoint address {} of type {} cannot have packets of {} bytes at its speed",
            endpoint.address.value, static_cast<uint64_t>(endpoint.type), endpoint.packet_size_max);
      }
    }
  }
  return tree;
}

bool Associated(const std::vector<Configuration>& trees) {
  for (const Configuration& tree : trees) {
    for (const usb::Interface& interface : tree.interfaces) {
      if (interface.association) return true;
    }
  }
  return false;
}

Result<SpeedDescriptors> BuildSpeed(const DeviceOptions& options,
                                    const std::vector<DeviceConfiguration>& configurations,
                                    const StringTable& strings, const OwnStrings& own,
                                    Speed speed) {
  SpeedDescriptors built{.speed = speed};
  for (size_t index = 0; index < configurations.size(); ++index) {
    ConfigurationBuilder builder(strings, speed);
    for (Function* function : configurations[index].functions) {
      if (const std::optional<Error> error = builder.Add(*function)) return *error;
    }
    // USB 2.0, table 9-10: bit 7 is one.
    const int attributes =
        0x80 | (options.self_powered ? 0x40 : 0) | (options.remote_wakeup ? 0x20 : 0);
    Result<std::vector<uint8_t>> blob =
        builder.Finish({.value = configurations[index].value,
                        .string_index = own.configurations[index],
                        .attributes = static_cast<uint8_t>(attributes),
                        .power_max = PowerMax(options, speed)});
    if (!blob) return blob.error();
    Result<Configuration> tree = ReadBack(*blob, speed);
    if (!tree) return tree.error();
    built.configurations.push_back(std::move(*blob));
    built.trees.push_back(std::move(*tree));
    built.owners.push_back(builder.TakeOwners());
  }
  // Interface Association Descriptors ECN: such a device says so in its class.
  const bool multi_interface = options.device_class == 0 && Associated(built.trees);
  const DeviceDescriptor device{
      .length = sizeof(DeviceDescriptor),
      .type = Type(DescriptorType::kDevice),
      .usb_version = UsbVersion(options, speed),
      .device_class = multi_interface ? uint8_t{0xef} : options.device_class,
      .device_subclass = multi_interface ? uint8_t{0x02} : options.device_subclass,
      .device_protocol = multi_interface ? uint8_t{0x01} : options.device_protocol,
      .packet_size_max0 = PacketSize0(speed),
      .vendor_id = options.vendor_id,
      .product_id = options.product_id,
      .device_version = options.device_version,
      .manufacturer_index = own.manufacturer,
      .product_index = own.product,
      .serial_index = own.serial,
      .configurations_count = static_cast<uint8_t>(configurations.size())};
  Append(built.device, wire::AsBytes(device));
  return built;
}

// A device that knows full and high speed describes each to the other. USB 2.0, 9.6.2 and 9.6.4.
void DescribeOther(SpeedDescriptors& at, const SpeedDescriptors& other) {
  const auto* device = wire::View<DeviceDescriptor>(other.device);
  const DeviceQualifierDescriptor qualifier{.length = sizeof(DeviceQualifierDescriptor),
                                            .type = Type(DescriptorType::kDeviceQualifier),
                                            .usb_version = device->usb_version,
                                            .device_class = device->device_class,
                                            .device_subclass = device->device_subclass,
                                            .device_protocol = device->device_protocol,
                                            .packet_size_max0 = device->packet_size_max0,
                                            .configurations_count = device->configurations_count,
                                            .reserved = 0};
  Append(at.qualifier, wire::AsBytes(qualifier));
  at.other_speed = other.configurations;
  for (std::vector<uint8_t>& blob : at.other_speed) {
    blob[1] = Type(DescriptorType::kOtherSpeedConfiguration);
  }
}

SpeedDescriptors* Find(DeviceDescriptors& built, Speed speed) {
  for (SpeedDescriptors& at : built.speeds) {
    if (at.speed == speed) return &at;
  }
  return nullptr;
}

}  // namespace

Result<DeviceDescriptors> BuildDescriptors(const DeviceOptions& options,
                                           const std::vector<DeviceConfiguration>& configurations) {
  if (const std::optional<Error> error = CheckOptions(options, configurations)) return *error;
  StringTable strings(options.no_language_table ? std::nullopt : std::optional(options.language));
  OwnStrings own{.manufacturer = strings.Add(options.manufacturer),
                 .product = strings.Add(options.product),
                 .serial = strings.Add(options.serial)};
  for (const DeviceConfiguration& configuration : configurations) {
    own.configurations.push_back(strings.Add(configuration.name));
    for (const Function* function : configuration.functions) strings.AddFunction(*function);
  }
  if (strings.error()) return *strings.error();

  DeviceDescriptors built;
  for (const Speed speed : options.speeds) {
    Result<SpeedDescriptors> at = BuildSpeed(options, configurations, strings, own, speed);
    if (!at) return at.error();
    built.speeds.push_back(std::move(*at));
  }
  SpeedDescriptors* full = Find(built, Speed::kFull);
  SpeedDescriptors* high = Find(built, Speed::kHigh);
  if (full != nullptr && high != nullptr) {
    DescribeOther(*full, *high);
    DescribeOther(*high, *full);
  }
  // bcdUSB 2.01 and above promises a BOS. USB 2.0 LPM addendum, 3.
  if (UsbVersion(options, Speed::kHigh) >= 0x0201) built.bos = BuildBos(options);
  built.strings = strings.Take();
  return built;
}

}  // namespace usbtwin::emulator
