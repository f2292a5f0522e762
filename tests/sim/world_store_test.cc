#include "sim/world_store.h"

#include <boost/test/unit_test.hpp>

#include "sim/choosers.h"
#include "sim/world.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT
using emulator::StoreOp;

namespace {

constexpr Duration kLatency = std::chrono::milliseconds(2);

struct Fixture : emulator::StoreSink {
  void OnStoreDone(StoreOp&) override { done_at = world.Now(); }
  StoreOp& Ask(StoreOp& op, StoreOp::Kind kind, uint64_t offset, uint64_t length) {
    op.kind = kind;
    op.offset = offset;
    op.length = length;
    op.sink = this;
    return op;
  }

  Seeded chooser{1};
  World world{chooser};
  std::optional<TimePoint> done_at;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(world_store, Fixture)

BOOST_AUTO_TEST_CASE(an_answer_takes_its_time_and_what_was_asked_is_carried_out_then) {
  WorldStore store(world, 4096, kLatency);
  const std::vector<uint8_t> bytes(512, 0x5a);
  StoreOp write;
  Ask(write, StoreOp::Kind::kWrite, 512, 512).data = bytes;
  BOOST_TEST(!store.Submit(write));
  StoreOp read;
  BOOST_TEST(!store.Submit(Ask(read, StoreOp::Kind::kRead, 512, 512)));
  BOOST_TEST(store.bytes_read() == 0u);
  while (world.Step()) continue;
  BOOST_REQUIRE(done_at.has_value());
  BOOST_TEST((*done_at - TimePoint{} == kLatency));
  BOOST_TEST(store.bytes_read() == 512u);
  BOOST_TEST(read.lease.length() == 512u);
}

BOOST_AUTO_TEST_CASE(without_a_latency_it_answers_at_once) {
  WorldStore store(world, 4096, Duration(0));
  StoreOp read;
  BOOST_TEST(store.Submit(Ask(read, StoreOp::Kind::kRead, 0, 1024)));
  BOOST_TEST(!done_at.has_value());
  BOOST_TEST(store.bytes_read() == 1024u);
}

BOOST_AUTO_TEST_SUITE_END()
