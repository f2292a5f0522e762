// The plain commands of a Disk that reach its store: capacity, READ, WRITE, SYNCHRONIZE CACHE; and
// the walk through the store operations that each such command needs.
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
  capacity.provisioning = wire::scsi::kProvisioningEnabled | wire::scsi::kUnmappedReadsZero;
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

bool Disk::EnterWritable(Command& command) {
  if (!EnterReady(command)) return false;
  if (!write_protected()) return true;
  // Hardware write protected is not told from anything else; software write protect is.
  const uint8_t ascq = modes_.write_protected() ? 0x02 : 0x00;
  Fail(command, {.key = SenseKey::kDataProtect, .asc = 0x27, .ascq = ascq});
  return false;
}

void Disk::Run(Command& command, const scsi::cdb::Write& what) {
  if (!EnterWritable(command) || !EnterTransfer(command, what.range)) return;
  command.write_through = what.force_unit_access || !modes_.write_cache();
  WantData(command, Work::kWrite);
}

// There is no cache of ours to fetch into, so that the blocks never all fit. SBC-3, 5, "PRE-FETCH
// (10) command".
void Disk::Run(Command& command, const scsi::cdb::PreFetch& what) {
  if (EnterRange(command, what.range)) Finish(command);
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

void Disk::Gather(Command& command, uint32_t length) {
  command.length_total = length;
  command.gathered.reserve(length);
  WantData(command, Work::kGather);
}

void Disk::HandleGathered(Command& command, Bytes bytes) {
  command.gathered.insert(command.gathered.end(), bytes.begin(), bytes.end());
  if (command.length_done < command.length_total) return Post(command, Command::Step::kDataTaken);
  const auto meaning = scsi::ParseCdb(command.cdb());
  CHECK(meaning.has_value());
  std::visit(
      [&](const auto& what) {
        if constexpr (requires { Apply(command, what); }) {
          Apply(command, what);
        } else {
          CHECK(work(command) != Work::kGather);
        }
      },
      *meaning);
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
  command.taking = true;
  if (work(command) == Work::kGather) return HandleGathered(command, bytes);
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
  const bool set = work(command) == Work::kOrTake ? SetOr(command) : SetWrite(command);
  if (set || HandleTaken(command)) Drive(command);
}

bool Disk::HandleTaken(Command& command) {
  if (command.length_done < command.length_total) {
    Post(command, Command::Step::kDataTaken);
    return false;
  }
  return FinishWritten(command, command.store_offset, command.length_total);
}

bool Disk::FinishWritten(Command& command, uint64_t offset, uint64_t length) {
  if (command.write_through && command.status == Status::kGood) {
    SetFlush(command, Work::kWriteFlush, offset, length);
    return true;
  }
  Finish(command);
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

void Disk::Pause(Command& command, Work work) {
  set_work(command, work);
  command.store_busy = true;
  clock_.Post(command.store_op);
}

void Disk::Drive(Command& command) {
  const auto exclusive = [&] {
    const Work now = work(command);
    return now == Work::kSwapRead || now == Work::kSwapWrite || now == Work::kOrRead ||
           now == Work::kCheckedWrite;
  };
  do {
    command.store_op.outcome = StoreOutcome::kOk;
    if (!gate_.Enter(command, exclusive())) {
      command.store_busy = true;
      return;
    }
    if (!store_.Submit(command.store_op)) {
      command.store_busy = true;
      gate_.HandleSubmitted();
      return;
    }
  } while (Advance(command));
}

void Disk::DriveWaiting() {
  if (driving_waiting_) return;
  driving_waiting_ = true;
  while (Command* command = gate_.Next()) {
    command->store_busy = false;
    Drive(*command);
  }
  driving_waiting_ = false;
}

void Disk::OnStoreDone(StoreOp& op) {
  Command& command = *static_cast<Command*>(op.owner);
  command.store_busy = false;
  if (!Paused(command)) gate_.HandleAnswered();
  if (Advance(command)) Drive(command);
  DriveWaiting();
}

// What the log pages tell.
void Disk::Count(const Command& command) {
  const StoreOp& op = command.store_op;
  const auto add = [&op](DiskLog::Counters& counters) {
    if (op.outcome == StoreOutcome::kOk) {
      counters.length += op.length;
    } else {
      ++counters.errors_count;
    }
  };
  const Work now = work(command);
  const bool verifies = now == Work::kVerify || now == Work::kCompare || now == Work::kCheck;
  if (op.kind == StoreOp::Kind::kRead) add(verifies ? log_.verifies : log_.reads);
  if (op.kind == StoreOp::Kind::kWrite) add(log_.writes);
}

bool Disk::Advance(Command& command) {
  const bool failed = command.store_op.outcome != StoreOutcome::kOk;
  if (!Paused(command)) Count(command);
  switch (work(command)) {
    case Work::kReadFlush:
    case Work::kRead: return AdvanceRead(command, failed);
    case Work::kWrite:
    case Work::kWriteFlush: return AdvanceWrite(command, failed);
    case Work::kCheckedWrite: return AdvanceCheckedWrite(command, failed);
    case Work::kCompare:
    case Work::kCheck: return AdvanceCompare(command, failed);
    case Work::kVerify:
    case Work::kVerifyPause: return AdvanceVerify(command, failed);
    case Work::kFill:
    case Work::kFillPause: return AdvanceFill(command, failed);
    case Work::kUnmap: return AdvanceUnmap(command, failed);
    case Work::kSwapRead:
    case Work::kSwapWrite: return AdvanceSwap(command, failed);
    case Work::kOrTake:
    case Work::kOrRead:
    case Work::kOrWrite: return AdvanceOr(command, failed);
    case Work::kFlush:
    case Work::kStop:
    case Work::kEject: return AdvanceFlush(command, failed);
    case Work::kErase:
    case Work::kGather:
    case Work::kNone: CHECK_LT(work(command), Work::kNone);  // they have no store operations
  }
  return false;
}

bool Disk::AdvanceRead(Command& command, bool failed) {
  Lease lease = std::move(command.store_op.lease);
  const bool first = command.length_done == 0;
  const auto step = first ? Command::Step::kExecuted : Command::Step::kWindow;
  if (command.aborted) {
    FinishAborted(command);
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
    FinishAborted(command);
    return false;
  }
  if (failed) Refuse(command, StoreSense(command.store_op));
  if (work(command) == Work::kWriteFlush) {
    Finish(command);
    return false;
  }
  if (failed) return HandleTaken(command);
  command.length_out += static_cast<uint32_t>(command.store_op.length);
  return SetWrite(command) || HandleTaken(command);
}

bool Disk::AdvanceFlush(Command& command, bool failed) {
  const Work done = work(command);
  if (failed) {
    Fail(command, StoreSense(command.store_op));
  } else if (command.aborted) {
    FinishAborted(command);
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
