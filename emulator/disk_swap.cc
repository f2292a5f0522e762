// Commands of a Disk that read and then write what depends on it: COMPARE AND WRITE, ORWRITE. From
// the read to the end of the write they own the StoreGate, so that nobody writes in between.
#include <algorithm>

#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::SenseKey;

void Disk::Run(Command& command, const scsi::cdb::CompareAndWrite& what) {
  if (!EnterWritable(command) || !EnterRange(command, what.range)) return;
  const uint32_t length = what.range.blocks_count * options_.block_size;
  if (length > kSwapMax) {  // beyond MAXIMUM COMPARE AND WRITE LENGTH. SBC-3, 6.6.3
    return Fail(command, scsi::InvalidFieldInCdb(what.range.length_byte));
  }
  if (length == 0) return Finish(command);
  command.write_through = what.force_unit_access || !modes_.write_cache();
  Gather(command, 2 * length);
}

void Disk::Apply(Command& command, const scsi::cdb::CompareAndWrite&) {
  if (!EnterWritable(command)) return;  // it may have changed since
  set_work(command, Work::kSwapRead);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kRead;
  op.offset = command.store_offset;
  op.length = command.length_total / 2;
  op.data = {};
  Drive(command);
}

bool Disk::AdvanceSwap(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  const Lease lease = std::move(op.lease);
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    Fail(command, StoreSense(op));
    return false;
  }
  if (work(command) == Work::kSwapWrite) {
    command.length_out = command.length_total;
    return FinishWritten(command, op.offset, op.length);
  }
  const Bytes expected = Bytes(command.gathered).first(op.length);
  std::vector<uint8_t> found(op.length);
  lease.CopyTo(found);
  const auto differs = std::mismatch(found.begin(), found.end(), expected.begin()).first;
  if (differs != found.end()) {
    // Miscompare during verify operation, and at which byte of the data. SBC-3, 5, "COMPARE AND
    // WRITE command".
    Fail(command, {.key = SenseKey::kMiscompare,
                   .asc = 0x1d,
                   .information_valid = true,
                   .information = static_cast<uint64_t>(differs - found.begin())});
    return false;
  }
  set_work(command, Work::kSwapWrite);
  op.kind = StoreOp::Kind::kWrite;
  op.data = Bytes(command.gathered).subspan(op.length);
  return true;
}

void Disk::Run(Command& command, const scsi::cdb::OrWrite& what) {
  if (!EnterWritable(command) || !EnterTransfer(command, what.range)) return;
  command.write_through = what.force_unit_access || !modes_.write_cache();
  WantData(command, Work::kOrTake);
}

// Puts together the next stretch of whole blocks of what is pending. False: it is not complete.
bool Disk::SetOr(Command& command) {
  const uint32_t wanted = std::min(kSwapMax, command.length_total - command.length_out);
  const Bytes more = Take(command.pending, wanted - command.gathered.size());
  command.gathered.insert(command.gathered.end(), more.begin(), more.end());
  command.pending = Drop(command.pending, more.size());
  if (command.gathered.size() < wanted) return false;
  set_work(command, Work::kOrRead);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kRead;
  op.offset = command.store_offset + command.length_out;
  op.length = wanted;
  op.data = {};
  return true;
}

bool Disk::AdvanceOr(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  const Lease lease = std::move(op.lease);
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    set_work(command, Work::kOrTake);
    Refuse(command, StoreSense(op));
    return HandleTaken(command);
  }
  if (work(command) == Work::kOrRead) {
    auto place = command.gathered.begin();
    lease.ForEach([&](Bytes piece) {
      place = std::transform(piece.begin(), piece.end(), place, place, std::bit_or<uint8_t>());
    });
    set_work(command, Work::kOrWrite);
    op.kind = StoreOp::Kind::kWrite;
    op.data = command.gathered;
    return true;
  }
  command.length_out += static_cast<uint32_t>(op.length);
  command.gathered.clear();
  set_work(command, Work::kOrTake);
  gate_.Leave(command);
  return (command.length_out < command.length_total && SetOr(command)) || HandleTaken(command);
}

}  // namespace usbtwin::emulator
