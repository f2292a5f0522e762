// Bus: where Links come from. A DeviceId survives unplug and replug at the same port; a Link does
// not, so a host that lost its device asks the bus for a new Link to the same id.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "usb/link.h"

namespace usbtwin::usb {

struct DeviceId {
  std::string port_path;  // "1-1.4"; for twins "emu-1"
  auto operator<=>(const DeviceId&) const = default;
};

struct DeviceInfo {
  DeviceId id;
  uint16_t vendor_id = 0;
  uint16_t product_id = 0;
  uint8_t bus_number = 0;
  uint8_t address = 0;
  Speed speed = Speed::kHigh;
};

// An open link with the decorators above it. `top` is what the host uses; `owned` holds, bottom to
// top, those parts of the stack that live as long as this opening, and is destroyed top first.
struct LinkStack {
  Link* top = nullptr;
  std::vector<std::unique_ptr<Link>> owned;

  LinkStack() = default;
  LinkStack(LinkStack&&) = default;
  LinkStack& operator=(LinkStack&& other) noexcept {
    Close();
    top = std::exchange(other.top, nullptr);
    owned = std::move(other.owned);
    return *this;
  }
  ~LinkStack() { Close(); }
  void Close() {
    top = nullptr;
    while (!owned.empty()) owned.pop_back();
  }
};

// An opening in flight; it completes exactly once, never from inside Open.
class OpenOp final : public Operation<OpenOp> {
 public:
  DeviceId id;
  Result<LinkStack> result = Error{};
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual Result<std::vector<DeviceInfo>> Enumerate() = 0;
  virtual void Open(OpenOp& op) = 0;
};

}  // namespace usbtwin::usb
