// A Link whose every answer is said by the test: transfers and port requests wait here until the
// test finishes them. It can break each rule of the contract, which no twin will. With it, a sink
// of bytes that can be full, and a host that remembers what completed.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/byte_sink.h"
#include "base/manual_clock.h"
#include "usb/link.h"

namespace usbtwin::tests {

class ScriptedLink final : public usb::Link {
 public:
  explicit ScriptedLink(Clock& clock_in) : clock(clock_in) {}

  usb::LinkCaps caps() const override { return link_caps; }
  void Submit(usb::Transfer& transfer) override {
    waiting.push_back(&transfer);
    if (finish_inside_submit) FinishNow(transfer, usb::Outcome::kOk, 0);
  }
  void Cancel(usb::Transfer& transfer) override {
    cancelled.push_back(&transfer);
    if (finish_inside_cancel) FinishNow(transfer, usb::Outcome::kCancelled, 0);
  }
  void Request(usb::PortOp& op) override {
    ops.push_back(&op);
    if (finish_inside_request) {
      op.outcome = usb::Outcome::kOk;
      op.Complete();
    }
  }

  // Decides a transfer and lets it complete from the clock, as a Link should.
  void Finish(usb::Transfer& transfer, usb::Outcome outcome, uint32_t length) {
    Decide(transfer, outcome, length);
    clock.Post(transfer);
  }
  void FinishIn(usb::Transfer& transfer, Bytes data) {
    CopyBytes(transfer.in, data);
    Finish(transfer, usb::Outcome::kOk, static_cast<uint32_t>(data.size()));
  }
  // Completes it from here.
  void FinishNow(usb::Transfer& transfer, usb::Outcome outcome, uint32_t length) {
    Decide(transfer, outcome, length);
    transfer.Complete();
  }
  void Finish(usb::PortOp& op, usb::Outcome outcome) {
    op.outcome = outcome;
    clock.Post(op);
  }

  Clock& clock;
  usb::LinkCaps link_caps{.speed = usb::Speed::kHigh, .streams_max = 4, .lends_data = true};
  std::vector<usb::Transfer*> waiting;
  std::vector<usb::Transfer*> cancelled;
  std::vector<usb::PortOp*> ops;
  bool finish_inside_submit = false;
  bool finish_inside_cancel = false;
  bool finish_inside_request = false;

 private:
  void Decide(usb::Transfer& transfer, usb::Outcome outcome, uint32_t length) {
    std::erase(waiting, &transfer);
    transfer.outcome = outcome;
    transfer.length_actual = length;
  }
};

class Host final : public usb::TransferSink, public usb::PortSink {
 public:
  void OnDone(usb::Transfer& transfer, uint64_t /*word*/) override { done.push_back(&transfer); }
  void OnDone(usb::PortOp& op, uint64_t /*word*/) override { ops_done.push_back(&op); }
  std::vector<usb::Transfer*> done;
  std::vector<usb::PortOp*> ops_done;
};

class MemorySink final : public ByteSink {
 public:
  bool Write(Bytes bytes) override {
    ++writes_count;
    if (written.size() + bytes.size() > length_max) full = true;
    if (full) return false;
    written.insert(written.end(), bytes.begin(), bytes.end());
    return true;
  }
  bool Flush() override { return !full; }
  std::string error() const override { return full ? "no space left" : ""; }

  std::vector<uint8_t> written;
  size_t length_max = SIZE_MAX;
  size_t writes_count = 0;
  bool full = false;
};

}  // namespace usbtwin::tests
