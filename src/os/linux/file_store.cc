#include "os/linux/file_store.h"

#include <new>

#include "os/linux/signals.h"

namespace usbtwin::os {
namespace {

using emulator::StoreOp;
using emulator::StoreOutcome;

// Sequential reading: the helper fills whole stretches and has the kernel start on what follows.
constexpr uint64_t kStretch = 1 << 20;
constexpr uint64_t kHint = 4 << 20;

}  // namespace

Result<std::unique_ptr<FileStore>, app::Failure> FileStore::Open(Loop& loop, Worker& worker,
                                                                 const std::string& path,
                                                                 const app::ImageOptions& options) {
  IgnoreUnlessHandled(SIGXFSZ);
  auto image = OpenImageFile(path, options);
  if (!image) return image.error();
  return std::make_unique<FileStore>(loop, worker, std::move(*image));
}

FileStore::FileStore(Loop& loop, Worker& worker, ImageFile image)
    : loop_(loop),
      worker_(worker),
      image_(std::move(image)),
      io_(image_.fd.get(), image_.size),
      mapping_(GuardedMapping::Map(image_.fd.get(), image_.size)) {}

FileStore::~FileStore() {
  CHECK_EQ(jobs_away_count_, 0u);
  CHECK(waiting_.empty());
}

bool FileStore::Submit(StoreOp& op) {
  CHECK_LE(op.offset, size());
  CHECK_LE(op.length, size() - op.offset);
  if (WaitsForUnmap(op)) {
    waiting_.PushBack(op);
    return false;
  }
  return Start(op);
}

bool FileStore::Start(StoreOp& op) {
  switch (op.kind) {
    case StoreOp::Kind::kRead: return StartRead(op);
    case StoreOp::Kind::kWrite: op.outcome = Write(op); return true;
    case StoreOp::Kind::kFlush: return StartFlush(op);
    case StoreOp::Kind::kUnmap: return StartUnmap(op);
  }
  CHECK_LE(op.kind, StoreOp::Kind::kUnmap);
  return true;
}

bool FileStore::StartRead(StoreOp& op) {
  CHECK_LE(op.length, kWindowMax);
  op.lease.Reset();
  op.outcome = StoreOutcome::kOk;
  if (op.length == 0) return true;
  // Somebody saw zeros in place of bytes that were lent: told with the next read.
  if (mapping_ != nullptr && mapping_->TakeFault()) {
    op.outcome = StoreOutcome::kReadError;
    return true;
  }
  const ReadAhead ahead = PlanAhead(op);
  const auto length = static_cast<uint32_t>(op.length);
  if (mapping_ != nullptr && !mapping_->broken() && image_.mincore_tells) {
    if (io_.LongEnough() && FileIo::Resident(mapping_->bytes().subspan(op.offset, length))) {
      op.lease = LendMapped(op.offset, length);
      if (op.lease.empty()) op.outcome = StoreOutcome::kReadError;
      return true;
    }
  } else if (auto copy = io_.ReadCachedCopy(op.offset, length)) {
    op.lease = std::move(*copy);
    return true;
  }
  ++helped_reads_count_;
  return SubmitJob(op, ahead);
}

ReadAhead FileStore::PlanAhead(const StoreOp& op) {
  // With several commands in flight neighbours may come in another order.
  const uint64_t end = op.offset + op.length;
  const bool sequential =
      op.offset <= sequential_offset_ + kStretch && sequential_offset_ <= end + kStretch;
  sequential_offset_ = end;
  if (!sequential) return {};
  const uint64_t stretch_end = (end + kStretch - 1) / kStretch * kStretch;
  return {.populate = stretch_end - end, .hint = kHint};
}

Lease FileStore::LendMapped(uint64_t offset, uint64_t length) {
  emulator::RangePin* const pin = pins_.Take(offset);
  if (pin == nullptr) return {};
  Bytes left = mapping_->bytes().subspan(offset, length);
  uint64_t room = emulator::kPieceLengthMax - offset % emulator::kPieceLengthMax;
  while (!left.empty()) {
    pin->Add(Take(left, room));
    left = Drop(left, room);
    room = emulator::kPieceLengthMax;
  }
  return pins_.Lend(*pin);
}

StoreOutcome FileStore::Write(const StoreOp& op) {
  CHECK_EQ(op.length, op.data.size());
  if (!writable()) return StoreOutcome::kWriteError;
  if (op.length == 0) return StoreOutcome::kOk;
  if (!pins_.Protect(op.offset, op.length)) return StoreOutcome::kWriteError;
  for (size_t index = 0; jobs_away_count_ != 0 && index < jobs_.size(); ++index) {
    HelperJob& job = *jobs_[index];
    if (job.op != nullptr && job.kind == StoreOp::Kind::kRead && job.Overlaps(op)) job.stale = true;
  }
  ++written_count_;  // also when it fails: part of it may be written
  return io_.Write(op.offset, op.data);
}

bool FileStore::StartFlush(StoreOp& op) {
  op.outcome = flush_failure_.value_or(StoreOutcome::kOk);
  if (flush_failure_.has_value() || !writable()) return true;
  if (flushed_count_ == written_count_) return true;  // nothing changed since the last one
  return SubmitJob(op);
}

bool FileStore::StartUnmap(StoreOp& op) {
  op.outcome = StoreOutcome::kOk;
  if (op.length == 0) return true;
  if (!writable() || !pins_.Protect(op.offset, op.length)) {
    op.outcome = StoreOutcome::kWriteError;
    return true;
  }
  ++written_count_;
  return SubmitJob(op);
}

bool FileStore::WaitsForUnmap(const StoreOp& op) const {
  if (jobs_away_count_ == 0 || op.kind == StoreOp::Kind::kFlush) return false;
  for (const auto& job : jobs_) {
    if (job->op != nullptr && job->kind == StoreOp::Kind::kUnmap && job->Overlaps(op)) return true;
  }
  return false;
}

FileStore::HelperJob* FileStore::FreeJob() {
  for (const auto& job : jobs_) {
    if (job->op == nullptr) return job.get();
  }
  try {
    jobs_.push_back(std::make_unique<HelperJob>(*this));
    return jobs_.back().get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

bool FileStore::SubmitJob(StoreOp& op, ReadAhead ahead) {
  const bool is_read = op.kind == StoreOp::Kind::kRead;
  op.outcome = is_read ? StoreOutcome::kReadError : StoreOutcome::kWriteError;
  HelperJob* const free = FreeJob();
  if (free == nullptr) return true;
  HelperJob& job = *free;
  job.op = &op;
  job.kind = op.kind;
  job.offset = op.offset;
  job.length = op.length;
  job.ahead = ahead;
  job.stale = false;
  job.written_count = written_count_;
  if (!worker_.Submit(job)) {
    job.op = nullptr;
    return true;
  }
  ++jobs_away_count_;
  return false;
}

void FileStore::WorkOn(HelperJob& job) {
  job.outcome = StoreOutcome::kOk;
  switch (job.kind) {
    case StoreOp::Kind::kWrite: CHECK(job.kind != StoreOp::Kind::kWrite); break;
    case StoreOp::Kind::kFlush: job.outcome = io_.Flush(); break;
    case StoreOp::Kind::kUnmap: job.outcome = io_.Unmap(job.offset, job.length); break;
    case StoreOp::Kind::kRead: {
      const bool mapped = mapping_ != nullptr && !mapping_->broken();
      if (mapped && FileIo::PageIn(mapping_->bytes(), job.offset, job.length, job.ahead)) break;
      // pread knows more ways than paging in: a hole in a full tmpfs can be read, not mapped.
      auto copy = io_.ReadCopy(job.offset, static_cast<uint32_t>(job.length));
      if (copy.has_value())
        job.copy = std::move(*copy);
      else
        job.outcome = StoreOutcome::kReadError;
      break;
    }
  }
}

void FileStore::HandleHome(HelperJob& job) {
  StoreOp& op = *std::exchange(job.op, nullptr);
  --jobs_away_count_;
  switch (job.kind) {
    case StoreOp::Kind::kWrite: CHECK(job.kind != StoreOp::Kind::kWrite); break;
    case StoreOp::Kind::kRead: HandleReadHome(job, op); break;
    case StoreOp::Kind::kFlush:
      if (job.outcome == StoreOutcome::kOk)
        flushed_count_ = job.written_count;
      else if (!flush_failure_.has_value())
        flush_failure_ = job.outcome;
      Answer(op, flush_failure_.value_or(StoreOutcome::kOk));
      break;
    case StoreOp::Kind::kUnmap:
      Answer(op, job.outcome);
      HandleUnmapHome();
      break;
  }
}

void FileStore::HandleReadHome(HelperJob& job, StoreOp& op) {
  Lease copy = std::exchange(job.copy, Lease());
  if (job.outcome == StoreOutcome::kOk) {
    if (copy.empty()) {
      // Pages may be lent only while nothing is about to punch holes into them.
      if (WaitsForUnmap(op)) {
        waiting_.PushBack(op);
        return;
      }
      if (mapping_->broken()) {
        if (SubmitJob(op)) loop_.Post(op);
        return;
      }
      op.lease = LendMapped(op.offset, op.length);
      if (op.lease.empty()) job.outcome = StoreOutcome::kReadError;
    } else if (job.stale) {
      // The copy may show half of a write that came meanwhile.
      if (SubmitJob(op)) loop_.Post(op);
      return;
    } else {
      op.lease = std::move(copy);
    }
  }
  Answer(op, job.outcome);
}

void FileStore::HandleUnmapHome() {
  IntrusiveList<StoreOp> ready;
  while (!waiting_.empty()) ready.PushBack(waiting_.PopFront());
  while (!ready.empty()) {
    StoreOp& op = ready.PopFront();
    if (WaitsForUnmap(op))
      waiting_.PushBack(op);
    else if (Start(op))
      loop_.Post(op);
  }
}

void FileStore::Answer(StoreOp& op, StoreOutcome outcome) {
  op.outcome = outcome;
  loop_.Post(op);
}

}  // namespace usbtwin::os
