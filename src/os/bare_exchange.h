// What sockets cost by themselves: a process of our own at the other end of a connection, that
// answers so many bytes with so many, with nothing but read and write. A benchmark measures it
// beside a protocol over the same kind of socket. Both ends block.
#pragma once

#include <memory>
#include <span>

#include "app/failure.h"
#include "base/error.h"

namespace usbtwin::os {

class BareExchange {
 public:
  enum class Kind : uint8_t { kUnix, kTcp };  // a unix socket, or TCP over the loopback interface
  // kCannotOpen where the system gives no socket or no process.
  static Result<std::unique_ptr<BareExchange>, app::Failure> Start(Kind kind);
  virtual ~BareExchange() = default;  // ends the process

  struct Step {
    uint32_t request_length = 0;  // bytes there, 1 to 16 MiB
    uint32_t reply_length = 0;    // bytes back, likewise
  };
  static constexpr size_t kStepsMax = 4;
  // The same steps, one after the other, `count` times. False where the connection broke.
  [[nodiscard]] virtual bool Run(std::span<const Step> steps, uint32_t count) = 0;
};

// Runs this process, and what it starts from now on, on one CPU. False where that is not possible.
bool PinToCpu(unsigned cpu);

}  // namespace usbtwin::os
