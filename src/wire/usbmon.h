// The record Linux's usbmon writes for each event of a transfer, with which a USB capture of link
// type 220 is made: this header, the isochronous descriptors, the data. A record is in the byte
// order of the machine that captured it; we write little-endian, as the file around it says.
// Linux, Documentation/usb/usbmon.rst; the status numbers are Linux's on x86 and Arm.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::usbmon {

enum class Event : uint8_t { kSubmit = 'S', kComplete = 'C', kError = 'E' };

// Not bmAttributes' order.
enum class TransferType : uint8_t {
  kIsochronous = 0,
  kInterrupt = 1,
  kControl = 2,
  kBulk = 3,
};

inline constexpr uint8_t kDirectionIn = 0x80;  // in `endpoint`
inline constexpr uint8_t kSetupPresent = 0;    // setup_flag
inline constexpr uint8_t kSetupAbsent = '-';
inline constexpr uint8_t kDataPresent = 0;     // data_flag
inline constexpr uint8_t kDataNotYetIn = '<';  // an IN submission: the data comes with completion
inline constexpr uint8_t kDataWasOut = '>';    // an OUT completion: the data went with submission

// transfer_flags, as in Linux's include/linux/usb.h.
inline constexpr uint32_t kFlagShortNotOk = 0x0001;
inline constexpr uint32_t kFlagIsoAsap = 0x0002;
inline constexpr uint32_t kFlagZeroPacket = 0x0040;
inline constexpr uint32_t kFlagDirectionIn = 0x0200;

// status: 0 or a negated Linux errno. Linux, Documentation/driver-api/usb/error-codes.rst.
inline constexpr int32_t kStatusOk = 0;
inline constexpr int32_t kStatusUnlinked =
    -2;  // ENOENT: cancelled by a call that waits; no such thing
inline constexpr int32_t kStatusDenied = -13;       // EACCES: refused before it was sent
inline constexpr int32_t kStatusBusy = -16;         // EBUSY: refused before it was sent
inline constexpr int32_t kStatusTransfer = -18;     // EXDEV: an isochronous packet not yet moved
inline constexpr int32_t kStatusNoDevice = -19;     // ENODEV
inline constexpr int32_t kStatusStall = -32;        // EPIPE
inline constexpr int32_t kStatusTimer = -62;        // ETIME: the device does not answer
inline constexpr int32_t kStatusProtocol = -71;     // EPROTO: bit stuffing, no answer, unknown
inline constexpr int32_t kStatusOverflow = -75;     // EOVERFLOW: babble
inline constexpr int32_t kStatusUnsupported = -95;  // EOPNOTSUPP: refused before it was sent
inline constexpr int32_t kStatusReset = -104;       // ECONNRESET: cancelled by a call that asks
inline constexpr int32_t kStatusShutdown = -108;    // ESHUTDOWN: the device is gone
inline constexpr int32_t kStatusTimedOut = -110;    // ETIMEDOUT
inline constexpr int32_t kStatusInProgress = -115;  // EINPROGRESS: in each submission
inline constexpr int32_t kStatusShort = -121;       // EREMOTEIO: short where that is an error

// The 64-byte header (LINKTYPE_USB_LINUX_MMAPPED). Offsets in decimal.
struct Record {
  Le64 id;                       // 0: joins a submission and its completion
  uint8_t event;                 // 8: type
  uint8_t transfer_type;         // 9
  uint8_t endpoint;              // 10: bit 7 is IN, for control transfers too
  uint8_t device;                // 11
  Le16 bus;                      // 12
  uint8_t setup_flag;            // 14: zero where `setup` is one, '-' where not
  uint8_t data_flag;             // 15: zero where data follows
  Le64 seconds;                  // 16
  Le32 microseconds;             // 24
  Le32 status;                   // 28: two's complement
  Le32 length;                   // 32: asked for in a submission, moved in a completion
  Le32 length_captured;          // 36: what follows this header, isochronous descriptors included
  std::array<uint8_t, 8> setup;  // 40: or IsoCounts
  Le32 interval;                 // 48: in frames or microframes; interrupt and isochronous
  Le32 start_frame;              // 52
  Le32 transfer_flags;           // 56
  Le32 packets_count;            // 60: how many IsoDescriptors follow
};
static_assert(WireStruct<Record> && sizeof(Record) == 64);

// What an isochronous record has in place of the setup packet.
struct IsoCounts {
  Le32 errors;
  Le32 packets;
};
static_assert(WireStruct<IsoCounts> && sizeof(IsoCounts) == 8);

struct IsoDescriptor {
  Le32 status;
  Le32 offset;  // in the transfer's buffer
  Le32 length;  // asked for in a submission, moved in a completion
  Le32 padding;
};
static_assert(WireStruct<IsoDescriptor> && sizeof(IsoDescriptor) == 16);

}  // namespace usbtwin::wire::usbmon
