// USB/IP: the messages between the tools (OP_*), and those that carry transfers (CMD_*, RET_*).
// Linux, Documentation/usb/usbip_protocol.rst, and drivers/usb/usbip/usbip_common.h where the
// document is silent. All fields big-endian. The status numbers are those of usbmon, whoever sends
// them: Linux's errno, negated.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::usbip {

inline constexpr uint16_t kVersion = 0x0111;
inline constexpr uint16_t kPort = 3240;

// OpHeader.code. A reply has bit 15 clear.
inline constexpr uint16_t kRequestDevices = 0x8005;  // OP_REQ_DEVLIST
inline constexpr uint16_t kReplyDevices = 0x0005;    // OP_REP_DEVLIST
inline constexpr uint16_t kRequestImport = 0x8003;   // OP_REQ_IMPORT
inline constexpr uint16_t kReplyImport = 0x0003;     // OP_REP_IMPORT

// OpHeader.status, of replies. tools/usb/usbip/libsrc/usbip_common.h, ST_*.
enum class OpStatus : uint32_t {
  kOk = 0,
  kNotAvailable = 1,
  kBusy = 2,  // exported, and somebody has it
  kDeviceError = 3,
  kNoDevice = 4,
  kError = 5,  // "unexpected response"
};

// DeviceRecord.speed: Linux's enum usb_device_speed, which is not libusb's.
inline constexpr uint32_t kSpeedUnknown = 0;
inline constexpr uint32_t kSpeedLow = 1;
inline constexpr uint32_t kSpeedFull = 2;
inline constexpr uint32_t kSpeedHigh = 3;
inline constexpr uint32_t kSpeedWireless = 4;
inline constexpr uint32_t kSpeedSuper = 5;
inline constexpr uint32_t kSpeedSuperPlus = 6;

struct OpHeader {
  Be16 version;
  Be16 code;
  Be32 status;  // zero in requests
};
static_assert(WireStruct<OpHeader> && sizeof(OpHeader) == 8);

inline constexpr size_t kBusIdLength = 32;  // with its terminating zero
inline constexpr size_t kPathLength = 256;

struct ImportRequest {
  OpHeader header;
  std::array<uint8_t, kBusIdLength> bus_id;
};
static_assert(WireStruct<ImportRequest> && sizeof(ImportRequest) == 40);

// In the list of devices followed by as many InterfaceRecords as it says; in the reply to an import
// by nothing.
struct DeviceRecord {
  std::array<uint8_t, kPathLength> path;
  std::array<uint8_t, kBusIdLength> bus_id;
  Be32 bus_number;
  Be32 device_number;
  Be32 speed;
  Be16 vendor_id;
  Be16 product_id;
  Be16 release_number;  // bcdDevice
  uint8_t device_class;
  uint8_t device_subclass;
  uint8_t device_protocol;
  uint8_t configuration_value;
  uint8_t configurations_count;
  uint8_t interfaces_count;
};
static_assert(WireStruct<DeviceRecord> && sizeof(DeviceRecord) == 312);

struct InterfaceRecord {
  uint8_t interface_class;
  uint8_t interface_subclass;
  uint8_t interface_protocol;
  uint8_t padding;
};
static_assert(WireStruct<InterfaceRecord> && sizeof(InterfaceRecord) == 4);

// The reply to an import that succeeded. One that failed is the header alone.
struct ImportReply {
  OpHeader header;
  DeviceRecord device;
};
static_assert(WireStruct<ImportReply> && sizeof(ImportReply) == 320);

// The reply to a list request, before the devices.
struct DevicesReply {
  OpHeader header;
  Be32 devices_count;
};
static_assert(WireStruct<DevicesReply> && sizeof(DevicesReply) == 12);

enum class Command : uint32_t { kSubmit = 1, kUnlink = 2, kSubmitReply = 3, kUnlinkReply = 4 };
inline constexpr uint32_t kDirectionOut = 0;
inline constexpr uint32_t kDirectionIn = 1;

// The first 20 of the 48 bytes every message begins with. In replies all but the first two are
// zero: only `sequence` joins them to their request.
struct BasicHeader {
  Be32 command;
  Be32 sequence;   // seqnum
  Be32 device_id;  // devid: bus number << 16 | device number
  Be32 direction;
  Be32 endpoint;  // the number alone
};
static_assert(WireStruct<BasicHeader> && sizeof(BasicHeader) == 20);

// CMD_SUBMIT, followed by the data where it is OUT, then by the isochronous descriptors. The flags
// are usbmon's; the others are the sending kernel's own business.
struct Submit {
  BasicHeader basic;
  Be32 transfer_flags;
  Be32 length;  // transfer_buffer_length
  Be32 start_frame;
  Be32 packets_count;  // zero, 0xffffffff or anything where the endpoint is not isochronous
  Be32 interval;
  std::array<uint8_t, 8> setup;
};
static_assert(WireStruct<Submit> && sizeof(Submit) == 48);

// RET_SUBMIT, followed by the data where the transfer was IN, then by the isochronous descriptors.
struct SubmitReply {
  BasicHeader basic;
  Be32 status;         // two's complement
  Be32 length_actual;  // bytes moved
  Be32 start_frame;
  Be32 packets_count;
  Be32 error_count;
  std::array<uint8_t, 8> padding;
};
static_assert(WireStruct<SubmitReply> && sizeof(SubmitReply) == 48);

struct Unlink {
  BasicHeader basic;
  Be32 victim;  // the sequence number of the submit that is to be cancelled
  std::array<uint8_t, 24> padding;
};
static_assert(WireStruct<Unlink> && sizeof(Unlink) == 48);

struct UnlinkReply {
  BasicHeader basic;
  Be32 status;  // -104 where the transfer was cancelled, 0 where it had been answered before
  std::array<uint8_t, 24> padding;
};
static_assert(WireStruct<UnlinkReply> && sizeof(UnlinkReply) == 48);

inline constexpr size_t kHeaderLength = 48;
inline constexpr uint32_t kPacketsMax = 1024;  // of one transfer; Linux refuses more

// Data of an IN reply is what the packets hold, without the gaps between them: `offset` still
// counts them.
struct IsoDescriptor {
  Be32 offset;
  Be32 length;
  Be32 length_actual;
  Be32 status;
};
static_assert(WireStruct<IsoDescriptor> && sizeof(IsoDescriptor) == 16);

}  // namespace usbtwin::wire::usbip
