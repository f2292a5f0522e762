// The rest of SCSI's layouts: provisioning, buffers, defect lists, what a unit supports. Companion
// of wire/scsi.h, which includes it; the same standards, all fields big-endian.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::scsi {

// ---- Logical block provisioning ---------------------------------------------------------------

// SBC-3, 5, "UNMAP command".
struct UnmapCommand {
  uint8_t opcode;
  uint8_t flags;  // bit 0: ANCHOR
  std::array<uint8_t, 4> reserved2;
  uint8_t group;
  Be16 parameter_list_length;
  uint8_t control;
};
static_assert(WireStruct<UnmapCommand> && sizeof(UnmapCommand) == 10);
inline constexpr uint8_t kUnmapAnchor = 0x01;

// UNMAP parameter list: this header, then block descriptors. SBC-3, 5, "UNMAP command".
struct UnmapHeader {
  Be16 data_length;         // UNMAP DATA LENGTH: bytes that follow this field
  Be16 descriptors_length;  // UNMAP BLOCK DESCRIPTOR DATA LENGTH: a multiple of 16
  std::array<uint8_t, 4> reserved4;
};
static_assert(WireStruct<UnmapHeader> && sizeof(UnmapHeader) == 8);
struct UnmapDescriptor {
  Be64 lba;
  Be32 blocks_count;
  std::array<uint8_t, 4> reserved12;
};
static_assert(WireStruct<UnmapDescriptor> && sizeof(UnmapDescriptor) == 16);

// SBC-3, 5, "GET LBA STATUS command".
struct GetLbaStatusCommand {
  uint8_t opcode;
  uint8_t service_action;  // bits 4..0
  Be64 lba;                // STARTING LOGICAL BLOCK ADDRESS
  Be32 allocation_length;
  uint8_t reserved14;
  uint8_t control;
};
static_assert(WireStruct<GetLbaStatusCommand> && sizeof(GetLbaStatusCommand) == 16);

// GET LBA STATUS parameter data: this header, then LBA status descriptors.
struct LbaStatusHeader {
  Be32 length;  // PARAMETER DATA LENGTH: bytes that follow this field
  std::array<uint8_t, 4> reserved4;
};
static_assert(WireStruct<LbaStatusHeader> && sizeof(LbaStatusHeader) == 8);
struct LbaStatusDescriptor {
  Be64 lba;
  Be32 blocks_count;
  uint8_t status;  // bits 3..0: PROVISIONING STATUS
  std::array<uint8_t, 3> reserved13;
};
static_assert(WireStruct<LbaStatusDescriptor> && sizeof(LbaStatusDescriptor) == 16);
inline constexpr uint8_t kLbaMapped = 0;
inline constexpr uint8_t kLbaDeallocated = 1;

// ---- Blocks, in other ways --------------------------------------------------------------------

// SBC-3, 5, "COMPARE AND WRITE command".
struct CompareAndWriteCommand {
  uint8_t opcode;
  uint8_t flags;  // as of WRITE(16)
  Be64 lba;
  std::array<uint8_t, 3> reserved10;
  uint8_t length;  // NUMBER OF LOGICAL BLOCKS: twice that many are sent
  uint8_t group;
  uint8_t control;
};
static_assert(WireStruct<CompareAndWriteCommand> && sizeof(CompareAndWriteCommand) == 16);

// SBC-4, 5, "WRITE ATOMIC (16) command".
struct WriteAtomicCommand {
  uint8_t opcode;
  uint8_t flags;  // as of WRITE(16)
  Be64 lba;
  Be16 boundary;  // ATOMIC BOUNDARY in blocks: 0 means that the whole transfer is one operation
  Be16 length;    // TRANSFER LENGTH in blocks
  uint8_t group;
  uint8_t control;
};
static_assert(WireStruct<WriteAtomicCommand> && sizeof(WriteAtomicCommand) == 16);

// SBC-3, 5, "READ DEFECT DATA (10) command".
struct ReadDefectData10Command {
  uint8_t opcode;
  uint8_t reserved1;
  uint8_t flags;  // bit 4: REQ_PLIST; bit 3: REQ_GLIST; bits 2..0: DEFECT LIST FORMAT
  std::array<uint8_t, 4> reserved3;
  Be16 allocation_length;
  uint8_t control;
};
static_assert(WireStruct<ReadDefectData10Command> && sizeof(ReadDefectData10Command) == 10);

