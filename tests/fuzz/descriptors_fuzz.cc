// What a device sends as descriptors, through every reader of them. Each tree is within what the
// standard allows, and the tree written out and read again is the same tree. Bytes that
// are no descriptor are taken as text, which must survive a string descriptor.
#include "usb/descriptors.h"

#include <bitset>

#include "base/check.h"
#include "base/text.h"
#include "descriptor_bytes.h"
#include "usb/string_descriptor.h"

namespace {

using namespace usbtwin;       // NOLINT
using namespace usbtwin::usb;  // NOLINT

constexpr size_t kSetLengthMax = 0xffff;  // wTotalLength

void CheckEndpoint(const EndpointConfig& endpoint) {
  CHECK_NE(endpoint.address.number(), 0);
  CHECK_EQ(endpoint.address.value & 0x70, 0);
  CHECK(endpoint.packet_size_max != 0 || endpoint.type == TransferType::kIsochronous);
  CHECK_LE(endpoint.packet_size_max, 0x7ff);
  CHECK_LE(endpoint.transactions_extra, 3);
  CHECK_LE(endpoint.burst_max, 15);
  CHECK(endpoint.streams_max == 0 || endpoint.type == TransferType::kBulk);
  CHECK_LE(endpoint.pipe_usage, 4);
}

void CheckTree(const Configuration& configuration) {
  CHECK_LE(configuration.defects.size(), Configuration::kDefectsMax);
  std::bitset<256> numbers;
  for (const Interface& interface : configuration.interfaces) {
    CHECK(!numbers[interface.number]);
    numbers.set(interface.number);
    CHECK(!interface.alternates.empty());
    CHECK(FindInterface(configuration, interface.number) == &interface);
    std::bitset<256> settings;
    for (const Alternate& alternate : interface.alternates) {
      CHECK(!settings[alternate.setting]);
      settings.set(alternate.setting);
      CHECK(FindAlternate(interface, alternate.setting) == &alternate);
      CHECK_LE(alternate.endpoints.size(), 30u);
      for (const EndpointConfig& endpoint : alternate.endpoints) {
        CheckEndpoint(endpoint);
        CHECK(FindEndpoint(alternate, endpoint.address) == &endpoint);
      }
    }
  }
  size_t alternates_count = 0;
  for (const auto& interface : configuration.interfaces) {
    alternates_count += interface.alternates.size();
  }
  CHECK_EQ(FindAlternates(configuration, {}).size(), alternates_count);
}

// Where associations overlap, their order decides; a tree does not keep it.
bool Overlap(const Configuration& configuration) {
  std::vector<Association> known;
  for (const Interface& interface : configuration.interfaces) {
    const auto& joined = interface.association;
    if (joined && std::find(known.begin(), known.end(), *joined) == known.end()) {
      known.push_back(*joined);
    }
  }
  std::bitset<512> taken;
  for (const Association& association : known) {
    for (size_t offset = 0; offset < association.interfaces_count; ++offset) {
      const size_t number = association.interface_first + offset;
      if (taken[number]) return true;
      taken.set(number);
    }
  }
  return false;
}

// Each of these is true where the bytes were what it reads.
bool TryConfiguration(Bytes bytes) {
  Result<Configuration> parsed = ParseConfiguration(bytes);
  if (!parsed) return false;
  CheckTree(*parsed);
  for (const Error& defect : parsed->defects) CHECK_NE(defect.text[0], '\0');
  if (Overlap(*parsed)) return true;
  const fuzz::Buffer written = fuzz::ConfigurationBytes(*parsed);
  if (written.size() > kSetLengthMax) return true;
  Result<Configuration> again = ParseConfiguration(written);
  CHECK(again.has_value());
  parsed->defects.clear();
  again->defects.clear();
  CHECK(*again == *parsed);
  return true;
}

bool TryBos(Bytes bytes) {
  const Result<BinaryObjectStore> parsed = ParseBos(bytes);
  if (!parsed) return false;
  CHECK_LE(parsed->defects.size(), Configuration::kDefectsMax);
  const fuzz::Buffer written = fuzz::BosBytes(*parsed);
  if (written.size() > kSetLengthMax) return true;
  const Result<BinaryObjectStore> again = ParseBos(written);
  CHECK(again.has_value());
  CHECK(again->defects.empty());
  CHECK(again->usb2_attributes == parsed->usb2_attributes);
  CHECK(again->super_speed.has_value() == parsed->super_speed.has_value());
  CHECK(again->super_speed_plus == parsed->super_speed_plus);
  CHECK(again->container_id == parsed->container_id);
  CHECK(again->others == parsed->others || written[4] == 255);
  return true;
}

bool TryDevice(Bytes bytes) {
  if (!ParseDevice(bytes, std::nullopt)) return false;
  for (const Speed speed : {Speed::kLow, Speed::kFull, Speed::kHigh, Speed::kSuper}) {
    (void)ParseDevice(bytes, speed);
  }
  return true;
}

// What ParseString answers is text that a descriptor can hold.
bool TryString(Bytes bytes) {
  const Result<std::string> text = ParseString(bytes);
  if (!text) return false;
  const Result<std::vector<uint8_t>> made = MakeStringDescriptor(*text);
  CHECK(made.has_value());
  const Result<std::string> again = ParseString(*made);
  CHECK(again.has_value() && *again == *text);
  const Result<std::vector<uint16_t>> languages = ParseLanguages(bytes);
  CHECK(languages.has_value() && languages->size() <= 126);
  return true;
}

// What a descriptor was made of is read as the same descriptor again.
void TryText(Bytes bytes) {
  const std::string text(bytes.begin(), bytes.end());
  const Result<std::vector<uint8_t>> made = MakeStringDescriptor(text);
  if (!made) return;
  CHECK_LE(made->size(), 255u);
  const Result<std::string> read = ParseString(*made);
  CHECK(read.has_value());
  const Result<std::vector<uint8_t>> again = MakeStringDescriptor(*read);
  CHECK(again.has_value() && *again == *made);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  if (TryDevice(bytes) || TryConfiguration(bytes) || TryBos(bytes) || TryString(bytes)) return 0;
  TryText(bytes);
  return 0;
}
