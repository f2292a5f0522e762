// The injector between an Auditor and a Link that does as the test says: what it passes down, when,
// and in which order it answers. What a host makes of each kind is in tests/twin.
#include "link/fault_injector.h"

#include <boost/test/unit_test.hpp>

#include "link/auditor.h"
#include "tests/link/scripted_link.h"

using namespace usbtwin;  // NOLINT
using link::Auditor;
using link::FaultInjector;
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using fault::Kind;
using fault::Rule;
using usb::Outcome;
using usb::PortOp;
using usb::Transfer;

namespace {

constexpr auto kData = "01020304"_hex;

class ZeroChooser final : public Chooser {
 public:
  uint64_t Choose(uint64_t, std::string_view) override { return 0; }
};

struct OutTransfer {
  explicit OutTransfer(uint8_t number = 2) {
    transfer.endpoint = usb::EndpointAddress::Out(number);
    transfer.out = kData;
  }
  Transfer transfer;
};
struct InTransfer {
  explicit InTransfer(uint8_t number = 1) {
    transfer.endpoint = usb::EndpointAddress::In(number);
    transfer.in = room;
    transfer.in_length_max = static_cast<uint32_t>(room.size());
  }
  std::array<uint8_t, 8> room{};
  Transfer transfer;
};

struct Bench {
  void Play(std::vector<Rule> rules) {
    player.emplace(clock, chooser, fault::Plan{std::move(rules)});
    injector.emplace(clock, inner, *player, &port);
    auditor.emplace(*injector);
  }
  void Submit(Transfer& transfer) {
    transfer.Push(host);
    auditor->Submit(transfer);
    clock.RunPosted();
  }
  void Cancel(Transfer& transfer) {
    auditor->Cancel(transfer);
    clock.RunPosted();
  }
  void Request(PortOp& op, const usb::PortRequest& request) {
    op.request = request;
    op.Push(host);
    auditor->Request(op);
    clock.RunPosted();
  }
  void Finish(Transfer& transfer, Outcome outcome, uint32_t length) {
    inner.Finish(transfer, outcome, length);
    clock.RunPosted();
  }
  void FinishIn(Transfer& transfer, Bytes data) {
    inner.FinishIn(transfer, data);
    clock.RunPosted();
  }
  void FinishOp(Outcome outcome = Outcome::kOk) {
    PortOp& op = *inner.ops.back();
    inner.ops.pop_back();
    inner.Finish(op, outcome);
    clock.RunPosted();
  }
  std::string Asked() const {
    return inner.ops.empty() ? "nothing" : usb::Name(inner.ops.back()->request);
  }
  bool Waits(const Transfer& transfer) const {
    return std::find(inner.waiting.begin(), inner.waiting.end(), &transfer) != inner.waiting.end();
  }
  bool Done(const Transfer& transfer) const {
    return std::find(host.done.begin(), host.done.end(), &transfer) != host.done.end();
  }
  void CheckDone(const Transfer& transfer, Outcome outcome, uint32_t length = 0) const {
    BOOST_TEST(Done(transfer));
    BOOST_TEST(std::string(usb::Name(transfer.outcome)) == usb::Name(outcome));
    BOOST_TEST(transfer.length_actual == length);
  }
  void CheckObserved(Kind kind, uint64_t count = 1) const {
    BOOST_TEST(player->count(kind).injected == count);
    BOOST_TEST(player->count(kind).observed == count);
  }

