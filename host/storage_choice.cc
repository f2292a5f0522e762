#include "host/storage_choice.h"

#include "usb/link.h"

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
using wire::usb::PipeId;

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

// All four, each where its usage says. UAS, 5.3.3.5.
bool HasUasPipes(const Alternate& alternate) {
  const auto fits = [&](PipeId id, bool in) {
    const usb::EndpointConfig* const pipe = FindPipe(alternate, id);
    return pipe != nullptr && pipe->type == TransferType::kBulk && pipe->address.is_in() == in &&
           pipe->packet_size_max != 0;
  };
  return fits(PipeId::kCommand, false) && fits(PipeId::kStatus, true) &&
         fits(PipeId::kDataIn, true) && fits(PipeId::kDataOut, false);
}

// At SuperSpeed there is no UAS without streams. UAS, 6.3.
bool CarriesUas(const usb::LinkCaps& caps) {
  return caps.speed < usb::Speed::kSuper || caps.streams_max != 0;
}

// What is looked for in a configuration.
struct Search {
  std::optional<uint8_t> interface_number;
  bool bulk_only = true;
  bool uas = true;
};

// How well an alternate setting fits; the highest wins, and of equals the first.
enum class Fit : uint8_t { kNone, kNamed, kMassStorage, kMassStorageUas, kVendor, kVendorUas };

Fit Rate(const Alternate& alternate, const Search& search) {
  const bool vendor = alternate.interface_class == kClassVendor;
  if (IsStorage(alternate, kProtocolUas)) {
    if (!search.uas || !HasUasPipes(alternate)) return Fit::kNone;
    return vendor ? Fit::kVendorUas : Fit::kMassStorageUas;
  }
  if (!search.bulk_only || !HasPipes(alternate)) return Fit::kNone;
  if (IsStorage(alternate, kProtocolBulkOnly)) return vendor ? Fit::kVendor : Fit::kMassStorage;
  const bool named = search.interface_number.has_value();
  return named && alternate.interface_protocol != kProtocolUas ? Fit::kNamed : Fit::kNone;
}

StorageChoice MakeChoice(uint8_t configuration_value, const AlternateMatch& match) {
  const Alternate& alternate = *match.alternate;
  StorageChoice choice{.configuration_value = configuration_value,
                       .interface_number = match.interface->number,
                       .alternate_setting = alternate.setting,
                       .interface_class = alternate.interface_class,
                       .interface_subclass = alternate.interface_subclass,
                       .interface_protocol = alternate.interface_protocol,
                       .has_alternates = match.interface->alternates.size() > 1};
  if (IsStorage(alternate, kProtocolUas)) {
    choice.command = *FindPipe(alternate, PipeId::kCommand);
    choice.status = *FindPipe(alternate, PipeId::kStatus);
    choice.bulk_in = *FindPipe(alternate, PipeId::kDataIn);
    choice.bulk_out = *FindPipe(alternate, PipeId::kDataOut);
  } else {
    choice.bulk_in = *FindPipe(alternate, TransferType::kBulk, Direction::kIn);
    choice.bulk_out = *FindPipe(alternate, TransferType::kBulk, Direction::kOut);
  }
  return choice;
}

// Why nothing was found in a configuration.
Error Explain(const usb::Configuration& configuration, const Search& search) {
  const std::optional<uint8_t> wanted = search.interface_number;
  if (wanted && usb::FindInterface(configuration, *wanted) == nullptr) {
    return Missing(ErrorKind::kNotFound, "configuration {} has no interface {}",
                   {configuration.value, *wanted});
  }
  const Alternate* without_pipes = nullptr;
  for (const AlternateMatch& match : usb::FindAlternates(configuration, {})) {
    if (wanted && match.interface->number != *wanted) continue;
    const bool uas = IsStorage(*match.alternate, kProtocolUas);
    if (uas && !search.bulk_only && HasUasPipes(*match.alternate)) continue;
    if (uas && HasUasPipes(*match.alternate)) {
      return Missing(
          ErrorKind::kUnsupported,
          "interface {} speaks USB Attached SCSI only, which this link does not carry or "
          "was not asked for",
          {match.interface->number});
    }
    if (uas && search.uas) {
      return Missing(ErrorKind::kNotFound,
                     "interface {} speaks USB Attached SCSI, but its {} endpoints are not the four "
                     "pipes that are needed",
                     {match.interface->number, match.alternate->endpoints.size()});
    }
    if (IsStorage(*match.alternate, kProtocolBulkOnly)) without_pipes = match.alternate;
  }
  if (!search.bulk_only) {
    return Missing(ErrorKind::kNotFound,
                   "none of the {} interfaces of configuration {} speaks USB Attached SCSI",
                   {configuration.interfaces.size(), configuration.value});
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

Result<StorageChoice> ChooseIn(const usb::Configuration& configuration, const Search& search) {
  AlternateMatch best;
  Fit best_fit = Fit::kNone;
  for (const AlternateMatch& match : usb::FindAlternates(configuration, {})) {
    if (search.interface_number && match.interface->number != *search.interface_number) continue;
    const Fit fit = Rate(*match.alternate, search);
    if (fit <= best_fit) continue;
    best = match;
    best_fit = fit;
  }
  if (best_fit == Fit::kNone) return Explain(configuration, search);
  return MakeChoice(configuration.value, best);
}

}  // namespace

Result<StorageChoice> ChooseStorage(const DeviceDescription& description,
                                    const StorageOptions& options, const usb::LinkCaps& caps) {
  if (options.protocol == StorageProtocol::kUas && !CarriesUas(caps)) {
    return Missing(ErrorKind::kUnsupported,
                   "USB Attached SCSI at SuperSpeed needs bulk streams, and this link has none");
  }
  const Search search{.interface_number = options.interface_number,
                      .bulk_only = options.protocol != StorageProtocol::kUas,
                      .uas = options.protocol != StorageProtocol::kBulkOnly && CarriesUas(caps)};
  const uint8_t active = description.active_value.value_or(0);
  const uint8_t wanted = options.configuration_value.value_or(active);
  if (wanted != 0) {
    const ConfigurationDescription* configuration = description.Find(wanted);
    if (configuration == nullptr) {
      return Missing(ErrorKind::kNotFound, "no descriptor of configuration {} could be read",
                     {wanted});
    }
    return ChooseIn(configuration->tree, search);
  }
  std::optional<Error> first_error;
  for (const ConfigurationDescription& configuration : description.configurations) {
    if (configuration.tree.value == 0) continue;  // it cannot be set
    const Result<StorageChoice> choice = ChooseIn(configuration.tree, search);
    if (choice) return choice;
    if (!first_error) first_error = choice.error();
  }
  if (first_error) return *first_error;
  return Missing(ErrorKind::kNotFound, "none of {} configurations has a value",
                 {description.configurations.size()});
}

}  // namespace usbtwin::host
