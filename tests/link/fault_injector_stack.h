// What the tests of the FaultInjector start with: one between an Auditor and a Link that does as
// the test says.
#pragma once

#include <boost/test/unit_test.hpp>

#include "link/auditor.h"
#include "link/fault_injector.h"
#include "tests/link/scripted_link.h"

namespace usbtwin::tests::injecting {

using namespace std::chrono_literals;
using fault::Kind;
using fault::Rule;
using link::Auditor;
using link::FaultInjector;
using usb::Outcome;
using usb::PortOp;
using usb::Transfer;

inline constexpr auto kData = "01020304"_hex;

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

}  // namespace usbtwin::tests::injecting
