#include "app/exporter.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "base/seeded.h"
#include "tests/async/raw_peer.h"
#include "tests/async/town.h"
#include "tests/sim/world_system.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
namespace data = boost::unit_test::data;

namespace {

std::vector<async::IpNetwork> Networks(const std::vector<std::string>& texts) {
  std::vector<async::IpNetwork> networks;
  for (const std::string& text : texts) networks.push_back(*async::IpNetwork::Parse(text));
  return networks;
}

enum class Answer { kRefused, kSeesNothing, kImports };

struct Visit {
  const char* peer;
  std::vector<std::string> networks;
  std::vector<std::string> of_first;  // device, 1-1
  Answer answer;
};

const Visit kVisits[] = {
    {"127.0.0.1:999", {}, {}, Answer::kImports},
    {"[::1]:999", {}, {}, Answer::kImports},
    {"[::ffff:127.0.0.1]:999", {}, {}, Answer::kImports},
    {"unix:", {}, {}, Answer::kImports},
    {"unix:/tmp/10.0.0.1:99", {}, {"10.0.0.0/8"}, Answer::kImports},
    {"10.0.0.1:999", {}, {}, Answer::kRefused},
    {"10.0.0.1:999", {"10.0.0.0/8"}, {}, Answer::kImports},
    {"[::ffff:10.0.0.1]:999", {"10.0.0.0/8"}, {}, Answer::kImports},
    {"[::ffff:a00:1]:999", {"10.0.0.0/8"}, {}, Answer::kImports},
    {"[::ffff:11.0.0.1]:999", {"10.0.0.0/8"}, {}, Answer::kRefused},
    {"[::ffff:10.0.0.1]:999", {"::/0"}, {}, Answer::kRefused},
    {"[fd00::1]:999", {"0.0.0.0/0"}, {}, Answer::kRefused},
    {"[fd00::1]:999", {"10.0.0.0/8", "fd00::/8"}, {}, Answer::kImports},
    {"[fe80::1%eth0]:999", {"fe80::/10"}, {}, Answer::kImports},
    {"10.0.0.1:999", {}, {"10.0.0.1"}, Answer::kImports},
    {"10.0.0.2:999", {}, {"10.0.0.1"}, Answer::kRefused},
    {"10.0.0.2:999", {"10.0.0.0/8"}, {"10.0.0.1"}, Answer::kSeesNothing},
    {"10.0.0.1:999", {"192.168.0.0/16"}, {"10.0.0.1"}, Answer::kImports},
    {"127.0.0.1:999", {"10.0.0.0/8"}, {"10.0.0.1"}, Answer::kImports},
};

struct Place {
  const char* address;
  bool allow;  // a rule exists
  bool taken;
};
constexpr Place kPlaces[] = {
    {"127.0.0.1:3240", false, true},
    {"127.8.8.8:3240", false, true},
    {"[::1]:3240", false, true},
    {"localhost:3240", false, true},
    {"unix:/run/a.sock", false, true},
    {"activated:0", false, true},
    {"[::ffff:127.0.0.1]:3240", false, true},
    {"0.0.0.0:3240", false, false},
    {"[::]:3240", false, false},
    {"10.0.0.1:3240", false, false},
    {"[::ffff:10.0.0.1]:3240", false, false},
    {"localhost.example:3240", false, false},
    {"127.0.0.1.example:3240", false, false},
    {"0.0.0.0:3240", true, true},
    {"[::]:3240", true, true},
};

struct Scene {
  explicit Scene(app::ExportRules rules) : world(chooser), town(world), system(world, &town) {
    app::ExporterOptions options;
    options.rules = std::move(rules);
    options.log = [this](const std::string& line) { log.push_back(line); };
    exporter.emplace(system, std::move(options));
  }
  // What a peer from there hears who says this.
  Message Hear(const std::string& from, const Message& says) {
    town.from = from;
    async::SocketConnect connect;
    connect.address = "127.0.0.1:3240";
    struct Sink final : usb::Sink<async::SocketConnect> {
      void OnDone(async::SocketConnect&, uint64_t) override { done = true; }
      bool done = false;
    } sink;
    connect.Push(sink);
    town.Connect(connect);
    BOOST_REQUIRE(system.RunUntil([&sink] { return sink.done; }));
    peers.push_back(std::make_unique<RawPeer>(std::move(connect.socket)));
    RawPeer& peer = *peers.back();
    peer.Send(says);
    peer.Listen();
    const bool lists = says.size() == sizeof(wire::usbip::OpHeader);
    const size_t wanted = lists ? 12u + 316 : sizeof(wire::usbip::ImportReply);
    BOOST_REQUIRE(system.RunUntil([&] { return peer.ended || peer.received.size() >= wanted; }));
    return peer.received;
  }
  // The exporter ends within.
  void End() {
    for (const auto& peer : peers) peer->Stop();
    exporter->Run([] { return true; });
    BOOST_TEST(system.RunUntil([this] {
      for (const auto& peer : peers) {
        if (!peer->idle()) return false;
      }
      return true;
    }));
    peers.clear();
  }

