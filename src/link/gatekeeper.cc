#include "link/gatekeeper.h"

#include <algorithm>

#include "base/overloaded.h"
#include "link/transfer_data.h"
#include "wire/usb.h"

namespace usbtwin::link {

using usb::EndpointAddress;
using usb::Outcome;

Gatekeeper::Gatekeeper(Clock& clock, usb::Link& link, Options options)
    : clock_(clock), link_(link), options_(std::move(options)) {
  port_op_.outcome = Outcome::kOk;
}

Gatekeeper::~Gatekeeper() {
  CHECK(control_ == nullptr);
  CHECK(port_op_.outcome != Outcome::kPending);
  for (const Pipe& pipe : pipes_) CHECK(pipe.under_way.empty());
  if (linked()) Unlink();
}

void Gatekeeper::Submit(usb::Transfer& transfer) {
  CHECK(closing_ == Closing::kNo);
  if (sinks_count_ == 0) sinks_count_ = transfer.depth();
  CHECK_EQ(transfer.depth(), sinks_count_);
  if (transfer.setup) {
    controls_.PushBack(transfer);
    return Wake();
  }
  if (pipes_[transfer.endpoint.index()].closed) return held_.PushBack(transfer);
  Pass(transfer);
}

void Gatekeeper::Pass(usb::Transfer& transfer) {
  const uint8_t index = transfer.setup ? kControl : transfer.endpoint.index();
  if (flights_free_.empty()) {
    flights_free_.push_back(flights_.size());
    flights_.emplace_back();
  }
  const size_t number = flights_free_.back();
  flights_free_.pop_back();
  flights_[number].transfer = &transfer;
  pipes_[index].under_way.PushBack(flights_[number]);
  transfer.Push(*this, number);
  link_.Submit(transfer);
}

void Gatekeeper::Cancel(usb::Transfer& transfer) {
  if (transfer.outcome != Outcome::kPending) return;
  // One that stands for a port request ends with it, and soon.
  if (&transfer == control_ && port_request_) return;
  if (transfer.depth() != sinks_count_) return link_.Cancel(transfer);
  // The link does not have it: it waits in controls_ or held_.
  transfer.Unlink();
  transfer.outcome = Outcome::kCancelled;
  clock_.Post(transfer);
}

bool Gatekeeper::IsIsochronous(EndpointAddress endpoint) const {
  return isochronous_[endpoint.index()];
}

bool Gatekeeper::IsBulk(EndpointAddress endpoint) const {
  return bulk_[endpoint.index()];
}

void Gatekeeper::OnDone(usb::Transfer& transfer, uint64_t word) {
  flights_[word].Unlink();
  flights_free_.push_back(word);
  gone_ = gone_ || transfer.outcome == Outcome::kDisconnected;
  if (&transfer == control_ && FindsConfiguration(transfer) && ClaimNext()) return;
  if (&transfer == control_) control_ = nullptr;
  Wake();
  transfer.Complete();
}

// --- control transfers, one at a time ---

void Gatekeeper::Wake() {
  if (!linked()) clock_.Post(*this);
}

void Gatekeeper::Run() {
  if (port_request_ && !port_sent_ && quiet()) RequestPort(*port_request_);
  if (control_ == nullptr && !port_request_ && !controls_.empty()) StartControl();
  if (closing_ != Closing::kEmptying || control_ != nullptr || port_request_) return;
  for (const Pipe& pipe : pipes_) {
    if (!pipe.under_way.empty()) return;
  }
  closing_ = Closing::kResetting;
  if (!gone_) return RequestPort(usb::ResetPort{});
  closing_ = Closing::kClosed;
  clock_.Post(*closed_);
}

void Gatekeeper::StartControl() {
  control_ = &controls_.PopFront();
  const std::optional<usb::PortRequest> request = usb::AsPortRequest(*control_->setup);
  if (!request) return Pass(*control_);
  port_request_ = request;
  reset_first_ = options_.repeated_configuration_resets && RepeatsConfiguration(*request);
  port_sent_ = false;
  const auto endpoints = EndpointsOf(*request);
  for (size_t index = 0; index < pipes_.size(); ++index) {
    if (!endpoints[index]) continue;
    pipes_[index].closed = true;
    CancelAll(pipes_[index]);
  }
  if (quiet()) RequestPort(*request);
}

bool Gatekeeper::quiet() const {
  return std::all_of(pipes_.begin(), pipes_.end(),
                     [](const Pipe& pipe) { return !pipe.closed || pipe.under_way.empty(); });
}

// --- port requests ---

std::bitset<usb::kEndpointIndexCount> Gatekeeper::EndpointsOf(
    const usb::PortRequest& request) const {
  std::bitset<usb::kEndpointIndexCount> endpoints;
  std::visit(Overloaded{
                 [&](const usb::ClearHalt& clear) {
                   if (clear.endpoint.number() != 0) endpoints.set(clear.endpoint.index());
                 },
                 [&](const usb::SetAlternate& set) {
                   const usb::Configuration* current = configuration();
                   const usb::Interface* interface =
                       current == nullptr ? nullptr : FindInterface(*current, set.interface);
                   if (interface == nullptr) return;
                   for (const usb::Alternate& alternate : interface->alternates) {
                     for (const usb::EndpointConfig& one : alternate.endpoints) {
                       endpoints.set(one.address.index());
                     }
                   }
                 },
                 [&](const auto&) {
                   endpoints.set();
                   endpoints.reset(kControl);
                 },
             },
             request);
  return endpoints;
}

bool Gatekeeper::RepeatsConfiguration(const usb::PortRequest& request) const {
  const auto* set = std::get_if<usb::SetConfiguration>(&request);
  return set != nullptr && set->value != 0 && set->value == configuration_value_ && !was_reset_;
}

// A device that was configured before it came here, as a real one usually was: its host asks, and
// sets nothing. The answer is held until the interfaces are claimed.
bool Gatekeeper::FindsConfiguration(const usb::Transfer& transfer) {
  const usb::SetupPacket& setup = *transfer.setup;
  const bool asks = setup.request_type == wire::usb::kDirectionIn &&
                    setup.request == static_cast<uint8_t>(wire::usb::Request::kGetConfiguration);
  std::array<uint8_t, 1> value{};
  const bool found = asks && closing_ == Closing::kNo && configuration_value_ == 0 &&
                     transfer.outcome == Outcome::kOk && CopyData(transfer, value) == 1 &&
                     value[0] != 0;
  if (!found) return false;
  port_request_ = usb::SetConfiguration{value[0]};
  Learn(*port_request_);
  claims_count_ = 0;
  if (configuration() == nullptr) port_request_.reset();
  return port_request_.has_value();
}

void Gatekeeper::RequestPort(const usb::PortRequest& request) {
  port_sent_ = true;
  port_op_.request = reset_first_ ? usb::PortRequest(usb::ResetPort{}) : request;
  port_op_.outcome = Outcome::kPending;
  port_op_.Push(*this);
  link_.Request(port_op_);
}

void Gatekeeper::OnDone(usb::PortOp& op, uint64_t) {
  gone_ = gone_ || op.outcome == Outcome::kDisconnected;
  if (closing_ == Closing::kResetting) {
    closing_ = Closing::kClosed;
    return clock_.Post(*closed_);
  }
  if (op.outcome != Outcome::kOk) return HandlePortDone(op.outcome);
  if (std::exchange(reset_first_, false)) return RequestPort(*port_request_);
  if (!std::holds_alternative<usb::ClaimInterface>(op.request)) {
    Learn(op.request);
    if (!std::holds_alternative<usb::SetConfiguration>(op.request)) {
      return HandlePortDone(op.outcome);
    }
    claims_count_ = 0;
  } else {
    ++claims_count_;
  }
  if (!ClaimNext()) HandlePortDone(op.outcome);
}

bool Gatekeeper::ClaimNext() {
  const usb::Configuration* current = configuration();
  if (current == nullptr || claims_count_ >= current->interfaces.size()) return false;
  RequestPort(usb::ClaimInterface{.interface = current->interfaces[claims_count_].number,
                                  .policy = options_.kernel_driver});
  return true;
}

void Gatekeeper::HandlePortDone(Outcome outcome) {
  port_request_.reset();
  reset_first_ = false;
  usb::Transfer& transfer = *std::exchange(control_, nullptr);
  transfer.outcome = outcome;
  OpenPipes();
  Wake();
  transfer.Complete();
}

void Gatekeeper::OpenPipes() {
  for (Pipe& pipe : pipes_) pipe.closed = false;
  while (!held_.empty()) Pass(held_.PopFront());
}

void Gatekeeper::Learn(const usb::PortRequest& request) {
  if (const auto* set = std::get_if<usb::SetConfiguration>(&request)) {
    configuration_value_ = set->value;
    alternates_.fill(0);
    was_reset_ = false;
  } else if (const auto* alternate = std::get_if<usb::SetAlternate>(&request)) {
    alternates_[alternate->interface] = alternate->alternate_setting;
  } else {
    was_reset_ = was_reset_ || std::holds_alternative<usb::ResetPort>(request);
    return;
  }
  LearnIsochronous();
}

// An endpoint that the current settings lack is what it is in another setting: a transfer for it
// fails, but whoever reads its packets has to know that there are some.
void Gatekeeper::LearnIsochronous() {
  isochronous_.reset();
  bulk_.reset();
  const usb::Configuration* current = configuration();
  if (current == nullptr) return;
  for (const bool live : {false, true}) {
    for (const usb::Interface& interface : current->interfaces) {
      for (const usb::Alternate& alternate : interface.alternates) {
        if (live && alternate.setting != alternates_[interface.number]) continue;
        for (const usb::EndpointConfig& endpoint : alternate.endpoints) {
          const size_t index = endpoint.address.index();
          const bool isochronous = endpoint.type == usb::TransferType::kIsochronous;
          if (live || isochronous) isochronous_.set(index, isochronous);
          if (live && endpoint.type == usb::TransferType::kBulk) bulk_.set(index);
        }
      }
    }
  }
}

const usb::Configuration* Gatekeeper::configuration() const {
  for (const usb::Configuration& one : options_.configurations) {
    if (one.value == configuration_value_ && one.value != 0) return &one;
  }
  return nullptr;
}

// --- closing ---

void Gatekeeper::Close(Deferred& done) {
  CHECK(closing_ == Closing::kNo);
  closing_ = Closing::kEmptying;
  closed_ = &done;
  CancelAll();
  Wake();
}

void Gatekeeper::CancelAll() {
  for (IntrusiveList<usb::Transfer>* waiting : {&controls_, &held_}) {
    while (!waiting->empty()) {
      usb::Transfer& transfer = waiting->PopFront();
      transfer.outcome = Outcome::kCancelled;
      clock_.Post(transfer);
    }
  }
  for (Pipe& pipe : pipes_) CancelAll(pipe);
}

void Gatekeeper::CancelAll(Pipe& pipe) {
  // A copy: a Link may not complete one inside Cancel, but nothing here should rely on it.
  std::vector<usb::Transfer*> transfers;
  Flight* flight = pipe.under_way.empty() ? nullptr : &pipe.under_way.front();
  for (; flight != nullptr; flight = pipe.under_way.next(*flight)) {
    transfers.push_back(flight->transfer);
  }
  for (usb::Transfer* transfer : transfers) link_.Cancel(*transfer);
}

}  // namespace usbtwin::link
