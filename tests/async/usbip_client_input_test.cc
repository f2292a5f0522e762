// What a hostile server says to the client.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/async/fake_server.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

Message With(Message bytes, size_t offset, size_t length, uint8_t value) {
  for (size_t index = 0; index < length; ++index) bytes[offset + index] = value;
  return bytes;
}

// --- answers to an import ---

struct Import {
  const char* name;
  Message says;
  ErrorKind kind;
  bool closes = true;  // then
};

const Import kImports[] = {
    {"nothing", {}, ErrorKind::kDisconnected},
    {"nothing, for ever", {}, ErrorKind::kTimedOut, false},
    {"half a header", OpMessage(kVersion, 3) + Message(), ErrorKind::kDisconnected},
    {"half of it, for ever", OpMessage(kVersion, 3) + Message(311), ErrorKind::kTimedOut, false},
    {"version 0", With(kGranted, 0, 2, 0), ErrorKind::kProtocol},
    {"a list", OpMessage(kVersion, 5) + Message(4), ErrorKind::kProtocol},
    {"its own request", ImportMessage("1-1"), ErrorKind::kProtocol},
    {"not available", OpMessage(kVersion, 3, 1), ErrorKind::kNotFound},
    {"busy", OpMessage(kVersion, 3, 2), ErrorKind::kBusy},
    {"an error of the device", OpMessage(kVersion, 3, 3), ErrorKind::kFault},
    {"no such device", OpMessage(kVersion, 3, 4), ErrorKind::kNotFound},
    {"status ffffffff", OpMessage(kVersion, 3, 0xffffffff), ErrorKind::kFault},
    {"another device", OpMessage(kVersion, 3) + Record("1-2"), ErrorKind::kProtocol},
    {"a bus id without an end", With(kGranted, 8 + 256, 32, 'x'), ErrorKind::kProtocol},
    {"a path without an end", With(kGranted, 8, 256, 'x'), ErrorKind::kProtocol},
    {"no bus id", With(kGranted, 8 + 256, 32, 0), ErrorKind::kProtocol},
    {"a bus id that steers terminals", With(kGranted, 8 + 256, 1, 0x1b), ErrorKind::kProtocol},
    {"speed 7", OpMessage(kVersion, 3) + Record("1-1", 7), ErrorKind::kProtocol},
    {"speed ffffffff", OpMessage(kVersion, 3) + Record("1-1", 0xffffffff), ErrorKind::kProtocol},
    {"HTTP", Text("HTTP/1.1 400 Bad Request\r\n", 400), ErrorKind::kProtocol},
    {"0xff", Message(400, 0xff), ErrorKind::kProtocol},
};

// --- answers to a list ---

struct List {
  const char* name;
  Message says;
  std::optional<ErrorKind> kind;
  size_t devices_count = 0;
};
Message ListHead(uint32_t count) {
  wire::usbip::DevicesReply reply{};
  reply.header = *wire::View<wire::usbip::OpHeader>(OpMessage(kVersion, 5));
  reply.devices_count = count;
  return ToMessage(reply);
}
const List kLists[] = {
    {"none", ListHead(0), std::nullopt, 0},
    {"none, and more", ListHead(0) + Message(1000), std::nullopt, 0},
    {"one", ListHead(1) + Record("1-1") + Message(4), std::nullopt, 1},
    {"one without interfaces", ListHead(1) + Record("1-1", 3, 0), std::nullopt, 1},
    {"255 interfaces that are not there", ListHead(1) + Record("1-1", 3, 255) + Message(1019),
     ErrorKind::kDisconnected},
    {"two, and one comes", ListHead(2) + Record("1-1", 3, 0), ErrorKind::kDisconnected},
    {"4097", ListHead(4097), ErrorKind::kProtocol},
    {"ffffffff", ListHead(0xffffffff), ErrorKind::kProtocol},
    {"an import", kGranted, ErrorKind::kProtocol},
    {"status 1", OpMessage(kVersion, 5, 1) + Message(4), ErrorKind::kProtocol},
    {"a bus id without an end", With(ListHead(1) + Record("1-1", 3, 0), 12 + 256, 32, 'x'),
     ErrorKind::kProtocol},
    {"nothing", {}, ErrorKind::kDisconnected},
};

// --- answers to a transfer of 64 bytes in, of number 0x800, cancelled or not by unlink 0xc00 ---

