#include "emulator/quirks.h"

#include "wire/bot.h"

namespace usbtwin::emulator {

using wire::bot::CommandStatusWrapper;

void QuirkyFunction::Queue(usb::InRequest& request) {
  CommandStatusWrapper status{};
  if (request.data.length() == sizeof(status)) {
    std::array<uint8_t, sizeof(status)> bytes{};
    request.data.CopyTo(bytes);
    status = *wire::View<CommandStatusWrapper>(bytes);
  }
  if (status.signature == wire::bot::kStatusSignature) {
    constexpr uint32_t kOddSignature = 0x55425355;  // "USBU"
    if (quirks_.wrong_residue) status.residue = 1;
    if (quirks_.wrong_tag) status.tag = 0;
    if (quirks_.odd_signature) status.signature = kOddSignature;
    auto [lease, room] = OwnedPin::Make(sizeof(status));
    CopyBytes(room, wire::AsBytes(status));
    request.data = std::move(lease);
  }
  controller_->Queue(request);
}

}  // namespace usbtwin::emulator
