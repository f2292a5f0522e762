#include "sim/world_system.h"

namespace usbtwin::sim {

bool WorldSystem::RunUntil(const std::function<bool()>& done) {
  return world_.RunUntil(done, kStepsMax).has_value();
}
Result<app::RealBus*, app::Failure> WorldSystem::real_bus() {
  return app::Failure{app::Failure::Kind::kCannotOpen, "a world has no real devices"};
}
// The units of a run name themselves where others name a file.
Result<std::unique_ptr<emulator::BlockStore>, app::Failure> WorldSystem::OpenImage(
    const std::string& path, const app::ImageOptions&) {
  for (const emulator::UnitProfile& unit : swarm_.profile.units) {
    if (unit.image_path != path) continue;
    auto store = std::make_unique<WorldStore>(world_, unit.size, swarm_.store_latency);
    stores_.push_back(store.get());
    return std::unique_ptr<emulator::BlockStore>(std::move(store));
  }
  return app::Failure{app::Failure::Kind::kCannotOpen, path + ": a world has no files"};
}
Result<std::vector<uint8_t>, app::Failure> WorldSystem::ReadFile(const std::string& path, size_t) {
  return app::Failure{app::Failure::Kind::kFile, path + ": a world has no files"};
}
Result<std::unique_ptr<ByteSink>, app::Failure> WorldSystem::CreateFile(const std::string& path) {
  return app::Failure{app::Failure::Kind::kFile, path + ": a world has no files"};
}

}  // namespace usbtwin::sim
