#include "link/auditor.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace usbtwin::link {

using usb::Outcome;
using usb::PortOp;
using usb::Transfer;

namespace {

// A word: the pipe's index, and the entry's sequence number in it.
constexpr unsigned kSequenceBits = 40;
constexpr uint64_t kSequenceMask = (uint64_t{1} << kSequenceBits) - 1;

}  // namespace

const char* Name(Rule rule) {
  switch (rule) {
    case Rule::kExactlyOnce: return "exactly once";
    case Rule::kNotFromInside: return "not from inside";
    case Rule::kInOrder: return "in order";
    case Rule::kStaysDisconnected: return "stays disconnected";
    case Rule::kCancelCompletes: return "cancel completes";
    case Rule::kStaysHalted: return "stays halted";
    case Rule::kIdleBeforeRequest: return "idle before request";
    case Rule::kNotAsControl: return "not as control transfer";
    case Rule::kResetCancels: return "reset cancels";
    case Rule::kRequestMakesSense: return "request makes sense";
    case Rule::kResultMakesSense: return "result makes sense";
    case Rule::kCapsAreConstant: return "caps are constant";
  }
  return "?";
}

std::string Breach::Describe() const {
  char where[64];
  std::snprintf(where, sizeof(where), "%s: endpoint %02x stream %u: ", Name(rule), endpoint.value,
                unsigned{stream_id});
  return where + text;
}

Auditor::Auditor(usb::Link& inner, BreachSink* sink)
    : inner_(inner), sink_(sink), caps_(inner.caps()) {}

Auditor::~Auditor() {
  CheckNothingInFlight();
}

void Auditor::CheckNothingInFlight() {
  for (Pipe& pipe : pipes_) {
    for (uint64_t sequence = pipe.flight.head(); sequence < pipe.flight.tail(); ++sequence) {
      const Flight::Entry* entry = pipe.flight.Find(sequence);
      if (entry == nullptr) continue;
      ReportText(entry->cancelled ? Rule::kCancelCompletes : Rule::kExactlyOnce, pipe.endpoint,
                 pipe.stream_id,
                 "transfer " + std::to_string(sequence) + " of this pipe never completed" +
                     (entry->cancelled ? " although it was cancelled" : ""));
    }
  }
  for (const PortOp* op : ops_) {
    ReportText(Rule::kExactlyOnce, {}, 0,
               std::string("port request never completed: ") + usb::Name(op->request));
  }
}

void Auditor::Report(Rule rule, const Transfer& transfer, const char* format, ...) const {
  char text[200];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  ReportText(rule, transfer.endpoint, transfer.stream_id, text);
}

void Auditor::ReportText(Rule rule, usb::EndpointAddress endpoint, uint16_t stream_id,
                         std::string text) const {
  const Breach breach{rule, endpoint, stream_id, std::move(text)};
  if (sink_ != nullptr) {
    sink_->OnBreach(breach);
    return;
  }
  std::fprintf(stderr, "breach of the link contract: %s\n", breach.Describe().c_str());
  std::abort();
}

usb::LinkCaps Auditor::caps() const {
  const usb::LinkCaps now = inner_.caps();
  if (now.speed != caps_.speed || now.streams_max != caps_.streams_max ||
      now.transfer_length_max != caps_.transfer_length_max || now.lends_data != caps_.lends_data) {
    ReportText(Rule::kCapsAreConstant, {}, 0, "the link's caps changed");
  }
  return now;
}

size_t Auditor::PipeIndex(const Transfer& transfer) {
  const uint8_t index = transfer.endpoint.index();
  const auto fresh = static_cast<uint32_t>(pipes_.size());
  if (transfer.stream_id == 0) {
    uint32_t& place = pipe_of_endpoint_[index];
    if (place != 0) return place - 1;
    place = fresh + 1;
  } else {
    const uint32_t key = uint32_t{transfer.stream_id} << 5 | index;
    const auto [place, added] = pipe_of_stream_.try_emplace(key, fresh);
    if (!added) return place->second;
  }
  Pipe& pipe = pipes_.emplace_back();
  pipe.endpoint = transfer.endpoint;
  pipe.stream_id = transfer.stream_id;
  return fresh;
}

