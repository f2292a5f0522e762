#include "tools/json_text.h"

#include "tools/exit_status.h"

namespace usbtwin::tools {

using app::Failure;

Json JsonHead(const std::string& program) {
  constexpr int kSchema = 1;
  Json json;
  json["schema"] = kSchema;
  json["program"] = program;
  json["version"] = USBTWIN_VERSION;
  return json;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

const char* Name(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kUsage: return "usage";
    case Failure::Kind::kCannotOpen: return "cannot open";
    case Failure::Kind::kTransport: return "transport";
    case Failure::Kind::kRefused: return "refused";
    case Failure::Kind::kFile: return "file";
  }
  return "";
}

std::string FailureJson(const std::string& program, const Failure& failure) {
  Json json = JsonHead(program);
  json["exit_status"] = ExitStatus(ExitTable::kPlain, failure.kind);
  json["error"]["text"] = failure.text;
  json["error"]["kind"] = Name(failure.kind);
  return JsonText(json);
}

}  // namespace usbtwin::tools
