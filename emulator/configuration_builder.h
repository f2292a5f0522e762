// Joins the descriptors of functions into one configuration descriptor: renumbers interfaces,
// endpoints and strings, and adds the associations and companions that are missing. Only
// device_descriptors.cc uses it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "emulator/device_descriptors.h"

namespace usbtwin::emulator {

// Gives every string of a device its index. The first failure is kept.
class StringTable {
 public:
  // No table of languages where `language` is absent.
  explicit StringTable(std::optional<uint16_t> language);

  // 0 for no string at all.
  uint8_t Add(const std::string& text);
  void AddFunction(const Function& function);
  // The device's index of a function's string; nullopt where the function has no such string.
  std::optional<uint8_t> Find(const Function& function, uint8_t index) const;
  const std::optional<Error>& error() const { return error_; }
  // A device without strings has no table of languages either. USB 2.0, 9.6.7.
  std::vector<std::vector<uint8_t>> Take();

 private:
  const std::vector<uint8_t>* IndexesOf(const Function& function) const;

  std::vector<std::vector<uint8_t>> strings_;
  std::vector<std::pair<const Function*, std::vector<uint8_t>>> functions_;
  std::optional<Error> error_;
};

class ConfigurationBuilder {
 public:
  ConfigurationBuilder(const StringTable& strings, usb::Speed speed);

  // The next function's interfaces; an Error where its descriptors make no sense.
  std::optional<Error> Add(Function& function);
  // The whole configuration, with the lengths and counts of `head` filled in.
  Result<std::vector<uint8_t>> Finish(wire::usb::ConfigurationDescriptor head);
  std::vector<InterfaceOwner> TakeOwners() { return std::move(owners_); }

 private:
  // What one function takes.
  struct Extent {
    unsigned interfaces_count = 0;
    bool associated = false;  // it brings its own association
    wire::usb::InterfaceDescriptor first{};
  };

  static Result<Extent> Measure(Bytes source);
  void AppendAssociation(const Extent& extent);
  void AppendCompanion(Bytes endpoint);
  std::optional<Error> AppendRenumbered(const Function& function, Bytes descriptor);
  std::optional<Error> RenumberEndpoint(wire::usb::EndpointDescriptor* endpoint);
  std::optional<Error> RenumberString(const Function& function, uint8_t& string_index) const;

  const StringTable& strings_;
  const usb::Speed speed_;
  std::vector<uint8_t> chain_;
  std::vector<InterfaceOwner> owners_;
  unsigned interfaces_count_ = 0;
  unsigned in_base_ = 0;  // the last endpoint numbers of the functions before this one
  unsigned out_base_ = 0;
  unsigned in_last_ = 0;
  unsigned out_last_ = 0;
};

}  // namespace usbtwin::emulator
