#include "wire/endian.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::wire;  // NOLINT

namespace {

struct Mixed {
  uint8_t first;
  Le32 little;
  Be24 middle;
  Be64 big;
};
static_assert(WireStruct<Mixed> && sizeof(Mixed) == 16);

struct Padded {
  uint8_t first;
  uint32_t second;
};
static_assert(!WireStruct<Padded>, "a struct with padding must not pass");
static_assert(!WireStruct<uint16_t>, "an aligned integer must not pass");

// The same at compile time as at run time.
template <class Field, class Value>
constexpr bool RoundTrips(Value value) {
  return Field(value) == value;
}
static_assert(RoundTrips<Le16>(uint16_t{0x1234}));
static_assert(RoundTrips<Le32>(uint32_t{0x12345678}));
static_assert(RoundTrips<Le64>(uint64_t{0x123456789abcdef0}));
static_assert(RoundTrips<Be16>(uint16_t{0x1234}));
static_assert(RoundTrips<Be24>(uint32_t{0x123456}));
static_assert(RoundTrips<Be32>(uint32_t{0x12345678}));
static_assert(RoundTrips<Be64>(uint64_t{0x123456789abcdef0}));
static_assert(Be24(0x89123456u) == 0x123456u, "bits that do not fit are dropped");
static_assert(alignof(Le64) == 1 && sizeof(Be24) == 3);

}  // namespace

BOOST_AUTO_TEST_SUITE(endian)

BOOST_AUTO_TEST_CASE(little_endian_puts_the_low_byte_first) {
  CheckLayout(Le16(uint16_t{0x1234}), "34 12"_hex);
  CheckLayout(Le32(0x12345678u), "78 56 34 12"_hex);
  CheckLayout(Le64(uint64_t{0x0102030405060708}), "08 07 06 05 04 03 02 01"_hex);
}

BOOST_AUTO_TEST_CASE(big_endian_puts_the_high_byte_first) {
  CheckLayout(Be16(uint16_t{0x1234}), "12 34"_hex);
  CheckLayout(Be24(0x123456u), "12 34 56"_hex);
  CheckLayout(Be32(0x12345678u), "12 34 56 78"_hex);
  CheckLayout(Be64(uint64_t{0x0102030405060708}), "01 02 03 04 05 06 07 08"_hex);
}

BOOST_AUTO_TEST_CASE(extremes_survive) {
  BOOST_TEST(Le16(uint16_t{0xffff}) == 0xffff);
  BOOST_TEST(Be24(0xffffffu) == 0xffffffu);
  BOOST_TEST(Le64(UINT64_MAX) == UINT64_MAX);
  BOOST_TEST(Be32(0u) == 0u);
}

BOOST_AUTO_TEST_CASE(a_struct_of_them_lies_over_unaligned_bytes) {
  constexpr auto kBytes = "01 78563412 123456 0102030405060708"_hex;
  CheckLayout(Mixed{.first = 1,
                    .little = 0x12345678u,
                    .middle = 0x123456u,
                    .big = uint64_t{0x0102030405060708}},
              kBytes);
  std::vector<uint8_t> shifted{0xa5};
  shifted.insert(shifted.end(), kBytes.begin(), kBytes.end());
  const auto* mixed = View<Mixed>(Drop(Bytes(shifted), 1));
  BOOST_REQUIRE(mixed != nullptr);
  BOOST_TEST(mixed->little == 0x12345678u);
  BOOST_TEST(mixed->middle == 0x123456u);
  BOOST_TEST(mixed->big == 0x0102030405060708u);
}

BOOST_AUTO_TEST_CASE(a_field_is_written_in_place) {
  std::array<uint8_t, 16> bytes;
  bytes.fill(0xa5);
  MutableView<Mixed>(bytes)->middle = 0x010203u;
  BOOST_TEST(Hex(bytes) == "a5 a5 a5 a5 a5 01 02 03 a5 a5 a5 a5 a5 a5 a5 a5");
}

BOOST_AUTO_TEST_SUITE_END()
