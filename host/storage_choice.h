// Which configuration, interface and alternate setting of a device carries mass storage, and on
// which pipes. A pure decision over what the device said. Transports are found by what an interface
// says it is, never by its place: subclass 06h (SCSI) with protocol 50h (Bulk-Only) or 62h (UAS),
// of class 08h or FFh. FFh wins where both exist: a device that has both keeps the second for
// itself, out of reach of the drivers that bind to class 08h. Of one class UAS wins, where the link
// carries it: at SuperSpeed it needs bulk streams. The pipes of UAS are found by their pipe usage
// descriptors, never by order. Called by the session.
#pragma once

#include "host/device_description.h"

namespace usbtwin::host {

enum class StorageProtocol : uint8_t { kAny, kBulkOnly, kUas };

struct StorageOptions {
  // bInterfaceNumber. An interface named here is taken whatever class it says it has, as long as it
  // has the pipes.
  std::optional<uint8_t> interface_number;
  // bConfigurationValue. Without it the active configuration is used and, in a device that has
  // none, the first one with mass storage.
  std::optional<uint8_t> configuration_value;
  StorageProtocol protocol = StorageProtocol::kAny;
  usb::KernelDriverPolicy kernel_driver = usb::KernelDriverPolicy::kRefuse;
  uint16_t queue_depth_max = 32;  // commands at once over UAS, from 1 on; streams may allow fewer
};
static_assert(std::is_trivially_destructible_v<StorageOptions>);

// Everything needed to set the device up; nothing points into the description.
struct StorageChoice {
  uint8_t configuration_value = 0;
  uint8_t interface_number = 0;
  uint8_t alternate_setting = 0;
  uint8_t interface_class = 0;
  uint8_t interface_subclass = 0;
  uint8_t interface_protocol = 0;
  bool has_alternates = false;  // the interface has more than this setting
  usb::EndpointConfig bulk_in;  // of UAS: the data pipes
  usb::EndpointConfig bulk_out;
  usb::EndpointConfig command;  // of UAS only
  usb::EndpointConfig status;
  bool is_uas() const { return command.address.value != 0; }
  bool operator==(const StorageChoice&) const = default;
};

// kNotFound where there is no such interface, kUnsupported where there is only UAS, or UAS was
// asked for, and the link does not carry it.
Result<StorageChoice> ChooseStorage(const DeviceDescription& description,
                                    const StorageOptions& options, const usb::LinkCaps& caps);

}  // namespace usbtwin::host
