// In which order a server may answer the client's transfers.
#include <boost/test/unit_test.hpp>

#include "tests/async/fake_server.h"
#include "tests/iso_host.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::Outcome;

namespace {

constexpr uint32_t kFirst = 0x800;
constexpr uint32_t kUnlinked = 0xc00;
constexpr auto kIsoIn = usb::EndpointAddress::In(4);
constexpr size_t kIsoSubmitLength = 48 + 2 * 16;

// Two packets of 8 bytes, of which the second came short: 01 to 08, and 09 to 0c.
Message IsoReply(uint32_t sequence) {
  return ReplyMessage({.sequence = sequence, .length = 12, .packets_count = 2}) +
         Message{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} + IsoMessage(0, 8, 8) + IsoMessage(8, 8, 4);
}

// Both were submitted, and nothing of them has been answered.
struct IsoPair {
  explicit IsoPair(usb::Link& link) {
    first.Submit(link);
    second.Submit(link);
  }
  bool done() const { return first.done && second.done; }
  IsoTransfer first{kIsoIn, {8, 8}};
  IsoTransfer second{kIsoIn, {8, 8}};
};

void CheckWhole(const IsoTransfer& one) {
  BOOST_TEST((one.transfer.outcome == Outcome::kOk));
  BOOST_TEST(one.transfer.error_count == 0u);
  const Bytes full = one.packet(0);
  const Bytes cut = one.packet(1);
  BOOST_TEST((std::vector<uint8_t>(full.begin(), full.end()) ==
              std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  BOOST_TEST((std::vector<uint8_t>(cut.begin(), cut.end()) == std::vector<uint8_t>{9, 10, 11, 12}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_client_order)

// A host that reads its status before its data would take one for the other.
BOOST_AUTO_TEST_CASE(replies_of_one_endpoint_out_of_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  std::array<uint8_t, 4> room{};
  usb::Transfer first, second;
  server.Submit(*stack.top, first, room);
  server.Submit(*stack.top, second, room);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 96; }));

  peer->Send(ReplyMessage({.sequence = kFirst + 1}) + ReplyMessage({.sequence = kFirst}));
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));

  BOOST_TEST((first.outcome == Outcome::kDisconnected));
  BOOST_TEST((second.outcome == Outcome::kDisconnected));
  const auto& link = static_cast<const async::UsbIpLink&>(*stack.top);
  BOOST_TEST(link.why_gone().find("submit 0801h was answered before submit 0800h of the same "
                                  "endpoint") != std::string::npos,
             link.why_gone());
}

BOOST_AUTO_TEST_CASE(replies_of_two_endpoints_in_any_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  std::array<uint8_t, 4> room{};
  usb::Transfer first, second;
  server.SubmitOut(*stack.top, first, room);
  server.Submit(*stack.top, second, room);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 100; }));

  peer->Send(ReplyMessage({.sequence = kFirst + 1}) +
             ReplyMessage({.sequence = kFirst, .length = 4}));
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));

  BOOST_TEST((first.outcome == Outcome::kOk));
  BOOST_TEST((second.outcome == Outcome::kOk));
}

// Linux's server may send a reply that came afterwards before it answers the unlink.
BOOST_AUTO_TEST_CASE(an_unlink_is_answered_after_those_behind_it) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  std::array<uint8_t, 4> room{};
  usb::Transfer first, second;
  server.Submit(*stack.top, first, room);
  server.Submit(*stack.top, second, room);
  stack.top->Cancel(first);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 144; }));

  peer->Send(ReplyMessage({.sequence = kFirst + 1}) +
             ReplyMessage({.command = 4, .sequence = kUnlinked, .status = -104}));
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));

  BOOST_TEST((first.outcome == Outcome::kCancelled));
  BOOST_TEST((second.outcome == Outcome::kOk));
}

