// A device whose every answer is written down by the test: for what no well-built twin would say.
// Bus and Link in one; control requests are answered from a table, port requests succeed unless
// told otherwise, bulk transfers fail. Everything that is asked is logged, in order.
//
// Links handed out by the bus look at themselves after they have passed a completion on, so that a
// host which destroys its link too early is caught by AddressSanitizer.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "usb/bus.h"

namespace usbtwin::tests {

struct Reply {
  usb::Outcome outcome = usb::Outcome::kOk;  // kPending: it never answers
  std::vector<uint8_t> data;                 // cut to wLength

  static Reply Data(Bytes bytes) {
    return {usb::Outcome::kOk, std::vector<uint8_t>(bytes.begin(), bytes.end())};
  }
  static Reply Stall() { return {usb::Outcome::kStall, {}}; }
  static Reply Silence() { return {usb::Outcome::kPending, {}}; }
  static Reply Gone() { return {usb::Outcome::kDisconnected, {}}; }
};

class ScriptedDevice final : public usb::Link {
 public:
  explicit ScriptedDevice(Clock& clock) : clock_(clock) {}

  // The answers to GET_DESCRIPTOR of this wValue, one after the other; the last one stays.
  void Descriptor(uint16_t value, std::vector<Reply> replies) {
    Answer(0x80, 6, value, std::move(replies));
  }
  void Answer(uint8_t request_type, uint8_t request, uint16_t value, std::vector<Reply> replies) {
    answers_[Key(request_type, request, value)] = {replies.begin(), replies.end()};
  }
  // How port requests of this name end.
  void AnswerPort(const std::string& name, usb::Outcome outcome) { ports_[name] = outcome; }
  // From the operation with this index on, 0 for the first, the device is gone.
  void VanishAt(size_t operations_count) { vanish_at_ = operations_count; }

  const std::vector<std::string>& log() const { return log_; }
  void ClearLog() { log_.clear(); }
  size_t Count(const std::string& entry) const {
    return static_cast<size_t>(std::count(log_.begin(), log_.end(), entry));
  }

  usb::Outcome bulk_outcome = usb::Outcome::kFault;
  // What cancelling a request that is not answered brings; kOk: it had been decided before.
  usb::Outcome cancel_outcome = usb::Outcome::kCancelled;

  // usb::Link.
  usb::LinkCaps caps() const override { return {.speed = usb::Speed::kHigh}; }
  void Submit(usb::Transfer& transfer) override {
    if (Vanished()) return Finish(transfer, usb::Outcome::kDisconnected);
    if (!transfer.setup) {
      const uint8_t address = transfer.endpoint.value;
      log_.push_back("bulk " + Hex({&address, 1}));
      return Finish(transfer, bulk_outcome);
    }
    const usb::SetupPacket& setup = *transfer.setup;
    log_.push_back(Describe(setup));
    const auto found = answers_.find(Key(setup.request_type, setup.request, setup.value));
    if (found == answers_.end()) return Finish(transfer, usb::Outcome::kStall);
    const Reply reply = found->second.front();
    if (found->second.size() > 1) found->second.pop_front();
    if (reply.outcome == usb::Outcome::kPending) return silent_.PushBack(transfer);
    if (reply.outcome == usb::Outcome::kDisconnected) vanish_at_ = 0;
    transfer.length_actual = static_cast<uint32_t>(CopyBytes(transfer.in, reply.data));
    Finish(transfer, reply.outcome);
  }
  void Cancel(usb::Transfer& transfer) override {
    if (transfer.outcome != usb::Outcome::kPending) return;
    transfer.Unlink();
    Finish(transfer, cancel_outcome);
  }
  void Request(usb::PortOp& op) override {
    if (Vanished()) return Finish(op, usb::Outcome::kDisconnected);
    const std::string name = usb::Name(op.request);
    log_.push_back(Describe(op.request));
    const auto found = ports_.find(name);
    Finish(op, found == ports_.end() ? usb::Outcome::kOk : found->second);
  }

