// The parts the suite of USB Attached SCSI is made of.
#pragma once

#include "conform/case.h"

namespace usbtwin::conform {

std::span<const Case> UasDescriptorCases();
std::span<const Case> UasCommandCases();
std::span<const Case> UasManagementCases();

}  // namespace usbtwin::conform
