#include "link/gatekeeper.h"

#include <boost/test/unit_test.hpp>

#include "link/auditor.h"
#include "tests/link/scripted_link.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::link;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;
using usb::PortOp;
using usb::Transfer;

namespace {

constexpr auto kBulkIn = EndpointAddress::In(1);
constexpr auto kBulkOut = EndpointAddress::Out(2);
constexpr auto kIsoIn = EndpointAddress::In(3);

usb::EndpointConfig Endpoint(EndpointAddress address, usb::TransferType type) {
  return {.address = address, .type = type};
}

// Interface 0 has a bulk pair; interface 4 an isochronous pipe in its setting 1.
std::vector<usb::Configuration> TwoInterfaces() {
  const usb::Alternate bulk{.endpoints = {Endpoint(kBulkIn, usb::TransferType::kBulk),
                                          Endpoint(kBulkOut, usb::TransferType::kBulk)}};
  const usb::Alternate iso{.setting = 1,
                           .endpoints = {Endpoint(kIsoIn, usb::TransferType::kIsochronous)}};
  const usb::Interface first{.number = 0, .alternates = {bulk}};
  const usb::Interface second{.number = 4, .alternates = {usb::Alternate{}, iso}};
  return {{.value = 2, .interfaces = {first, second}}};
}

struct Posted final : Deferred {
  void Run() override { ++count; }
  int count = 0;
};

struct Gate {
  Gate() {
    reading.endpoint = kBulkIn;
    reading.in = room;
    reading.in_length_max = 4;
    writing.endpoint = more_writing.endpoint = kBulkOut;
    writing.out = more_writing.out = data;
  }
  // What the test leaves under way ends.
  ~Gate() {
    if (closed.count == 0) gate->Close(closed);
    for (int round = 0; round < 20 && closed.count == 0; ++round) {
      clock.RunPosted();
      for (Transfer* transfer : std::vector(link.waiting)) {
        link.Finish(*transfer, Outcome::kCancelled, 0);
      }
      for (PortOp* op : std::exchange(link.ops, {})) {
        if (op->outcome == Outcome::kPending) link.Finish(*op, Outcome::kOk);
      }
    }
    BOOST_TEST(closed.count == 1);
  }
  void Submit(Transfer& transfer) {
    transfer.Rearm();
    transfer.Push(host);
    gate->Submit(transfer);
  }
  void Control(Transfer& transfer, const usb::SetupPacket& setup) {
    transfer.endpoint = {};
    transfer.setup = setup;
    Submit(transfer);
    clock.RunPosted();
  }
  void Ask(Transfer& transfer, const usb::PortRequest& request) {
    Control(transfer, *usb::AsSetupPacket(request));
  }
  void Finish(Transfer& transfer, Outcome outcome = Outcome::kOk, uint32_t length = 0) {
    link.Finish(transfer, outcome, length);
    clock.RunPosted();
  }
  // The port request that was sent last.
  void FinishPort(Outcome outcome = Outcome::kOk) {
    link.Finish(*link.ops.back(), outcome);
    clock.RunPosted();
  }
  void Configure() {
    Ask(control, usb::SetConfiguration{2});
    for (int step = 0; step < 3; ++step) FinishPort();
    BOOST_TEST(control.outcome == Outcome::kOk);
    link.ops.clear();
    host.done.clear();
  }
  template <class T>
  const T& Sent() const {
    BOOST_REQUIRE(!link.ops.empty());
    const T* request = std::get_if<T>(&link.ops.back()->request);
    BOOST_REQUIRE(request != nullptr);
    return *request;
  }

  ManualClock clock;
  ScriptedLink link{clock};
  // Says where the link is asked for what no link allows.
  Auditor auditor{link};
  std::optional<Gatekeeper> gate{std::in_place, clock, auditor,
                                 Gatekeeper::Options{.configurations = TwoInterfaces()}};
  Host host;
  Posted closed;
  std::array<uint8_t, 4> room{}, data{};
  Transfer reading, writing, more_writing, control, more_control;
};

constexpr usb::SetupPacket kGetStatus{.request_type = 0x80, .request = 0, .length = 0};

}  // namespace

BOOST_TEST_DONT_PRINT_LOG_VALUE(Outcome)

BOOST_FIXTURE_TEST_SUITE(gatekeeper, Gate)

BOOST_AUTO_TEST_CASE(transfers_pass) {
  Submit(reading);
  BOOST_REQUIRE(link.waiting.size() == 1u);
  BOOST_TEST(link.waiting[0] == &reading);
  Finish(reading, Outcome::kOk, 4);
  BOOST_REQUIRE(host.done.size() == 1u);
  BOOST_TEST(reading.length_actual == 4u);
}

