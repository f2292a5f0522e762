// The table of transfers at the end that wants the device.
#include <boost/test/unit_test.hpp>
#include <map>

#include "proto/usbip_session.h"
#include "tests/dies.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::usbip;  // NOLINT
using tests::Dies;
using usb::EndpointAddress;
using usb::Outcome;
using Session = ClientSession;
using Slot = ClientSession::Slot;

namespace {

constexpr uint32_t kDevice = 0x10002;
constexpr uint32_t kReset = static_cast<uint32_t>(-104);
constexpr Session::Request kBulkIn{.endpoint = EndpointAddress::In(1), .in = true, .length = 512};
constexpr Session::Request kBulkOut{.endpoint = EndpointAddress::Out(2), .length = 512};
constexpr Session::Request kIsoIn{
    .endpoint = EndpointAddress::In(3), .in = true, .length = 64, .packets_count = 4};

// What a server answers: the reply to the transfer, its length, and its packets.
struct Answer {
  uint32_t length = 0;
  uint32_t status = 0;
  uint32_t packets_count = 0;
  uint32_t error_count = 0;
};

// As whoever has nothing left to do for a slot after its last reply.
Result<Session::Reply> Feed(Session& session, Bytes header) {
  const Result<Session::Reply> reply = session.HandleReply(header);
  if (reply && reply->last) session.Free(reply->slot);
  return reply;
}

Result<Session::Reply> Handle(Session& session, uint32_t sequence, const Answer& answer) {
  wire::usbip::SubmitReply reply = MakeRefusal(sequence, answer.status);
  reply.length_actual = answer.length;
  reply.packets_count = answer.packets_count;
  reply.error_count = answer.error_count;
  return Feed(session, wire::AsBytes(reply));
}

Result<Session::Reply> HandleUnlinked(Session& session, uint32_t sequence, uint32_t status) {
  return Feed(session, wire::AsBytes(MakeUnlinkReply(sequence, status)));
}

uint32_t SequenceOf(const Session& session, Slot slot) {
  return session.MakeSubmit(slot, usb::Transfer(), 0).basic.sequence;
}

void CheckBroken(const Result<Session::Reply>& reply, const char* says) {
  BOOST_REQUIRE(!reply.has_value());
  BOOST_TEST((reply.error().kind == ErrorKind::kProtocol));
  const std::string text = reply.error().Describe();
  BOOST_TEST((text.find(says) != std::string::npos), text);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_client)

BOOST_AUTO_TEST_CASE(a_submit_is_what_the_transfer_asks) {
  Session session(kDevice);
  usb::Transfer transfer;
  transfer.flags = {.zero_packet = true, .short_not_ok = true, .iso_asap = true};
  transfer.setup = usb::SetupPacket{.request_type = 0x80,
                                    .request = 6,
                                    .value = uint16_t{0x100},
                                    .index = uint16_t{0},
                                    .length = uint16_t{18}};
  transfer.start_frame = 9;
  const Slot slot =
      session.Begin({.endpoint = EndpointAddress::In(3), .in = true, .length = 18}).value();
  // Generation 1, slot 0.
  BOOST_TEST(Hex(wire::AsBytes(session.MakeSubmit(slot, transfer, 4)), 0) ==
             "0000000100000800000100020000000100000003"
             "00000243000000120000000900000000000000048006000100001200");
  // The same number, until the transfer ends.
  BOOST_TEST(SequenceOf(session, slot) == 0x800u);

  const wire::usbip::Unlink unlink = session.MakeUnlink(slot);
  BOOST_TEST(Hex(Take(wire::AsBytes(unlink), 24), 0) ==
             "000000020000"
             "0c00000100020000000100000003"
             "00000800");
}

// The other end reads what this one writes.
BOOST_AUTO_TEST_CASE(the_server_understands_a_submit_and_an_unlink) {
  Session session(kDevice);
  usb::Transfer transfer;
  transfer.flags.iso_asap = true;
  transfer.start_frame = 77;
  const Slot slot = session.Begin(kIsoIn).value();
  const wire::usbip::Submit wire = session.MakeSubmit(slot, transfer, 1);
  const auto submit = std::get<Submit>(ParseCommand(wire::AsBytes(wire), kDevice).value());
  BOOST_TEST(submit.sequence == uint32_t{wire.basic.sequence});
  BOOST_TEST(submit.endpoint.value == 0x83);
  BOOST_TEST(submit.in);
  BOOST_TEST((submit.flags == transfer.flags));
  BOOST_TEST(submit.length == 64u);
  BOOST_TEST(submit.start_frame == 77u);
  BOOST_TEST(submit.packets_count == 4u);

  const wire::usbip::Unlink other = session.MakeUnlink(slot);
  const auto unlink = std::get<Unlink>(ParseCommand(wire::AsBytes(other), kDevice).value());
  BOOST_TEST(unlink.victim == submit.sequence);
  BOOST_TEST(unlink.sequence != submit.sequence);
}

BOOST_AUTO_TEST_CASE(a_reply_ends_its_transfer) {
  Session session(kDevice);
  const Slot in = session.Begin(kBulkIn).value();
  const Slot out = session.Begin(kBulkOut).value();
  BOOST_TEST(session.under_way_count() == 2u);
  const uint32_t sequence_in = SequenceOf(session, in);

  const auto written = Handle(session, SequenceOf(session, out), {.length = 512}).value();
  BOOST_TEST(written.slot == out);
  BOOST_TEST(written.ends);
  BOOST_TEST((written.outcome == Outcome::kOk));
  BOOST_TEST(written.length_actual == 512u);
  BOOST_TEST(written.data_length == 0u);

  // A transfer that failed may have moved data too.
  const auto read =
      Handle(session, sequence_in, {.length = 100, .status = StatusOf(Outcome::kStall)}).value();
  BOOST_TEST(read.slot == in);
  BOOST_TEST((read.outcome == Outcome::kStall));
  BOOST_TEST(read.data_length == 100u);
  BOOST_TEST(session.under_way_count() == 0u);
}

// In process a short transfer that must not be, and an OUT transfer that left bytes behind, are
// faults; a server that calls them ok is not believed.
BOOST_AUTO_TEST_CASE(ok_is_what_it_is_in_process) {
  Session session(kDevice);
  const auto outcome = [&](Session::Request request, const Answer& answer) {
    const Slot slot = session.Begin(request).value();
    return Handle(session, SequenceOf(session, slot), answer).value().outcome;
  };
  Session::Request strict = kBulkIn;
  strict.short_not_ok = true;
  BOOST_TEST((outcome(kBulkIn, {.length = 100}) == Outcome::kOk));
  BOOST_TEST((outcome(strict, {.length = 100}) == Outcome::kFault));
  BOOST_TEST((outcome(strict, {.length = 512}) == Outcome::kOk));
  BOOST_TEST((outcome(kBulkOut, {.length = 100}) == Outcome::kFault));
  BOOST_TEST((outcome(kBulkOut, {.length = 512}) == Outcome::kOk));
  Session::Request iso = kIsoIn;
  iso.in = false;
  BOOST_TEST((outcome(iso, {.length = 3, .packets_count = 4}) == Outcome::kOk));
}

BOOST_AUTO_TEST_CASE(isochronous_replies_have_as_many_packets_as_were_asked_for) {
  Session session(kDevice);
  const auto handle = [&](const Answer& answer) {
    const Slot slot = session.Begin(kIsoIn).value();
    return Handle(session, SequenceOf(session, slot), answer);
  };
  const auto reply = handle({.length = 64, .packets_count = 4, .error_count = 1}).value();
  BOOST_TEST(reply.packets_count == 4u);
  BOOST_TEST(reply.error_count == 1u);
  CheckBroken(handle({.packets_count = 3}), "3 packets to submit");
  CheckBroken(handle({.packets_count = 5}), "5 packets to submit");
  CheckBroken(handle({.packets_count = UINT32_MAX}), "4294967295 packets");
  CheckBroken(handle({.packets_count = 0}), "0 packets to submit");
  CheckBroken(handle({.length = 1, .status = kStatusInvalid}), "0 packets to submit");
}

// What MakeRefusal says of an isochronous transfer had ended the connection.
BOOST_AUTO_TEST_CASE(a_refused_isochronous_transfer_comes_without_packets) {
  Session session(kDevice);
  const Slot slot = session.Begin(kIsoIn).value();
  const wire::usbip::SubmitReply wire = MakeRefusal(SequenceOf(session, slot), kStatusNoMemory);
  const auto reply = Feed(session, wire::AsBytes(wire)).value();
  BOOST_TEST(reply.ends);
  BOOST_TEST((reply.outcome == Outcome::kFault));
  BOOST_TEST(reply.packets_count == 0u);
  BOOST_TEST(session.under_way_count() == 0u);
}

BOOST_AUTO_TEST_CASE(packets_of_other_transfers_mean_nothing) {
  Session session(kDevice);
  const Slot slot = session.Begin(kBulkIn).value();
  const auto reply =
      Handle(session, SequenceOf(session, slot), {.length = 1, .packets_count = 0xffffffff})
          .value();
  BOOST_TEST(reply.packets_count == 0u);
}

BOOST_AUTO_TEST_CASE(replies_that_break_the_rules) {
  Session session(kDevice);
  CheckBroken(Handle(session, 0, {}), "no such transfer is under way");
  CheckBroken(Handle(session, 0x800, {}), "no such transfer is under way");
  const Slot slot = session.Begin(kBulkIn).value();
  const uint32_t sequence = SequenceOf(session, slot);

  // None of these ends the transfer.
  CheckBroken(Handle(session, sequence + 1, {}), "no such transfer");          // another slot
  CheckBroken(Handle(session, sequence + (1 << 11), {}), "no such transfer");  // generation
  CheckBroken(Handle(session, sequence | 1 << 10, {}), "no such transfer");    // an unlink's
  CheckBroken(Handle(session, sequence, {.length = 513}), "513 bytes to submit 0800h of 512");
  CheckBroken(Handle(session, sequence, {.length = UINT32_MAX}), "4294967295 bytes");
  CheckBroken(HandleUnlinked(session, sequence, kReset), "none of that number was sent");
  CheckBroken(HandleUnlinked(session, sequence | 1 << 10, kReset), "none of that number was sent");
  auto wire = MakeRefusal(sequence, 0);
  for (uint32_t command : {0u, 1u, 2u, 5u, 0x3000000u}) {
    wire.basic.command = command;
    CheckBroken(session.HandleReply(wire::AsBytes(wire)), "where a reply to a submit (3)");
  }
  BOOST_TEST(session.under_way_count() == 1u);

  BOOST_TEST(Handle(session, sequence, {.length = 512}).has_value());
  CheckBroken(Handle(session, sequence, {.length = 512}), "no such transfer");  // twice
}

BOOST_AUTO_TEST_CASE(an_unlink_is_answered_whichever_way_the_race_went) {
  struct Row {
    const char* name;
    bool reply_first;
    uint32_t unlink_status;
    Outcome outcome;
  };
  for (const Row& row :
       {Row{"cancelled", false, kReset, Outcome::kCancelled},
        Row{"too late", true, 0, Outcome::kOk},
        // A server that cancelled and says 0, and one that answered and says -104.
        Row{"0 without an answer", false, 0, Outcome::kCancelled},
        Row{"cancelled after the answer", true, kReset, Outcome::kOk},
        Row{"a status of its own", false, StatusOf(Outcome::kStall), Outcome::kCancelled}}) {
    BOOST_TEST_CONTEXT(row.name) {
      Session session(kDevice);
      const Slot slot = session.Begin(kBulkIn).value();
      const uint32_t sequence = SequenceOf(session, slot);
      const uint32_t unlink = session.MakeUnlink(slot).basic.sequence;
      Outcome outcome = Outcome::kPending;
      if (row.reply_first) {
        const auto reply = Handle(session, sequence, {.length = 512}).value();
        BOOST_TEST(reply.ends);
        outcome = reply.outcome;
        // The slot is not free before the unlink is answered as well.
        BOOST_TEST(session.under_way_count() == 1u);
        CheckBroken(Handle(session, sequence, {.length = 512}), "no such transfer");
      }
      const auto last = HandleUnlinked(session, unlink, row.unlink_status).value();
      BOOST_TEST(last.slot == slot);
      BOOST_TEST(last.ends == !row.reply_first);
      BOOST_TEST(last.data_length == 0u);
      if (last.ends) outcome = last.outcome;
      BOOST_TEST((outcome == row.outcome));
      BOOST_TEST(session.under_way_count() == 0u);
      CheckBroken(HandleUnlinked(session, unlink, row.unlink_status), "none of that number");
      CheckBroken(Handle(session, sequence, {}), "no such transfer");
    }
  }
}

// Two transfers, and every order in which a server may answer them while the host may ask for the
// end of each: a transfer ends exactly once, and no slot is left behind.
BOOST_AUTO_TEST_CASE(every_order_of_two_transfers_ends_each_once) {
  enum Event : uint8_t { kReply, kUnlink, kUnlinkReply, kEventsCount };
  size_t paths_count = 0;
  size_t rejected_count = 0;
  // A path is the next events, one base-6 digit each: the event, of one transfer or the other.
  constexpr size_t kStepsMax = 6;
  for (size_t path = 0; path < 46656; ++path) {  // 6 to the 6th
    Session session(kDevice);
    std::array<Slot, 2> slots{session.Begin(kBulkIn).value(), session.Begin(kBulkOut).value()};
    std::array<uint32_t, 2> sequences{};
    std::array<uint32_t, 2> ends{};
    std::array<bool, 2> unlinked{};
    std::array<bool, 2> unlink_answered{};
    for (size_t which : {0, 1}) sequences[which] = SequenceOf(session, slots[which]);
    size_t rest = path;
    for (size_t step = 0; step < kStepsMax; ++step, rest /= 6) {
      const size_t which = rest % 2;
      const auto event = static_cast<Event>(rest % 6 / 2);
      if (event == kUnlink) {
        if (unlinked[which] || ends[which] != 0) continue;  // the host knows better
        static_cast<void>(session.MakeUnlink(slots[which]));
        unlinked[which] = true;
        continue;
      }
      const uint32_t sequence = sequences[which] | (event == kUnlinkReply ? 1 << 10 : 0);
      const bool due =
          event == kReply ? ends[which] == 0 : unlinked[which] && !unlink_answered[which];
      const Result<Session::Reply> reply =
          event == kReply ? Handle(session, sequence, {.length = 512})
                          : HandleUnlinked(session, sequence, ends[which] == 0 ? kReset : 0);
      BOOST_REQUIRE(reply.has_value() == due);
      if (!due) {
        ++rejected_count;
        continue;
      }
      BOOST_REQUIRE(reply->slot == slots[which]);
      BOOST_REQUIRE(reply->ends == (ends[which] == 0));
      ends[which] += reply->ends ? 1 : 0;
      if (event == kUnlinkReply) unlink_answered[which] = true;
    }
    size_t open = 0;
    for (size_t which : {0, 1}) {
      BOOST_REQUIRE(ends[which] <= 1u);
      if (ends[which] == 0 || (unlinked[which] && !unlink_answered[which])) ++open;
    }
    BOOST_REQUIRE(session.under_way_count() == open);
    ++paths_count;
  }
  BOOST_TEST(paths_count == 46656u);
  BOOST_TEST(rejected_count != 0u);
}

BOOST_AUTO_TEST_CASE(there_are_1024_slots) {
  Session session(kDevice);
  std::map<uint32_t, Slot> sequences;
  for (size_t count = 0; count < Session::kSlotsMax; ++count) {
    const Slot slot = session.Begin(kBulkIn).value();
    sequences[SequenceOf(session, slot)] = slot;
  }
  BOOST_TEST(sequences.size() == Session::kSlotsMax);
  BOOST_TEST(!session.Begin(kBulkIn).has_value());
  BOOST_TEST(session.under_way_count() == Session::kSlotsMax);

  // An unlink needs no slot of its own, and one answered gives room for one more.
  const auto [first, slot] = *sequences.begin();
  const uint32_t unlink = session.MakeUnlink(slot).basic.sequence;
  BOOST_TEST(!sequences.contains(unlink));
  BOOST_TEST(HandleUnlinked(session, unlink, kReset)->slot == slot);
  BOOST_TEST(session.Begin(kBulkIn).value() == slot);
  BOOST_TEST(!session.Begin(kBulkIn).has_value());
  BOOST_TEST(SequenceOf(session, slot) != first);
  sequences.erase(first);
  sequences[SequenceOf(session, slot)] = slot;

  for (const auto& [sequence, of] : sequences) {
    BOOST_REQUIRE(Handle(session, sequence, {.length = 512})->slot == of);
  }
  BOOST_TEST(session.under_way_count() == 0u);
  BOOST_TEST(session.Begin(kBulkIn).has_value());
}

// 21 bits count how often a slot was used; then they begin again, at one, so that no sequence
// number is ever zero.
BOOST_AUTO_TEST_CASE(sequence_numbers_wrap) {
  Session session(kDevice);
  uint32_t before = 0;
  size_t wraps = 0;
  for (uint32_t use = 0; use < (1u << 21) + 5; ++use) {
    const Slot slot = session.Begin(kBulkOut).value();
    const uint32_t sequence = SequenceOf(session, slot);
    if (sequence < before) {
      ++wraps;
      BOOST_TEST(before == 0xfffff800u);
      BOOST_TEST(sequence == 0x800u);
    }
    before = sequence;
    const auto reply = Handle(session, sequence, {.length = 512});
    if (sequence == 0 || !reply.has_value()) BOOST_REQUIRE(false);
  }
  BOOST_TEST(wraps == 1u);
}

BOOST_AUTO_TEST_CASE(requests_no_peer_would_take_are_a_bug) {
  Session session(kDevice);
  BOOST_TEST(Dies([&] { session.Begin({.length = kLengthMax + 1}); }));
  BOOST_TEST(Dies([&] { session.Begin({.packets_count = wire::usbip::kPacketsMax + 1}); }));
  const Slot slot = session.Begin(kBulkIn).value();
  static_cast<void>(session.MakeUnlink(slot));
  BOOST_TEST(Dies([&] { static_cast<void>(session.MakeUnlink(slot)); }));
}

BOOST_AUTO_TEST_SUITE_END()
