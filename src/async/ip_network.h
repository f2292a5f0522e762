// IP addresses as rules about peers need them: read from text, compared in one canonical form (an
// IPv4 address written as an IPv6 one is the IPv4 address), and matched against networks. No names:
// whoever makes a rule writes numbers.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace usbtwin::async {

class IpAddress {
 public:
  // "10.0.0.1", "fe80::1", "::ffff:10.0.0.1"; no zone. RFC 4291, 2.2.
  static std::optional<IpAddress> Parse(std::string_view text);
  // The address of "10.0.0.1:3240" or "[fe80::1%eth0]:3240", as Socket::peer() has them, without
  // the zone.
  static std::optional<IpAddress> OfPeer(std::string_view peer);

  bool is_ipv6() const { return is_ipv6_; }
  bool is_loopback() const;
  // The first `length` of its 32 or 128 bits are those of `other`, which is of the same family.
  bool SharesPrefix(const IpAddress& other, uint8_t length) const;
  // Its first `length` bits, and zeros behind them.
  IpAddress Prefix(uint8_t length) const;
  // Bit 0 is the first one.
  bool bit(uint32_t index) const { return (bytes_[index / 8] >> (7 - index % 8) & 1) != 0; }
  uint8_t bits_count() const { return is_ipv6_ ? 128 : 32; }
  auto operator<=>(const IpAddress&) const = default;

 private:
  static std::optional<IpAddress> ParseIpv4(std::string_view text);
  static std::optional<IpAddress> ParseIpv6(std::string_view text);

  bool is_ipv6_ = false;
  std::array<uint8_t, 16> bytes_{};  // IPv4: the first four
};

// A network in CIDR notation: "10.0.0.0/8", "fd00::/8"; an address alone is itself.
class IpNetwork {
 public:
  // Nullopt where it is none; bits beyond the prefix must be zero, for they are a mistake. The
  // prefix of "::ffff:10.0.0.0/104" counts the bits of the IPv6 address it is written as.
  static std::optional<IpNetwork> Parse(std::string_view text);
  bool Contains(const IpAddress& address) const {
    return address.is_ipv6() == address_.is_ipv6() && address.SharesPrefix(address_, length_);
  }

 private:
  IpAddress address_;
  uint8_t length_ = 0;  // of the prefix, in bits
};

// Who shares places: all peers of one address, or behind one socket file, whose owner they all are.
// A host has as many addresses as it likes of 127.0.0.0/8, where it is this one, and of the /64 of
// an IPv6 address, but on its own link.
struct Party {
  static Party Of(const std::string& peer);  // as Socket::peer() has it
  auto operator<=>(const Party&) const = default;

  std::optional<IpAddress> address;
  std::string name;  // where there is no address
};

}  // namespace usbtwin::async
