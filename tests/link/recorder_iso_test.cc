#include "link/recorder.h"

#include <boost/test/unit_test.hpp>

#include "tests/link/recorder_stack.h"

using namespace usbtwin;                    // NOLINT
using namespace usbtwin::tests;             // NOLINT
using namespace usbtwin::tests::recording;  // NOLINT
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(recorder_iso)

BOOST_AUTO_TEST_CASE(isochronous_in_keeps_each_packet_in_its_place) {
  RecorderStack stack;
  stack.Learn(kConfiguration);
  std::array<uint8_t, 12> in;
  in.fill(0xa5);
  std::array<usb::IsoPacket, 3> iso{{{0, 4}, {4, 4}, {8, 4}}};
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::In(3);
  transfer.in = in;
  transfer.in_length_max = 12;
  transfer.packets = iso;
  transfer.start_frame = 9;
  transfer.flags.iso_asap = true;

  stack.Submit(transfer);
  CopyBytes(in, "01020304 a5a5a5a5 0506"_hex);
  iso[0].length_actual = 4;
  iso[0].outcome = Outcome::kOk;
  iso[1].outcome = Outcome::kFault;
  iso[2].length_actual = 2;
  iso[2].outcome = Outcome::kOk;
  transfer.error_count = 1;
  stack.link.Finish(transfer, Outcome::kOk, 6);
  stack.clock.RunPosted();

  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 4u);
  const Packet& submit = packets[2];
  BOOST_TEST(submit.record.transfer_type == 0);
  BOOST_TEST(submit.record.packets_count == 3u);
  BOOST_TEST(submit.record.start_frame == 9u);
  BOOST_TEST(submit.record.transfer_flags == 0x202u);
  BOOST_TEST(Hex(submit.record.setup, 0) == "0000000003000000");
  BOOST_TEST(Hex(submit.data, 0) ==
             "eeffffff000000000400000000000000"
             "eeffffff040000000400000000000000"
             "eeffffff080000000400000000000000");
  const Packet& done = packets[3];
  BOOST_TEST(Hex(done.record.setup, 0) == "0100000003000000");
  BOOST_TEST(done.record.length == 6u);
  BOOST_TEST(Hex(done.data, 0) ==
             "00000000000000000400000000000000"
             "b9ffffff040000000000000000000000"
             "00000000080000000200000000000000"
             "01020304a5a5a5a50506");
}

BOOST_AUTO_TEST_CASE(isochronous_out_has_its_data_in_the_submission) {
  RecorderStack stack;
  stack.Learn(kConfiguration);
  constexpr auto kOut = "01020304"_hex;
  std::array<usb::IsoPacket, 1> iso{{{0, 4}}};
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::Out(3);
  transfer.out = kOut;
  transfer.packets = iso;
  stack.Submit(transfer);
  iso[0].length_actual = 4;
  iso[0].outcome = Outcome::kOk;
  stack.link.Finish(transfer, Outcome::kOk, 4);
  stack.clock.RunPosted();

  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 4u);
  BOOST_TEST(packets[2].record.interval == 8u);  // microframes, bInterval 4
  BOOST_TEST(Hex(packets[2].data, 0) == "eeffffff00000000040000000000000001020304");
  BOOST_TEST(Hex(packets[3].data, 0) == "00000000000000000400000000000000");

  // Submitted again, a packet has not moved yet, whatever it says of the last time.
  transfer.Rearm();
  stack.Submit(transfer);
  stack.link.Finish(transfer, Outcome::kOk, 4);
  stack.clock.RunPosted();
  BOOST_TEST(Hex(stack.packets()[4].data, 0) == "eeffffff00000000040000000000000001020304");
}

BOOST_AUTO_TEST_SUITE_END()
