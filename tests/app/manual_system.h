// A System for tests: virtual time, and files that are in memory.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/system.h"
#include "base/manual_clock.h"
#include "emulator/memory_store.h"

namespace usbtwin::tests {

class ManualSystem final : public app::System {
 public:
  Clock& clock() override { return manual_clock; }
  bool RunUntil(const std::function<bool()>& done) override { return manual_clock.RunUntil(done); }
  async::SocketProvider& sockets() override { return no_sockets_; }
  Result<app::RealBus*, app::Failure> real_bus() override {
    return app::Failure{app::Failure::Kind::kCannotOpen, "this system has no real devices"};
  }

  // An image is as long as its file here, and starts as zeros.
  Result<std::unique_ptr<emulator::BlockStore>, app::Failure> OpenImage(
      const std::string& path, const app::ImageOptions& options) override {
    const auto file = files.find(path);
    if (file == files.end()) return Missing(path);
    opened.emplace_back(path, options);
    return std::unique_ptr<emulator::BlockStore>(
        std::make_unique<emulator::MemoryStore>(file->second.size()));
  }
  Result<std::vector<uint8_t>, app::Failure> ReadFile(const std::string& path,
                                                      size_t length_max) override {
    const auto file = files.find(path);
    if (file == files.end() || file->second.size() > length_max) return Missing(path);
    return std::vector<uint8_t>(file->second.begin(), file->second.end());
  }
  Result<void, app::Failure> CheckOutputs(const app::FileNames& names) override {
    for (const std::string& output : names.outputs) {
      for (const std::string& input : names.inputs) {
        if (input == output) return app::Failure{app::Failure::Kind::kUsage, input + ": is read"};
      }
    }
    return {};
  }
  // What was created is in `files` once it was flushed. Paths below "full/" have no room, those
  // below "missing/" no directory.
  Duration epoch_offset() const override { return {}; }
  Result<std::unique_ptr<ByteSink>, app::Failure> CreateFile(const std::string& path) override {
    if (path.starts_with("missing/")) return Missing(path);
    return std::unique_ptr<ByteSink>(std::make_unique<FileSink>(*this, path));
  }

  ManualClock manual_clock;
  std::map<std::string, std::string> files;
  std::vector<std::pair<std::string, app::ImageOptions>> opened;

 private:
  class FileSink final : public ByteSink {
   public:
    FileSink(ManualSystem& system, const std::string& path) : system_(system), path_(path) {}
    bool Write(Bytes bytes) override {
      text_.append(bytes.begin(), bytes.end());
      return error().empty();
    }
    bool Flush() override {
      system_.files[path_] = text_;
      return error().empty();
    }
    std::string error() const override {
      return path_.starts_with("full/") ? path_ + ": no space" : "";
    }

   private:
    ManualSystem& system_;
    const std::string path_;
    std::string text_;
  };

  async::NoSockets no_sockets_{manual_clock};

  static app::Failure Missing(const std::string& path) {
    return {app::Failure::Kind::kFile, path + ": no such file"};
  }
};

}  // namespace usbtwin::tests
