#include "tools/sgraw_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/sense_text.h"
#include "proto/scsi_status.h"

namespace usbtwin::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kSchema = 1;

// "Check Condition": as sg_raw writes it, because scripts look for it.
std::string StatusTitle(uint8_t status) {
  std::string title = scsi::Name(static_cast<scsi::Status>(status));
  bool starts_word = true;
  for (char& letter : title) {
    if (starts_word && letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 32);
    starts_word = letter == ' ';
  }
  return title;
}

uint32_t LengthAsked(const SgRawOptions& options, const app::CdbResult& result) {
  if (options.data_in_length != 0) return options.data_in_length;
  return static_cast<uint32_t>(options.send_length.value_or(result.length_valid));
}

void AppendData(const SgRawOptions& options, const app::CdbResult& result, std::string& text) {
  if (options.data_in_length == 0) return;
  const size_t length = ValidData(options, result).size();
  if (!KeepsData(result)) {
    if (result.length_wire != 0) {
      text += fmt::format("{} bytes of data dropped: the command failed\n", result.length_wire);
    }
    return;
  }
  if (length == 0) {
    text += "No data received\n";
  } else if (length == options.data_in_length) {
    text += fmt::format("Received {} bytes of data\n", length);
  } else {
    text += fmt::format("Received {} of {} bytes of data\n", length, options.data_in_length);
  }
  if (length != result.length_wire) {
    text += fmt::format(
        "{} bytes came, but the device's residue of {} leaves {} "
        "(--ignore-residue keeps all)\n",
        result.length_wire, result.residue, length);
  }
}

void AppendSense(const SgRawOptions& options, const app::CdbResult& result, std::string& text) {
  const bool always = options.sense_output == SgRawOptions::SenseOutput::kAlways;
  if (options.sense_output == SgRawOptions::SenseOutput::kNever) return;
  if (options.quiet && !always) return;
  if (result.sense_bytes.empty()) {
    if (result.scsi_status != 0) text += "Sense: the device gave none\n";
    return;
  }
  text += fmt::format("Sense: {}\n", app::DescribeSense(result.sense_bytes, false));
  text += fmt::format("Sense bytes: {}\n", Hex(result.sense_bytes));
  if (always || options.verbosity > 1) {
    text += app::DescribeSense(result.sense_bytes, true) + "\n";
  }
}

Json SenseJson(const app::CdbResult& result) {
  if (result.sense_bytes.empty()) return nullptr;
  Json json;
  json["bytes"] = Hex(result.sense_bytes);
  if (!result.sense) {
    json["valid"] = false;
    return json;
  }
  const app::SenseInfo& sense = *result.sense;
  json["valid"] = true;
  json["key"] = sense.key;
  json["asc"] = sense.asc;
  json["ascq"] = sense.ascq;
  json["key_text"] = sense.key_text;
  json["additional_text"] = sense.additional_text;
  json["deferred"] = sense.deferred;
  json["information"] = sense.information ? Json(*sense.information) : Json(nullptr);
  return json;
}

Json ErrorJson(const app::CdbResult& result) {
  if (result.outcome == app::CdbOutcome::kCompleted) return nullptr;
  Json json;
  json["text"] = result.text;
  if (result.error.kind == app::TransportErrorKind::kNone) return json;
  json["kind"] = app::Name(result.error.kind);
  json["phase"] = app::Name(result.error.phase);
  json["endpoint"] = result.error.endpoint;
  json["length_actual"] = result.error.length_actual;
  return json;
}

}  // namespace

bool KeepsData(const app::CdbResult& result) {
  if (result.outcome != app::CdbOutcome::kCompleted) return false;
  const scsi::Status status = static_cast<scsi::Status>(result.scsi_status);
  if (status == scsi::Status::kGood || status == scsi::Status::kConditionMet) return true;
  return status == scsi::Status::kCheckCondition && result.sense && result.sense->key <= 1;
}

Bytes ValidData(const SgRawOptions& options, const app::CdbResult& result) {
  if (options.ignore_residue) return result.data_in;
  return Take(Bytes(result.data_in), result.length_valid);
}

std::string ReportText(const SgRawOptions& options, const app::CdbResult& result) {
  std::string text;
  if (result.outcome != app::CdbOutcome::kCompleted) {
    text = fmt::format("usb_sgraw: {}\n", result.text);
    if (text.ends_with("\n\n")) text.pop_back();
    if (result.text.find("phase error") != std::string::npos) {
      text +=
          "The command moves more than --din or --dout announced, or the other way; --enumerate "
          "tells what it moves.\n";
    }
    return text;
  }
  if (!options.quiet) {
    text += fmt::format("SCSI Status: {}\n", StatusTitle(result.scsi_status));
  }
  AppendSense(options, result, text);
  if (options.quiet) return text;
  AppendData(options, result, text);
  if (options.sends_data && result.length_valid != LengthAsked(options, result)) {
    text += fmt::format("The device took {} of {} bytes\n", result.length_valid,
                        LengthAsked(options, result));
  }
  if (options.verbosity > 0) {
    text +=
        fmt::format("{} bytes on the wire, residue {}, {} recoveries, {} us\n", result.length_wire,
                    result.residue, result.recoveries, result.elapsed.count());
    if (result.old_attentions != 0) {
      text += fmt::format("{} unit attentions from before were passed over (--attention)\n",
                          result.old_attentions);
    }
  }
  return text;
}

std::string ReportJson(const SgRawOptions& options, const app::CdbResult& result, int exit_status) {
  const bool completed = result.outcome == app::CdbOutcome::kCompleted;
  Json json;
  json["schema"] = kSchema;
  json["program"] = "usb_sgraw";
  json["version"] = USBTWIN_VERSION;
  json["device"] = options.open.device;
  json["lun"] = options.lun;
  json["cdb"] = Hex(options.cdb);
  json["command"] = options.cdb.empty() ? "" : app::CommandName(options.cdb);
  json["outcome"] = app::Name(result.outcome);
  json["exit_status"] = exit_status;
  json["error"] = ErrorJson(result);
  json["scsi_status"] = completed ? Json(result.scsi_status) : Json(nullptr);
  json["scsi_status_text"] =
      completed ? Json(scsi::Name(static_cast<scsi::Status>(result.scsi_status))) : Json(nullptr);
  json["sense"] = SenseJson(result);
  json["data_in"] = nullptr;
  if (options.data_in_length != 0 && completed) {
    Json data;
    data["length_asked"] = options.data_in_length;
    data["length"] = KeepsData(result) ? ValidData(options, result).size() : 0;
    if (options.output_path) {
      data["file"] = *options.output_path;
    } else {
      data["hex"] = KeepsData(result) ? Hex(ValidData(options, result)) : "";
    }
    json["data_in"] = data;
  }
  json["length_wire"] = result.length_wire;
  json["residue"] = result.residue;
  json["recoveries"] = result.recoveries;
  json["old_attentions"] = result.old_attentions;
  json["record_error"] = result.record_error.empty() ? Json(nullptr) : Json(result.record_error);
  json["elapsed_us"] = result.elapsed.count();
  // A device string or a path may hold bytes that are no UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace usbtwin::tools
