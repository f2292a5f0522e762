// In which order a server may answer the client's transfers.
#include <boost/test/unit_test.hpp>

#include "tests/async/fake_server.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::Outcome;

namespace {

constexpr uint32_t kFirst = 0x800;
constexpr uint32_t kUnlinked = 0xc00;

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

BOOST_AUTO_TEST_SUITE_END()
