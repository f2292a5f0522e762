#include "host/bot_transport.h"

#include <algorithm>

#include "base/canary.h"

namespace usbtwin::host {

using usb::Outcome;
using Kind = bot::HostAction::Kind;

namespace {

uint32_t WholePackets(uint32_t length_max, uint16_t packet_size_max) {
  CHECK_NE(packet_size_max, 0);
  return std::max<uint32_t>(length_max - length_max % packet_size_max, packet_size_max);
}

}  // namespace

BotTransport::BotTransport(Clock& clock, usb::Link& link, const BotTransportOptions& options,
                           Reopener* reopener)
    : clock_(clock),
      link_(&link),
      lends_data_(link.caps().lends_data),
      options_(options),
      reopener_(reopener),
      engine_(WholePackets(link.caps().transfer_length_max, options.bulk_in.packet_size_max)),
      far_(link.caps().far) {}

BotTransport::~BotTransport() {
  CHECK(!busy_);
  clock_.Disarm(*this);
}

async::Task<Result<ScsiResult>> BotTransport::Execute(ScsiRequest request) {
  if (const std::optional<Error> refusal = Refuse(request)) co_return *refusal;
  async::Root& root = co_await async::CurrentRoot();
  busy_ = true;
  timed_out_ = false;
  if (request.lent != nullptr) request.lent->Clear();
  const bot::HostCommand command{.lun = static_cast<uint8_t>(request.lun),
                                 .command_block = request.cdb,
                                 .in = request.out.empty(),
                                 .length = request.out.empty()
                                               ? request.in_length
                                               : static_cast<uint32_t>(request.out.size())};
  engine_.Start(command, options_.sense_on_failure);
  SetDeadline(request.timeout);
  std::optional<async::Shield> shield;
  if (canary::Planted(canary::Canary::kCancelIgnored)) shield.emplace(root);
  while (true) {
    const bot::HostAction action = engine_.Poll();
    if (engine_.recovering()) {
      // Recovery must finish, or the next command meets a device in mid-command.
      if (!shield) shield.emplace(root);
      SetDeadline(options_.recovery_timeout);
    }
    Ahead* ahead = FindAhead(action);
    if (ahead == nullptr && !KeepsAhead(action)) co_await DropAhead();
    if (far_ && action.kind == Kind::kSendCommand && !root.stopping()) {
      SubmitAhead(request);
      ahead = FindAhead(action);
    }
    const Step step = ahead != nullptr ? Step::kTransfer : Prepare(action, request, transfer_);
    if (step == Step::kTransfer) {
      // The timer may have fired while nothing could be cancelled, or for a transfer that had
      // already succeeded: the time that is left, if any, is this transfer's.
      timed_out_ = false;
      if (!armed()) clock_.Arm(*this, deadline_);
      usb::Transfer& transfer = ahead != nullptr ? ahead->transfer : transfer_;
      waiting_for_ = &transfer;
      waiting_ahead_ = ahead;
      Outcome outcome = Outcome::kPending;
      if (ahead != nullptr) {
        outcome = co_await ahead->Wait();
      } else {
        outcome = co_await async::Perform(*link_, transfer_);
      }
      waiting_for_ = nullptr;
      const bool late = timed_out_ || (ahead != nullptr && aheads_expired_);
      const bool expired = outcome == Outcome::kCancelled && late;
      Deliver(action, request, transfer, expired ? Outcome::kTimedOut : outcome);
    } else if (step == Step::kPort && action.kind == Kind::kClearHalt &&
               canary::Planted(canary::Canary::kHaltNotCleared)) {
      engine_.HandleRecovered(Outcome::kOk);
    } else if (step == Step::kPort) {
      const Outcome outcome = co_await async::PerformPort(*link_, port_op_);
      engine_.HandleRecovered(outcome);
    } else if (step == Step::kReopen) {
      const Result<void> reopened = co_await reopener_->Reopen();
      link_ = &reopener_->link();
      lost_.reset();
      if (!reopened) lost_ = reopened.error();
      engine_.HandleRecovered(reopened ? Outcome::kOk : Outcome::kDisconnected);
    } else if (action.kind == Kind::kReopen) {
      engine_.HandleRecovered(Outcome::kDisconnected);  // there is nobody to open it
    } else {
      break;
    }
  }
  busy_ = false;
  deadline_ = kNever;
  // A status that came in place of data is no data.
  if (request.lent != nullptr && request.lent->length() > engine_.result().length_actual) {
    request.lent->Clear();
  }
  co_return Conclude();
}

std::optional<Error> BotTransport::Refuse(const ScsiRequest& request) const {
  if (busy_) {
    return Error{.kind = ErrorKind::kBusy, .text = "another command is running on this transport"};
  }
  return RefuseRequest(request, *this, wire::bot::kLunMax);
}

void BotTransport::SubmitAhead(const ScsiRequest& request) {
  CHECK_EQ(ahead_, aheads_count_);
  const wire::bot::CommandBlockWrapper& wrapper = engine_.wrapper();
  const uint32_t length = wrapper.data_length;
  const bool whole = length <= engine_.transfer_length_max();
  ahead_ = aheads_count_ = 0;
  aheads_expired_ = false;
  const auto add = [&](const bot::HostAction& action) {
    Ahead& one = aheads_[aheads_count_];
    one.set_behind(nullptr);
    if (aheads_count_ != 0) aheads_[aheads_count_ - 1].set_behind(&one);
    aheads_actions_[aheads_count_++] = action;
    Prepare(action, request, one.transfer);
  };
  add({.kind = Kind::kSendCommand});
  if (length != 0) {
    add({.kind = Kind::kMoveData,
         .in = (wrapper.flags & wire::bot::kDirectionIn) != 0,
         .sense = engine_.fetching_sense(),
         .offset = 0,
         .length = std::min(length, engine_.transfer_length_max())});
  }
  // A status that was asked for between two pieces of the data would receive the second one.
  if (whole) add({.kind = Kind::kReadStatus});
  for (size_t index = 0; index < aheads_count_; ++index) aheads_[index].Start(*link_);
}

Ahead* BotTransport::FindAhead(const bot::HostAction& action) {
  if (ahead_ == aheads_count_) return nullptr;
  const bot::HostAction& expected = aheads_actions_[ahead_];
  const bool same = action.kind == expected.kind && action.in == expected.in &&
                    action.sense == expected.sense && action.offset == expected.offset &&
                    action.length == expected.length;
  return same ? &aheads_[ahead_++] : nullptr;
}

// Clearing the halt of the pipe out touches no transfer of the other one, where the status may have
// come already.
bool BotTransport::KeepsAhead(const bot::HostAction& action) const {
  if (ahead_ == aheads_count_) return true;
  return action.kind == Kind::kClearHalt && !action.in &&
         aheads_actions_[ahead_].kind == Kind::kReadStatus;
}

// What they have moved belongs to nothing: the engine goes another way.
async::Task<void> BotTransport::DropAhead() {
  if (ahead_ != aheads_count_) aheads_[ahead_].CancelTransfer();  // and those behind it
  for (; ahead_ < aheads_count_; ++ahead_) {
    Ahead& one = aheads_[ahead_];
    const Outcome outcome = co_await one.Wait();
    static_cast<void>(outcome);
  }
}

BotTransport::Step BotTransport::Prepare(const bot::HostAction& action, const ScsiRequest& request,
                                         usb::Transfer& transfer) {
  transfer.setup.reset();
  transfer.out = {};
  transfer.in = {};
  transfer.in_length_max = 0;
  switch (action.kind) {
    case Kind::kSendCommand:
      transfer.endpoint = options_.bulk_out.address;
      transfer.out = wire::AsBytes(engine_.wrapper());
      return Step::kTransfer;
    case Kind::kMoveData: PrepareData(action, request, transfer); return Step::kTransfer;
    case Kind::kReadStatus:
      transfer.endpoint = options_.bulk_in.address;
      transfer.in = wire::AsMutableBytes(status_);
      transfer.in_length_max = sizeof(status_);
      return Step::kTransfer;
    case Kind::kClearHalt:
      port_op_.request = usb::ClearHalt{(action.in ? options_.bulk_in : options_.bulk_out).address};
      return Step::kPort;
    case Kind::kMassStorageReset:
      // BOT 1.0, 3.1.
      transfer.endpoint = {};
      transfer.setup =
          usb::SetupPacket{.request_type = wire::usb::kTypeClass | wire::usb::kRecipientInterface,
                           .request = wire::bot::kRequestReset,
                           .value = uint16_t{0},
                           .index = uint16_t{options_.interface_number},
                           .length = uint16_t{0}};
      return Step::kTransfer;
    case Kind::kResetPort: port_op_.request = usb::ResetPort{}; return Step::kPort;
    case Kind::kReopen: return reopener_ != nullptr ? Step::kReopen : Step::kFinished;
    case Kind::kNone: CHECK(action.kind != Kind::kNone); break;
    case Kind::kFinished: break;
  }
  return Step::kFinished;
}

void BotTransport::PrepareData(const bot::HostAction& action, const ScsiRequest& request,
                               usb::Transfer& transfer) {
  if (!action.in) {
    transfer.endpoint = options_.bulk_out.address;
    transfer.out = request.out.subspan(action.offset, action.length);
    return;
  }
  transfer.endpoint = options_.bulk_in.address;
  transfer.in_length_max = action.length;
  if (action.sense) {
    transfer.in = MutableBytes(sense_).subspan(action.offset, action.length);
  } else if (!request.in.empty()) {
    transfer.in = request.in.subspan(action.offset, action.length);
  }
}

void BotTransport::Deliver(const bot::HostAction& action, const ScsiRequest& request,
                           usb::Transfer& transfer, Outcome outcome) {
  const uint32_t length = transfer.length_actual;
  switch (action.kind) {
    case Kind::kSendCommand: return engine_.HandleCommandSent(outcome, length);
    case Kind::kMoveData: return DeliverData(action, request, transfer, outcome);
    case Kind::kReadStatus:
      return engine_.HandleStatus(outcome, Take(wire::AsBytes(status_), length));
    case Kind::kMassStorageReset: return engine_.HandleRecovered(outcome);
    case Kind::kNone:
    case Kind::kClearHalt:
    case Kind::kResetPort:
    case Kind::kReopen:
    case Kind::kFinished: return;  // no transfers
  }
}

void BotTransport::DeliverData(const bot::HostAction& action, const ScsiRequest& request,
                               usb::Transfer& transfer, Outcome outcome) {
  const uint32_t length = transfer.length_actual;
  // A status sent in place of data is 13 bytes, so only then does the engine look at them.
  std::array<uint8_t, sizeof(status_)> head_room{};
  Bytes head;
  if (action.in && length == head_room.size()) {
    if (transfer.in.empty()) {
      transfer.lease.CopyTo(head_room);
      head = head_room;
    } else {
      head = transfer.in.first(length);
    }
  }
  if (action.in && !action.sense && request.in.empty()) {
    request.lent->TakeFrom(transfer.lease);
  }
  engine_.HandleData(outcome, length, head);
}

const char* BotTransport::last_recovery() const {
  return last_rung_ == bot::Rung::kNone ? "" : bot::Name(last_rung_);
}

std::vector<RecoveryCount> BotTransport::recoveries() const {
  std::vector<RecoveryCount> counts;
  for (size_t rung = 1; rung < rung_counts_.size(); ++rung) {
    if (rung_counts_[rung] == 0) continue;
    counts.push_back({bot::Name(static_cast<bot::Rung>(rung)), rung_counts_[rung]});
  }
  return counts;
}

Result<ScsiResult> BotTransport::Conclude() {
  const bot::HostResult& done = engine_.result();
  last_rung_ = done.rung;
  ++rung_counts_[static_cast<size_t>(done.rung)];
  if (done.error) {
    Error error = *done.error;
    const bool out = error.phase == Phase::kCommand || error.phase == Phase::kDataOut;
    error.endpoint = (out ? options_.bulk_out : options_.bulk_in).address.value;
    if (error.kind == ErrorKind::kDisconnected && lost_) {
      error.text = lost_->text;
      error.values = lost_->values;
    }
    return error;
  }
  // Kept between commands, so that the common case writes a few words and not a hundred bytes.
  if (result_.sense_length != 0 || result_.sense_failure) result_ = {};
  const bool passed = done.status == wire::bot::Status::kPassed;
  result_.status = passed ? scsi::Status::kGood : scsi::Status::kCheckCondition;
  result_.length_actual = done.length_actual;
  result_.residue = canary::Planted(canary::Canary::kResidueIgnored) ? 0 : done.residue;
  if (canary::Planted(canary::Canary::kResidueOffByOne) && result_.residue != 0) --result_.residue;
  if (canary::Planted(canary::Canary::kShortAfterRecovery) && done.recoveries != 0) {
    result_.length_actual /= 2;
  }
  result_.recoveries = done.recoveries;
  result_.sense_failure = done.sense_failure;
  if (done.sense_length != 0) {
    const Bytes bytes = Take(Bytes(sense_), done.sense_length);
    result_.sense_length = static_cast<uint8_t>(CopyBytes(result_.sense_bytes, bytes));
    const std::optional<scsi::Sense> sense = scsi::ParseSense(bytes);
    result_.sense_valid = sense.has_value();
    if (sense) result_.sense = *sense;
  }
  return result_;
}

void BotTransport::SetDeadline(Duration from_now) {
  if (canary::Planted(canary::Canary::kLateDeadline)) from_now = 5 * from_now;
  deadline_ = clock_.Now() + from_now;
  // Lazy: a timer that fires early is armed again; one that would fire late is moved now.
  if (!armed() || deadline_ < when()) clock_.Arm(*this, deadline_);
}

void BotTransport::HandleTimer() {
  if (deadline_ == kNever) return;
  if (clock_.Now() < deadline_ && !canary::Planted(canary::Canary::kSpuriousTimeout)) {
    return clock_.Arm(*this, deadline_);
  }
  if (waiting_for_ == nullptr) return;
  timed_out_ = true;
  if (waiting_ahead_ == nullptr) return link_->Cancel(*waiting_for_);
  aheads_expired_ = true;
  waiting_ahead_->CancelTransfer();
}

}  // namespace usbtwin::host
