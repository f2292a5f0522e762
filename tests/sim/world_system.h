// A System whose time is a World's, without files and sockets; and the profile of a small disk.
#pragma once

#include "app/system.h"
#include "app/twin.h"
#include "sim/world.h"

namespace usbtwin::tests {

inline constexpr uint64_t kStepsMax = 5'000'000;

class WorldSystem final : public app::System {
 public:
  explicit WorldSystem(sim::World& world, async::SocketProvider* sockets = nullptr)
      : world_(world), no_sockets_(world), sockets_(sockets) {}
  Clock& clock() override { return world_; }
  async::SocketProvider& sockets() override {
    return sockets_ == nullptr ? no_sockets_ : *sockets_;
  }
  Result<app::RealBus*, app::Failure> real_bus() override {
    return app::Failure{app::Failure::Kind::kCannotOpen, "this system has no real devices"};
  }
  Duration epoch_offset() const override { return {}; }
  bool RunUntil(const std::function<bool()>& done) override {
    return world_.RunUntil(done, kStepsMax).has_value();
  }
  Result<std::unique_ptr<emulator::BlockStore>, app::Failure> OpenImage(
      const std::string& path, const app::ImageOptions&) override {
    return app::Failure{app::Failure::Kind::kCannotOpen, path};
  }
  Result<std::vector<uint8_t>, app::Failure> ReadFile(const std::string& path, size_t) override {
    return app::Failure{app::Failure::Kind::kFile, path};
  }
  Result<void, app::Failure> CheckOutputs(const app::FileNames&) override { return {}; }
  Result<std::unique_ptr<ByteSink>, app::Failure> CreateFile(const std::string& path) override {
    return app::Failure{app::Failure::Kind::kFile, path};
  }

 private:
  sim::World& world_;
  async::NoSockets no_sockets_;
  async::SocketProvider* const sockets_;  // null: none
};

inline emulator::Profile OneDisk(uint64_t size) {
  emulator::Profile profile;
  profile.speed = usb::Speed::kHigh;
  profile.device.speeds = emulator::SpeedsUpTo(profile.speed);
  emulator::UnitProfile unit;
  unit.size = size;
  profile.units.push_back(unit);
  emulator::FunctionProfile function;
  function.units = {0};
  emulator::ConfigurationProfile configuration;
  configuration.functions.push_back(function);
  profile.configurations.push_back(configuration);
  return profile;
}

}  // namespace usbtwin::tests
