// Setup packets and descriptors of USB chapter 9.
// Universal Serial Bus Specification 2.0 ("USB 2.0") and 3.2 ("USB 3.2"). All little-endian.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::usb {

// bmRequestType. USB 2.0, table 9-2.
inline constexpr uint8_t kDirectionIn = 0x80;
inline constexpr uint8_t kTypeMask = 0x60;
inline constexpr uint8_t kTypeStandard = 0x00;
inline constexpr uint8_t kTypeClass = 0x20;
inline constexpr uint8_t kTypeVendor = 0x40;
inline constexpr uint8_t kRecipientMask = 0x1f;
inline constexpr uint8_t kRecipientDevice = 0;
inline constexpr uint8_t kRecipientInterface = 1;
inline constexpr uint8_t kRecipientEndpoint = 2;
inline constexpr uint8_t kRecipientOther = 3;

// bRequest of the standard requests. USB 2.0, table 9-4; USB 3.2, table 9-5.
enum class Request : uint8_t {
  kGetStatus = 0,
  kClearFeature = 1,
  kSetFeature = 3,
  kSetAddress = 5,
  kGetDescriptor = 6,
  kSetDescriptor = 7,
  kGetConfiguration = 8,
  kSetConfiguration = 9,
  kGetInterface = 10,
  kSetInterface = 11,
  kSynchFrame = 12,
  kSetSel = 48,
  kSetIsochDelay = 49,
};

// Feature selectors. USB 2.0, table 9-6; USB 3.2, table 9-7.
inline constexpr uint16_t kFeatureEndpointHalt = 0;
inline constexpr uint16_t kFeatureFunctionSuspend = 0;  // recipient interface
inline constexpr uint16_t kFeatureDeviceRemoteWakeup = 1;
inline constexpr uint16_t kFeatureTestMode = 2;
inline constexpr uint16_t kFeatureU1Enable = 48;
inline constexpr uint16_t kFeatureU2Enable = 49;
inline constexpr uint16_t kFeatureLtmEnable = 50;
// Hub class, port features. USB 2.0, table 11-17.
inline constexpr uint16_t kFeaturePortReset = 4;

// Setup packet. USB 2.0, 9.3.
struct SetupPacket {
  uint8_t request_type;  // bmRequestType
  uint8_t request;       // bRequest
  Le16 value;            // wValue
  Le16 index;            // wIndex
  Le16 length;           // wLength
  bool operator==(const SetupPacket& other) const {
    return request_type == other.request_type && request == other.request && value == other.value &&
           index == other.index && length == other.length;
  }
};
static_assert(WireStruct<SetupPacket> && sizeof(SetupPacket) == 8);

// bDescriptorType. USB 2.0, table 9-5; USB 3.2, table 9-6.
enum class DescriptorType : uint8_t {
  kDevice = 1,
  kConfiguration = 2,
  kString = 3,
  kInterface = 4,
  kEndpoint = 5,
  kDeviceQualifier = 6,
  kOtherSpeedConfiguration = 7,
  kInterfaceAssociation = 11,
  kBos = 15,
  kDeviceCapability = 16,
  kPipeUsage = 0x24,  // UAS, 5.3.3.5 (a class-specific type)
  kSuperSpeedCompanion = 48,
  kSuperSpeedPlusIsochCompanion = 49,
};

// What every descriptor begins with.
struct DescriptorHeader {
  uint8_t length;  // bLength, this header included
  uint8_t type;    // bDescriptorType
};
static_assert(WireStruct<DescriptorHeader> && sizeof(DescriptorHeader) == 2);

// USB 2.0, 9.6.1.
struct DeviceDescriptor {
  uint8_t length;                // bLength: 18
  uint8_t type;                  // bDescriptorType
  Le16 usb_version;              // bcdUSB
  uint8_t device_class;          // bDeviceClass
  uint8_t device_subclass;       // bDeviceSubClass
  uint8_t device_protocol;       // bDeviceProtocol
  uint8_t packet_size_max0;      // bMaxPacketSize0: bytes, or an exponent at SuperSpeed (9 for 512)
  Le16 vendor_id;                // idVendor
  Le16 product_id;               // idProduct
  Le16 device_version;           // bcdDevice
  uint8_t manufacturer_index;    // iManufacturer
  uint8_t product_index;         // iProduct
  uint8_t serial_index;          // iSerialNumber
  uint8_t configurations_count;  // bNumConfigurations
};
static_assert(WireStruct<DeviceDescriptor> && sizeof(DeviceDescriptor) == 18);

