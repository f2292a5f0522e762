#include "async/ip_network.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace usbtwin::async {
namespace {

// Digits of this base and nothing else, at most so many.
std::optional<uint32_t> ParseDigits(std::string_view text, int base, size_t digits_max) {
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

// The groups of one side of "::", written into `groups`; how many there were.
std::optional<size_t> ParseGroups(std::string_view text, std::span<uint16_t> groups) {
  size_t count = 0;
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const std::optional<uint32_t> value = ParseDigits(group, 16, 4);
    if (!value || count == groups.size()) return std::nullopt;
    groups[count++] = static_cast<uint16_t>(*value);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;
  }
  return count;
}

}  // namespace

std::optional<IpAddress> IpAddress::ParseIpv4(std::string_view text) {
  IpAddress address;
  for (size_t index = 0; index < 4; ++index) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (index == 3)) return std::nullopt;
    const std::string_view part = text.substr(0, dot);
    const std::optional<uint32_t> value = ParseDigits(part, 10, 3);
    // Some read a leading zero as octal.
    if (!value || *value > 255 || (part.size() > 1 && part[0] == '0')) return std::nullopt;
    address.bytes_[index] = static_cast<uint8_t>(*value);
    if (dot != std::string_view::npos) text.remove_prefix(dot + 1);
  }
  return address;
}

std::optional<IpAddress> IpAddress::ParseIpv6(std::string_view text) {
  std::string expanded;
  // The last 32 bits may be written as an IPv4 address.
  if (const size_t dot = text.find('.'); dot != std::string_view::npos) {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon > dot) return std::nullopt;
    const std::optional<IpAddress> ipv4 = ParseIpv4(text.substr(colon + 1));
    if (!ipv4) return std::nullopt;
    constexpr char kDigits[] = "0123456789abcdef";
    expanded = text.substr(0, colon + 1);
    for (size_t index = 0; index < 4; ++index) {
      if (index == 2) expanded += ':';
      expanded += kDigits[ipv4->bytes_[index] >> 4];
      expanded += kDigits[ipv4->bytes_[index] & 15];
    }
    text = expanded;
  }
  std::array<uint16_t, 8> groups{};
  const size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const std::optional<size_t> count = ParseGroups(text, groups);
    if (!count || *count != groups.size()) return std::nullopt;
  } else {
    const std::optional<size_t> before = ParseGroups(text.substr(0, gap), groups);
    std::array<uint16_t, 8> tail{};
    const std::optional<size_t> after = ParseGroups(text.substr(gap + 2), tail);
    // "::" stands for at least one group of zeros.
    if (!before || !after || *before + *after >= groups.size()) return std::nullopt;
    std::copy_n(tail.begin(), *after, groups.end() - static_cast<std::ptrdiff_t>(*after));
  }
  IpAddress address;
  address.is_ipv6_ = true;
  for (size_t index = 0; index < groups.size(); ++index) {
    address.bytes_[2 * index] = static_cast<uint8_t>(groups[index] >> 8);
    address.bytes_[2 * index + 1] = static_cast<uint8_t>(groups[index]);
  }
  return address;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return ParseIpv4(text);
  std::optional<IpAddress> address = ParseIpv6(text);
  if (!address) return std::nullopt;
  // ::ffff:a.b.c.d is a.b.c.d: RFC 4291, 2.5.5.2.
  const auto& bytes = address->bytes_;
  const bool zeros =
      std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t b) { return b == 0; });
  if (!zeros || bytes[10] != 0xff || bytes[11] != 0xff) return address;
  IpAddress mapped;
  std::copy_n(bytes.begin() + 12, 4, mapped.bytes_.begin());
  return mapped;
}

std::optional<IpAddress> IpAddress::OfPeer(std::string_view peer) {
  const size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = peer.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    host = host.substr(0, host.find('%'));
  }
  return Parse(host);
}

bool IpAddress::is_loopback() const {
  if (!is_ipv6_) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](uint8_t b) { return b == 0; }) &&
         bytes_.back() == 1;
}

bool IpAddress::SharesPrefix(const IpAddress& other, uint8_t length) const {
  for (size_t index = 0; index < bytes_.size() && length != 0; ++index) {
    const uint8_t bits = std::min<uint8_t>(length, 8);
    const auto mask = static_cast<uint8_t>(0xff << (8 - bits));
    if (((bytes_[index] ^ other.bytes_[index]) & mask) != 0) return false;
    length = static_cast<uint8_t>(length - bits);
  }
  return true;
}

IpAddress IpAddress::Prefix(uint8_t length) const {
  IpAddress prefix = *this;
  for (size_t index = 0; index < bytes_.size(); ++index) {
    const size_t bits = std::min<size_t>(length - std::min<size_t>(length, 8 * index), 8);
    prefix.bytes_[index] &= static_cast<uint8_t>(0xff << (8 - bits));
  }
  return prefix;
}

std::optional<IpNetwork> IpNetwork::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  IpNetwork network;
  network.address_ = *address;
  network.length_ = address->bits_count();
  if (slash == std::string_view::npos) return network;
  const bool is_mapped = !address->is_ipv6() && text.find(':') != std::string_view::npos;
  const uint32_t length_min = is_mapped ? 96 : 0;
  const std::optional<uint32_t> written = ParseDigits(text.substr(slash + 1), 10, 3);
  if (!written || *written < length_min || *written > length_min + network.length_) {
    return std::nullopt;
  }
  const uint32_t length = *written - length_min;
  network.length_ = static_cast<uint8_t>(length);
  for (uint32_t bit = length; bit < address->bits_count(); ++bit) {
    if (address->bit(bit)) return std::nullopt;
  }
  return network;
}

Party Party::Of(const std::string& peer) {
  const std::optional<IpAddress> address = IpAddress::OfPeer(peer);
  if (!address) return {.address = {}, .name = peer};
  const bool is_of_link = IpNetwork::Parse("fe80::/10")->Contains(*address);
  uint8_t length = address->bits_count();
  if (address->is_ipv6() && !is_of_link) length = 64;
  if (!address->is_ipv6() && address->is_loopback()) length = 8;
  return {.address = address->Prefix(length), .name = ""};
}

}  // namespace usbtwin::async
