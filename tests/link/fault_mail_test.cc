// IUs that reach another read of a shared status pipe than the one they were sent to. What a host
// makes of it is in tests/twin.
#include "fault_injector_stack.h"

using namespace usbtwin;                    // NOLINT
using namespace usbtwin::tests::injecting;  // NOLINT

namespace {

constexpr auto kConfiguration =
    "09 02 3e00 01 01 00 80 32"   // configuration 1, 62 bytes
    "09 04 00 00 04 08 06 62 00"  // interface 0: UAS
    "07 05 01 02 0002 00"         // bulk out ...
    "04 24 04 00"                 // ... for data
    "07 05 02 02 0002 00"         // bulk out ...
    "04 24 01 00"                 // ... for commands
    "07 05 81 02 0002 00"         // bulk in ...
    "04 24 03 00"                 // ... for data
    "07 05 82 02 0002 00"         // bulk in ...
    "04 24 02 00"_hex;            // ... for status
static_assert(kConfiguration.size() == 62);

constexpr auto kRead5 =
    "01 00 0005 00 00 00 00 0000000000000000"      // COMMAND IU, tag 5, LUN 0
    "28 00 00000000 00 0001 00 000000000000"_hex;  // READ(10), 1 block at 0
constexpr auto kRead6 =
    "01 00 0006 00 00 00 00 0000000000000000"      // COMMAND IU, tag 6, LUN 0
    "28 00 00000008 00 0001 00 000000000000"_hex;  // READ(10), 1 block at 8
constexpr auto kReady5 = "06 00 0005"_hex;         // READ READY
constexpr auto kReady6 = "06 00 0006"_hex;
constexpr auto kSense5 = "03 00 0005 0000 00 00000000000000 0000"_hex;  // GOOD, no sense data
constexpr auto kSense6 = "03 00 0006 0000 00 00000000000000 0000"_hex;

// One read of the status pipe, endpoint 82h.
struct StatusRead {
  StatusRead() {
    transfer.endpoint = usb::EndpointAddress::In(2);
    transfer.in = room;
    transfer.in_length_max = static_cast<uint32_t>(room.size());
  }
  std::array<uint8_t, 96> room{};
  usb::Transfer transfer;
};

struct Mail : Bench {
  // Commands 5 and 6 are with the device, and two reads of the status pipe wait there.
  void Begin(const Rule& rule) {
    Play({rule});
    Transfer control;
    std::array<uint8_t, kConfiguration.size()> descriptors{};
    control.setup = usb::SetupPacket{0x80, 6, uint16_t{0x0200}, uint16_t{0}, uint16_t{62}};
    control.in = descriptors;
    control.in_length_max = 62;
    Submit(control);
    FinishIn(control, kConfiguration);
    PortOp configure;
    Request(configure, usb::SetConfiguration{1});
    FinishOp();
    SendCommand(kRead5);
    SendCommand(kRead6);
    Submit(one.transfer);
    Submit(two.transfer);
  }
  void SendCommand(Bytes iu) {
    Transfer command;
    command.endpoint = usb::EndpointAddress::Out(2);
    command.out = iu;
    Submit(command);
    Finish(command, Outcome::kOk, static_cast<uint32_t>(iu.size()));
    BOOST_REQUIRE(Done(command));
  }
  // What the host finds in a read that has come back.
  void CheckCame(const StatusRead& read, Bytes iu) const {
    BOOST_TEST(Done(read.transfer));
    BOOST_CHECK(read.transfer.outcome == Outcome::kOk);
    BOOST_TEST(Hex(Bytes(read.room).first(read.transfer.length_actual)) == Hex(iu));
  }
  bool Recalled(const StatusRead& read) const {
    return std::find(inner.cancelled.begin(), inner.cancelled.end(), &read.transfer) !=
           inner.cancelled.end();
  }
  void End(StatusRead& read) {
    Cancel(read.transfer);
    if (Waits(read.transfer)) Finish(read.transfer, Outcome::kCancelled, 0);
    CheckDone(read.transfer, Outcome::kCancelled);
  }

