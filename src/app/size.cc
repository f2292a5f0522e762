#include "app/size.h"

#include <array>
#include <charconv>

namespace usbtwin::app {
namespace {

std::optional<uint64_t> Digits(std::string_view text, int base) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

struct Suffix {
  std::string_view text;
  uint64_t factor;
};
constexpr uint64_t kKi = 1024;
constexpr std::array<Suffix, 24> kSuffixes{{
    {"b", 512},
    {"k", kKi},
    {"K", kKi},
    {"KiB", kKi},
    {"m", kKi* kKi},
    {"M", kKi* kKi},
    {"MiB", kKi* kKi},
    {"g", kKi* kKi* kKi},
    {"G", kKi* kKi* kKi},
    {"GiB", kKi* kKi* kKi},
    {"t", kKi* kKi* kKi* kKi},
    {"T", kKi* kKi* kKi* kKi},
    {"TiB", kKi* kKi* kKi* kKi},
    {"p", kKi* kKi* kKi* kKi* kKi},
    {"P", kKi* kKi* kKi* kKi* kKi},
    {"PiB", kKi* kKi* kKi* kKi* kKi},
    {"PB", 1000ull * 1000 * 1000 * 1000 * 1000},
    {"kB", 1000},
    {"KB", 1000},
    {"kiB", kKi},
    {"MB", 1000 * 1000},
    {"mB", 1000 * 1000},
    {"GB", 1000 * 1000 * 1000},
    {"TB", 1000ull * 1000 * 1000 * 1000},
}};

}  // namespace

std::optional<uint64_t> ParseNumber(std::string_view text) {
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    return Digits(text.substr(2), 16);
  }
  if (text.size() > 1 && (text.back() == 'h' || text.back() == 'H')) {
    return Digits(text.substr(0, text.size() - 1), 16);
  }
  return Digits(text, 10);
}

std::optional<uint64_t> ParseSize(std::string_view text) {
  if (const std::optional<uint64_t> plain = ParseNumber(text)) return plain;
  const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789"));
  const std::string_view written = text.substr(digits.size());
  const std::optional<uint64_t> count = Digits(digits, 10);
  if (!count) return std::nullopt;
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text != written) continue;
    if (*count > UINT64_MAX / suffix.factor) return std::nullopt;
    return *count * suffix.factor;
  }
  return std::nullopt;
}

std::string DescribeSize(uint64_t length) {
  constexpr std::array<const char*, 5> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (length == 1) return "1 byte";
  if (length < kKi) return std::to_string(length) + " bytes";
  uint64_t whole = length;
  uint64_t rest = 0;
  size_t unit = 0;
  for (;; ++unit) {
    rest = whole % kKi;
    whole /= kKi;
    if (whole < kKi || unit + 1 == kUnits.size()) break;
  }
  std::string text = std::to_string(whole);
  const uint64_t tenths = rest * 10 / kKi;
  if (tenths != 0) text.append(".").append(std::to_string(tenths));
  return text.append(" ").append(kUnits[unit]);
}

}  // namespace usbtwin::app
