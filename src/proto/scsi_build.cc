#include <limits>

#include "proto/scsi_command.h"

namespace usbtwin::scsi {
namespace {

namespace raw = wire::scsi;

template <class Layout>
Cdb Build(raw::Opcode opcode, Layout layout) {
  layout.opcode = static_cast<uint8_t>(opcode);
  Cdb cdb;
  cdb.length = sizeof(Layout);
  wire::Emit(cdb.bytes, layout);
  return cdb;
}

template <class Layout, class Address, class Length>
Cdb BuildBlocks(raw::Opcode opcode, uint8_t flags, uint64_t lba, uint32_t blocks_count) {
  CHECK_LE(lba, std::numeric_limits<Address>::max());
  CHECK_LE(blocks_count, std::numeric_limits<Length>::max());
  Layout layout{};
  layout.flags = flags;
  layout.lba = static_cast<Address>(lba);
  layout.length = static_cast<Length>(blocks_count);
  return Build(opcode, layout);
}
constexpr auto BuildBlocks10 = BuildBlocks<raw::BlockCommand10, uint32_t, uint16_t>;
constexpr auto BuildBlocks12 = BuildBlocks<raw::BlockCommand12, uint32_t, uint32_t>;
constexpr auto BuildBlocks16 = BuildBlocks<raw::BlockCommand16, uint64_t, uint32_t>;

Cdb BuildBlocks6(raw::Opcode opcode, uint64_t lba, uint32_t blocks_count) {
  CHECK_LE(lba, raw::kLbaMask6);
  CHECK_LE(1u, blocks_count);
  CHECK_LE(blocks_count, 256u);
  raw::BlockCommand6 layout{};
  layout.lba = static_cast<uint32_t>(lba);
  layout.length = static_cast<uint8_t>(blocks_count);  // 256 becomes 0, which means it
  return Build(opcode, layout);
}

uint8_t Flags(Caching caching) {
  return static_cast<uint8_t>((caching.disable_page_out ? raw::kDisablePageOut : 0) |
                              (caching.force_unit_access ? raw::kForceUnitAccess : 0));
}
uint8_t CompareFlags(bool compare) {
  return static_cast<uint8_t>((compare ? 1 : 0) << raw::kByteCheckShift);
}
uint8_t SyncFlags(bool immediate) {
  return immediate ? raw::kSyncImmediate : uint8_t{0};
}
uint8_t SameFlags(const cdb::WriteSame& request) {
  return static_cast<uint8_t>((request.unmap ? raw::kSameUnmap : 0) |
                              (request.no_data ? raw::kSameNoData : 0));
}

uint8_t ModeSelectFlags(const cdb::ModeSelect& request) {
  return static_cast<uint8_t>(raw::kModePageFormat | (request.save ? raw::kModeSavePages : 0));
}

template <class Request>
Cdb BuildBuffer(raw::Opcode opcode, const Request& request, uint32_t length) {
  constexpr uint32_t kFieldMax = (1 << 24) - 1;
  CHECK_LE(request.mode, raw::kBufferModeMask);
  CHECK_LE(request.offset, kFieldMax);
  CHECK_LE(length, kFieldMax);
  raw::BufferCommand layout{};
  layout.mode = request.mode;
  layout.buffer_id = request.buffer_id;
  layout.offset = request.offset;
  layout.length = length;
  return Build(opcode, layout);
}

template <class Layout>
Cdb BuildModeSense(raw::Opcode opcode, const cdb::ModeSense& sense) {
  CHECK_LE(sense.page, raw::kModePageCodeMask);
  Layout layout{};
  if (sense.disable_block_descriptors) layout.flags |= raw::kModeDisableBlockDescriptors;
  if (sense.long_lba) layout.flags |= raw::kModeLongLba;
  layout.page = static_cast<uint8_t>(
      static_cast<uint8_t>(sense.control) << raw::kModePageControlShift | sense.page);
  layout.subpage = sense.subpage;
  layout.allocation_length =
      static_cast<decltype(layout.allocation_length)>(sense.allocation_length);
  return Build(opcode, layout);
}

}  // namespace

Cdb TestUnitReady() {
  return Build(raw::Opcode::kTestUnitReady, raw::TestUnitReadyCommand{});
}

Cdb RequestSense(bool descriptor, uint8_t allocation_length) {
  raw::RequestSenseCommand layout{};
  if (descriptor) layout.flags = raw::kSenseDescriptorFormat;
  layout.allocation_length = allocation_length;
  return Build(raw::Opcode::kRequestSense, layout);
}

Cdb Inquiry(bool vital, uint8_t page, uint16_t allocation_length) {
  raw::InquiryCommand layout{};
  if (vital) layout.flags = raw::kInquiryVitalProductData;
  layout.page_code = page;
  layout.allocation_length = allocation_length;
  return Build(raw::Opcode::kInquiry, layout);
}

Cdb ModeSense6(const cdb::ModeSense& sense) {
  CHECK(!sense.ten);
  CHECK(!sense.long_lba);
  CHECK_LE(sense.allocation_length, UINT8_MAX);
  return BuildModeSense<raw::ModeSense6Command>(raw::Opcode::kModeSense6, sense);
}

Cdb ModeSense10(const cdb::ModeSense& sense) {
  CHECK(sense.ten);
  return BuildModeSense<raw::ModeSense10Command>(raw::Opcode::kModeSense10, sense);
}

Cdb ModeSelect6(const cdb::ModeSelect& request) {
  CHECK(!request.ten);
  CHECK_LE(request.parameter_list_length, UINT8_MAX);
  raw::ModeSelect6Command layout{};
  layout.flags = ModeSelectFlags(request);
  layout.parameter_list_length = static_cast<uint8_t>(request.parameter_list_length);
  return Build(raw::Opcode::kModeSelect6, layout);
}

Cdb ModeSelect10(const cdb::ModeSelect& request) {
  CHECK(request.ten);
  raw::ModeSelect10Command layout{};
  layout.flags = ModeSelectFlags(request);
  layout.parameter_list_length = request.parameter_list_length;
  return Build(raw::Opcode::kModeSelect10, layout);
}

Cdb LogSense(const cdb::LogSense& request) {
  CHECK_LE(request.page, raw::kModePageCodeMask);
  raw::LogSenseCommand layout{};
  layout.page = static_cast<uint8_t>(
      static_cast<uint8_t>(request.control) << raw::kModePageControlShift | request.page);
  layout.subpage = request.subpage;
  layout.parameter = request.parameter;
  layout.allocation_length = request.allocation_length;
  return Build(raw::Opcode::kLogSense, layout);
}

Cdb Reserve6() {
  return Build(raw::Opcode::kReserve6, raw::Reserve6Command{});
}

Cdb Release6() {
  return Build(raw::Opcode::kRelease6, raw::Reserve6Command{});
}

Cdb PersistentReserveIn(const cdb::PersistentReserveIn& request) {
  raw::PersistentReserveInCommand layout{};
  layout.service_action = static_cast<uint8_t>(request.action);
  layout.allocation_length = request.allocation_length;
  return Build(raw::Opcode::kPersistentReserveIn, layout);
}

Cdb PersistentReserveOut(const cdb::PersistentReserveOut& request) {
  CHECK_LE(request.scope, 0x0f);
  CHECK_LE(request.type, 0x0f);
  raw::PersistentReserveOutCommand layout{};
  layout.service_action = static_cast<uint8_t>(request.action);
  layout.scope_type = static_cast<uint8_t>(request.scope << 4 | request.type);
  layout.parameter_list_length = request.parameter_list_length;
  return Build(raw::Opcode::kPersistentReserveOut, layout);
}

Cdb ReadCapacity10() {
  return Build(raw::Opcode::kReadCapacity10, raw::ReadCapacity10Command{});
}

Cdb ReadCapacity16(uint32_t allocation_length) {
  raw::ReadCapacity16Command layout{};
  layout.service_action = raw::kServiceActionReadCapacity16;
  layout.allocation_length = allocation_length;
  return Build(raw::Opcode::kServiceActionIn16, layout);
}

Cdb Read6(uint64_t lba, uint32_t blocks_count) {
  return BuildBlocks6(raw::Opcode::kRead6, lba, blocks_count);
}
Cdb Read10(uint64_t lba, uint32_t blocks_count, Caching caching) {
  return BuildBlocks10(raw::Opcode::kRead10, Flags(caching), lba, blocks_count);
}
Cdb Read12(uint64_t lba, uint32_t blocks_count, Caching caching) {
  return BuildBlocks12(raw::Opcode::kRead12, Flags(caching), lba, blocks_count);
}
Cdb Read16(uint64_t lba, uint32_t blocks_count, Caching caching) {
  return BuildBlocks16(raw::Opcode::kRead16, Flags(caching), lba, blocks_count);
}
Cdb Write6(uint64_t lba, uint32_t blocks_count) {
  return BuildBlocks6(raw::Opcode::kWrite6, lba, blocks_count);
}
Cdb Write10(uint64_t lba, uint32_t blocks_count, Caching caching) {
  return BuildBlocks10(raw::Opcode::kWrite10, Flags(caching), lba, blocks_count);
}
Cdb Write12(uint64_t lba, uint32_t blocks_count, Caching caching) {
  return BuildBlocks12(raw::Opcode::kWrite12, Flags(caching), lba, blocks_count);
}
Cdb Write16(uint64_t lba, uint32_t blocks_count, Caching caching) {
  return BuildBlocks16(raw::Opcode::kWrite16, Flags(caching), lba, blocks_count);
}
Cdb Verify10(uint64_t lba, uint32_t blocks_count, bool compare) {
  return BuildBlocks10(raw::Opcode::kVerify10, CompareFlags(compare), lba, blocks_count);
}
Cdb Verify16(const cdb::Verify& request) {
  const auto flags = static_cast<uint8_t>((request.disable_page_out ? raw::kDisablePageOut : 0) |
                                          CompareFlags(request.compare));
  return BuildBlocks16(raw::Opcode::kVerify16, flags, request.range.lba,
                       request.range.blocks_count);
}
Cdb SynchronizeCache10(uint64_t lba, uint32_t blocks_count, bool immediate) {
  return BuildBlocks10(raw::Opcode::kSynchronizeCache10, SyncFlags(immediate), lba, blocks_count);
}
Cdb SynchronizeCache16(uint64_t lba, uint32_t blocks_count, bool immediate) {
  return BuildBlocks16(raw::Opcode::kSynchronizeCache16, SyncFlags(immediate), lba, blocks_count);
}

Cdb WriteAndVerify16(const cdb::WriteAndVerify& request) {
  const auto flags = static_cast<uint8_t>((request.disable_page_out ? raw::kDisablePageOut : 0) |
                                          CompareFlags(request.compare));
  return BuildBlocks16(raw::Opcode::kWriteAndVerify16, flags, request.range.lba,
                       request.range.blocks_count);
}

Cdb CompareAndWrite(const cdb::CompareAndWrite& request) {
  CHECK_LE(request.range.blocks_count, UINT8_MAX);
  raw::CompareAndWriteCommand layout{};
  layout.flags = Flags({request.disable_page_out, request.force_unit_access});
  layout.lba = request.range.lba;
  layout.length = static_cast<uint8_t>(request.range.blocks_count);
  return Build(raw::Opcode::kCompareAndWrite, layout);
}

Cdb OrWrite16(const cdb::OrWrite& request) {
  const uint8_t flags = Flags({request.disable_page_out, request.force_unit_access});
  return BuildBlocks16(raw::Opcode::kOrWrite16, flags, request.range.lba,
                       request.range.blocks_count);
}

Cdb WriteAtomic16(const cdb::WriteAtomic& request) {
  CHECK_LE(request.range.blocks_count, UINT16_MAX);
  raw::WriteAtomicCommand layout{};
  layout.flags = Flags({request.disable_page_out, request.force_unit_access});
  layout.lba = request.range.lba;
  layout.boundary = request.boundary;
  layout.length = static_cast<uint16_t>(request.range.blocks_count);
  return Build(raw::Opcode::kWriteAtomic16, layout);
}

Cdb WriteSame10(const cdb::WriteSame& request) {
  CHECK(!request.no_data);
  return BuildBlocks10(raw::Opcode::kWriteSame10, SameFlags(request), request.range.lba,
                       request.range.blocks_count);
}

Cdb WriteSame16(const cdb::WriteSame& request) {
  return BuildBlocks16(raw::Opcode::kWriteSame16, SameFlags(request), request.range.lba,
                       request.range.blocks_count);
}

Cdb Unmap(const cdb::Unmap& request) {
  raw::UnmapCommand layout{};
  layout.parameter_list_length = request.parameter_list_length;
  return Build(raw::Opcode::kUnmap, layout);
}

Cdb GetLbaStatus(const cdb::GetLbaStatus& request) {
  raw::GetLbaStatusCommand layout{};
  layout.service_action = raw::kServiceActionGetLbaStatus;
  layout.lba = request.lba;
  layout.allocation_length = request.allocation_length;
  return Build(raw::Opcode::kServiceActionIn16, layout);
}

Cdb PreFetch16(const cdb::PreFetch& request) {
  return BuildBlocks16(raw::Opcode::kPreFetch16, SyncFlags(request.immediate), request.range.lba,
                       request.range.blocks_count);
}

Cdb ReadDefectData(const cdb::ReadDefectData& request) {
  CHECK_LE(request.format, raw::kDefectFormatMask);
  const auto flags = static_cast<uint8_t>(request.lists | request.format);
  if (request.twelve) {
    raw::ReadDefectData12Command layout{};
    layout.flags = flags;
    layout.index = request.index;
    layout.allocation_length = request.allocation_length;
    return Build(raw::Opcode::kReadDefectData12, layout);
  }
  CHECK_EQ(request.index, 0u);
  CHECK_LE(request.allocation_length, UINT16_MAX);
  raw::ReadDefectData10Command layout{};
  layout.flags = flags;
  layout.allocation_length = static_cast<uint16_t>(request.allocation_length);
  return Build(raw::Opcode::kReadDefectData10, layout);
}

Cdb ReadBuffer(const cdb::ReadBuffer& request) {
  return BuildBuffer(raw::Opcode::kReadBuffer, request, request.allocation_length);
}

Cdb WriteBuffer(const cdb::WriteBuffer& request) {
  return BuildBuffer(raw::Opcode::kWriteBuffer, request, request.parameter_list_length);
}

Cdb ReportOpcodes(const cdb::ReportOpcodes& request) {
  CHECK_LE(request.options, raw::kOpcodesOptionsMask);
  raw::ReportOpcodesCommand layout{};
  layout.service_action = raw::kServiceActionReportOpcodes;
  layout.options =
      static_cast<uint8_t>((request.timeouts ? raw::kOpcodesTimeouts : 0) | request.options);
  layout.wanted_opcode = request.opcode;
  layout.wanted_action = request.service_action;
  layout.allocation_length = request.allocation_length;
  return Build(raw::Opcode::kMaintenanceIn, layout);
}

Cdb ReportTaskFunctions(const cdb::ReportTaskFunctions& request) {
  raw::ReportTaskFunctionsCommand layout{};
  layout.service_action = raw::kServiceActionReportTaskFunctions;
  if (request.extended) layout.flags = raw::kTaskFunctionsExtended;
  layout.allocation_length = request.allocation_length;
  return Build(raw::Opcode::kMaintenanceIn, layout);
}

Cdb ReportLuns(uint8_t select, uint32_t allocation_length) {
  raw::ReportLunsCommand layout{};
  layout.select = select;
  layout.allocation_length = allocation_length;
  return Build(raw::Opcode::kReportLuns, layout);
}

Cdb StartStopUnit(const cdb::StartStopUnit& request) {
  CHECK_LE(request.power_condition, 0x0f);
  raw::StartStopUnitCommand layout{};
  CHECK_LE(request.modifier, raw::kPowerModifierMask);
  if (request.immediate) layout.flags = raw::kStartStopImmediate;
  layout.modifier = request.modifier;
  layout.action = static_cast<uint8_t>(request.power_condition << raw::kPowerConditionShift |
                                       (request.no_flush ? raw::kNoFlush : 0) |
                                       (request.load_eject ? raw::kLoadEject : 0) |
                                       (request.start ? raw::kStart : 0));
  return Build(raw::Opcode::kStartStopUnit, layout);
}

Cdb PreventAllowMediumRemoval(bool prevent) {
  raw::PreventAllowCommand layout{};
  layout.prevent = prevent ? 1 : 0;
  return Build(raw::Opcode::kPreventAllowMediumRemoval, layout);
}

Cdb FormatUnit(const cdb::FormatUnit& request) {
  CHECK_LE(request.defect_format, raw::kDefectFormatMask);
  raw::FormatUnitCommand layout{};
  layout.flags = static_cast<uint8_t>(
      (request.long_list ? raw::kFormatLongList : 0) | (request.has_list ? raw::kFormatData : 0) |
      (request.complete ? raw::kFormatComplete : 0) | request.defect_format);
  return Build(raw::Opcode::kFormatUnit, layout);
}

Cdb Sanitize(const cdb::Sanitize& request) {
  raw::SanitizeCommand layout{};
  layout.flags = static_cast<uint8_t>((request.immediate ? raw::kSanitizeImmediate : 0) |
                                      (request.unrestricted ? raw::kSanitizeUnrestricted : 0) |
                                      static_cast<uint8_t>(request.action));
  layout.parameter_list_length = request.parameter_list_length;
  return Build(raw::Opcode::kSanitize, layout);
}

}  // namespace usbtwin::scsi
