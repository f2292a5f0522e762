#include "app/presented_twin.h"

#include <boost/test/unit_test.hpp>

#include "emulator/virtual_controller.h"
#include "tests/app/manual_system.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::app;  // NOLINT
using usb::Outcome;

namespace {

struct Done final : usb::TransferSink {
  void OnDone(usb::Transfer&, uint64_t) override { done = true; }
  bool done = false;
};

// A port whose other end is here, made when it is asked for.
struct Rig {
  PortMaker maker() {
    return [this](usb::Speed speed) -> Result<emulator::Port*, Failure> {
      ++asked;
      if (refusal) return *refusal;
      port = std::make_unique<emulator::VirtualController>(system.clock(), speed);
      return port.get();
    };
  }
  Result<std::unique_ptr<PresentedTwin>, Failure> Make(const std::string& device,
                                                       const PresentOptions& options = {}) {
    return PresentedTwin::Make(system, device, options, maker());
  }

  tests::ManualSystem system;
  std::optional<Failure> refusal;
  int asked = 0;
  std::unique_ptr<emulator::VirtualController> port;
};

std::vector<uint8_t> DeviceDescriptor(Rig& rig) {
  std::vector<uint8_t> room(18, 0xa5);
  usb::Transfer transfer;
  transfer.setup = *wire::View<usb::SetupPacket>("8006000100001200"_hex);
  transfer.in = room;
  transfer.in_length_max = 18;
  Done done;
  transfer.Push(done);
  rig.port->Submit(transfer);
  BOOST_REQUIRE(rig.system.RunUntil([&] { return done.done; }));
  BOOST_TEST((transfer.outcome == Outcome::kOk));
  return room;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(presented_twin)

BOOST_AUTO_TEST_CASE(a_twin_is_plugged_into_the_port_that_is_made_for_its_speed) {
  Rig rig;

  auto twin = rig.Make("emu:?size=1M&speed=full");

  BOOST_REQUIRE_MESSAGE(twin, (twin ? "" : twin.error().text));
  BOOST_TEST(rig.asked == 1);
  BOOST_TEST((rig.port->speed() == usb::Speed::kFull));
  BOOST_TEST(rig.port->attached());
  // idVendor 1209h, idProduct 0001h
  const std::vector<uint8_t> descriptor = DeviceDescriptor(rig);
  BOOST_TEST(Hex(Bytes(descriptor).subspan(8, 4)) == "09 12 01 00");
  BOOST_TEST((*twin)->fault_counts().empty());
  twin->reset();
  BOOST_TEST(rig.port->idle());
}

BOOST_AUTO_TEST_CASE(why_there_is_no_port_is_told) {
  Rig rig;
  rig.refusal = Failure{Failure::Kind::kCannotOpen, "it is in use"};

  const auto twin = rig.Make("emu:?size=1M");

  BOOST_REQUIRE(!twin);
  BOOST_TEST((twin.error().kind == Failure::Kind::kCannotOpen));
  BOOST_TEST(twin.error().text == "it is in use");
}

BOOST_AUTO_TEST_CASE(no_port_is_asked_for_where_there_is_nothing_to_plug_in) {
  Rig rig;
  rig.system.files["link.toml"] = "[[fault]]\nkind = \"bot.wrong-tag\"\n";
  rig.system.files["bad.toml"] = "speed = \"fast\"\n";

  const auto real = rig.Make("1234:5678");
  const auto nonsense = rig.Make("nonsense");
  const auto bad = rig.Make("emu:bad.toml");
  const auto link = rig.Make("emu:?size=1M", {.faults_path = "link.toml"});

  BOOST_REQUIRE(!real);
  BOOST_TEST((real.error().kind == Failure::Kind::kUsage));
  BOOST_REQUIRE(!nonsense);
  BOOST_TEST((nonsense.error().kind == Failure::Kind::kUsage));
  BOOST_REQUIRE(!bad);
  BOOST_TEST((bad.error().kind == Failure::Kind::kCannotOpen));
  BOOST_REQUIRE(!link);
  BOOST_TEST((link.error().kind == Failure::Kind::kUsage));
  BOOST_TEST(link.error().text.starts_with("link.toml:1: bot.wrong-tag is played between"));
  BOOST_TEST(rig.asked == 0);
}

// The port was made and never attached: a twin that goes must not wait for it.
BOOST_AUTO_TEST_CASE(an_image_that_is_not_there_leaves_the_port_alone) {
  Rig rig;

  const auto twin = rig.Make("emu:no-such.img");

  BOOST_REQUIRE(!twin);
  BOOST_TEST((twin.error().kind == Failure::Kind::kCannotOpen));
  BOOST_REQUIRE(rig.port != nullptr);
  BOOST_TEST(!rig.port->attached());
  BOOST_TEST(rig.port->idle());
}

BOOST_AUTO_TEST_CASE(a_plan_is_counted_though_nothing_of_it_is_observed) {
  Rig rig;
  rig.system.files["plan.toml"] =
      "[[fault]]\nkind = \"scsi.medium-error\"\n[[fault]]\nkind = \"store.write-error\"\n";

  const auto twin = rig.Make("emu:?size=1M", {.faults_path = "plan.toml"});

  BOOST_REQUIRE_MESSAGE(twin, (twin ? "" : twin.error().text));
  const std::vector<FaultCount> counts = (*twin)->fault_counts();
  BOOST_REQUIRE(counts.size() == 2u);
  BOOST_TEST(counts[0].kind == "scsi.medium-error");
  BOOST_TEST(counts[0].injected == 0u);
  BOOST_TEST(counts[0].idle_places.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
