// A file mapped for reading whose bad pages are zeros instead of death. Touching a mapped page that
// cannot be read (the file was truncated under us, the medium failed) raises SIGBUS; for addresses
// inside these mappings the handler puts a page of zeros there and notes the fault, for all others
// it does what was done before. Whoever lends the bytes asks TakeFault() and answers with an error.
// Used by the file store. The handler is installed while at least one mapping exists; it is
// process-wide, as signals are, and the one reason for a table outside any object.
#pragma once

#include <memory>

#include "base/bytes.h"

namespace usbtwin::os {

class GuardedMapping {
 public:
  // Null when the system will not map the file, or too many mappings exist.
  static std::unique_ptr<GuardedMapping> Map(int fd, uint64_t length);
  GuardedMapping(const GuardedMapping&) = delete;
  GuardedMapping& operator=(const GuardedMapping&) = delete;
  ~GuardedMapping();

  Bytes bytes() const { return bytes_; }
  // Some page was replaced by zeros, so the mapping no longer shows the file.
  bool broken() const;
  // The same, but a fault is told once.
  bool TakeFault();

 private:
  GuardedMapping(size_t slot, Bytes bytes) : slot_(slot), bytes_(bytes) {}
  const size_t slot_;
  const Bytes bytes_;
  uint32_t faults_told_ = 0;
};

}  // namespace usbtwin::os
