// The isochronous packets of USB/IP: which are refused, and where the data of the others goes.
#include <boost/test/unit_test.hpp>

#include "proto/usbip_session.h"
#include "tests/dies.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::usbip;  // NOLINT
using tests::Dies;
using usb::IsoPacket;
using usb::Outcome;

namespace {

std::string Bytes16(std::span<const IsoPacket> packets) {
  std::vector<uint8_t> raw(packets.size() * 16, 0xa5);
  EmitPackets(packets, raw);
  return Hex(raw, 0);
}

// The descriptors of a reply, as its sender writes them.
std::vector<uint8_t> Reply(std::span<const IsoPacket> packets) {
  std::vector<uint8_t> raw(packets.size() * 16, 0xa5);
  EmitPackets(packets, raw);
  return raw;
}

void CheckBroken(const Result<void>& parsed, const char* says) {
  BOOST_REQUIRE(!parsed.has_value());
  BOOST_TEST((parsed.error().kind == ErrorKind::kProtocol));
  const std::string text = parsed.error().Describe();
  BOOST_TEST((text.find(says) != std::string::npos), text);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_iso)

BOOST_AUTO_TEST_CASE(packets_are_parsed_as_asked_for) {
  constexpr auto kRaw =
      "00000000 000000c0 00000000 00000000"
      "00000400 000000c0 ffffffff ffffffee"_hex;  // what it says of the past means nothing
  std::array<IsoPacket, 2> packets;
  BOOST_TEST(ParsePackets(kRaw, 0x4c0, packets).has_value());
  BOOST_TEST(packets[1].offset == 0x400u);
  BOOST_TEST(packets[1].length == 192u);
  BOOST_TEST(packets[1].length_actual == 0u);
  BOOST_TEST((packets[1].outcome == Outcome::kPending));
  BOOST_TEST(ParsePackets({}, 0, {}).has_value());
}

// Each would be answered with its own bytes: a small transfer asked for a large reply.
BOOST_AUTO_TEST_CASE(packets_on_top_of_one_another_are_refused) {
  constexpr auto kRaw =
      "00000000 00000010 00000000 00000000"
      "00000000 00000011 00000000 00000000"_hex;
  std::array<IsoPacket, 2> packets;
  BOOST_TEST(ParsePackets(kRaw, 33, packets).has_value());
  CheckBroken(ParsePackets(kRaw, 32, packets), "33 bytes in 32");
}

BOOST_AUTO_TEST_CASE(a_packet_outside_the_buffer_is_refused) {
  std::array<IsoPacket, 1> packet;
  const auto parse = [&](const char* raw, uint32_t length) {
    return ParsePackets(ParseHex(raw).value(), length, packet);
  };
  BOOST_TEST(parse("00000010 00000010 00000000 00000000", 32).has_value());
  BOOST_TEST(parse("00000020 00000000 00000000 00000000", 32).has_value());
  CheckBroken(parse("00000010 00000011 00000000 00000000", 32), "17 bytes at offset 16 of 32");
  CheckBroken(parse("00000021 00000000 00000000 00000000", 32), "0 bytes at offset 33 of 32");
  CheckBroken(parse("ffffffff 00000001 00000000 00000000", 32), "at offset 4294967295");
  CheckBroken(parse("00000001 ffffffff 00000000 00000000", 32), "4294967295 bytes at offset 1");
}

// A packet nobody has moved says EXDEV, as Linux's own do, and not that all went well.
BOOST_AUTO_TEST_CASE(packets_are_written_with_what_came_of_them) {
  const std::array<IsoPacket, 3> packets{{
      {.offset = 0, .length = 16, .length_actual = 16, .outcome = Outcome::kOk},
      {.offset = 16, .length = 16, .length_actual = 3, .outcome = Outcome::kOverflow},
      {.offset = 32, .length = 16, .length_actual = 0, .outcome = Outcome::kPending},
  }};
  BOOST_TEST(Bytes16(packets) ==
             "00000000000000100000001000000000"
             "000000100000001000000003ffffffb5"
             "000000200000001000000000ffffffee");
}

BOOST_AUTO_TEST_CASE(data_goes_to_where_its_packets_belong) {
  std::array<IsoPacket, 4> packets{{{.offset = 0, .length = 4},
                                    {.offset = 4, .length = 4},
                                    {.offset = 8, .length = 4},
                                    {.offset = 14, .length = 2}}};
  std::array<IsoPacket, 4> came = packets;
  constexpr std::array<uint32_t, 4> kLengths{2, 0, 4, 1};
  for (size_t index = 0; index < came.size(); ++index) {
    came[index].length_actual = kLengths[index];
    came[index].outcome = index == 1 ? Outcome::kFault : Outcome::kOk;
  }
  auto data = "0102 03040506 07 a5a5a5a5a5a5a5a5a5"_hex;
  BOOST_TEST(ParseReplyPackets(Reply(came), 7, data, packets).has_value());
  BOOST_TEST(Hex(Take(Bytes(data), 2)) == "01 02");
  BOOST_TEST(Hex(Bytes(data).subspan(8, 4)) == "03 04 05 06");
  BOOST_TEST(data[14] == 7);
  BOOST_TEST((packets[1].outcome == Outcome::kFault));
  BOOST_TEST(packets[2].length_actual == 4u);
}

// The later packet lies first in the buffer: moving the data in place would have overwritten what
// belongs to the earlier one.
BOOST_AUTO_TEST_CASE(packets_may_lie_in_the_buffer_in_any_order) {
  std::array<IsoPacket, 3> packets{
      {{.offset = 8, .length = 4}, {.offset = 0, .length = 4}, {.offset = 4, .length = 4}}};
  std::array<IsoPacket, 3> came = packets;
  for (IsoPacket& packet : came) {
    packet.length_actual = packet.length;
    packet.outcome = Outcome::kOk;
  }
  auto data = "01020304 11121314 21222324"_hex;
  BOOST_TEST(ParseReplyPackets(Reply(came), 12, data, packets).has_value());
  BOOST_TEST(Hex(data, 0) == "111213142122232401020304");
}

BOOST_AUTO_TEST_CASE(packets_that_overlap_hold_what_came_last) {
  std::array<IsoPacket, 2> packets{{{.offset = 0, .length = 4}, {.offset = 2, .length = 4}}};
  std::array<IsoPacket, 2> came = packets;
  for (IsoPacket& packet : came) packet.length_actual = 3;
  auto data = "010203 111213"_hex;
  BOOST_TEST(ParseReplyPackets(Reply(came), 6, data, packets).has_value());
  BOOST_TEST(Hex(Take(Bytes(data), 5), 0) == "0102111213");
}

BOOST_AUTO_TEST_CASE(the_reply_to_an_out_transfer_has_no_data) {
  std::array<IsoPacket, 1> packets{{{.offset = 0, .length = 4}}};
  std::array<IsoPacket, 1> came = packets;
  came[0].length_actual = 4;
  came[0].outcome = Outcome::kOk;
  BOOST_TEST(ParseReplyPackets(Reply(came), 4, {}, packets).has_value());
  BOOST_TEST(packets[0].length_actual == 4u);
  BOOST_TEST((packets[0].outcome == Outcome::kOk));
}

BOOST_AUTO_TEST_CASE(replies_whose_sums_do_not_match_are_refused) {
  std::array<IsoPacket, 2> packets{{{.offset = 0, .length = 4}, {.offset = 4, .length = 4}}};
  std::array<IsoPacket, 2> came = packets;
  came[0].length_actual = 3;
  std::array<uint8_t, 8> data{};
  for (uint32_t length : {0u, 2u, 4u, 8u}) {
    CheckBroken(ParseReplyPackets(Reply(came), length, data, packets),
                ("3 bytes in a reply of " + std::to_string(length)).c_str());
  }
  came[1].length_actual = 5;
  CheckBroken(ParseReplyPackets(Reply(came), 8, data, packets), "packet of 4 bytes came with 5");
  came[1].length_actual = UINT32_MAX;  // a sum that would wrap
  CheckBroken(ParseReplyPackets(Reply(came), 2, data, packets), "packet of 4 bytes came with");
}

BOOST_AUTO_TEST_CASE(room_for_other_packets_is_a_bug) {
  std::array<IsoPacket, 2> packets;
  std::array<uint8_t, 16> raw{};
  BOOST_TEST(Dies([&] { EmitPackets(packets, raw); }));
  BOOST_TEST(Dies([&] { static_cast<void>(ParsePackets(raw, 0, packets)); }));
  BOOST_TEST(Dies([&] { static_cast<void>(ParseReplyPackets(raw, 0, {}, packets)); }));
}

BOOST_AUTO_TEST_SUITE_END()
