// TASK ATTRIBUTE: when a command may start among the others of its unit. SAM-5, 8.6. Each transport
// has codes of its own for these. ACA is not among them: there is never such a condition here.
#pragma once

#include <cstdint>

namespace usbtwin::scsi {

enum class TaskAttribute : uint8_t { kSimple, kOrdered, kHeadOfQueue };

}  // namespace usbtwin::scsi
