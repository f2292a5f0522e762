#include "os/linux/resolver.h"

#include "tests/os/socket_calls.h"
#include "tests/os/socket_rigs.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::os;     // NOLINT
using namespace usbtwin::tests;  // NOLINT
using async::SocketOutcome;

BOOST_AUTO_TEST_SUITE(resolver)

BOOST_AUTO_TEST_CASE(a_connect_is_cancelled_while_its_name_is_looked_up) {
  const int answers = slow_answers;
  std::unique_lock lock(slow_resolver);
  {
    TcpRig rig;
    Tracked<async::SocketConnect> connect;
    connect.op.address = "slow.test:1";
    rig.provider().Connect(connect.Pushed());
    rig.Settle();
    BOOST_TEST(connect.done == 0);
    rig.provider().Cancel(connect.op);
    BOOST_TEST(connect.done == 0);
    BOOST_TEST(rig.RunUntil([&] { return connect.done == 1; }));
    BOOST_TEST(connect.op.outcome == SocketOutcome::kCancelled);
    BOOST_TEST(connect.op.looking_up);
  }
  // Nobody waits for the resolver, and what it says afterwards is nobody's.
  lock.unlock();
  slow_answers.wait(answers);
}

// The answer is on its way when it is cancelled.
BOOST_AUTO_TEST_CASE(a_connect_is_cancelled_when_its_name_has_been_looked_up) {
  const int answers = slow_answers;
  TcpRig rig;
  Tracked<async::SocketConnect> connect;
  connect.op.address = "slow.test:1";
  rig.provider().Connect(connect.Pushed());
  slow_answers.wait(answers);
  rig.provider().Cancel(connect.op);
  BOOST_TEST(rig.RunUntil([&] { return connect.done == 1; }));
  BOOST_TEST(connect.op.outcome == SocketOutcome::kCancelled);
}

BOOST_AUTO_TEST_CASE(names_that_the_resolver_is_silent_about_are_bounded) {
  const int answers = slow_answers;
  std::unique_lock lock(slow_resolver);
  TcpRig rig;
  std::vector<Tracked<async::SocketConnect>> connects(Resolver::kThreadsMax);
  for (auto& connect : connects) {
    connect.op.address = "slow.test:1";
    rig.provider().Connect(connect.Pushed());
    rig.provider().Cancel(connect.op);
    BOOST_TEST(rig.RunUntil([&] { return connect.done == 1; }));
  }
  const auto [outcome, why] = Connect(rig, "two.test:1");
  BOOST_TEST(outcome == SocketOutcome::kFault);
  BOOST_TEST(Has(why, "16 names are being looked up, and the resolver does not answer"));
  // An address needs no resolver.
  BOOST_TEST((Connect(rig, rig.NobodysAddress()).first == SocketOutcome::kRefused));

  lock.unlock();
  while (slow_answers != answers + static_cast<int>(connects.size())) {
    slow_answers.wait(slow_answers);
  }
  while (Has(Connect(rig, "none.test:1").second, "16 names")) rig.Settle();
}

BOOST_AUTO_TEST_SUITE_END()
