// How slow a link is to be, as people write it: "latency=100us", "rate=60MB", or both with a comma.
#pragma once

#include <string_view>

#include "app/failure.h"
#include "base/error.h"
#include "link/throttle.h"

namespace usbtwin::app {

// `latency`: a whole number of ns, us, ms or s, up to 60 s; `rate`: bytes in a second, from 1 on,
// written as sizes are (app/size.h). kUsage says what is wrong with anything else.
Result<link::ThrottleOptions, Failure> ParseThrottle(std::string_view text);

}  // namespace usbtwin::app
