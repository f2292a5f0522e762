// What SCSI commands return: INQUIRY data, vital product data, mode parameters, capacities, sense,
// LUN lists. Companion of wire/scsi.h; the same standards, all fields big-endian. A disk emits
// these, a host's inquiry code and the dumper read them.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::scsi {

// ---- INQUIRY ----------------------------------------------------------------------------------

// PERIPHERAL QUALIFIER (bits 7..5) and PERIPHERAL DEVICE TYPE (bits 4..0). SPC-4, 6.6.2.
inline constexpr uint8_t kPeripheralDisk = 0x00;
inline constexpr uint8_t kPeripheralAbsent = 0x7f;  // 011b and 1Fh: no unit at this LUN
inline constexpr uint8_t kPeripheralTypeMask = 0x1f;
inline constexpr uint8_t kRemovableMedium = 0x80;  // RMB
inline constexpr uint8_t kVersionSpc4 = 0x06;
inline constexpr uint8_t kResponseFormat2 = 0x02;
inline constexpr uint8_t kHierarchicalLuns = 0x10;  // HISUP, beside the response data format
inline constexpr uint8_t kCommandQueuing = 0x02;    // CMDQUE

// Standard INQUIRY data, without the version descriptors that may follow. SPC-4, 6.6.2.
struct StandardInquiry {
  uint8_t peripheral;               // PERIPHERAL QUALIFIER, PERIPHERAL DEVICE TYPE
  uint8_t removable;                // bit 7: RMB
  uint8_t version;                  // VERSION
  uint8_t response_format;          // bits 3..0: RESPONSE DATA FORMAT
  uint8_t additional_length;        // bytes that follow this one
  uint8_t flags5;                   // SCCS ... PROTECT
  uint8_t flags6;                   // ENCSERV, MULTIP
  uint8_t flags7;                   // CMDQUE
  std::array<uint8_t, 8> vendor;    // T10 VENDOR IDENTIFICATION, padded with spaces
  std::array<uint8_t, 16> product;  // PRODUCT IDENTIFICATION
  std::array<uint8_t, 4> revision;  // PRODUCT REVISION LEVEL
};
static_assert(WireStruct<StandardInquiry> && sizeof(StandardInquiry) == 36);

// What may follow: bytes 36 to 73 of the standard data. SPC-4, 6.6.2.
struct InquiryVersions {
  std::array<uint8_t, 20> vendor_specific;
  std::array<uint8_t, 2> reserved56;
  std::array<Be16, 8> versions;  // VERSION DESCRIPTOR: a standard that is claimed; 0 for none
};
static_assert(WireStruct<InquiryVersions> && sizeof(InquiryVersions) == 38);
// The standards, no version of them claimed. SPC-4, 6.6.2, table of version descriptor values.
inline constexpr uint16_t kClaimsSam5 = 0x00a0;
inline constexpr uint16_t kClaimsSpc4 = 0x0460;
inline constexpr uint16_t kClaimsSbc3 = 0x04c0;

// PAGE CODE of a VPD page. SPC-4, 7.8.1; SBC-3, 6.6.1.
enum class VpdPage : uint8_t {
  kSupportedPages = 0x00,
  kUnitSerialNumber = 0x80,
  kDeviceIdentification = 0x83,
  kPowerCondition = 0x8a,
  kBlockLimits = 0xb0,
  kBlockDeviceCharacteristics = 0xb1,
  kLogicalBlockProvisioning = 0xb2,
};

// What every VPD page begins with. SPC-4, 7.8.1. Pages 00h (a list of page codes) and 80h (the
// serial number) are this and bytes; page 83h is this and designation descriptors.
struct VpdHeader {
  uint8_t peripheral;
  uint8_t page_code;
  Be16 length;  // PAGE LENGTH: bytes that follow this header
};
static_assert(WireStruct<VpdHeader> && sizeof(VpdHeader) == 4);

