#include "tools/sgraw_report.h"

#include <fmt/format.h>

#include "app/sense_text.h"
#include "base/text.h"
#include "proto/scsi_status.h"
#include "tools/fault_report.h"
#include "tools/json_text.h"

namespace usbtwin::tools {
namespace {

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
      text += Count(result.length_wire, "byte") + " of data dropped: the command failed\n";
    }
    return;
  }
  if (length == 0) {
    text += "No data received\n";
  } else if (length == options.data_in_length) {
    text += "Received " + Count(length, "byte") + " of data\n";
  } else {
    text +=
        fmt::format("Received {} of {} of data\n", length, Count(options.data_in_length, "byte"));
  }
  if (length != result.length_wire) {
    text += fmt::format(
        "{} came, but the device's residue of {} leaves {} "
        "(--ignore-residue keeps all)\n",
        Count(result.length_wire, "byte"), result.residue, length);
  }
}

std::string NoSenseText(const app::CdbResult& result) {
  if (result.sense_error.empty()) return "the device gave none";
  return "could not be had: " + result.sense_error;
}

void AppendSense(const SgRawOptions& options, const app::CdbResult& result, std::string& text) {
  const bool always = options.sense_output == SgRawOptions::SenseOutput::kAlways;
  if (options.sense_output == SgRawOptions::SenseOutput::kNever) return;
  if (options.quiet && !always) return;
  if (result.sense_bytes.empty()) {
    if (result.scsi_status != 0) text += "Sense: " + NoSenseText(result) + "\n";
    return;
  }
  text += fmt::format("Sense: {}\n", app::DescribeSense(result.sense_bytes, false));
  text += fmt::format("Sense bytes: {}\n", Hex(result.sense_bytes));
  if (always || options.verbosity > 1) {
    text += app::DescribeSense(result.sense_bytes, true) + "\n";
  }
}

// "Check Condition: Illegal Request, Logical block address out of range (05/21/00)".
std::string RefusalText(const app::CdbResult& result) {
  const std::string title = StatusTitle(result.scsi_status);
  if (result.sense_bytes.empty()) {
    return result.sense_error.empty() ? title : title + "; its sense " + NoSenseText(result);
  }
  return title + ": " + app::DescribeSense(result.sense_bytes, false);
}

// One line, because a failure is told in any case.
std::string QuietFailure(const SgRawOptions& options, const app::CdbResult& result) {
  const bool shows_sense = options.sense_output != SgRawOptions::SenseOutput::kNever;
  return "usb_sgraw: " + (shows_sense ? RefusalText(result) : StatusTitle(result.scsi_status)) +
         "\n";
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
  json["text"] = app::DescribeSense(result.sense_bytes, false);
  json["key"] = sense.key;
  json["asc"] = sense.asc;
  json["ascq"] = sense.ascq;
  json["key_text"] = sense.key_text;
  json["additional_text"] = sense.additional_text;
  json["deferred"] = sense.deferred;
  json["information"] = sense.information ? Json(*sense.information) : Json(nullptr);
  return json;
}

// Null where all is good; the sense has an object of its own beside it.
Json ErrorJson(const app::CdbResult& result, const std::string& file_error) {
  Json json;
  if (result.outcome == app::CdbOutcome::kCompleted) {
    const bool refused = ExitStatus(ExitTable::kPlain, result) != kExitGood;
    if (!refused && file_error.empty()) return nullptr;
    json["text"] = refused ? RefusalText(result) : file_error;
    json["kind"] = Name(refused ? app::Failure::Kind::kRefused : app::Failure::Kind::kFile);
    return json;
  }
  json["text"] = result.text;
  json["kind"] = app::Name(result.outcome);
  if (result.error.kind == app::TransportErrorKind::kNone) return json;
  json["kind"] = app::Name(result.error.kind);
  json["phase"] = app::Name(result.error.phase);
  json["endpoint"] = result.error.endpoint;
  json["length_actual"] = result.error.length_actual;
  return json;
}

std::string RungText(const app::CdbResult& result) {
  if (result.highest_rung.empty()) return "";
  if (result.outcome != app::CdbOutcome::kCompleted) {
    return "recovery went as far as: " + result.highest_rung + "\n";
  }
  const bool before = result.recoveries == 0;
  return "recovered by: " + result.highest_rung +
         (before ? " (before the old unit attention was passed over)\n" : "\n");
}

// What went wrong on purpose, and what was done about it.
std::string FaultsText(const SgRawOptions& options, const app::CdbResult& result) {
  std::string text;
  if (options.verbosity > 0) {
    text += FaultText(result.faults);
    text += RungText(result);
  }
  if (!options.quiet) text += FaultWarningText("usb_sgraw", result.faults);
  return text;
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
          "tells which way.\n";
    }
    return text + FaultsText(options, result);
  }
  if (!options.quiet) {
    text += fmt::format("SCSI Status: {}\n", StatusTitle(result.scsi_status));
  } else if (ExitStatus(ExitTable::kPlain, result) != kExitGood) {
    text += QuietFailure(options, result);
  }
  AppendSense(options, result, text);
  if (options.quiet) return text;
  AppendData(options, result, text);
  if (options.sends_data && result.length_valid != LengthAsked(options, result)) {
    text += fmt::format("The device took {} of {}\n", result.length_valid,
                        Count(LengthAsked(options, result), "byte"));
  }
  if (options.verbosity > 0) {
    text += fmt::format("{} on the wire, residue {}, {}, {} us\n",
                        Count(result.length_wire, "byte"), result.residue,
                        Count(result.recoveries, "recovery", "recoveries"), result.elapsed.count());
    if (result.old_attentions != 0) {
      text += Count(result.old_attentions, "unit attention") +
              " from before passed over (--attention)\n";
    }
  }
  return text + FaultsText(options, result);
}

std::string ReportJson(const SgRawOptions& options, const app::CdbResult& result, int exit_status,
                       const std::string& file_error) {
  const bool completed = result.outcome == app::CdbOutcome::kCompleted;
  Json json = JsonHead("usb_sgraw");
  json["exit_status"] = exit_status;
  json["error"] = ErrorJson(result, file_error);
  json["device"] = options.open.device;
  json["lun"] = options.lun;
  json["cdb"] = Hex(options.cdb);
  json["command"] = options.cdb.empty() ? "" : app::CommandName(options.cdb);
  json["outcome"] = app::Name(result.outcome);
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
  // A conversation that broke leaves these unknown; "length_actual" of the error is what is left.
  json["length_wire"] = completed ? Json(result.length_wire) : Json(nullptr);
  json["residue"] = completed ? Json(result.residue) : Json(nullptr);
  json["recoveries"] = completed ? Json(result.recoveries) : Json(nullptr);
  json["highest_rung"] = result.highest_rung.empty() ? Json(nullptr) : Json(result.highest_rung);
  json["faults"] = FaultsJson(result.faults);
  json["old_attentions"] = result.old_attentions;
  json["record_error"] = result.record_error.empty() ? Json(nullptr) : Json(result.record_error);
  json["elapsed_us"] = result.elapsed.count();
  return JsonText(json);
}

}  // namespace usbtwin::tools
