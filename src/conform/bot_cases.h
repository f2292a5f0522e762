// The parts the suite of the Bulk-Only Transport is made of.
#pragma once

#include "conform/case.h"

namespace usbtwin::conform {

std::span<const Case> ThirteenCases();
std::span<const Case> DescriptorCases();
std::span<const Case> WrapperCases();

}  // namespace usbtwin::conform
