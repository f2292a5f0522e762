#include "app/opener.h"

#include <algorithm>

#include "app/config.h"
#include "app/real_device.h"
#include "base/text.h"

namespace usbtwin::app {
namespace {

#ifdef USBTWIN_AUDIT_ALWAYS
constexpr bool kAuditAlways = true;
#else
constexpr bool kAuditAlways = false;
#endif

emulator::Profile ProfileOf(const EmulatedDisk& emulated) {
  emulator::Profile profile;
  profile.speed = emulated.speed;
  profile.device.speeds = emulator::SpeedsUpTo(emulated.speed);
  emulator::FunctionProfile function;
  const bool uas = emulated.protocol == EmulatedDisk::Protocol::kUas;
  if (uas) function.kind = emulator::FunctionProfile::Kind::kUas;
  for (uint8_t lun = 0; lun < emulated.luns_count; ++lun) {
    emulator::UnitProfile unit;
    unit.disk.block_size = emulated.block_size;
    unit.disk.removable = emulated.removable;
    unit.disk.read_only = emulated.read_only;
    unit.disk.serial.append("-").append(std::to_string(lun));
    unit.image_path = emulated.image_path;
    unit.size = emulated.size;
    function.units.push_back(profile.units.size());
    profile.units.push_back(std::move(unit));
  }
  emulator::ConfigurationProfile configuration;
  configuration.functions.push_back(std::move(function));
  profile.configurations.push_back(std::move(configuration));
  return profile;
}

Failure NotInThisBuild(const char* what) {
  std::string text = "this build does not open ";
  text.append(what).append(
      "; it opens real devices (1234:5678), emulated ones (emu:disk.img, emu:?size=64M, "
      "emu:profile.toml) and those of USB/IP servers (usbip://host/1-1)");
  return {Failure::Kind::kCannotOpen, std::move(text)};
}

// Which commands write is for the unit to know, and a unit that refuses them must keep the sense of
// that: no link in between can stand in for it.
Failure NotReadOnly(std::string_view device) {
  return {Failure::Kind::kUsage,
          "--read-only is for emulated devices (emu:), whose units refuse to write; " +
              Quote(device) +
              " would be written to as before. Protect it where it is (a write-protect switch, or "
              "--read-only at the server that exports it), or read it into an image and export "
              "that: usbtwin disk read -d DEVICE -o disk.img"};
}

Failure NoProfile() {
  return {Failure::Kind::kCannotOpen, "a real device has no profile"};
}

// Its files are the device: one that cannot be read or makes no sense is one that cannot be opened.
Failure CannotOpen(Failure failure) {
  failure.kind = Failure::Kind::kCannotOpen;
  return failure;
}

// What a string names, as a profile; one overload for each kind.
struct ProfileMaker {
  using Made = Result<ProfileFile, Failure>;
  System& system;

