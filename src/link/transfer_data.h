// The data of an IN transfer that has completed, wherever it lies: in the caller's buffer or lent.
// For decorators that change what came; outcomes stay as they are.
#pragma once

#include "usb/transfer.h"

namespace usbtwin::link {

// Copies the first bytes that came into `room` and returns how many there are.
size_t CopyData(const usb::Transfer& transfer, MutableBytes room);
// Puts `bytes` in place of what came, as far as was asked for.
void ReplaceData(usb::Transfer& transfer, Bytes bytes);
// Keeps the first `length` bytes of what came.
void CutData(usb::Transfer& transfer, uint32_t length);
// Flips one bit, counted from bit 0 of byte 0; false where so much did not come. What is lent is
// flipped in a copy.
bool FlipData(usb::Transfer& transfer, uint32_t bit);

}  // namespace usbtwin::link
