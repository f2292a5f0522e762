// What usb_sgraw tells about a finished command: to a person on standard error, or to a program as
// one JSON object (tools/json_text.h). Both are made from the same CdbResult and say the same.
#pragma once

#include <string>

#include "app/send_cdb.h"
#include "tools/sgraw_options.h"

namespace usbtwin::tools {

// Whether data that came counts as a result: the status is good, or the sense says that the command
// succeeded all the same (no sense, recovered error). Otherwise it is dropped, as sg_raw does.
bool KeepsData(const app::CdbResult& result);

// The bytes that count: those the residue leaves, or all of them with --ignore-residue.
Bytes ValidData(const SgRawOptions& options, const app::CdbResult& result);

// Lines for standard error; may be empty.
std::string ReportText(const SgRawOptions& options, const app::CdbResult& result);

// The JSON object, in lines, with the last one ended. `file_error` is what went wrong with a file
// or the record after the command; empty: nothing.
std::string ReportJson(const SgRawOptions& options, const app::CdbResult& result, int exit_status,
                       const std::string& file_error = "");

}  // namespace usbtwin::tools
