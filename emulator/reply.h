// Small data-in: what INQUIRY, MODE SENSE, REQUEST SENSE and their kin answer. A Reply is built on
// the stack; a ReplyPool keeps its bytes for as long as a transport has them on lease, so that a
// slow reader never sees the next reply overwrite the one it is sending. Used by logical units.
// The pool outlives its leases; the pins CHECK it.
#pragma once

#include <array>

#include "base/lease.h"
#include "wire/scsi_data.h"

namespace usbtwin::emulator {

class Reply {
 public:
  static constexpr uint32_t kLengthMax = 2048;

  template <wire::WireStruct T>
  void Append(const T& value) {
    Append(wire::AsBytes(value));
  }
  void Append(Bytes bytes) {
    CHECK_LE(bytes.size(), kLengthMax - length_);
    CopyBytes(MutableBytes(bytes_).subspan(length_), bytes);
    length_ += static_cast<uint32_t>(bytes.size());
  }
  // Text in a field of fixed length, left-aligned and padded with spaces. SPC-4, 4.3.1.
  void AppendPadded(std::string_view text, uint32_t length) {
    Append(TextBytes(text.substr(0, length)));
    for (size_t index = text.size(); index < length; ++index) Append(uint8_t{' '});
  }
  uint32_t length() const { return length_; }
  Bytes view() const { return Bytes(bytes_).first(length_); }

 private:
  std::array<uint8_t, kLengthMax> bytes_{};
  uint32_t length_ = 0;
};

// The parameter data of REPORT LUNS for units 0, 1, ... SPC-4, 6.33.
inline void AppendLuns(size_t units_count, Reply& reply) {
  wire::scsi::LunListHeader header{};
  header.length = static_cast<uint32_t>(units_count * sizeof(wire::scsi::LunEntry));
  reply.Append(header);
  for (size_t number = 0; number < units_count; ++number) {
    wire::scsi::LunEntry entry{};
    entry.number = static_cast<uint8_t>(number);
    reply.Append(entry);
  }
}

class ReplyPool {
 public:
  static constexpr size_t kSlabsCount = 8;
  static constexpr uint32_t kSlabLength = 256;  // nearly all replies

  // Never fails: with all slabs out, or more bytes than one holds, the lease owns a copy.
  Lease Lend(Bytes bytes) {
    const auto length = static_cast<uint32_t>(bytes.size());
    if (length == 0) return {};
    for (Slab& slab : slabs_) {
      if (slab.pin.leases() != 0 || length > slab.bytes.size()) continue;
      CopyBytes(slab.bytes, bytes);
      return slab.pin.Lend(length);
    }
    auto [lease, room] = OwnedPin::Make(length);
    CopyBytes(room, bytes);
    return std::move(lease);
  }

 private:
  struct Slab {
    std::array<uint8_t, kSlabLength> bytes{};
    StaticPin pin{bytes};
  };
  std::array<Slab, kSlabsCount> slabs_;
};

}  // namespace usbtwin::emulator