constexpr uint32_t kFirst = 0x800;
constexpr uint32_t kUnlinked = 0xc00;

struct Answer {
  const char* name;
  Message says;
  usb::Outcome outcome;
  uint32_t length = 0;
  bool cancelled = false;  // by the host, before the answer
  bool goes_on = false;    // the link is as good as before
};

using usb::Outcome;
const Answer kAnswers[] = {
    {"all", ReplyMessage({.sequence = kFirst, .length = 64}) + Message(64), Outcome::kOk, 64, false,
     true},
    {"less", ReplyMessage({.sequence = kFirst, .length = 3}) + Message(3), Outcome::kOk, 3, false,
     true},
    {"nothing", ReplyMessage({.sequence = kFirst}), Outcome::kOk, 0, false, true},
    {"a stall with data",
     ReplyMessage({.sequence = kFirst, .status = -32, .length = 7}) + Message(7), Outcome::kStall,
     7, false, true},
    {"an unknown status", ReplyMessage({.sequence = kFirst, .status = 12345}), Outcome::kFault, 0,
     false, true},
    {"status -2147483648", ReplyMessage({.sequence = kFirst, .status = INT32_MIN}), Outcome::kFault,
     0, false, true},
    {"packets it was not asked for",
     ReplyMessage({.sequence = kFirst, .length = 1, .packets_count = 0xffffffff}) + Message(1),
     Outcome::kOk, 1, false, true},
    {"one byte too many", ReplyMessage({.sequence = kFirst, .length = 65}) + Message(65),
     Outcome::kDisconnected},
    {"2 GiB", ReplyMessage({.sequence = kFirst, .length = 0x80000000}), Outcome::kDisconnected},
    {"-1 bytes", ReplyMessage({.sequence = kFirst, .length = 0xffffffff}), Outcome::kDisconnected},
    {"to number 0", ReplyMessage({.sequence = 0, .length = 64}) + Message(64),
     Outcome::kDisconnected},
    {"to the number before", ReplyMessage({.sequence = kFirst - 1}), Outcome::kDisconnected},
    {"to a slot that is not there", ReplyMessage({.sequence = kFirst + 1}), Outcome::kDisconnected},
    {"to the last slot", ReplyMessage({.sequence = kFirst + 1023}), Outcome::kDisconnected},
    {"to a later generation", ReplyMessage({.sequence = 2 * kFirst}), Outcome::kDisconnected},
    {"to number ffffffff", ReplyMessage({.sequence = 0xffffffff}), Outcome::kDisconnected},
    {"to an unlink there was not", ReplyMessage({.command = 4, .sequence = kUnlinked}),
     Outcome::kDisconnected},
    {"an unlink's, with the submit's number", ReplyMessage({.command = 4, .sequence = kFirst}),
     Outcome::kDisconnected},
    {"a submit", SubmitMessage({.sequence = kFirst}), Outcome::kDisconnected},
    {"command 0", ReplyMessage({.command = 0, .sequence = kFirst}), Outcome::kDisconnected},
    {"command ffffffff", ReplyMessage({.command = 0xffffffff, .sequence = kFirst}),
     Outcome::kDisconnected},
    {"0xff", Message(48, 0xff), Outcome::kDisconnected},
    {"cancelled", ReplyMessage({.command = 4, .sequence = kUnlinked, .status = -104}),
     Outcome::kCancelled, 0, true, true},
    {"cancelled, and 0", ReplyMessage({.command = 4, .sequence = kUnlinked}), Outcome::kCancelled,
     0, true, true},
    {"data, then the unlink's 0",
     ReplyMessage({.sequence = kFirst, .length = 64}) + Message(64) +
         ReplyMessage({.command = 4, .sequence = kUnlinked}),
     Outcome::kOk, 64, true, true},
    {"the unlink's, twice",
     ReplyMessage({.command = 4, .sequence = kUnlinked, .status = -104}) +
         ReplyMessage({.command = 4, .sequence = kUnlinked, .status = -104}),
     Outcome::kCancelled, 0, true},
    {"both replies twice",
     ReplyMessage({.sequence = kFirst}) + ReplyMessage({.sequence = kFirst}) +
         ReplyMessage({.command = 4, .sequence = kUnlinked}),
     Outcome::kDisconnected, 0, true},
};

