#include "proto/usbip_session.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/dies.h"
#include "tests/proto/pipe_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::usbip;  // NOLINT
using tests::Dies;
using usb::EndpointAddress;
using usb::IsoPacket;
using usb::Outcome;
using wire::usbip::kHeaderLength;
using wire::usbip::kPacketsMax;

namespace {

constexpr uint32_t kDevice = 0x10002;

int32_t Signed(uint32_t value) {
  return static_cast<int32_t>(value);
}

constexpr auto kControlIn =
    "00000001 00000007 00010002 00000001 00000000"
    "00000200 00000012 00000000 00000000 00000000 8006000100001200"_hex;
constexpr auto kBulkOut =
    "00000001 00000008 00010002 00000000 00000002"
    "00000040 00000200 00000000 ffffffff 00000000 0000000000000000"_hex;
constexpr auto kUnlink =
    "00000002 00000009 00010002 00000000 00000000"
    "00000008 000000000000000000000000000000000000000000000000"_hex;

struct Hostile {
  const char* name;
  size_t offset;      // into kBulkOut, where
  const char* bytes;  // hex, are written
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const Hostile& hostile) {
    return out << hostile.name;
  }
};
constexpr Hostile kCommands[] = {
    {"no command", 0, "00000000", "command 0, where a submit (1) or an unlink (2) belongs"},
    {"reply to a submit", 0, "00000003", "command 3"},
    {"reply to an unlink", 0, "00000004", "command 4"},
    {"little-endian command", 0, "01000000", "command 16777216"},
    {"an import", 0, "01118003", "command 17924099"},
    {"another device", 8, "00010003", "device id 010003h, and the imported one is 010002h"},
    {"no device", 8, "00000000", "device id 00h"},
    {"third direction", 12, "00000002", "direction 2 of a submit"},
    {"direction as an address has it", 12, "00000080", "direction 128"},
    {"endpoint 16", 16, "00000010", "endpoint 16: the last one is 15"},
    {"endpoint as an address", 16, "00000081", "endpoint 129"},
    {"length beyond the sign", 24, "80000000", "a transfer of 2147483648 bytes"},
    {"length of minus one", 24, "ffffffff", "a transfer of 4294967295 bytes"},
};

Submit ParsedSubmit(Bytes header) {
  return std::get<Submit>(ParseCommand(header, kDevice).value());
}

template <size_t kSize>
std::array<uint8_t, kSize> With(std::array<uint8_t, kSize> bytes, size_t offset, const char* hex) {
  CopyBytes(MutableBytes(bytes).subspan(offset), ParseHex(hex).value());
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_session)

// --- status numbers ---

BOOST_AUTO_TEST_CASE(each_way_to_end_comes_back_as_it_was) {
  for (Outcome outcome : {Outcome::kOk, Outcome::kStall, Outcome::kCancelled, Outcome::kTimedOut,
                          Outcome::kOverflow, Outcome::kDisconnected, Outcome::kFault}) {
    BOOST_TEST((OutcomeOf(StatusOf(outcome)) == outcome), usb::Name(outcome));
  }
}

BOOST_AUTO_TEST_CASE(status_numbers_are_those_of_linux) {
  struct Row {
    int32_t status;
    Outcome outcome;
  };
  for (const Row& row : {Row{0, Outcome::kOk},
                         {-2, Outcome::kCancelled},  // ENOENT
                         {-18, Outcome::kFault},     // EXDEV
                         {-19, Outcome::kDisconnected},
                         {-32, Outcome::kStall},
                         {-62, Outcome::kTimedOut},  // ETIME
                         {-63, Outcome::kFault},
                         {-70, Outcome::kFault},
                         {-71, Outcome::kFault},  // EPROTO
                         {-75, Outcome::kOverflow},
                         {-84, Outcome::kFault},       // EILSEQ
                         {-104, Outcome::kCancelled},  // ECONNRESET
                         {-108, Outcome::kDisconnected},
                         {-110, Outcome::kTimedOut},
                         {-115, Outcome::kFault},  // EINPROGRESS is no end
                         {-121, Outcome::kFault},  // EREMOTEIO
                         {1, Outcome::kFault},
                         {INT32_MAX, Outcome::kFault},
                         {INT32_MIN, Outcome::kFault}}) {
    BOOST_TEST((OutcomeOf(static_cast<uint32_t>(row.status)) == row.outcome), row.status);
  }
  BOOST_TEST(Signed(StatusOf(Outcome::kStall)) == -32);
  BOOST_TEST(Signed(StatusOf(Outcome::kCancelled)) == -104);
  BOOST_TEST(Signed(StatusOf(Outcome::kPending)) == -115);
  BOOST_TEST(Signed(StatusOf(Outcome::kNotFound)) == -32);
  BOOST_TEST(Signed(StatusOf(Outcome::kUnsupported)) == -32);
}

