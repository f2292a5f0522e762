#include "app/send_cdb.h"

#include <set>

#include "app/opener.h"
#include "app/run.h"
#include "app/sense_text.h"
#include "app/size.h"
#include "base/text.h"
#include "host/session.h"

namespace usbtwin::app {
namespace {

// The public enums follow the internal ones, so that a caller needs no other header.
static_assert(static_cast<int>(TransportErrorKind::kStalled) ==
              static_cast<int>(ErrorKind::kStalled) + 1);
static_assert(static_cast<int>(TransportErrorKind::kProtocol) ==
              static_cast<int>(ErrorKind::kProtocol) + 1);
static_assert(static_cast<int>(TransportErrorKind::kUnsupported) ==
              static_cast<int>(ErrorKind::kUnsupported) + 1);
static_assert(static_cast<int>(TransportPhase::kNone) == static_cast<int>(Phase::kNone));
static_assert(static_cast<int>(TransportPhase::kDataIn) == static_cast<int>(Phase::kDataIn));
static_assert(static_cast<int>(TransportPhase::kReset) == static_cast<int>(Phase::kReset));

TransportError PublicError(const Error& error) {
  return {.kind = static_cast<TransportErrorKind>(static_cast<int>(error.kind) + 1),
          .phase = static_cast<TransportPhase>(error.phase),
          .endpoint = error.endpoint,
          .length_actual = error.length_actual};
}

CdbOutcome PublicOutcome(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kUsage: return CdbOutcome::kUsage;
    case Failure::Kind::kCannotOpen: return CdbOutcome::kCannotOpen;
    case Failure::Kind::kTransport:
    case Failure::Kind::kRefused: return CdbOutcome::kTransport;  // opening sends no CDB of yours
    case Failure::Kind::kFile: return CdbOutcome::kFile;
  }
  return CdbOutcome::kTransport;
}

host::StorageOptions PublicOptions(const OpenRequest& request) {
  host::StorageOptions options;
  options.interface_number = request.interface;
  switch (request.transport) {
    case TransportChoice::kAuto: options.protocol = host::StorageProtocol::kAny; break;
    case TransportChoice::kBot: options.protocol = host::StorageProtocol::kBulkOnly; break;
    case TransportChoice::kUasp: options.protocol = host::StorageProtocol::kUas; break;
  }
  options.kernel_driver = request.kernel_driver == KernelDriver::kDetach
                              ? usb::KernelDriverPolicy::kDetach
                              : usb::KernelDriverPolicy::kRefuse;
  return options;
}

OpenResult OpenFailed(const std::string& device, const OpenedBus& opened, const Error& error) {
  OpenResult result;
  result.outcome = error.kind == ErrorKind::kInvalid ? CdbOutcome::kUsage : CdbOutcome::kCannotOpen;
  result.error = PublicError(error);
  result.text =
      "cannot open " + Printable(device) + ": " + error.Describe() + opened.Explain(error);
  return result;
}

SenseInfo PublicSense(const scsi::Sense& sense) {
  SenseInfo info{.key = static_cast<uint8_t>(sense.key),
                 .asc = sense.asc,
                 .ascq = sense.ascq,
                 .deferred = sense.deferred,
                 .key_text = scsi::Name(sense.key),
                 .additional_text = AdditionalSenseText(sense.asc, sense.ascq)};
  if (sense.information_valid) info.information = sense.information;
  return info;
}

// Why a request cannot be sent; empty where it can.
std::string Refuse(const CdbRequest& request, const DeviceFacts& facts) {
  const auto number = [](uint64_t value) { return std::to_string(value); };
  if (request.cdb.empty()) return "the command has no bytes";
  if (request.cdb.size() > facts.cdb_length_max) {
    return "the command has " + number(request.cdb.size()) + " bytes, and " + facts.transport +
           " carries " + number(facts.cdb_length_max) + " at most";
  }
  if (!request.data_out.empty() && request.data_in_length != 0) {
    return "data in both directions: USB transports move data one way in a command";
  }
  if (request.data_out.size() > kDataLengthMax || request.data_in_length > kDataLengthMax) {
    return "more than " + DescribeSize(kDataLengthMax) + " of data in one command";
  }
  constexpr uint64_t kBotLunMax = 15;  // bCBWLUN has four bits
  if (facts.transport == "bot" && request.lun > kBotLunMax) {
    return "logical unit " + number(request.lun) + ": bot carries 0 to " + number(kBotLunMax);
  }
  if (request.timeout.count() <= 0) return "the timeout is not positive";
  if (request.timeout > std::chrono::hours(24 * 365)) return "the timeout is longer than a year";
  return "";
}

// What the residue leaves of the bytes that moved. One that is larger than what was asked for is
// nonsense and leaves all.
uint32_t ValidLength(uint32_t length_asked, uint32_t length_wire, uint32_t residue) {
  if (residue > length_asked) return length_wire;
  return std::min(length_wire, length_asked - residue);
}

// "Power on, reset, or bus device reset occurred": the command was not executed. SAM-5, 5.14.
bool IsResetAttention(const CdbResult& result) {
  constexpr uint8_t kUnitAttention = 0x06;
  constexpr uint8_t kResetOccurred = 0x29;
  return result.outcome == CdbOutcome::kCompleted && result.sense &&
         result.sense->key == kUnitAttention && result.sense->asc == kResetOccurred;
}

}  // namespace