  StatusRead one, two;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fault_mail, Mail)

BOOST_AUTO_TEST_CASE(the_read_of_a_lost_iu_gets_the_next_one) {
  Begin({.kind = Kind::kLostStatusIu, .times = 1});
  FinishIn(one.transfer, kSense5);
  BOOST_TEST(!Done(one.transfer));
  CheckObserved(Kind::kLostStatusIu);

  FinishIn(two.transfer, kSense6);
  CheckCame(one, kSense6);
  BOOST_TEST(!Done(two.transfer));
  BOOST_TEST(Waits(two.transfer));  // with the device again
  End(two);
}

BOOST_AUTO_TEST_CASE(a_late_iu_comes_to_its_own_read_where_no_other_iu_did) {
  Begin({.kind = Kind::kLateStatusIu, .times = 1, .delay = 100ms});
  FinishIn(one.transfer, kSense5);
  clock.Advance(99ms);
  BOOST_TEST(!Done(one.transfer));
  clock.Advance(1ms);
  CheckCame(one, kSense5);
  BOOST_TEST(!Recalled(two));
  CheckObserved(Kind::kLateStatusIu);
  End(two);
}

BOOST_AUTO_TEST_CASE(a_late_iu_comes_behind_one_that_overtook_it) {
  Begin({.kind = Kind::kLateStatusIu, .times = 1, .delay = 100ms});
  FinishIn(one.transfer, kSense5);
  FinishIn(two.transfer, kSense6);
  CheckCame(one, kSense6);
  BOOST_TEST(Waits(two.transfer));

  clock.Advance(100ms);
  BOOST_TEST(Recalled(two));  // to be given what waits for it
  Finish(two.transfer, Outcome::kCancelled, 0);
  CheckCame(two, kSense5);
}

BOOST_AUTO_TEST_CASE(what_came_to_a_read_while_it_was_recalled_is_not_lost) {
  Begin({.kind = Kind::kLateStatusIu, .times = 1, .delay = 100ms});
  FinishIn(one.transfer, kSense5);
  FinishIn(two.transfer, kSense6);
  clock.Advance(100ms);
  constexpr auto kSense7 = "03 00 0007 0000 00 00000000000000 0000"_hex;
  FinishIn(two.transfer, kSense7);
  const std::string came = Hex(Bytes(two.room).first(two.transfer.length_actual));
  BOOST_TEST(Done(two.transfer));
  StatusRead three;
  Submit(three.transfer);
  Finish(three.transfer, Outcome::kCancelled, 0);
  BOOST_TEST(Done(three.transfer));
  const std::string next = Hex(Bytes(three.room).first(three.transfer.length_actual));
  BOOST_TEST(((came == Hex(kSense5) && next == Hex(kSense7)) ||
              (came == Hex(kSense7) && next == Hex(kSense5))));
}

BOOST_AUTO_TEST_CASE(an_iu_that_comes_twice_takes_a_second_read) {
  Begin({.kind = Kind::kRepeatedStatusIu, .times = 1});
  FinishIn(one.transfer, kSense5);
  CheckCame(one, kSense5);
  BOOST_TEST(Recalled(two));
  Finish(two.transfer, Outcome::kCancelled, 0);
  CheckCame(two, kSense5);
}

BOOST_AUTO_TEST_CASE(no_ready_iu_overtakes_a_late_one) {
  Begin({.kind = Kind::kLateStatusIu, .times = 1, .delay = 100ms});
  FinishIn(one.transfer, kReady5);
  FinishIn(two.transfer, kReady6);
  BOOST_TEST(!Done(one.transfer));
  BOOST_TEST(!Done(two.transfer));
  BOOST_TEST(Waits(one.transfer));  // the device may have other IUs
  clock.Advance(100ms);
  BOOST_TEST(Recalled(one));
  BOOST_TEST(!Recalled(two));
  Finish(one.transfer, Outcome::kCancelled, 0);
  CheckCame(one, kReady5);
  BOOST_TEST(Recalled(two));
  Finish(two.transfer, Outcome::kCancelled, 0);
  CheckCame(two, kReady6);
}

BOOST_AUTO_TEST_CASE(behind_a_lost_ready_iu_others_are_lost_until_its_command_is_over) {
  Begin({.kind = Kind::kLostStatusIu, .times = 1});
  FinishIn(one.transfer, kReady5);
  FinishIn(two.transfer, kReady6);
  BOOST_TEST(!Done(one.transfer));
  BOOST_TEST(!Done(two.transfer));

  FinishIn(one.transfer, kSense5);
  CheckCame(one, kSense5);
  FinishIn(two.transfer, kSense6);
  CheckCame(two, kSense6);
  SendCommand(kRead6);
  StatusRead three;
  Submit(three.transfer);
  FinishIn(three.transfer, kReady6);
  CheckCame(three, kReady6);
}

BOOST_AUTO_TEST_CASE(a_starved_read_can_be_taken_back) {
  Begin({.kind = Kind::kLostStatusIu, .times = 1});
  FinishIn(one.transfer, kSense5);
  Cancel(one.transfer);
  CheckDone(one.transfer, Outcome::kCancelled);
  FinishIn(two.transfer, kSense6);
  CheckCame(two, kSense6);
}

BOOST_AUTO_TEST_CASE(a_device_that_goes_takes_starved_reads_with_it) {
  Begin({.kind = Kind::kLostStatusIu, .times = 1});
  FinishIn(one.transfer, kSense5);
  Finish(two.transfer, Outcome::kDisconnected, 0);
  CheckDone(one.transfer, Outcome::kDisconnected);
  CheckDone(two.transfer, Outcome::kDisconnected);
}

BOOST_AUTO_TEST_CASE(a_reset_forgets_what_is_late) {
  Begin({.kind = Kind::kLateStatusIu, .times = 1, .delay = 100ms});
  FinishIn(one.transfer, kSense5);
  PortOp reset;
  Request(reset, usb::ResetPort{});
  Finish(two.transfer, Outcome::kCancelled, 0);
  FinishOp();
  CheckDone(one.transfer, Outcome::kCancelled);
  CheckDone(two.transfer, Outcome::kCancelled);
  StatusRead three;
  Submit(three.transfer);
  clock.Advance(200ms);
  BOOST_TEST(!Done(three.transfer));
  BOOST_TEST(!Recalled(three));
  FinishIn(three.transfer, kSense6);
  CheckCame(three, kSense6);
}

BOOST_AUTO_TEST_SUITE_END()