// SBC-3, 5, "READ DEFECT DATA (12) command".
struct ReadDefectData12Command {
  uint8_t opcode;
  uint8_t flags;
  Be32 index;  // ADDRESS DESCRIPTOR INDEX
  Be32 allocation_length;
  uint8_t reserved10;
  uint8_t control;
};
static_assert(WireStruct<ReadDefectData12Command> && sizeof(ReadDefectData12Command) == 12);
inline constexpr uint8_t kDefectListsMask = 0x18;   // REQ_PLIST, REQ_GLIST; PLISTV, GLISTV
inline constexpr uint8_t kDefectFormatMask = 0x07;  // DEFECT LIST FORMAT

// What both commands return before the list.
struct DefectHeader10 {
  uint8_t reserved0;
  uint8_t flags;  // bit 4: PLISTV; bit 3: GLISTV; bits 2..0: DEFECT LIST FORMAT
  Be16 length;    // DEFECT LIST LENGTH: bytes of address descriptors
};
static_assert(WireStruct<DefectHeader10> && sizeof(DefectHeader10) == 4);
struct DefectHeader12 {
  uint8_t reserved0;
  uint8_t flags;
  Be16 generation;  // GENERATION CODE: 0 where changes are not counted
  Be32 length;
};
static_assert(WireStruct<DefectHeader12> && sizeof(DefectHeader12) == 8);

// ---- Erasing ----------------------------------------------------------------------------------

// SBC-3, 5, "FORMAT UNIT command".
struct FormatUnitCommand {
  uint8_t opcode;
  uint8_t
      flags;  // bits 7..6: FMTPINFO; 5: LONGLIST; 4: FMTDATA; 3: CMPLST; 2..0: DEFECT LIST FORMAT
  std::array<uint8_t, 3> reserved2;
  uint8_t control;
};
static_assert(WireStruct<FormatUnitCommand> && sizeof(FormatUnitCommand) == 6);
inline constexpr uint8_t kFormatProtection = 0xc0;  // FMTPINFO
inline constexpr uint8_t kFormatLongList = 0x20;    // LONGLIST
inline constexpr uint8_t kFormatData = 0x10;        // FMTDATA
inline constexpr uint8_t kFormatComplete = 0x08;    // CMPLST

// FORMAT UNIT parameter list headers; the second one where LONGLIST says so.
struct FormatShortHeader {
  uint8_t protection;  // bits 2..0: PROTECTION FIELDS USAGE
  uint8_t flags;       // bit 7: FOV; 5: DCRT; 3: IP; 1: IMMED
  Be16 defects_length;
};
static_assert(WireStruct<FormatShortHeader> && sizeof(FormatShortHeader) == 4);
struct FormatLongHeader {
  uint8_t protection;
  uint8_t flags;
  uint8_t reserved2;
  uint8_t protection_interval;
  Be32 defects_length;
};
static_assert(WireStruct<FormatLongHeader> && sizeof(FormatLongHeader) == 8);
inline constexpr uint8_t kFormatPattern = 0x08;    // IP
inline constexpr uint8_t kFormatImmediate = 0x02;  // IMMED

// SBC-3, 5, "SANITIZE command".
struct SanitizeCommand {
  uint8_t opcode;
  uint8_t flags;  // bit 7: IMMED; bit 5: AUSE; bits 4..0: SERVICE ACTION
  std::array<uint8_t, 5> reserved2;
  Be16 parameter_list_length;
  uint8_t control;
};
static_assert(WireStruct<SanitizeCommand> && sizeof(SanitizeCommand) == 10);
inline constexpr uint8_t kSanitizeImmediate = 0x80;     // IMMED
inline constexpr uint8_t kSanitizeUnrestricted = 0x20;  // AUSE
enum class SanitizeAction : uint8_t {
  kOverwrite = 0x01,
  kBlockErase = 0x02,
  kExitFailureMode = 0x1f,
};

// Parameter list of the overwrite service action; the initialization pattern follows.
struct OverwriteHeader {
  uint8_t flags;  // bit 7: INVERT; bits 6..5: TEST; bits 4..0: OVERWRITE COUNT
  uint8_t reserved1;
  Be16 pattern_length;  // INITIALIZATION PATTERN LENGTH: bytes
};
static_assert(WireStruct<OverwriteHeader> && sizeof(OverwriteHeader) == 4);
inline constexpr uint8_t kOverwriteInvert = 0x80;
inline constexpr uint8_t kOverwriteTestMask = 0x60;
inline constexpr uint8_t kOverwriteCountMask = 0x1f;

