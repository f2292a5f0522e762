#include "app/throttle_text.h"

#include <array>
#include <string>

#include "app/size.h"

namespace usbtwin::app {
namespace {

constexpr Duration kLatencyMax = std::chrono::seconds(60);

struct Unit {
  std::string_view name;
  int64_t ns;
};
// The longer names first: "s" ends them all.
constexpr std::array<Unit, 4> kUnits{
    {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}}};

std::optional<Duration> ParseLatency(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const auto count = ParseNumber(text.substr(0, text.size() - unit.name.size()));
    const bool fits = count && *count <= static_cast<uint64_t>(kLatencyMax.count() / unit.ns);
    if (!fits) return std::nullopt;
    return Duration(static_cast<int64_t>(*count) * unit.ns);
  }
  return std::nullopt;
}

Failure Wrong(std::string_view part, const char* reason) {
  return {Failure::Kind::kUsage, "--throttle: \"" + std::string(part) + "\": " + reason};
}

}  // namespace

Result<link::ThrottleOptions, Failure> ParseThrottle(std::string_view text) {
  link::ThrottleOptions options;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (part.starts_with("latency=")) {
      const auto latency = ParseLatency(part.substr(8));
      if (!latency) return Wrong(part, "a whole number of ns, us, ms or s, at most 60 s");
      options.latency = *latency;
    } else if (part.starts_with("rate=")) {
      const auto rate = ParseSize(part.substr(5));
      if (!rate || *rate == 0) return Wrong(part, "bytes in a second, such as 60MB or 512k");
      options.bytes_per_second = *rate;
    } else {
      return Wrong(part, "neither latency=TIME nor rate=BYTES");
    }
    if (comma == text.npos) return options;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace usbtwin::app
