// DiskLog: what a disk has counted since it was made, as the log pages of LOG SENSE. Used by Disk.
// SPC-4, 7.3.
#pragma once

#include "emulator/reply.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class DiskLog {
 public:
  struct Counters {
    uint64_t length = 0;        // bytes processed
    uint32_t errors_count = 0;  // that could not be corrected: there are no others
  };
  Counters writes;
  Counters reads;
  Counters verifies;
  uint32_t starts_count = 0;  // of the unit, after it was stopped

  // Appends the page's parameters from `first_code` on, behind its header. The sense is that of a
  // page there is not, or a first parameter beyond the last. `exceptions_tested`: the
  // informational exceptions page reports a false failure prediction.
  std::optional<scsi::Sense> Append(const scsi::cdb::LogSense& what, bool exceptions_tested,
                                    Reply& reply) const;
};

}  // namespace usbtwin::emulator
