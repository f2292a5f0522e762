// System: what the operating-system rim gives to the floors above it. main() makes the one for its
// system (src/os) and passes it down; tests may pass their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/failure.h"
#include "app/real_bus.h"
#include "async/socket.h"
#include "base/byte_sink.h"
#include "base/clock.h"
#include "base/error.h"
#include "emulator/block_store.h"

namespace usbtwin::app {

struct ImageOptions {
  bool read_only = false;
  uint32_t block_size = 512;  // bytes; the image's length must be a whole number of blocks
};

// What one command reads and writes. "-" is standard input or output.
struct FileNames {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

class System {
 public:
  virtual ~System() = default;
  virtual Clock& clock() = 0;
  // From 1970 to the Clock's start: captures count from it. Zero where time is virtual.
  virtual Duration epoch_offset() const = 0;
  // Runs the loop until `done()`. False when nothing is left that could make it so (a bug).
  virtual bool RunUntil(const std::function<bool()>& done) = 0;

  // Where there are none, everything is refused.
  virtual async::SocketProvider& sockets() = 0;
  // The devices attached to this machine. kCannotOpen where the system cannot open any.
  virtual Result<RealBus*, Failure> real_bus() = 0;

  // Opens and locks a disk image.
  virtual Result<std::unique_ptr<emulator::BlockStore>, Failure> OpenImage(
      const std::string& path, const ImageOptions& options) = 0;
  // The whole file; more than `length_max` bytes are refused.
  virtual Result<std::vector<uint8_t>, Failure> ReadFile(const std::string& path,
                                                         size_t length_max) = 0;
  // kUsage where an output is the same file as an input or another output, whatever their names:
  // it would destroy that one. Nothing is opened or made.
  virtual Result<void, Failure> CheckOutputs(const FileNames& names) = 0;
  virtual Result<std::unique_ptr<ByteSink>, Failure> CreateFile(const std::string& path) = 0;
};

}  // namespace usbtwin::app
