// A command block explained: its name, its fields, and the data it moves, as text or JSON. For
// `usb_sgraw --enumerate`, which sends nothing. A block nobody knows is still shown byte by byte,
// and one that a device would refuse says which byte is to blame.
#pragma once

#include <string>

#include "base/bytes.h"

namespace usbtwin::tools {

// Several lines, the last one ended. `cdb` is not empty.
std::string CommandText(Bytes cdb);
// One JSON object with "schema", the last line ended.
std::string CommandJson(Bytes cdb);

}  // namespace usbtwin::tools
