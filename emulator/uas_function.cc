#include "emulator/uas_function.h"

#include <algorithm>

#include "wire/usb.h"

namespace usbtwin::emulator {

using usb::EndpointAddress;
using usb::Outcome;
using wire::uas::IuId;
using wire::usb::PipeId;

namespace {

struct Pipe {
  PipeId id;
  EndpointAddress address;
};
// Data has the endpoints that Bulk-Only has in the other setting.
constexpr std::array<Pipe, 4> kPipes{{{PipeId::kCommand, EndpointAddress::Out(2)},
                                      {PipeId::kStatus, EndpointAddress::In(2)},
                                      {PipeId::kDataIn, EndpointAddress::In(1)},
                                      {PipeId::kDataOut, EndpointAddress::Out(1)}}};

// Setting 1: an interface of four pipes. UAS, 5.3.
void AppendSetting(std::vector<uint8_t>& bytes, usb::Speed speed,
                   const BotFunctionOptions& options) {
  const bool super = speed >= usb::Speed::kSuper;
  auto append = [&bytes](Bytes part) { bytes.insert(bytes.end(), part.begin(), part.end()); };
  append(wire::AsBytes(wire::usb::InterfaceDescriptor{
      .length = sizeof(wire::usb::InterfaceDescriptor),
      .type = static_cast<uint8_t>(wire::usb::DescriptorType::kInterface),
      .number = 0,
      .alternate_setting = 1,
      .endpoints_count = kPipes.size(),
      .interface_class = options.interface_class,
      .interface_subclass = 0x06,  // SCSI transparent command set
      .interface_protocol = 0x62,  // USB Attached SCSI
      .string_index = static_cast<uint8_t>(options.name.empty() ? 0 : 1)}));
  for (const Pipe& pipe : kPipes) {
    append(wire::AsBytes(wire::usb::EndpointDescriptor{
        .length = sizeof(wire::usb::EndpointDescriptor),
        .type = static_cast<uint8_t>(wire::usb::DescriptorType::kEndpoint),
        .address = pipe.address.value,
        .attributes = static_cast<uint8_t>(usb::TransferType::kBulk),
        .packet_size_max = super ? uint16_t{1024} : uint16_t{512},
        .interval = 0}));
    if (super) {
      const bool streams = pipe.id != PipeId::kCommand;
      append(wire::AsBytes(wire::usb::SuperSpeedCompanionDescriptor{
          .length = sizeof(wire::usb::SuperSpeedCompanionDescriptor),
          .type = static_cast<uint8_t>(wire::usb::DescriptorType::kSuperSpeedCompanion),
          .burst_max = static_cast<uint8_t>(streams ? 15 : 0),
          .attributes = streams ? UasFunction::kStreamsExponent : uint8_t{0},
          .bytes_per_interval = uint16_t{0}}));
    }
    append(wire::AsBytes(wire::usb::PipeUsageDescriptor{
        .length = sizeof(wire::usb::PipeUsageDescriptor),
        .type = static_cast<uint8_t>(wire::usb::DescriptorType::kPipeUsage),
        .pipe_id = static_cast<uint8_t>(pipe.id),
        .reserved = 0}));
  }
}

constexpr uas::DeviceOptions kEngineOptions{};

// INQUIRY says the same of a unit in either setting.
BotFunctionOptions BulkOnlyHalf(BotFunctionOptions options) {
  options.queueing = true;
  return options;
}

}  // namespace

UasFunction::UasFunction(scsi::LogicalUnit& unit, BotFunctionOptions options, bool streams)
    : unit_(unit),
      bot_(unit, BulkOnlyHalf(options)),
      engine_({.tasks_count = kEngineOptions.tasks_count, .luns_count = options.luns_count}) {
  for (const usb::Speed speed : {usb::Speed::kFull, usb::Speed::kHigh, usb::Speed::kSuper}) {
    std::vector<uint8_t>& bytes = descriptors_[static_cast<size_t>(speed) - 1];
    const Bytes bulk_only = bot_.descriptors(speed);
    bytes.assign(bulk_only.begin(), bulk_only.end());
    const bool offered = speed == usb::Speed::kHigh || (speed == usb::Speed::kSuper && streams);
    if (offered) AppendSetting(bytes, speed, options);
  }
  for (uint8_t index = 0; index < kEngineOptions.tasks_count; ++index) {
    UasTaskOwner& owner = *this;
    tasks_.push_back(std::make_unique<UasTask>(index, engine_, unit, options.initiator, owner));
  }
  command_request_.sink = this;
  for (UasStatus& reply : replies_) reply.request.sink = this;
}

UasFunction::~UasFunction() = default;

Bytes UasFunction::descriptors(usb::Speed speed) const {
  switch (speed) {
    case usb::Speed::kLow: return {};
    case usb::Speed::kFull: return descriptors_[0];
    case usb::Speed::kHigh: return descriptors_[1];
    case usb::Speed::kSuper:
    case usb::Speed::kSuperPlus: return descriptors_[2];
  }
  return {};
}

void UasFunction::HandleBind(Controller& controller) {
  controller_ = &controller;
  bot_.HandleBind(controller);
}

// UAS has no class requests. UAS, 5.2.
ControlReply UasFunction::HandleControl(const ControlRequest& request) {
  return enabled_ ? ControlReply::Stall() : bot_.HandleControl(request);
}

void UasFunction::HandleEvent(const BusEvent& event) {
  const auto* on = std::get_if<InterfaceEnabled>(&event);
  if (on != nullptr && on->alternate_setting == 1) return HandleEnabled(*on);
  if (enabled_ && std::holds_alternative<InterfaceDisabled>(event)) {
    enabled_ = false;
    return Stop();
  }
  if (enabled_ && std::holds_alternative<HaltCleared>(event)) return;
  bot_.HandleEvent(event);
}

void UasFunction::HandleEnabled(const InterfaceEnabled& on) {
  enabled_ = true;
  uint16_t streams_count = UINT16_MAX;
  for (const usb::EndpointConfig& endpoint : on.endpoints) {
    switch (static_cast<PipeId>(endpoint.pipe_usage)) {
      case PipeId::kCommand: pipes_.command = endpoint.address; continue;
      case PipeId::kStatus: pipes_.status = endpoint.address; break;
      case PipeId::kDataIn: pipes_.data_in = endpoint.address; break;
      case PipeId::kDataOut: pipes_.data_out = endpoint.address; break;
    }
    pipes_.packet_size_max = endpoint.packet_size_max;
    streams_count = std::min(streams_count, endpoint.streams_max);
  }
  CHECK_LE(pipes_.packet_size_max, command_room_.size());
  streams_count_ = streams_count;
  Stop();
}

void UasFunction::Drain() {
  if (draining_) return;  // the loop below goes on
  draining_ = true;
  while (!stopping_) {
    const std::optional<uas::DeviceAction> action = engine_.Poll();
    if (!action) break;
    std::visit([this](const auto& what) { Do(what); }, *action);
  }
  draining_ = false;
}

void UasFunction::Do(const uas::ReceiveIu&) {
  // Exactly one packet of room: an IU is never longer than one, and one that is exactly a packet
  // long would not end a request for more.
  command_request_.endpoint = pipes_.command;
  command_request_.room = MutableBytes(command_room_).first(pipes_.packet_size_max);
  command_request_.length_max = pipes_.packet_size_max;
  controller_->Queue(command_request_);
}

void UasFunction::Do(const uas::HaltCommandPipe&) {
  controller_->SetHalt(pipes_.command, HaltState::kHalted);
}

void UasFunction::Do(const uas::SendReply& action) {
  UasStatus& reply = replies_[action.reply];
  if (action.task_set_full) {
    reply.Fill(wire::AsBytes(wire::uas::SenseIu{
        .header = {.id = static_cast<uint8_t>(IuId::kSense), .reserved1 = 0, .tag = action.tag},
        .status_qualifier = uint16_t{0},
        .status = static_cast<uint8_t>(scsi::Status::kTaskSetFull),
        .reserved7 = {},
        .sense_length = uint16_t{0}}));
  } else {
    reply.Fill(wire::AsBytes(wire::uas::ResponseIu{
        .header = {.id = static_cast<uint8_t>(IuId::kResponse), .reserved1 = 0, .tag = action.tag},
        .additional = {},
        .code = static_cast<uint8_t>(action.code)}));
  }
  reply.request.endpoint = pipes_.status;
  reply.request.stream_id = engine_.streams() ? action.tag : uint16_t{0};
  controller_->Queue(reply.request);
}

void UasFunction::Do(const uas::TakeBackReply& action) {
  controller_->CancelStream(pipes_.status, action.tag);
}

void UasFunction::OnRequestDone(usb::InRequest& request) {
  if (stopping_) return FinishStop();
  const Outcome outcome = request.outcome;
  // As for a task's status: taken back on a stream, it went with somebody else's.
  const bool taken_back = outcome == Outcome::kCancelled && engine_.streams();
  if (outcome != Outcome::kOk && !taken_back) return;
  for (uint8_t index = 0; index < replies_.size(); ++index) {
    if (&request == &replies_[index].request) engine_.HandleReplySent(index);
  }
  Drain();
}

void UasFunction::OnRequestDone(usb::OutRequest& request) {
  if (stopping_) return FinishStop();
  if (request.outcome == Outcome::kCancelled || request.outcome == Outcome::kDisconnected) return;
  engine_.HandleIu(Bytes(command_room_).first(request.length_actual));
  Drain();
}

void UasFunction::HandleTakenBack(uint8_t task) {
  if (stopping_) return FinishStop();
  engine_.HandleAborted(task);
  Drain();
}

bool UasFunction::uas_idle() const {
  const auto out = [](const UasStatus& reply) { return reply.request.queued; };
  return !command_request_.queued && std::none_of(replies_.begin(), replies_.end(), out) &&
         std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->idle(); });
}

void UasFunction::Stop() {
  if (!std::exchange(stopping_, true)) {
    taking_back_ = true;
    for (const EndpointAddress address :
         {pipes_.command, pipes_.status, pipes_.data_in, pipes_.data_out}) {
      if (address.value != 0) controller_->CancelAll(address);
    }
    for (const auto& task : tasks_) task->Drop();
    taking_back_ = false;
  }
  FinishStop();
}

void UasFunction::FinishStop() {
  if (taking_back_ || !stopping_ || !uas_idle()) return;
  stopping_ = false;
  if (!enabled_) return engine_.HandleDisabled();
  for (const auto& task : tasks_) task->Use(*controller_, pipes_);
  engine_.HandleEnabled(streams_count_);
  Drain();
}

}  // namespace usbtwin::emulator
