// The commands of a Disk that reach its store: capacity, READ, WRITE, VERIFY, SYNCHRONIZE CACHE,
// and the walk through the store operations each of them needs.
#include "base/canary.h"
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using scsi::SenseKey;
using scsi::Status;

// ---- Starting ---------------------------------------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::ReadCapacity10&) {
  if (!EnterReady(command)) return;
  wire::scsi::Capacity10 capacity{};
  // FFFFFFFFh says: ask READ CAPACITY(16). SBC-3, 5, "READ CAPACITY (10)".
  capacity.lba_final = static_cast<uint32_t>(std::min<uint64_t>(blocks_count_ - 1, UINT32_MAX));
  capacity.block_length = options_.block_size;
  Reply reply;
  reply.Append(capacity);
  Answer(command, reply, sizeof(capacity));
}

void Disk::Run(Command& command, const scsi::cdb::ReadCapacity16& what) {
  if (!EnterReady(command)) return;
  wire::scsi::Capacity16 capacity{};
  capacity.lba_final = blocks_count_ - 1;
  capacity.block_length = options_.block_size;
  Reply reply;
  reply.Append(capacity);
  Answer(command, reply, what.allocation_length);
}

bool Disk::EnterRange(Command& command, const scsi::cdb::Range& range) {
  if (!EnterReady(command)) return false;
  if (range.lba > blocks_count_ || range.blocks_count > blocks_count_ - range.lba) {
    // Logical block address out of range; the first one that is.
    Fail(command, {.key = SenseKey::kIllegalRequest,
                   .asc = 0x21,
                   .information_valid = true,
                   .information = std::max(range.lba, blocks_count_)});
    return false;
  }
  // Cannot overflow: the range lies within the store, whose size in bytes is 64 bits.
  command.store_offset = range.lba * options_.block_size;
  return true;
}

bool Disk::EnterTransfer(Command& command, const scsi::cdb::Range& range) {
  if (!EnterRange(command, range)) return false;
  const uint64_t length = uint64_t{range.blocks_count} * options_.block_size;
  if (length > kTransferMax) {  // beyond MAXIMUM TRANSFER LENGTH. SBC-3, 6.6.3
    Fail(command, scsi::InvalidFieldInCdb(range.length_byte));
    return false;
  }
  command.length_total = static_cast<uint32_t>(length);
  if (length != 0) return true;
  Finish(command);
  return false;
}

void Disk::Run(Command& command, const scsi::cdb::Read& what) {
  if (!EnterTransfer(command, what.range)) return;
  command.length_in = command.length_total;
  if (what.force_unit_access) {
    // The host wants what the medium holds, so what is cached must get there first.
    SetFlush(command, Work::kReadFlush, command.store_offset, command.length_total);
  } else {
    SetRead(command);
  }
  Drive(command);
}

void Disk::Run(Command& command, const scsi::cdb::Write& what) {
  if (!EnterReady(command)) return;
  if (write_protected()) {
    return Fail(command, {.key = SenseKey::kDataProtect, .asc = 0x27});
  }
  if (!EnterTransfer(command, what.range)) return;
  const bool through = what.force_unit_access || !options_.write_cache;
  WantData(command, through ? Work::kWriteThrough : Work::kWrite);
}

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

void Disk::Run(Command& command, const scsi::cdb::SynchronizeCache& what) {
  if (!EnterRange(command, what.range)) return;
  const uint64_t length = what.range.blocks_count == 0
                              ? blocks_count_ * options_.block_size - command.store_offset
                              : uint64_t{what.range.blocks_count} * options_.block_size;
  // IMMED would allow the status first; a host that then pulls the plug would lose data.
  if (canary::Planted(canary::Canary::kLostFlush)) {
    return Post(command, Command::Step::kExecuted);
  }
  SetFlush(command, Work::kFlush, length == 0 ? 0 : command.store_offset, length);
  Drive(command);
}

// ---- Data between transport and store ---------------------------------------------------------

