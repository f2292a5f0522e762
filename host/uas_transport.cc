#include "host/uas_transport.h"

#include <algorithm>

namespace usbtwin::host {

using usb::Outcome;
using Kind = uas::HostAction::Kind;

namespace {

uas::HostOptions EngineOptions(const usb::LinkCaps& caps, const UasTransportOptions& options) {
  const uint16_t packet = options.data_in.packet_size_max;
  CHECK_NE(packet, 0);
  const uint32_t whole = caps.transfer_length_max - caps.transfer_length_max % packet;
  return {.depth = std::min(options.depth_max, uas::HostEngine::DepthOf(options.streams_count)),
          .streams_count = options.streams_count,
          .transfer_length_max = std::max<uint32_t>(whole, packet)};
}

}  // namespace

UasTransport::UasTransport(Clock& clock, usb::Link& link, const UasTransportOptions& options,
                           Reopener* reopener)
    : clock_(clock),
      link_(&link),
      lends_data_(link.caps().lends_data),
      options_(options),
      luns_count_(options.luns_count),
      reopener_(reopener),
      engine_(EngineOptions(link.caps(), options)),
      patience_(*this) {
  slots_.resize(uas::HostEngine::kDepthMax + uas::HostEngine::kManagementTags);
}

UasTransport::~UasTransport() {
  CHECK(engine_.idle());
  clock_.Disarm(patience_);
}

async::Task<Result<ScsiResult>> UasTransport::Execute(ScsiRequest request) {
  if (const std::optional<Error> refusal = Refuse(request)) co_return *refusal;
  async::Root& root = co_await async::CurrentRoot();
  if (root.stopping()) co_return Error{.kind = ErrorKind::kCancelled, .phase = Phase::kCommand};
  if (request.lent != nullptr) request.lent->Clear();
  const uint32_t length =
      request.out.empty() ? request.in_length : static_cast<uint32_t>(request.out.size());
  const uas::HostCommand command{.lun = request.lun,
                                 .command_block = request.cdb,
                                 .in = request.out.empty(),
                                 .length = length,
                                 .attribute = request.attribute};
  const uint16_t tag = engine_.Start(command);
  Slot& slot = SlotOf(tag);
  slot.Begin(request);
  Drain();
  co_await slot.Wait();
  const Result<ScsiResult> result = Conclude(tag);
  engine_.Release(tag);
  Drain();
  if (!AtRest()) {
    Quiet quiet(*this);
    co_await quiet;
  }
  co_return result;
}

std::optional<Error> UasTransport::Refuse(const ScsiRequest& request) const {
  if (!engine_.may_start()) {
    return Error{.kind = ErrorKind::kBusy,
                 .text = "{} commands are running on this transport, as many as it carries",
                 .values = {engine_.tasks_count()}};
  }
  return RefuseRequest(request, *this, wire::uas::kLunMax);
}

UasTransport::Slot& UasTransport::SlotOf(uint16_t tag) {
  std::unique_ptr<Slot>& slot = slots_[tag - 1u];
  if (slot == nullptr) slot = std::make_unique<Slot>(*this, tag);
  return *slot;
}

void UasTransport::HandleProgress(uint16_t tag) {
  if (engine_.IsCommandTag(tag) && engine_.draining(tag)) SlotOf(tag).HandleDraining();
  Drain();
}

void UasTransport::Drain() {
  if (draining_) return;  // the loop below goes on
  draining_ = true;
  for (uas::HostAction action = engine_.Poll(); action.kind != Kind::kNone;
       action = engine_.Poll()) {
    Do(action);
  }
  draining_ = false;
  if (!engine_.managing() && patience_.armed()) clock_.Disarm(patience_);
  if (quiet_ != nullptr && AtRest()) std::exchange(quiet_, nullptr)->Wake();
}

void UasTransport::Do(const uas::HostAction& action) {
  switch (action.kind) {
    case Kind::kNone: return;
    case Kind::kReadStatus:
      if (action.tag == 0) return SubmitRead();
      return SlotOf(action.tag).ReadStatus();
    case Kind::kMoveData: return SlotOf(action.tag).MoveData(action);
    case Kind::kSendIu:
      if (engine_.managing() && engine_.IsManagementTag(action.tag)) {
        clock_.Arm(patience_, clock_.Now() + options_.recovery_timeout);
      }
      return SlotOf(action.tag).SendIu();
    case Kind::kCancelIu: return SlotOf(action.tag).Cancel(kWordIu);
    case Kind::kCancelData: return SlotOf(action.tag).Cancel(kWordData);
    case Kind::kCancelStatus:
      if (action.tag != 0) return SlotOf(action.tag).Cancel(kWordStatus);
      for (const auto& read : reads_) {
        if (read->out()) read->Cancel();
      }
      return;
    case Kind::kResetPort:
    case Kind::kReopen:
      port_work_ = action.kind;
      // Where it is the running one that goes on, it will see to it.
      if (!recovery_ || recovery_->done()) recovery_.emplace(clock_, Recover());
      return;
    case Kind::kFinished: return SlotOf(action.tag).Finish();
  }
}

void UasTransport::SubmitRead() {
  const auto free =
      std::find_if(reads_.begin(), reads_.end(), [](const auto& read) { return !read->out(); });
  if (free != reads_.end()) return (*free)->Submit();
  reads_.push_back(std::make_unique<Read>(*this));
  reads_.back()->Submit();
}

// ---- Recovery ---------------------------------------------------------------------------------

async::Task<bool> UasTransport::Recover() {
  while (port_work_) {
    const Kind work = *std::exchange(port_work_, std::nullopt);
    Outcome outcome = Outcome::kPending;
    if (work == Kind::kResetPort) {
      outcome = co_await ResetPort();
    } else {
      outcome = co_await Reopen();
    }
    engine_.HandleRecovered(outcome);
    Drain();
  }
  co_return true;
}

async::Task<Outcome> UasTransport::ResetPort() {
  usb::PortOp op;
  op.request = usb::ResetPort{};
  const Outcome reset = co_await async::PerformPort(*link_, op);
  if (reset != Outcome::kOk) co_return reset;
  const Outcome streams = co_await GetStreams();
  co_return streams;
}

async::Task<Outcome> UasTransport::Reopen() {
  ++reopenings_count_;  // or gone, where nobody opens it
  if (reopener_ == nullptr) co_return Outcome::kDisconnected;
  const Result<void> reopened = co_await reopener_->Reopen();
  link_ = &reopener_->link();
  lost_.reset();
  if (!reopened) {
    lost_ = reopened.error();
    co_return Outcome::kDisconnected;
  }
  const Outcome streams = co_await GetStreams();
  co_return streams;
}

// What a reset took away. Fewer than before would leave tags without a stream.
async::Task<Outcome> UasTransport::GetStreams() {
  if (options_.streams_count == 0) co_return Outcome::kOk;
  const Result<uint16_t> granted = co_await AllocateStreams(*link_, options_);
  co_return granted&&* granted >= options_.streams_count ? Outcome::kOk : Outcome::kFault;
}

async::Task<Result<uint16_t>> UasTransport::AllocateStreams(usb::Link& link,
                                                            const UasTransportOptions& options) {
  const std::array endpoints{options.status.address, options.data_in.address,
                             options.data_out.address};
  uint16_t count = link.caps().streams_max;
  for (const usb::EndpointConfig* pipe : {&options.status, &options.data_in, &options.data_out}) {
    count = std::min(count, pipe->streams_max);
  }
  Error refused{.kind = ErrorKind::kUnsupported,
                .phase = Phase::kOpen,
                .text = "UAS at SuperSpeed needs bulk streams; this link has {}, the device {}",
                .values = {link.caps().streams_max, options.status.streams_max}};
  if (count == 0) co_return refused;
  constexpr uint16_t kTags = uas::HostEngine::kDepthMax + uas::HostEngine::kManagementTags;
  count = std::min(count, kTags);
  usb::PortOp op;
  op.request = usb::AllocateStreams{count, endpoints};
  const Outcome outcome = co_await async::PerformPort(link, op);
  if (outcome == Outcome::kOk && op.granted != 0) {
    co_return static_cast<uint16_t>(std::min<uint32_t>(op.granted, count));
  }
  if (outcome != Outcome::kOk) refused.kind = usb::KindOf(outcome);
  refused.text = "{} bulk streams were asked for and not granted";
  refused.values = {count};
  co_return refused;
}

void UasTransport::Patience::HandleTimer() {
  transport_.engine_.HandleRecoveryTimeout();
  transport_.Drain();
}

// ---- Results ----------------------------------------------------------------------------------

Result<ScsiResult> UasTransport::Conclude(uint16_t tag) {
  const uas::HostResult& done = engine_.result(tag);
  if (done.rung != uas::Rung::kNone) last_rung_ = done.rung;
  ++rung_counts_[static_cast<size_t>(done.rung)];
  if (done.error) {
    Error error = *done.error;
    error.endpoint = EndpointOf(error);
    if (error.kind == ErrorKind::kDisconnected && lost_) {
      error.text = lost_->text;
      error.values = lost_->values;
    }
    return error;
  }
  ScsiResult result;
  result.status = static_cast<scsi::Status>(done.status);
  result.length_actual = done.length_actual;
  result.residue = engine_.length(tag) - done.length_actual;
  result.recoveries = done.recoveries;
  if (done.sense_length != 0) {
    const Bytes bytes = Take(Bytes(done.sense), done.sense_length);
    result.sense_length = static_cast<uint8_t>(CopyBytes(result.sense_bytes, bytes));
    const std::optional<scsi::Sense> sense = scsi::ParseSense(bytes);
    result.sense_valid = sense.has_value();
    if (sense) result.sense = *sense;
  }
  return result;
}

uint8_t UasTransport::EndpointOf(const Error& error) const {
  switch (error.phase) {
    case Phase::kCommand: return options_.command.address.value;
    case Phase::kDataIn: return options_.data_in.address.value;
    case Phase::kDataOut: return options_.data_out.address.value;
    case Phase::kStatus: return options_.status.address.value;
    case Phase::kNone:
    case Phase::kOpen:
    case Phase::kControl:
    case Phase::kReset: return 0;
  }
  return 0;
}

const char* UasTransport::last_recovery() const {
  return last_rung_ == uas::Rung::kNone ? "" : uas::Name(last_rung_);
}

std::vector<RecoveryCount> UasTransport::recoveries() const {
  std::vector<RecoveryCount> counts;
  for (size_t rung = 1; rung < rung_counts_.size(); ++rung) {
    if (rung_counts_[rung] == 0) continue;
    counts.push_back({uas::Name(static_cast<uas::Rung>(rung)), rung_counts_[rung]});
  }
  return counts;
}

}  // namespace usbtwin::host
