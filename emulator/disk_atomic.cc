// WRITE ATOMIC(16) of a Disk: all of it is written or nothing, whoever looks and whatever happens.
// Its data is gathered first, and then is one operation of the store, with nobody else's beside it.
// That is more than an atomic boundary asks for, which only says how much must stay together. A
// READ of more than one window may still find it between two of them. SBC-4, 4 and 5.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using wire::scsi::WriteAtomicCommand;

void Disk::Run(Command& command, const scsi::cdb::WriteAtomic& what) {
  const uint32_t unit = kAtomicUnit / options_.block_size;
  const uint32_t blocks_max = kAtomicMax / options_.block_size;
  if (!EnterWritable(command) || !EnterRange(command, what.range)) return;
  if (what.range.lba % unit != 0) {
    return Fail(command, scsi::InvalidFieldInCdb(offsetof(WriteAtomicCommand, lba)));
  }
  if (what.boundary % unit != 0 || what.boundary > blocks_max) {
    return Fail(command, scsi::InvalidFieldInCdb(offsetof(WriteAtomicCommand, boundary)));
  }
  if (what.range.blocks_count % unit != 0 || what.range.blocks_count > blocks_max) {
    return Fail(command, scsi::InvalidFieldInCdb(what.range.length_byte));
  }
  if (what.range.blocks_count == 0) return Finish(command);
  command.write_through = what.force_unit_access || !modes_.write_cache();
  Gather(command, what.range.blocks_count * options_.block_size);
}

void Disk::Apply(Command& command, const scsi::cdb::WriteAtomic&) {
  if (!EnterWritable(command)) return;  // it may have changed since
  set_work(command, Work::kSwapWrite);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kWrite;
  op.offset = command.store_offset;
  op.length = command.length_total;
  op.data = command.gathered;
  op.whole = true;
  Drive(command);
}

}  // namespace usbtwin::emulator
