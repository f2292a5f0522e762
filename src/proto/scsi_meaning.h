// What SCSI commands mean: one plain struct for each, and the variant of them all. Between the
// bytes of a command block and whoever carries it out; see scsi_command.h. SPC-4, SBC-3.
#pragma once

#include <cstdint>
#include <variant>

#include "wire/scsi_reservation.h"
#include "wire/scsi_unit.h"

namespace usbtwin::scsi::cdb {

struct TestUnitReady {
  bool operator==(const TestUnitReady&) const = default;
};
struct RequestSense {
  bool descriptor = false;  // DESC: descriptor format wanted
  uint8_t allocation_length = 0;
  bool operator==(const RequestSense&) const = default;
};
struct Inquiry {
  bool vital = false;  // EVPD: a VPD page wanted
  uint8_t page = 0;
  uint16_t allocation_length = 0;
  bool operator==(const Inquiry&) const = default;
};
enum class PageControl : uint8_t { kCurrent, kChangeable, kDefault, kSaved };
struct ModeSense {
  bool ten = false;                        // MODE SENSE(10): the longer header
  bool long_lba = false;                   // LLBAA: the longer block descriptor is allowed
  bool disable_block_descriptors = false;  // DBD
  PageControl control = PageControl::kCurrent;
  uint8_t page = 0;
  uint8_t subpage = 0;
  uint16_t allocation_length = 0;
  bool operator==(const ModeSense&) const = default;
};
struct ModeSelect {
  bool ten = false;   // MODE SELECT(10): the longer header
  bool save = false;  // SP: the values become the saved ones as well
  uint16_t parameter_list_length = 0;
  bool operator==(const ModeSelect&) const = default;
};
struct LogSense {
  PageControl control = PageControl::kChangeable;  // 01b: cumulative values
  uint8_t page = 0;
  uint8_t subpage = 0;
  uint16_t parameter = 0;  // PARAMETER POINTER
  uint16_t allocation_length = 0;
  bool operator==(const LogSense&) const = default;
};
struct Reserve6 {
  bool operator==(const Reserve6&) const = default;
};
struct Release6 {
  bool operator==(const Release6&) const = default;
};
struct PersistentReserveIn {
  wire::scsi::ReserveIn action{};
  uint16_t allocation_length = 0;
  bool operator==(const PersistentReserveIn&) const = default;
};
struct PersistentReserveOut {
  wire::scsi::ReserveOut action{};
  uint8_t scope = 0;
  uint8_t type = 0;  // a wire::scsi::ReserveType, or not
  uint32_t parameter_list_length = 0;
  bool operator==(const PersistentReserveOut&) const = default;
};
struct ReadCapacity10 {
  bool operator==(const ReadCapacity10&) const = default;
};
struct ReadCapacity16 {
  uint32_t allocation_length = 0;
  bool operator==(const ReadCapacity16&) const = default;
};
// Blocks of the commands below, as many bytes as the CDB had room for.
struct Range {
  uint64_t lba = 0;
  uint32_t blocks_count = 0;
  uint8_t length_byte = 7;  // where the length stands in the CDB, for the field pointer
  bool operator==(const Range& other) const {
    return lba == other.lba && blocks_count == other.blocks_count;
  }
};
struct Read {
  Range range;
  bool disable_page_out = false;   // DPO: a hint about caching
  bool force_unit_access = false;  // FUA
  bool operator==(const Read&) const = default;
};
struct Write {
  Range range;
  bool disable_page_out = false;
  bool force_unit_access = false;
  bool operator==(const Write&) const = default;
};
struct Verify {
  Range range;
  bool disable_page_out = false;
  bool compare = false;  // BYTCHK 01b: the host sends what should be there
  bool operator==(const Verify&) const = default;
};
struct WriteAndVerify {
  Range range;
  bool disable_page_out = false;
  bool compare = false;  // BYTCHK 01b: against what was sent, not only readable
  bool operator==(const WriteAndVerify&) const = default;
};
struct CompareAndWrite {
  Range range;  // at most 255 blocks; twice that many are sent
  bool disable_page_out = false;
  bool force_unit_access = false;
  bool operator==(const CompareAndWrite&) const = default;
};
struct OrWrite {
  Range range;
  bool disable_page_out = false;
  bool force_unit_access = false;
  bool operator==(const OrWrite&) const = default;
};
struct WriteAtomic {
  Range range;
  bool disable_page_out = false;
  bool force_unit_access = false;
  uint16_t boundary = 0;  // blocks in each atomic operation; 0: there is one, of the whole range
  bool operator==(const WriteAtomic&) const = default;
};
struct WriteSame {
  Range range;
  bool unmap = false;    // UNMAP: the blocks may be deallocated instead
  bool no_data = false;  // NDOB: nothing is sent, zeros are meant
  bool operator==(const WriteSame&) const = default;
};
struct Unmap {
  uint16_t parameter_list_length = 0;
  bool operator==(const Unmap&) const = default;
};
struct GetLbaStatus {
  uint64_t lba = 0;
  uint32_t allocation_length = 0;
  bool operator==(const GetLbaStatus&) const = default;
};
struct PreFetch {
  Range range;  // no blocks: to the end of the medium
  bool immediate = false;
  bool operator==(const PreFetch&) const = default;
};
struct SynchronizeCache {
  Range range;  // no blocks: to the end of the medium
  bool immediate = false;
  bool operator==(const SynchronizeCache&) const = default;
};
struct ReadDefectData {
  bool twelve = false;  // READ DEFECT DATA(12): the longer header
  uint8_t lists = 0;    // REQ_PLIST (10h), REQ_GLIST (08h)
  uint8_t format = 0;   // DEFECT LIST FORMAT
  uint32_t index = 0;   // ADDRESS DESCRIPTOR INDEX
  uint32_t allocation_length = 0;
  bool operator==(const ReadDefectData&) const = default;
};
struct ReadBuffer {
  uint8_t mode = 0;
  uint8_t buffer_id = 0;
  uint32_t offset = 0;  // bytes
  uint32_t allocation_length = 0;
  bool operator==(const ReadBuffer&) const = default;
};
struct WriteBuffer {
  uint8_t mode = 0;
  uint8_t buffer_id = 0;
  uint32_t offset = 0;                 // bytes
  uint32_t parameter_list_length = 0;  // bytes
  bool operator==(const WriteBuffer&) const = default;
};
struct ReportOpcodes {
  bool timeouts = false;  // RCTD: timeouts descriptors wanted
  uint8_t options = 0;    // REPORTING OPTIONS
  uint8_t opcode = 0;
  uint16_t service_action = 0;
  uint32_t allocation_length = 0;
  bool operator==(const ReportOpcodes&) const = default;
};
struct ReportTaskFunctions {
  bool extended = false;  // REPD
  uint32_t allocation_length = 0;
  bool operator==(const ReportTaskFunctions&) const = default;
};
struct ReportLuns {
  uint8_t select = 0;  // SELECT REPORT
  uint32_t allocation_length = 0;
  bool operator==(const ReportLuns&) const = default;
};
struct StartStopUnit {
  bool immediate = false;
  uint8_t power_condition = 0;
  uint8_t modifier = 0;  // POWER CONDITION MODIFIER
  bool no_flush = false;
  bool load_eject = false;  // LOEJ
  bool start = false;
  bool operator==(const StartStopUnit&) const = default;
};
struct FormatUnit {
  bool long_list = false;  // LONGLIST: the longer header
  bool has_list = false;   // FMTDATA: a parameter list is sent
  bool complete = false;   // CMPLST: the list of defects it has is all there is
  uint8_t defect_format = 0;
  bool operator==(const FormatUnit&) const = default;
};
struct Sanitize {
  wire::scsi::SanitizeAction action{};
  bool immediate = false;
  bool unrestricted = false;  // AUSE: a failure can be left by EXIT FAILURE MODE
  uint16_t parameter_list_length = 0;
  bool operator==(const Sanitize&) const = default;
};
struct PreventAllowMediumRemoval {
  bool prevent = false;
  bool operator==(const PreventAllowMediumRemoval&) const = default;
};

}  // namespace usbtwin::scsi::cdb

namespace usbtwin::scsi {

using Meaning =
    std::variant<cdb::TestUnitReady, cdb::RequestSense, cdb::Inquiry, cdb::ModeSelect,
                 cdb::ModeSense, cdb::LogSense, cdb::Reserve6, cdb::Release6,
                 cdb::PersistentReserveIn, cdb::PersistentReserveOut, cdb::ReadCapacity10,
                 cdb::ReadCapacity16, cdb::Read, cdb::Write, cdb::Verify, cdb::WriteAndVerify,
                 cdb::CompareAndWrite, cdb::OrWrite, cdb::WriteAtomic, cdb::WriteSame, cdb::Unmap,
                 cdb::GetLbaStatus, cdb::PreFetch, cdb::SynchronizeCache, cdb::ReadDefectData,
                 cdb::ReadBuffer, cdb::WriteBuffer, cdb::ReportOpcodes, cdb::ReportTaskFunctions,
                 cdb::ReportLuns, cdb::StartStopUnit, cdb::PreventAllowMediumRemoval,
                 cdb::FormatUnit, cdb::Sanitize>;

}  // namespace usbtwin::scsi
