#include "os/linux/system.h"

#include <chrono>
#include <csignal>

#include "os/linux/file_store.h"
#include "os/linux/files.h"
#include "os/linux/signals.h"

namespace usbtwin::os {

LinuxSystem::LinuxSystem(const SystemOptions& options)
    : sockets_(loop_, SocketsOptionsOf(options.keep_alive_time)) {
  IgnoreUnlessHandled(SIGPIPE);
  IgnoreUnlessHandled(SIGXFSZ);
}

Duration LinuxSystem::epoch_offset() const {
  // As of now: what the system's clock is set to later does not move a capture that has begun.
  return std::chrono::system_clock::now().time_since_epoch() -
         std::chrono::steady_clock::now().time_since_epoch();
}

Result<app::RealBus*, app::Failure> LinuxSystem::real_bus() {
  if (real_bus_ == nullptr) real_bus_ = std::make_unique<LibusbBus>(loop_);
  return real_bus_.get();
}

Result<std::unique_ptr<emulator::BlockStore>, app::Failure> LinuxSystem::OpenImage(
    const std::string& path, const app::ImageOptions& options) {
  auto store = FileStore::Open(loop_, worker_, path, options);
  if (!store) return store.error();
  return std::unique_ptr<emulator::BlockStore>(std::move(*store));
}

Result<std::vector<uint8_t>, app::Failure> LinuxSystem::ReadFile(const std::string& path,
                                                                 size_t length_max) {
  return ReadWholeFile(path, length_max);
}

Result<void, app::Failure> LinuxSystem::CheckOutputs(const app::FileNames& names) {
  return os::CheckOutputs(names);
}

Result<std::unique_ptr<ByteSink>, app::Failure> LinuxSystem::CreateFile(const std::string& path) {
  return CreateFileSink(path);
}

std::unique_ptr<app::System> MakeSystem(const SystemOptions& options) {
  return std::make_unique<LinuxSystem>(options);
}

}  // namespace usbtwin::os
