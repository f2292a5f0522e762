// The part of usbtwin bench for devices of USB/IP servers: what the protocol costs beside the same
// kind of socket carrying messages of the same lengths and nothing else.
#pragma once

#include <string>
#include <vector>

#include "tools/json_text.h"
#include "tools/open_device.h"

namespace usbtwin::tools {

struct FarSeries {
  std::string name;
  std::string beside;     // what it is measured against
  double per_second = 0;  // exchanges, or bytes
  double bare_per_second = 0;
  bool bytes = false;
  double aim = 0;  // of the ratio; more is better
  double ratio() const { return per_second / bare_per_second; }
};

// `writes`: also writes what the first MiB holds back to it.
Result<std::vector<FarSeries>, app::Failure> MeasureFar(OpenDevice& device,
                                                        host::BlockDevice& blocks,
                                                        const std::string& device_text,
                                                        double seconds, bool writes);
std::string FarText(const std::vector<FarSeries>& all);
Json FarJson(const std::vector<FarSeries>& all);

}  // namespace usbtwin::tools
