// Requests to a usbtwin serve that runs, over its control socket (app/exporter.h).
#pragma once

#include <chrono>
#include <string>

#include "app/failure.h"
#include "base/error.h"
#include "tools/json_text.h"

namespace usbtwin::tools {

// "unix:/run/user/1000/usbtwin.sock": in the user's own folder for such, or root's.
std::string DefaultControl();

// The reply to one request; kCannotOpen where no server answers in time, and what the server
// refuses as it says.
Result<Json, app::Failure> AskControl(const std::string& address, const Json& request,
                                      std::chrono::milliseconds timeout);

// A member of a reply, which may be anything: "" and 0 where there is none of that kind.
std::string TextIn(const Json& object, const char* key);
uint64_t NumberIn(const Json& object, const char* key);

}  // namespace usbtwin::tools
