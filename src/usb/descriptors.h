// Descriptors as a tree. ParseConfiguration walks what a device sent, and trusts none of its
// lengths: every bLength is held against what is really there. Devices that break the standard a
// little are common, so whatever can be worked around is: the walk drops the faulty descriptor,
// goes on, and says so in `defects`. An Error is left for bytes that are no configuration at all.
//
// The invariant: what is in the tree can be used without another check. Interface numbers and
// alternate settings occur once, endpoints have a number, a direction and (isochronous ones aside)
// a packet size, and every value lies within what the standard allows.
//
// Hosts call this on devices, and an emulated device on what it built itself.
#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "usb/types.h"

namespace usbtwin::usb {

// Several interfaces that are one function. USB 3.2, 9.6.4.
struct Association {
  uint8_t interface_first = 0;
  uint8_t interfaces_count = 0;
  uint8_t function_class = 0;
  uint8_t function_subclass = 0;
  uint8_t function_protocol = 0;
  uint8_t string_index = 0;
  bool operator==(const Association&) const = default;
};

// One alternate setting of an interface.
struct Alternate {
  uint8_t setting = 0;  // bAlternateSetting
  uint8_t interface_class = 0;
  uint8_t interface_subclass = 0;
  uint8_t interface_protocol = 0;
  uint8_t string_index = 0;               // iInterface, 0 for none
  std::vector<EndpointConfig> endpoints;  // in descriptor order, which means nothing
  std::vector<uint8_t> extra;             // class-specific and unknown descriptors, in order
  bool operator==(const Alternate&) const = default;
};

struct Interface {
  uint8_t number = 0;
  std::optional<Association> association;
  std::vector<Alternate> alternates;  // at least one, in descriptor order
  bool operator==(const Interface&) const = default;
};

struct Configuration {
  static constexpr size_t kDefectsMax = 32;

  uint8_t value = 0;  // bConfigurationValue
  uint8_t attributes = 0;
  uint8_t power_max = 0;     // bMaxPower as written
  uint8_t string_index = 0;  // iConfiguration, 0 for none
  std::vector<Interface> interfaces;
  std::vector<uint8_t> extra;  // unknown descriptors before the first interface
  std::vector<Error> defects;  // what was worked around; the first kDefectsMax of them

  bool self_powered() const { return (attributes & 0x40) != 0; }
  bool remote_wakeup() const { return (attributes & 0x20) != 0; }
  uint16_t power_ma(Speed speed) const {
    return static_cast<uint16_t>(power_max * (speed >= Speed::kSuper ? 8 : 2));
  }
  bool operator==(const Configuration&) const = default;
};

// `bytes` is what a GET_DESCRIPTOR(configuration) or (other speed configuration) brought.
Result<Configuration> ParseConfiguration(Bytes bytes);

// Checks a device descriptor's length, type, and packet size of endpoint zero. Some devices say
// nonsense there before they have an address, which only concerns whoever sets up endpoint zero:
// without a speed the packet size is not looked at.
Result<wire::usb::DeviceDescriptor> ParseDevice(Bytes bytes, std::optional<Speed> speed);

// The pieces of a chain of descriptors, one by one. It stops where a bLength makes no sense, and
// then error() says where.
class DescriptorWalk {
 public:
  explicit DescriptorWalk(Bytes chain) : chain_(chain) {}
  // The next descriptor with its header: two bytes at least. Nullopt at the end, or where the chain
  // is broken.
  std::optional<Bytes> Next();
  size_t offset() const { return offset_; }  // of what Next returned last
  const std::optional<Error>& error() const { return error_; }

 private:
  Bytes chain_;
  size_t offset_ = 0;
  size_t next_ = 0;
  std::optional<Error> error_;
};

// For the readers of sets of descriptors (this one and usb/bos.h).
// The length of the head of a set, or why there is none.
Result<size_t> HeadLength(Bytes bytes, size_t needed);
// What follows the head, as far as wTotalLength reaches; a wTotalLength that lies is a defect.
Bytes ChainAfter(Bytes bytes, size_t head_length, size_t total, std::vector<Error>& defects);

enum class Direction : uint8_t { kOut, kIn };

// Null where there is none. What is returned lives as long as the tree.
const Interface* FindInterface(const Configuration& configuration, uint8_t number);
const Alternate* FindAlternate(const Interface& interface, uint8_t setting);
const EndpointConfig* FindEndpoint(const Alternate& alternate, EndpointAddress address);
// The first pipe of this kind: descriptors come in any order, so pipes are found by what they are.
const EndpointConfig* FindPipe(const Alternate& alternate, TransferType type, Direction direction);
// The pipe a UAS pipe usage descriptor names.
const EndpointConfig* FindPipe(const Alternate& alternate, wire::usb::PipeId id);

// What an interface is; nullopt matches anything.
struct InterfaceClass {
  std::optional<uint8_t> interface_class;
  std::optional<uint8_t> interface_subclass;
  std::optional<uint8_t> interface_protocol;
};
struct AlternateMatch {
  const Interface* interface = nullptr;
  const Alternate* alternate = nullptr;
};
// All alternate settings that match, in descriptor order.
std::vector<AlternateMatch> FindAlternates(const Configuration& configuration,
                                           const InterfaceClass& wanted);

}  // namespace usbtwin::usb