// ---- Buffers ----------------------------------------------------------------------------------

// READ BUFFER and WRITE BUFFER. SPC-4, 6.18 and 6.49.
struct BufferCommand {
  uint8_t opcode;
  uint8_t mode;  // bits 4..0: MODE
  uint8_t buffer_id;
  Be24 offset;  // BUFFER OFFSET: bytes
  Be24 length;  // ALLOCATION LENGTH or PARAMETER LIST LENGTH
  uint8_t control;
};
static_assert(WireStruct<BufferCommand> && sizeof(BufferCommand) == 10);
inline constexpr uint8_t kBufferModeMask = 0x1f;
inline constexpr uint8_t kBufferData = 0x02;
inline constexpr uint8_t kBufferDescriptor = 0x03;
inline constexpr uint8_t kBufferEcho = 0x0a;
inline constexpr uint8_t kBufferEchoDescriptor = 0x0b;

// READ BUFFER, mode 03h.
struct BufferCapacity {
  uint8_t offset_boundary;  // a power of two: 0 means any byte
  Be24 capacity;            // BUFFER CAPACITY: bytes
};
static_assert(WireStruct<BufferCapacity> && sizeof(BufferCapacity) == 4);

// READ BUFFER, mode 0Bh.
struct EchoCapacity {
  uint8_t flags;  // bit 0: EBOS, the data is kept until the same initiator overwrites it
  uint8_t reserved1;
  Be16 capacity;  // BUFFER CAPACITY: bits 12..0, at most 4096 bytes
};
static_assert(WireStruct<EchoCapacity> && sizeof(EchoCapacity) == 4);
inline constexpr uint8_t kEchoOverwrittenSupported = 0x01;  // EBOS

// ---- Log pages --------------------------------------------------------------------------------

// SPC-4, 6.8.
struct LogSenseCommand {
  uint8_t opcode;
  uint8_t flags;  // bit 0: SP
  uint8_t page;   // bits 7..6: PC; bits 5..0: PAGE CODE
  uint8_t subpage;
  uint8_t reserved4;
  Be16 parameter;  // PARAMETER POINTER: the first one wanted
  Be16 allocation_length;
  uint8_t control;
};
static_assert(WireStruct<LogSenseCommand> && sizeof(LogSenseCommand) == 10);
inline constexpr uint8_t kLogSave = 0x01;  // SP

// PAGE CODE of a log page. SPC-4, 7.3.1.
enum class LogPage : uint8_t {
  kSupportedPages = 0x00,
  kWriteErrors = 0x02,
  kReadErrors = 0x03,
  kVerifyErrors = 0x05,
  kTemperature = 0x0d,
  kStartStopCycles = 0x0e,
  kInformationalExceptions = 0x2f,
};
inline constexpr uint8_t kLogSubpagesAll = 0xff;

// What every log page begins with. SPC-4, 7.3.2.
struct LogPageHeader {
  uint8_t page_code;  // bit 7: DS; bit 6: SPF; bits 5..0: PAGE CODE
  uint8_t subpage;
  Be16 length;  // PAGE LENGTH: bytes that follow
};
static_assert(WireStruct<LogPageHeader> && sizeof(LogPageHeader) == 4);
inline constexpr uint8_t kLogNeverSaved = 0x80;  // DS
inline constexpr uint8_t kLogHasSubpage = 0x40;  // SPF

// What every log parameter begins with; its value follows. SPC-4, 7.3.2.2.
struct LogParameterHeader {
  Be16 code;
  uint8_t control;  // bit 7: DU; bit 5: TSD; bits 1..0: FORMAT AND LINKING
  uint8_t length;   // bytes that follow
};
static_assert(WireStruct<LogParameterHeader> && sizeof(LogParameterHeader) == 4);
inline constexpr uint8_t kLogCounter = 0x20;  // TSD; a data counter
inline constexpr uint8_t kLogList = 0x23;     // TSD; a binary format list
inline constexpr uint8_t kTemperatureUnknown = 0xff;

// ---- What a unit supports ---------------------------------------------------------------------

