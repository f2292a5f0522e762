#include "emulator/configuration_builder.h"

#include "emulator/profile.h"
#include "usb/string_descriptor.h"

namespace usbtwin::emulator {
namespace {

using usb::Speed;
using wire::MutableView;
using wire::usb::ConfigurationDescriptor;
using wire::usb::DescriptorType;
using wire::usb::EndpointDescriptor;
using wire::usb::InterfaceAssociationDescriptor;
using wire::usb::InterfaceDescriptor;
using wire::usb::SuperSpeedCompanionDescriptor;

constexpr size_t kStringsMax = 255;
constexpr unsigned kInterfacesMax = 255;  // bNumInterfaces is one byte

Error Invalid(const char* text, uint64_t first = 0, uint64_t second = 0) {
  return {.kind = ErrorKind::kInvalid, .text = text, .values = {first, second}};
}

uint8_t Type(DescriptorType type) {
  return static_cast<uint8_t>(type);
}
bool IsA(Bytes descriptor, DescriptorType type) {
  return descriptor[1] == Type(type);
}
bool IsSuper(Speed speed) {
  return speed >= Speed::kSuper;
}

void Append(std::vector<uint8_t>& target, Bytes bytes) {
  target.insert(target.end(), bytes.begin(), bytes.end());
}

}  // namespace

StringTable::StringTable(std::optional<uint16_t> language) {
  strings_.push_back(language ? usb::MakeLanguageTable(*language) : std::vector<uint8_t>());
}

uint8_t StringTable::Add(const std::string& text) {
  if (text.empty()) return 0;
  Result<std::vector<uint8_t>> descriptor = usb::MakeStringDescriptor(text);
  if (!descriptor) {
    if (!error_) error_ = descriptor.error();
    return 0;
  }
  if (strings_.size() > kStringsMax) {
    if (!error_) error_ = Invalid("more than {} strings", kStringsMax);
    return 0;
  }
  strings_.push_back(std::move(*descriptor));
  return static_cast<uint8_t>(strings_.size() - 1);
}

void StringTable::AddFunction(const Function& function) {
  if (IndexesOf(function) != nullptr) return;
  std::vector<uint8_t> indexes{0};
  for (const std::string& text : function.strings()) indexes.push_back(Add(text));
  functions_.push_back({&function, std::move(indexes)});
}

std::optional<uint8_t> StringTable::Find(const Function& function, uint8_t index) const {
  const std::vector<uint8_t>* indexes = IndexesOf(function);
  if (indexes == nullptr || index >= indexes->size()) return std::nullopt;
  return (*indexes)[index];
}

std::vector<std::vector<uint8_t>> StringTable::Take() {
  if (strings_.size() == 1) strings_.clear();
  return std::move(strings_);
}

const std::vector<uint8_t>* StringTable::IndexesOf(const Function& function) const {
  for (const auto& [known, indexes] : functions_) {
    if (known == &function) return &indexes;
  }
  return nullptr;
}

ConfigurationBuilder::ConfigurationBuilder(const StringTable& strings, Speed speed)
    : strings_(strings), speed_(speed), chain_(sizeof(ConfigurationDescriptor)) {}

std::optional<Error> ConfigurationBuilder::Add(Function& function) {
  const Bytes source = function.descriptors(speed_);
  const Result<Extent> extent = Measure(source);
  if (!extent) return extent.error();
  if (interfaces_count_ + extent->interfaces_count > kInterfacesMax) {
    return Invalid("more than {} interfaces", kInterfacesMax);
  }
  if (extent->interfaces_count > 1 && !extent->associated) AppendAssociation(*extent);
  usb::DescriptorWalk walk(source);
  std::optional<Bytes> descriptor = walk.Next();
  while (descriptor) {
    const std::optional<Bytes> next = walk.Next();
    if (const std::optional<Error> error = AppendRenumbered(function, *descriptor)) return error;
    if (IsA(*descriptor, DescriptorType::kEndpoint)) {
      const bool companion = next && IsA(*next, DescriptorType::kSuperSpeedCompanion);
      if (companion && !IsSuper(speed_)) {
        return Invalid("a function with a companion descriptor below SuperSpeed");
      }
      if (!companion && IsSuper(speed_)) AppendCompanion(*descriptor);
    }
    descriptor = next;
  }
  for (unsigned index = 0; index < extent->interfaces_count; ++index) {
    owners_.push_back({&function, static_cast<uint8_t>(index)});
  }
  interfaces_count_ += extent->interfaces_count;
  in_base_ = in_last_;
  out_base_ = out_last_;
  return std::nullopt;
}

Result<std::vector<uint8_t>> ConfigurationBuilder::Finish(ConfigurationDescriptor head) {
  if (chain_.size() > UINT16_MAX) {
    return Invalid("a configuration of {} bytes, at most {} are possible", chain_.size(),
                   UINT16_MAX);
  }
  head.length = sizeof(head);
  head.type = Type(DescriptorType::kConfiguration);
  head.total_length = static_cast<uint16_t>(chain_.size());
  head.interfaces_count = static_cast<uint8_t>(interfaces_count_);
  wire::Emit(MutableBytes(chain_), head);
  return std::move(chain_);
}

// A function's interfaces must be numbered from 0 without a gap.
Result<ConfigurationBuilder::Extent> ConfigurationBuilder::Measure(Bytes source) {
  Extent extent;
  usb::DescriptorWalk walk(source);
  while (const std::optional<Bytes> descriptor = walk.Next()) {
    if (IsA(*descriptor, DescriptorType::kInterfaceAssociation)) extent.associated = true;
    if (!IsA(*descriptor, DescriptorType::kInterface)) continue;
    const auto* interface = wire::View<InterfaceDescriptor>(*descriptor);
    if (interface == nullptr || interface->number > extent.interfaces_count) {
      return Invalid("a function's interface descriptor at offset {} is not number {}",
                     walk.offset(), extent.interfaces_count);
    }
    if (extent.interfaces_count == 0) extent.first = *interface;
    if (interface->number == extent.interfaces_count) ++extent.interfaces_count;
  }
  if (walk.error()) return *walk.error();
  if (extent.interfaces_count == 0) return Invalid("a function without an interface");
  return extent;
}

// What the first interface is, the whole function is. USB 3.2, 9.6.4.
void ConfigurationBuilder::AppendAssociation(const Extent& extent) {
  const InterfaceAssociationDescriptor association{
      .length = sizeof(InterfaceAssociationDescriptor),
      .type = Type(DescriptorType::kInterfaceAssociation),
      .interface_first = static_cast<uint8_t>(interfaces_count_),
      .interfaces_count = static_cast<uint8_t>(extent.interfaces_count),
      .function_class = extent.first.interface_class,
      .function_subclass = extent.first.interface_subclass,
      .function_protocol = extent.first.interface_protocol,
      .string_index = 0};
  Append(chain_, wire::AsBytes(association));
}

// Every endpoint has one at SuperSpeed; the least is bursts of one packet, and for a periodic
// endpoint one of them in each interval. USB 3.2, 9.6.7.
void ConfigurationBuilder::AppendCompanion(Bytes endpoint) {
  const auto& view = *wire::View<EndpointDescriptor>(endpoint);
  const auto type = static_cast<usb::TransferType>(view.attributes & 3);
  const bool periodic =
      type == usb::TransferType::kInterrupt || type == usb::TransferType::kIsochronous;
  const uint16_t packet_size_max = view.packet_size_max;
  const SuperSpeedCompanionDescriptor companion{
      .length = sizeof(SuperSpeedCompanionDescriptor),
      .type = Type(DescriptorType::kSuperSpeedCompanion),
      .burst_max = 0,
      .attributes = 0,
      .bytes_per_interval = periodic ? packet_size_max : uint16_t{0}};
  Append(chain_, wire::AsBytes(companion));
}

std::optional<Error> ConfigurationBuilder::AppendRenumbered(const Function& function,
                                                            Bytes descriptor) {
  const size_t offset = chain_.size();
  Append(chain_, descriptor);
  const MutableBytes copy = Drop(MutableBytes(chain_), offset);
  if (IsA(descriptor, DescriptorType::kInterface)) {
    auto* interface = MutableView<InterfaceDescriptor>(copy);
    interface->number = static_cast<uint8_t>(interface->number + interfaces_count_);
    return RenumberString(function, interface->string_index);
  }
  if (IsA(descriptor, DescriptorType::kInterfaceAssociation)) {
    auto* association = MutableView<InterfaceAssociationDescriptor>(copy);
    if (association == nullptr) {
      return Invalid("a function's association descriptor of {} bytes", copy.size());
    }
    association->interface_first =
        static_cast<uint8_t>(association->interface_first + interfaces_count_);
    return RenumberString(function, association->string_index);
  }
  if (IsA(descriptor, DescriptorType::kEndpoint)) {
    auto* endpoint = MutableView<EndpointDescriptor>(copy);
    if (endpoint == nullptr) {
      return Invalid("a function's endpoint descriptor of {} bytes", copy.size());
    }
    return RenumberEndpoint(endpoint);
  }
  return std::nullopt;
}

std::optional<Error> ConfigurationBuilder::RenumberEndpoint(EndpointDescriptor* endpoint) {
  const usb::EndpointAddress local{endpoint->address};
  const unsigned number = local.number() + (local.is_in() ? in_base_ : out_base_);
  if (local.number() == 0 || number > Profile::kEndpointsMax) {
    return Invalid("a function's endpoint number {} would become {}, 1 to 15 are possible",
                   local.number(), number);
  }
  unsigned& last = local.is_in() ? in_last_ : out_last_;
  last = std::max(last, number);
  endpoint->address = static_cast<uint8_t>((endpoint->address & 0xf0) | number);
  return std::nullopt;
}

std::optional<Error> ConfigurationBuilder::RenumberString(const Function& function,
                                                          uint8_t& string_index) const {
  const std::optional<uint8_t> index = strings_.Find(function, string_index);
  if (!index) return Invalid("a function that lacks its string {}", string_index);
  string_index = *index;
  return std::nullopt;
}

}  // namespace usbtwin::emulator