void Close(RawPeer& peer, FakeServer& server) {
  BOOST_REQUIRE(server.Run([&] { return !peer.writing; }));
  peer.Stop();
  BOOST_REQUIRE(server.Run([&] { return peer.idle(); }));
  peer.socket.reset();
}

}  // namespace

namespace std {
ostream& operator<<(ostream& out, const Import& one) {
  return out << one.name;
}
ostream& operator<<(ostream& out, const List& one) {
  return out << one.name;
}
ostream& operator<<(ostream& out, const Answer& one) {
  return out << one.name;
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(usbip_client_input)

BOOST_DATA_TEST_CASE(answers_to_an_import, data::make(kImports), one) {
  FakeServer server;
  RawPeer& peer = server.NextPeer();

  if (!one.says.empty()) peer.Send(one.says);
  if (one.closes) Close(peer, server);
  BOOST_REQUIRE(server.Run([&] { return server.opened; }));

  BOOST_REQUIRE(!server.open.result.has_value());
  BOOST_TEST_CONTEXT(server.open.result.error().Describe())
  BOOST_TEST((server.open.result.error().kind == one.kind));
  // The next one is none the worse.
  auto [stack, next] = server.Open();
  BOOST_TEST(stack.top != nullptr);
}

BOOST_AUTO_TEST_CASE(a_grant_cut_short_at_every_offset) {
  FakeServer server;
  for (size_t length = 0; length < kGranted.size(); ++length) {
    RawPeer& peer = server.NextPeer();
    peer.Send(Message(kGranted.begin(), kGranted.begin() + static_cast<ptrdiff_t>(length)));
    Close(peer, server);
    BOOST_REQUIRE(server.Run([&] { return server.opened; }));
    BOOST_REQUIRE(!server.open.result.has_value());
    BOOST_TEST((server.open.result.error().kind == ErrorKind::kDisconnected));
  }
}

BOOST_DATA_TEST_CASE(answers_to_a_list, data::make(kLists), one) {
  FakeServer server;
  std::string why;
  async::Job<Result<std::vector<usbip::Device>>> job(
      server.world, async::ListDevices(server.pipes, "sim:server", 10s, why));
  BOOST_REQUIRE(server.Run([&] { return server.peers.size() == 1; }));

  if (!one.says.empty()) server.peers[0]->Send(one.says);
  BOOST_REQUIRE(server.Run([&] { return server.peers[0]->received.size() == 8; }));
  Close(*server.peers[0], server);
  BOOST_REQUIRE(server.Run([&] { return job.done(); }));

  const auto devices = job.result();
  BOOST_REQUIRE_EQUAL(devices.has_value(), !one.kind.has_value());
  if (devices) BOOST_TEST(devices->size() == one.devices_count);
  if (!devices) BOOST_TEST((devices.error().kind == *one.kind));
}

BOOST_DATA_TEST_CASE(answers_to_a_transfer, data::make(kAnswers), one) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  auto [other_stack, other_peer] = server.Open();
  std::vector<uint8_t> room(64, 0xa5);
  usb::Transfer transfer;

  server.Submit(*stack.top, transfer, room);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 48; }));
  if (one.cancelled) {
    stack.top->Cancel(transfer);
    stack.top->Cancel(transfer);  // once is enough
    BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 96; }));
  }
  peer->Send(one.says);
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));

  const auto& link = static_cast<const async::UsbIpLink&>(*stack.top);
  BOOST_TEST_CONTEXT(link.why_gone()) {
    BOOST_TEST((transfer.outcome == one.outcome), usb::Name(transfer.outcome));
    BOOST_TEST(transfer.length_actual == one.length);
    BOOST_TEST(link.why_gone().empty() == (one.outcome != Outcome::kDisconnected));
  }
  BOOST_TEST(server.world.Now().ns < 1'000'000'000);
  server.Submit(*stack.top, transfer, room);
  if (one.goes_on) {
    peer->Send(ReplyMessage({.sequence = 2 * kFirst}));
    BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));
    BOOST_TEST((transfer.outcome == Outcome::kOk));
  } else {
    BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));
    BOOST_TEST((transfer.outcome == Outcome::kDisconnected));
  }
  // The other connection is as it was.
  server.Submit(*other_stack.top, transfer, room);
  other_peer->Send(ReplyMessage({.sequence = kFirst, .length = 64}) + Message(64, 0x42));
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));
  BOOST_TEST((transfer.outcome == Outcome::kOk));
  BOOST_TEST((room == Message(64, 0x42)));
}

