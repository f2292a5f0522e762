// What a device says on the status pipe. Nothing of it is believed before it was held against the
// table: an IU for a command that is not there, or that could not have asked for it, breaks the
// conversation.
#include "base/canary.h"
#include "proto/scsi_status.h"
#include "proto/uas_host.h"

namespace usbtwin::uas {

using usb::Outcome;
using wire::uas::Header;
using wire::uas::IuId;
using wire::uas::ResponseCode;
using wire::uas::ResponseIu;
using wire::uas::SenseIu;

namespace {

// SAM-5, 5.3.1.
bool IsStatus(uint8_t status) {
  switch (static_cast<scsi::Status>(status)) {
    case scsi::Status::kGood:
    case scsi::Status::kCheckCondition:
    case scsi::Status::kConditionMet:
    case scsi::Status::kBusy:
    case scsi::Status::kReservationConflict:
    case scsi::Status::kTaskSetFull:
    case scsi::Status::kAcaActive:
    case scsi::Status::kTaskAborted: return true;
  }
  return false;
}

}  // namespace

void HostEngine::HandleStatus(uint16_t stream, Outcome outcome, Bytes iu) {
  if (!streams()) {
    CHECK_LT(0, reads_out_);
    const bool asked_to_end = reads_cancelled_;
    if (--reads_out_ == 0) reads_cancelled_ = false;
    if (outcome == Outcome::kOk && recovery_ == Recovery::kNone) return HandleIu(0, iu);
    if (recovery_ != Recovery::kNone) return AdvanceRecovery();
    if (outcome == Outcome::kCancelled && asked_to_end) return;
    return FailAll({.kind = usb::KindOf(outcome), .text = "a read of the status pipe failed"},
                   RungFor(outcome));
  }
  const bool manages = IsManagementTag(stream);
  Leg& leg = manages ? management_.status_leg : At(stream).status_leg;
  CHECK(leg == Leg::kOpen);
  leg = Leg::kClosed;
  cancel_status_due_ &= ~Bit(stream);
  if (outcome == Outcome::kOk) return HandleIu(stream, iu);
  if (manages && outcome == Outcome::kCancelled) {
    management_.given_up = true;
    return EndManagementIfClosed();
  }
  if (manages) {
    return FailAll({.kind = usb::KindOf(outcome), .text = "a read of the status pipe failed"},
                   RungFor(outcome));
  }
  if (At(stream).state != State::kRunning) return EndIfClosed(stream);
  FailOutcome(stream, outcome, Phase::kStatus);
}

void HostEngine::HandleIu(uint16_t stream, Bytes iu) {
  const auto* header = wire::View<Header>(iu);
  if (header == nullptr) {
    return FailAll({.text = "an IU of {} bytes on the status pipe, {} are its header alone",
                    .values = {iu.size(), sizeof(Header)}});
  }
  const uint16_t tag = header->tag;
  if (stream != 0 && tag != stream && !canary::Planted(canary::Canary::kUasWrongStream)) {
    return FailAll({.text = "an IU with tag {} came on stream {}", .values = {tag, stream}});
  }
  if (IsManagementTag(tag) && tag <= tags_count_ + kManagementTags) {
    return HandleManagementIu(tag, iu);
  }
  if (tag == 0 || tag > tags_count_ || At(tag).device_done || At(tag).state == State::kFree ||
      At(tag).iu_leg == Leg::kDue) {
    return FailAll({.text = "an IU of kind {:x} came for tag {}, which no command has",
                    .values = {header->id, tag}});
  }
  switch (static_cast<IuId>(header->id)) {
    case IuId::kSense: return HandleSense(tag, iu);
    case IuId::kResponse: return HandleResponse(tag, iu);
    case IuId::kReadReady: return HandleReady(tag, true, iu);
    case IuId::kWriteReady: return HandleReady(tag, false, iu);
    case IuId::kCommand:
    case IuId::kTaskManagement: break;
  }
  FailAll({.text = "an IU of kind {:x} came for tag {}: devices send none of that kind",
           .values = {header->id, tag}});
}

void HostEngine::HandleSense(uint16_t tag, Bytes iu) {
  const auto* sense = wire::View<SenseIu>(iu);
  if (sense == nullptr || iu.size() - sizeof(*sense) < sense->sense_length) {
    return FailAll(
        {.text = "a SENSE IU of {} bytes for tag {} is cut short", .values = {iu.size(), tag}});
  }
  Task& task = At(tag);
  task.has_status = true;
  task.device_done = true;
  UpdateExpected(task);
  task.result.status = sense->status;
  const Bytes bytes = Take(Drop(iu, sizeof(*sense)), sense->sense_length);
  task.result.sense_length = static_cast<uint8_t>(CopyBytes(task.result.sense, bytes));
  if (task.data_leg == Leg::kDue) CloseData(tag);
  if (!IsStatus(sense->status)) {
    return Fail(tag, {.text = "a SENSE IU for tag {} has the reserved status {:x}",
                      .values = {tag, sense->status}});
  }
  // On a stream of its own nothing else comes. A shared pipe is left alone: the data has an end.
  const bool passed = sense->status == 0x00 || sense->status == 0x04;  // GOOD, CONDITION MET
  if (!passed && streams() && task.data_leg == Leg::kOpen) cancel_data_due_ |= Bit(tag);
  EndIfClosed(tag);
}

// To a command: why it was not taken.
void HostEngine::HandleResponse(uint16_t tag, Bytes iu) {
  const auto* response = wire::View<ResponseIu>(iu);
  if (response == nullptr) {
    return FailAll(
        {.text = "a RESPONSE IU of {} bytes for tag {} is cut short", .values = {iu.size(), tag}});
  }
  Problem problem{.phase = Phase::kCommand, .values = {tag, response->code}};
  switch (static_cast<ResponseCode>(response->code)) {
    case ResponseCode::kInvalidInformationUnit:
      problem.text = "the device calls the COMMAND IU with tag {} invalid";
      break;
    case ResponseCode::kIncorrectLun:
      problem.text = "the device has no such logical unit as the COMMAND IU with tag {} names";
      break;
    case ResponseCode::kOverlappedTag:
      // The device has aborted everything, because it has another idea of what is running.
      problem.text = "the device has tag {} in use already, and has aborted all commands";
      return FailAll(problem);
    case ResponseCode::kComplete:
    case ResponseCode::kNotSupported:
    case ResponseCode::kFailed:
    case ResponseCode::kSucceeded:
      problem.text = "a RESPONSE IU to the command with tag {} has code {:x}";
      return FailAll(problem);
  }
  if (problem.text[0] == 0) {
    problem.text = "a RESPONSE IU to the command with tag {} has the reserved code {:x}";
    return FailAll(problem);
  }
  At(tag).device_done = true;
  UpdateExpected(At(tag));
  Fail(tag, problem);
}

// What is longer is another IU that was spoilt on its way: nothing on the bus would show that, and
// to grant it data would move another command's.
void HostEngine::HandleReady(uint16_t tag, bool in, Bytes iu) {
  if (iu.size() != sizeof(Header)) {
    return FailAll({.text = "a ready IU of {} bytes came for tag {}, it has {}",
                    .values = {iu.size(), tag, sizeof(Header)}});
  }
  Task& task = At(tag);
  const char* text = nullptr;
  if (streams()) {
    text = "a ready IU came for tag {}, on a link with streams";
  } else if (task.granted) {
    text = "a second ready IU came for tag {}";
  } else if (task.length == 0 || task.in != in) {
    text = in ? "a READ READY IU came for tag {}, which asked for no data"
              : "a WRITE READY IU came for tag {}, which has no data";
  }
  if (text != nullptr) {
    return FailAll({.phase = in ? Phase::kDataIn : Phase::kDataOut, .text = text, .values = {tag}});
  }
  task.granted = true;
  UpdateExpected(task);
  if (task.state != State::kRunning) {
    ++late_count_;  // it is being aborted, and nobody's data moves until that is done
    return;
  }
  task.data_leg = Leg::kDue;
  Grants& grants = grants_[in ? 0 : 1];
  grants.tags[grants.count++] = tag;
}

void HostEngine::HandleManagementIu(uint16_t tag, Bytes iu) {
  const auto* response = wire::View<ResponseIu>(iu);
  const bool is_response =
      response != nullptr && response->header.id == static_cast<uint8_t>(IuId::kResponse);
  const bool awaited = managing() && management_.tag == tag && management_.iu_leg != Leg::kDue &&
                       !management_.answered;
  if (!is_response || (!awaited && (spent_ & Bit(tag)) == 0)) {
    return FailAll({.text = "an IU of kind {:x} came for tag {}, which no function has",
                    .values = {iu[0], tag}});
  }
  if (!awaited) {  // the answer to a function that was given up
    spent_ &= ~Bit(tag);
    ++late_count_;
    return;
  }
  management_.answered = true;
  management_.worked = response->code == static_cast<uint8_t>(ResponseCode::kComplete) ||
                       response->code == static_cast<uint8_t>(ResponseCode::kSucceeded);
  if (!streams()) --expected_;
  EndManagementIfClosed();
}

}  // namespace usbtwin::uas