  ManualClock clock;
  ScriptedLink inner{clock};
  ZeroChooser chooser;
  fault::PortState port;
  std::optional<fault::Player> player;
  std::optional<FaultInjector> injector;
  std::optional<Auditor> auditor;
  Host host;
  OutTransfer first, second;
  InTransfer reader;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fault_injector, Bench)

BOOST_AUTO_TEST_CASE(an_idle_player_lets_everything_through) {
  for (const std::vector<Rule>& rules :
       {std::vector<Rule>{}, std::vector<Rule>{{.kind = Kind::kMediumError}}}) {
    Play(rules);
    OutTransfer sent;
    Submit(sent.transfer);
    BOOST_TEST(injector->in_flight_count() == 0u);
    PortOp op;
    Request(op, usb::ClearHalt{});
    FinishOp();
    BOOST_TEST((op.outcome == Outcome::kOk));
    Cancel(sent.transfer);
    BOOST_TEST(inner.cancelled.size() == 1u);
    inner.cancelled.clear();
    Finish(sent.transfer, Outcome::kCancelled, 2);
    CheckDone(sent.transfer, Outcome::kCancelled, 2);
  }
}

BOOST_AUTO_TEST_CASE(what_comes_behind_a_late_request_waits) {
  Play({{.kind = Kind::kDelayRequest, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Submit(reader.transfer);
  BOOST_TEST(!Waits(first.transfer));
  BOOST_TEST(!Waits(second.transfer));
  BOOST_TEST(Waits(reader.transfer));

  clock.Advance(100ms);

  BOOST_TEST(Waits(first.transfer));
  BOOST_TEST(!Waits(second.transfer));
  Finish(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(Waits(second.transfer));
  Finish(second.transfer, Outcome::kOk, 4);
  Finish(reader.transfer, Outcome::kOk, 0);
  CheckObserved(Kind::kDelayRequest);
}

BOOST_AUTO_TEST_CASE(a_fault_waits_for_those_before_it) {
  Play({{.kind = Kind::kFault, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  BOOST_TEST(host.done.empty());

  Finish(first.transfer, Outcome::kOk, 4);

  CheckDone(first.transfer, Outcome::kOk, 4);
  CheckDone(second.transfer, Outcome::kFault);
  CheckObserved(Kind::kFault);
}

BOOST_AUTO_TEST_CASE(a_halted_endpoint_refuses_until_it_is_cleared) {
  Play({{.kind = Kind::kStall, .times = 1}});
  Submit(first.transfer);
  CheckDone(first.transfer, Outcome::kStall);
  Submit(second.transfer);
  CheckDone(second.transfer, Outcome::kStall);
  BOOST_TEST(inner.waiting.empty());

  PortOp op;
  Request(op, usb::ClearHalt{first.transfer.endpoint});
  FinishOp();
  first.transfer.Rearm();
  Submit(first.transfer);

  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(a_halt_that_cannot_be_cleared_stays) {
  Play({{.kind = Kind::kStall, .times = 1}, {.kind = Kind::kClearHaltFails, .times = 1}});
  Submit(first.transfer);
  PortOp op;
  Request(op, usb::ClearHalt{first.transfer.endpoint});
  BOOST_TEST((op.outcome == Outcome::kStall));
  BOOST_TEST(inner.ops.empty());
  Submit(second.transfer);
  CheckDone(second.transfer, Outcome::kStall);
  CheckObserved(Kind::kClearHaltFails);
}

BOOST_AUTO_TEST_CASE(those_queued_behind_a_late_stall_move_nothing) {
  Play({{.kind = Kind::kStallLate, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kStall, 4);
  CheckDone(second.transfer, Outcome::kStall);
}

BOOST_AUTO_TEST_CASE(a_lost_request_ends_when_it_is_cancelled) {
  Play({{.kind = Kind::kLostRequest, .times = 1}});
  Submit(first.transfer);
  clock.Advance(1000s);
  BOOST_TEST(host.done.empty());
  Cancel(first.transfer);
  CheckDone(first.transfer, Outcome::kCancelled);
  BOOST_TEST(inner.cancelled.empty());
  CheckObserved(Kind::kLostRequest);
}

BOOST_AUTO_TEST_CASE(a_lost_completion_tells_what_moved) {
  Play({{.kind = Kind::kLostCompletion, .times = 1}});
  Submit(reader.transfer);
  FinishIn(reader.transfer, kData);
  BOOST_TEST(host.done.empty());
  Cancel(reader.transfer);
  CheckDone(reader.transfer, Outcome::kCancelled, 4);
  BOOST_TEST(inner.cancelled.empty());
}

BOOST_AUTO_TEST_CASE(a_late_completion_that_is_cancelled_keeps_its_outcome) {
  Play({{.kind = Kind::kDelayCompletion, .times = 1}});
  Submit(first.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  clock.Advance(50ms);
  BOOST_TEST(host.done.empty());
  Cancel(first.transfer);
  CheckDone(first.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(another_endpoint_overtakes) {
  Play({{.kind = Kind::kReorder, .times = 1}});
  Submit(first.transfer);
  Submit(reader.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(host.done.empty());
  FinishIn(reader.transfer, kData);
  BOOST_TEST((host.done == std::vector<Transfer*>{&reader.transfer, &first.transfer}));
  CheckObserved(Kind::kReorder);
}

BOOST_AUTO_TEST_CASE(a_silent_endpoint_speaks_after_a_reset) {
  Play({{.kind = Kind::kSilent, .times = 1}});
  Submit(first.transfer);
  Submit(second.transfer);
  Submit(reader.transfer);
  BOOST_TEST(inner.waiting.size() == 1u);

  PortOp op;
  Request(op, usb::ResetPort{});
  CheckDone(first.transfer, Outcome::kCancelled);
  CheckDone(second.transfer, Outcome::kCancelled);
  Finish(reader.transfer, Outcome::kCancelled, 0);
  FinishOp();

  first.transfer.Rearm();
  Submit(first.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  CheckDone(first.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(a_late_cancellation_is_passed_on_late) {
  Play({{.kind = Kind::kCancelLate, .times = 1}});
  Submit(first.transfer);
  Cancel(first.transfer);
  clock.Advance(99ms);
  BOOST_TEST(inner.cancelled.empty());
  clock.Advance(1ms);
  BOOST_TEST(inner.cancelled.size() == 1u);
  Finish(first.transfer, Outcome::kCancelled, 0);
  CheckObserved(Kind::kCancelLate);
}

BOOST_AUTO_TEST_CASE(a_disconnection_ends_everything) {
  Play({{.kind = Kind::kDisconnect, .nth = 2, .times = 1, .delay = 1s}});
  Submit(first.transfer);
  Submit(reader.transfer);
  BOOST_TEST(Asked() == "reset port");
  PortOp waiting;
  Request(waiting, usb::ClearHalt{{0x83}});
  Finish(first.transfer, Outcome::kCancelled, 3);
  BOOST_TEST(host.done.empty());

  FinishOp();

  CheckDone(first.transfer, Outcome::kDisconnected, 3);
  CheckDone(reader.transfer, Outcome::kDisconnected);
  BOOST_TEST((waiting.outcome == Outcome::kDisconnected));
  Submit(second.transfer);
  CheckDone(second.transfer, Outcome::kDisconnected);
  PortOp later;
  Request(later, usb::ResetPort{});
  BOOST_TEST((later.outcome == Outcome::kDisconnected));
  BOOST_TEST(port.absent(clock.Now() + 999ms));
  BOOST_TEST(!port.absent(clock.Now() + 1s));
  CheckObserved(Kind::kDisconnect);
}

BOOST_AUTO_TEST_CASE(a_device_without_a_delay_never_comes_back) {
  Play({{.kind = Kind::kDisconnect, .times = 1, .delay = 0s}});
  Submit(first.transfer);
  FinishOp();
  BOOST_TEST(port.absent(clock.Now() + std::chrono::hours(24 * 365)));
}

BOOST_AUTO_TEST_CASE(a_disconnection_below_is_one_here) {
  Play({{.kind = Kind::kDelayCompletion, .times = 1}});
  Submit(first.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  Submit(reader.transfer);
  Finish(reader.transfer, Outcome::kDisconnected, 0);
  clock.Advance(100ms);
  CheckDone(first.transfer, Outcome::kDisconnected, 4);
}

BOOST_AUTO_TEST_CASE(a_reset_by_another_is_a_fault_to_what_was_queued) {
  Play({{.kind = Kind::kResetByOther, .nth = 2, .times = 1}});
  Submit(first.transfer);
  Submit(reader.transfer);
  Submit(second.transfer);
  BOOST_TEST(!Waits(second.transfer));
  Finish(first.transfer, Outcome::kCancelled, 0);
  FinishOp();
  CheckDone(first.transfer, Outcome::kFault);
  CheckDone(reader.transfer, Outcome::kFault);
  BOOST_TEST(!Done(second.transfer));
  Finish(second.transfer, Outcome::kOk, 4);
}

BOOST_AUTO_TEST_CASE(a_suspension_holds_what_comes) {
  Play({{.kind = Kind::kSuspend, .times = 1}});
  Submit(first.transfer);
  BOOST_TEST(Asked() == "suspend");
  FinishOp();
  Submit(reader.transfer);
  PortOp op;
  Request(op, usb::ClearHalt{{0x03}});
  clock.Advance(99ms);
  BOOST_TEST(inner.waiting.empty());
  BOOST_TEST(inner.ops.empty());
  clock.Advance(1ms);
  BOOST_TEST(Asked() == "resume");
  FinishOp();
  BOOST_TEST(inner.waiting.size() == 2u);
  BOOST_TEST(Asked() == "clear halt");
  FinishOp();
  Finish(first.transfer, Outcome::kOk, 4);
  Finish(reader.transfer, Outcome::kOk, 0);
  CheckObserved(Kind::kSuspend);
}

BOOST_AUTO_TEST_CASE(a_cancellation_ends_a_suspension) {
  Play({{.kind = Kind::kSuspend, .times = 1}});
  Submit(first.transfer);
  FinishOp();
  auditor->Cancel(first.transfer);
  clock.Advance(0s);
  BOOST_TEST(Asked() == "resume");
  BOOST_TEST(host.done.empty());
  FinishOp();
  CheckDone(first.transfer, Outcome::kCancelled);
}

BOOST_AUTO_TEST_CASE(what_goes_out_is_changed_in_a_copy) {
  Play({{.kind = Kind::kCorruptOut, .times = 1, .value = 9}});
  Submit(first.transfer);
  constexpr auto kFlipped = "01000304"_hex;
  BOOST_TEST(SameBytes(inner.waiting[0]->out, kFlipped));
  Finish(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(first.transfer.out.data() == kData.data());
  CheckObserved(Kind::kCorruptOut);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_played_is_retracted) {
  Play({{.kind = Kind::kCorruptOut, .times = 1, .value = 32},
        {.kind = Kind::kShortIn, .times = 1, .length = 8}});
  Submit(first.transfer);
  Submit(reader.transfer);
  Finish(first.transfer, Outcome::kOk, 4);
  FinishIn(reader.transfer, kData);
  CheckDone(first.transfer, Outcome::kOk, 4);
  BOOST_TEST(player->injected() == 0u);
}

BOOST_AUTO_TEST_CASE(a_short_packet_that_is_not_ok_is_a_fault) {
  Play({{.kind = Kind::kShortIn, .times = 1, .length = 2}});
  reader.transfer.flags.short_not_ok = true;
  Submit(reader.transfer);
  constexpr auto kFull = "0102030405060708"_hex;
  FinishIn(reader.transfer, kFull);
  CheckDone(reader.transfer, Outcome::kFault, 2);
  BOOST_TEST(SameBytes(reader.room, "0102000000000000"_hex));
}

BOOST_AUTO_TEST_CASE(a_slow_port_request_is_passed_on_late) {
  Play({{.kind = Kind::kPortSlow, .times = 1}});
  PortOp op;
  Request(op, usb::ClearHalt{{0x81}});
  BOOST_TEST(inner.ops.empty());
  clock.Advance(1s);
  FinishOp();
  BOOST_TEST((op.outcome == Outcome::kOk));
  CheckObserved(Kind::kPortSlow);
}

BOOST_AUTO_TEST_SUITE_END()
