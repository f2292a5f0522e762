#include "link/throttle.h"

#include <boost/test/unit_test.hpp>

#include "link/auditor.h"
#include "tests/link/scripted_link.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::link;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using usb::Outcome;
using usb::PortOp;
using usb::Transfer;

namespace {

struct Bench {
  Bench() {
    first.endpoint = second.endpoint = usb::EndpointAddress::Out(2);
    other.endpoint = usb::EndpointAddress::Out(3);
    first.out = second.out = other.out = data;
  }
  void Make(ThrottleOptions options) {
    throttle.emplace(clock, link, options);
    auditor.emplace(*throttle);
  }
  void Submit(Transfer& transfer) {
    transfer.Push(host);
    auditor->Submit(transfer);
  }
  void Finish(Transfer& transfer, Outcome outcome = Outcome::kOk, uint32_t length = 1000) {
    link.Finish(transfer, outcome, length);
    clock.RunPosted();
  }
  void Request(PortOp& op, const usb::PortRequest& request, Outcome outcome) {
    op.request = request;
    op.Push(host);
    auditor->Request(op);
    clock.RunPosted();
    link.Finish(op, outcome);
    clock.RunPosted();
  }
  size_t DoneAfter(Duration time) {
    clock.Advance(time);
    return host.done.size();
  }

  ManualClock clock;
  ScriptedLink link{clock};
  std::optional<Throttle> throttle;
  std::optional<Auditor> auditor;
  Host host;
  std::vector<uint8_t> data = std::vector<uint8_t>(1000);
  Transfer first, second, other;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(throttle_link, Bench)

BOOST_AUTO_TEST_CASE(without_limits_nothing_waits) {
  Make({});
  BOOST_TEST(auditor->caps().transfer_length_max == link.link_caps.transfer_length_max);
  Submit(first);
  Finish(first);
  BOOST_TEST(host.done.size() == 1u);
}

BOOST_AUTO_TEST_CASE(bytes_take_their_time_one_after_another) {
  Make({.bytes_per_second = 10'000});
  Submit(first);
  Submit(second);
  Submit(other);
  for (Transfer* transfer : {&first, &other, &second}) Finish(*transfer);
  BOOST_TEST(DoneAfter(99ms) == 0u);
  BOOST_TEST(DoneAfter(1ms) == 1u);
  BOOST_TEST(DoneAfter(99ms) == 1u);
  BOOST_TEST(DoneAfter(1ms) == 2u);
  BOOST_TEST(DoneAfter(100ms) == 3u);
  BOOST_TEST((host.done == std::vector<Transfer*>{&first, &other, &second}));
  BOOST_TEST(first.length_actual == 1000u);
}

BOOST_AUTO_TEST_CASE(time_that_was_not_used_is_gone) {
  Make({.bytes_per_second = 10'000});
  clock.Advance(10s);
  Submit(first);
  Finish(first);
  BOOST_TEST(DoneAfter(99ms) == 0u);
  BOOST_TEST(DoneAfter(1ms) == 1u);
}

BOOST_AUTO_TEST_CASE(latencies_overlap) {
  Make({.latency = 5ms});
  Submit(first);
  Submit(second);
  Finish(first);
  clock.Advance(1ms);
  Finish(second);
  BOOST_TEST(DoneAfter(3ms) == 0u);
  BOOST_TEST(DoneAfter(1ms) == 1u);
  BOOST_TEST(DoneAfter(1ms) == 2u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_transfer_waits_no_longer) {
  Make({.bytes_per_second = 10});
  Submit(first);
  Submit(second);
  Finish(first);
  Finish(second);
  auditor->Cancel(second);
  BOOST_TEST(DoneAfter(0s) == 1u);
  BOOST_TEST((second.outcome == Outcome::kCancelled));
  BOOST_TEST(second.length_actual == 1000u);
  BOOST_TEST(link.cancelled.empty());
  auditor->Cancel(first);
  BOOST_TEST(DoneAfter(0s) == 2u);
}

BOOST_AUTO_TEST_CASE(what_is_below_is_cancelled_there) {
  Make({.latency = 5ms});
  Submit(first);
  auditor->Cancel(first);
  BOOST_TEST(link.cancelled.size() == 1u);
  Finish(first, Outcome::kCancelled, 0);
  BOOST_TEST(host.done.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_disconnection_ends_what_waits) {
  Make({.latency = 5ms});
  Submit(first);
  Submit(other);
  Finish(first);
  Finish(other, Outcome::kDisconnected, 0);
  BOOST_TEST(host.done.size() == 2u);
  BOOST_TEST((first.outcome == Outcome::kDisconnected));
}

BOOST_AUTO_TEST_CASE(a_disconnection_keeps_the_order_of_an_endpoint) {
  Make({.latency = 1ms});
  Submit(first);
  Submit(second);
  Finish(first);
  Finish(second, Outcome::kDisconnected, 0);
  BOOST_TEST(host.done == (std::vector<Transfer*>{&first, &second}),
             boost::test_tools::per_element());
  BOOST_TEST((first.outcome == Outcome::kDisconnected));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_gone_ends_what_waits) {
  Make({.latency = 5ms});
  Submit(first);
  Finish(first);
  PortOp op;
  Request(op, usb::ClearHalt{{0x83}}, Outcome::kDisconnected);
  BOOST_TEST(host.done.size() == 1u);
  BOOST_TEST((first.outcome == Outcome::kDisconnected));
}

BOOST_AUTO_TEST_CASE(a_reset_cancels_what_waits) {
  Make({.latency = 5ms});
  Submit(first);
  Finish(first);
  PortOp op;
  Request(op, usb::ResetPort{}, Outcome::kOk);
  BOOST_TEST(host.done.size() == 1u);
  BOOST_TEST((first.outcome == Outcome::kCancelled));
}

BOOST_AUTO_TEST_SUITE_END()