  static std::string Describe(const usb::SetupPacket& setup) {
    return "control " + Hex(wire::AsBytes(setup), 0);
  }
  static std::string Describe(const usb::PortRequest& request) {
    std::string text = usb::Name(request);
    if (const auto* claim = std::get_if<usb::ClaimInterface>(&request)) {
      text += " " + std::to_string(claim->interface);
      if (claim->policy == usb::KernelDriverPolicy::kDetach) text += " detach";
    } else if (const auto* release = std::get_if<usb::ReleaseInterface>(&request)) {
      text += " " + std::to_string(release->interface);
    } else if (const auto* configure = std::get_if<usb::SetConfiguration>(&request)) {
      text += " " + std::to_string(configure->value);
    } else if (const auto* alternate = std::get_if<usb::SetAlternate>(&request)) {
      text += " " + std::to_string(alternate->interface) + " " +
              std::to_string(alternate->alternate_setting);
    }
    return text;
  }

 private:
  static uint32_t Key(uint8_t request_type, uint8_t request, uint16_t value) {
    return static_cast<uint32_t>(request_type) << 24 | static_cast<uint32_t>(request) << 16 | value;
  }
  bool Vanished() {
    if (operations_count_ < vanish_at_) {
      ++operations_count_;
      return false;
    }
    return true;
  }
  template <class Op>
  void Finish(Op& op, usb::Outcome outcome) {
    op.outcome = outcome;
    clock_.Post(op);
  }

  Clock& clock_;
  std::map<uint32_t, std::deque<Reply>> answers_;
  std::map<std::string, usb::Outcome> ports_;
  IntrusiveList<usb::Transfer> silent_;
  std::vector<std::string> log_;
  size_t operations_count_ = 0;
  size_t vanish_at_ = SIZE_MAX;
};

// Passes everything on, and is alive when a completion has passed through it.
class CanaryLink final : public usb::Link, private usb::TransferSink, private usb::PortSink {
 public:
  explicit CanaryLink(usb::Link& inner) : inner_(inner) {}
  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override {
    transfer.Push(*this);
    inner_.Submit(transfer);
  }
  void Cancel(usb::Transfer& transfer) override { inner_.Cancel(transfer); }
  void Request(usb::PortOp& op) override {
    op.Push(*this);
    inner_.Request(op);
  }

 private:
  void OnDone(usb::Transfer& transfer, uint64_t) override {
    transfer.Complete();
    passed_count_ = passed_count_ + 1;
  }
  void OnDone(usb::PortOp& op, uint64_t) override {
    op.Complete();
    passed_count_ = passed_count_ + 1;
  }
  usb::Link& inner_;
  volatile size_t passed_count_ = 0;
};

// A bus with one port.
class OnePortBus final : public usb::Bus {
 public:
  explicit OnePortBus(Clock& clock) : clock_(clock) {}

  usb::Link* device = nullptr;  // what is plugged in
  TimePoint present_from{};     // before that, there is nothing
  size_t opens_count = 0;

  static usb::DeviceId Id() { return {.port_path = "1-1"}; }

  Result<std::vector<usb::DeviceInfo>> Enumerate() override {
    return std::vector<usb::DeviceInfo>{{.id = Id()}};
  }
  void Open(usb::OpenOp& op) override {
    ++opens_count;
    op.result = Error{.kind = ErrorKind::kNotFound, .phase = Phase::kOpen, .text = "no device"};
    if (device != nullptr && clock_.Now() >= present_from && op.id == Id()) {
      usb::LinkStack stack;
      stack.owned.push_back(std::make_unique<CanaryLink>(*device));
      stack.top = stack.owned.back().get();
      op.result = std::move(stack);
    }
    clock_.Post(op);
  }

 private:
  Clock& clock_;
};

}  // namespace usbtwin::tests
