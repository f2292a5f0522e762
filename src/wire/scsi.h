// SCSI command descriptor blocks and the data they carry, as bytes. What they mean is decided in
// proto/scsi_command.h and proto/sense.h. One struct serves all commands that share a layout; bit
// fields are masks beside the struct. Used by whoever builds, answers or prints a command.
//
// SCSI Primary Commands 4 ("SPC-4", T10/1731-D revision 37) and SCSI Block Commands 3 ("SBC-3",
// T10/1799-D revision 36). All fields big-endian.
#pragma once

#include "wire/endian.h"
#include "wire/scsi_data.h"  // the other halves: one include serves all
#include "wire/scsi_reservation.h"
#include "wire/scsi_unit.h"

namespace usbtwin::wire::scsi {

// OPERATION CODE. SPC-4, E.3.1.
enum class Opcode : uint8_t {
  kTestUnitReady = 0x00,
  kRequestSense = 0x03,
  kFormatUnit = 0x04,
  kRead6 = 0x08,
  kWrite6 = 0x0a,
  kInquiry = 0x12,
  kModeSelect6 = 0x15,
  kReserve6 = 0x16,
  kRelease6 = 0x17,
  kModeSense6 = 0x1a,
  kStartStopUnit = 0x1b,
  kPreventAllowMediumRemoval = 0x1e,
  kReadCapacity10 = 0x25,
  kRead10 = 0x28,
  kWrite10 = 0x2a,
  kWriteAndVerify10 = 0x2e,
  kVerify10 = 0x2f,
  kPreFetch10 = 0x34,
  kSynchronizeCache10 = 0x35,
  kReadDefectData10 = 0x37,
  kWriteBuffer = 0x3b,
  kReadBuffer = 0x3c,
  kWriteSame10 = 0x41,
  kUnmap = 0x42,
  kSanitize = 0x48,
  kLogSense = 0x4d,
  kModeSelect10 = 0x55,
  kModeSense10 = 0x5a,
  kPersistentReserveIn = 0x5e,
  kPersistentReserveOut = 0x5f,
  kRead16 = 0x88,
  kCompareAndWrite = 0x89,
  kWrite16 = 0x8a,
  kOrWrite16 = 0x8b,
  kWriteAndVerify16 = 0x8e,
  kVerify16 = 0x8f,
  kPreFetch16 = 0x90,
  kSynchronizeCache16 = 0x91,
  kWriteSame16 = 0x93,
  kWriteAtomic16 = 0x9c,
  kServiceActionIn16 = 0x9e,
  kReportLuns = 0xa0,
  kMaintenanceIn = 0xa3,
  kRead12 = 0xa8,
  kWrite12 = 0xaa,
  kWriteAndVerify12 = 0xae,
  kVerify12 = 0xaf,
  kReadDefectData12 = 0xb7,
};

// SERVICE ACTION of SERVICE ACTION IN(16). SBC-3, 5.1.
inline constexpr uint8_t kServiceActionMask = 0x1f;
inline constexpr uint8_t kServiceActionReadCapacity16 = 0x10;
inline constexpr uint8_t kServiceActionGetLbaStatus = 0x12;

// CONTROL, the last byte of every CDB. SAM-5, 5.2.
inline constexpr uint8_t kControlNaca = 0x04;

// The length of a CDB by its opcode's group code; 0 for variable length, reserved and vendor
// specific groups. SPC-4, 4.2.5.1.
constexpr uint8_t CdbLength(uint8_t opcode) {
  constexpr std::array<uint8_t, 8> kLengths{6, 10, 10, 0, 16, 12, 0, 0};
  return kLengths[opcode >> 5];
}

// ---- Command descriptor blocks ----------------------------------------------------------------

// READ(6), WRITE(6). SBC-3, 5.
struct BlockCommand6 {
  uint8_t opcode;
  Be24 lba;        // LOGICAL BLOCK ADDRESS: the low 21 bits
  uint8_t length;  // TRANSFER LENGTH in blocks: 0 means 256
  uint8_t control;
};
static_assert(WireStruct<BlockCommand6> && sizeof(BlockCommand6) == 6);
inline constexpr uint32_t kLbaMask6 = 0x1fffff;

// Byte 1 of the longer block commands. SBC-3, 5.
inline constexpr uint8_t kProtectMask = 0xe0;      // RDPROTECT, WRPROTECT, VRPROTECT
inline constexpr uint8_t kDisablePageOut = 0x10;   // DPO
inline constexpr uint8_t kForceUnitAccess = 0x08;  // FUA, of READ and WRITE
inline constexpr uint8_t kByteCheckMask = 0x06;    // BYTCHK, of VERIFY
inline constexpr uint8_t kByteCheckShift = 1;
inline constexpr uint8_t kSyncImmediate = 0x02;  // IMMED, of SYNCHRONIZE CACHE and PRE-FETCH
inline constexpr uint8_t kSameAnchor = 0x10;     // ANCHOR, of WRITE SAME
inline constexpr uint8_t kSameUnmap = 0x08;      // UNMAP, of WRITE SAME
inline constexpr uint8_t kSameObsolete = 0x06;   // PBDATA and LBDATA, obsolete
inline constexpr uint8_t kSameNoData = 0x01;     // NDOB, of WRITE SAME(16)

// READ(10), WRITE(10), WRITE AND VERIFY(10), VERIFY(10), PRE-FETCH(10), SYNCHRONIZE CACHE(10) and
// WRITE SAME(10). SBC-3, 5.
struct BlockCommand10 {
  uint8_t opcode;
  uint8_t flags;
  Be32 lba;       // LOGICAL BLOCK ADDRESS
  uint8_t group;  // GROUP NUMBER: bits 4..0
  Be16 length;    // TRANSFER LENGTH, VERIFICATION LENGTH, NUMBER OF LOGICAL BLOCKS
  uint8_t control;
};
static_assert(WireStruct<BlockCommand10> && sizeof(BlockCommand10) == 10);

// READ(12), WRITE(12), WRITE AND VERIFY(12), VERIFY(12). SBC-3, 5.
struct BlockCommand12 {
  uint8_t opcode;
  uint8_t flags;
  Be32 lba;
  Be32 length;
  uint8_t group;
  uint8_t control;
};
static_assert(WireStruct<BlockCommand12> && sizeof(BlockCommand12) == 12);

// READ(16), WRITE(16), ORWRITE(16) and the 16-byte siblings of those above. SBC-3, 5.
struct BlockCommand16 {
  uint8_t opcode;
  uint8_t flags;
  Be64 lba;
  Be32 length;
  uint8_t group;
  uint8_t control;
};
static_assert(WireStruct<BlockCommand16> && sizeof(BlockCommand16) == 16);

// SBC-3, 5, "READ CAPACITY (10) command".
struct ReadCapacity10Command {
  uint8_t opcode;
  uint8_t reserved1;
  Be32 lba;  // obsolete: zero unless PMI
  std::array<uint8_t, 2> reserved6;
  uint8_t partial;  // bit 0: PMI, obsolete
  uint8_t control;
};
static_assert(WireStruct<ReadCapacity10Command> && sizeof(ReadCapacity10Command) == 10);
inline constexpr uint8_t kPartialMedium = 0x01;  // PMI, of both READ CAPACITY commands

// SBC-3, 5, "READ CAPACITY (16) command".
struct ReadCapacity16Command {
  uint8_t opcode;
  uint8_t service_action;  // bits 4..0
  Be64 lba;                // obsolete: zero unless PMI
  Be32 allocation_length;
  uint8_t partial;  // bit 0: PMI, obsolete
  uint8_t control;
};
static_assert(WireStruct<ReadCapacity16Command> && sizeof(ReadCapacity16Command) == 16);

// SPC-4, 6.47.
struct TestUnitReadyCommand {
  uint8_t opcode;
  std::array<uint8_t, 4> reserved1;
  uint8_t control;
};
static_assert(WireStruct<TestUnitReadyCommand> && sizeof(TestUnitReadyCommand) == 6);

// SPC-4, 6.6.1.
struct InquiryCommand {
  uint8_t opcode;
  uint8_t flags;  // bit 0: EVPD; bit 1: CMDDT, obsolete
  uint8_t page_code;
  Be16 allocation_length;
  uint8_t control;
};
static_assert(WireStruct<InquiryCommand> && sizeof(InquiryCommand) == 6);
inline constexpr uint8_t kInquiryVitalProductData = 0x01;  // EVPD
inline constexpr uint8_t kInquiryCommandData = 0x02;       // CMDDT

// SPC-4, 6.39.
struct RequestSenseCommand {
  uint8_t opcode;
  uint8_t flags;  // bit 0: DESC
  std::array<uint8_t, 2> reserved2;
  uint8_t allocation_length;
  uint8_t control;
};
static_assert(WireStruct<RequestSenseCommand> && sizeof(RequestSenseCommand) == 6);
inline constexpr uint8_t kSenseDescriptorFormat = 0x01;  // DESC

// Fields that both MODE SENSE commands have.
inline constexpr uint8_t kModeDisableBlockDescriptors = 0x08;  // DBD, byte 1
inline constexpr uint8_t kModeLongLba = 0x10;                  // LLBAA, byte 1 of the 10-byte one
inline constexpr uint8_t kModePageCodeMask = 0x3f;             // PAGE CODE, byte 2
inline constexpr uint8_t kModePageControlShift = 6;            // PC, byte 2

// SPC-4, 6.13.
struct ModeSense6Command {
  uint8_t opcode;
  uint8_t flags;  // bit 3: DBD
  uint8_t page;   // bits 7..6: PC; bits 5..0: PAGE CODE
  uint8_t subpage;
  uint8_t allocation_length;
  uint8_t control;
};
static_assert(WireStruct<ModeSense6Command> && sizeof(ModeSense6Command) == 6);

// SPC-4, 6.14.
struct ModeSense10Command {
  uint8_t opcode;
  uint8_t flags;  // bit 4: LLBAA; bit 3: DBD
  uint8_t page;
  uint8_t subpage;
  std::array<uint8_t, 3> reserved4;
  Be16 allocation_length;
  uint8_t control;
};
static_assert(WireStruct<ModeSense10Command> && sizeof(ModeSense10Command) == 10);

// SPC-4, 6.11.
struct ModeSelect6Command {
  uint8_t opcode;
  uint8_t flags;  // bit 4: PF; bit 1: RTD; bit 0: SP
  std::array<uint8_t, 2> reserved2;
  uint8_t parameter_list_length;
  uint8_t control;
};
static_assert(WireStruct<ModeSelect6Command> && sizeof(ModeSelect6Command) == 6);

// SPC-4, 6.12.
struct ModeSelect10Command {
  uint8_t opcode;
  uint8_t flags;
  std::array<uint8_t, 5> reserved2;
  Be16 parameter_list_length;
  uint8_t control;
};
static_assert(WireStruct<ModeSelect10Command> && sizeof(ModeSelect10Command) == 10);
inline constexpr uint8_t kModePageFormat = 0x10;      // PF
inline constexpr uint8_t kModeRevertDefaults = 0x02;  // RTD
inline constexpr uint8_t kModeSavePages = 0x01;       // SP

// SPC-4, 6.33.
struct ReportLunsCommand {
  uint8_t opcode;
  uint8_t reserved1;
  uint8_t select;  // SELECT REPORT
  std::array<uint8_t, 3> reserved3;
  Be32 allocation_length;
  uint8_t reserved10;
  uint8_t control;
};
static_assert(WireStruct<ReportLunsCommand> && sizeof(ReportLunsCommand) == 12);
inline constexpr uint8_t kSelectReportAddressed = 0x00;  // all but well known logical units
inline constexpr uint8_t kSelectReportWellKnown = 0x01;
inline constexpr uint8_t kSelectReportAll = 0x02;

// SBC-3, 5, "START STOP UNIT command".
struct StartStopUnitCommand {
  uint8_t opcode;
  uint8_t flags;  // bit 0: IMMED
  uint8_t reserved2;
  uint8_t modifier;  // bits 3..0: POWER CONDITION MODIFIER
  uint8_t action;    // bits 7..4: POWER CONDITION; bit 2: NO_FLUSH; bit 1: LOEJ; bit 0: START
  uint8_t control;
};
static_assert(WireStruct<StartStopUnitCommand> && sizeof(StartStopUnitCommand) == 6);
inline constexpr uint8_t kStartStopImmediate = 0x01;
inline constexpr uint8_t kPowerConditionShift = 4;
inline constexpr uint8_t kPowerModifierMask = 0x0f;  // POWER CONDITION MODIFIER
inline constexpr uint8_t kNoFlush = 0x04;
inline constexpr uint8_t kLoadEject = 0x02;
inline constexpr uint8_t kStart = 0x01;

// SBC-3, 5, "PREVENT ALLOW MEDIUM REMOVAL command".
struct PreventAllowCommand {
  uint8_t opcode;
  std::array<uint8_t, 3> reserved1;
  uint8_t prevent;  // bits 1..0; bit 1 is obsolete
  uint8_t control;
};
static_assert(WireStruct<PreventAllowCommand> && sizeof(PreventAllowCommand) == 6);
inline constexpr uint8_t kPreventMask = 0x03;

}  // namespace usbtwin::wire::scsi
