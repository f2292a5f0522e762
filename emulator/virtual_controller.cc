#include "emulator/virtual_controller.h"

#include <algorithm>

#include "base/overloaded.h"

namespace usbtwin::emulator {

using usb::Outcome;
using usb::SetupPacket;

namespace {

// The address a host gives. USB 2.0, 9.4.6.
constexpr SetupPacket kSetAddress{.request_type = 0,
                                  .request = static_cast<uint8_t>(wire::usb::Request::kSetAddress),
                                  .value = uint16_t{1},
                                  .index = uint16_t{0},
                                  .length = uint16_t{0}};

}  // namespace

VirtualController::VirtualController(Clock& clock, usb::Speed speed)
    : clock_(clock), speed_(speed) {}

VirtualController::~VirtualController() {
  CHECK(!linked());
}

void VirtualController::Attach(ControllerClient& client) {
  CHECK(client_ == nullptr);
  client_ = &client;
  ++attachments_count_;
  SetSuspended(false);
  configuration_.reset();
  reset_due_ = true;
  Wake();
}

void VirtualController::Detach() {
  if (client_ == nullptr || detaching_) return;
  detaching_ = true;
  Wake();
}

usb::LinkCaps VirtualController::caps() const {
  const bool streams = speed_ >= usb::Speed::kSuper;
  return {.speed = speed_,
          .streams_max = streams ? kStreamsMax : uint16_t{0},
          .transfer_length_max = 1 << 20,
          .lends_data = true};
}

void VirtualController::Submit(usb::Transfer& transfer) {
  CHECK(transfer.outcome == Outcome::kPending);
  transfer.ResetPackets();
  if (!attached()) return SubmitDetached(transfer);
  const bool asleep = suspended_ && !FollowsAnother(transfer);
  if (asleep || !IsStream(transfer)) return Finish(transfer, Outcome::kFault);
  if (transfer.setup) {
    controls_.PushBack(transfer);
    return Wake();
  }
  if (!enabled_[transfer.endpoint.index()]) return Finish(transfer, Outcome::kFault);
  proto::IsoPipe* const iso_pipe = IsoPipeOf(transfer.endpoint);
  if (iso_pipe != nullptr) return iso_pipe->Submit(transfer);
  if (!transfer.packets.empty()) return Finish(transfer, Outcome::kFault);
  if (transfer.endpoint.is_in()) {
    CHECK(transfer.in.empty() || transfer.in.size() == transfer.in_length_max);
    InPipeOf(transfer.endpoint, transfer.stream_id)->Submit(transfer);
  } else {
    OutPipeOf(transfer.endpoint, transfer.stream_id)->Submit(transfer);
  }
}

void VirtualController::SubmitDetached(usb::Transfer& transfer) {
  if (!FollowsAnother(transfer)) return Finish(transfer, Outcome::kDisconnected);
  if (transfer.setup) return controls_.PushBack(transfer);
  proto::IsoPipe* const iso_pipe = IsoPipeOf(transfer.endpoint);
  if (iso_pipe != nullptr) return iso_pipe->Append(transfer);
  if (transfer.endpoint.is_in()) {
    return InPipeOf(transfer.endpoint, transfer.stream_id)->Append(transfer);
  }
  OutPipeOf(transfer.endpoint, transfer.stream_id)->Append(transfer);
}

// Null for a pipe that has never been.
proto::InPipe* VirtualController::InPipeOf(usb::EndpointAddress endpoint,
                                           uint16_t stream_id) const {
  const auto& pipes = in_pipes_[endpoint.number()];
  return pipes == nullptr ? nullptr : pipes->Find(stream_id);
}

proto::OutPipe* VirtualController::OutPipeOf(usb::EndpointAddress endpoint,
                                             uint16_t stream_id) const {
  const auto& pipes = out_pipes_[endpoint.number()];
  return pipes == nullptr ? nullptr : pipes->Find(stream_id);
}

// Whether the transfer names a stream where there are some, and none where there are none.
bool VirtualController::IsStream(const usb::Transfer& transfer) const {
  if (transfer.setup) return transfer.stream_id == 0;
  const uint16_t granted = granted_[transfer.endpoint.index()];
  return granted == 0 ? transfer.stream_id == 0
                      : transfer.stream_id != 0 && transfer.stream_id <= granted;
}

// Null for an endpoint of another kind.
proto::IsoPipe* VirtualController::IsoPipeOf(usb::EndpointAddress endpoint) const {
  return isochronous_[endpoint.index()] ? iso_pipes_[endpoint.index()].get() : nullptr;
}

// Whether one before it on its endpoint still waits, which nothing but a cancelled one overtakes.
bool VirtualController::FollowsAnother(const usb::Transfer& transfer) const {
  if (transfer.setup) return active_transfer_ != nullptr || !controls_.empty();
  const proto::IsoPipe* const iso_pipe = IsoPipeOf(transfer.endpoint);
  if (iso_pipe != nullptr) return iso_pipe->waiting();
  if (transfer.endpoint.is_in()) {
    const proto::InPipe* const pipe = InPipeOf(transfer.endpoint, transfer.stream_id);
    return pipe != nullptr && pipe->waiting();
  }
  const proto::OutPipe* const pipe = OutPipeOf(transfer.endpoint, transfer.stream_id);
  return pipe != nullptr && pipe->waiting();
}

void VirtualController::Cancel(usb::Transfer& transfer) {
  if (transfer.outcome != Outcome::kPending) return;
  if (!transfer.setup) {
    proto::IsoPipe* const iso_pipe = IsoPipeOf(transfer.endpoint);
    if (iso_pipe != nullptr && iso_pipe->Contains(transfer)) return iso_pipe->Cancel(transfer);
    if (transfer.endpoint.is_in()) {
      return InPipeOf(transfer.endpoint, transfer.stream_id)->Cancel(transfer);
    }
    return OutPipeOf(transfer.endpoint, transfer.stream_id)->Cancel(transfer);
  }
  if (active_transfer_ == &transfer) {
    // The device still has the request; its answer will find the ticket closed.
    active_transfer_ = nullptr;
    ticket_open_ = false;
    Wake();
  } else {
    transfer.Unlink();
  }
  Finish(transfer, Outcome::kCancelled);
}

void VirtualController::Request(usb::PortOp& op) {
  CHECK(op.outcome == Outcome::kPending);
  if (!attached()) return Finish(op, Outcome::kDisconnected);
  ports_.PushBack(op);
  Wake();
}

void VirtualController::Enable(const usb::EndpointConfig& endpoint) {
  const uint8_t number = endpoint.address.number();
  halts_[endpoint.address.index()] = HaltState::kNone;
  enabled_.set(endpoint.address.index());
  const uint16_t streams = speed_ < usb::Speed::kSuper ? uint16_t{0} : endpoint.streams_max;
  streams_[endpoint.address.index()] = std::min(streams, kStreamsMax);
  granted_[endpoint.address.index()] = 0;
  const bool isochronous = endpoint.type == usb::TransferType::kIsochronous;
  isochronous_.set(endpoint.address.index(), isochronous);
  if (isochronous) {
    auto& pipe = iso_pipes_[endpoint.address.index()];
    if (pipe == nullptr) pipe = std::make_unique<proto::IsoPipe>(clock_);
    pipe->Configure(speed_, endpoint);
    pipe->SetSuspended(suspended_);
  } else if (endpoint.address.is_in()) {
    auto& pipe = in_pipes_[number];
    if (pipe == nullptr) pipe = std::make_unique<InPipes>(clock_);
    pipe->Enable(endpoint.packet_size_max, streams_[endpoint.address.index()]);
  } else {
    auto& pipe = out_pipes_[number];
    if (pipe == nullptr) pipe = std::make_unique<OutPipes>(clock_);
    pipe->Enable(endpoint.packet_size_max, streams_[endpoint.address.index()]);
  }
}

void VirtualController::Disable(usb::EndpointAddress endpoint) {
  if (!enabled_[endpoint.index()]) return;
  enabled_.reset(endpoint.index());
  granted_[endpoint.index()] = 0;
  CancelAll(endpoint);
  const Outcome outcome = detaching_ ? Outcome::kDisconnected : Outcome::kCancelled;
  proto::IsoPipe* const iso_pipe = IsoPipeOf(endpoint);
  if (iso_pipe != nullptr) {
    iso_pipe->EndTransfers(outcome);
  } else if (endpoint.is_in()) {
    in_pipes_[endpoint.number()]->EndTransfers(outcome);
  } else {
    out_pipes_[endpoint.number()]->EndTransfers(outcome);
  }
}

void VirtualController::Queue(usb::InRequest& request) {
  CHECK(request.endpoint.is_in());
  if (enabled_[request.endpoint.index()]) {
    proto::IsoPipe* const iso_pipe = IsoPipeOf(request.endpoint);
    if (iso_pipe != nullptr) return iso_pipe->Queue(request);
    proto::InPipe* const pipe = InPipeOf(request.endpoint, request.stream_id);
    CHECK(pipe != nullptr);
    return pipe->Queue(request);
  }
  CHECK(!request.queued);
  request.queued = true;
  request.data.Reset();
  request.length_actual = 0;
  request.ended_short = false;
  Finish(request, Outcome::kCancelled);
}

void VirtualController::Queue(usb::OutRequest& request) {
  CHECK(!request.endpoint.is_in());
  if (enabled_[request.endpoint.index()]) {
    proto::IsoPipe* const iso_pipe = IsoPipeOf(request.endpoint);
    if (iso_pipe != nullptr) return iso_pipe->Queue(request);
    proto::OutPipe* const pipe = OutPipeOf(request.endpoint, request.stream_id);
    CHECK(pipe != nullptr);
    return pipe->Queue(request);
  }
  CHECK(!request.queued);
  request.queued = true;
  request.lent = {};
  request.length_actual = 0;
  request.ended_short = false;
  Finish(request, Outcome::kCancelled);
}

void VirtualController::Release(usb::OutRequest& request) {
  proto::OutPipe* const pipe = out_pipes_[request.endpoint.number()]->Kept(request.stream_id);
  CHECK(pipe != nullptr);
  pipe->Release(request);
}

void VirtualController::CancelAll(usb::EndpointAddress endpoint) {
  proto::IsoPipe* const iso_pipe = IsoPipeOf(endpoint);
  if (iso_pipe != nullptr) iso_pipe->EndRequests(Outcome::kCancelled);
  const uint8_t number = endpoint.number();
  if (endpoint.is_in() && in_pipes_[number] != nullptr) {
    in_pipes_[number]->EndRequests(Outcome::kCancelled);
  } else if (!endpoint.is_in() && out_pipes_[number] != nullptr) {
    out_pipes_[number]->EndRequests(Outcome::kCancelled);
  }
}

void VirtualController::CancelStream(usb::EndpointAddress endpoint, uint16_t stream_id) {
  if (!enabled_[endpoint.index()] || isochronous_[endpoint.index()]) return;
  if (endpoint.is_in()) {
    proto::InPipe* const pipe = InPipeOf(endpoint, stream_id);
    if (pipe != nullptr) pipe->EndRequests(Outcome::kCancelled);
  } else {
    proto::OutPipe* const pipe = OutPipeOf(endpoint, stream_id);
    if (pipe != nullptr) pipe->EndRequests(Outcome::kCancelled);
  }
}

void VirtualController::SetHalt(usb::EndpointAddress endpoint, HaltState state) {
  // An isochronous endpoint has no handshake to stall with. USB 2.0, 5.6.5.
  if (!enabled_[endpoint.index()] || isochronous_[endpoint.index()]) return;
  halts_[endpoint.index()] = state;
  const bool halted = state != HaltState::kNone;
  if (endpoint.is_in()) {
    in_pipes_[endpoint.number()]->SetHalt(halted);
  } else {
    out_pipes_[endpoint.number()]->SetHalt(halted);
  }
}

HaltState VirtualController::halt(usb::EndpointAddress endpoint) const {
  return enabled_[endpoint.index()] ? halts_[endpoint.index()] : HaltState::kNone;
}

void VirtualController::CompleteControl(ControlTicket ticket, ControlReply reply) {
  if (!ticket_open_ || ticket != ticket_) return;
  CHECK(reply.kind != ControlReply::Kind::kLater);
  ticket_open_ = false;
  Answer(reply);
  Wake();
}

void VirtualController::RemoteWakeup() {
  if (!suspended_ || !attached()) return;
  wakeup_due_ = true;
  Wake();
}

void VirtualController::Wake() {
  if (!linked()) clock_.Post(*this);
}

void VirtualController::Run() {
  if (client_ == nullptr) return;
  if (detaching_) return Disconnect();
  if (std::exchange(wakeup_due_, false) && suspended_) {
    SetSuspended(false);
    client_->HandleResume();
  }
  if (ticket_open_ && !ResetWaits()) return;
  if (std::exchange(reset_due_, false)) ResetBus();
  if (!hub_requests_.empty()) {
    const SetupPacket setup = hub_requests_.back();
    hub_requests_.pop_back();
    return Serve(setup, {});
  }
  if (resetting_ != nullptr) {
    Finish(*std::exchange(resetting_, nullptr), hub_failed_ ? Outcome::kFault : Outcome::kOk);
  }
  if (!ports_.empty()) return ServePort(ports_.PopFront());
  if (controls_.empty()) return;
  usb::Transfer& transfer = controls_.PopFront();
  active_transfer_ = &transfer;
  Serve(*transfer.setup, transfer.out);
}

void VirtualController::Serve(const SetupPacket& setup, Bytes out) {
  ticket_open_ = true;
  const ControlReply reply = client_->HandleSetup(setup, out, ++ticket_);
  if (reply.kind == ControlReply::Kind::kLater) return;
  ticket_open_ = false;
  Answer(reply);
  Wake();
}

void VirtualController::Answer(ControlReply reply) {
  const bool stalled = reply.kind == ControlReply::Kind::kStall;
  if (active_transfer_ != nullptr) {
    AnswerTransfer(*std::exchange(active_transfer_, nullptr), reply);
  } else if (active_port_ != nullptr) {
    usb::PortOp& op = *std::exchange(active_port_, nullptr);
    if (!stalled) Remember(op.request);
    Finish(op, stalled ? Outcome::kStall : Outcome::kOk);
  } else {
    hub_failed_ = hub_failed_ || stalled;  // the configuration has not come back
  }
}

void VirtualController::AnswerTransfer(usb::Transfer& transfer, ControlReply reply) {
  if (reply.kind == ControlReply::Kind::kStall) return Finish(transfer, Outcome::kStall);
  if (transfer.is_in()) {
    const Bytes data = Take(reply.data, transfer.setup->length);
    transfer.length_actual = static_cast<uint32_t>(CopyBytes(transfer.in, data));
    if (data.size() > transfer.in.size()) return Finish(transfer, Outcome::kOverflow);
  } else {
    transfer.length_actual = static_cast<uint32_t>(transfer.out.size());
  }
  Finish(transfer, Outcome::kOk);
}

void VirtualController::ServePort(usb::PortOp& op) {
  std::visit(Overloaded{
                 // The one host of an in-process twin has every interface to itself.
                 [&](const usb::ClaimInterface&) { Finish(op, Outcome::kOk); },
                 [&](const usb::ReleaseInterface&) { Finish(op, Outcome::kOk); },
                 [&](const usb::AllocateStreams& ask) { ServeStreams(op, ask); },
                 [&](const usb::FreeStreams& ask) { Finish(op, ServeStreams(ask)); },
                 [&](const usb::Suspend&) {
                   if (!suspended_) {
                     SetSuspended(true);
                     client_->HandleSuspend();
                   }
                   Finish(op, Outcome::kOk);
                 },
                 [&](const usb::Resume&) {
                   if (suspended_) {
                     SetSuspended(false);
                     client_->HandleResume();
                   }
                   Finish(op, Outcome::kOk);
                 },
                 [&](const usb::ResetPort&) {
                   resetting_ = &op;
                   SetSuspended(false);
                   CancelControls();
                   ResetBus();
                 },
                 [&](const auto&) {
                   active_port_ = &op;
                   Serve(*usb::AsSetupPacket(op.request), {});
                 },
             },
             op.request);
  Wake();
}

// All of the endpoints get as many, or none does.
void VirtualController::ServeStreams(usb::PortOp& op, const usb::AllocateStreams& ask) {
  op.granted = 0;
  uint16_t count = std::min(ask.count, kStreamsMax);
  for (const usb::EndpointAddress endpoint : ask.endpoints) {
    if (!enabled_[endpoint.index()]) return Finish(op, Outcome::kNotFound);
    if (granted_[endpoint.index()] != 0) return Finish(op, Outcome::kBusy);
    count = std::min(count, streams_[endpoint.index()]);
  }
  if (count == 0 || ask.endpoints.empty()) return Finish(op, Outcome::kUnsupported);
  for (const usb::EndpointAddress endpoint : ask.endpoints) granted_[endpoint.index()] = count;
  op.granted = count;
  Finish(op, Outcome::kOk);
}

Outcome VirtualController::ServeStreams(const usb::FreeStreams& ask) {
  for (const usb::EndpointAddress endpoint : ask.endpoints) {
    if (granted_[endpoint.index()] == 0) return Outcome::kNotFound;
  }
  for (const usb::EndpointAddress endpoint : ask.endpoints) {
    granted_[endpoint.index()] = 0;
    if (endpoint.is_in()) {
      in_pipes_[endpoint.number()]->EndTransfers(Outcome::kCancelled);
    } else {
      out_pipes_[endpoint.number()]->EndTransfers(Outcome::kCancelled);
    }
  }
  return Outcome::kOk;
}

void VirtualController::SetSuspended(bool suspended) {
  suspended_ = suspended;
  for (auto& pipe : iso_pipes_) {
    if (pipe != nullptr) pipe->SetSuspended(suspended);
  }
}

void VirtualController::Remember(const usb::PortRequest& request) {
  if (const auto* set = std::get_if<usb::SetConfiguration>(&request)) {
    configuration_ = set->value;
    alternates_.fill(0);
  } else if (const auto* alternate = std::get_if<usb::SetAlternate>(&request)) {
    alternates_[alternate->interface] = alternate->alternate_setting;
  }
}

// A reset does not wait for a device that is late with an answer: it may never come.
bool VirtualController::ResetWaits() {
  if (ports_.empty() || !std::holds_alternative<usb::ResetPort>(ports_.front().request)) {
    return false;
  }
  ticket_open_ = false;
  if (active_port_ != nullptr) Finish(*std::exchange(active_port_, nullptr), Outcome::kFault);
  hub_requests_.clear();
  return true;
}

void VirtualController::CancelControls() {
  if (active_transfer_ != nullptr) {
    Finish(*std::exchange(active_transfer_, nullptr), Outcome::kCancelled);
  }
  while (!controls_.empty()) Finish(controls_.PopFront(), Outcome::kCancelled);
}

void VirtualController::ResetBus() {
  client_->HandleBusReset();
  hub_failed_ = false;
  hub_requests_.clear();
  if (configuration_.value_or(0) != 0) {
    for (size_t number = 0; number < alternates_.size(); ++number) {
      if (alternates_[number] == 0) continue;
      hub_requests_.push_back(*usb::AsSetupPacket(
          usb::SetAlternate{static_cast<uint8_t>(number), alternates_[number]}));
    }
    hub_requests_.push_back(*usb::AsSetupPacket(usb::SetConfiguration{*configuration_}));
  }
  hub_requests_.push_back(kSetAddress);
}

void VirtualController::Disconnect() {
  ControllerClient& client = *std::exchange(client_, nullptr);
  ticket_open_ = false;
  hub_requests_.clear();
  for (auto& pipe : in_pipes_) {
    if (pipe != nullptr) pipe->EndTransfers(Outcome::kDisconnected);
  }
  for (auto& pipe : out_pipes_) {
    if (pipe != nullptr) pipe->EndTransfers(Outcome::kDisconnected);
  }
  for (auto& pipe : iso_pipes_) {
    if (pipe != nullptr) pipe->EndTransfers(Outcome::kDisconnected);
  }
  for (usb::PortOp** op : {&active_port_, &resetting_}) {
    if (*op != nullptr) Finish(*std::exchange(*op, nullptr), Outcome::kDisconnected);
  }
  if (active_transfer_ != nullptr) {
    Finish(*std::exchange(active_transfer_, nullptr), Outcome::kDisconnected);
  }
  while (!ports_.empty()) Finish(ports_.PopFront(), Outcome::kDisconnected);
  while (!controls_.empty()) Finish(controls_.PopFront(), Outcome::kDisconnected);
  client.HandleDisconnect();
  detaching_ = false;
}

}  // namespace usbtwin::emulator
