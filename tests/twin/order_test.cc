// That a twin completes in order even what it cannot carry.
#include <boost/test/unit_test.hpp>

#include "tests/twin/rig.h"

using namespace usbtwin;  // NOLINT
using usb::Outcome;

namespace {

struct Writer final : usb::TransferSink {
  explicit Writer(size_t length) : bytes(length) {
    transfer.endpoint = {0x01};
    transfer.out = bytes;
  }
  void OnDone(usb::Transfer&, uint64_t) override { done = true; }
  void Submit(Rig& rig) {
    transfer.Push(*this);
    rig.link().Submit(transfer);
  }
  std::vector<uint8_t> bytes;
  usb::Transfer transfer;
  bool done = false;
};

struct Reader final : usb::TransferSink {
  Reader() {
    transfer.endpoint = {0x81};
    transfer.in = room;
    transfer.in_length_max = sizeof(room);
  }
  void OnDone(usb::Transfer&, uint64_t) override { done = true; }
  void Submit(Rig& rig) {
    transfer.Push(*this);
    rig.link().Submit(transfer);
    rig.clock.RunPosted();
  }
  usb::Transfer transfer;
  std::array<uint8_t, 13> room{};
  bool done = false;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(order)

BOOST_AUTO_TEST_CASE(a_transfer_on_a_sleeping_bus_does_not_overtake_one_that_waits) {
  Rig rig;
  Reader first, second;
  first.Submit(rig);
  BOOST_CHECK(rig.Port(usb::Suspend{}) == Outcome::kOk);
  second.Submit(rig);  // under the Auditor
  BOOST_TEST(!first.done);
  BOOST_TEST(!second.done);
  for (Reader* reader : {&first, &second}) {
    rig.link().Cancel(reader->transfer);
    rig.clock.RunPosted();
    BOOST_CHECK(reader->transfer.outcome == Outcome::kCancelled);
  }
  BOOST_CHECK(rig.Port(usb::Resume{}) == Outcome::kOk);
}

// The Auditor sees the order. Every moment of a WRITE is tried; at some of them the data is lent.
BOOST_AUTO_TEST_CASE(unplugged_in_a_write_what_is_lent_to_the_device_ends_first) {
  for (int steps = 0; steps < 8; ++steps) {
    Rig rig;
    rig.Settle();
    const auto wrapper = "55534243 07000000 00100000 00 00 0a 2a000000040000080000000000000000"_hex;
    BOOST_CHECK(rig.Out(wrapper).outcome == Outcome::kOk);
    Writer data(4096), behind(512), late(512);
    data.Submit(rig);
    behind.Submit(rig);
    for (int step = 0; step < steps; ++step) rig.clock.Step();
    rig.controller.Detach();
    late.Submit(rig);
    rig.link().Cancel(late.transfer);
    rig.clock.RunPosted();
    for (const Writer* writer : {&data, &behind, &late}) BOOST_TEST(writer->done);
  }
}

BOOST_AUTO_TEST_SUITE_END()