Auditor::Pipe* Auditor::FindPipe(const Transfer& transfer) {
  const uint8_t index = transfer.endpoint.index();
  if (transfer.stream_id == 0) {
    const uint32_t place = pipe_of_endpoint_[index];
    return place == 0 ? nullptr : &pipes_[place - 1];
  }
  const auto place = pipe_of_stream_.find(uint32_t{transfer.stream_id} << 5 | index);
  return place == pipe_of_stream_.end() ? nullptr : &pipes_[place->second];
}

void Auditor::Submit(Transfer& transfer) {
  const size_t index = PipeIndex(transfer);
  Pipe& pipe = pipes_[index];
  if (transfer.linked() || pipe.flight.Find(transfer) != nullptr) {
    Report(Rule::kRequestMakesSense, transfer, "submitted while it is in flight");
    return;
  }
  CheckRequest(transfer);
  const uint64_t sequence = pipe.flight.Push(transfer);
  ++pipe.in_flight_count;
  ++in_flight_count_;
  transfer.Push(*this, uint64_t{index} << kSequenceBits | sequence);
  ++inside_;
  inner_.Submit(transfer);
  --inside_;
}

void Auditor::Cancel(Transfer& transfer) {
  Pipe* pipe = FindPipe(transfer);
  Flight::Entry* entry = pipe == nullptr ? nullptr : pipe->flight.Find(transfer);
  if (entry == nullptr) {
    Report(Rule::kRequestMakesSense, transfer, "cancelled while it is not in flight");
    return;
  }
  entry->cancelled = true;
  ++inside_;
  inner_.Cancel(transfer);
  --inside_;
}

void Auditor::OnDone(Transfer& transfer, uint64_t word) {
  const size_t index = word >> kSequenceBits;
  const uint64_t sequence = word & kSequenceMask;
  CHECK_LT(index, pipes_.size());
  Pipe& pipe = pipes_[index];
  CHECK(pipe.flight.Find(sequence) != nullptr);
  if (pipe.endpoint != transfer.endpoint || pipe.stream_id != transfer.stream_id) {
    Report(Rule::kRequestMakesSense, transfer, "was submitted to endpoint %02x stream %u",
           pipe.endpoint.value, unsigned{pipe.stream_id});
  }
  CheckDone(transfer, pipe, sequence);
  if (transfer.outcome == Outcome::kDisconnected) disconnected_ = true;
  // Control endpoints answer the next setup packet after a stall: USB 2.0, 8.5.3.4.
  if (transfer.outcome == Outcome::kStall && !transfer.setup && !pipe.halted) {
    // What is told while a halt is cleared may be of before, and hold no longer.
    (pipe.clears == 0 ? pipe.halted : pipe.clearing) = true;
    pipe.halted_from = sequence + 1;
  }
  pipe.flight.Remove(sequence);
  --pipe.in_flight_count;
  --in_flight_count_;
  endpoints_.Observe(transfer);
  if (transfer.depth() != 0) transfer.Complete();
}

void Auditor::CheckDone(const Transfer& transfer, Pipe& pipe, uint64_t sequence) const {
  const Outcome outcome = transfer.outcome;
  if (inside_ != 0) Report(Rule::kNotFromInside, transfer, "completes inside a call to the link");
  if (transfer.linked()) Report(Rule::kExactlyOnce, transfer, "completes while it is still queued");
  if (outcome != Outcome::kCancelled && pipe.flight.Overtakes(sequence)) {
    Report(Rule::kInOrder, transfer, "%s before an earlier transfer that nobody cancelled",
           usb::Name(outcome));
  }
  if (disconnected_ && outcome != Outcome::kDisconnected) {
    Report(Rule::kStaysDisconnected, transfer, "%s after something was disconnected",
           usb::Name(outcome));
  }
  if (sequence < pipe.reset_to && outcome != Outcome::kCancelled &&
      outcome != Outcome::kDisconnected) {
    Report(Rule::kResetCancels, transfer, "%s although the port was reset since it was submitted",
           usb::Name(outcome));
  }
  const bool moved = outcome == Outcome::kOk || transfer.length_actual != 0;
  if (pipe.halted && sequence >= pipe.halted_from && moved) {
    Report(Rule::kStaysHalted, transfer, "%s after %u bytes on a halted endpoint",
           usb::Name(outcome), unsigned{transfer.length_actual});
  }
  CheckResult(transfer);
}

bool Auditor::Touches(const usb::PortRequest& request, const Pipe& pipe) const {
  if (const auto* clear = std::get_if<usb::ClearHalt>(&request)) {
    return clear->endpoint.index() == pipe.endpoint.index();
  }
  if (const auto* set = std::get_if<usb::SetAlternate>(&request)) {
    const EndpointMap::Entry& entry = endpoints_.Find(pipe.endpoint);
    return entry.known && entry.interface == set->interface;
  }
  return std::holds_alternative<usb::SetConfiguration>(request);
}

