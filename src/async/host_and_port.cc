#include "async/host_and_port.h"

#include <charconv>

#include "base/text.h"

namespace usbtwin::async {
namespace {

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What stands before the port and what behind its colon; nullopt where there is no colon.
struct Halves {
  std::string_view host;
  std::optional<std::string_view> port;
};

Result<Halves, std::string> SplitInBrackets(std::string_view text) {
  const size_t bracket = text.find(']');
  if (bracket == std::string_view::npos) return std::string("\"[\" without \"]\" in the host");
  const std::string_view rest = text.substr(bracket + 1);
  if (!rest.empty() && rest.front() != ':') return std::string("only :PORT may follow \"]\"");
  Halves halves{.host = text.substr(1, bracket - 1), .port = {}};
  if (!rest.empty()) halves.port = rest.substr(1);
  return halves;
}

Result<Halves, std::string> Split(std::string_view text) {
  if (text.starts_with('[')) return SplitInBrackets(text);
  const size_t colon = text.find(':');
  Halves halves{.host = text.substr(0, colon), .port = {}};
  if (colon == std::string_view::npos) {
    // The system would take it for an address: 3240 for 0.0.12.168.
    if (IsNumber(text)) {
      return std::string("a number alone is no host: a port follows one, as in 127.0.0.1:") +
             std::string(text.substr(0, kQuoteMax));
    }
    return halves;
  }
  halves.port = text.substr(colon + 1);
  if (halves.port->find(':') != std::string_view::npos) {
    return std::string("an IPv6 address is written in brackets: [::1] or [::1]:3240");
  }
  return halves;
}

}  // namespace

Result<HostAndPort, std::string> ParseHostAndPort(std::string_view text, const PortRule& rule) {
  if (text.find('\0') != std::string_view::npos) return std::string("it holds a zero byte");
  const Result<Halves, std::string> halves = Split(text);
  if (!halves) return halves.error();
  if (halves->host.empty()) return std::string("no host");
  HostAndPort address{.host = std::string(halves->host), .port = rule.otherwise.value_or(0)};
  if (!halves->port && rule.otherwise) return address;
  if (!halves->port) return std::string("no port; write host:port or [IPv6]:port");
  const std::string_view port = *halves->port;
  if (port.empty()) return std::string("no port behind the colon");
  uint32_t number = 0;
  const bool fits =
      IsNumber(port) && std::from_chars(port.begin(), port.end(), number).ec == std::errc();
  if (!fits || number < rule.min || number > 65535) {
    return "port " + Quote(port) + " is not " + std::to_string(rule.min) + " to 65535";
  }
  address.port = static_cast<uint16_t>(number);
  return address;
}

std::string TextOf(const HostAndPort& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

}  // namespace usbtwin::async
