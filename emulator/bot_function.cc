#include "emulator/bot_function.h"

#include <algorithm>

#include "wire/usb.h"

namespace usbtwin::emulator {

using usb::Outcome;

namespace {

// Interface and endpoint descriptors of one speed. BOT 1.0, 4.3 and 4.4.
std::vector<uint8_t> Describe(usb::Speed speed, const BotFunctionOptions& options) {
  const bool super = speed >= usb::Speed::kSuper;
  const uint16_t packet_size = super ? 1024 : speed == usb::Speed::kHigh ? 512 : 64;
  std::vector<uint8_t> bytes;
  auto append = [&bytes](Bytes part) { bytes.insert(bytes.end(), part.begin(), part.end()); };
  append(wire::AsBytes(wire::usb::InterfaceDescriptor{
      .length = sizeof(wire::usb::InterfaceDescriptor),
      .type = static_cast<uint8_t>(wire::usb::DescriptorType::kInterface),
      .number = 0,
      .alternate_setting = 0,
      .endpoints_count = 2,
      .interface_class = options.interface_class,
      .interface_subclass = 0x06,  // SCSI transparent command set
      .interface_protocol = 0x50,  // Bulk-Only Transport
      .string_index = static_cast<uint8_t>(options.name.empty() ? 0 : 1)}));
  for (const usb::EndpointAddress address :
       {usb::EndpointAddress::In(1), usb::EndpointAddress::Out(1)}) {
    append(wire::AsBytes(wire::usb::EndpointDescriptor{
        .length = sizeof(wire::usb::EndpointDescriptor),
        .type = static_cast<uint8_t>(wire::usb::DescriptorType::kEndpoint),
        .address = address.value,
        .attributes = static_cast<uint8_t>(usb::TransferType::kBulk),
        .packet_size_max = packet_size,
        .interval = 0}));
    if (!super) continue;
    append(wire::AsBytes(wire::usb::SuperSpeedCompanionDescriptor{
        .length = sizeof(wire::usb::SuperSpeedCompanionDescriptor),
        .type = static_cast<uint8_t>(wire::usb::DescriptorType::kSuperSpeedCompanion),
        .burst_max = 15,
        .attributes = 0,
        .bytes_per_interval = uint16_t{0}}));
  }
  return bytes;
}

}  // namespace

BotFunction::BotFunction(scsi::LogicalUnit& unit, BotFunctionOptions options)
    : unit_(unit), options_(std::move(options)) {
  CHECK_LE(1, options_.luns_count);
  CHECK_LE(options_.luns_count, 16);
  if (!options_.name.empty()) strings_.push_back(options_.name);
  descriptors_ = {Describe(usb::Speed::kFull, options_), Describe(usb::Speed::kHigh, options_),
                  Describe(usb::Speed::kSuper, options_)};
  command_request_.sink = this;
  data_in_.sink = this;
  data_out_.sink = this;
  status_request_.sink = this;
  command_.sink = this;
  command_.initiator = options_.initiator;
  command_.queueing = options_.queueing;
}

BotFunction::~BotFunction() {
  CHECK(!command_live_);
  CHECK(!loan_out_);
}

Bytes BotFunction::descriptors(usb::Speed speed) const {
  switch (speed) {
    case usb::Speed::kLow: return {};  // there are no bulk endpoints at low speed. USB 2.0, 5.8.3
    case usb::Speed::kFull: return descriptors_[0];
    case usb::Speed::kHigh: return descriptors_[1];
    case usb::Speed::kSuper:
    case usb::Speed::kSuperPlus: return descriptors_[2];
  }
  return {};
}

std::span<const std::string> BotFunction::strings() const {
  return strings_;
}

void BotFunction::HandleBind(Controller& controller) {
  controller_ = &controller;
}

ControlReply BotFunction::HandleControl(const ControlRequest& request) {
  const usb::SetupPacket& setup = request.setup;
  constexpr uint8_t kClassInterface = wire::usb::kTypeClass | wire::usb::kRecipientInterface;
  if (!enabled_ || setup.value != 0) return ControlReply::Stall();
  if (setup.request_type == (kClassInterface | wire::usb::kDirectionIn) &&
      setup.request == wire::bot::kRequestGetMaxLun && setup.length == 1) {
    if (options_.stall_get_max_lun) return ControlReply::Stall();
    static constexpr std::array<uint8_t, 16> kNumbers = "000102030405060708090a0b0c0d0e0f"_hex;
    return ControlReply::Data(Bytes(kNumbers).subspan(options_.luns_count - 1u, 1));
  }
  if (setup.request_type == kClassInterface && setup.request == wire::bot::kRequestReset &&
      setup.length == 0) {
    Stop(AfterStop::kReset);
    if (!stopping()) return ControlReply::Ack();
    reset_ticket_ = request.ticket;  // the answer comes when all that is out has come back
    return ControlReply::Later();
  }
  return ControlReply::Stall();
}

void BotFunction::HandleEvent(const BusEvent& event) {
  if (const auto* on = std::get_if<InterfaceEnabled>(&event)) {
    CHECK_EQ(on->endpoints.size(), 2u);
    enabled_ = true;
    for (const usb::EndpointConfig& endpoint : on->endpoints) {
      (endpoint.address.is_in() ? in_address_ : out_address_) = endpoint.address;
      packet_size_max_ = endpoint.packet_size_max;
    }
    CHECK_LE(packet_size_max_, command_room_.size());
    Stop(AfterStop::kEnable);
  } else if (std::holds_alternative<InterfaceDisabled>(event)) {
    enabled_ = false;
    reset_ticket_.reset();
    Stop(AfterStop::kDisable);
  } else if (std::holds_alternative<BusReset>(event)) {
    unit_.Reset();  // a hard reset to the units behind it. SAM-5, 6.3.2
  }
  // A cleared halt needs nothing: the status is queued already and the controller sends it.
}

void BotFunction::Drain() {
  while (!stopping()) {
    const std::optional<bot::DeviceAction> action = engine_.Poll();
    if (!action) return;
    std::visit([this](const auto& what) { Do(what); }, *action);
  }
}

void BotFunction::Do(const bot::ReceiveCommand&) {
  // Exactly one packet of room: with 31 bytes a long wrapper would overflow unseen, and with two
  // packets one that is exactly a packet long would not end the request.
  command_request_.endpoint = out_address_;
  command_request_.room = MutableBytes(command_room_).first(packet_size_max_);
  command_request_.length_max = packet_size_max_;
  controller_->Queue(command_request_);
}

void BotFunction::Do(const bot::Execute&) {
  const wire::bot::CommandBlockWrapper& wrapper = engine_.command();
  command_.lun = wrapper.lun;
  command_.command_length = wrapper.command_length;
  std::copy(wrapper.command_block.begin(), wrapper.command_block.end(),
            command_.command_block.begin());
  command_live_ = true;
  data_moved_ = 0;
  data_ended_ = false;
  unit_.Execute(command_);
}

void BotFunction::Do(const bot::SendData& action) {
  data_length_ = action.length;
  SendWindow();
}

void BotFunction::SendWindow() {
  const uint32_t left = data_length_ - data_moved_;
  data_in_.endpoint = in_address_;
  data_in_.ends_short = false;
  if (command_.data.length() <= left) {
    data_in_.data = std::move(command_.data);
  } else {
    data_in_.data = command_.data.Slice(0, left);
    command_.data.Reset();
  }
  controller_->Queue(data_in_);
}

void BotFunction::Do(const bot::ReceiveData& action) {
  data_length_ = action.length;
  ReceiveMore();
}

void BotFunction::ReceiveMore() {
  data_out_.endpoint = out_address_;
  data_out_.room = {};
  data_out_.length_max = data_length_ - data_moved_;
  controller_->Queue(data_out_);
}

void BotFunction::Do(const bot::AbortCommand&) {
  command_.data.Reset();
  if (command_live_) return unit_.Abort(command_);
  engine_.HandleExecuted(false, 0, 0);
}

void BotFunction::Do(const bot::Halt& action) {
  const HaltState state = action.wedge ? HaltState::kWedged : HaltState::kHalted;
  if (action.bulk_in) controller_->SetHalt(in_address_, state);
  if (action.bulk_out) controller_->SetHalt(out_address_, state);
}

void BotFunction::Do(const bot::SendStatus& action) {
  const wire::bot::CommandStatusWrapper wrapper = bot::Wrapper(action);
  status_request_.endpoint = in_address_;
  status_request_.ends_short = false;
  for (StatusSlab& slab : status_slabs_) {
    if (slab.pin.leases() != 0) continue;
    slab.wrapper = wrapper;
    status_request_.data = slab.pin.Lend(sizeof(wrapper));
    return controller_->Queue(status_request_);
  }
  auto [lease, room] = OwnedPin::Make(sizeof(wrapper));
  wire::Emit(room, wrapper);
  status_request_.data = std::move(lease);
  controller_->Queue(status_request_);
}

void BotFunction::OnRequestDone(usb::InRequest& request) {
  if (stopping()) return FinishStop();
  // Nothing was cancelled by us: the endpoint is being taken down, and an event will say so.
  if (request.outcome == Outcome::kCancelled || request.outcome == Outcome::kDisconnected) return;
  if (&request == &data_in_) return HandleWindowSent();
  engine_.HandleStatusSent();
  Drain();
}

void BotFunction::HandleWindowSent() {
  data_moved_ += data_in_.length_actual;
  const bool overflowed = data_in_.outcome == Outcome::kOverflow;
  if (overflowed && command_live_) {
    abandoned_ = true;  // OnExecuted goes on
    return unit_.Abort(command_);
  }
  if (!overflowed && data_moved_ < data_length_) return unit_.NextWindow(command_);
  engine_.HandleDataMoved(data_moved_, overflowed);
  Drain();
}

void BotFunction::OnRequestDone(usb::OutRequest& request) {
  if (&request == &data_out_ && !request.lent.empty()) loan_out_ = true;
  if (stopping()) return FinishStop();
  if (request.outcome == Outcome::kCancelled || request.outcome == Outcome::kDisconnected) return;
  if (&request == &data_out_) return HandleDataReceived();
  engine_.HandleCommand(Bytes(command_room_).first(request.length_actual));
  Drain();
}

void BotFunction::HandleDataReceived() {
  data_ended_ = data_out_.ended_short;
  if (loan_out_) return unit_.HandleData(command_, data_moved_, data_out_.lent);
  // A packet of no bytes: the host has no more.
  engine_.HandleDataMoved(data_moved_, true);
  Drain();
}

void BotFunction::ReleaseLoan() {
  if (!std::exchange(loan_out_, false)) return;
  data_moved_ += static_cast<uint32_t>(data_out_.lent.size());
  controller_->Release(data_out_);
}

void BotFunction::OnDataWanted(scsi::Command& command, uint32_t length) {
  if (stopping()) return unit_.Abort(command);
  engine_.HandleDataWanted(length);
  Drain();
}

void BotFunction::OnDataTaken(scsi::Command& command) {
  ReleaseLoan();
  if (stopping()) return unit_.Abort(command);
  if (data_moved_ < data_length_ && !data_ended_) return ReceiveMore();
  engine_.HandleDataMoved(data_moved_, data_ended_);
  Drain();
}

void BotFunction::OnExecuted(scsi::Command& command) {
  ReleaseLoan();
  const bool passed =
      command.status == scsi::Status::kGood || command.status == scsi::Status::kConditionMet;
  // More windows follow where the data does not hold all of it yet.
  command_live_ = passed && command.length_in > command.data.length();
  if (stopping()) return command_live_ ? unit_.Abort(command) : FinishStop();
  if (std::exchange(abandoned_, false)) {
    engine_.HandleDataMoved(data_moved_, true);
    return Drain();
  }
  engine_.HandleExecuted(passed, command.length_in, command.length_out);
  Drain();
}

void BotFunction::OnWindow(scsi::Command& command) {
  const bool failed = command.data.empty();
  command_live_ = !failed && data_moved_ + command.data.length() < command.length_in;
  if (stopping()) return command_live_ ? unit_.Abort(command) : FinishStop();
  if (!failed) return SendWindow();
  engine_.HandleDataFailed(data_moved_);
  Drain();
}

void BotFunction::Stop(AfterStop then) {
  // A reset that is under way keeps its ticket; the later wish decides how it ends.
  after_stop_ = then;
  for (const usb::EndpointAddress address : {in_address_, out_address_}) {
    if (address.value != 0) controller_->CancelAll(address);
  }
  if (command_live_) unit_.Abort(command_);
  FinishStop();
}

void BotFunction::FinishStop() {
  const bool queued =
      command_request_.queued || data_in_.queued || data_out_.queued || status_request_.queued;
  if (queued || command_live_) return;
  ReleaseLoan();
  abandoned_ = false;
  command_.data.Reset();
  switch (std::exchange(after_stop_, AfterStop::kNone)) {
    case AfterStop::kNone: return;
    case AfterStop::kReset: engine_.HandleReset(); break;
    case AfterStop::kEnable: engine_.HandleEnabled(packet_size_max_); break;
    case AfterStop::kDisable: engine_.HandleDisabled(); break;
  }
  if (reset_ticket_) {
    controller_->CompleteControl(*std::exchange(reset_ticket_, std::nullopt), ControlReply::Ack());
  }
  Drain();
}

}  // namespace usbtwin::emulator