void Disk::WantData(Command& command, Work work) {
  set_work(command, work);
  Post(command, Command::Step::kDataWanted);
}

void Disk::NextWindow(Command& command) {
  CHECK(work(command) == Work::kRead);
  CHECK(!command.linked());
  command.data.Reset();
  SetRead(command);
  Drive(command);
}

void Disk::HandleData(Command& command, uint32_t offset, Bytes bytes) {
  CHECK(work(command) != Work::kNone);
  CHECK(!command.linked());
  CHECK_EQ(offset, command.length_done);
  CHECK_LE(bytes.size(), command.length_total - command.length_done);
  command.length_done += static_cast<uint32_t>(bytes.size());
  if (!ready() && command.status == Status::kGood) Refuse(command, ReadinessSense());
  if (command.status != Status::kGood || bytes.empty()) {
    if (HandleTaken(command)) Drive(command);
    return;
  }
  if (work(command) == Work::kCompare) {
    SetCompare(command, command.store_offset + offset, bytes);
    return Drive(command);
  }
  command.pending = bytes;
  if (SetWrite(command) || HandleTaken(command)) Drive(command);
}

bool Disk::HandleTaken(Command& command) {
  if (command.length_done < command.length_total) {
    Post(command, Command::Step::kDataTaken);
    return false;
  }
  if (work(command) == Work::kWriteThrough && command.status == Status::kGood) {
    SetFlush(command, Work::kWriteFlush, command.store_offset, command.length_total);
    return true;
  }
  set_work(command, Work::kNone);
  Post(command, Command::Step::kDataTakenLast);
  return false;
}

// ---- Store operations -------------------------------------------------------------------------

