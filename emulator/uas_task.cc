#include "emulator/uas_task.h"

#include <algorithm>

#include "proto/scsi_command.h"

namespace usbtwin::emulator {

using usb::Outcome;
using wire::uas::Header;
using wire::uas::IuId;
using wire::uas::SenseIu;

namespace {

// ABORTED COMMAND, DATA PHASE ERROR. SPC-4, F.2.
constexpr scsi::Sense kDataPhaseError{.key = scsi::SenseKey::kAbortedCommand, .asc = 0x4b};

// What the engine carries out (proto/uas_device.h): ATS, ATSS, CTSS, LURS, QTS and QTSS.
// SPC-4, 6.36.
constexpr uint16_t kTaskFunctions = 0xdc02;

Header HeaderOf(IuId id, uint16_t tag) {
  return {.id = static_cast<uint8_t>(id), .reserved1 = 0, .tag = tag};
}

}  // namespace

void UasStatus::Fill(Bytes iu) {
  CHECK(!request.queued);
  const auto length = static_cast<uint32_t>(iu.size());
  if (pin_.leases() == 0) {
    CopyBytes(bytes_, iu);
    request.data = pin_.Lend(length);
    return;
  }
  auto [lease, room] = OwnedPin::Make(length);
  CopyBytes(room, iu);
  request.data = std::move(lease);
}

UasTask::UasTask(uint8_t index, uas::DeviceEngine& engine, scsi::LogicalUnit& unit,
                 uint8_t initiator, UasTaskOwner& owner)
    : index_(index), engine_(engine), unit_(unit), owner_(owner) {
  command_.sink = this;
  command_.initiator = initiator;
  command_.autosense = true;
  command_.queueing = true;
  command_.task_functions = kTaskFunctions;
  data_in_.sink = this;
  data_out_.sink = this;
  status_.request.sink = this;
}

UasTask::~UasTask() {
  CHECK(idle());
}

void UasTask::Use(Controller& controller, const UasPipes& pipes) {
  CHECK(idle());
  controller_ = &controller;
  pipes_ = pipes;
}

// ---- What the engine asks for -----------------------------------------------------------------

void UasTask::Execute() {
  const uas::DeviceTask& what = engine_.task(index_);
  command_.lun = what.lun;
  command_.attribute = what.attribute;
  command_.command_length = what.command_length;
  command_.command_block = what.command_block;
  command_live_ = true;
  breaking_ = ending_ = data_ended_ = false;
  data_moved_ = 0;
  unit_.Execute(command_);
}

void UasTask::SendReady(bool write) {
  const Header iu = HeaderOf(write ? IuId::kWriteReady : IuId::kReadReady, tag());
  QueueStatus(wire::AsBytes(iu));
}

void UasTask::SendWindow() {
  data_in_.endpoint = pipes_.data_in;
  data_in_.stream_id = stream();
  data_in_.ends_short = EndsUnseen();
  data_in_.data = std::move(command_.data);
  controller_->Queue(data_in_);
}

// What the host asked for stands in the command block alone. Blocks come exactly as they were asked
// for, so this concerns what has an allocation length.
bool UasTask::EndsUnseen() const {
  const uint32_t moved = data_moved_ + command_.data.length();
  if (moved != command_.length_in || moved % pipes_.packet_size_max != 0) return false;
  const auto meaning = scsi::ParseCdb(command_.cdb());
  if (!meaning) return false;
  const scsi::DataPhase asked = scsi::ExpectedData(*meaning, 1);
  const bool blocks = std::holds_alternative<scsi::cdb::Read>(*meaning);
  return !blocks && asked.length > moved;
}

void UasTask::EndData() {
  ending_ = true;
  data_in_.endpoint = pipes_.data_in;
  data_in_.stream_id = stream();
  data_in_.ends_short = false;
  data_in_.data.Reset();
  controller_->Queue(data_in_);
}

void UasTask::ReceiveData(uint32_t length) {
  data_length_ = length;
  ReceiveMore();
}

void UasTask::ReceiveMore() {
  data_out_.endpoint = pipes_.data_out;
  data_out_.stream_id = stream();
  data_out_.room = {};
  data_out_.length_max = data_length_ - data_moved_;
  controller_->Queue(data_out_);
}

void UasTask::AbortCommand() {
  command_.data.Reset();
  breaking_ = true;
  if (command_live_) return unit_.Abort(command_);
  engine_.HandleExecuted(index_, 0);
}

void UasTask::SendStatus(bool data_broken) {
  std::array<uint8_t, UasStatus::kLengthMax> iu{};
  const scsi::Status status = data_broken ? scsi::Status::kCheckCondition : command_.status;
  uint32_t length = 0;
  if (status == scsi::Status::kCheckCondition) {
    const scsi::Sense& sense = data_broken ? kDataPhaseError : command_.sense;
    const MutableBytes target = MutableBytes(iu).subspan(sizeof(SenseIu));
    length = command_.descriptor_sense ? scsi::EmitDescriptorSense(sense, target)
                                       : scsi::EmitFixedSense(sense, target);
  }
  wire::Emit(iu, SenseIu{.header = HeaderOf(IuId::kSense, tag()),
                         .status_qualifier = uint16_t{0},
                         .status = static_cast<uint8_t>(status),
                         .reserved7 = {},
                         .sense_length = static_cast<uint16_t>(length)});
  QueueStatus(Bytes(iu).first(sizeof(SenseIu) + length));
}

void UasTask::QueueStatus(Bytes iu) {
  status_.Fill(iu);
  status_.request.endpoint = pipes_.status;
  status_.request.stream_id = stream();
  controller_->Queue(status_.request);
}

// ---- What happens -----------------------------------------------------------------------------

void UasTask::OnRequestDone(usb::InRequest& request) {
  if (taking_back_) return FinishTakeBack();
  if (&request == &status_.request) return HandleStatusSent();
  // Nothing was cancelled by us: the endpoint is being taken down, and an event will say so.
  if (request.outcome == Outcome::kCancelled || request.outcome == Outcome::kDisconnected) return;
  HandleWindowSent();
}

void UasTask::HandleStatusSent() {
  const Outcome outcome = status_.request.outcome;
  // On a stream it may have gone with the status of a later task of the same tag: nobody will ever
  // read it.
  const bool taken_back = outcome == Outcome::kCancelled && engine_.streams();
  if (outcome != Outcome::kOk && !taken_back) return;
  engine_.HandleStatusSent(index_);
  owner_.HandleProgress();
}

void UasTask::HandleWindowSent() {
  data_moved_ += data_in_.length_actual;
  if (ending_) {
    engine_.HandleDataMoved(index_);
  } else if (data_in_.outcome == Outcome::kOverflow) {
    engine_.HandleDataBroken(index_);
  } else if (data_moved_ < command_.length_in) {
    return unit_.NextWindow(command_);
  } else {
    engine_.HandleDataMoved(index_);
  }
  owner_.HandleProgress();
}

void UasTask::OnRequestDone(usb::OutRequest& request) {
  if (!request.lent.empty()) loan_out_ = true;
  if (taking_back_) return FinishTakeBack();
  if (request.outcome == Outcome::kCancelled || request.outcome == Outcome::kDisconnected) return;
  data_ended_ = request.ended_short;
  if (loan_out_) return unit_.HandleData(command_, data_moved_, request.lent);
  engine_.HandleDataBroken(index_);  // a packet of no bytes: the host has no more
  owner_.HandleProgress();
}

void UasTask::ReleaseLoan() {
  if (!std::exchange(loan_out_, false)) return;
  data_moved_ += static_cast<uint32_t>(data_out_.lent.size());
  controller_->Release(data_out_);
}

void UasTask::OnDataWanted(scsi::Command& command, uint32_t length) {
  if (taking_back_) return unit_.Abort(command);
  engine_.HandleDataWanted(index_, length);
  owner_.HandleProgress();
}

void UasTask::OnDataTaken(scsi::Command& command) {
  ReleaseLoan();
  if (taking_back_) return unit_.Abort(command);
  if (data_moved_ == data_length_) return;  // OnExecuted follows
  if (!data_ended_) return ReceiveMore();
  engine_.HandleDataBroken(index_);
  owner_.HandleProgress();
}

void UasTask::OnExecuted(scsi::Command& command) {
  ReleaseLoan();
  const bool passed =
      command.status == scsi::Status::kGood || command.status == scsi::Status::kConditionMet;
  // More windows follow where the data does not hold all of it yet.
  command_live_ = passed && command.length_in > command.data.length();
  if (taking_back_) return command_live_ ? unit_.Abort(command) : FinishTakeBack();
  engine_.HandleExecuted(index_, breaking_ ? 0 : command.length_in);
  owner_.HandleProgress();
}

void UasTask::OnWindow(scsi::Command& command) {
  const bool failed = command.data.empty();
  command_live_ = !failed && data_moved_ + command.data.length() < command.length_in;
  if (taking_back_) return command_live_ ? unit_.Abort(command) : FinishTakeBack();
  if (breaking_) {
    if (command_live_) return unit_.Abort(command);
    engine_.HandleExecuted(index_, 0);
  } else if (failed) {
    engine_.HandleDataFailed(index_);
  } else {
    return SendWindow();
  }
  owner_.HandleProgress();
}

// ---- Taking back ------------------------------------------------------------------------------

void UasTask::TakeBack() {
  taking_back_ = true;
  if (data_in_.queued) CancelData(pipes_.data_in);
  if (data_out_.queued) CancelData(pipes_.data_out);
  // On a shared pipe the status of others would go with it; the host reads all of them.
  if (status_.request.queued && engine_.streams()) {
    controller_->CancelStream(pipes_.status, stream());
  }
  if (command_live_) unit_.Abort(command_);
  FinishTakeBack();
}

void UasTask::Drop() {
  if (!idle()) return TakeBack();
  command_.data.Reset();
}

// Whose turn it is not has nothing queued on a shared pipe.
void UasTask::CancelData(usb::EndpointAddress endpoint) {
  if (engine_.streams()) return controller_->CancelStream(endpoint, stream());
  controller_->CancelAll(endpoint);
}

void UasTask::FinishTakeBack() {
  if (data_in_.queued || data_out_.queued || status_.request.queued || command_live_) return;
  ReleaseLoan();
  command_.data.Reset();
  taking_back_ = false;
  owner_.HandleTakenBack(index_);
}

}  // namespace usbtwin::emulator
