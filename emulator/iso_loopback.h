// IsoLoopback: a vendor-specific interface whose alternate setting 0 has no endpoints and needs no
// bandwidth, and whose setting 1 has an isochronous pair. What comes by OUT goes back by IN,
// packet by packet and in order. When nothing has come, IN carries packets of the device's own with
// a sequence number, so that a host sees each gap; a host that numbers its packets learns from the
// counters (wire/iso_loopback.h) which of them the device missed.
//
// A few requests are queued in each direction, one for each of the next intervals. Packets of the
// device's own that are queued already go before an echo, so an echo takes some intervals. Packets
// of no bytes are counted, but not sent back. Requests that were cancelled come back later than the
// event that cancelled them; where the setting has been chosen again by then, they are queued anew.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "emulator/function.h"
#include "emulator/iso_loopback_options.h"
#include "wire/iso_loopback.h"

namespace usbtwin::emulator {

class IsoLoopback final : public Function, private usb::RequestSink {
 public:
  static constexpr size_t kDepth = 4;       // requests in each direction
  static constexpr size_t kEchoesMax = 64;  // packets that wait to be sent back

  IsoLoopback(Clock& clock, IsoLoopbackOptions options);
  ~IsoLoopback() override;

  Bytes descriptors(usb::Speed speed) const override;
  std::span<const std::string> strings() const override { return strings_; }
  void HandleBind(Controller& controller) override;
  ControlReply HandleControl(const ControlRequest& request) override;
  void HandleEvent(const BusEvent& event) override;

  const wire::iso_loopback::Counters& counters() const { return counters_; }
  // Nothing of it is under way: after an unplug it may be destroyed.
  bool idle() const;

 private:
  struct InSlot {
    usb::InRequest request;
    std::vector<uint8_t> bytes;
    std::optional<StaticPin> pin;
    bool echo = false;
    uint32_t life = 0;  // in which it was queued
  };
  struct OutSlot {
    usb::OutRequest request;
    std::vector<uint8_t> bytes;
    uint32_t life = 0;
  };
  struct Echo {
    std::vector<uint8_t> bytes;
    uint32_t length = 0;
  };

  void OnRequestDone(usb::InRequest& request) override;
  void OnRequestDone(usb::OutRequest& request) override;
  void Start(const InterfaceEnabled& event);
  void Queue(InSlot& slot);
  void Queue(OutSlot& slot);
  uint32_t TakeEcho(MutableBytes target);
  void MakePacket(MutableBytes target);
  void HandlePacket(Bytes packet);
  void Count(uint32_t sequence);

  Clock& clock_;
  const IsoLoopbackOptions options_;
  std::vector<std::string> strings_;
  std::array<std::vector<uint8_t>, 3> descriptors_;  // full, high, super
  Controller* controller_ = nullptr;
  usb::EndpointAddress in_address_;
  usb::EndpointAddress out_address_;
  bool live_ = false;        // setting 1
  uint32_t life_ = 0;        // how often it was chosen
  uint32_t length_max_ = 0;  // bytes in one interval

  std::array<InSlot, kDepth> in_slots_;
  std::array<OutSlot, kDepth> out_slots_;
  std::vector<Echo> echoes_;  // a ring
  size_t echo_first_ = 0;
  size_t echoes_count_ = 0;
  uint32_t sequence_ = 0;                      // of the next packet of our own
  std::optional<uint32_t> sequence_expected_;  // of the next one of the host's
  wire::iso_loopback::Counters counters_{};
};

}  // namespace usbtwin::emulator