// USB 2.0, 9.6.3.
struct ConfigurationDescriptor {
  uint8_t length;  // bLength: 9
  uint8_t type;
  Le16 total_length;         // wTotalLength: with all that follows
  uint8_t interfaces_count;  // bNumInterfaces
  uint8_t value;             // bConfigurationValue
  uint8_t string_index;      // iConfiguration
  uint8_t attributes;        // bmAttributes: bit 7 one, bit 6 self-powered, bit 5 remote wakeup
  uint8_t power_max;         // bMaxPower: units of 2 mA, or of 8 mA at SuperSpeed
};
static_assert(WireStruct<ConfigurationDescriptor> && sizeof(ConfigurationDescriptor) == 9);

// USB 2.0, 9.6.5.
struct InterfaceDescriptor {
  uint8_t length;  // bLength: 9
  uint8_t type;
  uint8_t number;             // bInterfaceNumber
  uint8_t alternate_setting;  // bAlternateSetting
  uint8_t endpoints_count;    // bNumEndpoints: without endpoint zero
  uint8_t interface_class;    // bInterfaceClass
  uint8_t interface_subclass;
  uint8_t interface_protocol;
  uint8_t string_index;  // iInterface
};
static_assert(WireStruct<InterfaceDescriptor> && sizeof(InterfaceDescriptor) == 9);

// USB 2.0, 9.6.6.
struct EndpointDescriptor {
  uint8_t length;  // bLength: 7 (9 in audio devices)
  uint8_t type;
  uint8_t address;       // bEndpointAddress: bit 7 is IN
  uint8_t attributes;    // bmAttributes: bits 1..0 the transfer type
  Le16 packet_size_max;  // wMaxPacketSize: bits 10..0 bytes, bits 12..11 more transactions
  uint8_t interval;      // bInterval
};
static_assert(WireStruct<EndpointDescriptor> && sizeof(EndpointDescriptor) == 7);

// USB 3.2, 9.6.7.
struct SuperSpeedCompanionDescriptor {
  uint8_t length;  // bLength: 6
  uint8_t type;
  uint8_t burst_max;        // bMaxBurst: packets in a burst, less one
  uint8_t attributes;       // bmAttributes: bulk, bits 4..0: log2 of the number of streams
  Le16 bytes_per_interval;  // wBytesPerInterval
};
static_assert(WireStruct<SuperSpeedCompanionDescriptor> &&
              sizeof(SuperSpeedCompanionDescriptor) == 6);

// What the device would be at its other speed. USB 2.0, 9.6.2.
struct DeviceQualifierDescriptor {
  uint8_t length;  // bLength: 10
  uint8_t type;
  Le16 usb_version;  // bcdUSB
  uint8_t device_class;
  uint8_t device_subclass;
  uint8_t device_protocol;
  uint8_t packet_size_max0;      // bMaxPacketSize0, at the other speed
  uint8_t configurations_count;  // bNumConfigurations, at the other speed
  uint8_t reserved;
};
static_assert(WireStruct<DeviceQualifierDescriptor> && sizeof(DeviceQualifierDescriptor) == 10);

// A configuration at the other speed: laid out like one at this speed. USB 2.0, 9.6.4.
using OtherSpeedConfigurationDescriptor = ConfigurationDescriptor;

// A string is this header and UTF-16 code units, little-endian, without a terminator; string 0 is
// the header and the language ids on offer. USB 2.0, 9.6.7.
using StringDescriptor = DescriptorHeader;
inline constexpr uint8_t kStringUnitsMax = 126;  // bLength is one byte and even
inline constexpr uint16_t kLanguageEnglishUs = 0x0409;

// Several interfaces that are one function. USB 3.2, 9.6.4 (first as an ECN to USB 2.0).
struct InterfaceAssociationDescriptor {
  uint8_t length;  // bLength: 8
  uint8_t type;
  uint8_t interface_first;   // bFirstInterface
  uint8_t interfaces_count;  // bInterfaceCount
  uint8_t function_class;    // bFunctionClass
  uint8_t function_subclass;
  uint8_t function_protocol;
  uint8_t string_index;  // iFunction
};
static_assert(WireStruct<InterfaceAssociationDescriptor> &&
              sizeof(InterfaceAssociationDescriptor) == 8);