// SERVICE ACTION of MAINTENANCE IN. SPC-4, 6.
inline constexpr uint8_t kServiceActionReportTargetPortGroups = 0x0a;
inline constexpr uint8_t kServiceActionReportOpcodes = 0x0c;
inline constexpr uint8_t kServiceActionReportTaskFunctions = 0x0d;

// REPORT SUPPORTED OPERATION CODES. SPC-4, 6.35.
struct ReportOpcodesCommand {
  uint8_t opcode;
  uint8_t service_action;
  uint8_t options;  // bit 7: RCTD; bits 2..0: REPORTING OPTIONS
  uint8_t wanted_opcode;
  Be16 wanted_action;
  Be32 allocation_length;
  uint8_t reserved10;
  uint8_t control;
};
static_assert(WireStruct<ReportOpcodesCommand> && sizeof(ReportOpcodesCommand) == 12);
inline constexpr uint8_t kOpcodesTimeouts = 0x80;  // RCTD
inline constexpr uint8_t kOpcodesOptionsMask = 0x07;

// One of the commands a list of them names.
struct OpcodeDescriptor {
  uint8_t opcode;
  uint8_t reserved1;
  Be16 service_action;
  uint8_t reserved4;
  uint8_t flags;    // bit 1: CTDP, a timeouts descriptor follows; bit 0: SERVACTV
  Be16 cdb_length;  // bytes
};
static_assert(WireStruct<OpcodeDescriptor> && sizeof(OpcodeDescriptor) == 8);
inline constexpr uint8_t kOpcodeTimeouts = 0x02;       // CTDP
inline constexpr uint8_t kOpcodeServiceAction = 0x01;  // SERVACTV

// What is said of one command; its CDB usage data follows, then perhaps a timeouts descriptor.
struct OneOpcodeHeader {
  uint8_t reserved0;
  uint8_t flags;    // bit 7: CTDP; bits 2..0: SUPPORT
  Be16 cdb_length;  // CDB SIZE: bytes of CDB usage data
};
static_assert(WireStruct<OneOpcodeHeader> && sizeof(OneOpcodeHeader) == 4);
inline constexpr uint8_t kOneOpcodeTimeouts = 0x80;  // CTDP
inline constexpr uint8_t kOpcodeUnsupported = 0x01;
inline constexpr uint8_t kOpcodeSupported = 0x03;  // in conformance with a standard

// Command timeouts descriptor. SPC-4, 6.35.4.
struct TimeoutsDescriptor {
  Be16 length;  // DESCRIPTOR LENGTH: bytes that follow this field
  uint8_t reserved2;
  uint8_t command_specific;
  Be32 nominal;      // NOMINAL COMMAND PROCESSING TIMEOUT: seconds, 0 is unspecified
  Be32 recommended;  // RECOMMENDED COMMAND TIMEOUT: seconds, 0 is unspecified
};
static_assert(WireStruct<TimeoutsDescriptor> && sizeof(TimeoutsDescriptor) == 12);

// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS. SPC-4, 6.36.
struct ReportTaskFunctionsCommand {
  uint8_t opcode;
  uint8_t service_action;
  uint8_t flags;  // bit 7: REPD, the extended parameter data is wanted
  std::array<uint8_t, 3> reserved3;
  Be32 allocation_length;
  uint8_t reserved10;
  uint8_t control;
};
static_assert(WireStruct<ReportTaskFunctionsCommand> && sizeof(ReportTaskFunctionsCommand) == 12);
inline constexpr uint8_t kTaskFunctionsExtended = 0x80;  // REPD

// The parameter data; the extended form goes on with timeouts.
struct TaskFunctions {
  Be16 functions;  // bit 15: ATS; 14: ATSS; 13: CACAS; 12: CTSS; 11: LURS; 10: QTS; 2: QAES;
                   // 1: QTSS; 0: ITNRS
  uint8_t reserved2;
  uint8_t length;  // ADDITIONAL DATA LENGTH: bytes that follow
};
static_assert(WireStruct<TaskFunctions> && sizeof(TaskFunctions) == 4);
struct TaskFunctionsTimeouts {
  uint8_t flags;  // bit 0: TMFTMOV, the timeouts are valid
  std::array<uint8_t, 3> reserved1;
  Be32 long_timeout;   // units of 100 ms
  Be32 short_timeout;  // units of 100 ms
};
static_assert(WireStruct<TaskFunctionsTimeouts> && sizeof(TaskFunctionsTimeouts) == 12);

}  // namespace usbtwin::wire::scsi
