// Commands for all device types: SPC-4.
#include "proto/scsi_parse.h"

namespace usbtwin::scsi {
namespace {

namespace raw = wire::scsi;  // the layouts this file is about

Parsed ParseTestUnitReady(Bytes) {
  return Meaning(cdb::TestUnitReady{});
}

Parsed ParseRequestSense(Bytes cdb) {
  const auto& layout = As<raw::RequestSenseCommand>(cdb);
  return Meaning(cdb::RequestSense{.descriptor = (layout.flags & raw::kSenseDescriptorFormat) != 0,
                                   .allocation_length = layout.allocation_length});
}

Parsed ParseInquiry(Bytes cdb) {
  const auto& layout = As<raw::InquiryCommand>(cdb);
  if ((layout.flags & raw::kInquiryCommandData) != 0) return InvalidFieldInCdb(1, 1);
  const bool vital = (layout.flags & raw::kInquiryVitalProductData) != 0;
  // SPC-4, 6.6.1: without EVPD a page code is an error.
  if (!vital && layout.page_code != 0) return InvalidFieldInCdb(2);
  return Meaning(cdb::Inquiry{
      .vital = vital, .page = layout.page_code, .allocation_length = layout.allocation_length});
}

template <class Layout>
Parsed ParseModeSense(Bytes cdb) {
  constexpr bool kTen = std::is_same_v<Layout, raw::ModeSense10Command>;
  const Layout& layout = As<Layout>(cdb);
  return Meaning(cdb::ModeSense{
      .ten = kTen,
      .long_lba = kTen && (layout.flags & raw::kModeLongLba) != 0,
      .disable_block_descriptors = (layout.flags & raw::kModeDisableBlockDescriptors) != 0,
      .control = static_cast<cdb::PageControl>(layout.page >> raw::kModePageControlShift),
      .page = static_cast<uint8_t>(layout.page & raw::kModePageCodeMask),
      .subpage = layout.subpage,
      .allocation_length = layout.allocation_length});
}

Parsed ParseReportLuns(Bytes cdb) {
  const auto& layout = As<raw::ReportLunsCommand>(cdb);
  return Meaning(
      cdb::ReportLuns{.select = layout.select, .allocation_length = layout.allocation_length});
}

template <class Layout>
Parsed ParseModeSelect(Bytes cdb) {
  const Layout& layout = As<Layout>(cdb);
  // Without PF the list would be in a format of the vendor's own, and there is none.
  if ((layout.flags & raw::kModePageFormat) == 0) return InvalidFieldInCdb(1, 4);
  if ((layout.flags & raw::kModeRevertDefaults) != 0) return InvalidFieldInCdb(1, 1);
  return Meaning(cdb::ModeSelect{.ten = std::is_same_v<Layout, raw::ModeSelect10Command>,
                                 .save = (layout.flags & raw::kModeSavePages) != 0,
                                 .parameter_list_length = layout.parameter_list_length});
}

Parsed ParseLogSense(Bytes cdb) {
  const auto& layout = As<raw::LogSenseCommand>(cdb);
  if ((layout.flags & raw::kLogSave) != 0) return InvalidFieldInCdb(1, 0);  // nothing is saved
  return Meaning(cdb::LogSense{
      .control = static_cast<cdb::PageControl>(layout.page >> raw::kModePageControlShift),
      .page = static_cast<uint8_t>(layout.page & raw::kModePageCodeMask),
      .subpage = layout.subpage,
      .parameter = layout.parameter,
      .allocation_length = layout.allocation_length});
}

// Reservations of extents, or for somebody else, are long obsolete.
template <class What>
Parsed ParseReserve6(Bytes cdb) {
  const auto& layout = As<raw::Reserve6Command>(cdb);
  if ((layout.flags & raw::kReserveThirdParty) != 0) return InvalidFieldInCdb(1, 4);
  if ((layout.flags & raw::kReserveExtent) != 0) return InvalidFieldInCdb(1, 0);
  return Meaning(What{});
}

Parsed ParsePersistentReserveIn(Bytes cdb) {
  const auto& layout = As<raw::PersistentReserveInCommand>(cdb);
  return Meaning(cdb::PersistentReserveIn{
      .action = static_cast<raw::ReserveIn>(layout.service_action & raw::kServiceActionMask),
      .allocation_length = layout.allocation_length});
}

Parsed ParsePersistentReserveOut(Bytes cdb) {
  const auto& layout = As<raw::PersistentReserveOutCommand>(cdb);
  return Meaning(cdb::PersistentReserveOut{
      .action = static_cast<raw::ReserveOut>(layout.service_action & raw::kServiceActionMask),
      .scope = static_cast<uint8_t>(layout.scope_type >> 4),
      .type = static_cast<uint8_t>(layout.scope_type & 0x0f),
      .parameter_list_length = layout.parameter_list_length});
}

Parsed ParseReadBuffer(Bytes cdb) {
  const auto& layout = As<raw::BufferCommand>(cdb);
  return Meaning(cdb::ReadBuffer{.mode = static_cast<uint8_t>(layout.mode & raw::kBufferModeMask),
                                 .buffer_id = layout.buffer_id,
                                 .offset = layout.offset,
                                 .allocation_length = layout.length});
}

Parsed ParseWriteBuffer(Bytes cdb) {
  const auto& layout = As<raw::BufferCommand>(cdb);
  return Meaning(cdb::WriteBuffer{.mode = static_cast<uint8_t>(layout.mode & raw::kBufferModeMask),
                                  .buffer_id = layout.buffer_id,
                                  .offset = layout.offset,
                                  .parameter_list_length = layout.length});
}

Parsed ParseReportOpcodes(Bytes cdb) {
  const auto& layout = As<raw::ReportOpcodesCommand>(cdb);
  const uint8_t options = layout.options & raw::kOpcodesOptionsMask;
  if (options > 3) return InvalidFieldInCdb(2, 2);
  return Meaning(cdb::ReportOpcodes{.timeouts = (layout.options & raw::kOpcodesTimeouts) != 0,
                                    .options = options,
                                    .opcode = layout.wanted_opcode,
                                    .service_action = layout.wanted_action,
                                    .allocation_length = layout.allocation_length});
}

Parsed ParseReportTaskFunctions(Bytes cdb) {
  const auto& layout = As<raw::ReportTaskFunctionsCommand>(cdb);
  return Meaning(
      cdb::ReportTaskFunctions{.extended = (layout.flags & raw::kTaskFunctionsExtended) != 0,
                               .allocation_length = layout.allocation_length});
}

const CommandRow kRows[] = {
    Row("00 00000000 04"_hex, ParseTestUnitReady),
    Row("03 01 0000 ff 04"_hex, ParseRequestSense),
    Row("12 03 ff ffff 04"_hex, ParseInquiry),
    Row("15 13 00 00 ff 04"_hex, ParseModeSelect<raw::ModeSelect6Command>),
    Row("16 11 000000 04"_hex, ParseReserve6<cdb::Reserve6>),
    Row("17 11 000000 04"_hex, ParseReserve6<cdb::Release6>),
    Row("1a 08 ff ff ff 04"_hex, ParseModeSense<raw::ModeSense6Command>),
    Row("3b 1f ff ffffff ffffff 04"_hex, ParseWriteBuffer),
    Row("3c 1f ff ffffff ffffff 04"_hex, ParseReadBuffer),
    Row("4d 01 ff ff 00 ffff ffff 04"_hex, ParseLogSense),
    Row("55 13 0000000000 ffff 04"_hex, ParseModeSelect<raw::ModeSelect10Command>),
    Row("5a 18 ff ff 000000 ffff 04"_hex, ParseModeSense<raw::ModeSense10Command>),
    ActionRow("5e 00 0000000000 ffff 04"_hex, ParsePersistentReserveIn),
    ActionRow("5e 01 0000000000 ffff 04"_hex, ParsePersistentReserveIn),
    ActionRow("5e 02 0000000000 ffff 04"_hex, ParsePersistentReserveIn),
    ActionRow("5e 03 0000000000 ffff 04"_hex, ParsePersistentReserveIn),
    ActionRow("5f 00 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    ActionRow("5f 01 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    ActionRow("5f 02 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    ActionRow("5f 03 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    ActionRow("5f 04 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    ActionRow("5f 05 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    ActionRow("5f 06 ff 0000 ffffffff 04"_hex, ParsePersistentReserveOut),
    Row("a0 00 ff 000000 ffffffff 00 04"_hex, ParseReportLuns),
    ActionRow("a3 0c 87 ff ffff ffffffff 00 04"_hex, ParseReportOpcodes),
    ActionRow("a3 0d 80 00 0000 ffffffff 00 04"_hex, ParseReportTaskFunctions),
};

}  // namespace

std::span<const CommandRow> PrimaryRows() {
  return kRows;
}

}  // namespace usbtwin::scsi
