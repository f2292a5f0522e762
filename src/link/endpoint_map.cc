#include "link/endpoint_map.h"

#include <algorithm>
#include <bit>

#include "usb/descriptors.h"
#include "wire/usb.h"

namespace usbtwin::link {

using wire::View;
using wire::usb::DescriptorType;

void EndpointMap::Observe(const usb::Transfer& transfer) {
  if (!transfer.setup || transfer.outcome != usb::Outcome::kOk) return;
  const usb::SetupPacket& setup = *transfer.setup;
  if (setup.request_type != wire::usb::kDirectionIn ||
      setup.request != static_cast<uint8_t>(wire::usb::Request::kGetDescriptor) ||
      setup.value >> 8 != static_cast<int>(DescriptorType::kConfiguration)) {
    return;
  }
  Learn(Take(Bytes(transfer.in), transfer.length_actual));
}

void EndpointMap::HandleConfigured(uint8_t value) {
  configured_ = true;
  configuration_ = value;
  current_ = nullptr;
  for (size_t index = 0; index < tables_count_; ++index) {
    if (tables_[index].configuration == value) current_ = &tables_[index];
  }
}

EndpointMap::Table* EndpointMap::TableOf(uint8_t configuration) {
  for (size_t index = 0; index < tables_count_; ++index) {
    if (tables_[index].configuration == configuration) return &tables_[index];
  }
  if (tables_count_ < kConfigurationsMax) ++tables_count_;
  tables_[tables_count_ - 1] = {.configuration = configuration};
  return &tables_[tables_count_ - 1];
}

void EndpointMap::Learn(Bytes bytes) {
  const auto* configuration = View<wire::usb::ConfigurationDescriptor>(bytes);
  if (configuration == nullptr ||
      configuration->type != static_cast<uint8_t>(DescriptorType::kConfiguration)) {
    return;
  }
  Table learned{.configuration = configuration->value};
  uint8_t interface_number = 0;
  usb::DescriptorWalk walk(Take(bytes, configuration->total_length));
  while (const std::optional<Bytes> descriptor = walk.Next()) {
    const auto type = static_cast<DescriptorType>((*descriptor)[1]);
    if (type == DescriptorType::kInterface) {
      const auto* interface = View<wire::usb::InterfaceDescriptor>(*descriptor);
      if (interface != nullptr) interface_number = interface->number;
    } else if (type == DescriptorType::kEndpoint) {
      const auto* endpoint = View<wire::usb::EndpointDescriptor>(*descriptor);
      if (endpoint == nullptr) continue;
      Entry& entry = learned.entries[usb::EndpointAddress{endpoint->address}.index()];
      if (!entry.known) ++learned.endpoints_count;
      entry = {.known = true,
               .type = static_cast<usb::TransferType>(endpoint->attributes & 3),
               .interface = interface_number,
               .interval = endpoint->interval};
    }
  }
  Table* table = TableOf(learned.configuration);
  if (learned.endpoints_count >= table->endpoints_count) *table = learned;
  if (!configured_ || configuration_ == learned.configuration) current_ = table;
}

const EndpointMap::Entry& EndpointMap::Find(usb::EndpointAddress endpoint) const {
  static constexpr Entry kUnknown{};
  return current_ == nullptr ? kUnknown : current_->entries[endpoint.index()];
}

uint32_t UrbInterval(const EndpointMap::Entry& entry, usb::Speed speed) {
  const uint32_t written = std::max<uint32_t>(entry.interval, 1);
  if (entry.type == usb::TransferType::kInterrupt && speed < usb::Speed::kHigh) {
    return std::bit_floor(std::min(written, 128u));
  }
  return 1u << (std::min(written, 16u) - 1);
}

}  // namespace usbtwin::link