// Designation descriptor, followed by its designator. SPC-4, 7.8.5.
struct DesignationDescriptor {
  uint8_t code_set;  // bits 7..4: PROTOCOL IDENTIFIER; bits 3..0: CODE SET
  uint8_t type;      // bit 7: PIV; bits 5..4: ASSOCIATION; bits 3..0: DESIGNATOR TYPE
  uint8_t reserved2;
  uint8_t length;  // DESIGNATOR LENGTH
};
static_assert(WireStruct<DesignationDescriptor> && sizeof(DesignationDescriptor) == 4);
inline constexpr uint8_t kCodeSetBinary = 1;
inline constexpr uint8_t kCodeSetAscii = 2;
inline constexpr uint8_t kCodeSetUtf8 = 3;
inline constexpr uint8_t kDesignatorVendorSpecific = 0;
inline constexpr uint8_t kDesignatorT10Vendor = 1;
inline constexpr uint8_t kDesignatorNaa = 3;
inline constexpr uint8_t kDesignatorScsiName = 8;

// Power Condition VPD page, 8Ah: the power conditions that START STOP UNIT can name, and how long
// it takes to come back from each, in milliseconds. SPC-4, 7.8.
struct PowerConditionPage {
  VpdHeader header;  // PAGE LENGTH 0Eh
  uint8_t standby;   // bit 1: STANDBY_Y; bit 0: STANDBY_Z
  uint8_t idle;      // bit 2: IDLE_C; bit 1: IDLE_B; bit 0: IDLE_A
  Be16 stopped_recovery;
  Be16 standby_z_recovery;
  Be16 standby_y_recovery;
  Be16 idle_a_recovery;
  Be16 idle_b_recovery;
  Be16 idle_c_recovery;
};
static_assert(WireStruct<PowerConditionPage> && sizeof(PowerConditionPage) == 18);

// Block Limits VPD page, B0h. SBC-3, 6.6.3; its last five fields are of SBC-4. Zero means "not
// reported".
struct BlockLimitsPage {
  VpdHeader header;            // PAGE LENGTH 60
  uint8_t flags4;              // bit 0: WSNZ
  uint8_t compare_write_max;   // MAXIMUM COMPARE AND WRITE LENGTH: blocks
  Be16 transfer_granularity;   // OPTIMAL TRANSFER LENGTH GRANULARITY: blocks
  Be32 transfer_max;           // MAXIMUM TRANSFER LENGTH: blocks
  Be32 transfer_optimal;       // OPTIMAL TRANSFER LENGTH: blocks
  Be32 prefetch_max;           // MAXIMUM PREFETCH LENGTH: blocks
  Be32 unmap_blocks_max;       // MAXIMUM UNMAP LBA COUNT
  Be32 unmap_descriptors_max;  // MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT
  Be32 unmap_granularity;      // OPTIMAL UNMAP GRANULARITY: blocks
  Be32 unmap_alignment;        // bit 31: UGAVALID; UNMAP GRANULARITY ALIGNMENT
  Be64 write_same_max;         // MAXIMUM WRITE SAME LENGTH: blocks
  Be32 atomic_max;             // MAXIMUM ATOMIC TRANSFER LENGTH: blocks
  Be32 atomic_alignment;       // ATOMIC ALIGNMENT: blocks
  Be32 atomic_granularity;     // ATOMIC TRANSFER LENGTH GRANULARITY: blocks
  Be32 atomic_boundary_max;    // MAXIMUM ATOMIC TRANSFER LENGTH WITH ATOMIC BOUNDARY
  Be32 boundary_max;           // MAXIMUM ATOMIC BOUNDARY SIZE: blocks
};
static_assert(WireStruct<BlockLimitsPage> && sizeof(BlockLimitsPage) == 64);
inline constexpr uint8_t kWriteSameNeedsLength = 0x01;               // WSNZ
inline constexpr uint32_t kUnmapAlignmentValid = uint32_t{1} << 31;  // UGAVALID

// Block Device Characteristics VPD page, B1h. SBC-3, 6.6.2.
struct BlockCharacteristicsPage {
  VpdHeader header;      // PAGE LENGTH 60
  Be16 rotation_rate;    // MEDIUM ROTATION RATE: 1 means non-rotating
  uint8_t product_type;  // PRODUCT TYPE
  uint8_t form_factor;   // bits 7..6: WABEREQ; 5..4: WACEREQ; 3..0: NOMINAL FORM FACTOR
  uint8_t flags8;        // bit 1: FUAB; bit 0: VBULS
  std::array<uint8_t, 55> reserved9;
};
static_assert(WireStruct<BlockCharacteristicsPage> && sizeof(BlockCharacteristicsPage) == 64);
inline constexpr uint16_t kRotationNone = 1;
inline constexpr uint8_t kErasedIsReadable = 0x40;  // WABEREQ 01b: block erase leaves what READ can

