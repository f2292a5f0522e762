// That a twin completes in order even what it cannot carry.
#include <boost/test/unit_test.hpp>

#include "tests/twin/rig.h"

using namespace usbtwin;  // NOLINT
using usb::Outcome;

namespace {

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

BOOST_AUTO_TEST_SUITE_END()
