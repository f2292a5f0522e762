#include "link/gatekeeper.h"

#include <boost/test/unit_test.hpp>

#include "tests/link/scripted_link.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::link;  // NOLINT
using tests::Host;
using tests::ScriptedLink;

namespace {

// A host that knows control transfers alone, and a link whose port requests are seen.
struct Gate {
  explicit Gate(bool repeated_configuration_resets) {
    link.finish_inside_request = false;
    usb::Configuration configuration;
    configuration.value = 1;
    configuration.interfaces.push_back({.number = 0, .alternates = {}});
    gate.emplace(
        clock, link,
        Gatekeeper::Options{.configurations = {configuration},
                            .repeated_configuration_resets = repeated_configuration_resets});
  }
  // What the link was asked for, in words, while one control transfer ran.
  std::string Ask(const usb::PortRequest& request, usb::Outcome outcome = usb::Outcome::kOk) {
    usb::Transfer transfer;
    transfer.setup = usb::AsSetupPacket(request);
    transfer.Rearm();
    transfer.Push(host);
    gate->Submit(transfer);
    std::string asked;
    while (transfer.outcome == usb::Outcome::kPending) {
      clock.RunPosted();
      if (link.ops.empty()) continue;
      usb::PortOp& op = *link.ops.back();
      link.ops.clear();
      asked += asked.empty() ? "" : ", ";
      asked += NameOf(op.request);
      link.Finish(op, outcome);
    }
    clock.RunPosted();
    BOOST_TEST((transfer.outcome == outcome));
    return asked;
  }
  static std::string NameOf(const usb::PortRequest& request) {
    if (std::holds_alternative<usb::ResetPort>(request)) return "reset";
    if (std::holds_alternative<usb::ClaimInterface>(request)) return "claim";
    if (const auto* set = std::get_if<usb::SetConfiguration>(&request)) {
      return "configure " + std::to_string(set->value);
    }
    return "other";
  }

  ManualClock clock;
  ScriptedLink link{clock};
  Host host;
  std::optional<Gatekeeper> gate;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(gatekeeper)

// Linux's vhci_hcd keeps port resets to itself: a device that had gone silent stayed so for ever.
BOOST_AUTO_TEST_CASE(a_repeated_configuration_resets_where_it_stands_for_that) {
  Gate gate(true);
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "reset, configure 1, claim");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{0}) == "configure 0");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{0}) == "configure 0");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
}

BOOST_AUTO_TEST_CASE(a_host_that_resets_the_port_itself_is_taken_at_its_word) {
  Gate gate(true);
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
  BOOST_TEST(gate.Ask(usb::ResetPort{}) == "reset");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "reset, configure 1, claim");
}

BOOST_AUTO_TEST_CASE(a_repeated_configuration_is_no_reset_elsewhere) {
  Gate gate(false);
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
}

BOOST_AUTO_TEST_CASE(a_reset_that_fails_is_what_the_host_hears) {
  Gate gate(true);
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "configure 1, claim");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}, usb::Outcome::kFault) == "reset");
  BOOST_TEST(gate.Ask(usb::SetConfiguration{1}) == "reset, configure 1, claim");
}

BOOST_AUTO_TEST_SUITE_END()