// Logical Block Provisioning VPD page, B2h. SBC-3, 6.6.4.
struct ProvisioningPage {
  VpdHeader header;  // PAGE LENGTH 4
  uint8_t threshold_exponent;
  uint8_t flags5;  // bit 7: LBPU; 6: LBPWS; 5: LBPWS10; 2: LBPRZ; 1: ANC_SUP; 0: DP
  uint8_t type;    // bits 2..0: PROVISIONING TYPE
  uint8_t reserved7;
};
static_assert(WireStruct<ProvisioningPage> && sizeof(ProvisioningPage) == 8);
inline constexpr uint8_t kProvisioningUnmap = 0x80;      // LBPU
inline constexpr uint8_t kProvisioningSame16 = 0x40;     // LBPWS: WRITE SAME(16) can unmap
inline constexpr uint8_t kProvisioningSame10 = 0x20;     // LBPWS10
inline constexpr uint8_t kProvisioningReadsZero = 0x04;  // LBPRZ
inline constexpr uint8_t kProvisioningThin = 2;          // PROVISIONING TYPE: thin

// ---- Mode parameters --------------------------------------------------------------------------

// Mode parameter header(6), for MODE SENSE(6). SPC-4, 7.5.5.
struct ModeHeader6 {
  uint8_t data_length;              // MODE DATA LENGTH: bytes that follow this one
  uint8_t medium_type;              // MEDIUM TYPE: 0 for disks
  uint8_t device_specific;          // DEVICE-SPECIFIC PARAMETER: for disks see below
  uint8_t block_descriptor_length;  // bytes
};
static_assert(WireStruct<ModeHeader6> && sizeof(ModeHeader6) == 4);

// Mode parameter header(10). SPC-4, 7.5.5.
struct ModeHeader10 {
  Be16 data_length;  // MODE DATA LENGTH: bytes that follow this field
  uint8_t medium_type;
  uint8_t device_specific;
  uint8_t flags4;  // bit 0: LONGLBA: the block descriptors are the long ones
  uint8_t reserved5;
  Be16 block_descriptor_length;
};
static_assert(WireStruct<ModeHeader10> && sizeof(ModeHeader10) == 8);
inline constexpr uint8_t kLongLba = 0x01;

// DEVICE-SPECIFIC PARAMETER of a disk. SBC-3, 6.5.1.
inline constexpr uint8_t kModeWriteProtected = 0x80;  // WP
inline constexpr uint8_t kModeDpoFua = 0x10;          // DPOFUA: DPO and FUA are supported

// Short LBA mode parameter block descriptor. SBC-3, 6.5.2.2.
struct BlockDescriptor {
  Be32 blocks_count;  // NUMBER OF LOGICAL BLOCKS: FFFFFFFFh where there are more
  uint8_t reserved4;
  Be24 block_length;  // LOGICAL BLOCK LENGTH: bytes
};
static_assert(WireStruct<BlockDescriptor> && sizeof(BlockDescriptor) == 8);

// Long LBA mode parameter block descriptor. SBC-3, 6.5.2.3.
struct LongBlockDescriptor {
  Be64 blocks_count;
  std::array<uint8_t, 4> reserved8;
  Be32 block_length;
};
static_assert(WireStruct<LongBlockDescriptor> && sizeof(LongBlockDescriptor) == 16);

// PAGE CODE of a mode page. SPC-4, 7.5.7; SBC-3, 6.5.3.
enum class ModePage : uint8_t {
  kCaching = 0x08,
  kControl = 0x0a,
  kInformationalExceptions = 0x1c,
  kAll = 0x3f,
};

// What every mode page without subpages (SPF zero) begins with. SPC-4, 7.5.7.
struct ModePageHeader {
  uint8_t page_code;  // bit 7: PS; bit 6: SPF; bits 5..0: PAGE CODE
  uint8_t length;     // PAGE LENGTH: bytes that follow this header
};
static_assert(WireStruct<ModePageHeader> && sizeof(ModePageHeader) == 2);

