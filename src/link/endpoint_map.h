// What the endpoints of a device are, learned from the configuration descriptors its host reads.
// Decorators see transfers, which do not say their type; this lets a Recorder name it and an
// Auditor know which endpoints an interface has. What was never read is unknown. The newest reply
// for a configuration wins, unless it names fewer endpoints (hosts read the first nine bytes as
// well).
#pragma once

#include <array>

#include "usb/link.h"

namespace usbtwin::link {

class EndpointMap {
 public:
  struct Entry {
    bool known = false;
    usb::TransferType type = usb::TransferType::kBulk;
    uint8_t interface = 0;
    uint8_t interval = 0;  // bInterval as written
  };

  // Looks at a transfer that completed.
  void Observe(const usb::Transfer& transfer);
  // The device accepted SET_CONFIGURATION.
  void HandleConfigured(uint8_t value);
  // Reads a configuration descriptor with all that follows it, however broken.
  void Learn(Bytes configuration);

  // The endpoint in the current configuration; before the host chose one, in the one read last.
  const Entry& Find(usb::EndpointAddress endpoint) const;

 private:
  static constexpr size_t kConfigurationsMax = 4;  // of those beyond, the last is forgotten
  struct Table {
    uint8_t configuration = 0;
    uint8_t endpoints_count = 0;
    std::array<Entry, usb::kEndpointIndexCount> entries;
  };
  Table* TableOf(uint8_t configuration);

  std::array<Table, kConfigurationsMax> tables_;
  size_t tables_count_ = 0;
  const Table* current_ = nullptr;
  bool configured_ = false;
  uint8_t configuration_ = 0;
};

// The service interval as Linux's usb_submit_urb computes it from bInterval: in frames below high
// speed, else in microframes.
uint32_t UrbInterval(const EndpointMap::Entry& entry, usb::Speed speed);

}  // namespace usbtwin::link
