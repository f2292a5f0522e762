// The information units (IUs) of USB Attached SCSI. Commands and task management functions go out
// on the command pipe; ready, sense and response IUs come back on the status pipe; data has two
// pipes of its own. Which endpoint is which pipe is said by the pipe usage descriptor (wire/usb.h).
// USB Attached SCSI ("UAS", INCITS 471-2010, T10/2095-D revision 4). All fields big-endian.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::uas {

// IU ID. UAS, 6.2.1. Others are reserved.
enum class IuId : uint8_t {
  kCommand = 0x01,
  kSense = 0x03,
  kResponse = 0x04,
  kTaskManagement = 0x05,
  kReadReady = 0x06,
  kWriteReady = 0x07,
};

// Tags a command or function may have. Where the data and status pipes have streams, the tag is the
// stream's number, and 0, FFFEh and FFFFh name no stream. UAS, 4.3; USB 3.2, 8.12.1.4.2.
inline constexpr uint16_t kTagFirst = 0x0001;
inline constexpr uint16_t kTagLast = 0xfffd;
constexpr bool IsTag(uint16_t tag) {
  return tag >= kTagFirst && tag <= kTagLast;
}

// What every IU begins with; READ READY and WRITE READY are nothing else. UAS, 6.2.1.
struct Header {
  uint8_t id;  // IU ID
  uint8_t reserved1;
  Be16 tag;
};
static_assert(WireStruct<Header> && sizeof(Header) == 4);

// LOGICAL UNIT NUMBER as it travels. SAM-5, 4.7.
using Lun = std::array<uint8_t, 8>;

// TASK ATTRIBUTE, bits 2..0 of a command's `attribute`. UAS, 6.2.2; SAM-5, 8.6.
enum class TaskAttribute : uint8_t { kSimple = 0, kHeadOfQueue = 1, kOrdered = 2, kAca = 4 };
inline constexpr uint8_t kTaskAttributeMask = 0x07;
inline constexpr uint8_t kCommandPriorityShift = 3;  // COMMAND PRIORITY, bits 6..3

// COMMAND IU. UAS, 6.2.2. Bytes of a CDB beyond the sixteenth follow.
struct CommandIu {
  Header header;
  uint8_t attribute;  // bits 6..3: COMMAND PRIORITY; bits 2..0: TASK ATTRIBUTE
  uint8_t reserved5;
  uint8_t additional_length;  // ADDITIONAL CDB LENGTH: bits 7..2, in units of four bytes
  uint8_t reserved7;
  Lun lun;
  std::array<uint8_t, 16> command_block;  // CDB
};
static_assert(WireStruct<CommandIu> && sizeof(CommandIu) == 32);
// Bytes of the CDB that follow the COMMAND IU.
constexpr size_t AdditionalLength(uint8_t additional_length) {
  return additional_length & 0xfcu;
}

// SENSE IU: how a command ended. UAS, 6.2.5. The sense data follows.
struct SenseIu {
  Header header;
  Be16 status_qualifier;
  uint8_t status;  // SAM-5, 5.3.1
  std::array<uint8_t, 7> reserved7;
  Be16 sense_length;  // LENGTH
};
static_assert(WireStruct<SenseIu> && sizeof(SenseIu) == 16);
inline constexpr size_t kSenseLengthMax = 252;  // SPC-4, 4.5.1

// RESPONSE IU: how a task management function ended, or what is wrong with an IU. UAS, 6.2.6.
struct ResponseIu {
  Header header;
  std::array<uint8_t, 3> additional;  // ADDITIONAL RESPONSE INFORMATION
  uint8_t code;                       // RESPONSE CODE
};
static_assert(WireStruct<ResponseIu> && sizeof(ResponseIu) == 8);

// RESPONSE CODE. UAS, 6.2.6. Others are reserved.
enum class ResponseCode : uint8_t {
  kComplete = 0x00,                // TASK MANAGEMENT FUNCTION COMPLETE
  kInvalidInformationUnit = 0x02,  // INVALID INFORMATION UNIT
  kNotSupported = 0x04,            // TASK MANAGEMENT FUNCTION NOT SUPPORTED
  kFailed = 0x05,                  // TASK MANAGEMENT FUNCTION FAILED
  kSucceeded = 0x08,               // TASK MANAGEMENT FUNCTION SUCCEEDED
  kIncorrectLun = 0x09,            // INCORRECT LOGICAL UNIT NUMBER
  kOverlappedTag = 0x0a,           // OVERLAPPED TAG ATTEMPTED
};

// TASK MANAGEMENT IU. UAS, 6.2.7.
struct TaskManagementIu {
  Header header;
  uint8_t function;  // TASK MANAGEMENT FUNCTION
  uint8_t reserved5;
  Be16 task_tag;  // TAG OF TASK TO BE MANAGED: ABORT TASK and QUERY TASK only
  Lun lun;
};
static_assert(WireStruct<TaskManagementIu> && sizeof(TaskManagementIu) == 16);

// TASK MANAGEMENT FUNCTION. UAS, 6.2.7; SAM-5, 7.1.
enum class TaskFunction : uint8_t {
  kAbortTask = 0x01,
  kAbortTaskSet = 0x02,
  kClearTaskSet = 0x04,
  kLogicalUnitReset = 0x08,
  kNexusReset = 0x10,  // I_T NEXUS RESET
  kClearAca = 0x40,
  kQueryTask = 0x80,
  kQueryTaskSet = 0x81,
  kQueryAsynchronousEvent = 0x82,
};

// A unit's index as a LUN of one level: peripheral device addressing up to 255, flat space
// addressing above, at most kLunMax. SAM-5, 4.7.4.
inline constexpr uint64_t kLunMax = 0x3fff;
constexpr Lun EncodeLun(uint64_t lun) {
  const auto high = static_cast<uint8_t>(lun >> 8);
  return {static_cast<uint8_t>(lun > 0xff ? 0x40 | high : 0), static_cast<uint8_t>(lun)};
}
// The reverse; kLunNone for every other form of address, which names no unit here.
inline constexpr uint64_t kLunNone = UINT64_MAX;
constexpr uint64_t DecodeLun(const Lun& lun) {
  for (size_t index = 2; index < lun.size(); ++index) {
    if (lun[index] != 0) return kLunNone;
  }
  if (lun[0] == 0) return lun[1];
  if ((lun[0] & 0xc0) != 0x40) return kLunNone;
  return static_cast<uint64_t>(lun[0] & 0x3f) << 8 | lun[1];
}

}  // namespace usbtwin::wire::uas