// Caching mode page, 08h. SBC-3, 6.5.5.
struct CachingPage {
  ModePageHeader header;  // PAGE LENGTH 12h
  uint8_t flags2;         // bit 2: WCE; bit 0: RCD
  uint8_t retention;
  Be16 prefetch_disable_length;
  Be16 prefetch_min;
  Be16 prefetch_max;
  Be16 prefetch_ceiling;
  uint8_t flags12;  // bit 7: FSW; bit 6: LBCSS; bit 5: DRA; bit 0: NV_DIS
  uint8_t cache_segments_count;
  Be16 cache_segment_size;
  uint8_t reserved16;
  std::array<uint8_t, 3> obsolete17;
};
static_assert(WireStruct<CachingPage> && sizeof(CachingPage) == 20);
inline constexpr uint8_t kWriteCacheEnabled = 0x04;  // WCE
inline constexpr uint8_t kReadCacheDisabled = 0x01;  // RCD

// Control mode page, 0Ah. SPC-4, 7.5.8.
struct ControlPage {
  ModePageHeader header;  // PAGE LENGTH 0Ah
  uint8_t flags2;         // bits 7..5: TST; bit 2: D_SENSE; bit 1: GLTSD
  uint8_t queueing;       // bits 7..4: QUEUE ALGORITHM MODIFIER; bits 2..1: QERR
  uint8_t flags4;         // bits 5..4: UA_INTLCK_CTRL; bit 3: SWP
  uint8_t flags5;         // bit 7: ATO; bit 6: TAS
  std::array<uint8_t, 2> obsolete6;
  Be16 busy_timeout_max;  // BUSY TIMEOUT PERIOD: units of 100 ms, FFFFh is unlimited
  Be16 self_test_time;    // EXTENDED SELF-TEST COMPLETION TIME: seconds
};
static_assert(WireStruct<ControlPage> && sizeof(ControlPage) == 12);
inline constexpr uint8_t kDescriptorSense = 0x04;         // D_SENSE
inline constexpr uint8_t kSoftwareWriteProtect = 0x08;    // SWP
inline constexpr uint8_t kTaskAbortedStatus = 0x40;       // TAS
inline constexpr uint8_t kGlobalLogSaveDisable = 0x02;    // GLTSD
inline constexpr uint8_t kUnrestrictedReordering = 0x10;  // QUEUE ALGORITHM MODIFIER 1

// Informational Exceptions Control mode page, 1Ch. SPC-4, 7.5.
struct ExceptionsPage {
  ModePageHeader header;  // PAGE LENGTH 0Ah
  uint8_t flags2;       // bit 7: PERF; 5: EBF; 4: EWASC; 3: DEXCPT; 2: TEST; 1: EBACKERR; 0: LOGERR
  uint8_t method;       // bits 3..0: MRIE
  Be32 interval_timer;  // units of 100 ms
  Be32 report_count;
};
static_assert(WireStruct<ExceptionsPage> && sizeof(ExceptionsPage) == 12);
inline constexpr uint8_t kExceptionsDisabled = 0x08;  // DEXCPT
inline constexpr uint8_t kExceptionsTest = 0x04;      // TEST
inline constexpr uint8_t kExceptionsOnRequest = 6;    // MRIE: only REQUEST SENSE reports them
inline constexpr uint8_t kModeSavable = 0x80;         // PS, of a page code

// ---- Capacities -------------------------------------------------------------------------------

// READ CAPACITY(10) parameter data. SBC-3, 5.
struct Capacity10 {
  Be32 lba_final;     // RETURNED LOGICAL BLOCK ADDRESS: FFFFFFFFh where READ CAPACITY(16) is needed
  Be32 block_length;  // bytes
};
static_assert(WireStruct<Capacity10> && sizeof(Capacity10) == 8);

// READ CAPACITY(16) parameter data. SBC-3, 5.
struct Capacity16 {
  Be64 lba_final;
  Be32 block_length;
  uint8_t protection;  // bits 3..1: P_TYPE; bit 0: PROT_EN
  uint8_t physical;    // bits 3..0: LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT
  Be16 provisioning;   // bit 15: LBPME; bit 14: LBPRZ; LOWEST ALIGNED LBA
  std::array<uint8_t, 16> reserved16;
};
static_assert(WireStruct<Capacity16> && sizeof(Capacity16) == 32);
inline constexpr uint16_t kProvisioningEnabled = 0x8000;  // LBPME
inline constexpr uint16_t kUnmappedReadsZero = 0x4000;    // LBPRZ

// ---- Sense data -------------------------------------------------------------------------------