const char* Name(CdbOutcome outcome) {
  switch (outcome) {
    case CdbOutcome::kCompleted: return "completed";
    case CdbOutcome::kUsage: return "usage";
    case CdbOutcome::kCannotOpen: return "cannot open";
    case CdbOutcome::kTransport: return "transport";
    case CdbOutcome::kFile: return "file";
  }
  return "";
}

const char* Name(TransportErrorKind kind) {
  if (kind == TransportErrorKind::kNone) return "none";
  return usbtwin::Name(static_cast<ErrorKind>(static_cast<int>(kind) - 1));
}

const char* Name(TransportPhase phase) {
  return usbtwin::Name(static_cast<Phase>(phase));
}

struct ScsiDevice::State {
  explicit State(System& system_used) : system(system_used) {}

  System& system;
  std::unique_ptr<OpenedBus> opened;
  std::unique_ptr<host::Session> session;
  host::ScsiTransport* transport = nullptr;
  DeviceFacts facts;
  std::vector<FaultCount> fault_counts;  // once it is closed
  std::set<uint64_t> greeted;  // units that answered a command with anything but an old attention
};

ScsiDevice::ScsiDevice(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScsiDevice::~ScsiDevice() {
  Close();
}

OpenResult ScsiDevice::Open(System& system, const OpenRequest& request) {
  if (request.step_timeout_max.count() <= 0) {
    OpenResult result;
    result.outcome = CdbOutcome::kUsage;
    result.text = "the timeout of opening is not positive";
    return result;
  }
  auto opened = OpenBus(system, request.device,
                        {.record_path = request.record_path,
                         .audit = request.audit,
                         .faults_path = request.faults_path,
                         .step_time_max = request.step_timeout_max});
  if (!opened) {
    OpenResult result;
    result.outcome = PublicOutcome(opened.error().kind);
    result.text = opened.error().text;
    return result;
  }
  auto state = std::make_unique<State>(system);
  state->opened = std::move(*opened);
  state->session =
      std::make_unique<host::Session>(system.clock(), state->opened->bus(),
                                      state->opened->device_id(), state->opened->session_options());
  host::Session& session = *state->session;
  State& facts_of = *state;
  // From here on the device closes what was opened, whatever happens.
  std::unique_ptr<ScsiDevice> device(new ScsiDevice(std::move(state)));
  const Result<void> found = Run(system, session.Open());
  const auto fail = [&](const Error& error) {
    OpenResult failed = OpenFailed(request.device, *facts_of.opened, error);
    device->Close();
    failed.faults = device->fault_counts();
    return failed;
  };
  if (!found) return fail(found.error());
  const Result<host::ScsiTransport*> transport =
      Run(system, session.OpenStorage(PublicOptions(request)));
  if (!transport) return fail(transport.error());
  facts_of.transport = *transport;
  facts_of.facts = {.transport = (*transport)->name(),
                    .luns_count = (*transport)->luns_count(),
                    .cdb_length_max = (*transport)->cdb_length_max(),
                    .vendor_id = session.description().device.vendor_id,
                    .product_id = session.description().device.product_id,
                    .port_path = session.id().port_path};
  OpenResult result;
  result.device = std::move(device);
  return result;
}

const DeviceFacts& ScsiDevice::facts() const {
  return state_->facts;
}

std::string ScsiDevice::Close() {
  if (state_->session == nullptr) return "";
  state_->transport = nullptr;
  // A device that does not answer any more is closed all the same.
  if (state_->session->is_open()) (void)Run(state_->system, state_->session->Close()).has_value();
  state_->session.reset();
  std::string record_error = state_->opened->FinishRecord();
  state_->fault_counts = state_->opened->fault_counts();
  state_->opened.reset();
  return record_error;
}

std::vector<FaultCount> ScsiDevice::fault_counts() const {
  return state_->opened != nullptr ? state_->opened->fault_counts() : state_->fault_counts;
}

CdbResult ScsiDevice::Send(const CdbRequest& request) {
  CdbResult result;
  result.outcome = CdbOutcome::kUsage;
  if (state_->transport == nullptr) {
    result.text = "the device is closed";
    return result;
  }
  result.text = Refuse(request, state_->facts);
  if (!result.text.empty()) return result;

  // Units may queue several attentions (power on, then bus reset), but no endless row of them.
  constexpr uint8_t kAttentionsMax = 4;
  const bool may_pass_over =
      !request.report_old_attention && !state_->greeted.contains(request.lun);
  for (uint8_t old_attentions = 0;; ++old_attentions) {
    std::string rung_before = std::move(result.highest_rung);
    result = SendOnce(request);
    if (result.highest_rung.empty()) result.highest_rung = std::move(rung_before);
    result.old_attentions = old_attentions;
    if (!may_pass_over || !IsResetAttention(result) || old_attentions == kAttentionsMax) break;
  }
  if (result.outcome == CdbOutcome::kCompleted && !IsResetAttention(result)) {
    state_->greeted.insert(request.lun);
  }
  return result;
}

CdbResult ScsiDevice::SendOnce(const CdbRequest& request) {
  CdbResult result;
  result.data_in.resize(request.data_in_length);
  const host::ScsiRequest command{.lun = request.lun,
                                  .cdb = request.cdb,
                                  .out = request.data_out,
                                  .in = result.data_in,
                                  .in_length = request.data_in_length,
                                  .timeout = request.timeout};
  const TimePoint start = state_->system.clock().Now();
  const Result<host::ScsiResult> answer = Run(state_->system, state_->transport->Execute(command));
  result.elapsed =
      std::chrono::duration_cast<std::chrono::microseconds>(state_->system.clock().Now() - start);
  result.highest_rung = state_->transport->last_recovery();
  if (!answer) {
    result.outcome =
        answer.error().kind == ErrorKind::kInvalid ? CdbOutcome::kUsage : CdbOutcome::kTransport;
    result.error = PublicError(answer.error());
    result.text = answer.error().Describe() + state_->opened->Explain(answer.error());
    result.data_in.clear();
    return result;
  }
  const uint32_t length_asked =
      request.data_in_length + static_cast<uint32_t>(request.data_out.size());
  result.outcome = CdbOutcome::kCompleted;
  result.recoveries = answer->recoveries;
  result.scsi_status = static_cast<uint8_t>(answer->status);
  result.length_wire = answer->length_actual;
  result.residue = answer->residue;
  result.length_valid = ValidLength(length_asked, answer->length_actual, answer->residue);
  result.data_in.resize(std::min(request.data_in_length, answer->length_actual));
  const Bytes sense_bytes = Take(Bytes(answer->sense_bytes), answer->sense_length);
  result.sense_bytes.assign(sense_bytes.begin(), sense_bytes.end());
  if (answer->sense_valid) result.sense = PublicSense(answer->sense);
  if (answer->sense_failure) result.sense_error = answer->sense_failure->Describe();
  return result;
}

CdbResult SendCdb(System& system, const OpenRequest& open, const CdbRequest& request) {
  OpenResult opened = ScsiDevice::Open(system, open);
  if (opened.device == nullptr) {
    CdbResult result;
    result.outcome = opened.outcome;
    result.error = opened.error;
    result.text = std::move(opened.text);
    result.faults = std::move(opened.faults);
    return result;
  }
  CdbResult result = opened.device->Send(request);
  result.record_error = opened.device->Close();
  result.faults = opened.device->fault_counts();
  return result;
}

}  // namespace usbtwin::app
