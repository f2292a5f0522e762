#include "link/throttle.h"

#include <algorithm>

namespace usbtwin::link {

using usb::Outcome;

namespace {

// Words beside a transfer: whether the link below still has it.
constexpr uint64_t kBelow = 0;
constexpr uint64_t kDecided = 1;

constexpr uint64_t kNanosecondsInSecond = 1'000'000'000;

bool IsHalt(const usb::Transfer& transfer) {
  return transfer.outcome == Outcome::kStall && !transfer.setup;
}

}  // namespace

Throttle::~Throttle() {
  CHECK_EQ(in_flight_count_, 0u);
}

void Throttle::Submit(usb::Transfer& transfer) {
  ++in_flight_count_;
  transfer.Push(*this, kBelow);
  inner_.Submit(transfer);
}

// When the bytes of a transfer that was just answered are through.
TimePoint Throttle::DueTime(uint32_t length) {
  busy_until_ = std::max(busy_until_, clock_.Now());
  if (options_.bytes_per_second != 0) {
    // Below 2^32 bytes, so this stays below 2^62.
    const uint64_t ns = length * kNanosecondsInSecond / options_.bytes_per_second;
    busy_until_ = busy_until_ + Duration(static_cast<int64_t>(ns));
  }
  return busy_until_ + options_.latency;
}

void Throttle::OnDone(usb::Transfer& transfer, uint64_t word) {
  const bool decided = word == kDecided;
  const bool ended =
      transfer.outcome == Outcome::kCancelled || transfer.outcome == Outcome::kDisconnected;
  if (transfer.outcome == Outcome::kDisconnected) EndAll(Outcome::kDisconnected);
  // During a reset nothing waits, or it would end after it.
  if (!decided && !ended && resets_count_ == 0) {
    const TimePoint due = DueTime(transfer.length_actual);
    if (due > clock_.Now() || !waiting_.empty()) {
      waiting_.push_back({&transfer, due});
      if (!armed()) clock_.Arm(*this, due);
      return;
    }
  }
  if (!decided && transfer.outcome == Outcome::kDisconnected && posted_count_ != 0) {
    return Post(transfer);  // behind those that waited
  }
  if (decided) --posted_count_;
  if (!decided && !ended && resets_count_ != 0 && posted_count_ != 0) {
    if (!IsHalt(transfer)) transfer.outcome = Outcome::kCancelled;
    return Post(transfer);  // behind those that a reset has ended
  }
  --in_flight_count_;
  transfer.Complete();
}

void Throttle::Post(usb::Transfer& transfer) {
  ++posted_count_;
  transfer.Push(*this, kDecided);
  clock_.Post(transfer);
}

void Throttle::HandleTimer() {
  usb::Transfer& transfer = *waiting_.front().transfer;
  waiting_.erase(waiting_.begin());
  if (!waiting_.empty()) clock_.Arm(*this, waiting_.front().due);
  --in_flight_count_;
  transfer.Complete();
}

void Throttle::Cancel(usb::Transfer& transfer) {
  const auto place =
      std::find_if(waiting_.begin(), waiting_.end(),
                   [&transfer](const Waiting& waiting) { return waiting.transfer == &transfer; });
  if (place == waiting_.end()) {
    if (transfer.outcome == Outcome::kPending) inner_.Cancel(transfer);
    return;
  }
  waiting_.erase(place);
  if (waiting_.empty()) clock_.Disarm(*this);
  transfer.outcome = Outcome::kCancelled;
  Post(transfer);
}

// Whatever waits ends now.
void Throttle::EndAll(Outcome outcome) {
  for (const Waiting& waiting : waiting_) {
    // A halt must be told, or the host would not clear it.
    const bool told = outcome == Outcome::kCancelled && IsHalt(*waiting.transfer);
    if (!told) waiting.transfer->outcome = outcome;
    Post(*waiting.transfer);
  }
  waiting_.clear();
  clock_.Disarm(*this);
}

void Throttle::Request(usb::PortOp& op) {
  // A reset ends what was queued: here too.
  if (std::holds_alternative<usb::ResetPort>(op.request)) {
    EndAll(Outcome::kCancelled);
    ++resets_count_;
  }
  ++in_flight_count_;
  op.Push(*this);
  inner_.Request(op);
}

void Throttle::OnDone(usb::PortOp& op, uint64_t /*word*/) {
  if (op.outcome == Outcome::kDisconnected) EndAll(Outcome::kDisconnected);
  if (std::holds_alternative<usb::ResetPort>(op.request)) --resets_count_;
  --in_flight_count_;
  op.Complete();
}

}  // namespace usbtwin::link