// RESPONSE CODE, bits 6..0 of byte 0. SPC-4, 4.5.1.
inline constexpr uint8_t kResponseCodeMask = 0x7f;
inline constexpr uint8_t kFixedCurrent = 0x70;
inline constexpr uint8_t kFixedDeferred = 0x71;
inline constexpr uint8_t kDescriptorCurrent = 0x72;
inline constexpr uint8_t kDescriptorDeferred = 0x73;
inline constexpr uint8_t kInformationValid = 0x80;  // VALID, of fixed format and of the descriptor
inline constexpr uint8_t kSenseKeyMask = 0x0f;

// Fixed format. SPC-4, 4.5.3.
struct FixedSense {
  uint8_t response_code;  // bit 7: VALID
  uint8_t obsolete1;
  uint8_t flags2;  // bit 7: FILEMARK; bit 6: EOM; bit 5: ILI; bits 3..0: SENSE KEY
  Be32 information;
  uint8_t additional_length;            // bytes that follow this one
  Be32 command_specific;                // COMMAND-SPECIFIC INFORMATION
  uint8_t asc;                          // ADDITIONAL SENSE CODE
  uint8_t ascq;                         // ADDITIONAL SENSE CODE QUALIFIER
  uint8_t unit_code;                    // FIELD REPLACEABLE UNIT CODE
  std::array<uint8_t, 3> key_specific;  // bit 7 of the first: SKSV
};
static_assert(WireStruct<FixedSense> && sizeof(FixedSense) == 18);

// Descriptor format; sense data descriptors follow. SPC-4, 4.5.2.1.
struct DescriptorSense {
  uint8_t response_code;
  uint8_t key;  // bits 3..0: SENSE KEY
  uint8_t asc;
  uint8_t ascq;
  std::array<uint8_t, 3> reserved4;
  uint8_t additional_length;  // bytes that follow this one
};
static_assert(WireStruct<DescriptorSense> && sizeof(DescriptorSense) == 8);

// What every sense data descriptor begins with. SPC-4, 4.5.2.1.
struct SenseDescriptorHeader {
  uint8_t type;
  uint8_t additional_length;  // bytes that follow this header
};
static_assert(WireStruct<SenseDescriptorHeader> && sizeof(SenseDescriptorHeader) == 2);
inline constexpr uint8_t kInformationDescriptor = 0x00;
inline constexpr uint8_t kKeySpecificDescriptor = 0x02;

// SPC-4, 4.5.2.2.
struct InformationDescriptor {
  SenseDescriptorHeader header;  // type 00h, length 0Ah
  uint8_t valid;                 // bit 7: VALID
  uint8_t reserved3;
  Be64 information;
};
static_assert(WireStruct<InformationDescriptor> && sizeof(InformationDescriptor) == 12);

// SPC-4, 4.5.2.4.
struct KeySpecificDescriptor {
  SenseDescriptorHeader header;  // type 02h, length 06h
  std::array<uint8_t, 2> reserved2;
  std::array<uint8_t, 3> key_specific;  // bit 7 of the first: SKSV
  uint8_t reserved7;
};
static_assert(WireStruct<KeySpecificDescriptor> && sizeof(KeySpecificDescriptor) == 8);

// Field pointer, the sense key specific bytes of Illegal Request. SPC-4, 4.5.2.4.2.
inline constexpr uint8_t kKeySpecificValid = 0x80;  // SKSV
inline constexpr uint8_t kFieldInCommand = 0x40;    // C/D
inline constexpr uint8_t kFieldBitValid = 0x08;     // BPV
inline constexpr uint8_t kFieldBitMask = 0x07;      // BIT POINTER

// ---- REPORT LUNS ------------------------------------------------------------------------------

// Parameter data: this header, then 8-byte LUNs. SPC-4, 6.33.
struct LunListHeader {
  Be32 length;  // LUN LIST LENGTH: bytes of LUNs, even of those that were cut off
  std::array<uint8_t, 4> reserved4;
};
static_assert(WireStruct<LunListHeader> && sizeof(LunListHeader) == 8);

// One LUN, peripheral device addressing on bus 0: the number is the second byte. SAM-5, 4.6.
struct LunEntry {
  uint8_t address_method;  // 0
  uint8_t number;
  std::array<uint8_t, 6> lower_levels;  // zero: one level only
};
static_assert(WireStruct<LunEntry> && sizeof(LunEntry) == 8);

}  // namespace usbtwin::wire::scsi