// --- framing ---

// Messages of all shapes, read in pieces of every length: the parts follow one another as they
// would in one piece, and nothing is asked for twice.
BOOST_AUTO_TEST_CASE(messages_come_in_any_pieces) {
  struct Shape {
    uint32_t data_length;
    uint32_t packets_count;
  };
  constexpr std::array<Shape, 5> kShapes{{{0, 0}, {5, 0}, {0, 2}, {7, 1}, {1, 3}}};
  for (const Shape& first : kShapes) {
    for (const Shape& second : kShapes) {
      for (uint32_t piece = 1; piece <= 49; ++piece) {
        Framing framing;
        for (const Shape& shape : {first, second}) {
          BOOST_REQUIRE((framing.part() == Framing::Part::kHeader));
          BOOST_REQUIRE(framing.left() == 48u);
          framing.HandleHeader(shape.data_length, shape.packets_count);
          uint32_t data = 0;
          uint32_t packets = 0;
          while (framing.part() != Framing::Part::kHeader) {
            const uint32_t length = std::min(piece, framing.left());
            BOOST_REQUIRE(length != 0u);
            if (framing.part() == Framing::Part::kData) BOOST_REQUIRE(packets == 0u);
            (framing.part() == Framing::Part::kData ? data : packets) += length;
            framing.HandleMoved(length);
          }
          BOOST_REQUIRE(data == shape.data_length);
          BOOST_REQUIRE(packets == shape.packets_count * 16);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_longest_message) {
  Framing framing;
  framing.HandleHeader(kLengthMax, kPacketsMax);
  BOOST_TEST(framing.left() == kLengthMax);
  framing.HandleMoved(kLengthMax);
  BOOST_TEST((framing.part() == Framing::Part::kPackets));
  BOOST_TEST(framing.left() == 16384u);
  framing.HandleMoved(16384);
  BOOST_TEST((framing.part() == Framing::Part::kHeader));
}

BOOST_AUTO_TEST_CASE(more_than_a_message_holds_is_a_bug) {
  BOOST_TEST(Dies([] { Framing().HandleMoved(1); }));
  BOOST_TEST(Dies([] { Framing().HandleHeader(0, kPacketsMax + 1); }));
  BOOST_TEST(Dies([] {
    Framing framing;
    framing.HandleHeader(4, 0);
    framing.HandleMoved(5);
  }));
  BOOST_TEST(Dies([] {
    Framing framing;
    framing.HandleHeader(4, 0);
    framing.HandleHeader(4, 0);
  }));
}

// --- commands ---

BOOST_AUTO_TEST_CASE(a_control_submit) {
  const Submit submit = ParsedSubmit(kControlIn);
  BOOST_TEST(submit.sequence == 7u);
  BOOST_TEST(submit.endpoint.value == 0);
  BOOST_TEST(submit.in);
  BOOST_TEST((submit.flags == usb::TransferFlags{}));
  BOOST_TEST(submit.length == 18u);
  BOOST_TEST(Hex(wire::AsBytes(submit.setup), 0) == "8006000100001200");
  BOOST_TEST(IsSound(submit));
}

BOOST_AUTO_TEST_CASE(a_bulk_submit) {
  const Submit out = ParsedSubmit(kBulkOut);
  BOOST_TEST(out.endpoint.value == 0x02);
  BOOST_TEST(!out.in);
  BOOST_TEST(out.flags.zero_packet);
  BOOST_TEST(out.length == 512u);
  BOOST_TEST(out.packets_count == 0xffffffffu);  // means nothing here

  const Submit in = ParsedSubmit(With(kBulkOut, 12, "00000001 0000000f"));
  BOOST_TEST(in.endpoint.value == 0x8f);
  BOOST_TEST(in.in);
  BOOST_TEST(ParsedSubmit(With(kBulkOut, 24, "7fffffff")).length == kLengthMax);
}

// Flag bits that a kernel sets for itself, and the one that repeats the direction, mean nothing.
BOOST_AUTO_TEST_CASE(flags) {
  BOOST_TEST((ParsedSubmit(With(kBulkOut, 20, "ffffffbc")).flags == usb::TransferFlags{}));
  const usb::TransferFlags all{.zero_packet = true, .short_not_ok = true, .iso_asap = true};
  BOOST_TEST((ParsedSubmit(With(kBulkOut, 20, "00000043")).flags == all));
  BOOST_TEST(!ParsedSubmit(With(kBulkOut, 20, "00000200")).in);
}

BOOST_AUTO_TEST_CASE(an_unlink) {
  const auto unlink = std::get<Unlink>(ParseCommand(kUnlink, kDevice).value());
  BOOST_TEST(unlink.sequence == 9u);
  BOOST_TEST(unlink.victim == 8u);
  // Only a submit has a direction and an endpoint that mean something.
  BOOST_TEST(ParseCommand(With(kUnlink, 12, "ffffffff ffffffff"), kDevice).has_value());
  BOOST_TEST(!ParseCommand(With(kUnlink, 8, "00000000"), kDevice).has_value());
}

BOOST_DATA_TEST_CASE(commands_that_break_the_rules, boost::unit_test::data::make(kCommands)) {
  const Result<Command> parsed = ParseCommand(With(kBulkOut, sample.offset, sample.bytes), kDevice);
  BOOST_REQUIRE(!parsed.has_value());
  BOOST_TEST((parsed.error().kind == ErrorKind::kProtocol));
  const std::string text = parsed.error().Describe();
  BOOST_TEST((text.find(sample.says) != std::string::npos), text);
}

BOOST_AUTO_TEST_CASE(control_transfers_whose_fields_contradict_each_other) {
  const auto sound = [](size_t offset, const char* bytes) {
    return IsSound(ParsedSubmit(With(kControlIn, offset, bytes)));
  };
  BOOST_TEST(!sound(24, "00000013"));          // more room than the setup packet asks for
  BOOST_TEST(!sound(24, "00000000"));          // none
  BOOST_TEST(!sound(12, "00000000"));          // out, where the setup packet says in
  BOOST_TEST(!sound(40, "0009000000001200"));  // and the other way
  const auto empty = With(kControlIn, 24, "00000000");
  for (const char* direction : {"00000000", "00000001"}) {
    const auto wire = With(With(empty, 12, direction), 40, "0009010000000000");
    BOOST_TEST(IsSound(ParsedSubmit(wire)));
  }
}

// --- replies ---

BOOST_AUTO_TEST_CASE(a_reply_tells_what_came_of_the_transfer) {
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::In(1);
  transfer.in_length_max = 512;
  transfer.length_actual = 100;
  transfer.outcome = Outcome::kOk;
  BOOST_TEST(Hex(wire::AsBytes(MakeReply(5, transfer)), 0) ==
             "00000003000000050000000000000000000000000000000000000064"
             "0000000000000000000000000000000000000000");

  transfer.outcome = Outcome::kStall;
  BOOST_TEST(Signed(MakeReply(5, transfer).status) == -32);
  transfer.outcome = Outcome::kCancelled;  // and nobody unlinked it: ESHUTDOWN
  BOOST_TEST(Signed(MakeReply(5, transfer).status) == -108);
}

// In process such a transfer ends as a fault. A link that was not told ends it as ok; a USB/IP peer
// sees the same number either way, and takes it for the same fault.
BOOST_AUTO_TEST_CASE(short_where_that_is_not_ok_is_a_fault_at_both_ends) {
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::In(1);
  transfer.in_length_max = 512;
  transfer.length_actual = 100;
  transfer.flags.short_not_ok = true;
  for (Outcome outcome : {Outcome::kOk, Outcome::kFault}) {
    transfer.outcome = outcome;
    const uint32_t status = MakeReply(5, transfer).status;
    BOOST_TEST(Signed(status) == -121);
    BOOST_TEST((OutcomeOf(status) == Outcome::kFault));
  }
  transfer.outcome = Outcome::kStall;  // nothing hides a stall
  BOOST_TEST(Signed(MakeReply(5, transfer).status) == -32);
  transfer.outcome = Outcome::kFault;
  transfer.length_actual = 512;  // all came, and yet the bus failed
  BOOST_TEST(Signed(MakeReply(5, transfer).status) == -71);
  transfer.length_actual = 100;
  transfer.flags.short_not_ok = false;
  BOOST_TEST(Signed(MakeReply(5, transfer).status) == -71);
}

// One transfer on a pipe in process, told as its end tells it, and heard at the other end.
BOOST_AUTO_TEST_CASE(a_transfer_ends_over_the_wire_as_it_ends_in_process) {
  using namespace tests::pipes;  // NOLINT
  struct Row {
    const char* name;
    size_t length_device;
    bool short_not_ok;
    bool halted;
    Outcome outcome;
    int32_t status;
  };
  for (const Row& row : {Row{"all of it", 128, true, false, Outcome::kOk, 0},
                         Row{"short", 10, false, false, Outcome::kOk, 0},
                         Row{"short where that is not ok", 10, true, false, Outcome::kFault, -121},
                         Row{"nothing where that is not ok", 0, true, false, Outcome::kFault, -121},
                         Row{"too much", 200, true, false, Outcome::kOverflow, -75},
                         Row{"halted", 10, true, true, Outcome::kStall, -32}}) {
    BOOST_TEST_CONTEXT(row.name) {
      InFixture rig;
      HostIn host(rig, 130);
      host.transfer.flags.short_not_ok = row.short_not_ok;
      if (row.length_device == 128) host.transfer.in_length_max = 128;
      DeviceIn device(rig, Count(row.length_device));
      rig.pipe.SetHalt(row.halted);
      rig.pipe.Submit(host.transfer);
      rig.pipe.Queue(device.request);
      rig.clock.RunPosted();
      BOOST_TEST((host.transfer.outcome == row.outcome));

      ClientSession session(kDevice);
      const auto slot = session.Begin({.endpoint = host.transfer.endpoint,
                                       .in = true,
                                       .short_not_ok = row.short_not_ok,
                                       .length = host.transfer.in_length_max});
      const auto submit = session.MakeSubmit(slot.value(), host.transfer, 0);
      const auto wire = MakeReply(submit.basic.sequence, host.transfer);
      BOOST_TEST(Signed(wire.status) == row.status);
      const auto reply = session.HandleReply(wire::AsBytes(wire)).value();
      BOOST_TEST((reply.outcome == host.transfer.outcome));
      BOOST_TEST(reply.length_actual == host.transfer.length_actual);
      rig.Close();
    }
  }
}

BOOST_AUTO_TEST_CASE(refusals_and_replies_to_unlinks) {
  BOOST_TEST(Hex(wire::AsBytes(MakeRefusal(6, kStatusInvalid)), 0) ==
             "0000000300000006000000000000000000000000ffffffea00000000"
             "0000000000000000000000000000000000000000");
  BOOST_TEST(Hex(wire::AsBytes(MakeUnlinkReply(9, StatusOf(Outcome::kCancelled))), 0) ==
             "0000000400000009000000000000000000000000ffffff9800000000"
             "0000000000000000000000000000000000000000");
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_has_no_reply_of_its_own) {
  const Ending cancelled = EndingOf(Outcome::kCancelled);
  BOOST_TEST(!cancelled.submit_reply);
  BOOST_TEST(Signed(cancelled.unlink_status) == -104);
  for (Outcome outcome : {Outcome::kOk, Outcome::kStall, Outcome::kFault, Outcome::kDisconnected}) {
    const Ending ended = EndingOf(outcome);
    BOOST_TEST(ended.submit_reply);
    BOOST_TEST(ended.unlink_status == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