// But one that had ended before has its turn before.
BOOST_AUTO_TEST_CASE(a_transfer_that_was_unlinked_too_late_is_answered_too_late) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  std::array<uint8_t, 4> room{};
  usb::Transfer first, second;
  server.Submit(*stack.top, first, room);
  server.Submit(*stack.top, second, room);
  stack.top->Cancel(first);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 144; }));

  peer->Send(ReplyMessage({.sequence = kFirst + 1}) + ReplyMessage({.sequence = kFirst}) +
             ReplyMessage({.command = 4, .sequence = kUnlinked}));
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));

  BOOST_TEST((first.outcome == Outcome::kDisconnected));
  BOOST_TEST((second.outcome == Outcome::kOk));
  const auto& link = static_cast<const async::UsbIpLink&>(*stack.top);
  BOOST_TEST(
      link.why_gone().find("submit 0801h was answered before submit 0800h") != std::string::npos,
      link.why_gone());
}

// --- isochronous ---

BOOST_AUTO_TEST_CASE(isochronous_replies_in_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  IsoPair pair(*stack.top);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 2 * kIsoSubmitLength; }));

  peer->Send(IsoReply(kFirst) + IsoReply(kFirst + 1));
  BOOST_REQUIRE(server.Run([&] { return pair.done(); }));

  CheckWhole(pair.first);
  CheckWhole(pair.second);
}

// A host would play the second interval before the first.
BOOST_AUTO_TEST_CASE(isochronous_replies_out_of_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  IsoPair pair(*stack.top);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 2 * kIsoSubmitLength; }));

  peer->Send(IsoReply(kFirst + 1) + IsoReply(kFirst));
  BOOST_REQUIRE(server.Run([&] { return pair.done(); }));

  BOOST_TEST((pair.first.transfer.outcome == Outcome::kDisconnected));
  BOOST_TEST((pair.second.transfer.outcome == Outcome::kDisconnected));
  const auto& link = static_cast<const async::UsbIpLink&>(*stack.top);
  BOOST_TEST(link.why_gone().find("submit 0801h was answered before submit 0800h of the same "
                                  "endpoint") != std::string::npos,
             link.why_gone());
}

// One that is refused whole has its turn as well: no data, no packets.
BOOST_AUTO_TEST_CASE(an_isochronous_refusal_out_of_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  IsoPair pair(*stack.top);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 2 * kIsoSubmitLength; }));

  peer->Send(ReplyMessage({.sequence = kFirst + 1, .status = -12}) + IsoReply(kFirst));
  BOOST_REQUIRE(server.Run([&] { return pair.done(); }));

  BOOST_TEST((pair.first.transfer.outcome == Outcome::kDisconnected));
  BOOST_TEST((pair.second.transfer.outcome == Outcome::kDisconnected));
}

BOOST_AUTO_TEST_CASE(isochronous_and_bulk_replies_in_any_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  std::array<uint8_t, 4> room{};
  usb::Transfer bulk;
  server.Submit(*stack.top, bulk, room);
  IsoPair pair(*stack.top);
  BOOST_REQUIRE(
      server.Run([&, p = peer] { return p->received.size() == 48 + 2 * kIsoSubmitLength; }));

  peer->Send(IsoReply(kFirst + 1) + ReplyMessage({.sequence = kFirst}) + IsoReply(kFirst + 2));
  BOOST_REQUIRE(server.Run([&] { return pair.done() && server.under_way == 0; }));

  BOOST_TEST((bulk.outcome == Outcome::kOk));
  CheckWhole(pair.first);
  CheckWhole(pair.second);
}

BOOST_AUTO_TEST_CASE(an_isochronous_unlink_is_answered_after_those_behind_it) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  IsoPair pair(*stack.top);
  stack.top->Cancel(pair.first.transfer);
  BOOST_REQUIRE(
      server.Run([&, p = peer] { return p->received.size() == 2 * kIsoSubmitLength + 48; }));

  peer->Send(IsoReply(kFirst + 1) +
             ReplyMessage({.command = 4, .sequence = kUnlinked, .status = -104}));
  BOOST_REQUIRE(server.Run([&] { return pair.done(); }));

  BOOST_TEST((pair.first.transfer.outcome == Outcome::kCancelled));
  CheckWhole(pair.second);
}

BOOST_AUTO_TEST_SUITE_END()
