// Where a socket is: the addresses that people write, "host:port", "[v6]:port" and "unix:path",
// and those of the system. Only LookUp of a name may block, for as long as the resolver likes.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace usbtwin::os {

// An address of the system.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// "127.0.0.1:3240", "[::1]:3240", "unix:/run/server.sock"; "unix:" for one without a name. IPv4 in
// the clothes of IPv6 is shown as IPv4.
std::string NameOf(const Endpoint& endpoint);

// An address as it is written, taken apart.
struct Address {
  bool is_unix = false;
  std::string path;  // of a unix socket
  std::string host;  // without brackets
  std::string port;  // decimal
};

// The error is a clause that says what is wrong: "no port; ...".
Result<Address, std::string> ParseAddress(const std::string& text);
Endpoint UnixEndpoint(const Address& address);

enum class LookUpKind { kNumeric, kName };  // kNumeric does not block, and fails for a name
Result<std::vector<Endpoint>, std::string> LookUp(const Address& address, LookUpKind kind);

}  // namespace usbtwin::os
