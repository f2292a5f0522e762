// What a hostile peer says to the server, and what comes of it: the protocol's own answer or the
// end of that connection, with one line in the log; and nothing for anybody else.
#include <boost/test/data/test_case.hpp>

#include "tests/async/server_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

constexpr uint16_t kVersion = 0x0111;
constexpr size_t kMissing = SIZE_MAX;
using Setup = std::array<uint8_t, 8>;

// --- before an import ---

struct Handshake {
  const char* name;
  Message says;
  const char* line;   // in the log; "" where there is none
  size_t length = 0;  // of what it hears before the end
  int status = 0;     // in that
};

const Handshake kHandshakes[] = {
    {"version 00h", OpMessage(0, 0x8003) + Text("1-1", 32), "version 00h"},
    {"version 0x0110", OpMessage(0x0110, 0x8003) + Text("1-1", 32), "version 0110h"},
    {"version upside down", OpMessage(0x1101, 0x8003) + Text("1-1", 32), "version 1101h"},
    {"version ffff", OpMessage(0xffff, 0xffff, 0xffffffff), "version ffff"},
    {"request 00h", OpMessage(kVersion, 0), "request 00h"},
    {"the reply to a list", OpMessage(kVersion, 0x0005), "request 05h"},
    {"the reply to an import", OpMessage(kVersion, 0x0003) + Message(312), "request 03h"},
    {"OP_REQ_DEVINFO", OpMessage(kVersion, 0x8002), "request 8002"},
    {"OP_REQ_EXPORT", OpMessage(kVersion, 0x8006), "request 8006"},
    {"a command before the import", SubmitMessage({.length = 18, .setup = kGetDevice}),
     "version 00h"},
    {"an unlink before the import", UnlinkMessage(2, 1), "version 00h"},
    {"HTTP", Text("GET / HTTP/1.1\r\n\r\n", 18), "version 4745"},
    {"TLS", Text("\x16\x03\x01\x02", 200), "version 1603"},
    {"bytes of 0xff", Message(4096, 0xff), "version ffff"},
    {"zeros", Message(4096), "version 00h"},
    {"an unknown bus id", ImportMessage("9-9"), "", 8, 4},
    {"an empty bus id", ImportMessage(""), "", 8, 4},
    {"a bus id without its end", OpMessage(kVersion, 0x8003) + Message(32, 'x'), "does not end", 8,
     5},
    {"a bus id of 31 bytes", OpMessage(kVersion, 0x8003) + Text(std::string(31, '1'), 32), "", 8,
     4},
    {"a bus id with more behind it", OpMessage(kVersion, 0x8003) + Text("9-9", 32, 'x'),
     "does not end", 8, 5},
    {"a path for a bus id", ImportMessage("../../1-1"), "", 8, 4},
    {"control characters for a bus id", ImportMessage("\x1b[2J\n"), "", 8, 4},
    {"a refused import and more", ImportMessage("9-9") + Message(100'000, 0x5a), "", 8, 4},
    {"a list and more", OpMessage(kVersion, 0x8005) + Message(100'000, 0x5a), "", 12 + 2 * 316, 0},
};

// --- once it has imported ---

struct Command {
  const char* name;
  Message says;
  const char* line = "";            // with which the connection ends; "" where it goes on
  std::vector<int32_t> statuses{};  // of the replies it hears, where it goes on
  size_t length = kMissing;         // of them all; without: headers alone
};

Message Control(Setup setup, uint32_t in, uint32_t length, uint32_t sequence = 1) {
  return SubmitMessage({.sequence = sequence, .in = in, .length = length, .setup = setup});
}

const Command kCommands[] = {
    {"command 0", SubmitMessage({.command = 0}), "command 0"},
    {"command 3, a reply", SubmitMessage({.command = 3}), "command 3"},
    {"command 4, a reply", SubmitMessage({.command = 4}), "command 4"},
    {"command 5, which Linux had for resets", SubmitMessage({.command = 5}), "command 5"},
    {"command ffffffff", SubmitMessage({.command = 0xffffffff}), "command 4294967295"},
    {"an import again", ImportMessage("1-1") + Message(8), "device id"},
    {"device id 00h", SubmitMessage({.device_id = 0}), "device id 00h"},
    {"the other device's id", SubmitMessage({.device_id = 1 << 16 | 3}), "device id 010003h"},
    {"an unlink for the other device", UnlinkMessage(2, 1, 1 << 16 | 3), "device id 010003h"},
    {"direction 2", SubmitMessage({.in = 2}), "direction 2"},
    {"direction ffffffff", SubmitMessage({.in = 0xffffffff}), "direction 4294967295"},
    {"endpoint 16", SubmitMessage({.endpoint = 16}), "endpoint 16"},
    {"endpoint 0x81", SubmitMessage({.endpoint = 0x81}), "endpoint 129"},
    {"endpoint 80000000", SubmitMessage({.endpoint = 0x80000000}), "endpoint 2147483648"},
    {"2 GiB in", SubmitMessage({.endpoint = 1, .length = 0x80000000}), "2147483648 bytes"},
    {"-1 bytes in", SubmitMessage({.endpoint = 1, .length = 0xffffffff}), "4294967295 bytes"},
    {"-1 bytes out", SubmitMessage({.endpoint = 1, .in = 0, .length = 0xffffffff}),
     "4294967295 bytes"},

    {"1 byte more than the limit in",
     SubmitMessage({.endpoint = 1, .length = (1 << 20) + 1}),
     "",
     {-12}},
    {"2 GiB - 1 in", SubmitMessage({.endpoint = 1, .length = 0x7fffffff}), "", {-12}},
    {"1 byte more than the limit out",
     SubmitMessage({.endpoint = 2, .in = 0, .length = (1 << 20) + 1}) + Message((1 << 20) + 1),
     "",
     {-12}},
    {"more than the limit of control in",
     Control({0x80, 6, 0, 1, 0, 0, 0xff, 0xff}, 1, 65536),
     "",
     {-22}},
    {"an endpoint that is not there, in", SubmitMessage({.endpoint = 9, .length = 64}), "", {-71}},
    {"an endpoint that is not there, out",
     SubmitMessage({.endpoint = 9, .in = 0, .length = 3}) + Message(3),
     "",
     {-71}},
    {"an endpoint the other way round", SubmitMessage({.endpoint = 2, .length = 64}), "", {-71}},
    {"a setup packet on a bulk endpoint",
     SubmitMessage({.endpoint = 9, .length = 18, .setup = kGetDevice}),
     "",
     {-71}},
    {"a control transfer that says in and sends out",
     Control(kGetDevice, 0, 18) + Message(18, 0x77),
     "",
     {-22}},
    {"one that says out and wants in", Control({0x00, 6, 0, 1, 0, 0, 18, 0}, 1, 18), "", {-22}},
    {"longer than its wLength", Control(kGetDevice, 1, 4096), "", {-22}},
    {"shorter than its wLength", Control(kGetDevice, 1, 8), "", {-22}},
    {"without data, and a wLength", Control(kGetDevice, 1, 0), "", {-22}},
    {"with data, and no wLength", Control({0x80, 6, 0, 1, 0, 0, 0, 0}, 1, 18), "", {-22}},
    {"without data, in or out, as you like", Control(kSetConfiguration, 1, 0), "", {0}},
    {"out data nobody wants",
     Control({0x40, 0xee, 0, 0, 0, 0, 5, 0}, 0, 5) + Message(5),
     "",
     {-32}},
    {"a descriptor that is not there",
     Control({0x80, 6, 0xff, 0xff, 0, 0, 0xff, 0xff}, 1, 65535),
     "",
     {-32}},
    {"SET_CONFIGURATION of one that is not there",
     Control({0, 9, 77, 0, 0, 0, 0, 0}, 0, 0),
     "",
     {-32}},
    {"SET_CONFIGURATION with a reserved byte", Control({0, 9, 1, 1, 0, 0, 0, 0}, 0, 0), "", {0}},
    {"SET_INTERFACE of one that is not there",
     Control({1, 11, 9, 0, 200, 0, 0, 0}, 0, 0),
     "",
     {-32}},
    {"CLEAR_FEATURE(ENDPOINT_HALT) of no endpoint",
     Control({2, 1, 0, 0, 0x8f, 0, 0, 0}, 0, 0),
     "",
     {-32}},
    {"CLEAR_FEATURE(ENDPOINT_HALT) of a wIndex beyond a byte",
     Control({2, 1, 0, 0, 0x81, 0xff, 0, 0}, 0, 0),
     "",
     {-32}},
    {"SET_FEATURE(PORT_RESET)", Control({0x23, 3, 4, 0, 1, 0, 0, 0}, 0, 0), "", {0}},
    {"a class request before there is a configuration",
     Control({0xa1, 0xfe, 0, 0, 0, 0, 1, 0}, 1, 1),
     "",
     {-32}},
    {"-1 packets for a bulk endpoint",
     SubmitMessage({.endpoint = 9, .length = 64, .packets_count = 0xffffffff}),
     "",
     {-71}},
    {"1025 packets for a control transfer",
     SubmitMessage({.length = 18, .setup = kGetDevice, .packets_count = 1025}),
     "",
     {0},
     66},
    {"all flags",
     SubmitMessage({.length = 18, .setup = kGetDevice, .flags = 0xffffffff}),
     "",
     {0},
     66},
    {"a sequence number of 0",
     SubmitMessage({.sequence = 0, .length = 18, .setup = kGetDevice}),
     "",
     {0},
     66},
    {"a sequence number twice",
     Control(kGetDevice, 1, 18, 5) + Control(kSetConfiguration, 0, 0, 5),
     "",
     {0},
     66 + 48},
    {"an unlink of what never was", UnlinkMessage(7, 1234), "", {0}},
    {"an unlink of itself", UnlinkMessage(7, 7), "", {0}},
    {"an unlink of an unlink", UnlinkMessage(7, 1) + UnlinkMessage(8, 7), "", {0, 0}},
    {"an unlink of what was refused",
     SubmitMessage({.endpoint = 1, .length = 0x7fffffff}) + UnlinkMessage(8, 1),
     "",
     {-12, 0}},
    {"two unlinks of one",
     SubmitMessage({.sequence = 1, .in = 0, .setup = kSetConfiguration}) + UnlinkMessage(8, 99) +
         UnlinkMessage(9, 99),
     "",
     {0, 0, 0}},
};

bool HasTwoDisks(const ServerRig& rig) {
  return rig.server->devices().size() == 2;
}

// A server with "1-1" and "1-2", the second of which an honest peer has.
struct Scene {
  explicit Scene(uint64_t seed = 1) : rig({}, {}, seed) {
    rig.AddDisk();
    rig.AddDisk();
    BOOST_REQUIRE(HasTwoDisks(rig));
    honest = &rig.ConnectAndImport("1-2");
    rig.log.clear();
  }
  void CheckHonest() {
    BOOST_TEST(rig.Works(*honest, 1 << 16 | 3));
    BOOST_TEST(!honest->ended);
  }
  ServerRig rig;
  RawPeer* honest;
};

}  // namespace

namespace std {
ostream& operator<<(ostream& out, const Handshake& one) {
  return out << one.name;
}
ostream& operator<<(ostream& out, const Command& one) {
  return out << one.name;
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(usbip_server_input)

BOOST_DATA_TEST_CASE(instead_of_a_request, data::make(kHandshakes), one) {
  Scene scene;
  ServerRig& rig = scene.rig;
  RawPeer& peer = rig.Connect();

  peer.Send(one.says);
  BOOST_REQUIRE(rig.Run([&] { return peer.ended; }));

  BOOST_TEST(peer.received.size() == one.length);
  if (one.length >= 8) BOOST_TEST(peer.received[7] == one.status);
  const bool told = one.line[0] != 0;
  BOOST_TEST_CONTEXT(rig.LogText()) {
    BOOST_REQUIRE_EQUAL(rig.log.size(), told ? 1u : 0u);
    if (told) BOOST_TEST((rig.log[0].find(one.line) != std::string::npos));
  }
  BOOST_TEST(rig.world.Now().ns < 1'000'000'000);
  scene.CheckHonest();
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

BOOST_DATA_TEST_CASE(instead_of_a_command, data::make(kCommands), one) {
  Scene scene;
  ServerRig& rig = scene.rig;
  RawPeer& peer = rig.ConnectAndImport("1-1");
  rig.log.clear();

  peer.Send(one.says);
  const bool ends = one.line[0] != 0;
  const size_t length = one.length == kMissing ? one.statuses.size() * 48 : one.length;
  BOOST_REQUIRE(rig.Run([&] { return peer.ended || (!ends && peer.received.size() >= length); }));

  BOOST_TEST(peer.ended == ends);
  BOOST_TEST_CONTEXT(rig.LogText()) {
    if (ends) {
      BOOST_TEST(peer.received.empty());
      BOOST_TEST(rig.Run([&] { return rig.server->connections_count() == 1; }));
      BOOST_REQUIRE_EQUAL(rig.log.size(), 1u);
      BOOST_TEST((rig.log[0].find(one.line) != std::string::npos));
    } else {
      BOOST_TEST(rig.log.empty());
      BOOST_REQUIRE_EQUAL(peer.received.size(), length);
      for (size_t index = 0; index < one.statuses.size(); ++index) {
        BOOST_TEST(StatusIn(peer.received, index * 48) == one.statuses[index]);
      }
      // In step, and the device is none the worse.
      BOOST_TEST(rig.Works(peer, kDeviceId));
      rig.Leave(peer);
    }
  }
  scene.CheckHonest();
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

namespace {

// An import, and commands with everything that can follow a header here.
Message Conversation() {
  Message wrapper = Text("USBC", 31);
  wrapper[4] = 7;
  wrapper[8] = 36;
  wrapper[12] = 0x80;
  wrapper[14] = 6;
  wrapper[15] = 0x12;
  wrapper[19] = 36;
  return ImportMessage("1-1") +
         SubmitMessage({.sequence = 1, .in = 0, .setup = kSetConfiguration}) +
         SubmitMessage({.sequence = 2, .endpoint = 1, .in = 0, .length = 31}) + wrapper +
         SubmitMessage({.sequence = 3, .endpoint = 1, .length = 512}) +
         SubmitMessage({.sequence = 4, .endpoint = 1, .length = 512}) + UnlinkMessage(5, 3);
}

}  // namespace

BOOST_AUTO_TEST_CASE(cut_short_at_every_offset) {
  Scene scene;
  ServerRig& rig = scene.rig;
  const Message all = Conversation();
  for (size_t length = 0; length <= all.size(); ++length) {
    BOOST_TEST_CONTEXT("after " << length << " bytes") {
      rig.log.clear();
      RawPeer& peer = rig.Connect();
      peer.Send(Message(all.begin(), all.begin() + static_cast<ptrdiff_t>(length)));
      if (length >= 40) BOOST_REQUIRE(rig.Run([&] { return peer.received.size() >= 320; }));
      rig.Settle(std::chrono::seconds(1));  // so that the log leaves nothing out
      const size_t count = rig.server->connections_count();
      rig.Leave(peer);
      BOOST_TEST(rig.server->connections_count() == count - 1);
      // That it was imported, and that it was given back; before that, that it left.
      BOOST_TEST_CONTEXT(rig.LogText()) BOOST_TEST(rig.log.size() == (length < 40 ? 1u : 2u));
    }
  }
  BOOST_TEST(rig.Status().imports == all.size() - 39);
  BOOST_TEST(rig.Status().peer == "");
  scene.CheckHonest();
  BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
}

BOOST_AUTO_TEST_CASE(garbage_at_every_place) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Scene scene(seed);
      ServerRig& rig = scene.rig;
      Message all = Conversation();
      const size_t first = seed % 2 == 0 ? 40 : 0;
      for (int count = 0; count < 3; ++count) {
        const uint64_t place = rig.chooser.Between(first, all.size() - 1, "which byte is garbage");
        all[place] = static_cast<uint8_t>(rig.chooser.Choose(256, "what it is instead"));
      }
      RawPeer& peer = rig.Connect();
      peer.Send(all);
      rig.Settle(20s);
      scene.CheckHonest();
      rig.Leave(peer);
      BOOST_TEST(rig.WorksAnew("1-1", kDeviceId));
    }
  }
}

// The request is there, and the peer says no more: a shut-down half of a connection is no
// withdrawal.
BOOST_DATA_TEST_CASE(half_open_peers_are_answered, data::xrange(10), seed) {
  Scene scene(static_cast<uint64_t>(seed) + 1);
  ServerRig& rig = scene.rig;
  RawPeer& peer = rig.Connect();

  peer.Send(OpMessage(kVersion, 0x8005));
  BOOST_REQUIRE(rig.Run([&] { return !peer.writing; }));
  peer.socket->ShutDownWriting();
  BOOST_REQUIRE(rig.Run([&] { return peer.ended; }));

  BOOST_TEST(peer.received.size() == 12u + 2 * 316);
  BOOST_TEST((peer.outcome == async::SocketOutcome::kEnd));
  BOOST_TEST(rig.world.Now().ns < 1'000'000'000);
}

BOOST_AUTO_TEST_CASE(a_handshake_has_its_time) {
  for (const size_t length : {0u, 7u, 8u, 39u}) {
    Scene scene;
    ServerRig& rig = scene.rig;
    RawPeer& peer = rig.Connect();
    const Message request = ImportMessage("1-1");
    peer.Send(Message(request.begin(), request.begin() + static_cast<ptrdiff_t>(length)));

    rig.Settle(9s);
    BOOST_TEST(!peer.ended);
    rig.Settle(2s);
    BOOST_TEST(peer.ended);
    BOOST_REQUIRE_EQUAL(rig.log.size(), 1u);
    BOOST_TEST((rig.log[0].find("said nothing that makes a request") != std::string::npos));
    scene.CheckHonest();
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_was_answered_and_stays_is_left) {
  Scene scene;
  ServerRig& rig = scene.rig;
  RawPeer& peer = rig.Connect();
  peer.Send(ImportMessage("9-9"));
  BOOST_REQUIRE(rig.Run([&] { return peer.ended; }));

  for (int count = 0; count < 30; ++count) {
    peer.Send(Message(100'000, 0x11));
    rig.Settle(1s);
  }

  BOOST_TEST(rig.server->connections_count() == 1u);
  scene.CheckHonest();
}

BOOST_AUTO_TEST_SUITE_END()