  Made operator()(const UsbIds&) const { return NoProfile(); }
  Made operator()(const UsbAddress&) const { return NoProfile(); }
  Made operator()(const UsbIpDevice&) const { return NoProfile(); }
  Made operator()(const Trace&) const { return NotInThisBuild("captures"); }
  Made operator()(const ScsiNode&) const {
    return NotInThisBuild("the system's SCSI pass-through");
  }
  Made operator()(const EmulatedProfile& emulated) const {
    return LoadProfile(system, emulated.path);
  }
  Made operator()(const EmulatedDisk& emulated) const {
    return ProfileFile{.profile = ProfileOf(emulated), .image_places = {}};
  }
};

bool IsTwin(const DeviceString& device) {
  return std::holds_alternative<EmulatedDisk>(device) ||
         std::holds_alternative<EmulatedProfile>(device);
}

bool IsReal(const DeviceString& device) {
  return std::holds_alternative<UsbIds>(device) || std::holds_alternative<UsbAddress>(device);
}

Result<usb::DeviceId, Failure> FindReal(RealBus& bus, const DeviceString& device) {
  const Result<std::vector<usb::DeviceInfo>> devices = bus.Enumerate();
  if (!devices) return Failure{Failure::Kind::kCannotOpen, devices.error().Describe(), {}};
  if (const auto* ids = std::get_if<UsbIds>(&device)) return PickDevice(*devices, *ids);
  return PickDevice(*devices, std::get<UsbAddress>(device));
}

async::UsbIpBusOptions BusOptions(Duration step_time_max) {
  async::UsbIpBusOptions options;
  options.open_time = std::min(options.open_time, step_time_max);
  options.link.unlink_time = std::min(options.link.unlink_time, step_time_max);
  options.link.port_request_time = std::min(options.link.port_request_time, step_time_max);
  return options;
}

Result<ProfileFile, Failure> LoadTwin(System& system, const DeviceString& device, bool read_only) {
  Result<ProfileFile, Failure> profile = std::visit(ProfileMaker{system}, device);
  if (!profile) return CannotOpen(profile.error());
  for (emulator::UnitProfile& unit : profile->profile.units) {
    unit.disk.read_only = unit.disk.read_only || read_only;
  }
  return profile;
}

}  // namespace

Result<ProfileFile, Failure> ProfileOfTwin(System& system, std::string_view device,
                                           bool read_only) {
  const Result<DeviceString, Failure> parsed = ParseDeviceString(device);
  if (!parsed) return parsed.error();
  if (IsTwin(*parsed)) return LoadTwin(system, *parsed, read_only);
  return Failure{Failure::Kind::kUsage,
                 "only emulated devices (emu:disk.img, emu:profile.toml) "
                 "can be presented, and " +
                     Quote(device) + " is none"};
}

Result<void, Failure> CheckFiles(System& system, std::string_view device, FileNames names) {
  const Result<DeviceString, Failure> parsed = ParseDeviceString(device);
  if (names.outputs.empty() || !parsed) return {};
  std::vector<std::string>& inputs = names.inputs;
  if (const auto* profile = std::get_if<EmulatedProfile>(&*parsed)) inputs.push_back(profile->path);
  const Result<ProfileFile, Failure> file = std::visit(ProfileMaker{system}, *parsed);
  if (file) {
    for (const emulator::UnitProfile& unit : file->profile.units) {
      if (!unit.image_path.empty()) inputs.push_back(unit.image_path);
    }
  }
  return system.CheckOutputs(names);
}

std::vector<FaultCount> OpenedBus::fault_counts() const {
  if (plan_ == nullptr) return {};
  return plan_->counts();
}

std::string OpenedBus::Explain(const Error& error) const {
  std::string text;
  if (usbip_bus_ != nullptr) text = usbip_bus_->why();
  if (real_bus_ != nullptr) text = real_bus_->Explain(device_id_, error);
  if (error.kind == ErrorKind::kTimedOut && error.phase == Phase::kControl) {
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(session_options().control_timeout);
    if (!text.empty()) text += "\n";
    text += "It had " + std::to_string(time.count()) + " ms for the answer.";
  }
  return text.empty() ? text : "\n" + text;
}

host::SessionOptions OpenedBus::session_options() const {
  host::SessionOptions options;
  options.control_timeout = std::min(options.control_timeout, step_time_max_);
  return options;
}

std::string OpenedBus::FinishRecord() {
  if (writer_ == nullptr) return "";
  writer_->Flush();
  return writer_->error();
}

Result<std::unique_ptr<OpenedBus>, Failure> OpenBus(System& system, std::string_view device,
                                                    const OpenerOptions& options) {
  const Result<DeviceString, Failure> parsed = ParseDeviceString(device);
  if (!parsed) return parsed.error();
  if (options.record_path == "-") {
    return Failure{Failure::Kind::kUsage,
                   "a record goes to a file, and not to standard output: name one"};
  }
  if (!options.record_path.empty()) {
    FileNames names{.inputs = {}, .outputs = {options.record_path}};
    if (!options.faults_path.empty()) names.inputs.push_back(options.faults_path);
    const auto checked = CheckFiles(system, device, std::move(names));
    if (!checked) return checked.error();
  }
  std::unique_ptr<OpenedBus> opened(new OpenedBus);
  opened->step_time_max_ = options.step_time_max;
  fault::Player* player = nullptr;
  if (!options.faults_path.empty()) {
    Result<FaultFile, Failure> faults = LoadFaults(system, options.faults_path);
    if (!faults) return faults.error();
    if (!IsTwin(*parsed)) {
      const Result<void, Failure> possible = CheckWithoutTwin(*faults, std::string(device));
      if (!possible) return possible.error();
    }
    opened->plan_ = std::make_unique<PlayedPlan>(system.clock(), std::move(*faults));
    player = &opened->plan_->player();
  }
  if (options.read_only && !IsTwin(*parsed)) return NotReadOnly(device);
  usb::Bus* bus = nullptr;
  if (IsReal(*parsed)) {
    const Result<RealBus*, Failure> real_bus = system.real_bus();
    if (!real_bus) return real_bus.error();
    const Result<usb::DeviceId, Failure> found = FindReal(**real_bus, *parsed);
    if (!found) return found.error();
    opened->real_bus_ = *real_bus;
    opened->device_id_ = *found;
    bus = opened->real_bus_;
  } else if (const auto* far = std::get_if<UsbIpDevice>(&*parsed)) {
    opened->usbip_bus_ = std::make_unique<async::UsbIpBus>(
        system.clock(), system.sockets(), AddressOf(*far), BusOptions(options.step_time_max));
    opened->device_id_ = {far->bus_id};
    bus = opened->usbip_bus_.get();
  } else {
    Result<ProfileFile, Failure> profile = LoadTwin(system, *parsed, options.read_only);
    if (!profile) return profile.error();
    for (emulator::ConfigurationProfile& configuration : profile->profile.configurations) {
      for (emulator::FunctionProfile& function : configuration.functions) {
        function.streams = !options.without_streams;
      }
    }
    Result<std::unique_ptr<Twin>, Failure> twin = Twin::Make(system, std::move(*profile), player);
    if (!twin) return CannotOpen(twin.error());
    opened->twin_ = std::move(*twin);
    opened->device_id_ = opened->twin_->id();
    bus = &opened->twin_->bus();
  }
  if (!options.record_path.empty()) {
    Result<std::unique_ptr<ByteSink>, Failure> file = system.CreateFile(options.record_path);
    if (!file) return file.error();
    opened->record_file_ = std::move(*file);
    opened->writer_ = std::make_unique<link::PcapWriter>(*opened->record_file_,
                                                         link::PcapFormatOf(options.record_path));
  }
  if (player != nullptr) {
    opened->fault_bus_ = std::make_unique<link::FaultBus>(system.clock(), *bus, *player);
    bus = opened->fault_bus_.get();
  }
  opened->bus_ =
      std::make_unique<DecoratedBus>(system.clock(), *bus,
                                     Decorations{.throttle = options.throttle,
                                                 .writer = opened->writer_.get(),
                                                 .epoch_offset = system.epoch_offset(),
                                                 .audit = options.audit || kAuditAlways});
  return opened;
}

}  // namespace usbtwin::app
