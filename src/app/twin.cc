#include "app/twin.h"

#include <algorithm>

#include "emulator/memory_store.h"

namespace usbtwin::app {

using emulator::BotFunction;
using emulator::BotFunctionOptions;
using emulator::Function;
using emulator::FunctionProfile;
using emulator::Target;

namespace {

bool LosesPower(const fault::Plan& plan) {
  return std::any_of(plan.rules.begin(), plan.rules.end(),
                     [](const fault::Rule& rule) { return rule.kind == fault::Kind::kPowerLoss; });
}

}  // namespace

Result<std::unique_ptr<Twin>, Failure> Twin::Make(System& system, emulator::Profile profile,
                                                  fault::Player* player) {
  return Make(system, ProfileFile{.profile = std::move(profile), .image_places = {}}, player);
}

Result<std::unique_ptr<Twin>, Failure> Twin::Make(System& system, ProfileFile file,
                                                  fault::Player* player, emulator::Port* port) {
  file.image_places.resize(file.profile.units.size());
  std::unique_ptr<Twin> twin(new Twin(system, std::move(file.profile), player, port));
  const Result<void, Failure> built = twin->Build(file.image_places);
  if (!built) return built.error();
  return twin;
}

Twin::Twin(System& system, emulator::Profile profile, fault::Player* player, emulator::Port* port)
    : system_(system),
      profile_(std::move(profile)),
      player_(player),
      controller_(system.clock(), profile_.speed),
      port_(port == nullptr ? controller_ : *port),
      bus_(system.clock()) {}

Twin::~Twin() {
  Unplug();
  for (const auto& disk : disks_) disk->StopErasing();
  CHECK(system_.RunUntil([this] { return idle(); }));
  system_.clock().Disarm(*this);
}

bool Twin::IsInMemory(UnitPlace place) const {
  for (const emulator::ConfigurationProfile& configuration : profile_.configurations) {
    if (configuration.value != place.configuration_value) continue;
    if (place.interface_number >= configuration.functions.size()) return false;
    const std::vector<size_t>& units = configuration.functions[place.interface_number].units;
    return place.lun < units.size() && profile_.units[units[place.lun]].image_path.empty();
  }
  return false;
}

Result<void, Failure> Twin::Build(const std::vector<std::string>& image_places) {
  for (size_t unit = 0; unit < profile_.units.size(); ++unit) {
    const Result<void, Failure> added = AddUnit(profile_.units[unit]);
    if (added) continue;
    return Failure{added.error().kind, image_places[unit] + added.error().text};
  }
  std::vector<emulator::DeviceConfiguration> configurations;
  for (const emulator::ConfigurationProfile& configuration : profile_.configurations) {
    configurations.push_back({.value = configuration.value, .name = configuration.name});
    for (const FunctionProfile& function : configuration.functions) {
      configurations.back().functions.push_back(&AddFunction(function));
    }
  }
  auto device = emulator::Device::Make(profile_.device, std::move(configurations));
  if (!device) {
    return Failure{Failure::Kind::kUsage, "the profile's device: " + device.error().Describe()};
  }
  device_ = std::move(*device);
  const Result<void> bound = device_->Bind(port_);
  if (!bound) {
    return Failure{Failure::Kind::kUsage, "the profile's device: " + bound.error().Describe()};
  }
  info_ = {.id = {"emu-1"},
           .vendor_id = profile_.device.vendor_id,
           .product_id = profile_.device.product_id,
           .bus_number = 1,
           .address = 1,
           .speed = profile_.speed};
  if (&port_ == &controller_) bus_.Add(info_, controller_);
  Plug();
  return {};
}

Result<void, Failure> Twin::AddUnit(const emulator::UnitProfile& unit) {
  if (unit.image_path.empty()) {
    stores_.push_back(std::make_unique<emulator::MemoryStore>(unit.size));
  } else {
    auto image = system_.OpenImage(
        unit.image_path, {.read_only = unit.disk.read_only, .block_size = unit.disk.block_size});
    if (!image) return image.error();
    stores_.push_back(std::move(*image));
  }
  emulator::BlockStore* store = stores_.back().get();
  if (player_ != nullptr) {
    const emulator::FaultyStoreOptions options{.block_size = unit.disk.block_size,
                                               .lun = static_cast<uint8_t>(faulty_stores_.size()),
                                               .volatile_cache = LosesPower(player_->plan())};
    faulty_stores_.push_back(
        std::make_unique<emulator::FaultyStore>(system_.clock(), *store, *player_, options));
    store = faulty_stores_.back().get();
  }
  disks_.push_back(std::make_unique<emulator::Disk>(system_.clock(), *store, unit.disk));
  return {};
}

// Each function is an initiator of its own: unit attentions and sense are kept apart.
Function& Twin::AddFunction(const FunctionProfile& function) {
  if (function.kind == FunctionProfile::Kind::kIsoLoopback) {
    iso_loopbacks_.push_back(
        std::make_unique<emulator::IsoLoopback>(system_.clock(), function.iso_loopback));
    return *iso_loopbacks_.back();
  }
  Function& storage = AddStorage(function);
  if (!function.quirks.spoils_status()) return storage;
  quirky_functions_.push_back(std::make_unique<emulator::QuirkyFunction>(storage, function.quirks));
  return *quirky_functions_.back();
}

Function& Twin::AddStorage(const FunctionProfile& function) {
  const size_t initiator = functions_.size() + uas_functions_.size();
  CHECK_LT(initiator, emulator::Profile::kFunctionsMax);
  const BotFunctionOptions options{.interface_class = function.interface_class,
                                   .initiator = static_cast<uint8_t>(initiator),
                                   .luns_count = static_cast<uint8_t>(function.units.size()),
                                   .stall_get_max_lun = function.quirks.max_lun_stall,
                                   .name = function.name};
  scsi::LogicalUnit& target = TargetOf(function.units);
  if (function.kind == FunctionProfile::Kind::kUas) {
    uas_functions_.push_back(
        std::make_unique<emulator::UasFunction>(target, options, function.streams));
    return *uas_functions_.back();
  }
  functions_.push_back(std::make_unique<BotFunction>(target, options));
  return *functions_.back();
}

scsi::LogicalUnit& Twin::TargetOf(const std::vector<size_t>& units) {
  for (SharedTarget& known : targets_) {
    if (known.units != units) continue;
    if (known.faulty != nullptr) return *known.faulty;
    return *known.target;
  }
  targets_.push_back({units, std::make_unique<Target>(system_.clock()), nullptr});
  SharedTarget& made = targets_.back();
  for (const size_t unit : units) {
    CHECK_LT(unit, disks_.size());
    made.target->AddUnit(*disks_[unit]);
  }
  if (player_ == nullptr) return *made.target;
  emulator::PowerSwitch* const power = this;
  made.faulty =
      std::make_unique<emulator::FaultyUnit>(system_.clock(), *made.target, *player_, power);
  return *made.faulty;
}

bool Twin::idle() const {
  bool idle = port_.idle() && !linked();
  for (const auto& function : functions_) idle = idle && function->idle();
  for (const auto& function : uas_functions_) idle = idle && function->idle();
  for (const auto& function : iso_loopbacks_) idle = idle && function->idle();
  for (const auto& disk : disks_) idle = idle && disk->idle();
  for (const auto& store : faulty_stores_) idle = idle && store->idle();
  return idle;
}

void Twin::Plug() {
  plugged_ = true;
  if (power_ == Power::kOn) port_.Attach(*device_);
}

void Twin::Unplug() {
  plugged_ = false;
  port_.Detach();
}

// ---- Power ------------------------------------------------------------------------------------

void Twin::LosePower(Duration off) {
  if (power_ != Power::kOn) return;
  power_ = Power::kFailing;
  off_ = off;
  system_.clock().Post(*this);
}

void Twin::Run() {
  port_.Detach();
  // Until the host has been told, commands may still change what is in the caches.
  if (!port_.idle()) return system_.clock().Post(*this);
  for (const auto& store : faulty_stores_) store->LosePower(player_->chooser());
  for (const SharedTarget& shared : targets_) shared.faulty->Reset();
  power_ = Power::kOff;
  system_.clock().Arm(*this, system_.clock().Now() + std::max(off_, Duration(0)));
}

void Twin::HandleTimer() {
  power_ = Power::kOn;
  if (plugged_) port_.Attach(*device_);
}

}  // namespace usbtwin::app
