// Finding one's way in a tree of descriptors.
#include "usb/descriptors.h"

namespace usbtwin::usb {

const Interface* FindInterface(const Configuration& configuration, uint8_t number) {
  for (const Interface& interface : configuration.interfaces) {
    if (interface.number == number) return &interface;
  }
  return nullptr;
}

const Alternate* FindAlternate(const Interface& interface, uint8_t setting) {
  for (const Alternate& alternate : interface.alternates) {
    if (alternate.setting == setting) return &alternate;
  }
  return nullptr;
}

const EndpointConfig* FindEndpoint(const Alternate& alternate, EndpointAddress address) {
  for (const EndpointConfig& endpoint : alternate.endpoints) {
    if (endpoint.address == address) return &endpoint;
  }
  return nullptr;
}

const EndpointConfig* FindPipe(const Alternate& alternate, TransferType type, Direction direction) {
  for (const EndpointConfig& endpoint : alternate.endpoints) {
    const bool in = direction == Direction::kIn;
    if (endpoint.type == type && endpoint.address.is_in() == in) return &endpoint;
  }
  return nullptr;
}

const EndpointConfig* FindPipe(const Alternate& alternate, wire::usb::PipeId id) {
  for (const EndpointConfig& endpoint : alternate.endpoints) {
    if (endpoint.pipe_usage == static_cast<uint8_t>(id)) return &endpoint;
  }
  return nullptr;
}

std::vector<AlternateMatch> FindAlternates(const Configuration& configuration,
                                           const InterfaceClass& wanted) {
  const auto fits = [](const std::optional<uint8_t>& want, uint8_t have) {
    return !want || *want == have;
  };
  std::vector<AlternateMatch> matches;
  for (const Interface& interface : configuration.interfaces) {
    for (const Alternate& alternate : interface.alternates) {
      if (fits(wanted.interface_class, alternate.interface_class) &&
          fits(wanted.interface_subclass, alternate.interface_subclass) &&
          fits(wanted.interface_protocol, alternate.interface_protocol)) {
        matches.push_back({&interface, &alternate});
      }
    }
  }
  return matches;
}

}  // namespace usbtwin::usb
