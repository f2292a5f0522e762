// The text of vhci_hcd's status files, one for each controller, as the kernels of all years print
// it. Since 4.13 a port has a hub, and a number for the kernel's descriptor; before, there is one
// hub, and a pointer (or 16 zeros). A controller that is not there yet prints its ports as
// attached, but with 16 zeros. A pure function; called by Vhci.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/virtual_ports.h"

namespace usbtwin::os {

// Appends the ports of one file. The error is the line that makes no sense.
Result<void, std::string> ParseVhciStatus(std::string_view text, std::vector<VirtualPort>& ports);

}  // namespace usbtwin::os
