#include "link/transfer_data.h"

#include <algorithm>

namespace usbtwin::link {

namespace {

// Only bulk transfers lend, and only where the host brought no buffer.
bool IsLent(const usb::Transfer& transfer) {
  return transfer.in.empty();
}

void Lend(usb::Transfer& transfer, Bytes bytes) {
  transfer.lease.Clear();
  if (bytes.empty()) return;
  auto [lease, room] = OwnedPin::Make(static_cast<uint32_t>(bytes.size()));
  CopyBytes(room, bytes);
  CHECK(transfer.lease.Append(std::move(lease)));
}

}  // namespace

size_t CopyData(const usb::Transfer& transfer, MutableBytes room) {
  room = Take(room, transfer.length_actual);
  if (!IsLent(transfer)) return CopyBytes(room, transfer.in);
  transfer.lease.CopyTo(room);
  return room.size();
}

void ReplaceData(usb::Transfer& transfer, Bytes bytes) {
  bytes = Take(bytes, transfer.in_length_max);
  if (IsLent(transfer)) {
    Lend(transfer, bytes);
  } else {
    CopyBytes(transfer.in, bytes);
  }
  transfer.length_actual = static_cast<uint32_t>(bytes.size());
}

void CutData(usb::Transfer& transfer, uint32_t length) {
  if (length >= transfer.length_actual) return;
  transfer.length_actual = length;
  if (!IsLent(transfer)) return;
  LeaseList kept;
  for (const Lease& lease : transfer.lease.leases()) {
    const uint32_t part = std::min(lease.length(), length);
    if (part != 0) CHECK(kept.Append(lease.Slice(0, part)));
    length -= part;
  }
  transfer.lease.Clear();
  transfer.lease.TakeFrom(kept);
}

bool FlipData(usb::Transfer& transfer, uint32_t bit) {
  const uint32_t place = bit / 8;
  const auto mask = static_cast<uint8_t>(1u << bit % 8);
  if (place >= transfer.length_actual) return false;
  if (!IsLent(transfer)) {
    transfer.in[place] ^= mask;
    return true;
  }
  std::vector<uint8_t> bytes(transfer.length_actual);
  transfer.lease.CopyTo(bytes);
  bytes[place] ^= mask;
  Lend(transfer, bytes);
  return true;
}

}  // namespace usbtwin::link
