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
    Row("1a 08 ff ff ff 04"_hex, ParseModeSense<raw::ModeSense6Command>),
    Row("3b 1f ff ffffff ffffff 04"_hex, ParseWriteBuffer),
    Row("3c 1f ff ffffff ffffff 04"_hex, ParseReadBuffer),
    Row("5a 18 ff ff 000000 ffff 04"_hex, ParseModeSense<raw::ModeSense10Command>),
    Row("a0 00 ff 000000 ffffffff 00 04"_hex, ParseReportLuns),
    ActionRow("a3 0c 87 ff ffff ffffffff 00 04"_hex, ParseReportOpcodes),
    ActionRow("a3 0d 80 00 0000 ffffffff 00 04"_hex, ParseReportTaskFunctions),
};

}  // namespace

std::span<const CommandRow> PrimaryRows() {
  return kRows;
}

}  // namespace usbtwin::scsi
