#include "emulator/pin_pool.h"

#include <new>

namespace usbtwin::emulator {

PinPool::~PinPool() {
  CHECK(lent_.empty());
  while (!free_.empty()) delete &free_.PopFront();
}

bool PinPool::Grow() {
  auto* const pin = new (std::nothrow) RangePin(*this);
  if (pin != nullptr) free_.PushFront(*pin);
  return pin != nullptr;
}

bool PinPool::ProtectLent(uint64_t offset, uint64_t length) {
  for (RangePin* pin = &lent_.front(); pin != nullptr; pin = lent_.next(*pin)) {
    if (pin->Overlaps(offset, length) && !pin->MoveToCopy(offset, length)) return false;
  }
  return true;
}

bool RangePin::MoveToCopy(uint64_t offset, uint64_t length) {
  uint32_t start = 0;  // of the piece, within the loan
  for (uint32_t index = 0; index < count_; ++index) {
    const Bytes piece = pieces_[index];
    const uint64_t piece_offset = offset_ + start;
    const bool concerned = offset < piece_offset + piece.size() && piece_offset < offset + length;
    if (concerned && (moved_ >> index & 1) == 0) {
      // Room for the whole loan at once; the system provides only the pages that are used.
      if (copy_ == nullptr) copy_.reset(new (std::nothrow) uint8_t[length_]);
      if (copy_ == nullptr) return false;
      const MutableBytes target(copy_.get() + start, piece.size());
      CopyBytes(target, piece);
      pieces_[index] = target;
      moved_ |= uint32_t{1} << index;
    }
    start += static_cast<uint32_t>(piece.size());
  }
  return true;
}

}  // namespace usbtwin::emulator
