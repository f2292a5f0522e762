// What must hold of every layout, whatever its fields: the struct built from meanings is the
// literal bytes, emitting it writes those and nothing else, and the bytes read back as the struct.
#pragma once

#include <boost/test/unit_test.hpp>

#include "wire/endian.h"

namespace usbtwin::wire {

template <WireStruct T, size_t kLength>
void CheckLayout(const T& value, const std::array<uint8_t, kLength>& bytes) {
  static_assert(kLength == sizeof(T));
  // Construct.
  BOOST_TEST(Hex(AsBytes(value)) == Hex(bytes));
  // Emit.
  std::array<uint8_t, kLength + 2> target;
  target.fill(0xa5);
  const MutableBytes rest = Emit(target, value);
  BOOST_TEST(Hex(Take(Bytes(target), kLength)) == Hex(bytes));
  BOOST_TEST(Hex(rest) == "a5 a5");
  // Parse.
  const T* parsed = View<T>(target);
  BOOST_REQUIRE(parsed != nullptr);
  BOOST_TEST(SameBytes(AsBytes(*parsed), bytes));
  for (size_t length = 0; length < kLength; ++length) {
    BOOST_TEST(View<T>(Take(Bytes(bytes), length)) == nullptr);
    BOOST_TEST(MutableView<T>(Take(MutableBytes(target), length)) == nullptr);
  }
  // Round trip.
  T again;
  BOOST_REQUIRE(MutableView<T>(target) != nullptr);
  again = *MutableView<T>(target);
  BOOST_TEST(Hex(AsBytes(again)) == Hex(bytes));
}

// The struct the literal bytes are.
template <WireStruct T, size_t kLength>
const T& Read(const std::array<uint8_t, kLength>& bytes) {
  static_assert(kLength == sizeof(T));
  return *View<T>(bytes);
}

}  // namespace usbtwin::wire
