#include "emulator/faulty_store.h"

#include <algorithm>

#include "base/canary.h"

namespace usbtwin::emulator {

using fault::Kind;
using fault::Moment;
using fault::Sign;

namespace {

Moment MomentOf(const StoreOp& op) {
  switch (op.kind) {
    case StoreOp::Kind::kRead: return Moment::kStoreRead;
    case StoreOp::Kind::kWrite:
    case StoreOp::Kind::kUnmap: return Moment::kStoreWrite;
    case StoreOp::Kind::kFlush: return Moment::kStoreFlush;
  }
  return Moment::kStoreRead;
}

StoreOutcome ErrorOf(const StoreOp& op) {
  return op.kind == StoreOp::Kind::kRead ? StoreOutcome::kReadError : StoreOutcome::kWriteError;
}

}  // namespace

class FaultyStore::Job final : public StoreSink, public Timer {
 public:
  enum class State : uint8_t {
    kHeld,    // its time has not come
    kQueued,  // behind others
    kSaving,  // what it replaces is being read
    kActing,  // the store carries it out
  };

  explicit Job(FaultyStore& store) : store_(store) {}

  StoreOp* op = nullptr;  // null: free
  StoreOp inner;          // what the store is asked instead
  State state = State::kQueued;
  bool slow = false;      // kSlowStore
  uint64_t serial = 0;    // of that injection
  bool torn = false;      // kTornWrite: only `length` bytes of it
  bool lost = false;      // power failed on the way
  bool through = false;   // it finds no room in the history
  uint64_t length = 0;    // bytes that shall take effect
  uint64_t position = 0;  // kSaving: up to where blocks are saved

 private:
  void OnStoreDone(StoreOp&) override { store_.HandleDone(*this); }
  void HandleTimer() override { store_.HandleHeld(*this); }

  FaultyStore& store_;
};

FaultyStore::FaultyStore(Clock& clock, BlockStore& store, fault::Player& player,
                         const FaultyStoreOptions& options)
    : clock_(clock),
      store_(store),
      player_(player),
      options_(options),
      history_(options.block_size, options.cache_length_max) {
  CHECK_NE(options_.block_size, 0u);
  CHECK_EQ(kWindowMax % options_.block_size, 0u);
  undo_op_.sink = this;
}

FaultyStore::~FaultyStore() {
  CHECK(idle());
}

bool FaultyStore::idle() const {
  const bool working =
      std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->op != nullptr; });
  return !working && !undoing();
}

// ---- Which operation meets a fault ------------------------------------------------------------

bool FaultyStore::Submit(StoreOp& op) {
  const Moment moment = MomentOf(op);
  if (player_.watches(moment)) {
    const uint32_t size = options_.block_size;
    const fault::CommandContext context{
        .lun = options_.lun,
        .lba = op.offset / size,
        .blocks_count = (op.offset + op.length + size - 1) / size - op.offset / size};
    const fault::Occasion occasion{.moment = moment, .command = &context};
    const fault::Rule* rule = player_.Draw(occasion);
    while (rule != nullptr && !Plays(*rule, op)) rule = player_.Redraw(occasion);
    if (rule != nullptr) return Play(op, *rule);
  }
  const bool changes = op.kind != StoreOp::Kind::kRead;
  if (!undoing() && !(options_.volatile_cache && changes)) return store_.Submit(op);
  Enqueue(Take(op));
  return false;
}

// One block cannot be torn, nor what is to be written as a whole.
bool FaultyStore::Plays(const fault::Rule& rule, const StoreOp& op) const {
  const bool in_one = op.offset % options_.block_size + op.length <= options_.block_size;
  return rule.kind != Kind::kTornWrite || !(in_one || op.whole);
}

bool FaultyStore::Play(StoreOp& op, const fault::Rule& rule) {
  if (rule.kind == Kind::kSlowStore) {
    Job& job = Take(op);
    job.state = Job::State::kHeld;
    job.slow = true;
    job.serial = player_.serial();
    player_.Show(job.serial, Sign::kWait);
    clock_.Arm(job, clock_.Now() + std::max(rule.delay_or_default(), Duration(0)));
    return false;
  }
  if (rule.kind == Kind::kTornWrite) {
    const uint32_t size = options_.block_size;
    const uint64_t start = op.offset % size;
    const uint64_t count = (start + op.length + size - 1) / size;
    Job& job = Take(op);
    job.torn = true;
    player_.Show(player_.serial(), Sign::kStatus);
    job.length =
        player_.chooser().Between(1, count - 1, "blocks of a torn write that take effect") * size -
        start;
    Enqueue(job);
    return false;
  }
  op.lease.Reset();
  if (canary::Planted(canary::Canary::kFailedWriteWrites) && rule.kind == Kind::kWriteError) {
    Job& job = Take(op);
    job.torn = true;
    player_.Show(player_.serial(), Sign::kStatus);
    Enqueue(job);
    return false;
  }
  op.outcome = rule.kind == Kind::kNoSpace ? StoreOutcome::kNoSpace : ErrorOf(op);
  player_.Show(player_.serial(), Sign::kStatus);
  return true;
}

// ---- Operations that are carried out here -----------------------------------------------------

FaultyStore::Job& FaultyStore::Take(StoreOp& op) {
  auto found =
      std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->op == nullptr; });
  if (found == jobs_.end()) {
    jobs_.push_back(std::make_unique<Job>(*this));
    found = jobs_.end() - 1;
  }
  Job& job = **found;
  job.op = &op;
  job.inner.sink = &job;
  job.state = Job::State::kQueued;
  job.slow = job.torn = job.lost = job.through = false;
  job.length = op.length;
  return job;
}

