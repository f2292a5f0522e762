// VERIFY and WRITE AND VERIFY of a Disk: is it there, and is it what the host says?
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::SenseKey;

void Disk::Run(Command& command, const scsi::cdb::Verify& what) {
  if (what.compare) {
    if (EnterTransfer(command, what.range)) WantData(command, Work::kCompare);
    return;
  }
  if (!EnterRange(command, what.range)) return;
  if (what.range.blocks_count == 0) return Finish(command);
  // No data moves, so the range may be longer than any transfer: the operation walks through it,
  // and `store_offset` is where it ends.
  const uint64_t start = command.store_offset;
  command.store_offset += uint64_t{what.range.blocks_count} * options_.block_size;
  command.store_op.offset = start;
  SetVerify(command);
  Drive(command);
}

// Every piece is read again right after it was written, and while nobody else can write: so BYTCHK
// makes no difference. All of it is flushed before the status. SBC-3, 5, "WRITE AND VERIFY (10)".
void Disk::Run(Command& command, const scsi::cdb::WriteAndVerify& what) {
  if (!EnterWritable(command) || !EnterTransfer(command, what.range)) return;
  command.write_through = true;
  WantData(command, Work::kCheckedWrite);
}

void Disk::SetVerify(Command& command) {
  set_work(command, Work::kVerify);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kRead;
  op.length = std::min<uint64_t>(BlockStore::kWindowMax, command.store_offset - op.offset);
  op.data = {};
}

// The host's bytes wait in `data`, which a read does not use.
void Disk::SetCompare(Command& command, uint64_t offset, Bytes expected) {
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kRead;
  op.offset = offset;
  op.length = std::min<uint64_t>(BlockStore::kWindowMax, expected.size());
  op.data = expected;
}

bool Disk::AdvanceCompare(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  const Lease lease = std::move(op.lease);
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    Refuse(command, StoreSense(op));
    return HandleTaken(command);
  }
  Bytes expected = op.data;
  std::optional<uint64_t> differs;  // bytes from the start of the store
  uint64_t position = op.offset;
  lease.ForEach([&](Bytes piece) {
    if (!differs && !SameBytes(piece, expected.first(piece.size()))) {
      const auto place = std::mismatch(piece.begin(), piece.end(), expected.begin()).first;
      differs = position + static_cast<uint64_t>(place - piece.begin());
    }
    expected = expected.subspan(piece.size());
    position += piece.size();
  });
  if (differs) {  // miscompare during verify operation
    Refuse(command, {.key = SenseKey::kMiscompare,
                     .asc = 0x1d,
                     .information_valid = true,
                     .information = *differs / options_.block_size});
    return HandleTaken(command);
  }
  const bool written = work(command) == Work::kCheck;
  if (!written) command.length_out += static_cast<uint32_t>(op.length);
  if (!expected.empty()) {
    SetCompare(command, position, expected);
    return true;
  }
  if (!written) return HandleTaken(command);
  set_work(command, Work::kCheckedWrite);
  return SetWrite(command) || HandleTaken(command);
}

// What was written is read again and compared with what the host sent, which is still here.
bool Disk::AdvanceCheckedWrite(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    Refuse(command, StoreSense(op));
    return HandleTaken(command);
  }
  command.length_out += static_cast<uint32_t>(op.length);
  set_work(command, Work::kCheck);
  SetCompare(command, op.offset, op.data);
  return true;
}

bool Disk::AdvanceVerify(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  op.lease.Reset();
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    Fail(command, StoreSense(op));
    return false;
  }
  if (work(command) == Work::kVerifyPause) {
    SetVerify(command);
    return true;
  }
  op.offset += op.length;
  if (op.offset == command.store_offset) {
    Finish(command);
    return false;
  }
  // A store that answers at once must not keep everybody else waiting for terabytes.
  Pause(command, Work::kVerifyPause);
  return false;
}

}  // namespace usbtwin::emulator
