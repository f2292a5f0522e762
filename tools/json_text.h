// The JSON of both programs: how an object begins and is written, and how it tells of a failure.
// Each object has the "exit_status" of its program and an "error", null where that is 0. The
// version is "schema": fields may be added under the same number, but never change their meaning.
// 2: "vendor_id" and "product_id" are everywhere what lsusb shows, four hexadecimal digits in a
// string.
// Everything beyond ASCII is escaped, and bytes that are no UTF-8 are replaced, so that whatever a
// device or a file holds, the text is valid JSON and harmless to a terminal.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "app/failure.h"

namespace usbtwin::tools {

using Json = nlohmann::ordered_json;

// "schema", "program" and "version"; "exit_status" 0 and "error" null, until something fails.
Json JsonHead(const std::string& program);
// In lines, with the last one ended.
std::string JsonText(const Json& json);
// In one line, for what is read as a stream of objects.
std::string JsonLine(const Json& json);

// "exit_status" and "error"; "sense" where the device gave any.
void SetError(Json& json, const app::Failure& failure);
Json SenseJson(const scsi::Sense& sense);
std::string FailureJson(const std::string& program, const app::Failure& failure);

}  // namespace usbtwin::tools