void Auditor::CheckIdle(const usb::PortRequest& request) const {
  for (const Pipe& pipe : pipes_) {
    if (pipe.in_flight_count == 0 || !Touches(request, pipe)) continue;
    ReportText(Rule::kIdleBeforeRequest, pipe.endpoint, pipe.stream_id,
               std::string(usb::Name(request)) + " with " + std::to_string(pipe.in_flight_count) +
                   " in flight");
  }
}

void Auditor::Request(PortOp& op) {
  if (op.linked() || std::find(ops_.begin(), ops_.end(), &op) != ops_.end()) {
    ReportText(Rule::kRequestMakesSense, {}, 0,
               std::string("port request made while it is in flight: ") + usb::Name(op.request));
    return;
  }
  if (op.outcome != Outcome::kPending || op.depth() == 0) {
    ReportText(Rule::kRequestMakesSense, {}, 0,
               std::string("port request that is not ready to be made: ") + usb::Name(op.request));
  }
  CheckIdle(op.request);
  HandleRequestMade(op.request);
  ops_.push_back(&op);
  op.Push(*this);
  ++inside_;
  inner_.Request(op);
  --inside_;
}

// A request that clears halts may have done so long before it completes.
void Auditor::HandleRequestMade(const usb::PortRequest& request) {
  const bool reset = std::holds_alternative<usb::ResetPort>(request);
  // Which endpoints an alternate setting has may not be known; then none is blamed.
  const bool all = reset || std::holds_alternative<usb::SetAlternate>(request);
  for (Pipe& pipe : pipes_) {
    if (reset) pipe.resetting_to = pipe.flight.tail();
    if (!all && !Touches(request, pipe)) continue;
    ++pipe.clears;
    pipe.clearing = pipe.clearing || pipe.halted;
    pipe.halted = false;
  }
}

void Auditor::HandleRequestDone(const PortOp& op) {
  const bool ok = op.outcome == Outcome::kOk;
  const bool reset = std::holds_alternative<usb::ResetPort>(op.request);
  const bool all = reset || std::holds_alternative<usb::SetAlternate>(op.request);
  for (Pipe& pipe : pipes_) {
    if (reset && ok) pipe.reset_to = pipe.resetting_to;
    if (!all && !Touches(op.request, pipe)) continue;
    if (pipe.clears != 0 && --pipe.clears != 0) continue;
    pipe.halted = !ok && (pipe.halted || pipe.clearing);
    pipe.clearing = false;
  }
  if (const auto* set = std::get_if<usb::SetConfiguration>(&op.request); set != nullptr && ok) {
    endpoints_.HandleConfigured(set->value);
  }
}

void Auditor::CheckPortResult(const PortOp& op) const {
  const auto report = [&](Rule rule, const std::string& text) {
    ReportText(rule, {}, 0, std::string(usb::Name(op.request)) + text);
  };
  const std::string outcome = std::string(": ") + usb::Name(op.outcome);
  if (inside_ != 0) report(Rule::kNotFromInside, " completes inside a call to the link");
  if (op.linked()) report(Rule::kExactlyOnce, " completes while it is still queued");
  if (op.outcome == Outcome::kPending || op.outcome == Outcome::kCancelled) {
    report(Rule::kResultMakesSense, outcome);
  }
  if (disconnected_ && op.outcome != Outcome::kDisconnected) {
    report(Rule::kStaysDisconnected, outcome + " after something was disconnected");
  }
  if (const auto* streams = std::get_if<usb::AllocateStreams>(&op.request)) {
    if (op.granted > std::min(streams->count, caps_.streams_max)) {
      report(Rule::kResultMakesSense,
             " granted " + std::to_string(op.granted) + " of " + std::to_string(streams->count));
    }
  }
}

void Auditor::OnDone(PortOp& op, uint64_t /*word*/) {
  const auto place = std::find(ops_.begin(), ops_.end(), &op);
  CHECK(place != ops_.end());
  ops_.erase(place);
  CheckPortResult(op);
  HandleRequestDone(op);
  if (op.outcome == Outcome::kDisconnected) disconnected_ = true;
  if (op.depth() != 0) op.Complete();
}

}  // namespace usbtwin::link