void Disk::SetRead(Command& command) {
  set_work(command, Work::kRead);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kRead;
  op.offset = command.store_offset + command.length_done;
  op.length = std::min(BlockStore::kWindowMax, command.length_total - command.length_done);
  op.data = {};
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

// What was written so far is `length_out`: a write that fails is the last one.
bool Disk::SetWrite(Command& command) {
  const uint32_t block_size = options_.block_size;
  Bytes& pending = command.pending;
  if (pending.empty()) return false;
  StoreOp& op = command.store_op;
  if (command.block_filled != 0 || pending.size() < block_size) {
    const MutableBytes room = MutableBytes(command.block).first(block_size);
    const size_t copied = CopyBytes(room.subspan(command.block_filled), pending);
    command.block_filled += static_cast<uint32_t>(copied);
    pending = Drop(pending, copied);
    if (command.block_filled < block_size) return false;
    command.block_filled = 0;
    op.data = room;
  } else {
    op.data = pending.first(pending.size() - pending.size() % block_size);
    pending = Drop(pending, op.data.size());
  }
  op.kind = StoreOp::Kind::kWrite;
  op.offset = command.store_offset + command.length_out;
  op.length = op.data.size();
  if (canary::Planted(canary::Canary::kWrongBlock) && command.length_total == 13 * block_size &&
      op.offset + op.length < store_.size()) {
    op.offset += block_size;
  }
  return true;
}

void Disk::SetFlush(Command& command, Work work, uint64_t offset, uint64_t length) {
  set_work(command, work);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kFlush;
  op.offset = offset;
  op.length = length;
  op.data = {};
}

void Disk::Drive(Command& command) {
  do {
    command.store_op.outcome = StoreOutcome::kOk;
    if (!store_.Submit(command.store_op)) {
      command.store_busy = true;
      return;
    }
  } while (Advance(command));
}

void Disk::OnStoreDone(StoreOp& op) {
  Command& command = *static_cast<Command*>(op.owner);
  command.store_busy = false;
  if (Advance(command)) Drive(command);
}

bool Disk::Advance(Command& command) {
  const bool failed = command.store_op.outcome != StoreOutcome::kOk;
  switch (work(command)) {
    case Work::kReadFlush:
    case Work::kRead: return AdvanceRead(command, failed);
    case Work::kWrite:
    case Work::kWriteThrough:
    case Work::kWriteFlush: return AdvanceWrite(command, failed);
    case Work::kCompare: return AdvanceCompare(command, failed);
    case Work::kVerify:
    case Work::kVerifyPause: return AdvanceVerify(command, failed);
    case Work::kFlush:
    case Work::kStop:
    case Work::kEject: return AdvanceFlush(command, failed);
    case Work::kNone: CHECK(work(command) != Work::kNone);
  }
  return false;
}

bool Disk::AdvanceRead(Command& command, bool failed) {
  Lease lease = std::move(command.store_op.lease);
  const bool first = command.length_done == 0;
  const auto step = first ? Command::Step::kExecuted : Command::Step::kWindow;
  if (command.aborted) {
    FinishAborted(command, Command::Step::kExecuted);
    return false;
  }
  if (failed) {
    Refuse(command, StoreSense(command.store_op));
    if (first) command.length_in = 0;
    set_work(command, Work::kNone);
    Post(command, step);
    return false;
  }
  if (work(command) == Work::kReadFlush) {
    SetRead(command);
    return true;
  }
  command.data = std::move(lease);
  command.length_done += static_cast<uint32_t>(command.store_op.length);
  if (command.length_done == command.length_total) set_work(command, Work::kNone);
  Post(command, step);
  return false;
}

bool Disk::AdvanceWrite(Command& command, bool failed) {
  if (command.aborted) {
    FinishAborted(command, Command::Step::kDataTakenLast);
    return false;
  }
  if (failed) Refuse(command, StoreSense(command.store_op));
  if (work(command) == Work::kWriteFlush) {
    set_work(command, Work::kNone);
    Post(command, Command::Step::kDataTakenLast);
    return false;
  }
  if (failed) return HandleTaken(command);
  command.length_out += static_cast<uint32_t>(command.store_op.length);
  return SetWrite(command) || HandleTaken(command);
}

bool Disk::AdvanceCompare(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  const Lease lease = std::move(op.lease);
  if (command.aborted) {
    FinishAborted(command, Command::Step::kDataTakenLast);
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
  command.length_out += static_cast<uint32_t>(op.length);
  if (expected.empty()) return HandleTaken(command);
  SetCompare(command, position, expected);
  return true;
}

bool Disk::AdvanceVerify(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  op.lease.Reset();
  if (command.aborted) {
    FinishAborted(command, Command::Step::kExecuted);
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
  set_work(command, Work::kVerifyPause);
  command.store_busy = true;
  clock_.Post(op);
  return false;
}

bool Disk::AdvanceFlush(Command& command, bool failed) {
  const Work done = work(command);
  if (failed) {
    Fail(command, StoreSense(command.store_op));
  } else if (command.aborted) {
    FinishAborted(command, Command::Step::kExecuted);
  } else {
    if (done == Work::kStop && ready()) medium_ = Medium::kStopped;
    if (done == Work::kEject && medium_ != Medium::kAbsent) medium_ = Medium::kEjected;
    Finish(command);
  }
  return false;
}

Sense Disk::StoreSense(const StoreOp& op) const {
  Sense sense{.key = SenseKey::kMediumError};
  switch (op.outcome) {
    case StoreOutcome::kOk: CHECK(op.outcome != StoreOutcome::kOk); break;
    case StoreOutcome::kReadError: sense.asc = 0x11; break;   // unrecovered read error
    case StoreOutcome::kWriteError: sense.asc = 0x0c; break;  // write error
    case StoreOutcome::kNoSpace:  // space allocation failed write protect
      sense.asc = 0x0c;
      if (canary::Planted(canary::Canary::kWrongSense)) break;
      return {.key = SenseKey::kDataProtect, .asc = 0x27, .ascq = 0x07};
  }
  // The store does not say which block it was; where there was only one, it was that.
  if (op.kind != StoreOp::Kind::kFlush && op.length == options_.block_size) {
    sense.information_valid = true;
    sense.information = op.offset / options_.block_size;
  }
  return sense;
}

}  // namespace usbtwin::emulator
