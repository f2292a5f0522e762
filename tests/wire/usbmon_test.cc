#include "wire/usbmon.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::wire;  // NOLINT

BOOST_AUTO_TEST_SUITE(usbmon_layouts)

BOOST_AUTO_TEST_CASE(record) {
  constexpr auto kBytes =
      "0807060504030201 53 02 80 05 0102 00 3c"  // id, 'S', control, endpoint 80, device 5, bus
                                                 // 201h
      "0100000000000000 40420f00 8dffffff"       // 1 s and 1000000 us, status -115
      "12000000 00000000 8006000100001200"       // 18 bytes asked for, none captured, setup packet
      "01000000 02000000 00020000 03000000"_hex;
  const auto& read = Read<usbmon::Record>(kBytes);
  BOOST_TEST(read.id == 0x0102030405060708u);
  BOOST_TEST(read.event == 'S');
  BOOST_TEST(read.transfer_type == static_cast<uint8_t>(usbmon::TransferType::kControl));
  BOOST_TEST(read.endpoint == usbmon::kDirectionIn);
  BOOST_TEST(read.device == 5);
  BOOST_TEST(read.bus == 0x0201);
  BOOST_TEST(read.setup_flag == usbmon::kSetupPresent);
  BOOST_TEST(read.data_flag == usbmon::kDataNotYetIn);
  BOOST_TEST(read.seconds == 1u);
  BOOST_TEST(read.microseconds == 1'000'000u);
  BOOST_TEST(static_cast<int32_t>(uint32_t{read.status}) == usbmon::kStatusInProgress);
  BOOST_TEST(read.length == 18u);
  BOOST_TEST(read.length_captured == 0u);
  BOOST_TEST(Hex(read.setup, 0) == "8006000100001200");
  BOOST_TEST(read.interval == 1u);
  BOOST_TEST(read.start_frame == 2u);
  BOOST_TEST(read.transfer_flags == usbmon::kFlagDirectionIn);
  BOOST_TEST(read.packets_count == 3u);
  CheckLayout(usbmon::Record{.id = uint64_t{0x0102030405060708},
                             .event = 'S',
                             .transfer_type = 2,
                             .endpoint = 0x80,
                             .device = 5,
                             .bus = uint16_t{0x0201},
                             .setup_flag = usbmon::kSetupPresent,
                             .data_flag = usbmon::kDataNotYetIn,
                             .seconds = uint64_t{1},
                             .microseconds = 1'000'000u,
                             .status = static_cast<uint32_t>(usbmon::kStatusInProgress),
                             .length = 18u,
                             .length_captured = 0u,
                             .setup = "8006000100001200"_hex,
                             .interval = 1u,
                             .start_frame = 2u,
                             .transfer_flags = usbmon::kFlagDirectionIn,
                             .packets_count = 3u},
              kBytes);
}

BOOST_AUTO_TEST_CASE(isochronous_parts) {
  constexpr auto kCounts = "01000000 08000000"_hex;
  BOOST_TEST(Read<usbmon::IsoCounts>(kCounts).errors == 1u);
  BOOST_TEST(Read<usbmon::IsoCounts>(kCounts).packets == 8u);
  CheckLayout(usbmon::IsoCounts{.errors = 1u, .packets = 8u}, kCounts);

  constexpr auto kPacket = "eeffffff 00020000 c0000000 00000000"_hex;
  const auto& read = Read<usbmon::IsoDescriptor>(kPacket);
  BOOST_TEST(static_cast<int32_t>(uint32_t{read.status}) == usbmon::kStatusTransfer);
  BOOST_TEST(read.offset == 512u);
  BOOST_TEST(read.length == 192u);
  CheckLayout(usbmon::IsoDescriptor{.status = static_cast<uint32_t>(usbmon::kStatusTransfer),
                                    .offset = 512u,
                                    .length = 192u,
                                    .padding = 0u},
              kPacket);
}

BOOST_AUTO_TEST_SUITE_END()
