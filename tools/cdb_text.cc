#include "tools/cdb_text.h"

#include <fmt/format.h>

#include <variant>

#include "app/sense_text.h"
#include "base/text.h"
#include "proto/scsi_command.h"
#include "tools/json_text.h"
#include "wire/scsi.h"

namespace usbtwin::tools {
namespace {

namespace cdb = scsi::cdb;

struct Field {
  const char* name;
  uint64_t value;
};
using Fields = std::vector<Field>;

Fields RangeFields(const cdb::Range& range) {
  return {{"lba", range.lba}, {"blocks", range.blocks_count}};
}

// One overload for each meaning; a new one does not compile until it is explained here.
struct FieldsOf {
  Fields operator()(const cdb::TestUnitReady&) const { return {}; }
  Fields operator()(const cdb::RequestSense& sense) const {
    return {{"descriptor_format", sense.descriptor},
            {"allocation_length", sense.allocation_length}};
  }
  Fields operator()(const cdb::Inquiry& inquiry) const {
    return {{"vital_product_data", inquiry.vital},
            {"page", inquiry.page},
            {"allocation_length", inquiry.allocation_length}};
  }
  Fields operator()(const cdb::ModeSense& sense) const {
    return {{"disable_block_descriptors", sense.disable_block_descriptors},
            {"long_lba", sense.long_lba},
            {"page_control", static_cast<uint64_t>(sense.control)},
            {"page", sense.page},
            {"subpage", sense.subpage},
            {"allocation_length", sense.allocation_length}};
  }
  Fields operator()(const cdb::ModeSelect& select) const {
    return {{"save", select.save}, {"parameter_list_length", select.parameter_list_length}};
  }
  Fields operator()(const cdb::LogSense& sense) const {
    return {{"page_control", static_cast<uint64_t>(sense.control)},
            {"page", sense.page},
            {"subpage", sense.subpage},
            {"parameter_pointer", sense.parameter},
            {"allocation_length", sense.allocation_length}};
  }
  Fields operator()(const cdb::Reserve6&) const { return {}; }
  Fields operator()(const cdb::Release6&) const { return {}; }
  Fields operator()(const cdb::PersistentReserveIn& reserve) const {
    return {{"service_action", static_cast<uint64_t>(reserve.action)},
            {"allocation_length", reserve.allocation_length}};
  }
  Fields operator()(const cdb::PersistentReserveOut& reserve) const {
    return {{"service_action", static_cast<uint64_t>(reserve.action)},
            {"scope", reserve.scope},
            {"type", reserve.type},
            {"parameter_list_length", reserve.parameter_list_length}};
  }
  Fields operator()(const cdb::ReadCapacity10&) const { return {}; }
  Fields operator()(const cdb::ReadCapacity16& capacity) const {
    return {{"allocation_length", capacity.allocation_length}};
  }
  Fields operator()(const cdb::Read& read) const {
    Fields fields = RangeFields(read.range);
    fields.push_back({"disable_page_out", read.disable_page_out});
    fields.push_back({"force_unit_access", read.force_unit_access});
    return fields;
  }
  Fields operator()(const cdb::Write& write) const {
    Fields fields = RangeFields(write.range);
    fields.push_back({"disable_page_out", write.disable_page_out});
    fields.push_back({"force_unit_access", write.force_unit_access});
    return fields;
  }
  Fields operator()(const cdb::Verify& verify) const {
    Fields fields = RangeFields(verify.range);
    fields.push_back({"disable_page_out", verify.disable_page_out});
    fields.push_back({"compare_with_data", verify.compare});
    return fields;
  }
  Fields operator()(const cdb::WriteAndVerify& write) const {
    Fields fields = RangeFields(write.range);
    fields.push_back({"disable_page_out", write.disable_page_out});
    fields.push_back({"compare_with_data", write.compare});
    return fields;
  }
  Fields operator()(const cdb::CompareAndWrite& write) const {
    Fields fields = RangeFields(write.range);
    fields.push_back({"disable_page_out", write.disable_page_out});
    fields.push_back({"force_unit_access", write.force_unit_access});
    return fields;
  }
  Fields operator()(const cdb::OrWrite& write) const {
    Fields fields = RangeFields(write.range);
    fields.push_back({"disable_page_out", write.disable_page_out});
    fields.push_back({"force_unit_access", write.force_unit_access});
    return fields;
  }
  Fields operator()(const cdb::WriteAtomic& write) const {
    Fields fields = RangeFields(write.range);
    fields.push_back({"disable_page_out", write.disable_page_out});
    fields.push_back({"force_unit_access", write.force_unit_access});
    fields.push_back({"atomic_boundary", write.boundary});
    return fields;
  }
  Fields operator()(const cdb::WriteSame& same) const {
    Fields fields = RangeFields(same.range);
    fields.push_back({"unmap", same.unmap});
    fields.push_back({"no_data_out_buffer", same.no_data});
    return fields;
  }
  Fields operator()(const cdb::Unmap& unmap) const {
    return {{"parameter_list_length", unmap.parameter_list_length}};
  }
  Fields operator()(const cdb::GetLbaStatus& status) const {
    return {{"lba", status.lba}, {"allocation_length", status.allocation_length}};
  }
  Fields operator()(const cdb::PreFetch& fetch) const {
    Fields fields = RangeFields(fetch.range);
    fields.push_back({"immediate", fetch.immediate});
    return fields;
  }
  Fields operator()(const cdb::ReadDefectData& data) const {
    return {{"lists", data.lists},
            {"format", data.format},
            {"address_descriptor_index", data.index},
            {"allocation_length", data.allocation_length}};
  }
  Fields operator()(const cdb::ReadBuffer& buffer) const {
    return {{"mode", buffer.mode},
            {"buffer_id", buffer.buffer_id},
            {"offset", buffer.offset},
            {"allocation_length", buffer.allocation_length}};
  }
  Fields operator()(const cdb::WriteBuffer& buffer) const {
    return {{"mode", buffer.mode},
            {"buffer_id", buffer.buffer_id},
            {"offset", buffer.offset},
            {"parameter_list_length", buffer.parameter_list_length}};
  }
  Fields operator()(const cdb::ReportOpcodes& report) const {
    return {{"timeouts", report.timeouts},
            {"reporting_options", report.options},
            {"operation_code", report.opcode},
            {"service_action", report.service_action},
            {"allocation_length", report.allocation_length}};
  }
  Fields operator()(const cdb::ReportTaskFunctions& report) const {
    return {{"extended", report.extended}, {"allocation_length", report.allocation_length}};
  }
  Fields operator()(const cdb::SynchronizeCache& cache) const {
    Fields fields = RangeFields(cache.range);
    fields.push_back({"immediate", cache.immediate});
    return fields;
  }
  Fields operator()(const cdb::ReportLuns& luns) const {
    return {{"select", luns.select}, {"allocation_length", luns.allocation_length}};
  }
  Fields operator()(const cdb::StartStopUnit& unit) const {
    return {{"immediate", unit.immediate},
            {"power_condition", unit.power_condition},
            {"power_condition_modifier", unit.modifier},
            {"no_flush", unit.no_flush},
            {"load_eject", unit.load_eject},
            {"start", unit.start}};
  }
  Fields operator()(const cdb::FormatUnit& format) const {
    return {{"long_list", format.long_list},
            {"format_data", format.has_list},
            {"complete_list", format.complete},
            {"defect_list_format", format.defect_format}};
  }
  Fields operator()(const cdb::Sanitize& sanitize) const {
    return {{"service_action", static_cast<uint64_t>(sanitize.action)},
            {"immediate", sanitize.immediate},
            {"allow_unrestricted_exit", sanitize.unrestricted},
            {"parameter_list_length", sanitize.parameter_list_length}};
  }
  Fields operator()(const cdb::PreventAllowMediumRemoval& removal) const {
    return {{"prevent", removal.prevent}};
  }
};

struct Explanation {
  std::string name;
  std::optional<scsi::Meaning> meaning;
  Fields fields;
  std::string complaint;  // what a device would object to; empty where it would not
};

Explanation Explain(Bytes bytes) {
  Explanation explanation;
  explanation.name = app::CommandName(bytes);
  if (explanation.name.empty()) explanation.name = fmt::format("operation code {:02x}h", bytes[0]);
  const uint8_t length = wire::scsi::CdbLength(bytes[0]);
  const Result<scsi::Meaning, scsi::Sense> meaning = scsi::ParseCdb(bytes);
  if (meaning) {
    explanation.meaning = *meaning;
    explanation.fields = std::visit(FieldsOf{}, *meaning);
  } else if (meaning.error() != scsi::InvalidOpcode()) {
    explanation.complaint = app::DescribeSense(meaning.error());
  }
  if (length != 0 && bytes.size() != length) {
    explanation.complaint += explanation.complaint.empty() ? "" : "; ";
    explanation.complaint +=
        fmt::format("{}, where this operation code takes {}", Count(bytes.size(), "byte"), length);
  }
  return explanation;
}

const char* DirectionText(const scsi::Meaning& meaning) {
  switch (scsi::ExpectedData(meaning, 512).direction) {
    case scsi::Direction::kNone: return "none";
    case scsi::Direction::kIn: return "in";
    case scsi::Direction::kOut: return "out";
  }
  return "";
}

}  // namespace

std::string CommandText(Bytes bytes) {
  const Explanation explanation = Explain(bytes);
  std::string text = fmt::format("{}: {}\n", explanation.name, Hex(bytes));
  for (const Field& field : explanation.fields) {
    text += fmt::format("  {:<26} {}\n", field.name, field.value);
  }
  if (explanation.meaning) {
    text += fmt::format("  {:<26} {}\n", "data", DirectionText(*explanation.meaning));
  } else if (explanation.complaint.empty()) {
    text += "  no fields known\n";
  }
  if (!explanation.complaint.empty()) {
    text += fmt::format("  a device may refuse it: {}\n", explanation.complaint);
  }
  return text;
}

std::string CommandJson(Bytes bytes) {
  const Explanation explanation = Explain(bytes);
  Json json = JsonHead("usb_sgraw");
  json["cdb"] = Hex(bytes);
  json["command"] = explanation.name;
  json["known"] = explanation.meaning.has_value();
  json["fields"] = Json::object();
  for (const Field& field : explanation.fields) json["fields"][field.name] = field.value;
  json["data"] = explanation.meaning ? Json(DirectionText(*explanation.meaning)) : Json(nullptr);
  json["complaint"] = explanation.complaint;
  return JsonText(json);
}

}  // namespace usbtwin::tools
