#include "tools/json_text.h"

#include "app/sense_text.h"
#include "tools/exit_status.h"

namespace usbtwin::tools {

using app::Failure;

Json JsonHead(const std::string& program) {
  constexpr int kSchema = 2;
  Json json;
  json["schema"] = kSchema;
  json["program"] = program;
  json["version"] = USBTWIN_VERSION;
  json["exit_status"] = static_cast<int>(kExitGood);
  json["error"] = nullptr;
  return json;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string JsonLine(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

Json SenseJson(const scsi::Sense& sense) {
  Json json;
  json["key"] = static_cast<int>(sense.key);
  json["asc"] = sense.asc;
  json["ascq"] = sense.ascq;
  json["text"] = app::DescribeSense(sense);
  json["key_text"] = scsi::Name(sense.key);
  json["additional_text"] = app::AdditionalSenseText(sense.asc, sense.ascq);
  json["deferred"] = sense.deferred;
  json["information"] = sense.information_valid ? Json(sense.information) : Json(nullptr);
  return json;
}

void SetError(Json& json, const Failure& failure) {
  json["exit_status"] = ExitStatus(ExitTable::kPlain, failure.kind);
  json["error"] = Json::object();
  json["error"]["text"] = failure.text;
  json["error"]["kind"] = app::Name(failure.kind);
  if (failure.sense) json["sense"] = SenseJson(*failure.sense);
}

std::string FailureJson(const std::string& program, const Failure& failure) {
  Json json = JsonHead(program);
  SetError(json, failure);
  return JsonText(json);
}

}  // namespace usbtwin::tools
