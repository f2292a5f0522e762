#include "base/lease.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;  // NOLINT

namespace {

struct ThreePieces final : Pin {
  ThreePieces() { set_pieces(pieces); }
  void HandleUnpinned() override { ++unpinned; }
  std::array<uint8_t, 6> bytes = "000102030405"_hex;
  std::array<Bytes, 3> pieces{Bytes(bytes).subspan(0, 1), Bytes(bytes).subspan(1, 3),
                              Bytes(bytes).subspan(4, 2)};
  int unpinned = 0;
};

std::vector<uint8_t> Read(const Lease& lease) {
  std::vector<uint8_t> bytes(lease.length());
  lease.CopyTo(bytes);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lease)

BOOST_AUTO_TEST_CASE(slices_of_slices_find_their_bytes_across_pieces) {
  ThreePieces pin;
  const Lease whole(pin, 0, 6);
  const Lease middle = whole.Slice(1, 4).Slice(1, 3);
  BOOST_TEST(Read(middle) == (std::vector<uint8_t>{2, 3, 4}));
  std::vector<uint8_t> part(2);
  whole.CopyTo(part, 3);
  BOOST_TEST(part == (std::vector<uint8_t>{3, 4}));
}

BOOST_AUTO_TEST_CASE(the_owner_hears_of_the_last_lease_only) {
  ThreePieces pin;
  Lease first(pin, 0, 6);
  Lease second = first.Slice(2, 2);
  first.Reset();
  BOOST_TEST(pin.unpinned == 0);
  Lease third = std::move(second);
  BOOST_TEST(second.empty());
  third = Lease();
  BOOST_TEST(pin.unpinned == 1);
}

BOOST_AUTO_TEST_CASE(a_list_joins_leases_and_says_when_it_is_full) {
  ThreePieces pin;
  LeaseList list;
  for (uint32_t index = 0; index < 4; ++index) BOOST_TEST(list.Append(Lease(pin, index, 1)));
  BOOST_TEST(!list.Append(Lease(pin, 5, 1)));
  std::vector<uint8_t> bytes(list.length());
  list.CopyTo(bytes);
  BOOST_TEST(bytes == (std::vector<uint8_t>{0, 1, 2, 3}));
  list.AppendOrCopy(Lease(pin, 4, 2));
  BOOST_TEST(list.leases().size() == 2u);
  bytes.resize(list.length());
  list.CopyTo(bytes);
  BOOST_TEST(bytes == (std::vector<uint8_t>{0, 1, 2, 3, 4, 5}));
  list.Clear();
  BOOST_TEST(pin.unpinned == 1);
}

BOOST_AUTO_TEST_CASE(an_owned_pin_goes_with_its_last_lease) {
  auto [lease, room] = OwnedPin::Make(3);
  CopyBytes(room, "070809"_hex);
  const Lease tail = lease.Slice(1, 2);
  lease.Reset();
  BOOST_TEST(Read(tail) == (std::vector<uint8_t>{8, 9}));
}

BOOST_AUTO_TEST_SUITE_END()
