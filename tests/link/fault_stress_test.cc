// A host that keeps several transfers in flight on several endpoints, cancels, clears and resets as
// chance has it, over a device that answers, stalls and delays as chance has it, with every kind of
// fault between them. Auditors above and below find any breach of the contract; whatever happens,
// everything ends.
#include <boost/test/unit_test.hpp>
#include <deque>
#include <random>

#include "base/manual_clock.h"
#include "link/auditor.h"
#include "link/fault_injector.h"
#include "link/throttle.h"

using namespace usbtwin;  // NOLINT
using namespace std::chrono_literals;
using fault::Kind;
using usb::Outcome;
using usb::PortOp;
using usb::Transfer;

namespace {

class SeededChooser final : public Chooser {
 public:
  explicit SeededChooser(uint64_t seed) : engine_(seed) {}
  uint64_t Choose(uint64_t bound, std::string_view) override { return engine_() % bound; }

 private:
  std::mt19937_64 engine_;
};

// A well-behaved Link of chance.
class ChanceLink final : public usb::Link, private Timer {
 public:
  ChanceLink(Clock& clock, Chooser& chooser) : clock_(clock), chooser_(chooser) {}
  ~ChanceLink() override { clock_.Disarm(*this); }
  usb::LinkCaps caps() const override { return {.lends_data = true}; }
  void Submit(Transfer& transfer) override {
    queues_[transfer.endpoint.index()].push_back(&transfer);
    Wake();
  }
  void Cancel(Transfer& transfer) override {
    auto& queue = queues_[transfer.endpoint.index()];
    if (std::erase(queue, &transfer) != 0) Finish(transfer, Outcome::kCancelled, 0);
  }
  void Request(PortOp& op) override {
    ops_.push_back(&op);
    Wake();
  }

 private:
  void Wake() {
    if (!armed()) clock_.Arm(*this, clock_.Now() + 1ms * chooser_.Choose(20, "pause"));
  }
  void Finish(Transfer& transfer, Outcome outcome, uint32_t length) {
    transfer.outcome = outcome;
    transfer.length_actual = length;
    clock_.Post(transfer);
  }
  void HandleTimer() override {
    for (auto& queue : queues_) {
      if (queue.empty() || chooser_.Choose(2, "whether it answers") == 0) continue;
      Answer(queue);
    }
    if (!ops_.empty()) {
      PortOp& op = *ops_.front();
      ops_.pop_front();
      if (std::holds_alternative<usb::ResetPort>(op.request)) Reset();
      if (const auto* clear = std::get_if<usb::ClearHalt>(&op.request)) {
        halted_.reset(clear->endpoint.index());
      }
      op.outcome = Outcome::kOk;
      clock_.Post(op);
    }
    const bool busy = !ops_.empty() || std::any_of(queues_.begin(), queues_.end(),
                                                   [](auto& queue) { return !queue.empty(); });
    if (busy) Wake();
  }
  void Answer(std::deque<Transfer*>& queue) {
    Transfer& transfer = *queue.front();
    queue.pop_front();
    const uint8_t index = transfer.endpoint.index();
    if (!transfer.setup && halted_[index]) return Finish(transfer, Outcome::kStall, 0);
    if (chooser_.Choose(16, "whether it stalls") == 0) {
      if (!transfer.setup) halted_.set(index);
      return Finish(transfer, Outcome::kStall, 0);
    }
    const size_t asked = transfer.is_in() ? transfer.in.size() : transfer.out.size();
    const size_t length = transfer.is_in() ? chooser_.Choose(asked + 1, "length") : asked;
    Finish(transfer, Outcome::kOk, static_cast<uint32_t>(length));
  }
  void Reset() {
    halted_.reset();
    for (auto& queue : queues_) {
      for (Transfer* transfer : queue) Finish(*transfer, Outcome::kCancelled, 0);
      queue.clear();
    }
  }

  Clock& clock_;
  Chooser& chooser_;
  std::array<std::deque<Transfer*>, usb::kEndpointIndexCount> queues_;
  std::bitset<usb::kEndpointIndexCount> halted_;
  std::deque<PortOp*> ops_;
};

// Keeps to the host's half of the contract, and to nothing else.
class ChanceHost final : private usb::TransferSink, private usb::PortSink {
 public:
  static constexpr size_t kDepth = 3;

