#include "sim/world_store.h"

#include <algorithm>
#include <utility>

namespace usbtwin::sim {

using emulator::StoreOp;

WorldStore::WorldStore(Clock& clock, uint64_t size, Duration latency)
    : clock_(clock), store_(size), latency_(latency) {}

WorldStore::~WorldStore() {
  for (const auto& job : jobs_) CHECK(job->op == nullptr);
}

bool WorldStore::Submit(StoreOp& op) {
  if (latency_ == Duration(0)) {
    Carry(op);
    return true;
  }
  auto found =
      std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->op == nullptr; });
  if (found == jobs_.end()) {
    jobs_.push_back(std::make_unique<Job>(*this));
    found = jobs_.end() - 1;
  }
  (*found)->op = &op;
  clock_.Arm(**found, clock_.Now() + latency_);
  return false;
}

void WorldStore::Carry(StoreOp& op) {
  if (op.kind == StoreOp::Kind::kRead) bytes_read_ += op.length;
  const bool answered = store_.Submit(op);
  CHECK(answered);
}

void WorldStore::Answer(Job& job) {
  StoreOp& op = *std::exchange(job.op, nullptr);
  Carry(op);
  clock_.Post(op);
}

}  // namespace usbtwin::sim
