// The tree of usbtwin info for people, made from its JSON, so that the two cannot disagree. Called
// by cmd_info.cc, which makes the JSON.
#pragma once

#include <string>

#include "tools/json_text.h"

namespace usbtwin::tools {

// In lines. What a device says of itself may hold anything, and is made printable.
std::string TreeText(const Json& json);

}  // namespace usbtwin::tools