BOOST_AUTO_TEST_CASE(control_transfers_pass_one_at_a_time_and_in_order) {
  Control(control, kGetStatus);
  Control(more_control, kGetStatus);
  BOOST_TEST((link.waiting == std::vector<Transfer*>{&control}));
  Finish(control);
  BOOST_TEST((link.waiting == std::vector<Transfer*>{&more_control}));
  Finish(more_control, Outcome::kStall);
  BOOST_TEST((host.done == std::vector<Transfer*>{&control, &more_control}));
}

BOOST_AUTO_TEST_CASE(what_stands_for_a_port_request_never_travels_as_a_transfer) {
  Configure();
  for (const usb::PortRequest& request :
       {usb::PortRequest(usb::ClearHalt{kBulkIn}), usb::PortRequest(usb::SetAlternate{4, 1}),
        usb::PortRequest(usb::ResetPort{})}) {
    Ask(control, request);
    BOOST_TEST(link.waiting.empty());
    BOOST_REQUIRE(link.ops.size() == 1u);
    BOOST_TEST(link.ops[0]->request.index() == request.index());
    BOOST_TEST(host.done.empty());
    FinishPort();
    BOOST_TEST((host.done == std::vector<Transfer*>{&control}));
    link.ops.clear();
    host.done.clear();
  }
}

BOOST_AUTO_TEST_CASE(a_port_request_waits_until_its_endpoints_are_empty) {
  Configure();
  Submit(writing);
  Submit(reading);
  Ask(control, usb::ClearHalt{kBulkOut});
  BOOST_TEST((link.cancelled == std::vector<Transfer*>{&writing}));
  BOOST_TEST(link.ops.empty());
  Finish(writing, Outcome::kCancelled, 1);
  BOOST_TEST(Sent<usb::ClearHalt>().endpoint.value == kBulkOut.value);
  BOOST_TEST((link.waiting == std::vector<Transfer*>{&reading}));
}

BOOST_AUTO_TEST_CASE(what_comes_for_those_endpoints_is_held_until_it_is_done) {
  Configure();
  Submit(writing);
  Ask(control, usb::ClearHalt{kBulkOut});
  Submit(more_writing);
  Submit(reading);
  BOOST_TEST((link.waiting == std::vector<Transfer*>{&writing, &reading}));
  Finish(writing, Outcome::kCancelled);
  BOOST_TEST((link.waiting == std::vector<Transfer*>{&reading}));
  FinishPort();
  BOOST_TEST((link.waiting == std::vector<Transfer*>{&reading, &more_writing}));
  BOOST_TEST(control.outcome == Outcome::kOk);
}

BOOST_AUTO_TEST_CASE(what_is_held_can_be_cancelled) {
  Configure();
  Ask(control, usb::ClearHalt{kBulkOut});
  Submit(writing);
  Control(more_control, kGetStatus);
  gate->Cancel(writing);
  gate->Cancel(more_control);
  gate->Cancel(control);  // stands for the port request, and ends with it
  BOOST_TEST(host.done.empty());
  clock.RunPosted();
  BOOST_TEST((host.done == std::vector<Transfer*>{&writing, &more_control}));
  BOOST_TEST(writing.outcome == Outcome::kCancelled);
  BOOST_TEST(link.cancelled.empty());
  FinishPort();
  BOOST_TEST(control.outcome == Outcome::kOk);
}

