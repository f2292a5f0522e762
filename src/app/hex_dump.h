// Bytes for a person: sixteen to a line, with their offset and their ASCII characters. The offset
// grows to as many digits as the last line needs, so that a dump of any size stays aligned.
#pragma once

#include <string>

#include "base/bytes.h"

namespace usbtwin::app {

// "00000000  12 00 00 00 24 00 00 00  00 00 00 00 00 00 00 00  |....$...........|\n", a line for
// each sixteen bytes; "" for none. `offset` is what the first byte is counted as.
std::string HexDump(Bytes bytes, uint64_t offset = 0);

}  // namespace usbtwin::app
