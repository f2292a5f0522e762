// The loans of a block store: pooled pins that know their byte range. A store asks for a pin, adds
// the pieces where the bytes are, and lends it; before it changes bytes it calls Protect, which
// moves what is lent there to a copy. So what a lease shows never changes, and in the steady state
// (no write to bytes on loan) nothing is allocated. Used by the memory store and the file store.
// The pool outlives its leases; the destructor CHECKs it.
#pragma once

#include <array>
#include <memory>

#include "base/intrusive_list.h"
#include "base/lease.h"
#include "emulator/block_store.h"

namespace usbtwin::emulator {

// Pieces end at multiples of this, counted from the start of the store. Copying in pieces of 64 KiB
// is faster than in one of 1 MiB, and a copy made for a small write stays small.
inline constexpr uint32_t kPieceLengthMax = 64 << 10;

class PinPool;

// One loan: bytes [offset, offset + length) of the store.
class RangePin final : public Pin, public ListNode {
 public:
  explicit RangePin(PinPool& pool) : pool_(pool) {}

  // The next piece, up to a multiple of kPieceLengthMax or the end of the loan.
  void Add(Bytes piece) {
    CHECK_LT(count_, kPiecesMax);
    pieces_[count_++] = piece;
    length_ += static_cast<uint32_t>(piece.size());
  }

 private:
  friend class PinPool;
  // Any offset: one piece more than a window of aligned ones.
  static constexpr uint32_t kPiecesMax = BlockStore::kWindowMax / kPieceLengthMax + 1;

  void HandleUnpinned() override;
  bool Overlaps(uint64_t offset, uint64_t length) const {
    return offset < offset_ + length_ && offset_ < offset + length;
  }
  // Moves the pieces that hold bytes of the range to the copy. False when there is no memory.
  bool MoveToCopy(uint64_t offset, uint64_t length);

  PinPool& pool_;
  uint64_t offset_ = 0;
  uint32_t length_ = 0;
  uint32_t count_ = 0;
  uint32_t moved_ = 0;  // one bit a piece: it is in the copy already
  std::unique_ptr<uint8_t[]> copy_;
  std::array<Bytes, kPiecesMax> pieces_;
};

class PinPool {
 public:
  PinPool() = default;
  PinPool(const PinPool&) = delete;
  PinPool& operator=(const PinPool&) = delete;
  ~PinPool();

  // A pin without pieces for a loan from `offset` on. Add pieces, then Lend it. Null when there is
  // no memory.
  [[nodiscard]] RangePin* Take(uint64_t offset) {
    if (free_.empty() && !Grow()) return nullptr;
    RangePin& pin = free_.PopFront();
    pin.offset_ = offset;
    pin.length_ = pin.count_ = pin.moved_ = 0;
    return &pin;
  }
  Lease Lend(RangePin& pin) {
    pin.set_pieces({pin.pieces_.data(), pin.count_});
    lent_.PushBack(pin);
    return Lease(pin, 0, pin.length_);
  }

  // To be called before the bytes of the range change or go. False when there is no memory for a
  // copy: then they must not change.
  [[nodiscard]] bool Protect(uint64_t offset, uint64_t length) {
    return lent_.empty() || ProtectLent(offset, length);
  }

  bool empty() const { return lent_.empty(); }  // nothing is on loan

 private:
  friend class RangePin;
  bool Grow();  // false when there is no memory
  bool ProtectLent(uint64_t offset, uint64_t length);
  void Return(RangePin& pin) {
    pin.Unlink();
    if (pin.copy_ != nullptr) pin.copy_.reset();
    free_.PushFront(pin);
  }

  IntrusiveList<RangePin> free_;  // owned
  IntrusiveList<RangePin> lent_;
};

inline void RangePin::HandleUnpinned() {
  pool_.Return(*this);
}

}  // namespace usbtwin::emulator
