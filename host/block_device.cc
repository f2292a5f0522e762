#include "host/block_device.h"

#include <algorithm>

#include "async/perform.h"
#include "base/canary.h"

namespace usbtwin::host {

using Step = RetryPolicy::Step;

namespace {

constexpr uint32_t kBlocksMax10 = 0xffff;  // TRANSFER LENGTH of a 10-byte command
constexpr uint8_t kAscInvalidOpcode = 0x20;

Error Invalid(const char* text, std::array<uint64_t, 3> values = {}) {
  return {.kind = ErrorKind::kInvalid, .text = text, .values = values};
}

constexpr Error kCacheLost{
    .kind = ErrorKind::kDisconnected,
    .text = "the device was gone for a while; what was written before may be lost"};

// Whether the transport may have had to reset the unit; a request it refused did nothing.
bool MayHaveReset(const Result<ScsiResult>& answer) {
  return !answer && answer.error().kind != ErrorKind::kInvalid &&
         answer.error().kind != ErrorKind::kBusy;
}

}  // namespace

BlockDevice::BlockDevice(ScsiTransport& transport, BlockDeviceOptions options)
    : transport_(transport), options_(options), reopenings_count_(transport.reopenings_count()) {}

uint32_t BlockDevice::blocks_max() const {
  if (facts_.block_size == 0) return 0;
  return std::clamp<uint32_t>(options_.command_length_max / facts_.block_size, 1, kBlocksMax10);
}

async::Task<BlockResult> BlockDevice::Read(uint64_t lba, MutableBytes target,
                                           scsi::Caching caching) {
  const Extent extent{.verb = Verb::kRead, .lba = lba, .in = target, .caching = caching};
  return Move(extent);
}

async::Task<BlockResult> BlockDevice::Write(uint64_t lba, Bytes source, scsi::Caching caching) {
  const Extent extent{.verb = Verb::kWrite, .lba = lba, .out = source, .caching = caching};
  return Move(extent);
}

async::Task<BlockResult> BlockDevice::Verify(uint64_t lba, uint64_t blocks_count) {
  const Extent extent{.verb = Verb::kVerify, .lba = lba, .blocks_count = blocks_count};
  return Move(extent);
}

async::Task<BlockResult> BlockDevice::ReadLent(uint64_t lba, uint32_t blocks_count,
                                               LeaseList& lent) {
  const Extent extent{.verb = Verb::kRead, .lba = lba, .blocks_count = blocks_count, .lent = &lent};
  return Move(extent);
}

async::Task<BlockResult> BlockDevice::Flush() {
  const Command command{.cdb = scsi::SynchronizeCache10(0, 0), .timeout = options_.flush_timeout};
  const bool done = co_await Run(command);
  if (done) {
    unflushed_ = false;
    const bool lost =
        std::exchange(cache_lost_, false) && !canary::Planted(canary::Canary::kLossForgotten);
    if (!lost) co_return BlockResult();
    co_return BlockError{.error = kCacheLost, .opcode = command.cdb.bytes[0], .attempts_count = 1};
  }
  const bool unknown = error_.kind == BlockError::Kind::kSense &&
                       error_.sense.key == scsi::SenseKey::kIllegalRequest &&
                       error_.sense.asc == kAscInvalidOpcode;
  if (unknown) co_return BlockResult();
  co_return error_;
}

uint32_t BlockDevice::blocks_max(const Extent& extent) const {
  if (extent.verb != Verb::kVerify) return blocks_max();
  return std::clamp<uint32_t>(options_.verify_blocks_max, 1, kBlocksMax10);
}

std::optional<Error> BlockDevice::Check(Extent& extent) const {
  if (!is_open_) return Invalid("the block device is not open");
  const uint64_t length = extent.in.size() + extent.out.size();
  if (length != 0) {
    if (length % facts_.block_size != 0) {
      return Invalid("{} bytes are no whole number of blocks of {} bytes",
                     {length, facts_.block_size});
    }
    extent.blocks_count = length / facts_.block_size;
  }
  if (extent.lba > facts_.blocks_count || extent.blocks_count > facts_.blocks_count - extent.lba) {
    return Invalid("{} blocks from {} on end beyond the capacity of {}",
                   {extent.blocks_count, extent.lba, facts_.blocks_count});
  }
  if (extent.lent == nullptr) return std::nullopt;
  if (extent.blocks_count > blocks_max()) {
    return Invalid("{} blocks are more than one command's {}", {extent.blocks_count, blocks_max()});
  }
  if (!lends_data()) {
    return Error{.kind = ErrorKind::kUnsupported, .text = "this transport lends no data"};
  }
  return std::nullopt;
}

async::Task<BlockResult> BlockDevice::Move(Extent extent) {
  if (extent.lent != nullptr) extent.lent->Clear();
  if (const std::optional<Error> refusal = Check(extent)) {
    co_return BlockError{.error = *refusal, .lba = extent.lba};
  }
  const uint32_t count_max = blocks_max(extent);
  uint64_t done = 0;
  while (done < extent.blocks_count) {
    const auto count =
        static_cast<uint32_t>(std::min<uint64_t>(extent.blocks_count - done, count_max));
    const Command command = MakeCommand(extent, done, count);
    const bool moved = co_await Run(command);
    if (!moved) {
      error_.blocks_done = done;
      co_return error_;
    }
    done += count;
    const bool cached = extent.verb == Verb::kWrite && !extent.caching.force_unit_access;
    unflushed_ = unflushed_ || cached;
  }
  co_return BlockResult();
}

BlockDevice::Command BlockDevice::MakeCommand(const Extent& extent, uint64_t blocks_done,
                                              uint32_t blocks_count) const {
  const uint64_t lba = extent.lba + blocks_done;
  const bool is_short = lba <= UINT32_MAX;  // READ(10) reaches it
  const uint64_t offset = blocks_done * facts_.block_size;
  const uint32_t length = blocks_count * facts_.block_size;
  Command command{.timeout = options_.command_timeout, .lba = lba, .blocks_count = blocks_count};
  switch (extent.verb) {
    case Verb::kRead:
      command.cdb = is_short ? scsi::Read10(lba, blocks_count, extent.caching)
                             : scsi::Read16(lba, blocks_count, extent.caching);
      if (extent.lent == nullptr) command.in = extent.in.subspan(offset, length);
      command.in_length = length;
      command.lent = extent.lent;
      break;
    case Verb::kWrite:
      command.cdb = is_short ? scsi::Write10(lba, blocks_count, extent.caching)
                             : scsi::Write16(lba, blocks_count, extent.caching);
      command.out = extent.out.subspan(offset, length);
      break;
    case Verb::kVerify:
      command.cdb = is_short
                        ? scsi::Verify10(lba, blocks_count, false)
                        : scsi::Verify16({.range = {.lba = lba, .blocks_count = blocks_count}});
      break;
  }
  return command;
}

RetryPolicy::Guard BlockDevice::guard() const {
  if (!is_open_) return RetryPolicy::Guard::kNothing;
  // After a reset many sticks say that their medium may have changed.
  return facts_.removable && !disturbed_ ? RetryPolicy::Guard::kMedium
                                         : RetryPolicy::Guard::kCapacity;
}

async::Task<bool> BlockDevice::Run(const Command& command) {
  RetryPolicy policy(options_.retry, guard());
  const ScsiRequest request{.lun = options_.lun,
                            .cdb = command.cdb.view(),
                            .out = command.out,
                            .in = command.in,
                            .in_length = command.in_length,
                            .lent = command.lent,
                            .timeout = command.timeout};
  NoteReopenings();  // by whoever else uses the transport
  for (uint32_t attempts_count = 1;; ++attempts_count) {
    Result<ScsiResult> answer = co_await transport_.Execute(request);
    NoteDisturbance(answer);
    Step step = answer ? policy.HandleResult(*answer) : policy.HandleError(answer.error());
    if (step == Step::kDone) {
      const std::optional<Error> fault = CheckLengths(command, *answer);
      if (!fault) {
        disturbed_ = false;
        result_ = *answer;
        co_return true;
      }
      step = policy.HandleError(*fault);
      answer = *fault;
    }
    if (step == Step::kStart) co_await StartUnit();
    if (step == Step::kWait) {
      const bool slept = co_await async::Sleep(policy.pause());
      if (!slept) {
        answer = Error{.kind = ErrorKind::kCancelled, .text = "while waiting for the device"};
        step = Step::kFail;
      }
    }
    if (step != Step::kFail) continue;
    if (command.lent != nullptr) command.lent->Clear();
    Explain(command, answer);
    error_.attempts_count = attempts_count;
    co_return false;
  }
}

// Whether it worked shows when the command is sent again.
async::Task<void> BlockDevice::StartUnit() {
  const scsi::Cdb cdb = scsi::StartStopUnit({.start = true});
  const ScsiRequest request{
      .lun = options_.lun, .cdb = cdb.view(), .timeout = options_.command_timeout};
  const Result<ScsiResult> answer = co_await transport_.Execute(request);
  NoteDisturbance(answer);
}

void BlockDevice::NoteDisturbance(const Result<ScsiResult>& answer) {
  disturbed_ = disturbed_ || MayHaveReset(answer);
  const bool gone = !answer && answer.error().kind == ErrorKind::kDisconnected;
  cache_lost_ = cache_lost_ || (gone && unflushed_);
  NoteReopenings();
}

// A device that was opened anew may have been without power, whatever the command ended with: its
// first error may have been another one, or only its sense was lost.
void BlockDevice::NoteReopenings() {
  const uint64_t before = std::exchange(reopenings_count_, transport_.reopenings_count());
  cache_lost_ = cache_lost_ || (reopenings_count_ != before && unflushed_);
}

void BlockDevice::Explain(const Command& command, const Result<ScsiResult>& answer) {
  error_ = {
      .opcode = command.cdb.bytes[0], .lba = command.lba, .blocks_count = command.blocks_count};
  if (!answer) {
    error_.error = answer.error();
    return;
  }
  error_.kind = answer->sense_valid ? BlockError::Kind::kSense : BlockError::Kind::kStatus;
  error_.status = answer->status;
  if (!answer->sense_valid) return;
  error_.sense = answer->sense;
  // A deferred error speaks of another command's blocks.
  const bool inside = command.lba && !error_.sense.deferred && error_.sense.information_valid &&
                      error_.sense.information >= *command.lba &&
                      error_.sense.information - *command.lba < command.blocks_count;
  if (inside) error_.lba = error_.sense.information;
}

std::optional<Error> BlockDevice::CheckLengths(const Command& command,
                                               const ScsiResult& result) const {
  const uint32_t asked = command.in_length + static_cast<uint32_t>(command.out.size());
  // More than was announced cannot be left: such a residue says nothing. BOT 1.0, 6.3.
  const uint32_t residue = result.residue > asked ? 0 : result.residue;
  const auto wrong = [&](const char* text) {
    return Error{.kind = ErrorKind::kProtocol,
                 .phase = command.in_length != 0 ? Phase::kDataIn : Phase::kDataOut,
                 .length_actual = result.length_actual,
                 .text = text,
                 .values = {result.length_actual, asked, residue}};
  };
  if (result.length_actual > asked) return wrong("{} bytes moved, {} were asked for");
  if (command.length_min) {
    const uint32_t length = ValidLength(command, result);
    if (length >= *command.length_min) return std::nullopt;
    return Error{.kind = ErrorKind::kProtocol,
                 .phase = Phase::kDataIn,
                 .length_actual = result.length_actual,
                 .text = "{} bytes of data count, at least {} needed (residue {})",
                 .values = {length, *command.length_min, result.residue}};
  }
  if (result.length_actual < asked) {
    const bool agreed = residue == asked - result.length_actual;
    return wrong(agreed || options_.ignore_residue
                     ? "short data: {} of {} bytes moved"
                     : "short data: {} of {} bytes moved, but the residue is {}");
  }
  if (residue != 0 && !options_.ignore_residue) {
    return wrong("{} of {} bytes moved, but the residue is {}");
  }
  return std::nullopt;
}

uint32_t BlockDevice::ValidLength(const Command& command, const ScsiResult& result) const {
  const bool nonsense = options_.ignore_residue || result.residue > command.in_length;
  if (nonsense) return result.length_actual;
  return std::min(result.length_actual, command.in_length - result.residue);
}

}  // namespace usbtwin::host
