// How long the client waits for a server that is silent: as long as it was told to, or until it is
// told to wait no longer.
#include <boost/test/unit_test.hpp>

#include "tests/async/fake_server.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using usb::Outcome;

namespace {

const async::UsbIpBusOptions kShort{.open_time = 300ms,
                                    .link = {.unlink_time = 200ms, .handle_gone = nullptr}};

// A bus with times of its own, at a server that says what a test tells it to.
class Opened final : private usb::Sink<usb::OpenOp> {
 public:
  explicit Opened(const async::UsbIpBusOptions& options)
      : bus(server.world, server.pipes, "sim:server", options) {
    open.id = {"1-1"};
    open.Push(*this);
    bus.Open(open);
  }
  void Grant() {
    BOOST_REQUIRE(server.Run([this] { return !server.peers.empty(); }));
    server.peers.back()->Send(kGranted);
    Wait();
    BOOST_REQUIRE(open.result.has_value());
  }
  void Wait() {
    BOOST_REQUIRE(server.Run([this] { return done; }));
  }

  FakeServer server;
  async::UsbIpBus bus;
  usb::OpenOp open;
  bool done = false;

 private:
  void OnDone(usb::OpenOp&, uint64_t) override { done = true; }
};

// Where names are looked up for ever.
class NoResolver final : public async::SocketProvider {
 public:
  explicit NoResolver(Clock& clock) : clock_(clock) {}
  void Connect(async::SocketConnect&) override {}
  void Cancel(async::SocketConnect& connect) override {
    connect.outcome = async::SocketOutcome::kCancelled;
    connect.looking_up = true;
    clock_.Post(connect);
  }
  Result<std::unique_ptr<async::Listener>, async::SocketError> Listen(const std::string&) override {
    return async::SocketError{};
  }

 private:
  Clock& clock_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_client_time)

BOOST_AUTO_TEST_CASE(an_opening_ends_in_its_time_and_says_where_it_was) {
  Opened opened(kShort);
  const TimePoint start = opened.server.world.Now();

  opened.Wait();

  BOOST_TEST((opened.server.world.Now() - start == Duration(300ms)));
  BOOST_REQUIRE(!opened.open.result.has_value());
  BOOST_TEST(opened.open.result.error().Describe() ==
             "timed out in open: connected, but the import was not answered in 300 ms");
  BOOST_TEST(opened.bus.why() == "");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_looked_up_in_time_is_told) {
  Seeded chooser(1);
  sim::World world(chooser);
  NoResolver sockets(world);
  std::string why;
  async::Job<Result<std::vector<usbip::Device>>> job(
      world, async::ListDevices(sockets, "slow.test:3240", 300ms, why));
  BOOST_TEST(world.RunUntil([&] { return job.done(); }, 1000).has_value());
  BOOST_TEST((world.Now() - TimePoint() == Duration(300ms)));
  BOOST_TEST(job.result().error().Describe() ==
             "timed out in open: the server's name was not looked up in 300 ms");
}

BOOST_AUTO_TEST_CASE(an_unlink_that_is_not_answered_ends_the_link_in_its_time) {
  Opened opened(kShort);
  opened.Grant();
  usb::Link& link = *opened.open.result->top;
  std::array<uint8_t, 4> room{};
  usb::Transfer transfer;
  opened.server.Submit(link, transfer, room);
  opened.server.Settle(10s);
  const TimePoint start = opened.server.world.Now();

  link.Cancel(transfer);
  BOOST_REQUIRE(opened.server.Run([&] { return opened.server.under_way == 0; }));

  BOOST_TEST((opened.server.world.Now() - start == Duration(200ms)));
  BOOST_TEST((transfer.outcome == Outcome::kDisconnected));
  BOOST_TEST(opened.bus.why() ==
             "sim:server: a transfer was cancelled, and the server did not answer that within "
             "200 ms");
  opened.open.result = Error{};
}

BOOST_AUTO_TEST_CASE(an_opening_that_is_given_up_ends_at_once) {
  Opened opened({});
  BOOST_REQUIRE(opened.server.Run([&] { return !opened.server.peers.empty(); }));
  const TimePoint start = opened.server.world.Now();

  opened.bus.GiveUp();
  opened.Wait();

  BOOST_TEST((opened.server.world.Now() - start < Duration(10ms)));
  BOOST_REQUIRE(!opened.open.result.has_value());
  BOOST_TEST((opened.open.result.error().kind == ErrorKind::kCancelled));
}

BOOST_AUTO_TEST_CASE(a_link_that_is_given_up_lets_go_of_everything_at_once) {
  Opened opened({});
  opened.Grant();
  usb::Link& link = *opened.open.result->top;
  std::array<uint8_t, 4> room{};
  usb::Transfer cancelled, waiting;
  opened.server.Submit(link, cancelled, room);
  opened.server.Submit(link, waiting, room);
  link.Cancel(cancelled);
  opened.server.Settle(1s);
  BOOST_TEST(opened.server.under_way == 2);
  const TimePoint start = opened.server.world.Now();

  opened.bus.GiveUp();
  BOOST_REQUIRE(opened.server.Run([&] { return opened.server.under_way == 0; }));

  BOOST_TEST((opened.server.world.Now() - start < Duration(10ms)));
  BOOST_TEST((cancelled.outcome == Outcome::kDisconnected));
  BOOST_TEST((waiting.outcome == Outcome::kDisconnected));
  opened.open.result = Error{};
}

BOOST_AUTO_TEST_SUITE_END()
