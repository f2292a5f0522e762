#include "link/bot_watch.h"

#include <algorithm>

#include "link/transfer_data.h"

namespace usbtwin::link {

using fault::Moment;
using usb::Outcome;
using wire::bot::CommandBlockWrapper;
using wire::bot::CommandStatusWrapper;

namespace {

// Bulk-Only Mass Storage Reset. BOT 1.0, 3.1.
bool IsReset(const usb::SetupPacket& setup) {
  return setup.request_type == (wire::usb::kTypeClass | wire::usb::kRecipientInterface) &&
         setup.request == wire::bot::kRequestReset;
}

uint32_t Add(uint32_t left, uint64_t right) {
  return static_cast<uint32_t>(std::min<uint64_t>(left + right, UINT32_MAX));
}

}  // namespace

Moment BotWatch::HandleSubmit(const usb::Transfer& transfer) {
  if (transfer.setup) {
    if (IsReset(*transfer.setup)) HandleReset();
    return Moment::kControl;
  }
  const bool data_due = phase_ == Phase::kData && asked_ < announced();
  if (!transfer.endpoint.is_in()) {
    if (data_due && !is_in() && transfer.endpoint == out_) {
      asked_ = Add(asked_, transfer.out.size());
      return Moment::kDataOut;
    }
    const auto* wrapper = wire::View<CommandBlockWrapper>(transfer.out);
    if (transfer.out.size() != sizeof(CommandBlockWrapper) || wrapper == nullptr ||
        wrapper->signature != wire::bot::kCommandSignature) {
      return Moment::kDataOut;
    }
    Begin(transfer, *wrapper);
    return Moment::kCommand;
  }
  if (phase_ == Phase::kIdle || (in_ && *in_ != transfer.endpoint)) return Moment::kDataIn;
  if (!data_due || !is_in()) return Moment::kStatus;
  asked_ = Add(asked_, transfer.in_length_max);
  return Moment::kDataIn;
}

void BotWatch::Begin(const usb::Transfer& transfer, const CommandBlockWrapper& wrapper) {
  wrapper_ = wrapper;
  out_ = transfer.endpoint;
  asked_ = 0;
  moved_ = 0;
  phase_ = announced() != 0 ? Phase::kData : Phase::kStatus;
  context_ = fault::ContextOf(Take(Bytes(wrapper_.command_block), wrapper.command_length & 0x1fu),
                              wrapper.lun & 0x0fu, wrapper.tag);
}

std::optional<CommandStatusWrapper> BotWatch::StatusIn(const usb::Transfer& transfer) {
  if (transfer.length_actual != sizeof(CommandStatusWrapper)) return std::nullopt;
  std::array<uint8_t, sizeof(CommandStatusWrapper)> bytes{};
  CopyData(transfer, bytes);
  const auto* status = wire::View<CommandStatusWrapper>(bytes);
  if (status == nullptr || status->signature != wire::bot::kStatusSignature) return std::nullopt;
  return *status;
}

void BotWatch::HandleDone(const usb::Transfer& transfer, Moment moment) {
  if (phase_ == Phase::kIdle || transfer.setup) return;
  if (in_ && transfer.endpoint.is_in() && *in_ != transfer.endpoint) return;
  // Linux asks for data with short_not_ok, and takes the fault for the end of the data.
  const bool ended_short = transfer.outcome == Outcome::kFault && transfer.is_in() &&
                           transfer.flags.short_not_ok &&
                           transfer.length_actual < transfer.in_length_max;
  const bool ok = transfer.outcome == Outcome::kOk;
  const bool broken = !ok && !ended_short && transfer.outcome != Outcome::kStall;
  if (moment == Moment::kCommand) {
    if (!ok) phase_ = Phase::kIdle;
    return;
  }
  if (transfer.endpoint.is_in()) {
    const auto status = StatusIn(transfer);
    if (status && ok && status->tag == wrapper_.tag) {
      in_ = transfer.endpoint;
      phase_ = Phase::kIdle;
      return;
    }
  }
  if (broken) {
    phase_ = Phase::kIdle;
  } else if (moment == Moment::kStatus) {
    // What is neither a stall nor an empty packet nor the status makes the host give up.
    if (ok && transfer.length_actual != 0) phase_ = Phase::kIdle;
  } else if (phase_ == Phase::kData) {
    moved_ = Add(moved_, transfer.length_actual);
    const uint64_t asked = transfer.is_in() ? transfer.in_length_max : transfer.out.size();
    if (!ok || transfer.length_actual < asked) phase_ = Phase::kStatus;
  }
}

}  // namespace usbtwin::link
