// Where a stream of bytes goes: a file, a socket, a test's buffer. Injected, so that floors below
// the operating system can write captures.
#pragma once

#include "base/bytes.h"

namespace usbtwin {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Takes all of it, now. False from the first failure on; error() then says why.
  virtual bool Write(Bytes bytes) = 0;
  // Pushes buffered bytes to their destination.
  virtual bool Flush() = 0;
  virtual std::string error() const = 0;
};

}  // namespace usbtwin
