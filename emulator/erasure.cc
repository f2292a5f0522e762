#include "emulator/erasure.h"

#include <algorithm>

#include "base/check.h"

namespace usbtwin::emulator {
namespace {

constexpr uint64_t kUnmapLength = 64 << 20;  // bytes in one step

}  // namespace

Erasure::~Erasure() {
  Stop();
  CHECK(!in_store_);
}

void Erasure::Start(Plan plan) {
  CHECK(!running_);
  plan_ = std::move(plan);
  if (plan_.pattern.empty()) plan_.passes_count = 1;
  passes_done_ = 0;
  done_ = 0;
  running_ = true;
  op_.sink = this;
  clock_.Arm(*this, clock_.Now());
}

void Erasure::Stop() {
  clock_.Disarm(*this);
  running_ = false;
}

uint16_t Erasure::progress() const {
  const long double passes = static_cast<long double>(passes_done_) +
                             static_cast<long double>(done_) / static_cast<long double>(length_);
  const auto parts = static_cast<uint32_t>(passes * 65536 / plan_.passes_count);
  return static_cast<uint16_t>(std::min(parts, uint32_t{UINT16_MAX}));
}

// One store operation a turn, so that everybody else has theirs. A flush ends it.
void Erasure::Step() {
  const bool writes = !plan_.pattern.empty();
  op_.offset = done_;
  op_.data = {};
  if (passes_done_ == plan_.passes_count) {
    op_.kind = StoreOp::Kind::kFlush;
    op_.offset = op_.length = 0;
  } else if (writes) {
    op_.kind = StoreOp::Kind::kWrite;
    op_.data = Take(Bytes(plan_.pattern), length_ - done_);
    op_.length = op_.data.size();
  } else {
    op_.kind = StoreOp::Kind::kUnmap;
    op_.length = std::min(kUnmapLength, length_ - done_);
  }
  op_.outcome = StoreOutcome::kOk;
  in_store_ = !store_.Submit(op_);
  if (!in_store_) HandleDone();
}

void Erasure::OnStoreDone(StoreOp&) {
  in_store_ = false;
  if (running_) HandleDone();
}

void Erasure::HandleDone() {
  const bool flushed = op_.kind == StoreOp::Kind::kFlush;
  if (flushed || op_.outcome != StoreOutcome::kOk) {
    running_ = false;
    return owner_.HandleErased();
  }
  done_ += op_.length;
  if (done_ == length_) {
    done_ = 0;
    ++passes_done_;
    if (plan_.invert) {
      for (uint8_t& byte : plan_.pattern) byte = static_cast<uint8_t>(~byte);
    }
  }
  clock_.Arm(*this, clock_.Now());
}

}  // namespace usbtwin::emulator