void FaultyStore::Enqueue(Job& job) {
  job.state = Job::State::kQueued;
  queue_.push_back(&job);
  Pump();
}

void FaultyStore::Pump() {
  while (active_ == nullptr && !undoing() && !queue_.empty()) {
    active_ = queue_.front();
    queue_.pop_front();
    Begin(*active_);
  }
}

void FaultyStore::Begin(Job& job) {
  job.state = Job::State::kActing;
  const bool writes =
      job.op->kind == StoreOp::Kind::kWrite || job.op->kind == StoreOp::Kind::kUnmap;
  if (job.op->kind == StoreOp::Kind::kWrite && job.op->whole) {
    // Past the cache, so that power loss finds all of it or nothing. What it replaces is written
    // back first: a version of that could not be put back once this is on the medium.
    history_.Forget(job.op->offset, job.length);
  } else if (options_.volatile_cache && writes && job.length != 0) {
    const uint64_t start = job.op->offset % options_.block_size;
    job.position = job.op->offset - start;
    job.through = !history_.HasRoomFor(start + job.length + options_.block_size);
    if (!job.through) job.state = Job::State::kSaving;
  }
  Drive(job);
}

void FaultyStore::Drive(Job& job) {
  do {
    SetNext(job);
    if (!store_.Submit(job.inner)) return;
  } while (Advance(job));
}

void FaultyStore::SetNext(Job& job) {
  StoreOp& inner = job.inner;
  inner.outcome = StoreOutcome::kOk;
  inner.data = {};
  if (job.state == Job::State::kSaving) {
    const uint64_t end = job.op->offset + job.length;
    const uint64_t more = (options_.block_size - end % options_.block_size) % options_.block_size;
    inner.kind = StoreOp::Kind::kRead;
    inner.offset = job.position;
    inner.length =
        std::min({uint64_t{kWindowMax}, end + more - job.position, store_.size() - job.position});
    return;
  }
  inner.kind = job.op->kind;
  inner.offset = job.op->offset;
  inner.length = job.length;
  inner.whole = job.op->whole;
  if (inner.kind == StoreOp::Kind::kWrite) inner.data = job.op->data.first(job.length);
}

// The store has answered. True: it is to be asked once more.
bool FaultyStore::Advance(Job& job) {
  StoreOp& inner = job.inner;
  if (job.lost) {
    inner.lease.Reset();
    Finish(job, ErrorOf(*job.op));
    return false;
  }
  if (job.state == Job::State::kSaving) return Save(job);
  if (inner.outcome == StoreOutcome::kOk) {
    if (inner.kind == StoreOp::Kind::kRead) job.op->lease = std::move(inner.lease);
    if (inner.kind == StoreOp::Kind::kFlush) {
      if (inner.length == 0) {
        history_.Clear();
      } else {
        history_.Forget(inner.offset, inner.length);
      }
    }
    if (job.through) history_.Clear();
  }
  Finish(job, job.torn ? StoreOutcome::kWriteError : inner.outcome);
  return false;
}

// Blocks that cannot be read have no version to go back to.
bool FaultyStore::Save(Job& job) {
  StoreOp& inner = job.inner;
  if (inner.outcome == StoreOutcome::kOk) history_.Save(inner.offset, inner.lease);
  inner.lease.Reset();
  job.position += inner.length;
  const bool saved = job.position >= job.op->offset + job.length || job.position >= store_.size();
  if (saved) job.state = Job::State::kActing;
  return true;
}

void FaultyStore::Finish(Job& job, StoreOutcome outcome) {
  if (job.slow) player_.EndWait(job.serial);
  if (active_ == &job) active_ = nullptr;
  StoreOp& op = *std::exchange(job.op, nullptr);
  op.outcome = outcome;
  clock_.Post(op);
}

void FaultyStore::HandleHeld(Job& job) {
  Enqueue(job);
}

void FaultyStore::HandleDone(Job& job) {
  if (Advance(job)) Drive(job);
  if (active_ == nullptr) Undo();
}

// ---- Power loss -------------------------------------------------------------------------------

void FaultyStore::LosePower(Chooser& chooser) {
  for (const auto& job : jobs_) {
    if (job->op != nullptr) Lose(*job);
  }
  queue_.clear();
  // Lost again before it was over: everything that is there to undo still is.
  std::vector<WriteHistory::Undo> undo = history_.LosePower(chooser);
  if (undoing()) return;
  undo_ = std::move(undo);
  if (active_ == nullptr) Undo();
}

void FaultyStore::Lose(Job& job) {
  if (&job == active_) {
    job.lost = true;
    return;
  }
  clock_.Disarm(job);
  Finish(job, ErrorOf(*job.op));
}

// Puts back what is left of it, then goes on with what was submitted meanwhile.
void FaultyStore::Undo() {
  while (undoing()) {
    const WriteHistory::Undo& undo = undo_.back();
    undo_op_.kind = StoreOp::Kind::kWrite;
    undo_op_.offset = undo.offset;
    undo_op_.length = undo.bytes.size();
    undo_op_.data = undo.bytes;
    undo_op_.outcome = StoreOutcome::kOk;
    if (!store_.Submit(undo_op_)) return;
    undo_.pop_back();
  }
  Pump();
}

void FaultyStore::OnStoreDone(StoreOp&) {
  undo_.pop_back();
  Undo();
}

}  // namespace usbtwin::emulator
