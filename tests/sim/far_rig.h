// A twin in a World, and the system it thinks it runs on: what tests with USB/IP in between share.
#pragma once

#include "app/twin.h"
#include "sim/usbip_path.h"
#include "sim/world.h"

namespace usbtwin::tests {

using sim::World;

inline constexpr uint64_t kStepsMax = 5'000'000;

class WorldSystem final : public app::System {
 public:
  explicit WorldSystem(World& world) : world_(world), no_sockets_(world) {}
  Clock& clock() override { return world_; }
  async::SocketProvider& sockets() override { return no_sockets_; }
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
  World& world_;
  async::NoSockets no_sockets_;
};

}  // namespace usbtwin::tests
