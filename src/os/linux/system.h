// System on Linux: the loop, its helper thread, sockets, and files. Made once, by main(), through
// os/system.h; owns everything that outlives stores and sinks.
#pragma once

#include "app/system.h"
#include "os/linux/libusb_bus.h"
#include "os/linux/loop.h"
#include "os/linux/sockets.h"
#include "os/linux/worker.h"
#include "os/system.h"

namespace usbtwin::os {

class LinuxSystem final : public app::System {
 public:
  explicit LinuxSystem(const SystemOptions& options = {});

  Clock& clock() override { return loop_; }
  Loop& loop() { return loop_; }
  Sockets& stream_sockets() { return sockets_; }
  Duration epoch_offset() const override;
  bool RunUntil(const std::function<bool()>& done) override { return loop_.RunUntil(done); }
  async::SocketProvider& sockets() override { return sockets_; }
  Result<app::RealBus*, app::Failure> real_bus() override;
  Result<std::unique_ptr<emulator::BlockStore>, app::Failure> OpenImage(
      const std::string& path, const app::ImageOptions& options) override;
  Result<std::vector<uint8_t>, app::Failure> ReadFile(const std::string& path,
                                                      size_t length_max) override;
  Result<void, app::Failure> CheckOutputs(const app::FileNames& names) override;
  Result<std::unique_ptr<ByteSink>, app::Failure> CreateFile(const std::string& path) override;

 private:
  Loop loop_;
  Worker worker_{loop_};
  Sockets sockets_;
  std::unique_ptr<LibusbBus> real_bus_;  // once somebody asked
};

}  // namespace usbtwin::os
