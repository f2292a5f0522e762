// Why a block device's command did not do what was asked. It keeps the three things apart that can
// be wrong: the transport broke (or this end found the answer to be nonsense), the device gave a
// status without saying why, or it gave sense data that does. Beside that: which command, where on
// the medium, how far the call had come, and how often it was tried. Trivially copyable.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "proto/scsi_status.h"
#include "proto/sense.h"

namespace usbtwin::host {

struct BlockError {
  enum class Kind : uint8_t {
    kTransport,  // `error`
    kStatus,     // `status`: there is no sense data
    kSense,      // `status` and `sense`
  };
  Kind kind = Kind::kTransport;
  Error error;
  scsi::Status status = scsi::Status::kGood;
  scsi::Sense sense;

  uint8_t opcode = 0;  // of the command
  std::optional<uint64_t>
      lba;                    // the first block in error where the device said, else the command's
  uint32_t blocks_count = 0;  // of the command; 0 where it has none
  uint64_t blocks_done = 0;   // of the call: blocks that had moved before this command
  uint32_t attempts_count = 0;  // how often the command was sent; 0: refused without being sent

  // "READ(10) at LBA 103 of a command of 8 blocks, tried 2 times"
  std::string DescribeCommand() const;
  // "READ(10) at LBA 103 of a command of 8 blocks, tried 2 times: check condition, Medium Error
  // (03/11/00)"
  std::string Describe() const;
  bool operator==(const BlockError&) const = default;
};
static_assert(std::is_trivially_copyable_v<BlockError>);

using BlockResult = Result<void, BlockError>;

}  // namespace usbtwin::host
