#include "os/linux/vhci_status.h"

#include <array>
#include <charconv>

#include "proto/usbip_ops.h"
#include "wire/usbip.h"

namespace usbtwin::os {
namespace {

constexpr size_t kWordsMax = 8;

struct Words {
  std::array<std::string_view, kWordsMax> at;
  size_t count = 0;
};

Words Split(std::string_view line) {
  Words words;
  while (words.count < kWordsMax) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const size_t length = std::min(line.find_first_of(" \t"), line.size());
    words.at[words.count++] = line.substr(0, length);
    line.remove_prefix(length);
  }
  return words;
}

std::optional<uint32_t> Number(std::string_view text, int base) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// enum usbip_device_status in drivers/usb/usbip/usbip_common.h.
std::optional<PortState> StateOf(uint32_t number) {
  switch (number) {
    case 4: return PortState::kFree;
    case 5: return PortState::kAttached;
    case 6: return PortState::kUsed;
    case 7: return PortState::kBroken;
    default: return std::nullopt;
  }
}

std::optional<usb::Speed> SpeedOf(uint32_t number) {
  switch (number) {
    case wire::usbip::kSpeedLow: return usb::Speed::kLow;
    case wire::usbip::kSpeedFull: return usb::Speed::kFull;
    case wire::usbip::kSpeedHigh: return usb::Speed::kHigh;
    case wire::usbip::kSpeedSuper: return usb::Speed::kSuper;
    case wire::usbip::kSpeedSuperPlus: return usb::Speed::kSuperPlus;
    default: return std::nullopt;
  }
}

// After the hub: port, state, speed, then the device and more.
std::optional<VirtualPort> ParsePort(const Words& words, size_t first, PortHub hub) {
  constexpr size_t kWordsMin = 6;
  if (words.count < first + kWordsMin) return std::nullopt;
  const std::optional<uint32_t> number = Number(words.at[first], 10);
  const std::optional<uint32_t> state_number = Number(words.at[first + 1], 10);
  const std::optional<uint32_t> speed = Number(words.at[first + 2], 10);
  const std::optional<uint32_t> device_id = Number(words.at[first + 3], 16);
  if (!number || !state_number || !speed || !device_id) return std::nullopt;
  const std::optional<PortState> state = StateOf(*state_number);
  if (!state) return std::nullopt;
  VirtualPort port{.number = *number, .hub = hub, .state = *state};
  const bool has_hubs = first != 0;
  if (has_hubs && *state == PortState::kAttached && words.at[first + 4].size() == 16) {
    port.state = PortState::kNotReady;
  }
  if (*state != PortState::kUsed) return port;
  port.speed = SpeedOf(*speed);
  port.device_id = *device_id;
  port.name = words.at[words.count - 1];
  // It becomes part of a path.
  if (!usbip::IsBusId(port.name)) return std::nullopt;
  return port;
}

}  // namespace

Result<void, std::string> ParseVhciStatus(std::string_view text, std::vector<VirtualPort>& ports) {
  while (!text.empty()) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    const Words words = Split(line);
    if (words.count == 0 || words.at[0] == "hub" || words.at[0] == "prt") continue;
    const bool high = words.at[0] == "hs";
    const bool super = words.at[0] == "ss";
    const auto port =
        ParsePort(words, high || super ? 1 : 0, super ? PortHub::kSuper : PortHub::kHigh);
    if (!port) return std::string(line);
    ports.push_back(*port);
  }
  return {};
}

}  // namespace usbtwin::os
