#include "host/device_description.h"

#include <algorithm>

#include "usb/string_descriptor.h"

namespace usbtwin::host {

using wire::usb::DescriptorHeader;
using wire::usb::DescriptorType;
using wire::usb::DeviceDescriptor;

namespace {

// How often a set of descriptors is asked for whose wTotalLength keeps changing.
constexpr int kReadsMax = 3;
constexpr uint8_t kStringLengthMax = 255;

// What a set of descriptors begins with, be it a configuration or a BOS.
struct SetHead {
  uint8_t length;
  uint8_t type;
  wire::Le16 total_length;
};
static_assert(wire::WireStruct<SetHead>);

Error Broken(const char* text, uint64_t first, uint64_t second, uint64_t third = 0) {
  return {.kind = ErrorKind::kProtocol,
          .phase = Phase::kControl,
          .text = text,
          .values = {first, second, third}};
}

// After these there is no point in asking the device for anything else.
bool EndsReading(const Error& error) {
  return error.kind == ErrorKind::kDisconnected || error.kind == ErrorKind::kCancelled ||
         error.kind == ErrorKind::kBusy;
}

// A transfer's failure says nothing about what was asked; other errors do.
Error Named(Error error, const char* text, uint64_t value = 0) {
  if (*error.text == '\0') {
    error.text = text;
    error.values = {value, 0, 0};
  }
  return error;
}

struct DescriptorQuery {
  DescriptorType type = DescriptorType::kDevice;
  uint8_t index = 0;
  uint16_t language = 0;
  MutableBytes target;
  Duration timeout{};
};

ControlRequest GetDescriptor(const DescriptorQuery& query) {
  return {.request_type = wire::usb::kDirectionIn,
          .request = static_cast<uint8_t>(wire::usb::Request::kGetDescriptor),
          .value = static_cast<uint16_t>(static_cast<unsigned>(query.type) << 8 | query.index),
          .index = query.language,
          .in = query.target,
          .timeout = query.timeout};
}

// A descriptor's first bytes: at least `length_min` of them, and of the type that was asked for.
std::optional<Error> CheckAnswer(Bytes answer, size_t length_min, DescriptorType type) {
  if (answer.size() < length_min) {
    return Broken("{} bytes came of a descriptor of type {}, at least {} needed", answer.size(),
                  static_cast<uint64_t>(type), length_min);
  }
  const auto* header = wire::View<DescriptorHeader>(answer);
  if (header == nullptr || header->type != static_cast<uint8_t>(type)) {
    return Broken("a descriptor of type {} came, type {} was asked for",
                  header == nullptr ? 0 : header->type, static_cast<uint64_t>(type));
  }
  return std::nullopt;
}

struct SetQuery {
  DescriptorType type = DescriptorType::kConfiguration;
  uint8_t index = 0;
  size_t head_length = 0;
  Duration timeout{};
};

// Reads a set of descriptors: the head first, then as much as its wTotalLength says. A device may
// say something else the second time, so the length is held against what came.
async::Task<Result<std::vector<uint8_t>>> ReadSet(Control& control, SetQuery query) {
  std::vector<uint8_t> bytes(query.head_length, 0);
  for (int reads = 0; reads <= kReadsMax; ++reads) {
    const ControlRequest request = GetDescriptor(
        {.type = query.type, .index = query.index, .target = bytes, .timeout = query.timeout});
    const Result<uint32_t> length = co_await control.Transfer(request);
    if (!length) co_return length.error();
    const Bytes answer = Take(Bytes(bytes), *length);
    if (const auto error = CheckAnswer(answer, query.head_length, query.type)) co_return *error;
    const size_t total = wire::View<SetHead>(answer)->total_length;
    if (total < query.head_length) {
      co_return Broken("wTotalLength of descriptor {} is {}, its head alone has {} bytes",
                       query.index, total, query.head_length);
    }
    const bool all_asked = reads > 0 || total == query.head_length;
    // Fewer bytes than announced is the walk's to judge; more need another read.
    if (all_asked && (total <= bytes.size() || reads == kReadsMax)) {
      bytes.resize(*length);
      co_return bytes;
    }
    bytes.assign(total, 0);
  }
  co_return bytes;
}

// A string descriptor as it came. Some devices refuse to be asked for 255 bytes, or answer that
// with nothing; they are asked for the header, and then for what it says.
async::Task<Result<std::vector<uint8_t>>> ReadStringBytes(Control& control, DescriptorQuery query) {
  std::vector<uint8_t> bytes(kStringLengthMax, 0);
  query.type = DescriptorType::kString;
  query.target = bytes;
  ControlRequest request = GetDescriptor(query);
  Result<uint32_t> length = co_await control.Transfer(request);
  const bool refused = !length && length.error().kind == ErrorKind::kStalled;
  if (refused || (length && *length < sizeof(DescriptorHeader))) {
    request.in = MutableBytes(bytes).first(sizeof(DescriptorHeader));
    length = co_await control.Transfer(request);
    if (!length) co_return length.error();
    const Bytes header = Take(Bytes(bytes), *length);
    const auto error = CheckAnswer(header, sizeof(DescriptorHeader), DescriptorType::kString);
    if (error) co_return *error;
    request.in = MutableBytes(bytes).first(std::max<size_t>(bytes[0], sizeof(DescriptorHeader)));
    length = co_await control.Transfer(request);
  }
  if (!length) co_return length.error();
  bytes.resize(*length);
  co_return bytes;
}

// English where it is on offer, else the first language. Devices that have strings but no table
// answer to English.
async::Task<Result<uint16_t>> ReadLanguage(Control& control, Duration timeout) {
  const DescriptorQuery query{.timeout = timeout};
  const Result<std::vector<uint8_t>> table = co_await ReadStringBytes(control, query);
  if (!table) co_return table.error();
  const Result<std::vector<uint16_t>> languages = usb::ParseLanguages(*table);
  if (!languages) co_return languages.error();
  if (languages->empty()) {
    co_return Broken("the table of languages has {} bytes and no language", table->size(), 0);
  }
  const bool english = std::find(languages->begin(), languages->end(),
                                 wire::usb::kLanguageEnglishUs) != languages->end();
  co_return english ? wire::usb::kLanguageEnglishUs : languages->front();
}

// A device that lets one string time out is not asked for another: each would cost as much.
async::Task<Result<void>> ReadStrings(Control& control, DeviceDescription& target,
                                      Duration timeout) {
  struct Item {
    uint8_t index;
    std::optional<std::string>& text;
  };
  const std::array<Item, 3> items{{
      {target.device.manufacturer_index, target.manufacturer},
      {target.device.product_index, target.product},
      {target.device.serial_index, target.serial},
  }};
  const auto has = [](const Item& item) { return item.index != 0; };
  if (std::none_of(items.begin(), items.end(), has)) co_return Result<void>();

  const Result<uint16_t> language = co_await ReadLanguage(control, timeout);
  target.language = language ? *language : wire::usb::kLanguageEnglishUs;
  if (!language) {
    if (EndsReading(language.error())) {
      co_return Named(language.error(), "the table of languages was asked for");
    }
    target.defects.push_back(
        Named(language.error(), "the table of languages was asked for: English is assumed"));
    if (language.error().kind == ErrorKind::kTimedOut) co_return Result<void>();
  }
  for (const Item& item : items) {
    if (!has(item)) continue;
    Result<std::string> text = co_await ReadString(control, item.index, target.language, timeout);
    if (text) {
      item.text = std::move(*text);
      continue;
    }
    if (EndsReading(text.error())) {
      co_return Named(text.error(), "string {} was asked for", item.index);
    }
    target.defects.push_back(
        Named(text.error(), "string {} was asked for: shown as none", item.index));
    if (text.error().kind == ErrorKind::kTimedOut) break;
  }
  co_return Result<void>();
}

async::Task<Result<void>> ReadConfigurations(Control& control, DeviceDescription& target,
                                             Duration timeout) {
  uint8_t count = target.device.configurations_count;
  if (count > DeviceDescription::kConfigurationsMax) {
    target.defects.push_back(Broken("bNumConfigurations is {}, the first {} were read", count,
                                    DeviceDescription::kConfigurationsMax));
    count = DeviceDescription::kConfigurationsMax;
  }
  std::optional<Error> first_error;
  for (uint8_t index = 0; index < count; ++index) {
    const SetQuery query{.type = DescriptorType::kConfiguration,
                         .index = index,
                         .head_length = sizeof(wire::usb::ConfigurationDescriptor),
                         .timeout = timeout};
    Result<std::vector<uint8_t>> bytes = co_await ReadSet(control, query);
    Result<usb::Configuration> tree =
        bytes ? usb::ParseConfiguration(*bytes) : Result<usb::Configuration>(bytes.error());
    if (tree) {
      target.configurations.push_back({index, std::move(*bytes), std::move(*tree)});
      continue;
    }
    if (EndsReading(tree.error())) {
      co_return Named(tree.error(), "the configuration with index {} was asked for", index);
    }
    const Error named =
        Named(tree.error(), "the configuration with index {} was asked for: left out", index);
    if (!first_error) first_error = named;
    target.defects.push_back(named);
  }
  if (target.configurations.empty()) co_return *first_error;
  co_return Result<void>();
}

async::Task<Result<void>> ReadDevice(Control& control, DeviceDescription& target,
                                     Duration timeout) {
  std::array<uint8_t, sizeof(DeviceDescriptor)> room{};
  const ControlRequest request =
      GetDescriptor({.type = DescriptorType::kDevice, .target = room, .timeout = timeout});
  const Result<uint32_t> length = co_await control.Transfer(request);
  if (!length) co_return Named(length.error(), "the device descriptor was asked for");
  const Bytes answer = Take(Bytes(room), *length);
  // The packet size of endpoint zero concerned whoever gave the device its address.
  const Result<DeviceDescriptor> device = usb::ParseDevice(answer, std::nullopt);
  if (!device) co_return device.error();
  target.device = *device;
  target.device_bytes.assign(answer.begin(), answer.end());
  co_return Result<void>();
}

}  // namespace

const ConfigurationDescription* DeviceDescription::Find(uint8_t configuration_value) const {
  for (const ConfigurationDescription& configuration : configurations) {
    if (configuration.tree.value == configuration_value) return &configuration;
  }
  return nullptr;
}

async::Task<Result<uint8_t>> ReadActiveValue(Control& control, Duration timeout) {
  std::array<uint8_t, 1> value{};
  const ControlRequest request{
      .request_type = wire::usb::kDirectionIn,
      .request = static_cast<uint8_t>(wire::usb::Request::kGetConfiguration),
      .in = value,
      .timeout = timeout};
  const Result<uint32_t> length = co_await control.Transfer(request);
  if (!length) co_return length.error();
  if (*length != value.size()) {
    co_return Broken("{} bytes came of the configuration value, {} expected", *length,
                     value.size());
  }
  co_return value[0];
}

async::Task<Result<std::string>> ReadString(Control& control, uint8_t index, uint16_t language,
                                            Duration timeout) {
  const DescriptorQuery query{.index = index, .language = language, .timeout = timeout};
  const Result<std::vector<uint8_t>> bytes = co_await ReadStringBytes(control, query);
  if (!bytes) co_return bytes.error();
  Result<std::string> text = usb::ParseString(*bytes);
  if (!text) co_return text.error();
  while (!text->empty() && text->back() == '\0') text->pop_back();
  co_return std::move(*text);
}

async::Task<Result<BosDescription>> ReadBos(Control& control, Duration timeout) {
  const SetQuery query{.type = DescriptorType::kBos,
                       .head_length = sizeof(wire::usb::BosDescriptor),
                       .timeout = timeout};
  Result<std::vector<uint8_t>> bytes = co_await ReadSet(control, query);
  if (!bytes) co_return bytes.error();
  Result<usb::BinaryObjectStore> store = usb::ParseBos(*bytes);
  if (!store) co_return store.error();
  co_return BosDescription{std::move(*bytes), std::move(*store)};
}

async::Task<Result<DeviceDescription>> ReadDescription(Control& control, Duration timeout) {
  DeviceDescription description;
  const Result<void> device = co_await ReadDevice(control, description, timeout);
  if (!device) co_return device.error();
  const Result<void> configurations = co_await ReadConfigurations(control, description, timeout);
  if (!configurations) co_return configurations.error();
  const Result<uint8_t> active = co_await ReadActiveValue(control, timeout);
  if (active) {
    description.active_value = *active;
  } else if (EndsReading(active.error())) {
    co_return Named(active.error(), "the active configuration was asked for");
  } else {
    description.defects.push_back(
        Named(active.error(), "the active configuration was asked for: taken as unknown"));
  }
  const Result<void> strings = co_await ReadStrings(control, description, timeout);
  if (!strings) co_return strings.error();
  co_return description;
}

}  // namespace usbtwin::host
