// Integers with a byte order and alignment 1, and the one place where bytes become structs. Every
// layout in src/wire is a plain struct of these, so it can be laid over any buffer. A View judges
// nothing but the length: what the fields say is checked by whoever reads them.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/bytes.h"

namespace usbtwin::wire {

template <std::unsigned_integral T, size_t kSize, std::endian kOrder>
class Endian {
 public:
  constexpr Endian() = default;
  // Converts both ways, so that a field reads like a number. Bits that do not fit are dropped.
  constexpr Endian(T value) {  // NOLINT(google-explicit-constructor)
    if constexpr (kSize == sizeof(T)) {
      bytes_ = std::bit_cast<std::array<uint8_t, kSize>>(Swap(value));
    } else {
      for (size_t index = 0; index < kSize; ++index) {
        bytes_[At(index)] = static_cast<uint8_t>(value >> (8 * index));
      }
    }
  }
  constexpr operator T() const {  // NOLINT(google-explicit-constructor)
    if constexpr (kSize == sizeof(T)) {
      return Swap(std::bit_cast<T>(bytes_));
    } else {
      T value = 0;
      for (size_t index = 0; index < kSize; ++index) {
        value |= static_cast<T>(static_cast<T>(bytes_[At(index)]) << (8 * index));
      }
      return value;
    }
  }

 private:
  // Between the machine's order and ours. A byte-wise loop would be compiled as one.
  static constexpr T Swap(T value) {
    if constexpr (kOrder == std::endian::native) {
      return value;
    } else if constexpr (kSize == 2) {
      return __builtin_bswap16(value);
    } else if constexpr (kSize == 4) {
      return __builtin_bswap32(value);
    } else {
      return __builtin_bswap64(value);
    }
  }
  static constexpr size_t At(size_t index) {
    return kOrder == std::endian::little ? index : kSize - 1 - index;
  }
  std::array<uint8_t, kSize> bytes_{};
};

using Le16 = Endian<uint16_t, 2, std::endian::little>;
using Le32 = Endian<uint32_t, 4, std::endian::little>;
using Le64 = Endian<uint64_t, 8, std::endian::little>;
using Be16 = Endian<uint16_t, 2, std::endian::big>;
using Be24 = Endian<uint32_t, 3, std::endian::big>;
using Be32 = Endian<uint32_t, 4, std::endian::big>;
using Be64 = Endian<uint64_t, 8, std::endian::big>;

// A struct that may be laid over bytes: no padding, no alignment, no invariants of its own.
template <class T>
concept WireStruct = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> &&
                         alignof(T) == 1 &&
                     std::has_unique_object_representations_v<T>;

// The struct at the start of `bytes`, or null where they are too few.
template <WireStruct T>
const T* View(Bytes bytes) {
  return bytes.size() < sizeof(T) ? nullptr : reinterpret_cast<const T*>(bytes.data());
}
template <WireStruct T>
T* MutableView(MutableBytes bytes) {
  return bytes.size() < sizeof(T) ? nullptr : reinterpret_cast<T*>(bytes.data());
}

// A struct as the bytes that travel.
template <WireStruct T>
Bytes AsBytes(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(T)};
}

template <WireStruct T>
MutableBytes AsMutableBytes(T& value) {
  return {reinterpret_cast<uint8_t*>(&value), sizeof(T)};
}

// Writes `value` at the start of `target`, which must hold it, and returns what follows.
template <WireStruct T>
MutableBytes Emit(MutableBytes target, const T& value) {
  CopyBytes(target, AsBytes(value));
  return Drop(target, sizeof(T));
}

}  // namespace usbtwin::wire
