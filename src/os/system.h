// The one thing main() takes from the operating-system rim: the System of the system it was built
// for. Everything below it is behind interfaces.
#pragma once

#include <memory>

#include "app/system.h"

namespace usbtwin::os {

// Also sets what a program of ours wants of its process: a closed pipe and a file that grew too
// large are errors of the call, not signals (SIGPIPE and SIGXFSZ are ignored unless handled).
std::unique_ptr<app::System> MakeSystem();

}  // namespace usbtwin::os
