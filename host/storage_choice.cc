#include "host/storage_choice.h"

namespace usbtwin::host {

namespace {

// USB Mass Storage Class Specification Overview, revision 1.4, 2 and 3.
constexpr uint8_t kClassMassStorage = 0x08;
constexpr uint8_t kClassVendor = 0xff;
constexpr uint8_t kSubclassScsi = 0x06;
constexpr uint8_t kProtocolBulkOnly = 0x50;
constexpr uint8_t kProtocolUas = 0x62;

using usb::Alternate;
using usb::AlternateMatch;
using usb::Direction;
using usb::FindPipe;
using usb::TransferType;

Error Missing(ErrorKind kind, const char* text, std::array<uint64_t, 3> values = {}) {
  return {.kind = kind, .phase = Phase::kOpen, .text = text, .values = values};
}

bool IsStorage(const Alternate& alternate, uint8_t protocol) {
  const bool known_class =
      alternate.interface_class == kClassMassStorage || alternate.interface_class == kClassVendor;
  return known_class && alternate.interface_subclass == kSubclassScsi &&
         alternate.interface_protocol == protocol;
}

bool HasPipes(const Alternate& alternate) {
  return FindPipe(alternate, TransferType::kBulk, Direction::kIn) != nullptr &&
         FindPipe(alternate, TransferType::kBulk, Direction::kOut) != nullptr;
}

// How well an alternate setting fits; the highest wins, and of equals the first.
enum class Fit : uint8_t { kNone, kNamed, kMassStorage, kVendor };

Fit Rate(const Alternate& alternate, bool named) {
  if (!HasPipes(alternate)) return Fit::kNone;
  if (IsStorage(alternate, kProtocolBulkOnly)) {
    return alternate.interface_class == kClassVendor ? Fit::kVendor : Fit::kMassStorage;
  }
  return named && alternate.interface_protocol != kProtocolUas ? Fit::kNamed : Fit::kNone;
}

StorageChoice MakeChoice(uint8_t configuration_value, const AlternateMatch& match) {
  const Alternate& alternate = *match.alternate;
  return {.configuration_value = configuration_value,
          .interface_number = match.interface->number,
          .alternate_setting = alternate.setting,
          .interface_class = alternate.interface_class,
          .interface_subclass = alternate.interface_subclass,
          .interface_protocol = alternate.interface_protocol,
          .has_alternates = match.interface->alternates.size() > 1,
          .bulk_in = *FindPipe(alternate, TransferType::kBulk, Direction::kIn),
          .bulk_out = *FindPipe(alternate, TransferType::kBulk, Direction::kOut)};
}

// Why nothing was found in a configuration.
Error Explain(const usb::Configuration& configuration, std::optional<uint8_t> wanted) {
  if (wanted && usb::FindInterface(configuration, *wanted) == nullptr) {
    return Missing(ErrorKind::kNotFound, "configuration {} has no interface {}",
                   {configuration.value, *wanted});
  }
  const Alternate* without_pipes = nullptr;
  for (const AlternateMatch& match : usb::FindAlternates(configuration, {})) {
    if (wanted && match.interface->number != *wanted) continue;
    if (IsStorage(*match.alternate, kProtocolUas)) {
      return Missing(ErrorKind::kUnsupported,
                     "interface {} speaks USB Attached SCSI only, which this build does not",
                     {match.interface->number});
    }
    if (IsStorage(*match.alternate, kProtocolBulkOnly)) without_pipes = match.alternate;
  }
  if (without_pipes != nullptr) {
    return Missing(ErrorKind::kNotFound,
                   "the mass-storage interface of configuration {} lacks a bulk-in or a bulk-out "
                   "pipe: it has {} endpoints",
                   {configuration.value, without_pipes->endpoints.size()});
  }
  if (wanted) {
    return Missing(ErrorKind::kNotFound, "interface {} lacks a bulk-in or a bulk-out pipe",
                   {*wanted});
  }
  return Missing(ErrorKind::kNotFound,
                 "none of the {} interfaces of configuration {} is mass storage",
                 {configuration.interfaces.size(), configuration.value});
}

Result<StorageChoice> ChooseIn(const usb::Configuration& configuration,
                               std::optional<uint8_t> wanted) {
  AlternateMatch best;
  Fit best_fit = Fit::kNone;
  for (const AlternateMatch& match : usb::FindAlternates(configuration, {})) {
    if (wanted && match.interface->number != *wanted) continue;
    const Fit fit = Rate(*match.alternate, wanted.has_value());
    if (fit <= best_fit) continue;
    best = match;
    best_fit = fit;
  }
  if (best_fit == Fit::kNone) return Explain(configuration, wanted);
  return MakeChoice(configuration.value, best);
}

}  // namespace

Result<StorageChoice> ChooseStorage(const DeviceDescription& description,
                                    const StorageOptions& options) {
  if (options.protocol == StorageProtocol::kUas) {
    return Missing(ErrorKind::kUnsupported, "this build does not speak USB Attached SCSI");
  }
  const uint8_t active = description.active_value.value_or(0);
  const uint8_t wanted = options.configuration_value.value_or(active);
  if (wanted != 0) {
    const ConfigurationDescription* configuration = description.Find(wanted);
    if (configuration == nullptr) {
      return Missing(ErrorKind::kNotFound, "no descriptor of configuration {} could be read",
                     {wanted});
    }
    return ChooseIn(configuration->tree, options.interface_number);
  }
  std::optional<Error> first_error;
  for (const ConfigurationDescription& configuration : description.configurations) {
    if (configuration.tree.value == 0) continue;  // it cannot be set
    const Result<StorageChoice> choice = ChooseIn(configuration.tree, options.interface_number);
    if (choice) return choice;
    if (!first_error) first_error = choice.error();
  }
  if (first_error) return *first_error;
  return Missing(ErrorKind::kNotFound, "none of {} configurations has a value",
                 {description.configurations.size()});
}

}  // namespace usbtwin::host
