// WorldSystem: what a run gives its twin and its host in place of an operating system: a clock, and
// media that exist in memory alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/system.h"
#include "sim/swarm.h"
#include "sim/world.h"
#include "sim/world_store.h"

namespace usbtwin::sim {

inline constexpr uint64_t kStepsMax = 2'000'000;  // of the world, for one thing to end

// The system of one world: its clock, its media, and neither files nor sockets.
class WorldSystem final : public app::System {
 public:
  WorldSystem(World& world, const Swarm& swarm) : world_(world), swarm_(swarm) {}
  Clock& clock() override { return world_; }
  Duration epoch_offset() const override { return {}; }
  bool RunUntil(const std::function<bool()>& done) override;
  async::SocketProvider& sockets() override { return sockets_; }
  Result<app::RealBus*, app::Failure> real_bus() override;
  Result<std::unique_ptr<emulator::BlockStore>, app::Failure> OpenImage(
      const std::string& path, const app::ImageOptions& options) override;
  Result<std::vector<uint8_t>, app::Failure> ReadFile(const std::string& path,
                                                      size_t length_max) override;
  Result<void, app::Failure> CheckOutputs(const app::FileNames&) override { return {}; }
  Result<std::unique_ptr<ByteSink>, app::Failure> CreateFile(const std::string& path) override;

  // The stores of the units, which are the twin's.
  const std::vector<const WorldStore*>& stores() const { return stores_; }

 private:
  World& world_;
  const Swarm& swarm_;
  std::vector<const WorldStore*> stores_;
  async::NoSockets sockets_{world_};
};

}  // namespace usbtwin::sim
