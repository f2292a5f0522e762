#include "os/linux/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "async/host_and_port.h"
#include "os/linux/file_descriptor.h"

namespace usbtwin::os {
namespace {

std::string UnixName(const Endpoint& endpoint) {
  const auto& address = reinterpret_cast<const sockaddr_un&>(endpoint.storage);
  const size_t length_max =
      endpoint.length - std::min<size_t>(endpoint.length, offsetof(sockaddr_un, sun_path));
  return "unix:" + std::string(address.sun_path, strnlen(address.sun_path, length_max));
}

}  // namespace

std::string NameOf(const Endpoint& endpoint) {
  if (endpoint.family() == AF_UNIX) return UnixName(endpoint);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(endpoint.get(), endpoint.length, host.data(), host.size(), port.data(),
                  port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  if (endpoint.family() != AF_INET6) return std::string(host.data()) + ":" + port.data();
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(endpoint.storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    return std::string(host.data()).substr(std::strlen("::ffff:")) + ":" + port.data();
  }
  return "[" + std::string(host.data()) + "]:" + port.data();
}

Result<Address, std::string> ParseAddress(const std::string& text) {
  if (text.find('\0') != std::string::npos) return std::string("it holds a zero byte");
  Address address;
  if (text.starts_with("unix:")) {
    address.is_unix = true;
    address.path = text.substr(5);
    constexpr size_t kLengthMax = sizeof(sockaddr_un::sun_path) - 1;
    if (address.path.empty()) return std::string("it has no path; write unix:/path");
    if (address.path.size() > kLengthMax) {
      return "its path has " + std::to_string(address.path.size()) +
             " bytes, and the system takes " + std::to_string(kLengthMax) +
             "; choose a shorter one";
    }
    return address;
  }
  auto parsed = async::ParseHostAndPort(text, {.otherwise = {}, .min = 0});
  if (!parsed) return parsed.error();
  address.host = std::move(parsed->host);
  address.port = std::to_string(parsed->port);
  return address;
}

Endpoint UnixEndpoint(const Address& address) {
  Endpoint endpoint;
  auto& name = reinterpret_cast<sockaddr_un&>(endpoint.storage);
  name.sun_family = AF_UNIX;
  CHECK_LT(address.path.size(), sizeof name.sun_path);
  std::copy(address.path.begin(), address.path.end(), name.sun_path);
  endpoint.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.path.size() + 1);
  return endpoint;
}

Result<std::vector<Endpoint>, std::string> LookUp(const Address& address, LookUpKind kind) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (kind == LookUpKind::kNumeric ? AI_NUMERICHOST : 0);
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (error == EAI_NONAME) return std::string("no such host; check the name or give an address");
  if (error == EAI_SYSTEM) return ErrorText(errno);
  if (error != 0) return std::string(gai_strerror(error));
  std::vector<Endpoint> endpoints;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Endpoint& endpoint = endpoints.emplace_back();
    if (info->ai_addrlen > sizeof endpoint.storage) {
      endpoints.pop_back();
      continue;
    }
    std::memcpy(&endpoint.storage, info->ai_addr, info->ai_addrlen);
    endpoint.length = info->ai_addrlen;
  }
  freeaddrinfo(found);
  return endpoints;
}

}  // namespace usbtwin::os
