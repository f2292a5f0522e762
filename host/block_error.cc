#include "host/block_error.h"

#include "base/bytes.h"
#include "base/text.h"
#include "wire/scsi.h"

namespace usbtwin::host {

namespace {

using wire::scsi::Opcode;

// The commands a block device sends; anything else shows its number.
std::string CommandName(uint8_t opcode) {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::kTestUnitReady: return "TEST UNIT READY";
    case Opcode::kInquiry: return "INQUIRY";
    case Opcode::kStartStopUnit: return "START STOP UNIT";
    case Opcode::kReadCapacity10: return "READ CAPACITY(10)";
    case Opcode::kServiceActionIn16: return "READ CAPACITY(16)";
    case Opcode::kRead10: return "READ(10)";
    case Opcode::kRead16: return "READ(16)";
    case Opcode::kWrite10: return "WRITE(10)";
    case Opcode::kWrite16: return "WRITE(16)";
    case Opcode::kVerify10: return "VERIFY(10)";
    case Opcode::kVerify16: return "VERIFY(16)";
    case Opcode::kSynchronizeCache10: return "SYNCHRONIZE CACHE(10)";
    default: return "command " + Hex({&opcode, 1}) + "h";
  }
}

std::string SenseText(const scsi::Sense& sense) {
  const std::array<uint8_t, 3> codes{static_cast<uint8_t>(sense.key), sense.asc, sense.ascq};
  std::string text = std::string(scsi::Name(sense.key)) + " (" + Hex(codes, '/') + ")";
  if (sense.deferred) text += ", about an earlier command";
  return text;
}

}  // namespace

std::string BlockError::DescribeCommand() const {
  std::string text = attempts_count == 0 ? "nothing sent" : CommandName(opcode);
  if (lba) text += " at LBA " + std::to_string(*lba);
  if (blocks_count > 1) text += " of a command of " + std::to_string(blocks_count) + " blocks";
  if (blocks_done != 0) text += ", after " + Count(blocks_done, "block");
  if (attempts_count > 1) text += ", tried " + std::to_string(attempts_count) + " times";
  return text;
}

std::string BlockError::Describe() const {
  std::string text = DescribeCommand() + ": ";
  switch (kind) {
    case Kind::kTransport: return text + error.Describe();
    case Kind::kStatus:
      text += std::string("status ") + scsi::Name(status);
      return status == scsi::Status::kCheckCondition ? text + ", without sense data" : text;
    case Kind::kSense: return text + scsi::Name(status) + ", " + SenseText(sense);
  }
  return text;
}

}  // namespace usbtwin::host