BOOST_AUTO_TEST_CASE(a_new_configuration_empties_all_endpoints_and_its_interfaces_are_claimed) {
  Submit(reading);
  Ask(control, usb::SetConfiguration{2});
  BOOST_TEST((link.cancelled == std::vector<Transfer*>{&reading}));
  Finish(reading, Outcome::kCancelled);
  BOOST_TEST(Sent<usb::SetConfiguration>().value == 2);
  FinishPort();
  BOOST_TEST(Sent<usb::ClaimInterface>().interface == 0);
  FinishPort();
  BOOST_TEST(Sent<usb::ClaimInterface>().interface == 4);
  BOOST_TEST(control.outcome == Outcome::kPending);
  FinishPort();
  BOOST_TEST(control.outcome == Outcome::kOk);
  BOOST_TEST(gate->configuration_value() == 2);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_is_refused_changes_nothing) {
  Configure();
  Ask(control, usb::SetConfiguration{7});
  FinishPort(Outcome::kStall);
  BOOST_TEST(control.outcome == Outcome::kStall);
  BOOST_TEST(gate->configuration_value() == 2);
  BOOST_TEST(link.ops.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_interface_that_somebody_has_fails_the_configuration) {
  Ask(control, usb::SetConfiguration{2});
  FinishPort();
  FinishPort(Outcome::kBusy);
  BOOST_TEST(control.outcome == Outcome::kBusy);
  BOOST_TEST(link.ops.size() == 2u);
}

// One that no selected setting has is what it is in another one: its transfers have packets.
// A real device usually was configured before: its host asks, and sets nothing.
BOOST_AUTO_TEST_CASE(a_configuration_that_is_found_has_its_interfaces_claimed) {
  control.in = MutableBytes(room).first(1);
  control.in_length_max = 1;
  Control(control, {.request_type = 0x80, .request = 8, .length = uint16_t{1}});
  link.FinishIn(control, "02"_hex);
  clock.RunPosted();
  BOOST_TEST(Sent<usb::ClaimInterface>().interface == 0);
  BOOST_TEST(host.done.empty());
  FinishPort();
  BOOST_TEST(Sent<usb::ClaimInterface>().interface == 4);
  FinishPort();
  BOOST_REQUIRE(host.done.size() == 1u);
  BOOST_TEST(control.outcome == Outcome::kOk);
  BOOST_TEST(control.length_actual == 1u);
  BOOST_TEST(room[0] == 2);
  BOOST_TEST(gate->configuration_value() == 2);
  BOOST_TEST(gate->IsBulk(kBulkIn));

  // Once is enough.
  Control(control, {.request_type = 0x80, .request = 8, .length = uint16_t{1}});
  link.FinishIn(control, "02"_hex);
  clock.RunPosted();
  BOOST_TEST(host.done.size() == 2u);
  BOOST_TEST(link.ops.size() == 2u);
}

BOOST_AUTO_TEST_CASE(no_configuration_is_none) {
  control.in = MutableBytes(room).first(1);
  control.in_length_max = 1;
  Control(control, {.request_type = 0x80, .request = 8, .length = uint16_t{1}});
  link.FinishIn(control, "00"_hex);
  clock.RunPosted();
  BOOST_TEST(host.done.size() == 1u);
  BOOST_TEST(link.ops.empty());
}

BOOST_AUTO_TEST_CASE(endpoints_are_isochronous_where_a_setting_of_the_configuration_says_so) {
  BOOST_TEST(!gate->IsIsochronous(kIsoIn));
  Configure();
  BOOST_TEST(gate->IsIsochronous(kIsoIn));
  Ask(control, usb::SetAlternate{4, 1});
  FinishPort();
  BOOST_TEST(gate->IsIsochronous(kIsoIn));
  BOOST_TEST(!gate->IsIsochronous(kBulkIn));
  Ask(control, usb::ResetPort{});  // the link selects it again
  FinishPort();
  BOOST_TEST(gate->IsIsochronous(kIsoIn));
  Ask(control, usb::SetAlternate{4, 0});
  FinishPort();
  BOOST_TEST(gate->IsIsochronous(kIsoIn));
}

BOOST_AUTO_TEST_CASE(closing_cancels_everything_and_resets_the_port) {
  Configure();
  Submit(reading);
  Control(control, kGetStatus);
  Control(more_control, kGetStatus);
  gate->Close(closed);
  clock.RunPosted();
  BOOST_TEST((host.done == std::vector<Transfer*>{&more_control}));
  BOOST_TEST(link.cancelled.size() == 2u);
  Finish(control, Outcome::kCancelled);
  BOOST_TEST(link.ops.empty());
  Finish(reading, Outcome::kCancelled);
  static_cast<void>(Sent<usb::ResetPort>());
  BOOST_TEST(closed.count == 0);
  FinishPort();
  BOOST_TEST(closed.count == 1);
}

BOOST_AUTO_TEST_CASE(closing_waits_for_a_port_request) {
  Configure();
  Submit(writing);
  Ask(control, usb::ClearHalt{kBulkOut});
  Submit(more_writing);
  gate->Close(closed);
  clock.RunPosted();
  BOOST_TEST(more_writing.outcome == Outcome::kCancelled);
  Finish(writing, Outcome::kCancelled);
  static_cast<void>(Sent<usb::ClearHalt>());
  FinishPort();
  static_cast<void>(Sent<usb::ResetPort>());
  FinishPort();
  BOOST_TEST(closed.count == 1);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_gone_is_not_reset) {
  Submit(reading);
  Finish(reading, Outcome::kDisconnected);
  BOOST_TEST(gate->gone());
  gate->Close(closed);
  clock.RunPosted();
  BOOST_TEST(closed.count == 1);
  BOOST_TEST(link.ops.empty());
}

BOOST_AUTO_TEST_SUITE_END()
