// Bytes lent by their owner, without a copy. A Pin is the owner's record of one loan: a table of
// pieces and a count of the leases on it. A Lease is a window over a pin; slicing it is two
// additions. The last lease to go calls Pin::HandleUnpinned, and the pin returns to its owner's
// pool. Pieces are looked up at each use and never cached: the owner may move pinned bytes to a
// copy and re-point the table, so that a later write never shows in a loan made before it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace usbtwin {

class Pin {
 public:
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  uint32_t leases() const { return leases_; }
  std::span<const Bytes> pieces() const { return pieces_; }

 protected:
  Pin() = default;
  ~Pin() { CHECK_EQ(leases_, 0u); }
  void set_pieces(std::span<const Bytes> pieces) { pieces_ = pieces; }

 private:
  friend class Lease;
  virtual void HandleUnpinned() = 0;
  std::span<const Bytes> pieces_;
  uint32_t leases_ = 0;
};

class Lease {
 public:
  Lease() = default;
  // `offset` and `length` select bytes of the concatenated pieces.
  Lease(Pin& pin, uint32_t offset, uint32_t length) : pin_(&pin), offset_(offset), length_(length) {
    ++pin.leases_;
  }
  Lease(const Lease& other) : pin_(other.pin_), offset_(other.offset_), length_(other.length_) {
    if (pin_ != nullptr) ++pin_->leases_;
  }
  Lease(Lease&& other) noexcept
      : pin_(std::exchange(other.pin_, nullptr)),
        offset_(std::exchange(other.offset_, 0)),
        length_(std::exchange(other.length_, 0)) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    Reset();
    pin_ = std::exchange(other.pin_, nullptr);
    offset_ = std::exchange(other.offset_, 0);
    length_ = std::exchange(other.length_, 0);
    return *this;
  }
  Lease& operator=(const Lease& other) noexcept { return *this = Lease(other); }
  ~Lease() { Reset(); }

  void Reset() {
    Pin* pin = std::exchange(pin_, nullptr);
    offset_ = length_ = 0;
    if (pin != nullptr && --pin->leases_ == 0) pin->HandleUnpinned();
  }

  uint32_t length() const { return length_; }
  bool empty() const { return length_ == 0; }

  Lease Slice(uint32_t offset, uint32_t length) const {
    CHECK_LE(offset, length_);
    CHECK_LE(length, length_ - offset);
    return length == 0 ? Lease() : Lease(*pin_, offset_ + offset, length);
  }

  // Calls `use(Bytes)` for each piece in order.
  template <class Use>
  void ForEach(Use use) const {
    if (length_ == 0) return;
    uint32_t skip = offset_;
    uint32_t left = length_;
    for (Bytes piece : pin_->pieces()) {
      if (skip >= piece.size()) {
        skip -= static_cast<uint32_t>(piece.size());
        continue;
      }
      const Bytes part = Take(piece.subspan(skip), left);
      skip = 0;
      left -= static_cast<uint32_t>(part.size());
      use(part);
      if (left == 0) return;
    }
    CHECK_EQ(left, 0u);
  }

  // Copies `target.size()` bytes from `offset` on. They must be there.
  void CopyTo(MutableBytes target, uint32_t offset = 0) const {
    CHECK_LE(offset, length_);
    CHECK_LE(target.size(), length_ - offset);
    uint32_t skip = offset;
    ForEach([&](Bytes piece) {
      if (skip >= piece.size()) {
        skip -= static_cast<uint32_t>(piece.size());
        return;
      }
      target = target.subspan(CopyBytes(target, piece.subspan(skip)));
      skip = 0;
    });
  }

 private:
  Pin* pin_ = nullptr;
  uint32_t offset_ = 0;
  uint32_t length_ = 0;
};

// A pin over bytes that stay where they are for longer than any lease on them: descriptors, the
// slabs of small replies. Its owner asks `leases() == 0` before it writes the bytes again.
class StaticPin final : public Pin {
 public:
  explicit StaticPin(Bytes bytes) : piece_(bytes) { set_pieces({&piece_, 1}); }
  Lease Lend(uint32_t length) { return Lease(*this, 0, length); }

 private:
  void HandleUnpinned() override {}
  Bytes piece_;
};

// A pin that owns its bytes and deletes itself with its last lease: the fallback copy where a loan
// is not possible. Make() returns the lease and where to write before anybody reads.
class OwnedPin final : public Pin {
 public:
  static std::pair<Lease, MutableBytes> Make(uint32_t length) {
    auto* pin = new OwnedPin(length);
    return {Lease(*pin, 0, length), MutableBytes(pin->bytes_)};
  }

 private:
  explicit OwnedPin(uint32_t length) : bytes_(length), piece_(bytes_) { set_pieces({&piece_, 1}); }
  ~OwnedPin() = default;
  void HandleUnpinned() override { delete this; }
  std::vector<uint8_t> bytes_;
  Bytes piece_;
};

// The leases that make up one transfer's data, in order. Nearly always one.
class LeaseList {
 public:
  static constexpr size_t kCountMax = 4;

  // False when the list is full: the caller then copies what is left.
  bool Append(Lease&& lease) {
    if (count_ == kCountMax) return false;
    length_ += lease.length();
    leases_[count_++] = std::move(lease);
    return true;
  }
  // Appends even to a full list, by joining everything in one copy first.
  void AppendOrCopy(Lease&& lease) {
    if (full()) Join();
    CHECK(Append(std::move(lease)));
  }
  // Appends all of `other`, which is empty afterwards.
  void TakeFrom(LeaseList& other) {
    for (uint32_t index = 0; index < other.count_; ++index) {
      AppendOrCopy(std::move(other.leases_[index]));
    }
    other.count_ = 0;
    other.length_ = 0;
  }
  void Clear() {
    while (count_ > 0) leases_[--count_].Reset();
    length_ = 0;
  }
  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == kCountMax; }
  uint32_t length() const { return length_; }
  std::span<const Lease> leases() const { return {leases_.data(), count_}; }

  template <class Use>
  void ForEach(Use use) const {
    for (const Lease& lease : leases()) lease.ForEach(use);
  }
  void CopyTo(MutableBytes target) const {
    CHECK_LE(target.size(), length_);
    ForEach([&](Bytes piece) { target = target.subspan(CopyBytes(target, piece)); });
  }

 private:
  void Join() {
    auto [joined, room] = OwnedPin::Make(length_);
    CopyTo(room);
    Clear();
    CHECK(Append(std::move(joined)));
  }

  std::array<Lease, kCountMax> leases_;
  uint32_t count_ = 0;
  uint32_t length_ = 0;
};

}  // namespace usbtwin