  Seeded chooser{1};
  sim::World world;
  Town town;
  WorldSystem system;
  std::vector<std::string> log;
  std::vector<std::unique_ptr<RawPeer>> peers;
  std::optional<app::Exporter> exporter;
};

app::ExportRules Rules(const std::vector<std::string>& networks,
                       const std::vector<std::string>& of_first) {
  app::ExportRules rules;
  rules.networks = Networks(networks);
  if (!of_first.empty()) rules.of_bus_id["1-1"] = Networks(of_first);
  return rules;
}

}  // namespace

namespace std {
ostream& operator<<(ostream& out, const Visit& one) {
  out << one.peer << " where";
  for (const string& network : one.networks) out << " " << network;
  for (const string& network : one.of_first) out << " 1-1=" << network;
  return out;
}
ostream& operator<<(ostream& out, const Place& one) {
  return out << one.address << (one.allow ? " with a rule" : "");
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(exporter)

BOOST_DATA_TEST_CASE(who_may_connect_and_import, data::make(kVisits), one) {
  Scene scene(Rules(one.networks, one.of_first));
  BOOST_REQUIRE(scene.exporter->PlugFirst("emu:?size=1M").has_value());
  BOOST_REQUIRE(scene.exporter->Listen("127.0.0.1:3240").has_value());

  const Message list =
      scene.Hear(one.peer, OpMessage(wire::usbip::kVersion, wire::usbip::kRequestDevices));
  const Message import = scene.Hear(one.peer, ImportMessage("1-1"));

  switch (one.answer) {
    case Answer::kRefused:
      BOOST_TEST(list.empty());
      BOOST_TEST(import.empty());
      break;
    case Answer::kSeesNothing:
      BOOST_TEST(list.size() == 12u);
      BOOST_REQUIRE_EQUAL(import.size(), 8u);
      BOOST_TEST(import[7] == 4);  // there is no such device
      break;
    case Answer::kImports:
      BOOST_TEST(list.size() == 12u + 316);
      BOOST_TEST(import.size() == 320u);
      break;
  }
  scene.End();
}

// Others of the same server are listed to the same peer.
BOOST_AUTO_TEST_CASE(a_list_names_what_the_peer_may_import) {
  Scene scene(Rules({"10.0.0.0/8"}, {"10.0.0.1"}));
  BOOST_REQUIRE(scene.exporter->PlugFirst("emu:?size=1M").has_value());
  BOOST_REQUIRE(scene.exporter->PlugFirst("emu:?size=2M").has_value());
  BOOST_REQUIRE(scene.exporter->Listen("127.0.0.1:3240").has_value());

  const Message list =
      scene.Hear("10.0.0.2:999", OpMessage(wire::usbip::kVersion, wire::usbip::kRequestDevices));

  BOOST_REQUIRE_EQUAL(list.size(), 12u + 316);
  const Result<usbip::Device> device =
      usbip::ParseDevice(Take(Drop(Bytes(list), 12), sizeof(wire::usbip::DeviceRecord)));
  BOOST_REQUIRE(device.has_value());
  BOOST_TEST(device->bus_id == "1-2");
  scene.End();
}

// Nor the name of a file.
BOOST_AUTO_TEST_CASE(a_list_does_not_say_what_is_behind_a_device) {
  Scene scene(Rules({}, {}));
  BOOST_REQUIRE(scene.exporter->PlugFirst("emu:?size=1M").has_value());
  BOOST_REQUIRE(scene.exporter->Listen("127.0.0.1:3240").has_value());

  const Message list =
      scene.Hear("127.0.0.1:999", OpMessage(wire::usbip::kVersion, wire::usbip::kRequestDevices));

  BOOST_REQUIRE_EQUAL(list.size(), 12u + 316);
  const Result<usbip::Device> device =
      usbip::ParseDevice(Take(Drop(Bytes(list), 12), sizeof(wire::usbip::DeviceRecord)));
  BOOST_REQUIRE(device.has_value());
  BOOST_TEST(device->path == "/sys/devices/platform/usbtwin/usb1/1-1");
  scene.End();
}

// One peer that imports a device again and again fills no disk either.
BOOST_AUTO_TEST_CASE(the_log_of_imports_is_bounded) {
  Scene scene(Rules({}, {}));
  BOOST_REQUIRE(scene.exporter->PlugFirst("emu:?size=1M").has_value());
  BOOST_REQUIRE(scene.exporter->Listen("127.0.0.1:3240").has_value());
  scene.log.clear();
  const auto is_about_imports = [](const std::string& line) {
    return line.find("imported 1-1") != std::string::npos ||
           line.find("gave 1-1 back") != std::string::npos;
  };
  for (int count = 0; count < 15; ++count) {
    BOOST_REQUIRE_EQUAL(scene.Hear("127.0.0.1:999", ImportMessage("1-1")).size(), 320u);
    scene.peers.back()->Stop();
    BOOST_REQUIRE(scene.system.RunUntil([&] { return scene.peers.back()->idle(); }));
    scene.peers.clear();
    BOOST_REQUIRE(scene.system.RunUntil([&] {
      return scene.exporter->StatusLine().find("\"imported_by\":null") != std::string::npos;
    }));
  }
  BOOST_TEST(std::count_if(scene.log.begin(), scene.log.end(), is_about_imports) == 10);
  BOOST_TEST(scene.system.RunUntil([&] { return scene.log.size() == 11; }));
  BOOST_TEST(scene.log[10] ==
             "20 more lines about devices imported and given back within a second: left out");
  scene.End();
}

BOOST_AUTO_TEST_CASE(the_log_of_peers_that_may_not_is_bounded) {
  Scene scene(Rules({}, {}));
  BOOST_REQUIRE(scene.exporter->Listen("127.0.0.1:3240").has_value());
  for (int count = 0; count < 30; ++count) {
    (void)scene.Hear("10.0.0.1:999", OpMessage(wire::usbip::kVersion, 0x8005));
  }
  BOOST_REQUIRE_EQUAL(scene.log.size(), 10u);
  BOOST_TEST(scene.log[9] == "10.0.0.1:999: refused: --allow does not name its address");
  BOOST_TEST(scene.system.RunUntil([&] { return scene.log.size() == 11; }));
  BOOST_TEST(scene.log[10] ==
             "20 more lines about peers that imported nothing within a second: left out");
  scene.End();
}

BOOST_DATA_TEST_CASE(where_it_listens, data::make(kPlaces), one) {
  Scene scene(one.allow ? Rules({"10.0.0.0/8"}, {}) : Rules({}, {}));

  const auto taken = scene.exporter->Listen(one.address);

  BOOST_TEST(taken.has_value() == one.taken);
  if (!taken) {
    BOOST_TEST((taken.error().kind == app::Failure::Kind::kUsage));
    BOOST_TEST((taken.error().text.find("--allow") != std::string::npos));
  }
  scene.End();
}

// Not even with a rule: the system takes a number for an address, 33300 for 0.0.130.20.
BOOST_AUTO_TEST_CASE(what_is_no_address_is_told) {
  Scene scene(Rules({"10.0.0.0/8"}, {}));
  const std::pair<const char*, const char*> cases[] = {
      {"33300",
       "--listen 33300: a number alone is no host: a port follows one, as in "
       "127.0.0.1:33300"},
      {":3240", "--listen :3240: no host"},
      {"127.0.0.1:99999", "--listen 127.0.0.1:99999: port \"99999\" is not 0 to 65535"},
  };
  for (const auto& [address, text] : cases) {
    const auto taken = scene.exporter->Listen(address);
    BOOST_REQUIRE(!taken.has_value());
    BOOST_TEST((taken.error().kind == app::Failure::Kind::kUsage));
    BOOST_TEST(taken.error().text == text);
  }
  scene.End();
}

BOOST_AUTO_TEST_CASE(a_control_socket_is_a_file) {
  Scene scene(Rules({}, {}));
  for (const char* address : {"127.0.0.1:9", "", "activated:0", "/run/usbtwin.sock"}) {
    const auto taken = scene.exporter->ListenForControl(address);
    BOOST_REQUIRE(!taken.has_value());
    BOOST_TEST((taken.error().kind == app::Failure::Kind::kUsage));
  }
  scene.End();
}

BOOST_AUTO_TEST_SUITE_END()