// Binary Object Store: the head of a set of device capabilities. USB 3.2, 9.6.2.
struct BosDescriptor {
  uint8_t length;  // bLength: 5
  uint8_t type;
  Le16 total_length;           // wTotalLength: with all that follows
  uint8_t capabilities_count;  // bNumDeviceCaps
};
static_assert(WireStruct<BosDescriptor> && sizeof(BosDescriptor) == 5);

// bDevCapabilityType. USB 3.2, table 9-14.
enum class CapabilityType : uint8_t {
  kUsb2Extension = 2,
  kSuperSpeed = 3,
  kContainerId = 4,
  kPlatform = 5,
  kSuperSpeedPlus = 10,
};

// What every device capability begins with.
struct CapabilityHeader {
  uint8_t length;      // bLength, this header included
  uint8_t type;        // bDescriptorType: DescriptorType::kDeviceCapability
  uint8_t capability;  // bDevCapabilityType
};
static_assert(WireStruct<CapabilityHeader> && sizeof(CapabilityHeader) == 3);

// USB 3.2, 9.6.2.1.
struct Usb2ExtensionCapability {
  uint8_t length;  // bLength: 7
  uint8_t type;
  uint8_t capability;
  Le32 attributes;  // bmAttributes: bit 1 link power management
};
static_assert(WireStruct<Usb2ExtensionCapability> && sizeof(Usb2ExtensionCapability) == 7);

// USB 3.2, 9.6.2.2.
struct SuperSpeedCapability {
  uint8_t length;  // bLength: 10
  uint8_t type;
  uint8_t capability;
  uint8_t attributes;          // bmAttributes: bit 1 latency tolerance messages
  Le16 speeds;                 // wSpeedsSupported: bits 3..0 low, full, high, gen 1
  uint8_t functional_from;     // bFunctionalitySupport: lowest speed with all functions
  uint8_t u1_exit_latency_us;  // bU1DevExitLat
  Le16 u2_exit_latency_us;     // wU2DevExitLat
};
static_assert(WireStruct<SuperSpeedCapability> && sizeof(SuperSpeedCapability) == 10);

// USB 3.2, 9.6.2.3.
struct ContainerIdCapability {
  uint8_t length;  // bLength: 20
  uint8_t type;
  uint8_t capability;
  uint8_t reserved;
  std::array<uint8_t, 16> container_id;  // ContainerID
};
static_assert(WireStruct<ContainerIdCapability> && sizeof(ContainerIdCapability) == 20);

// The fixed part; bits 4..0 of `attributes` plus one Le32 sublink speed attributes follow.
// USB 3.2, 9.6.2.5.
struct SuperSpeedPlusCapability {
  uint8_t length;  // bLength: 12 and 4 for each sublink speed attribute
  uint8_t type;
  uint8_t capability;
  uint8_t reserved;
  Le32 attributes;       // bmAttributes: bits 4..0 number of sublink speed attributes, less one
  Le16 functional_from;  // wFunctionalitySupport: bits 3..0 speed id, 11..8 and 15..12 lanes
  Le16 reserved_too;
};
static_assert(WireStruct<SuperSpeedPlusCapability> && sizeof(SuperSpeedPlusCapability) == 12);

// bmSublinkSpeedAttr. USB 3.2, table 9-19.
inline constexpr uint32_t kSublinkSpeedIdMask = 0xf;
inline constexpr uint32_t SublinkExponent(uint32_t attribute) {
  return attribute >> 4 & 3;
}
inline constexpr uint32_t SublinkMantissa(uint32_t attribute) {
  return attribute >> 16;
}

// For isochronous endpoints that need more than 48 KiB in one interval. USB 3.2, 9.6.8.
struct SuperSpeedPlusIsochCompanionDescriptor {
  uint8_t length;  // bLength: 8
  uint8_t type;
  Le16 reserved;
  Le32 bytes_per_interval;  // dwBytesPerInterval
};
static_assert(WireStruct<SuperSpeedPlusIsochCompanionDescriptor> &&
              sizeof(SuperSpeedPlusIsochCompanionDescriptor) == 8);

// Which of the four UAS pipes an endpoint is. UAS, 5.3.3.5.
enum class PipeId : uint8_t { kCommand = 1, kStatus = 2, kDataIn = 3, kDataOut = 4 };
struct PipeUsageDescriptor {
  uint8_t length;  // bLength: 4
  uint8_t type;
  uint8_t pipe_id;  // bPipeID
  uint8_t reserved;
};
static_assert(WireStruct<PipeUsageDescriptor> && sizeof(PipeUsageDescriptor) == 4);

}  // namespace usbtwin::wire::usb
