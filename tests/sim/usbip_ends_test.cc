// The two ends of USB/IP, with a scripted device below: what only happens when the timing is bad.
#include <boost/test/unit_test.hpp>

#include "async/usbip_bus.h"
#include "async/usbip_server.h"
#include "base/seeded.h"
#include "sim/pipes.h"
#include "tests/link/scripted_link.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::sim;    // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using async::SocketOutcome;
using usb::EndpointAddress;
using usb::Outcome;
using usb::Transfer;

namespace {

constexpr char kAddress[] = "sim:usbip";
constexpr char kBusId[] = "1-1";

class ScriptedBus final : public usb::Bus {
 public:
  ScriptedBus(Clock& clock, usb::Link& link) : clock_(clock), link_(link) {}
  Result<std::vector<usb::DeviceInfo>> Enumerate() override {
    return std::vector<usb::DeviceInfo>();
  }
  void Open(usb::OpenOp& op) override {
    usb::LinkStack stack;
    stack.top = &link_;
    op.result = std::move(stack);
    clock_.Post(op);
  }

 private:
  Clock& clock_;
  usb::Link& link_;
};

struct Opened final : usb::Sink<usb::OpenOp> {
  void OnDone(usb::OpenOp&, uint64_t) override { ++count; }
  int count = 0;
};

// A listener whose every accept is ended by the test.
struct ScriptedListener final : async::Listener {
  ScriptedListener(Clock& clock_in, async::SocketAccept*& accept_in)
      : clock(clock_in), accept(accept_in) {}
  void Accept(async::SocketAccept& one) override { accept = &one; }
  void Cancel(async::SocketAccept& one) override {
    accept = nullptr;
    one.outcome = SocketOutcome::kCancelled;
    clock.Post(one);
  }
  const std::string& address() const override { return name; }
  Clock& clock;
  async::SocketAccept*& accept;
  const std::string name = "sim:scripted";
};

struct Ends {
  explicit Ends(const PipesOptions& options = {}, const async::UsbIpLimits& limits = {})
      : pipes(world, options),
        server(world, limits, [this](const std::string& line) { log.push_back(line); }),
        client(world, pipes, kAddress, {}) {
    link.link_caps.lends_data = false;
    async::UsbIpExport device;
    device.device.bus_id = kBusId;
    device.bus = &bus;
    BOOST_TEST(server.Add(std::move(device)).has_value());
    auto listener = pipes.Listen(kAddress);
    BOOST_REQUIRE(listener.has_value());
    server.Serve(std::move(*listener), {});
  }
  ~Ends() {
    stack.Close();
    server.Stop();
    for (int round = 0; round < 10'000 && !server.idle(); ++round) {
      AnswerPorts();
      for (Transfer* inside : std::vector(link.waiting)) {
        link.Finish(*inside, Outcome::kCancelled, 0);
      }
      world.Step();
    }
    BOOST_TEST(server.idle());
  }
  void AnswerPorts() {
    // What was answered may be gone with its connection.
    for (usb::PortOp* op : std::exchange(link.ops, {})) link.Finish(*op, Outcome::kOk);
  }
  template <class Done>
  bool Run(Done done) {
    return world.RunUntil(done, 100'000).has_value();
  }
  Result<usb::LinkStack> Open() {
    usb::OpenOp op;
    op.id = {kBusId};
    op.Push(opened);
    const int before = opened.count;
    client.Open(op);
    BOOST_TEST(Run([&] { return opened.count != before; }));
    return std::move(op.result);
  }
  void Import() {
    auto result = Open();
    BOOST_REQUIRE(result.has_value());
    stack = std::move(*result);
  }
  void Write(size_t length) {
    data.assign(length, 7);
    transfer.endpoint = EndpointAddress::Out(2);
    transfer.out = data;
    transfer.Push(host);
    stack.top->Submit(transfer);
  }
  void Read(size_t length) {
    data.assign(length, 0);
    transfer.endpoint = EndpointAddress::In(1);
    transfer.in = data;
    transfer.in_length_max = static_cast<uint32_t>(length);
    transfer.Push(host);
    stack.top->Submit(transfer);
  }
  bool WaitsInside() {
    return Run([&] { return !link.waiting.empty(); });
  }

  Seeded chooser{1};
  World world{chooser};
  ScriptedLink link{world};
  ScriptedBus bus{world, link};
  std::vector<std::string> log;
  Pipes pipes;
  async::UsbIpServer server;
  async::UsbIpBus client;
  Opened opened;
  usb::LinkStack stack;
  Host host;
  std::vector<uint8_t> data;
  Transfer transfer;
};

}  // namespace

BOOST_TEST_DONT_PRINT_LOG_VALUE(Outcome)
BOOST_TEST_DONT_PRINT_LOG_VALUE(SocketOutcome)

BOOST_AUTO_TEST_SUITE(usbip_ends)

BOOST_AUTO_TEST_CASE(a_transfer_passes_both_ends) {
  Ends ends;
  ends.Import();
  ends.Write(5000);
  BOOST_REQUIRE(ends.WaitsInside());
  BOOST_TEST(ends.link.waiting[0]->out.size() == 5000u);
  ends.link.Finish(*ends.link.waiting[0], Outcome::kOk, 5000);
  BOOST_TEST(ends.Run([&] { return !ends.host.done.empty(); }));
  BOOST_TEST(ends.transfer.outcome == Outcome::kOk);
  BOOST_TEST(ends.transfer.length_actual == 5000u);
}

// The link went on reading after the last answer, because its data was still being written.
BOOST_AUTO_TEST_CASE(a_link_may_go_when_what_was_refused_early_has_been_written) {
  Ends ends({.buffer_length = 1000, .split = false}, {.urb_length_max = 4096});
  ends.Import();
  ends.Write(100'000);
  BOOST_TEST(ends.Run([&] { return !ends.host.done.empty(); }));
  BOOST_TEST(ends.transfer.outcome != Outcome::kOk);
  ends.stack.Close();
}

// The server stopped reading, took that for the end, and threw away what it had to say.
BOOST_AUTO_TEST_CASE(replies_that_are_queued_are_sent_when_the_server_stops) {
  Ends ends({.buffer_length = 100});
  ends.Import();
  ends.Read(10'000);
  BOOST_REQUIRE(ends.WaitsInside());
  const std::vector<uint8_t> brought(10'000, 9);
  Transfer& inside = *ends.link.waiting[0];
  ends.link.FinishIn(inside, brought);
  BOOST_TEST(ends.Run([&] { return ends.data[0] == 9; }));
  ends.server.Stop();
  BOOST_TEST(ends.Run([&] {
    ends.AnswerPorts();
    return !ends.host.done.empty();
  }));
  BOOST_TEST(ends.transfer.outcome == Outcome::kOk);
  BOOST_TEST(ends.data == brought);
}

// A server that could not let somebody in for a moment let nobody in any more.
BOOST_AUTO_TEST_CASE(a_listener_that_lacks_something_for_a_while_is_asked_again) {
  Ends ends;
  async::SocketAccept* accept = nullptr;
  ends.server.Serve(std::make_unique<ScriptedListener>(ends.world, accept), {});
  BOOST_REQUIRE(accept != nullptr);
  async::SocketAccept& first = *std::exchange(accept, nullptr);
  first.outcome = SocketOutcome::kFault;
  first.why = "too many files are open";
  ends.world.Post(first);
  BOOST_TEST(ends.Run([&] { return accept != nullptr; }));
  BOOST_REQUIRE(!ends.log.empty());
  BOOST_TEST(ends.log.back() == "sim:scripted: too many files are open");
}

BOOST_AUTO_TEST_CASE(a_device_is_reset_before_the_next_host_has_it) {
  Ends ends;
  ends.Import();
  ends.Write(10);
  BOOST_REQUIRE(ends.WaitsInside());
  ends.link.Finish(*ends.link.waiting[0], Outcome::kOk, 10);
  BOOST_TEST(ends.Run([&] { return !ends.host.done.empty(); }));
  ends.stack.Close();
  BOOST_TEST(ends.Run([&] { return !ends.link.ops.empty(); }));
  BOOST_TEST(std::holds_alternative<usb::ResetPort>(ends.link.ops[0]->request));
  const auto early = ends.Open();
  // It waits for that, as long as both ends have time.
  BOOST_REQUIRE(!early.has_value());
  BOOST_TEST(
      (early.error().kind == ErrorKind::kBusy || early.error().kind == ErrorKind::kTimedOut));
  ends.AnswerPorts();
  ends.Import();
}

BOOST_AUTO_TEST_CASE(a_silent_host_loses_its_device_in_the_end) {
  // Each operation of the connection may be the one after which nothing arrives any more.
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Ends ends({.silence_one_in = 10});
    ends.chooser = Seeded(seed);
    auto result = ends.Open();
    if (result) {
      ends.stack = std::move(*result);
      ends.Read(100);
      ends.Run([&] { return !ends.link.waiting.empty() || !ends.host.done.empty(); });
      ends.pipes.Calm();
      BOOST_TEST(ends.Run([&] {
        for (Transfer* transfer : std::vector(ends.link.waiting)) {
          ends.link.Finish(*transfer, Outcome::kCancelled, 0);
        }
        return !ends.host.done.empty();
      }));
      ends.stack.Close();
    }
    ends.pipes.Calm();
    BOOST_TEST(ends.Run([&] {
      ends.AnswerPorts();
      return ends.server.connections_count() == 0;
    }));
    BOOST_TEST(ends.world.Now().ns <= Duration(60s).count());
    ends.link.ops.clear();
    ends.Import();
  }
}

BOOST_AUTO_TEST_SUITE_END()
