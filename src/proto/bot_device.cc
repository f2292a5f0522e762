#include "proto/bot_device.h"

#include <algorithm>
#include <utility>

namespace usbtwin::bot {

using wire::bot::CommandBlockWrapper;
using wire::bot::Status;

wire::bot::CommandStatusWrapper Wrapper(const SendStatus& status) {
  return {.signature = wire::bot::kStatusSignature,
          .tag = status.tag,
          .residue = status.residue,
          .status = static_cast<uint8_t>(status.status)};
}

void DeviceEngine::HandleEnabled(uint16_t packet_size_max) {
  CHECK_NE(packet_size_max, 0);
  packet_size_max_ = packet_size_max;
  halt_due_ = false;
  Enter(State::kReady);
}

void DeviceEngine::HandleDisabled() {
  state_ = State::kDisabled;
  halt_due_ = false;
  action_due_ = false;
}

std::optional<DeviceAction> DeviceEngine::Poll() {
  if (std::exchange(halt_due_, false)) return halt_;
  if (!std::exchange(action_due_, false)) return std::nullopt;
  switch (state_) {
    case State::kDisabled:
    case State::kWedged: return std::nullopt;
    case State::kReady: return ReceiveCommand{};
    case State::kExecuting: return Execute{};
    case State::kSending: return SendData{std::min(length_device_, length_host_)};
    case State::kReceiving: return ReceiveData{length_device_};
    case State::kAborting: return AbortCommand{};
    case State::kStatus: return status_;
  }
  return std::nullopt;
}

void DeviceEngine::HandleCommand(Bytes packet) {
  CHECK(state_ == State::kReady);
  const auto* wrapper = wire::View<CommandBlockWrapper>(packet);
  // Valid: BOT 1.0, 6.2.1. Meaningful as far as the transport can tell: 6.2.2, no reserved bits and
  // a possible command block length; whether the unit exists is for the unit's own sense to say.
  if (wrapper == nullptr || packet.size() != sizeof(CommandBlockWrapper) ||
      wrapper->signature != wire::bot::kCommandSignature ||
      (wrapper->flags & ~wire::bot::kDirectionIn) != 0 || wrapper->lun > wire::bot::kLunMax ||
      wrapper->command_length == 0 || wrapper->command_length > wire::bot::kCommandBlockLengthMax) {
    return Wedge();
  }
  command_ = *wrapper;
  length_host_ = command_.data_length;
  length_device_ = 0;
  Enter(State::kExecuting);
}

void DeviceEngine::Wedge() {
  state_ = State::kWedged;
  halt_ = {.bulk_in = true, .bulk_out = true, .wedge = true};
  halt_due_ = true;
}

void DeviceEngine::HandleExecuted(bool passed, uint32_t length_in, uint32_t length_taken) {
  passed_ = passed;
  switch (state_) {
    case State::kExecuting:
      if (length_in != 0) return HandleIntentIn(length_in);
      return HandleNoData();
    case State::kReceiving:
      // Cases 11 and 12: all the unit wanted has come. Where the host has more packets, it must
      // stop; what came in the last one has been accepted, and a halt would hit the next command.
      return Finish(passed ? Status::kPassed : Status::kFailed, length_taken,
                    {.bulk_out = WholePackets(length_device_) < length_host_});
    case State::kAborting:
      if (!host_in()) status_.residue = length_host_ - std::min(length_taken, length_host_);
      return Conclude();
    case State::kDisabled:
    case State::kReady:
    case State::kSending:
    case State::kStatus:
    case State::kWedged: CHECK(state_ == State::kExecuting); return;
  }
}

uint64_t DeviceEngine::WholePackets(uint64_t length) const {
  return (length + packet_size_max_ - 1) / packet_size_max_ * packet_size_max_;
}

// The unit neither wants nor has data.
void DeviceEngine::HandleNoData() {
  const Status status = passed_ ? Status::kPassed : Status::kFailed;
  const bool expected = length_host_ != 0;
  // Case 1; case 4, Hi > Dn; case 9, Ho > Dn.
  Finish(status, 0, {.bulk_in = expected && host_in(), .bulk_out = expected && !host_in()});
}

// The unit has `length` bytes for the host.
void DeviceEngine::HandleIntentIn(uint32_t length) {
  length_device_ = length;
  if (length_host_ == 0 || !host_in()) {
    // Case 2, Hn < Di, and case 10, Ho <> Di: a phase error.
    return Abort(Status::kPhaseError, length_host_, {.bulk_out = length_host_ != 0});
  }
  // Cases 5 and 6, Hi >= Di; case 7, Hi < Di, sends what the host asked for.
  Enter(State::kSending);
}

void DeviceEngine::HandleDataWanted(uint32_t length) {
  CHECK(state_ == State::kExecuting);
  length_device_ = length;
  if (length_host_ != 0 && !host_in() && length <= length_host_) {
    return Enter(State::kReceiving);
  }
  // Case 3, Hn < Do; case 8, Hi <> Do; case 13, Ho < Do: a phase error.
  const bool expected = length_host_ != 0;
  Abort(Status::kPhaseError, length_host_,
        {.bulk_in = expected && host_in(), .bulk_out = expected && !host_in()});
}

void DeviceEngine::HandleDataMoved(uint32_t length, bool ended_short) {
  if (state_ == State::kReceiving) {
    if (!ended_short || length == length_device_) return;  // HandleExecuted follows
    // The host broke its word: it announced more than it sent. The unit says what took effect.
    return Abort(Status::kPhaseError, length_host_, {});
  }
  CHECK(state_ == State::kSending);
  if (length_device_ > length_host_) return Abort(Status::kPhaseError, 0, {});
  // Case 5: the data ended on a full packet, so the host cannot see the end. BOT 1.0, 6.7.2.
  const bool unseen = length < length_host_ && length % packet_size_max_ == 0;
  Finish(passed_ ? Status::kPassed : Status::kFailed, length, {.bulk_in = unseen});
}

void DeviceEngine::HandleDataFailed(uint32_t length) {
  CHECK(state_ == State::kSending);
  const bool unseen = length < length_host_ && length % packet_size_max_ == 0;
  Finish(Status::kFailed, length, {.bulk_in = unseen});
}

void DeviceEngine::HandleStatusSent() {
  CHECK(state_ == State::kStatus);
  Enter(State::kReady);
}

void DeviceEngine::HandleReset() {
  // The wedge becomes an ordinary halt, which the host's two CLEAR_FEATUREs lift. BOT 1.0, 5.3.4.
  halt_due_ = state_ == State::kWedged;
  halt_ = {.bulk_in = true, .bulk_out = true};
  Enter(State::kReady);
}

void DeviceEngine::Abort(Status status, uint32_t residue, Halt halt) {
  status_ = {.tag = command_.tag, .residue = residue, .status = status};
  halt_ = halt;
  Enter(State::kAborting);
}

void DeviceEngine::Conclude() {
  halt_due_ = halt_.bulk_in || halt_.bulk_out;
  Enter(State::kStatus);
}

void DeviceEngine::Finish(Status status, uint32_t length_done, Halt halt) {
  status_ = {.tag = command_.tag,
             .residue = length_host_ - std::min(length_done, length_host_),
             .status = status};
  halt_ = halt;
  Conclude();
}

}  // namespace usbtwin::bot
