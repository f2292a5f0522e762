// Where a server is, as people write it: "host", "host:port", "[IPv6]:port". One reader for device
// strings, --remote, --listen and the sockets themselves, so that each means the same everywhere,
// and what is wrong with it is said in the same words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace usbtwin::async {

struct HostAndPort {
  std::string host;  // without brackets
  uint16_t port = 0;
  bool operator==(const HostAndPort&) const = default;
};

struct PortRule {
  std::optional<uint16_t> otherwise;  // where none is written; nothing: one must be
  uint16_t min = 1;                   // 0 where it may be any free one
};

// The error is a clause that says what is wrong: "no host".
Result<HostAndPort, std::string> ParseHostAndPort(std::string_view text, const PortRule& rule);
// "host:3240", "[::1]:3240"
std::string TextOf(const HostAndPort& address);

}  // namespace usbtwin::async
