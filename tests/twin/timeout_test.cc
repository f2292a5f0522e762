// What the transport does when time runs out at awkward moments, and what the twin's port does with
// requests that a reset overtakes.
#include <boost/test/unit_test.hpp>

#include "rig.h"

using namespace usbtwin;  // NOLINT
using std::chrono::seconds;
using usb::Outcome;

namespace {

// Holds port requests back for a while, and status reads until they are cancelled.
class Slow final : public usb::Link, private Timer {
 public:
  Slow(Clock& clock, usb::Link& inner) : clock_(clock), inner_(inner) {}
  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override {
    if (holds_status && transfer.endpoint.is_in() && transfer.in_length_max == 13) {
      held_ = &transfer;
    } else {
      inner_.Submit(transfer);
    }
  }
  void Cancel(usb::Transfer& transfer) override {
    if (held_ != &transfer) return inner_.Cancel(transfer);
    held_ = nullptr;
    transfer.outcome = Outcome::kCancelled;
    clock_.Post(transfer);
  }
  void Request(usb::PortOp& op) override {
    if (port_delay.count() == 0) return inner_.Request(op);
    op_ = &op;
    clock_.Arm(*this, clock_.Now() + port_delay);
  }

  bool holds_status = false;
  Duration port_delay{};

 private:
  void HandleTimer() override { inner_.Request(*std::exchange(op_, nullptr)); }
  Clock& clock_;
  usb::Link& inner_;
  usb::Transfer* held_ = nullptr;
  usb::PortOp* op_ = nullptr;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(timeout)

// The deadline passed while a halt was being cleared, and the timer was never armed again: the
// status read that followed waited for ever.
BOOST_AUTO_TEST_CASE(a_deadline_that_passes_during_a_port_request_still_counts) {
  Rig rig;
  rig.Settle();
  Slow slow(rig.clock, rig.link());
  rig.transport = std::make_unique<host::BotTransport>(rig.clock, slow, rig.transport_options);
  slow.holds_status = true;
  slow.port_delay = seconds(31);
  std::vector<uint8_t> room(512);
  const auto result = rig.Read(0xffffffff, 1, room);
  BOOST_REQUIRE(!result.has_value());
  BOOST_CHECK(result.error().kind == ErrorKind::kTimedOut);
  BOOST_CHECK(result.error().phase == Phase::kStatus);
  slow.holds_status = false;
  slow.port_delay = {};
  rig.Settle();
  rig.transport.reset();
}

BOOST_AUTO_TEST_CASE(a_silent_status_times_out_when_it_should) {
  Rig rig;
  rig.Settle();
  Slow slow(rig.clock, rig.link());
  rig.transport = std::make_unique<host::BotTransport>(rig.clock, slow, rig.transport_options);
  slow.holds_status = true;
  const TimePoint start = rig.clock.Now();
  const std::array<uint8_t, 6> ready{};
  const auto result = rig.Execute({.cdb = ready, .timeout = seconds(7)});
  BOOST_REQUIRE(!result.has_value());
  BOOST_CHECK(result.error().kind == ErrorKind::kTimedOut);
  BOOST_TEST((rig.clock.Now() - start == seconds(7)));
  slow.holds_status = false;
  rig.Settle();
  rig.transport.reset();
}

// A control transfer that waited while the port was reset was carried out on the reset device.
BOOST_AUTO_TEST_CASE(a_port_reset_cancels_the_control_transfers_before_it) {
  Rig rig;
  rig.Settle();
  struct Done final : usb::TransferSink, usb::PortSink {
    void OnDone(usb::Transfer&, uint64_t) override {}
    void OnDone(usb::PortOp&, uint64_t) override {}
  } done;
  std::array<uint8_t, 18> room{};
  usb::Transfer transfer;
  transfer.setup = usb::SetupPacket{.request_type = 0x80,
                                    .request = 6,
                                    .value = uint16_t{0x0100},
                                    .index = uint16_t{0},
                                    .length = uint16_t{18}};
  transfer.in = room;
  transfer.in_length_max = 18;
  transfer.Push(done);
  usb::PortOp reset;
  reset.request = usb::ResetPort{};
  reset.Push(done);
  rig.link().Request(reset);
  rig.link().Submit(transfer);
  rig.clock.RunPosted();
  BOOST_CHECK(reset.outcome == Outcome::kOk);
  BOOST_CHECK(transfer.outcome == Outcome::kCancelled);
}

// In test mode a high-speed device answers nothing, so its configuration cannot come back.
BOOST_AUTO_TEST_CASE(a_port_reset_that_loses_the_configuration_says_so) {
  Rig rig;
  rig.Settle();
  const usb::SetupPacket test_mode{.request_type = 0,
                                   .request = 3,
                                   .value = uint16_t{2},
                                   .index = uint16_t{0x0400},
                                   .length = uint16_t{0}};
  BOOST_REQUIRE(rig.Control(test_mode).outcome == Outcome::kOk);
  BOOST_CHECK(rig.Port(usb::ResetPort{}) == Outcome::kFault);
}

BOOST_AUTO_TEST_SUITE_END()
