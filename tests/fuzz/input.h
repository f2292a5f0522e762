// The bytes of one fuzz input, taken from the front as a target asks for them. An input that has
// ended answers zero for ever, so a target makes zero the choice that leads to the end.
#pragma once

#include "base/bytes.h"

namespace usbtwin::fuzz {

class Input {
 public:
  explicit Input(Bytes bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  // Little-endian, as nearly everything on USB is.
  uint16_t Word() {
    const uint8_t low = Byte();
    return static_cast<uint16_t>(Byte() << 8 | low);
  }
  uint32_t Double() {
    const uint16_t low = Word();
    return uint32_t{Word()} << 16 | low;
  }
  // Fewer bytes where the input ends before.
  Bytes Piece(size_t length) {
    const Bytes piece = Take(bytes_, length);
    bytes_ = Drop(bytes_, piece.size());
    return piece;
  }
  // Small lengths and odd ones, around the packet size and what was announced.
  uint32_t Length(uint32_t announced) {
    const uint8_t choice = Byte();
    switch (choice % 8) {
      case 0: return announced;
      case 1: return announced + 1;
      case 2: return announced == 0 ? 0 : announced - 1;
      case 3: return 512u * Byte();
      case 4: return UINT32_MAX;
      default: return static_cast<uint32_t>(Byte()) << (choice >> 4);
    }
  }

 private:
  Bytes bytes_;
};

}  // namespace usbtwin::fuzz
