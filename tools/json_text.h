// The JSON of both programs: how an object begins, how one is written, and the one that tells of a
// failure. The version is "schema": fields may be added under the same number, but never change
// their meaning. Everything beyond ASCII is escaped, and bytes that are no UTF-8 are replaced, so
// that whatever a device or a file holds, the text is valid JSON and harmless to a terminal.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "app/failure.h"

namespace usbtwin::tools {

using Json = nlohmann::ordered_json;

// "schema", "program" and "version".
Json JsonHead(const std::string& program);
// In lines, with the last one ended.
std::string JsonText(const Json& json);

const char* Name(app::Failure::Kind kind);  // "usage", "cannot open", "transport", ...
std::string FailureJson(const std::string& program, const app::Failure& failure);

}  // namespace usbtwin::tools