  ChanceHost(Chooser& chooser, usb::Link& link) : chooser_(chooser), link_(link) {
    constexpr std::array<uint8_t, 5> kAddresses{0x00, 0x01, 0x02, 0x81, 0x82};
    for (const uint8_t address : kAddresses) {
      for (size_t count = 0; count < kDepth; ++count) slots_.emplace_back(address, slots_.size());
    }
  }
  void Act() {
    Slot& slot = slots_[chooser_.Choose(slots_.size(), "transfer")];
    const usb::EndpointAddress endpoint = slot.transfer.endpoint;
    switch (chooser_.Choose(8, "act")) {
      case 0: return Reset();
      case 1:
      case 2:
        if (slot.busy) link_.Cancel(slot.transfer);
        return;
      default:
        if (slot.busy || op_busy_) return;
        if (halted_[endpoint.index()]) return Clear(endpoint);
        return Submit(slot);
    }
  }
  void CancelAll() {
    for (Slot& slot : slots_) {
      if (slot.busy) link_.Cancel(slot.transfer);
    }
  }
  bool idle() const {
    return !op_busy_ &&
           std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy; });
  }

 private:
  struct Slot {
    Slot(uint8_t address, uint64_t index_in) : index(index_in) {
      transfer.endpoint = {address};
      if (address == 0) {
        transfer.setup = usb::SetupPacket{0x80, 0, uint16_t{0}, uint16_t{0}, uint16_t{8}};
      }
      if (transfer.is_in()) {
        transfer.in = room;
        transfer.in_length_max = static_cast<uint32_t>(room.size());
      } else {
        transfer.out = room;
      }
    }
    const uint64_t index;
    std::array<uint8_t, 8> room{};
    Transfer transfer;
    bool busy = false;
  };

  void Submit(Slot& slot) {
    slot.busy = true;
    slot.transfer.Rearm();
    slot.transfer.Push(*this, slot.index);
    link_.Submit(slot.transfer);
  }
  void Request(const usb::PortRequest& request) {
    op_busy_ = true;
    op_.request = request;
    // A halt that is told while a reset is under way is there after it.
    const auto* clear = std::get_if<usb::ClearHalt>(&request);
    clearing_ = halted_;
    if (clear != nullptr) clearing_.reset().set(clear->endpoint.index());
    halted_ &= ~clearing_;
    op_.outcome = Outcome::kPending;
    op_.Push(*this);
    link_.Request(op_);
  }
  void Reset() {
    if (!op_busy_ && chooser_.Choose(8, "whether to reset") == 0) Request(usb::ResetPort{});
  }
  void Clear(usb::EndpointAddress endpoint) {
    for (const Slot& slot : slots_) {
      if (slot.busy && slot.transfer.endpoint == endpoint) return;
    }
    Request(usb::ClearHalt{endpoint});
  }
  void OnDone(Transfer& transfer, uint64_t word) override {
    slots_[word].busy = false;
    if (transfer.outcome == Outcome::kStall && !transfer.setup) {
      halted_.set(transfer.endpoint.index());
    }
  }
  void OnDone(PortOp& op, uint64_t) override {
    op_busy_ = false;
    if (op.outcome != Outcome::kOk) halted_ |= clearing_;
  }

  Chooser& chooser_;
  usb::Link& link_;
  std::deque<Slot> slots_;
  PortOp op_;
  bool op_busy_ = false;
  std::bitset<usb::kEndpointIndexCount> halted_;
  std::bitset<usb::kEndpointIndexCount> clearing_;
};

// Says which of the Auditors found it.
struct Place final : link::BreachSink {
  explicit Place(const char* name_in) : name(name_in) {}
  void OnBreach(const link::Breach& breach) override {
    BOOST_ERROR(name << ": " << breach.Describe());
  }
  const char* name;
};

fault::Plan EveryKind(Chooser& chooser) {
  fault::Plan plan;
  for (const fault::KindInfo& info : fault::Kinds()) {
    if (chooser.Choose(3, "whether this kind") != 0) continue;
    fault::Rule rule{.kind = info.kind, .one_in = 2 + chooser.Choose(30, "how often")};
    if (info.kind == Kind::kDisconnect) rule.nth = 200;
    if (info.parameter == fault::Parameter::kLength) rule.length = chooser.Choose(8, "length");
    plan.rules.push_back(rule);
  }
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_stress)

BOOST_AUTO_TEST_CASE(the_contract_holds_whatever_happens) {
  uint64_t played_count = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      ManualClock clock;
      SeededChooser chooser(seed);
      ChanceLink device(clock, chooser);
      Place below_place("below"), between_place("between"), above_place("above");
      link::Auditor below(device, &below_place);
      fault::Player player(clock, chooser, EveryKind(chooser));
      link::FaultInjector injector(clock, below, player);
      link::Auditor between(injector, &between_place);
      link::Throttle throttle(clock, between,
                              {.bytes_per_second = 1000 * chooser.Choose(3, "rate"),
                               .latency = 1ms * chooser.Choose(3, "latency")});
      link::Auditor above(throttle, &above_place);
      ChanceHost host(chooser, above);
      for (int act = 0; act < 400; ++act) {
        host.Act();
        if (chooser.Choose(3, "whether time passes") == 0) clock.Advance(5ms);
      }
      player.Stop();
      host.CancelAll();
      clock.Advance(60s);
      BOOST_TEST(host.idle());
      BOOST_TEST(above.in_flight_count() == 0u);
      played_count += player.injected();
    }
  }
  BOOST_TEST(played_count > 5000u);
}

BOOST_AUTO_TEST_SUITE_END()
