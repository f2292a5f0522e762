// The two wrappers of the Bulk-Only Transport.
// USB Mass Storage Class, Bulk-Only Transport, Revision 1.0 ("BOT 1.0"). All fields little-endian.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::bot {

inline constexpr uint32_t kCommandSignature = 0x43425355;  // "USBC"
inline constexpr uint32_t kStatusSignature = 0x53425355;   // "USBS"
inline constexpr uint8_t kDirectionIn = 0x80;              // bmCBWFlags bit 7
inline constexpr uint8_t kLunMax = 15;                     // bCBWLUN is four bits
inline constexpr uint8_t kCommandBlockLengthMax = 16;

enum class Status : uint8_t { kPassed = 0, kFailed = 1, kPhaseError = 2 };

// Class requests, BOT 1.0, 3.1 and 3.2: bmRequestType 21h and A1h, wIndex is the interface.
inline constexpr uint8_t kRequestReset = 0xff;
inline constexpr uint8_t kRequestGetMaxLun = 0xfe;

// Command Block Wrapper. BOT 1.0, 5.1.
struct CommandBlockWrapper {
  Le32 signature;          // dCBWSignature
  Le32 tag;                // dCBWTag
  Le32 data_length;        // dCBWDataTransferLength
  uint8_t flags;           // bmCBWFlags: bit 7 direction, the others zero
  uint8_t lun;             // bCBWLUN: low four bits
  uint8_t command_length;  // bCBWCBLength: low five bits, 1 to 16
  std::array<uint8_t, kCommandBlockLengthMax> command_block;  // CBWCB
};
static_assert(WireStruct<CommandBlockWrapper> && sizeof(CommandBlockWrapper) == 31);

// Command Status Wrapper. BOT 1.0, 5.2.
struct CommandStatusWrapper {
  Le32 signature;  // dCSWSignature
  Le32 tag;        // dCSWTag
  Le32 residue;    // dCSWDataResidue
  uint8_t status;  // bCSWStatus
};
static_assert(WireStruct<CommandStatusWrapper> && sizeof(CommandStatusWrapper) == 13);

}  // namespace usbtwin::wire::bot
