#include "usb/link.h"

#include "base/overloaded.h"

namespace usbtwin::usb {
namespace {

using wire::usb::Request;

constexpr uint8_t kHubPort = wire::usb::kTypeClass | wire::usb::kRecipientOther;

SetupPacket Standard(uint8_t recipient, Request request, uint16_t value, uint16_t index) {
  return {.request_type = recipient,
          .request = static_cast<uint8_t>(request),
          .value = value,
          .index = index,
          .length = uint16_t{0}};
}

}  // namespace

std::optional<PortRequest> AsPortRequest(const SetupPacket& setup) {
  const auto request = static_cast<Request>(setup.request);
  const uint16_t value = setup.value;
  const uint16_t index = setup.index;
  if (setup.request_type == wire::usb::kRecipientDevice && request == Request::kSetConfiguration) {
    return SetConfiguration{static_cast<uint8_t>(value)};
  }
  if (setup.request_type == wire::usb::kRecipientInterface && request == Request::kSetInterface) {
    return SetAlternate{static_cast<uint8_t>(index), static_cast<uint8_t>(value)};
  }
  if (setup.request_type == wire::usb::kRecipientEndpoint && request == Request::kClearFeature &&
      value == wire::usb::kFeatureEndpointHalt) {
    return ClearHalt{{static_cast<uint8_t>(index)}};
  }
  if (setup.request_type == kHubPort && request == Request::kSetFeature &&
      value == wire::usb::kFeaturePortReset) {
    return ResetPort{};
  }
  return std::nullopt;
}

std::optional<SetupPacket> AsSetupPacket(const PortRequest& request) {
  using Setup = std::optional<SetupPacket>;
  return std::visit(
      Overloaded{
          [](const ClearHalt& clear) -> Setup {
            return Standard(wire::usb::kRecipientEndpoint, Request::kClearFeature,
                            wire::usb::kFeatureEndpointHalt, clear.endpoint.value);
          },
          [](const SetConfiguration& set) -> Setup {
            return Standard(wire::usb::kRecipientDevice, Request::kSetConfiguration, set.value, 0);
          },
          [](const SetAlternate& set) -> Setup {
            return Standard(wire::usb::kRecipientInterface, Request::kSetInterface,
                            set.alternate_setting, set.interface);
          },
          [](const ResetPort&) -> Setup {
            return Standard(kHubPort, Request::kSetFeature, wire::usb::kFeaturePortReset, 0);
          },
          [](const ClaimInterface&) -> Setup { return std::nullopt; },
          [](const ReleaseInterface&) -> Setup { return std::nullopt; },
          [](const AllocateStreams&) -> Setup { return std::nullopt; },
          [](const FreeStreams&) -> Setup { return std::nullopt; },
          [](const Suspend&) -> Setup { return std::nullopt; },
          [](const Resume&) -> Setup { return std::nullopt; },
      },
      request);
}

const char* Name(const PortRequest& request) {
  return std::visit(Overloaded{
                        [](const ClaimInterface&) { return "claim interface"; },
                        [](const ReleaseInterface&) { return "release interface"; },
                        [](const ClearHalt&) { return "clear halt"; },
                        [](const SetConfiguration&) { return "set configuration"; },
                        [](const SetAlternate&) { return "set alternate setting"; },
                        [](const AllocateStreams&) { return "allocate streams"; },
                        [](const FreeStreams&) { return "free streams"; },
                        [](const Suspend&) { return "suspend"; },
                        [](const Resume&) { return "resume"; },
                        [](const ResetPort&) { return "reset port"; },
                    },
                    request);
}

}  // namespace usbtwin::usb
