// What a Disk has beside its medium: READ BUFFER and WRITE BUFFER, and defect lists that are empty.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::SenseKey;

namespace {

// DEFECT LIST FORMAT. SBC-3, 5, "FORMAT UNIT command". A list without entries is the same in each.
bool IsDefectFormat(uint8_t format) {
  return format == 0b000 || format == 0b011 || format == 0b100 || format == 0b101;
}

}  // namespace

// SPC-4, 6.18. There is one data buffer, 0, for all, and an echo buffer for each initiator.
void Disk::Run(Command& command, const scsi::cdb::ReadBuffer& what) {
  Reply reply;
  const std::vector<uint8_t>& echo = nexuses_[command.initiator].echo;
  switch (what.mode) {
    case wire::scsi::kBufferData:
      if (what.buffer_id != 0) return Fail(command, scsi::InvalidFieldInCdb(2));
      if (what.offset > kBufferLength) return Fail(command, scsi::InvalidFieldInCdb(3));
      return Answer(command, Drop(Bytes(buffer_), what.offset), what.allocation_length);
    case wire::scsi::kBufferDescriptor: {
      wire::scsi::BufferCapacity capacity{};
      if (what.buffer_id == 0) capacity.capacity = kBufferLength;  // another one does not exist
      reply.Append(capacity);
      return Answer(command, reply, what.allocation_length);
    }
    case wire::scsi::kBufferEcho:
      if (echo.empty()) {  // command sequence error
        return Fail(command, {.key = SenseKey::kIllegalRequest, .asc = 0x2c});
      }
      return Answer(command, echo, what.allocation_length);
    case wire::scsi::kBufferEchoDescriptor: {
      wire::scsi::EchoCapacity capacity{};
      capacity.flags = wire::scsi::kEchoOverwrittenSupported;
      capacity.capacity = static_cast<uint16_t>(kBufferLength);
      reply.Append(capacity);
      return Answer(command, reply, what.allocation_length);
    }
    default: return Fail(command, scsi::InvalidFieldInCdb(1, 4));
  }
}

// SPC-4, 6.49. Microcode cannot be downloaded.
void Disk::Run(Command& command, const scsi::cdb::WriteBuffer& what) {
  const bool echo = what.mode == wire::scsi::kBufferEcho;
  if (!echo && what.mode != wire::scsi::kBufferData) {
    return Fail(command, scsi::InvalidFieldInCdb(1, 4));
  }
  if (!echo && what.buffer_id != 0) return Fail(command, scsi::InvalidFieldInCdb(2));
  const uint32_t offset = echo ? 0 : what.offset;  // the echo buffer has none
  if (offset > kBufferLength) return Fail(command, scsi::InvalidFieldInCdb(3));
  if (what.parameter_list_length > kBufferLength - offset) {
    return Fail(command, scsi::InvalidFieldInCdb(6));
  }
  if (what.parameter_list_length == 0) return Finish(command);
  Gather(command, what.parameter_list_length);
}

void Disk::Apply(Command& command, const scsi::cdb::WriteBuffer& what) {
  command.length_out = command.length_total;
  if (what.mode == wire::scsi::kBufferEcho) {
    nexuses_[command.initiator].echo = command.gathered;
  } else {
    CopyBytes(MutableBytes(buffer_).subspan(what.offset), command.gathered);
  }
  Finish(command);
}

// SBC-3, 5, "READ DEFECT DATA (10) command": both lists exist and are empty.
void Disk::Run(Command& command, const scsi::cdb::ReadDefectData& what) {
  const uint16_t place = what.twelve ? 1 : 2;
  if (!IsDefectFormat(what.format)) return Fail(command, scsi::InvalidFieldInCdb(place, 2));
  if (what.index != 0) return Fail(command, scsi::InvalidFieldInCdb(2));
  const auto flags = static_cast<uint8_t>(what.lists | what.format);
  Reply reply;
  if (what.twelve) {
    wire::scsi::DefectHeader12 header{};
    header.flags = flags;
    reply.Append(header);
  } else {
    wire::scsi::DefectHeader10 header{};
    header.flags = flags;
    reply.Append(header);
  }
  Answer(command, reply, what.allocation_length);
}

}  // namespace usbtwin::emulator
