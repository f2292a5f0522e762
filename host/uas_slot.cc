// The transfers of a UasTransport: those of one tag, and the reads of a shared status pipe.
#include "host/uas_transport.h"

namespace usbtwin::host {

using usb::Outcome;

void UasTransport::Slot::Begin(const ScsiRequest& request) {
  CHECK(!handle_);
  request_ = request;
  finished_ = false;
  SetDeadline(request.timeout);
}

void UasTransport::Slot::SendIu() {
  iu_.endpoint = transport_.options_.command.address;
  iu_.out = transport_.engine_.iu(tag_);
  Submit(kWordIu);
}

void UasTransport::Slot::ReadStatus() {
  status_.endpoint = transport_.options_.status.address;
  status_.stream_id = tag_;
  status_.in = status_room_;
  status_.in_length_max = static_cast<uint32_t>(status_room_.size());
  Submit(kWordStatus);
}

void UasTransport::Slot::MoveData(const uas::HostAction& action) {
  const UasTransportOptions& options = transport_.options_;
  data_.endpoint = (action.in ? options.data_in : options.data_out).address;
  data_.stream_id = options.streams_count != 0 ? tag_ : uint16_t{0};
  data_.out = {};
  data_.in = {};
  data_.in_length_max = 0;
  if (!action.in) {
    data_.out = request_.out.subspan(action.offset, action.length);
  } else {
    data_.in_length_max = action.length;
    if (!request_.in.empty()) data_.in = request_.in.subspan(action.offset, action.length);
  }
  Submit(kWordData);
}

usb::Transfer& UasTransport::Slot::TransferOf(Word leg) {
  switch (leg) {
    case kWordIu: return iu_;
    case kWordData: return data_;
    case kWordStatus: return status_;
  }
  return iu_;
}

void UasTransport::Slot::Submit(Word leg) {
  usb::Transfer& transfer = TransferOf(leg);
  transfer.Rearm();
  transfer.Push(*this, leg);
  transport_.link_->Submit(transfer);
}

void UasTransport::Slot::Cancel(Word leg) {
  transport_.link_->Cancel(TransferOf(leg));
}

void UasTransport::Slot::OnDone(usb::Transfer& transfer, uint64_t word) {
  uas::HostEngine& engine = transport_.engine_;
  const Outcome outcome = transfer.outcome;
  const uint32_t length = transfer.length_actual;
  switch (static_cast<Word>(word)) {
    case kWordIu: engine.HandleIuSent(tag_, outcome, length); break;
    case kWordData:
      if (transfer.in_length_max != 0 && request_.in.empty()) {
        request_.lent->TakeFrom(transfer.lease);
      }
      engine.HandleData(tag_, outcome, length);
      break;
    case kWordStatus: engine.HandleStatus(tag_, outcome, Take(Bytes(status_room_), length)); break;
  }
  transport_.HandleProgress(tag_);
}

void UasTransport::Slot::SetDeadline(Duration from_now) {
  deadline_ = transport_.clock_.Now() + from_now;
  // Lazy: a timer that fires early is armed again; one that would fire late is moved now.
  if (!armed() || deadline_ < when()) transport_.clock_.Arm(*this, deadline_);
}

void UasTransport::Slot::HandleDraining() {
  if (!std::exchange(draining_, true)) SetDeadline(transport_.options_.drain_timeout);
}

void UasTransport::Slot::HandleTimer() {
  if (deadline_ == kNever) return;
  if (transport_.clock_.Now() < deadline_) return transport_.clock_.Arm(*this, deadline_);
  transport_.engine_.HandleTimeout(tag_);
  transport_.Drain();
}

void UasTransport::Slot::Cancel() {
  transport_.engine_.HandleCancel(tag_);
  transport_.Drain();
}

void UasTransport::Slot::Finish() {
  finished_ = true;
  deadline_ = kNever;
  draining_ = false;
  if (handle_) transport_.clock_.Post(*this);
}

void UasTransport::Slot::Run() {
  root_->set_hook(nullptr);
  root_->Resume(std::exchange(handle_, nullptr));
}

void UasTransport::Read::Submit() {
  CHECK(!out_);
  out_ = true;
  transfer_.endpoint = transport_.options_.status.address;
  transfer_.in = room_;
  transfer_.in_length_max = static_cast<uint32_t>(room_.size());
  transfer_.Rearm();
  transfer_.Push(*this);
  transport_.link_->Submit(transfer_);
}

void UasTransport::Read::Cancel() {
  transport_.link_->Cancel(transfer_);
}

void UasTransport::Read::OnDone(usb::Transfer& transfer, uint64_t) {
  out_ = false;
  const Bytes iu = Take(Bytes(room_), transfer.length_actual);
  uint16_t tag = 0;
  if (const auto* header = wire::View<wire::uas::Header>(iu)) tag = header->tag;
  transport_.engine_.HandleStatus(0, transfer.outcome, iu);
  transport_.HandleProgress(tag);
}

}  // namespace usbtwin::host
