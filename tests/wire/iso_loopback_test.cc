#include "wire/iso_loopback.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;                      // NOLINT
using namespace usbtwin::wire;                // NOLINT
using namespace usbtwin::wire::iso_loopback;  // NOLINT

BOOST_AUTO_TEST_SUITE(iso_loopback_layouts)

BOOST_AUTO_TEST_CASE(packet_header) {
  CheckLayout(PacketHeader{.magic = kDeviceMagic, .sequence = 0x01020304u, .frame = 5u},
              "69736364 04030201 05000000"_hex);  // "iscd"
  CheckLayout(PacketHeader{.magic = kHostMagic, .sequence = 1u, .frame = 0u},
              "69736368 01000000 00000000"_hex);  // "isch"
}

BOOST_AUTO_TEST_CASE(counters) {
  CheckLayout(Counters{.out_packets = 1u,
                       .out_lost = 2u,
                       .out_late = 3u,
                       .out_overflows = 4u,
                       .echoes_dropped = 5u,
                       .in_echoes = 6u,
                       .in_made = 7u,
                       .in_overflows = 8u},
              "01000000 02000000 03000000 04000000 05000000 06000000 07000000 08000000"_hex);
}

BOOST_AUTO_TEST_SUITE_END()