BOOST_AUTO_TEST_CASE(a_reply_cut_short_at_every_offset) {
  const Message reply = ReplyMessage({.sequence = kFirst, .length = 64}) + Message(64);
  for (size_t length = 0; length < reply.size(); ++length) {
    FakeServer server;
    auto [stack, peer] = server.Open();
    std::vector<uint8_t> room(64, 0xa5);
    usb::Transfer transfer;
    server.Submit(*stack.top, transfer, room);
    BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 48; }));

    peer->Send(Message(reply.begin(), reply.begin() + static_cast<ptrdiff_t>(length)));
    Close(*peer, server);
    BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));

    BOOST_TEST((transfer.outcome == Outcome::kDisconnected));
  }
}

// Once a reply has begun there is nothing to unlink, and yet a host that cancels must not wait for
// ever: what is missing has as long as an unlink's answer.
BOOST_AUTO_TEST_CASE(a_reply_that_never_ends_can_be_cancelled) {
  for (const size_t length : {0u, 20u, 48u, 49u, 111u}) {
    FakeServer server;
    auto [stack, peer] = server.Open();
    std::vector<uint8_t> room(64, 0xa5);
    usb::Transfer transfer;
    server.Submit(*stack.top, transfer, room);
    BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == 48; }));
    const Message reply = ReplyMessage({.sequence = kFirst, .length = 64}) + Message(64);
    peer->Send(Message(reply.begin(), reply.begin() + static_cast<ptrdiff_t>(length)));
    server.Settle(60s);
    BOOST_TEST(server.under_way == 1);

    stack.top->Cancel(transfer);
    server.Settle(11s);

    BOOST_TEST(server.under_way == 0);
    BOOST_TEST((transfer.outcome == Outcome::kDisconnected));
  }
}

// A server may refuse a transfer when it has seen no more than its header. The transfer ends when
// its data is on its way, and then no read may be left in the socket.
BOOST_AUTO_TEST_CASE(a_refusal_before_the_data_is_sent) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  const std::vector<uint8_t> data(1 << 20, 0x33);
  usb::Transfer transfer;
  peer->stalled = true;
  server.SubmitOut(*stack.top, transfer, data);
  server.Settle(1ms);
  BOOST_TEST(peer->writing == false);

  peer->Send(ReplyMessage({.sequence = kFirst, .status = -12}));
  server.Settle(1ms);
  BOOST_TEST(server.under_way == 1);
  peer->stalled = false;
  peer->Listen();
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));
  BOOST_TEST((transfer.outcome == Outcome::kFault));

  stack.Close();
}

// The same, of a server that never takes the data.
BOOST_AUTO_TEST_CASE(a_refusal_of_data_that_is_never_taken) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  const std::vector<uint8_t> data(1 << 20, 0x33);
  usb::Transfer transfer;
  peer->stalled = true;
  server.SubmitOut(*stack.top, transfer, data);
  peer->Send(ReplyMessage({.sequence = kFirst, .status = -12}));
  server.Settle(1ms);

  stack.top->Cancel(transfer);
  server.Settle(11s);

  BOOST_TEST(server.under_way == 0);
  BOOST_TEST((transfer.outcome == Outcome::kDisconnected));
}

BOOST_AUTO_TEST_CASE(more_transfers_than_slots_end_in_order) {
  FakeServer server;
  auto [stack, peer] = server.Open();
  std::vector<std::unique_ptr<usb::Transfer>> transfers;
  std::array<uint8_t, 1> room{};
  for (int count = 0; count < 1500; ++count) {
    transfers.push_back(std::make_unique<usb::Transfer>());
    server.Submit(*stack.top, *transfers.back(), room);
  }
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == size_t{48} * 1024; }));

  // All at once, so that many replies are there when each slot becomes free.
  Message replies;
  for (uint32_t slot = 0; slot < 1024; ++slot) {
    replies = replies + ReplyMessage({.sequence = kFirst + slot});
  }
  peer->Send(replies);
  BOOST_REQUIRE(server.Run([&, p = peer] { return p->received.size() == size_t{48} * 1500; }));
  Close(*peer, server);
  BOOST_REQUIRE(server.Run([&] { return server.under_way == 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
